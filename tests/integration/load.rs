//! The client that proves switches without loss, against servers that do what it must notice.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{closed_port, serve};

/// Cargo builds examples beside the programs.
pub(crate) fn program() -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_waveoff")).parent().unwrap();
    let file = programs.join("examples/load");
    assert!(file.exists(), "build it first: cargo build --example load");
    file
}

fn client(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["--version", "v1", "--version", "v2", "--body", "I am {version}"]);
    command.args(arguments).arg(format!("http://127.0.0.1:{port}/"));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What the client tells of so many requests over one connection at a time.
fn told(port: u16, requests: u32) -> Value {
    let requests = requests.to_string();
    let arguments = ["--connections", "1", "--requests", &requests, "--timeout", "0.3"];
    let output = client(port, &arguments).output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn answer(status: u16, version: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nX-Version: {version}\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn right() -> String {
    answer(200, "v1", "I am v1")
}

/// A server that does this with each request of a connection, by its number, until it says no.
fn server(react: impl Fn(&mut TcpStream, usize) -> bool + Send + Sync + 'static) -> u16 {
    serve("127.0.0.1:0", move |stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines();
        for number in 0.. {
            // Up to the empty line that ends the head.
            if !lines.by_ref().map_while(Result::ok).any(|line| line.is_empty()) {
                return;
            }
            if !react(&mut writer, number) {
                return;
            }
        }
    })
}

/// One that answers every request with this text.
fn always(text: String) -> u16 {
    server(move |stream, _| stream.write_all(text.as_bytes()).is_ok())
}

/// Only this kind of failure, for each request.
#[track_caller]
fn expect(told: &Value, kind: &str, count: u32) {
    let failures = told["failures"].as_object().unwrap();
    for (name, seen) in failures {
        let wanted = if name == kind { count } else { 0 };
        assert_eq!(seen, &json!(wanted), "{name}: {told}");
    }
    assert!(failures.contains_key(kind) || kind == "none", "{kind}");
}

#[test]
fn d12_what_is_right_is_counted_by_version() {
    let port = server(|stream, number| {
        let version = if number < 3 { "v1" } else { "v2" };
        let text = answer(200, version, &format!("I am {version}"));
        stream.write_all(text.as_bytes()).is_ok()
    });
    let told = told(port, 10);
    expect(&told, "none", 0);
    assert_eq!(
        (&told["requests"], &told["ok"], &told["closed_idle"]),
        (&json!(10), &json!(10), &json!(0))
    );
    assert_eq!(told["connections_opened"], 1);
    assert_eq!(
        (&told["versions"]["v1"]["count"], &told["versions"]["v2"]["count"]),
        (&json!(3), &json!(7))
    );
    let [first, last] = ["first_ms", "last_ms"].map(|key| told["versions"]["v2"][key].as_f64());
    assert!(first < last && told["versions"]["v1"]["last_ms"].as_f64() <= first, "{told}");
    let places = told["series"]["places"].as_array().unwrap();
    let sum: u64 =
        places.iter().flat_map(|p| p[1].as_array().unwrap()).filter_map(Value::as_u64).sum();
    assert_eq!(sum, 10);
}

#[test]
fn d12_wrong_answers_are_failures_of_their_kind() {
    let busy = told(always(answer(503, "v1", "I am v1")), 4);
    expect(&busy, "status", 4);
    assert_eq!(busy["statuses"], json!({ "503": 4 }));
    expect(&told(always(answer(200, "v3", "I am v3")), 4), "wrong", 4);
    expect(&told(always(answer(200, "v1", "I am v2")), 4), "wrong", 4);
    expect(&told(always(answer(200, "v1", "")), 4), "wrong", 4);
    expect(&told(always(right() + "more"), 4), "garbled", 4);
    expect(&told(always("HTTP/1.1 200 X\r\nX-Version: v1\r\n\r\n".into()), 4), "garbled", 4);
}

#[test]
fn d12_a_connection_that_is_cut_is_told_from_one_that_was_closed_idle() {
    for cut in [20, right().len() - 1] {
        let port = server(move |stream, _| {
            stream.write_all(&right().as_bytes()[..cut]).unwrap();
            false
        });
        expect(&told(port, 4), "cut", 4);
    }
    // Each connection answers once, and ends when it is asked again.
    let port = server(|stream, number| number == 0 && stream.write_all(right().as_bytes()).is_ok());
    let idle = told(port, 5);
    expect(&idle, "none", 0);
    assert_eq!(
        (&idle["ok"], &idle["closed_idle"], &idle["connections_opened"]),
        (&json!(5), &json!(4), &json!(5))
    );
    expect(&told(server(|_, _| false), 4), "unanswered", 4);
}

#[test]
fn d12_a_server_that_says_so_may_close() {
    let closing = right().replace("Content-Length", "Connection: close\r\nContent-Length");
    let port = server(move |stream, _| {
        stream.write_all(closing.as_bytes()).unwrap();
        false
    });
    let told = told(port, 4);
    expect(&told, "none", 0);
    assert_eq!((&told["closed_idle"], &told["connections_opened"]), (&json!(0), &json!(4)));
}

#[test]
fn d12_nobody_and_silence_are_failures() {
    expect(&told(closed_port(), 3), "refused", 3);
    expect(&told(server(|_, _| true), 2), "timed_out", 2);
    // Byte after byte, each in time: the whole takes twice as long as it may.
    let port = server(|stream, _| {
        let pause = Duration::from_millis(600) / right().len() as u32;
        right().bytes().all(|byte| {
            std::thread::sleep(pause);
            stream.write_all(&[byte]).is_ok()
        })
    });
    expect(&told(port, 1), "timed_out", 1);
}

#[test]
fn d12_phases_part_the_figures() {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = answered.clone();
    let port = server(move |stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        stream.write_all(right().as_bytes()).is_ok()
    });
    let arguments = ["--connections", "2", "--for", "60", "--rate", "500"];
    let mut client = client(port, &arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut marks = client.stdin.take().unwrap();
    for name in ["steady", "switch", "steady"] {
        writeln!(marks, "phase {name}").unwrap();
        // At 500 a second, 0.2 s of it.
        let (before, began) = (answered.load(Ordering::SeqCst), Instant::now());
        while answered.load(Ordering::SeqCst) < before + 100 {
            assert!(began.elapsed() < Duration::from_secs(30), "100 requests within 30 s");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    writeln!(marks, "stop").unwrap();
    let mut text = String::new();
    client.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(client.wait().unwrap().success());
    let told: Value = serde_json::from_str(&text).unwrap();
    expect(&told, "none", 0);
    let phases = told["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "steady", "switch", "steady"]);
    let count = |value: &Value| value["requests"].as_u64().unwrap();
    assert_eq!(phases.iter().map(count).sum::<u64>(), count(&told));
    assert!(phases[1..].iter().all(|phase| count(phase) > 0), "{told}");
    assert_eq!(count(&told["by_name"]["steady"]), count(&phases[1]) + count(&phases[3]));
    // 500 a second, and not as fast as they go.
    assert!(count(&told) < told["duration_ms"].as_f64().unwrap() as u64, "{told}");
}
