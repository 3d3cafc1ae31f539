//! `smoke-test`: suites, captures, reports, and everything that servers should not send.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Program, Ran, Server, read};

/// Runs a suite whose `BASE` is the server's address.
fn suite(server: &Server, checks: &str, more: &[&str]) -> Ran {
    Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\npublic: ${{BASE}}\nchecks:\n{checks}"))
        .env("BASE", server.url("").trim_end_matches('/'))
        .args(["--attempts", "1", "--timeout", "5s", "--json"])
        .args(more)
        .run()
}

fn verdicts(ran: &Ran) -> Vec<(String, String)> {
    let report = ran.report();
    let checks = report["checks"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    checks.map(|check| (text(&check["name"]), text(&check["verdict"]))).collect()
}

fn json(body: &str) -> (u16, String, String) {
    (200, "Content-Type: application/json\r\nX-Version: v2\r\n".into(), body.into())
}

#[test]
fn p6_the_whole_vocabulary_on_one_page() {
    let server = Server::new(|request, _| match request.path() {
        "/json" => json(r#"{"items":[1,2,3],"name":"shop","status":"UP"}"#),
        "/new" => (201, "Content-Type: application/xml\r\n".into(), "<event/>".into()),
        "/old" => (301, "Location: /json\r\n".into(), String::new()),
        "/" => (200, "Content-Type: text/html\r\n".into(), "<title>Shop</title>".into()),
        _ => (404, String::new(), "<h1>not here</h1>".into()),
    });
    let ran = suite(
        &server,
        r#"
  - name: page
    path: /
    expect:
      - status: 200
      - body: { contains: "<title>Shop" }
      - header: { name: content-type, starts-with: text/html }
      - duration: { lt: 1s }
  - name: json
    path: /json
    expect:
      - jsonpath: { path: "$.items", count: { gte: 3 } }
      - jsonpath: { path: "$.items[?@ > 2]", equals: 3 }
      - jsonpath: { path: "$.name", any-of: [{ equals: x }, { matches: "^sh" }] }
      - jsonpath: { path: "$.missing", exists: false }
      - jsonpath: { path: "$.items[0]", is-type: integer, not: { gt: 1 } }
  - name: version
    path: /json
    expect: [{ version: { header: X-Version } }]
  - name: created
    path: /new
    json: { kind: test }
    expect: [{ status: 201 }, { body: { contains: "<event" } }]
  - name: moved
    path: /old
    expect: [{ status: [301, 302] }, { header: { name: location, equals: /json } }]
  - name: followed
    path: /old
    redirects: true
    expect: [{ redirects: 1 }]
  - name: absent
    path: /nope
    expect: [{ status: 404 }, { body: { contains: not here } }]
  - name: program
    command: [sh, -c, "echo out; exit 3"]
    expect: [{ exit-code: [0, 3] }, { stdout: { contains: out } }]
  - name: disk
    disk: { max: 100% }
  - name: memory
    memory: {}
    severity: warning
"#,
        &["--expect-version", "2"],
    )
    .expect_code(0);
    assert!(verdicts(&ran).iter().all(|(_, verdict)| verdict == "pass"), "{}", ran.stdout);
}

#[test]
fn p9_front_end_and_back_end_have_the_same_version() {
    let server = Server::new(|request, _| match request.path() {
        "/api/version" => json(r#"{"version":"1.4.0"}"#),
        "/same" => (200, String::new(), "v1.4.0\n".into()),
        _ => (200, String::new(), "1.3.9".into()),
    });
    let checks = |path: &str| {
        format!(
            "  - {{ name: web, path: {path}, expect: [{{ version: {{ body: true, equals: \"{{{{backend}}}}\" }} }}] }}
  - {{ name: api, path: /api/version, capture: {{ backend: {{ jsonpath: $.version }} }} }}\n"
        )
    };
    suite(&server, &checks("/same"), &[]).expect_code(0);
    let ran = suite(&server, &checks("/other"), &[]).expect_code(10);
    assert!(ran.stderr.contains(r#"wanted "1.4.0""#), "{}", ran.stderr);
}

#[test]
fn p12_a_login_is_captured_once_and_used_and_never_shown() {
    let server = Server::new(|request, _| match request.path() {
        "/login" if request.body == r#"{"user":"me"}"# => json(r#"{"token":"t0p-s3cret"}"#),
        "/me" => match request.header("authorization") {
            Some("Bearer t0p-s3cret") => (500, String::new(), "leaked t0p-s3cret".into()),
            _ => (401, String::new(), String::new()),
        },
        _ => (404, String::new(), String::new()),
    });
    let ran = suite(
        &server,
        r#"
  - name: me
    path: /me
    headers: { Authorization: "Bearer {{token}}" }
  - name: login
    path: /login
    json: { user: me }
    capture: { token: { jsonpath: $.token, secret: true } }
  - name: unrelated
    path: /me
    expect: [{ status: 401 }]
"#,
        &[],
    )
    .expect_code(10);
    assert_eq!(
        verdicts(&ran)[1..],
        [("login".into(), "pass".into()), ("unrelated".into(), "pass".into())]
    );
    assert!(ran.stdout.contains("leaked ***"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"));
}

#[test]
fn p12_what_was_not_captured_is_not_run_and_not_passed() {
    let server = Server::new(|_, _| (500, String::new(), String::new()));
    let checks = "  - { name: a, path: /a, capture: { x: { body: true } } }
  - { name: b, path: \"/{{x}}\", capture: { y: { body: true } } }
  - { name: c, path: \"/{{y}}\" }\n";
    let ran = suite(&server, checks, &[]).expect_code(10);
    let all: Vec<_> = verdicts(&ran).into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(all, ["fail", "inconclusive", "inconclusive"]);
    assert_eq!(server.count(), 1);
}

#[test]
fn p12_twenty_checks_take_about_as_long_as_one() {
    let server = Server::new(|_, _| {
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        // The answer comes after 200 ms: this is what the server is for.
        let _ = receiver.recv_timeout(Duration::from_millis(200));
        (200, String::new(), String::new())
    });
    let checks: String = (0..20).map(|n| format!("  - {{ name: c{n}, path: /{n} }}\n")).collect();
    let started = Instant::now();
    suite(&server, &checks, &[]).expect_code(0);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn cyclic_and_double_captures_are_refused() {
    let server = Server::new(|_, _| json("{}"));
    for (checks, part) in [
        (
            "  - { name: a, path: \"/{{y}}\", capture: { x: { body: true } } }
  - { name: b, path: \"/{{x}}\", capture: { y: { body: true } } }\n",
            "wait for each other",
        ),
        (
            "  - { name: a, path: \"/{{x}}\", capture: { x: { body: true } } }\n",
            "wait for each other",
        ),
        ("  - { name: a, path: \"/{{nobody}}\" }\n", "no check captures"),
        (
            "  - { name: a, path: /, capture: { x: { body: true } } }
  - { name: b, path: /, capture: { x: { body: true } } }\n",
            "both capture",
        ),
        ("  - { name: a, path: / }\n  - { name: a, path: / }\n", "is taken"),
        ("  - { name: a, path: /, tcp: \"x:1\" }\n", "several things at once (path, tcp)"),
        ("  - { name: a }\n", "says not what to look at"),
        ("  - { name: a, tcp: \"x:1\", method: GET }\n", "does not belong to a tcp check"),
        ("  - { name: a, path: /, expect: [{ body: {} }] }\n", "nothing would be asserted"),
        ("  - { name: a, path: /, expect: [{ version: { body: true } }] }\n", "--expect-version"),
        ("  - { name: a, path: /, passes: 0 }\n", "passes is 0"),
        (
            "  - { name: a, path: /, expect: [{ jsonpath: { path: \"x[\", exists: true } }] }\n",
            "RFC 9535",
        ),
    ] {
        let ran = suite(&server, checks, &[]).expect_code(2);
        assert!(ran.stderr.contains(part), "{checks}: {}", ran.stderr);
    }
    assert_eq!(server.count(), 0, "nothing is asked with a wrong configuration");
}

#[test]
fn p11_warnings_never_fail_and_tries_are_counted() {
    let server = Server::new(|request, _| match request.path() {
        "/flaky" => {
            (if request.header("x").is_some() { 500 } else { 503 }, String::new(), String::new())
        }
        _ => json("{}"),
    });
    let checks = "  - { name: weak, path: /flaky, severity: warning, attempts: 2, interval: 1ms }
  - { name: strong, path: / }\n";
    let ran = Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\npublic: {}\nchecks:\n{checks}", server.url("")))
        .args(["--json"])
        .run()
        .expect_code(0);
    assert_eq!(ran.report()["checks"][0]["attempts"], 2);
    assert_eq!(ran.report()["outputs"]["warnings"], "1");
    let only_weak = Program::new("smoke-test")
        .file("waveoff.yml", "version: 1\nchecks: [{ command: [\"true\"], severity: warning }]\n")
        .run()
        .expect_code(11);
    assert!(only_weak.stdout.contains("nothing decided"), "{}", only_weak.stdout);
}

#[test]
fn p3_p4_health_documents() {
    let server = Server::new(|request, _| match request.path() {
        "/good" => json(r#"{"status":"healthy","postgres":{"status":"healthy"}}"#),
        "/degraded" => {
            json(r#"{"status":"degraded","clip":{"status":"down"},"redis":{"status":"ok"}}"#)
        }
        "/open" => json(r#"{"status":"healthy","circuit_breakers":{"open":1,"half_open":0}}"#),
        "/liar" => (503, String::new(), r#"{"status":"healthy"}"#.into()),
        "/page" => (200, String::new(), "<html>all fine</html>".into()),
        _ => json(r#"{"hello":"world"}"#),
    });
    let checks: String = ["good", "degraded", "open", "liar", "page", "vague"]
        .map(|name| format!("  - {{ name: {name}, path: /{name}, health: auto }}\n"))
        .concat();
    let critical = "  - { name: named, path: /good, health: auto, critical: [postgres, redis] }\n";
    let ran = suite(&server, &(checks + critical), &[]).expect_code(10);
    let all: Vec<_> = verdicts(&ran).into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(all, ["pass", "pass", "fail", "fail", "fail", "inconclusive", "fail"]);
    assert!(ran.stderr.contains("service clip is unhealthy"), "{}", ran.stderr);
}

#[test]
fn p13_json_junit_summary_outputs_and_annotations() {
    let server = Server::new(|_, _| (500, String::new(), "x ::error::y <b>&\u{1}".into()));
    let folder = Arc::new(tempfile::TempDir::new().unwrap());
    let ran = Program::within("smoke-test", &folder)
        .args(["--attempts", "1", "--junit", "out/junit.xml", "--report", "report.json"])
        .args([server.url("/")])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", "outputs")
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .run()
        .expect_code(10);
    assert!(ran.stderr.contains("::error title="), "{}", ran.stderr);
    let junit = read(folder.path(), "out/junit.xml");
    assert!(junit.contains("failures=\"1\"") && !junit.contains('\u{1}'), "{junit}");
    let outputs = read(folder.path(), "outputs");
    for name in ["verdict", "exit-code", "summary", "report", "checks-failed", "failed-checks"] {
        assert!(outputs.contains(&format!("{name}<<waveoff_")), "{name}: {outputs}");
    }
    assert!(read(folder.path(), "summary.md").contains("❌"));
    let report: serde_json::Value =
        serde_json::from_str(&read(folder.path(), "report.json")).unwrap();
    let schema = include_str!("../../schemas/report.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(schema.is_valid(&report), "{report}");
    assert!(!ran.stdout.lines().any(|line| line.trim_start().starts_with("::")), "{}", ran.stdout);
}

/// Peak memory of a finished run, in KiB, as `/usr/bin/time` would say it: from the shell's own
/// accounting there is none, so the program is run under a limit instead.
fn under_a_memory_limit(server: &Server) -> Ran {
    let program = env!("CARGO_BIN_EXE_smoke-test");
    let script = format!(
        "ulimit -v 400000; exec {program} --attempts 1 --timeout 3s --body-contains zzz {}",
        server.url("/")
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    Ran::of(output)
}

#[test]
fn garbage_is_answered_with_a_verdict_and_bounded_memory() {
    let send = |head: &'static [u8], chunk: &'static [u8], times: usize| {
        Server::raw(move |mut stream| {
            let _ = stream.write_all(head);
            for _ in 0..times {
                if stream.write_all(chunk).is_err() {
                    return;
                }
            }
        })
    };
    const MIB: &[u8] = &[0xff; 1 << 20];
    let cases = [
        ("1 GB body", send(b"HTTP/1.1 200 OK\r\n\r\n", MIB, 1024)),
        (
            "endless headers",
            send(b"HTTP/1.1 200 OK\r\n", b"X-Header: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", 1 << 22),
        ),
        ("one endless header", send(b"HTTP/1.1 200 OK\r\nX: ", &[b'a'; 65536], 1 << 12)),
        ("not HTTP", send(b"SSH-2.0-OpenSSH_9.2\r\n", b"", 0)),
        ("nothing", send(b"", b"", 0)),
        (
            "bad chunks",
            send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"", 0),
        ),
        ("bad gzip", send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"garbage", 1)),
        ("bad status", send(b"HTTP/1.1 999999 OK\r\n\r\n", b"", 0)),
        ("bad length", send(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"", 0)),
        ("bytes", send(b"\x00\xff\xfe\x80", MIB, 4)),
    ];
    for (name, server) in cases {
        let ran = under_a_memory_limit(&server);
        assert_eq!(ran.code, Some(10), "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("bug"), "{name}: {}", ran.stderr);
        assert!(ran.stdout.len() < 20_000, "{name}: {} bytes printed", ran.stdout.len());
    }
}

#[test]
fn a_slow_server_is_given_up_on_in_time() {
    let server = Server::raw(|mut stream| {
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            let _ = receiver.recv_timeout(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    let ran = Program::new("smoke-test")
        .args(["--attempts", "1", "--timeout", "300ms", &server.url("/")])
        .run()
        .expect_code(10);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(ran.stdout.contains("timed out"), "{}", ran.stdout);
}

#[test]
fn deep_json_and_wrong_json_fail_and_never_panic() {
    for body in ["[".repeat(100_000), "{\"a\":".repeat(5000), "\u{0}".into(), "{\"status\":".into()]
    {
        let server = Server::new(move |_, _| (200, String::new(), body.clone()));
        suite(&server, "  - { name: a, path: /, health: auto }\n", &[]).expect_code(10);
    }
}

#[test]
fn a_redirect_to_another_kind_of_address_is_not_followed() {
    let server = Server::new(|request, _| match request.path() {
        "/ftp" => (302, "Location: ftp://127.0.0.1/x\r\n".into(), String::new()),
        "/script" => (302, "Location: javascript:alert(1)\r\n".into(), String::new()),
        "/nowhere" => (302, "Location: http://\r\n".into(), String::new()),
        "/dots" => (302, "Location: a:b\r\n".into(), String::new()),
        _ => (200, String::new(), "ok".into()),
    });
    for path in ["/ftp", "/script", "/nowhere", "/dots"] {
        let ran = Program::new("smoke-test")
            .args([&server.url(path), "--redirects", "--attempts", "1"])
            .run()
            .expect_code(10);
        assert!(ran.stdout.contains("redirect"), "{}", ran.stdout);
    }
    let upper = Server::new({
        let port = server.port;
        move |_, _| (302, format!("Location: HTTP://127.0.0.1:{port}/\r\n"), String::new())
    });
    let ran = Program::new("smoke-test")
        .args([&upper.url("/"), "--redirects", "--attempts", "1"])
        .run()
        .expect_code(0);
    assert!(ran.stdout.contains("pass"), "{}", ran.stdout);
    assert_eq!(server.requests.lock().unwrap().last().unwrap().path(), "/");
}
