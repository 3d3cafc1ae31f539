//! One entry for several checks, several questions for one attempt, and a choice among checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Program, Ran, Server};

fn suite(server: &Server, checks: &str, arguments: &[&str]) -> Ran {
    Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\npublic: ${{BASE}}\nchecks:\n{checks}"))
        .file("body.txt", "order of {{name}}")
        .env("BASE", server.url("").trim_end_matches('/'))
        .args(["--attempts", "1", "--timeout", "5s", "--json"])
        .args(arguments)
        .run()
}

/// The names of the checks with their verdicts.
fn told(ran: &Ran) -> Vec<String> {
    let report = ran.report();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| format!("{} {}", check["name"], check["verdict"]).replace('"', "")).collect()
}

fn answer(status: u16, body: &str) -> (u16, String, String) {
    (status, "Content-Type: text/plain\r\n".into(), body.into())
}

#[test]
fn p6_each_path_is_asked_and_told_by_itself() {
    let server = Server::new(|request, _| match request.path() {
        "/b" => answer(500, "no"),
        _ => answer(200, "yes"),
    });
    let checks = "  - each: [/a, /b]\n  - { name: pages, each: [/c], tags: [x] }\n";
    let ran = suite(&server, checks, &[]).expect_code(10);
    assert_eq!(told(&ran), ["/a pass", "/b fail", "pages: /c pass"]);
    let ran = suite(&server, "  - { path: /a, each: [/b] }\n", &[]).expect_code(2);
    assert!(ran.stderr.contains("each and path stand side by side"), "{ran:?}");
    let ran = suite(&server, "  - each: [/a, b]\n", &[]).expect_code(2);
    assert!(ran.stderr.contains("`b` is no path; it begins with /"), "{ran:?}");
    let query = "  - { url: \"http://x.test/?q=1\", each: [/a] }\n";
    let ran = suite(&server, query, &[]).expect_code(2);
    assert!(ran.stderr.contains("the url has a query"), "{ran:?}");
    let ran = suite(&server, "  - each: []\n", &[]).expect_code(2);
    assert!(ran.stderr.contains("the list is empty"), "{ran:?}");
}

#[test]
fn p12_checks_are_chosen_by_name_or_tag_with_what_they_need() {
    let server = Server::new(|_, _| answer(200, "secret"));
    let checks = "  - { name: login, path: /login, tags: [shop], capture: { token: { body: true, secret: true } } }
  - { name: orders, path: /orders, headers: { Authorization: \"{{token}}\" } }
  - { name: pages, each: [/a, /b], tags: [pages, slow] }
";
    let chosen = |arguments: &[&str]| told(&suite(&server, checks, arguments).expect_code(0));
    assert_eq!(chosen(&["--only", "pages"]), ["pages: /a pass", "pages: /b pass"]);
    assert_eq!(chosen(&["--only", "orders"]), ["login pass", "orders pass"], "with its token");
    assert_eq!(chosen(&["--skip", "slow,orders"]), ["login pass"]);
    assert_eq!(chosen(&["--only", "pages", "--skip", "pages: /a"]), ["pages: /b pass"]);
    for (arguments, words) in [
        (["--only", "page"], "did you mean `pages`?"),
        (["--skip", "nothing-like-it"], "no check has that name or tag"),
        (["--skip", "shop,orders,slow"], "leave no check"),
    ] {
        let ran = suite(&server, checks, &arguments).expect_code(2);
        assert!(ran.stderr.contains(words), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn p6_with_few_threads_fewer_are_asked_at_once() {
    let server = Server::new(|_, _| answer(200, "yes"));
    let check = format!("{{ url: \"{}\", repeat: 40, concurrency: 20 }}", server.url("/"));
    let program = Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\nchecks: [{check}]\n"))
        .env("RUST_MIN_STACK", "300000000");
    // So much address space holds the stacks of a few threads only.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 2000000 && exec \"$0\" --json"]);
    limited.arg(env!("CARGO_BIN_EXE_smoke-test"));
    let ran = Ran::of(program.like(limited).output().unwrap()).expect_code(0);
    assert!(ran.stdout.contains("40 of 40 passed"), "{ran:?}");
    assert!(ran.stdout.contains("threads to ask at once"), "{ran:?}");
    assert_eq!(server.count(), 40);
}

#[test]
fn p3_a_burst_warms_up_once() {
    let server = Server::new(|request, _| {
        if request.path() == "/ask" {
            // Whoever does not wait for this one has the time to ask, too.
            std::thread::park_timeout(Duration::from_millis(300));
        }
        answer(200, "yes")
    });
    let check = "  - { path: /ready, repeat: 8, concurrency: 8, warm-up: { path: /ask } }\n";
    let ran = suite(&server, check, &[]).expect_code(0);
    assert!(ran.stdout.contains("8 of 8 passed"), "{ran:?}");
    let asked = server.requests.lock().unwrap();
    let paths: Vec<&str> = asked.iter().map(|request| request.path()).collect();
    assert_eq!((paths[0], paths.len()), ("/ask", 9), "{paths:?}");
    assert!(paths[1..].iter().all(|path| *path == "/ready"), "{paths:?}");
}

#[test]
fn x4_a_warm_up_of_another_origin_gets_no_credentials() {
    let other = Server::new(|_, _| answer(200, "yes"));
    let server = Server::new(|_, _| answer(200, "yes"));
    let keys = "headers: { X-Api-Key: k-0123456789 }, auth: { bearer: t-0123456789 }";
    let check = |warm_up: &str| format!("  - {{ path: /, {keys}, warm-up: {{ {warm_up} }} }}\n");
    for (at, wanted) in [
        ("path: /warm".to_owned(), ["k-0123456789", "Bearer t-0123456789"]),
        (format!("url: \"{}\"", server.url("/warm")), ["k-0123456789", "Bearer t-0123456789"]),
        (format!("url: \"{}\"", other.url("/warm")), ["", ""]),
        (format!("url: \"http://localhost:{}/warm\"", server.port), ["", ""]),
        (format!("url: \"{}\", headers: {{ X-Api-Key: own }}", other.url("/warm")), ["own", ""]),
    ] {
        suite(&server, &check(&at), &[]).expect_code(0);
        let both = [&server, &other].map(|server| server.requests.lock().unwrap().split_off(0));
        let warm = both.concat().into_iter().find(|request| request.path() == "/warm").unwrap();
        let got = ["X-Api-Key", "Authorization"].map(|name| warm.header(name).unwrap_or_default());
        assert_eq!(got, wanted, "{at}");
    }
}

#[test]
fn p12_what_is_skipped_is_never_asked() {
    let server = Server::new(|request, _| match request.path() {
        "/login" => (200, "Set-Cookie: sid=0123456789abcdef; Path=/\r\n".into(), "token".into()),
        _ => answer(200, request.header("cookie").unwrap_or("nobody")),
    });
    let checks = "  - { name: login, path: /login, cookies: a, capture: { token: { body: true } } }
  - { name: order, path: /order, method: POST, cookies: a, tags: [destructive] }
  - { name: again, path: /order, method: POST, cookies: a, tags: [destructive] }
  - { name: logout, path: /logout, cookies: a, expect: [{ body: { contains: sid=0123 } }] }
  - { name: told, path: /told, headers: { X-Token: \"{{token}}\" } }
";
    let chosen = |arguments: &[&str]| told(&suite(&server, checks, arguments).expect_code(0));
    assert_eq!(chosen(&["--skip", "destructive"]), ["login pass", "logout pass", "told pass"]);
    let only = ["--only", "logout", "--skip", "destructive"];
    assert_eq!(chosen(&only), ["login pass", "logout pass"], "with the login before it");
    let asked = server.requests.lock().unwrap().clone();
    assert!(asked.iter().all(|request| request.path() != "/order"), "{asked:?}");
    for arguments in [&["--skip", "login"][..], &["--only", "told", "--skip", "login"]] {
        let ran = suite(&server, checks, arguments).expect_code(2);
        let words = "check told needs {{token}} of login, which --skip leaves out";
        assert!(ran.stderr.contains(words), "{ran:?}");
        assert!(ran.stderr.contains("skip told as well, or do not skip login"), "{ran:?}");
    }
    assert_eq!(server.count(), asked.len(), "nothing was asked");
}

#[test]
fn p6_twenty_at_once_all_answer_or_it_is_no_pass() {
    // Nobody is answered before twenty have asked.
    let waiting = Arc::new(AtomicUsize::new(0));
    let server = Server::new(move |request, _| {
        let mine = waiting.fetch_add(1, Ordering::SeqCst);
        let started = std::time::Instant::now();
        while waiting.load(Ordering::SeqCst) < 20 && started.elapsed() < Duration::from_secs(4) {
            std::thread::yield_now();
        }
        match request.path() {
            "/shaky" if mine.is_multiple_of(5) => answer(503, "busy"),
            _ => answer(200, "yes"),
        }
    });
    let ran = suite(&server, "  - { path: /, repeat: 20, concurrency: 20 }\n", &[]).expect_code(0);
    assert!(ran.stdout.contains("20 of 20 passed"), "{ran:?}");
    let shaky = "  - { path: /shaky, repeat: 20, concurrency: 4 }\n";
    let ran = suite(&server, shaky, &[]).expect_code(10);
    assert!(ran.stdout.contains("16 of 20 passed; status is 503"), "{ran:?}");
    for (keys, words) in [
        ("repeat: 0", "repeat is 0"),
        ("repeat: 2, concurrency: 3", "so many are never asked at once"),
        ("repeat: 100, concurrency: 65", "1 to 64 are possible"),
    ] {
        let ran = suite(&server, &format!("  - {{ path: /, {keys} }}\n"), &[]).expect_code(2);
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
}

#[test]
fn p6_what_is_not_asked_in_time_is_no_pass() {
    let server = Server::new(|_, number| {
        if number > 3 {
            std::thread::park_timeout(Duration::from_secs(3));
        }
        answer(200, "yes")
    });
    let check = "  - { path: /, repeat: 50, timeout: 1s }\n";
    let ran = Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\npublic: {}\nchecks:\n{check}", server.url("")))
        .args(["--attempts", "1", "--json"])
        .run()
        .expect_code(10);
    assert!(ran.stdout.contains("of 50 passed"), "{ran:?}");
}

#[test]
fn p3_a_model_is_loaded_by_the_request_before_the_first_look() {
    let loaded = Arc::new(AtomicUsize::new(0));
    let server = Server::new(move |request, _| match request.path() {
        "/ask" => answer(if loaded.fetch_add(1, Ordering::SeqCst) == 0 { 503 } else { 400 }, ""),
        "/ready" if loaded.load(Ordering::SeqCst) > 1 => answer(200, "ENABLED"),
        _ => answer(200, "None"),
    });
    let check = "  - path: /ready
    attempts: 2
    interval: 10ms
    warm-up: { path: /ask, json: { text: hello } }
    expect: [{ body: { equals: ENABLED } }]
    warn: [{ duration: { lt: 60s } }]
";
    let ran = Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\npublic: {}\nchecks:\n{check}", server.url("")))
        .args(["--json"])
        .run()
        .expect_code(0);
    assert!(ran.stdout.contains("the warm-up request: status 503"), "{ran:?}");
    let wrong = check.replace("path: /ask, ", "");
    let ran = suite(&server, &wrong, &[]).expect_code(2);
    assert!(ran.stderr.contains("warm-up: one of path and url"), "{ran:?}");
}

#[test]
fn p6_a_body_comes_from_a_file_with_what_was_captured() {
    let server = Server::new(|request, _| match request.path() {
        "/name" => answer(200, "Ada"),
        _ => answer(200, &request.body),
    });
    let checks = "  - { name: who, path: /name, capture: { name: { body: true } } }
  - { path: /orders, body-file: body.txt, expect: [{ body: { equals: order of Ada } }] }
";
    suite(&server, checks, &[]).expect_code(0);
    let ran = suite(&server, "  - { path: /, body-file: nowhere.txt }\n", &[]).expect_code(2);
    assert!(ran.stderr.contains("body-file: cannot read nowhere.txt"), "{ran:?}");
    let ran = suite(&server, "  - { path: /, body-file: body.txt, body: x }\n", &[]).expect_code(2);
    assert!(ran.stderr.contains("several stand side by side"), "{ran:?}");
}
