//! Cookies that are kept from one check to the next.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Program, Ran, Request, Server};

const SECRET: &str = "s3cr3t-session-0123456789";

/// Runs a suite whose `BASE` is the server's address, in a folder where all that it writes is kept.
fn suite(folder: &Arc<TempDir>, server: &Server, checks: &str) -> Ran {
    Program::within("smoke-test", folder)
        .file("waveoff.yml", &format!("version: 1\npublic: ${{BASE}}\nchecks:\n{checks}"))
        .env("BASE", server.url("").trim_end_matches('/'))
        .args(["--timeout", "5s", "--json"])
        .args(["--report", "report.json", "--junit", "junit.xml", "--metrics", "metrics.prom"])
        .run()
}

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

fn verdicts(ran: &Ran) -> Vec<String> {
    let report = ran.report();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| format!("{} {}", check["name"], check["verdict"]).replace('"', "")).collect()
}

fn reason(ran: &Ran, index: usize) -> String {
    let report = ran.report();
    report["checks"][index]["reason"].as_str().unwrap().to_owned()
}

fn sets(cookie: &str) -> (u16, String, String) {
    (200, format!("Set-Cookie: {cookie}\r\n"), String::new())
}

/// A shop in which nobody sees an account without having logged in.
fn shop(request: &Request) -> (u16, String, String) {
    let cookie = request.header("cookie").unwrap_or_default();
    let is_known = cookie.split("; ").any(|pair| pair == format!("sid={SECRET}"));
    match request.path() {
        "/login" => sets(&format!("sid={SECRET}; Path=/; HttpOnly")),
        "/logout" => sets("sid=deleted; Path=/; Max-Age=0; HttpOnly"),
        "/enter" => {
            (302, format!("Location: /me\r\nSet-Cookie: sid={SECRET}; Path=/\r\n"), String::new())
        }
        _ if is_known => (200, String::new(), "welcome".into()),
        _ => (401, String::new(), format!("who are you with `{cookie}`?")),
    }
}

#[test]
fn p11_a_session_is_kept_in_the_order_of_the_file() {
    let server = Server::new(|request, _| shop(request));
    let checks = "  - { name: before, path: /me, cookies: shop, expect: [{ status: 401 }] }
  - { name: login, path: /login, cookies: shop }
  - { name: me, path: /me, cookies: shop, repeat: 6, concurrency: 3 }
  - { name: all, each: [/a, /b], cookies: shop }
  - { name: stranger, path: /me, expect: [{ status: 401 }] }
  - { name: other, path: /me, cookies: other, expect: [{ status: 401 }] }
  - { name: logout, path: /logout, cookies: shop }
  - { name: after, path: /me, cookies: shop, expect: [{ status: 401 }] }
  - { name: on the way, path: /enter, cookies: third, redirects: true, expect: [{ body: { contains: welcome } }] }
  - { name: there, path: /me, cookies: third }\n";
    let ran = suite(&folder(), &server, checks).expect_code(0);
    assert_eq!(verdicts(&ran).len(), 11, "{ran:?}");
    assert!(verdicts(&ran).iter().all(|one| one.ends_with(" pass")), "{ran:?}");
}

#[test]
fn p11_without_a_login_a_flow_ends() {
    let server = Server::new(|request, _| match request.path() {
        "/login" => (503, format!("Set-Cookie: sid={SECRET}; Path=/\r\n"), String::new()),
        _ => shop(request),
    });
    let checks = "  - { name: login, path: /login, cookies: shop, attempts: 1 }
  - { name: me, path: /me, cookies: shop }\n";
    let ran = suite(&folder(), &server, checks).expect_code(10);
    assert_eq!(verdicts(&ran), ["login fail", "me inconclusive"]);
    assert_eq!(reason(&ran, 1), "not run: check login did not capture the cookies `shop`");
    assert_eq!(server.count(), 1);
}

#[test]
fn p11_what_a_failed_attempt_brought_is_not_sent_by_the_next_one() {
    let server = Server::new(|request, number| match number {
        1 => sets("a=first; Path=/"),
        2 => (
            503,
            "Set-Cookie: b=broken; Path=/\r\nSet-Cookie: a=broken; Path=/\r\n".into(),
            String::new(),
        ),
        _ => (200, String::new(), request.header("cookie").unwrap_or_default().into()),
    });
    let checks = "  - { name: one, path: /one, cookies: shop }
  - { name: two, path: /two, cookies: shop, interval: 10ms, expect: [{ body: { equals: a=first } }] }\n";
    suite(&folder(), &server, checks).expect_code(0);
    assert_eq!(server.count(), 3);
}

#[test]
fn p11_a_warm_up_shares_the_cookies_of_its_check() {
    let server = Server::new(|request, number| match (request.path(), number) {
        ("/start", _) => sets("a=first; Path=/"),
        ("/warm", _) => sets(&format!("b={}; Path=/", request.header("cookie").unwrap_or("none"))),
        (_, 3) => (503, String::new(), String::new()),
        _ => (200, String::new(), request.header("cookie").unwrap_or_default().into()),
    });
    let checks = "  - { name: start, path: /start, cookies: shop }
  - name: ready
    path: /ready
    cookies: shop
    interval: 10ms
    warm-up: { path: /warm }
    expect: [{ body: { equals: a=first; b=a=first } }]\n";
    suite(&folder(), &server, checks).expect_code(0);
    assert_eq!(server.count(), 4, "it was warmed up once");
}

#[test]
fn p11_no_other_host_gets_a_cookie_and_this_machine_gets_those_that_are_secure() {
    let other = Arc::new(Server::new(|_, _| (200, String::new(), String::new())));
    let there = format!("http://localhost:{}/", other.port);
    let server = Server::new(move |request, _| match request.path() {
        "/login" => (
            200,
            format!(
                "Set-Cookie: sid={SECRET}; Path=/\r\nSet-Cookie: tls=1; Secure; Path=/\r\nSet-Cookie: wide=1; Domain=localhost\r\n"
            ),
            String::new(),
        ),
        "/away" => (307, format!("Location: {there}\r\n"), String::new()),
        _ => (200, String::new(), String::new()),
    });
    let checks = format!(
        "  - {{ name: login, path: /login, cookies: shop }}
  - {{ name: away, path: /away, redirects: true, cookies: shop }}
  - {{ name: other, url: \"http://localhost:{}/\", cookies: shop }}
  - {{ name: own, path: /own, cookies: shop }}\n",
        other.port
    );
    suite(&folder(), &server, &checks).expect_code(0);
    let seen = other.requests.lock().unwrap();
    assert!(seen.len() == 2 && seen.iter().all(|request| request.header("cookie").is_none()));
    let own = server.requests.lock().unwrap();
    let own: Vec<_> = own.iter().map(|request| request.header("cookie")).collect();
    let both = format!("sid={SECRET}; tls=1");
    assert_eq!(own, [None, Some(both.as_str()), Some(both.as_str())]);
}

#[test]
fn x4_a_cookie_that_an_answer_repeats_is_in_nothing_that_is_written() {
    let server = Server::new(|request, _| {
        let (_, headers, _) = shop(request);
        let cookie = request.header("cookie").unwrap_or_default();
        let body = serde_json::json!({ "you said": cookie, "sid": SECRET }).to_string();
        let status = if request.path() == "/login" { 200 } else { 500 };
        (status, format!("{headers}X-Echo: {cookie}\r\n"), body)
    });
    let checks = "  - { name: login, path: /login, cookies: shop, expect: [{ header: { name: Set-Cookie, contains: nothing } }] , severity: warning, attempts: 1 }
  - { name: again, path: /login, cookies: again }
  - name: me
    path: /me
    cookies: again
    attempts: 2
    interval: 10ms
    expect: [{ body: { equals: x } }, { header: { name: X-Echo, equals: x } }, { jsonpath: { path: $.sid, equals: x } }]
    fail-fast: [{ jsonpath: { path: $.sid, matches: 's3.*' } }]
    warn: [{ jsonpath: { path: $.sid, equals: y } }]\n";
    let folder = folder();
    let ran = suite(&folder, &server, checks).expect_code(10);
    assert!(ran.stdout.contains("sid=***"), "{}", ran.stdout);
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.is_file()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    let written = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    for text in written.chain([ran.stdout.clone(), ran.stderr.clone()]) {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn p11_what_cannot_be_meant_is_refused() {
    let server = Server::new(|_, _| (200, String::new(), String::new()));
    for (check, part) in [
        ("path: /, cookies: \"a b\"", "cookies: `a b` is no name"),
        ("path: /, cookies: a, headers: { cOOkie: x=1 }", "cookies and a header Cookie"),
        (
            "path: /, cookies: a, warm-up: { path: /, headers: { Cookie: x=1 } }",
            "warm-up: cookies and a header",
        ),
        ("tcp: \"localhost:1\", cookies: a", "`cookies` does not belong to a tcp check"),
    ] {
        let ran = suite(&folder(), &server, &format!("  - {{ {check} }}\n")).expect_code(2);
        let report: Value = ran.report();
        assert!(report["summary"].as_str().unwrap().contains(part), "{check}: {report}");
    }
    assert_eq!(server.count(), 0);
}
