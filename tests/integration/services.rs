//! Databases and caches, and what speaks in lines: real ones, and ones that say what they should not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Program, Ran, closed_port, serve};
use crate::parts::{skip, tools};

/// A program that is ended with the test.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of the unpacked packages, with the libraries that came with it.
pub(crate) fn unpacked(program: &Path, arguments: &[&str]) -> Command {
    let libraries = std::fs::read_dir(tools().join("unpacked/usr/lib")).unwrap();
    let libraries: Vec<_> = libraries.map(|entry| entry.unwrap().path()).collect();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub(crate) fn start(mut command: Command) -> Running {
    Running(command.spawn().unwrap())
}

/// Checks once what is written behind `- `.
pub(crate) fn check(check: &str) -> Ran {
    let text = format!("version: 1\nchecks:\n  - attempts: 1\n    timeout: 5s\n    {check}\n");
    Program::new("smoke-test").file("waveoff.yml", &text).run()
}

/// Waits until it passes.
pub(crate) fn wait(check: &str) -> Ran {
    let text = format!("version: 1\nchecks:\n  - within: 60s\n    {check}\n");
    Program::new("wait-healthy").file("waveoff.yml", &text).run()
}

/// Says this to whoever comes, once it was asked, and waits until he goes.
pub(crate) fn says(text: impl AsRef<[u8]> + Send + Sync + 'static) -> u16 {
    serve("127.0.0.1:0", move |mut stream: TcpStream| {
        let mut asked = [0; 4096];
        if stream.read(&mut asked).is_ok_and(|count| count > 0) {
            let _ = stream.write_all(text.as_ref());
            while stream.read(&mut asked).is_ok_and(|count| count > 0) {}
        }
    })
}

/// A Redis of the test, with these options.
pub(crate) fn redis(options: &[&str]) -> Option<(u16, Running)> {
    let port = closed_port();
    Some((port, redis_at(port, options)?))
}

/// On this port; none where it is not installed.
pub(crate) fn redis_at(port: u16, options: &[&str]) -> Option<Running> {
    let program = tools().join("unpacked/usr/bin/redis-server");
    if !program.exists() {
        skip("redis", "not installed");
        return None;
    }
    let mut command = unpacked(&program, &["--port", &port.to_string(), "--save", ""]);
    command.args(options).current_dir(std::env::temp_dir());
    Some(start(command))
}

#[test]
fn p8_a_real_redis_is_ready_and_tells_its_figures() {
    let options = ["--requirepass", "hunter2-x", "--maxmemory", "100mb"];
    let Some((port, _redis)) = redis(&options) else { return };
    let with = |more: &str| format!("redis: {{ address: 'localhost:{port}', {more} }}");
    let expect = "\n    expect:\n      - jsonpath: { path: $.memory_share, lt: 0.8 }\n      - jsonpath: { path: $.role, equals: master }\n      - jsonpath: { path: $.loading, equals: 0 }";
    wait(&format!("{}{expect}", with("password: hunter2-x, info: true"))).expect_code(0);
    check(&with("user: default, password: hunter2-x")).expect_code(0);
    let nobody = check(&format!("redis: localhost:{port}")).expect_code(10);
    assert!(nobody.stdout.contains("NOAUTH") && nobody.stdout.contains("`password`"), "{nobody:?}");
    let wrong = check(&with("password: other-word")).expect_code(10);
    assert!(wrong.stdout.contains("WRONGPASS"), "{wrong:?}");
    assert!(!wrong.stdout.contains("other-word"), "{wrong:?}");
    // No lookup has happened: the rate is not there, and what is not there is below nothing.
    let rate = "\n    expect: [{ jsonpath: { path: $.hit_rate, gte: 0 } }]";
    check(&format!("{}{rate}", with("password: hunter2-x, info: true"))).expect_code(10);
}

#[test]
fn p8_what_is_no_ready_redis_does_not_pass() {
    for (says_so, told) in [
        ("-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis'"),
        ("+OK\r\n", "answers PING with"),
        ("+PO", "timed out"),
    ] {
        let ran = check(&format!("redis: 127.0.0.1:{}", says(says_so))).expect_code(10);
        assert!(ran.stdout.contains(told), "{told}: {ran:?}");
    }
    // A server without the command tells what was given to it.
    let old = says("-ERR unknown command `AUTH`, with args beginning with: `hunter2`\r\n");
    let ran = check(&format!("redis: {{ address: '127.0.0.1:{old}', password: hunter2 }}"));
    let ran = ran.expect_code(10);
    assert!(ran.stdout.contains("unknown command") && !ran.stdout.contains("hunter2"), "{ran:?}");
    for (wrong, why) in [
        ("redis: localhost", "is not host:port"),
        ("redis: { address: 'a:1', user: me }", "user needs a password"),
        ("redis: { address: 'a:1', password: '' }", "a secret is empty"),
        ("redis: a:1\n    insecure: true", "need `tls: true`"),
        ("redis: { port: 1 }", "the key `port` is not known"),
    ] {
        let ran = check(wrong).expect_code(2);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
}

/// A peer that sends a byte now and then does not prolong its time.
#[test]
fn p8_a_slow_answer_ends_with_its_limit() {
    let port = serve("127.0.0.1:0", |mut stream| {
        let (mut byte, began) = ([0; 1], Instant::now());
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        while began.elapsed() < Duration::from_secs(30) && stream.write_all(b"+").is_ok() {
            // Nobody writes: this is the pause.
            let _ = stream.read(&mut byte);
        }
    });
    let began = Instant::now();
    check(&format!("redis: 127.0.0.1:{port}")).expect_code(10);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
