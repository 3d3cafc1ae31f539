//! Large answers take turns in memory, and none is lost for it.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use crate::harness::{Program, Server};

const MIB: usize = 1 << 20;

fn ends_with_the_end(length: &'static str) -> Server {
    Server::raw(move |mut stream| {
        let head = format!("HTTP/1.1 200 OK\r\n{length}Connection: close\r\n\r\n");
        let body = format!("{}the end", "x".repeat(MIB - 7));
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    })
}

#[test]
fn twenty_large_answers_are_all_read_to_their_end() {
    let servers =
        [ends_with_the_end("Content-Length: 1048576\r\n"), ends_with_the_end("X-No-Length: 1\r\n")];
    let urls = (0..20).map(|n| format!("--url={}", servers[n % 2].url(&format!("/{n}"))));
    let ran = Program::new("smoke-test")
        .args(["--attempts", "1", "--json", "--body-contains", "the end"])
        .args(urls)
        .run()
        .expect_code(0);
    assert_eq!(ran.report()["checks"].as_array().unwrap().len(), 20);
}

#[test]
fn who_never_finishes_a_large_answer_does_not_keep_others_from_theirs() {
    let stalls = Server::raw(|mut stream| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\nbegins";
        let _ = stream.write_all(head);
        thread::park_timeout(Duration::from_secs(10));
    });
    let answers = ends_with_the_end("Content-Length: 1048576\r\n");
    let ran = Program::new("smoke-test")
        .args(["--attempts", "1", "--timeout", "4s", "--json"])
        .args([stalls.url("/1"), stalls.url("/2"), stalls.url("/3"), answers.url("/")])
        .run()
        .expect_code(10);
    let report = ran.report();
    let verdicts: Vec<_> = (0..4).map(|n| report["checks"][n]["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("fail"), Some("fail"), Some("fail"), Some("pass")], "{report}");
    let latency = report["checks"][3]["latency_ms"].as_f64().unwrap();
    assert!(latency < 1500.0, "waiting for others is not the service's latency: {latency}");
}
