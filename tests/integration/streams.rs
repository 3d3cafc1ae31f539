//! WebSockets and event streams: against the sample service, and against servers that do not keep
//! to the rules.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::{ServerConnection, StreamOwned};

use crate::harness::{Program, Ran, read_request, serve};
use crate::init::Sample;
use crate::tls::{Authority, settings};

/// One try of a check.
pub(crate) fn once(check: &str) -> Ran {
    once_with(check, &[])
}

/// One try of a check that has files beside it.
pub(crate) fn once_with(check: &str, files: &[(&str, String)]) -> Ran {
    let text = format!("version: 1\nchecks:\n  - attempts: 1\n    timeout: 2s\n{check}");
    let program = Program::new("smoke-test").file("waveoff.yml", &text).args(["--json"]);
    files.iter().fold(program, |program, (name, text)| program.file(name, text)).run()
}

/// The reason that the only check gives.
pub(crate) fn reason(ran: &Ran) -> String {
    ran.report()["checks"][0]["reason"].as_str().unwrap().to_owned()
}

/// A WebSocket server that keeps to the rules of the handshake, and then sends these bytes and
/// waits for the client to leave.
fn says(bytes: &'static [u8]) -> u16 {
    serve("127.0.0.1:0", move |mut stream| {
        if accept(&mut stream, "") {
            let _ = stream.write_all(bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    })
}

/// Agrees to what a client asks for.
pub(crate) fn accept(stream: &mut TcpStream, more: &str) -> bool {
    let Some(request) = read_request(stream) else { return false };
    let head = agreement(request.header("sec-websocket-key").unwrap(), more);
    stream.write_all(head.as_bytes()).is_ok()
}

/// Answers the client's first ping: it was masked, and its payload comes back as it was.
pub(crate) fn pong(stream: &mut (impl Read + Write)) -> std::io::Result<()> {
    let mut ping = [0; 14];
    stream.read_exact(&mut ping)?;
    let payload: Vec<u8> = (0..8).map(|i| ping[6 + i] ^ ping[2 + i % 4]).collect();
    stream.write_all(&[&b"\x8a\x08"[..], &payload[..]].concat())
}

/// What a server answers to this key.
pub(crate) fn agreement(key: &str, more: &str) -> String {
    let key = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

#[test]
fn p7_a_websocket_answers_a_ping_and_a_message() {
    let sample = Sample::start();
    let url = format!("{}/echo", sample.base.replace("http", "ws"));
    let ran = once(&format!("    websocket: {url}\n")).expect_code(0);
    assert_eq!(ran.report()["checks"][0]["kind"], "websocket");
    let long = "x".repeat(300);
    let check = format!(
        "    websocket: {{ url: '{url}', send: '{{\"status\": \"ok\", \"more\": \"{long}\"}}' }}\n    \
         expect:\n      - jsonpath: {{ path: $.message.status, equals: ok }}\n      \
         - jsonpath: {{ path: $.close_code, equals: 1000 }}\n      \
         - jsonpath: {{ path: $.pong_ms, lt: 2000 }}\n      - body: {{ contains: {long} }}\n"
    );
    once(&check).expect_code(0);
    let other = check.replace("equals: ok", "equals: bad");
    assert!(reason(&once(&other).expect_code(10)).contains("$.message.status"), "{other}");
    let ran = once(&format!("    websocket: {}\n", url.replace("echo", "health"))).expect_code(10);
    assert!(reason(&ran).contains("status 200, wanted 101"), "{ran:?}");
    let ran = once(&format!("    websocket: {{ url: '{url}', subprotocol: chat }}\n"));
    assert!(reason(&ran.expect_code(10)).contains("did not agree to the subprotocol chat"));
}

#[test]
fn p7_the_handshake_has_headers_credentials_and_a_subprotocol() {
    let port = serve("127.0.0.1:0", |mut stream| {
        let mut peeked = [0; 2048];
        let count = stream.peek(&mut peeked).unwrap();
        let head = String::from_utf8_lossy(&peeked[..count]).into_owned();
        let wanted =
            ["GET /feed?x=1 HTTP/1.1\r\n", "\r\nAuthorization: Bearer t0ken\r\n", "\r\nX-A: b\r\n"];
        if wanted.iter().all(|part| head.contains(part)) {
            accept(&mut stream, "Sec-WebSocket-Protocol: graphql-ws\r\n");
            // The pong stands between the pieces of the message.
            let _ = stream.write_all(b"\x01\x02{\"");
            let _ = pong(&mut stream).and_then(|()| stream.write_all(b"\x80\x05a\":1}"));
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    let check = format!(
        "    websocket: {{ url: 'ws://localhost:{port}/feed?x=1', subprotocol: graphql-ws, send: hi }}\n    \
         headers: {{ X-A: b }}\n    auth: {{ bearer: t0ken }}\n    expect:\n      \
         - jsonpath: {{ path: $.message.a, equals: 1 }}\n      \
         - jsonpath: {{ path: $.subprotocol, equals: graphql-ws }}\n"
    );
    once(&check).expect_code(0);
}

#[test]
fn p7_a_greeting_is_no_answer_and_what_is_waited_for_may_come_later() {
    // It greets, answers the ping, and only then what it is told.
    let talk = |answers: &'static [u8]| {
        serve("127.0.0.1:0", move |mut stream| {
            if accept(&mut stream, "") {
                let greeted = stream.write_all(b"\x81\x07welcome");
                let mut head = [0; 6];
                let _ = greeted.and_then(|()| pong(&mut stream));
                if stream.read_exact(&mut head).is_ok() && head[0] == 0x81 {
                    let _ = stream.write_all(answers);
                }
                let _ = stream.read_to_end(&mut Vec::new());
            }
        })
    };
    let check = |port: u16, more: &str, fact: &str| {
        once(&format!(
            "    websocket: {{ url: 'ws://localhost:{port}', send: hi{more} }}\n    expect:\n      \
             - jsonpath: {{ path: $.message, equals: {fact} }}\n      \
             - jsonpath: {{ path: $.greeting, equals: welcome }}\n"
        ))
    };
    check(talk(b"\x81\x02ok"), "", "ok").expect_code(0);
    let later = talk(b"\x81\x04news\x81\x05is ok");
    check(later, ", until: ok", "is ok").expect_code(0);
    check(later, "", "news").expect_code(0);
    let silent = check(talk(b""), "", "welcome").expect_code(10);
    assert!(reason(&silent).contains("no answer with a message"), "{silent:?}");
    let empty = check(later, ", until: ''", "x").expect_code(2);
    assert!(empty.stderr.contains("until is empty"), "{empty:?}");
}

#[test]
fn p7_a_websocket_is_asked_by_tls() {
    let authority = Authority::new();
    let config = settings(&authority, "localhost", None, None);
    let port = serve("127.0.0.1:0", move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        // A client that does not trust us has left.
        let Some(key) = key else { return };
        let _ = stream.write_all(agreement(key, "").as_bytes());
        let _ = pong(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let check = format!("    websocket: wss://localhost:{port}/\n");
    let ran = once_with(&format!("{check}    ca: ca.pem\n"), &[("ca.pem", authority.pem())]);
    ran.expect_code(0);
    assert!(reason(&once(&check).expect_code(10)).contains("TLS: "));
}

#[test]
fn p8_what_no_websocket_server_may_send_is_never_healthy() {
    for (bytes, why) in [
        (&b"\x8a\x08notours!"[..], "no answer with a pong: timed out"),
        (b"\x8a\x88\0\0\0\0notours!", "must not mask"),
        (b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00", "longer than 65536 bytes"),
        (b"\x88\x07\x03\xf5later", "closed before a pong came: 1013 later"),
        (b"GET me out of here", "not a WebSocket frame"),
    ] {
        let ran = once(&format!("    websocket: ws://127.0.0.1:{}/\n", says(bytes)));
        assert!(reason(&ran).contains(why), "{why}: {ran:?}");
        ran.expect_code(10);
    }
    let silent = serve("127.0.0.1:0", |mut stream| {
        accept(&mut stream, "");
        let _ = pong(&mut stream).and_then(|()| stream.write_all(b"\x88\x02\x03\xe8"));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let ran = once(&format!("    websocket: {{ url: 'ws://127.0.0.1:{silent}', send: hi }}\n"));
    assert!(reason(&ran.expect_code(10)).contains("closed before a message came: 1000"));
    let closed = serve("127.0.0.1:0", |mut stream| {
        accept(&mut stream, "");
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let endless = serve("127.0.0.1:0", |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 101 x\r\n");
        while stream.write_all(&[b'x'; 1000]).is_ok() {}
    });
    for (port, why) in [(closed, "before a pong came"), (endless, "headers have more than")] {
        let ran = once(&format!("    websocket: ws://127.0.0.1:{port}/\n")).expect_code(10);
        assert!(reason(&ran).contains(why), "{why}: {ran:?}");
    }
}

#[test]
fn p8_a_websocket_that_nobody_can_mean_is_refused() {
    for (check, why) in [
        ("    websocket: https://a.test/\n", "is neither ws:// nor wss://"),
        ("    websocket: ws://me:secret@a.test/\n", "use `auth` instead"),
        (
            "    websocket: { url: 'ws://a.test/', subprotocol: 'a, b' }\n",
            "not the name of a subprotocol",
        ),
        ("    websocket: { send: x }\n", "url"),
        ("    websocket: ws://a.test/\n    headers: { Upgrade: x }\n", "belongs to the handshake"),
        ("    websocket: ws://a.test/\n    max-body: 0\n", "max-body is 0"),
        ("    websocket: ws://a.test/\n    method: GET\n", "does not belong to a websocket check"),
    ] {
        let ran = once(check).expect_code(2);
        assert!(ran.stderr.contains(why) && !ran.stderr.contains("secret"), "{why}: {ran:?}");
    }
}

/// An event stream of these bytes, which stays open.
fn streams(head: &'static str, body: &'static str) -> u16 {
    serve("127.0.0.1:0", move |mut stream| {
        if read_request(&mut stream).is_some() {
            let _ = stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n{body}").as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    })
}

#[test]
fn p7_an_event_stream_tells_its_first_event_while_it_goes_on() {
    let sample = Sample::start();
    let url = format!("{}/events", sample.base);
    let ran = once(&format!("    sse: {url}\n")).expect_code(0);
    assert_eq!(ran.report()["checks"][0]["kind"], "sse");
    let check = format!(
        "    sse: {url}\n    expect:\n      - jsonpath: {{ path: $.event, equals: version }}\n      \
         - jsonpath: {{ path: $.data.version, exists: true }}\n      \
         - jsonpath: {{ path: $.retry, equals: 1000 }}\n      - body: {{ contains: version }}\n"
    );
    once(&check).expect_code(0);
    once(&check.replace("equals: 1000", "equals: 1")).expect_code(10);
    let tick = format!(
        "    sse: {{ url: '{url}', event: tick }}\n    expect:\n      \
         - jsonpath: {{ path: $.id, equals: '2' }}\n"
    );
    once(&tick).expect_code(0);
    let ran = once(&tick.replace("tick", "tock")).expect_code(10);
    assert!(reason(&ran).contains("no event `tock` came"), "{ran:?}");
    let ran = once(&format!("    sse: {}/health\n", sample.base)).expect_code(10);
    assert!(reason(&ran).contains("wanted text/event-stream"), "{ran:?}");
    let ran = once(&format!("    sse: {}/nowhere\n", sample.base)).expect_code(10);
    assert!(reason(&ran).contains("status 404, wanted 200"), "{ran:?}");
}

#[test]
fn p8_a_stream_without_a_whole_event_is_never_healthy() {
    const OPEN: &str = "200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8";
    let huge: &'static str = Box::leak(format!("data: {}", "x".repeat(70_000)).into_boxed_str());
    for (body, why) in [
        ("data: half\n", "no event came: timed out"),
        (": a comment\n\nevent: empty\n\n", "no event came: timed out"),
        (huge, "longer than 65536 bytes"),
    ] {
        let ran = once(&format!("    sse: http://127.0.0.1:{}/\n", streams(OPEN, body)));
        assert!(reason(&ran).contains(why), "{why}: {ran:?}");
        ran.expect_code(10);
    }
    let ended = serve("127.0.0.1:0", |mut stream| {
        if read_request(&mut stream).is_some() {
            let _ = stream.write_all(format!("HTTP/1.1 {OPEN}\r\n\r\ndata: 1\n").as_bytes());
        }
    });
    let ran = once(&format!("    sse: http://127.0.0.1:{ended}/\n")).expect_code(10);
    assert!(reason(&ran).contains("the stream has ended"), "{ran:?}");
    let port = streams(OPEN, "\u{feff}data: 1\r\r");
    once(&format!("    sse: http://127.0.0.1:{port}/\n")).expect_code(0);
    let port = streams("302 Found\r\nContent-Length: 0\r\nLocation: /", "");
    let ran = once(&format!("    sse: http://127.0.0.1:{port}/\n")).expect_code(10);
    assert!(reason(&ran).contains("status 302, wanted 200"), "{ran:?}");
}
