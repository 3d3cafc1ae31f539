//! `wait-healthy` against real sockets, processes and signals.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::harness::{Program, Server, closed_port, exists, read, serve, signal, signals};

fn ok(body: &str) -> (u16, String, String) {
    (200, String::new(), body.to_owned())
}

#[test]
fn p1_several_targets_at_once_and_back_at_the_last_one() {
    let slow =
        Server::new(|_, n| if n < 4 { (503, String::new(), "no".into()) } else { ok("yes") });
    let fast = Server::new(|_, _| ok("yes"));
    let report = Program::new("wait-healthy")
        .args(["--json", &slow.url("/"), &fast.url("/"), &format!("127.0.0.1:{}", fast.port)])
        .args(["--command", "true"])
        .run()
        .expect_code(0)
        .report();
    let attempts: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|c| &c["attempts"]).collect();
    assert_eq!(attempts, [4, 1, 1, 1]);
}

#[test]
fn p1_one_deadline_over_all() {
    let port = closed_port();
    let started = Instant::now();
    let ran = Program::new("wait-healthy")
        .args(["--within", "60s", "--deadline", "300ms", &format!("127.0.0.1:{port}")])
        .run()
        .expect_code(10);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(ran.stdout.contains("connection refused"), "{}", ran.stdout);
}

#[test]
fn p1_localhost_is_ipv6_and_ipv4() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else { continue };
        drop(listener);
        let port = serve(address, |mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        });
        let targets = [format!("http://localhost:{port}/"), format!("localhost:{port}")];
        Program::new("wait-healthy").args(targets).args(["--within", "10s"]).run().expect_code(0);
    }
}

#[test]
fn p2_supervising_ends_at_the_third_failure_in_a_row() {
    let server =
        Server::new(|_, n| if n < 3 { ok("up") } else { (500, String::new(), "x".into()) });
    let report = Program::new("wait-healthy")
        .args(["--json", "--supervise", "60s", "--interval", "20ms", "--start-period", "0s"])
        .args([server.url("/")])
        .run()
        .expect_code(10)
        .report();
    assert_eq!(report["checks"][0]["attempts"], 5);
    assert!(report["summary"].as_str().unwrap().contains("3 failures in a row"), "{report}");
}

#[test]
fn p5_a_process_that_is_gone_ends_the_wait() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id().to_string();
    child.wait().unwrap();
    let ran = Program::new("wait-healthy")
        .args(["--within", "60s", "--pid", &pid, &format!("127.0.0.1:{}", closed_port())])
        .run()
        .expect_code(10);
    assert!(ran.stdout.contains(&format!("process {pid} is gone")), "{}", ran.stdout);
    Program::new("wait-healthy")
        .file("pid", &pid)
        .args(["--within", "60s", "--pid-file", "pid", &format!("127.0.0.1:{}", closed_port())])
        .run()
        .expect_code(10);
}

#[test]
fn p5_a_fail_fast_status_ends_the_wait() {
    let server = Server::new(|_, _| (410, String::new(), "gone for good".into()));
    let ran = Program::new("wait-healthy")
        .args(["--within", "60s", "--fail-fast-status", "404,410", &server.url("/")])
        .run()
        .expect_code(10);
    assert_eq!(server.count(), 1);
    assert!(ran.stdout.contains("fail-fast: status is 410"), "{}", ran.stdout);
    assert!(ran.stdout.contains("| gone for good"), "{}", ran.stdout);
}

#[test]
fn p5_a_name_that_never_resolves_is_an_error_before_the_deadline() {
    let ran = Program::new("wait-healthy")
        .args(["--within", "60s", "--interval", "10ms", "http://nope.invalid/"])
        .run()
        .expect_code(12);
    assert!(ran.stdout.contains("the name does not resolve"), "{}", ran.stdout);
}

#[test]
fn a_wrong_status_or_a_late_body_is_never_ready() {
    let server = Server::new(|_, _| (503, String::new(), "starting".into()));
    let ran = Program::new("wait-healthy")
        .args(["--within", "300ms", &server.url("/")])
        .run()
        .expect_code(10);
    for part in ["status is 503, wanted 2xx", "last answer: 503", "| starting"] {
        assert!(ran.stdout.contains(part), "no {part:?} in {}", ran.stdout);
    }
    let stalled = Server::raw(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        std::thread::park();
    });
    let ran = Program::new("wait-healthy")
        .args(["--within", "500ms", "--timeout", "200ms", &stalled.url("/")])
        .run()
        .expect_code(10);
    assert!(ran.stdout.contains("timed out"), "{}", ran.stdout);
}

#[test]
fn p6_a_body_is_sent_again_on_each_attempt() {
    let server = Server::new(|request, n| {
        if n >= 3 && request.body == "{\"a\":1}" { ok("") } else { (500, String::new(), "".into()) }
    });
    Program::new("wait-healthy")
        .args(["--body", "{\"a\":1}", "--method", "put", "--interval", "10ms", &server.url("/")])
        .run()
        .expect_code(0);
    let requests = server.requests.lock().unwrap();
    assert!(requests.iter().all(|r| r.line.starts_with("PUT / ") && r.body == "{\"a\":1}"));
}

#[test]
fn p6_redirects_are_followed_only_when_asked_and_carry_no_credentials_elsewhere() {
    let other = Server::new(|_, _| ok("elsewhere"));
    let to = other.url("/there");
    let server = Server::new(move |request, _| match request.path() {
        "/away" => (302, format!("Location: {to}\r\n"), String::new()),
        "/here" => (302, "Location: /end\r\n".into(), String::new()),
        "/loop" => (302, "Location: /loop\r\n".into(), String::new()),
        _ => ok("end"),
    });
    let run = |path: &str, more: &[&str]| {
        Program::new("wait-healthy")
            .args([
                "--within",
                "400ms",
                "--bearer",
                "s3cret-token",
                "--header",
                "X-Api-Key: k3y-k3y",
            ])
            .args(more)
            .args([server.url(path)])
            .run()
    };
    run("/here", &[]).expect_code(10);
    run("/here", &["--redirects"]).expect_code(0);
    run("/away", &["--redirects"]).expect_code(0);
    let ran = run("/loop", &["--redirects"]).expect_code(10);
    assert!(ran.stdout.contains("more than 10 redirects"), "{}", ran.stdout);
    let end = server.requests.lock().unwrap().iter().find(|r| r.path() == "/end").cloned().unwrap();
    assert_eq!(end.header("authorization"), Some("Bearer s3cret-token"));
    for request in other.requests.lock().unwrap().iter() {
        assert_eq!((request.header("authorization"), request.header("x-api-key")), (None, None));
    }
}

#[test]
fn secrets_are_printed_nowhere() {
    let server = Server::new(|request, _| {
        let told = request.header("authorization").unwrap_or_default().to_owned();
        (
            500,
            format!("X-Echo: {told}\r\nSet-Cookie: session=abcdef\r\n"),
            format!("you said {told}"),
        )
    });
    let program = Program::new("wait-healthy").env("WAVEOFF_BEARER", "s3cret-token").args([
        "--within",
        "200ms",
        "--report",
        "r.json",
        "--junit",
        "j.xml",
        &server.url("/?key=1"),
    ]);
    let (child, folder) = program.start();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(10));
    let mut all = String::from_utf8(output.stdout).unwrap();
    all += &String::from_utf8(output.stderr).unwrap();
    all += &read(folder.path(), "r.json");
    all += &read(folder.path(), "j.xml");
    assert!(all.contains("you said Bearer ***"), "{all}");
    assert!(!all.contains("s3cret") && !all.contains("abcdef"), "{all}");
}

#[test]
fn a_signal_ends_it_within_a_second_with_its_report_written() {
    for name in signals() {
        let server = Server::raw(|_| std::thread::park());
        let (child, folder) = Program::new("wait-healthy")
            .args(["--within", "600s", "--timeout", "600s", "--report", "report.json"])
            .args(["--command", "sleep 600", &server.url("/")])
            .start();
        // It is up when it has asked for the first time: the port of a listener tells.
        while !is_waiting(&child) {
            std::thread::yield_now();
        }
        let sent = Instant::now();
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert!(sent.elapsed() < Duration::from_secs(1), "{:?}", sent.elapsed());
        assert_eq!(output.status.code(), Some(11));
        assert!(exists(&folder, "report.json"));
        let report: serde_json::Value =
            serde_json::from_str(&read(folder.path(), "report.json")).unwrap();
        assert_eq!(report["verdict"], "inconclusive");
        assert!(report["summary"].as_str().unwrap().contains("cancelled by SIG"), "{report}");
    }
}

/// Whether the signal handlers of a child are in place (proc(5): `SigCgt`).
fn is_waiting(child: &std::process::Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    caught & (1 << (2 - 1)) != 0 && caught & (1 << (15 - 1)) != 0
}

#[test]
fn help_and_version_are_there() {
    let version = Program::new("wait-healthy").args(["--version"]).run().expect_code(0);
    assert_eq!(version.stdout.trim(), format!("wait-healthy {}", env!("CARGO_PKG_VERSION")));
    let help = Program::new("wait-healthy").args(["--help"]).run().expect_code(0);
    assert!(help.stdout.contains("Exit codes:") && help.stdout.contains("WAVEOFF_SOME_FLAG"));
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let server =
        Server::new(|_, number| (if number < 3 { 503 } else { 200 }, String::new(), String::new()));
    let script = "trap '' HUP; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_wait-healthy"), &server.url("/")]);
    let mut child = command.args(["--interval", "500ms"]).spawn().unwrap();
    while server.count() == 0 {
        std::thread::yield_now();
    }
    signal(&child, "-HUP");
    assert_eq!(child.wait().unwrap().code(), Some(0), "as under nohup");
}
