//! Certificates, names and lines, as checks look at them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};

use crate::harness::{Program, Ran, serve};
use crate::services::{check, says};
use crate::tls::{Authority, certified};

fn handshake(authority: &Authority, port: u16, more: &str) -> Ran {
    let text = format!(
        "version: 1\nchecks:\n  - tls: {{ address: 'localhost:{port}'{more} }}\n    ca: ca.pem\n    attempts: 1\n    timeout: 5s\n"
    );
    let program = Program::new("smoke-test").file("waveoff.yml", &text);
    program.file("ca.pem", &authority.certificate.pem()).run()
}

#[test]
fn p8_a_certificate_is_looked_at_before_it_expires() {
    let authority = Authority::new();
    let in_days = |from: i64, days: i64| {
        let port = certified(&authority, "localhost", None, Some((from, days)));
        move |more: &str| (port, more.to_owned())
    };
    let run = |place: (u16, String)| handshake(&authority, place.0, &place.1);
    let long = in_days(-1, 60);
    run(long("")).expect_code(0);
    run(long(", days: 90")).expect_code(10);
    let soon = in_days(-1, 10);
    let ran = run(soon("")).expect_code(10);
    assert!(ran.stdout.contains("days_left"), "{ran:?}");
    run(soon(", days: 5")).expect_code(0);
    let ran = run(in_days(-20, -3)("")).expect_code(10);
    assert!(ran.stdout.contains("expired on 2"), "{ran:?}");
    let ran = run(in_days(3, 60)("")).expect_code(10);
    assert!(ran.stdout.contains("is valid only from 2"), "{ran:?}");
    let ran = run(long(", name: other.test")).expect_code(10);
    assert!(ran.stdout.contains("the certificate for localhost"), "{ran:?}");
    let ran = handshake(&Authority::new(), long("").0, "").expect_code(10);
    assert!(ran.stdout.contains("is valid until 2"), "{ran:?}");
    // Whoever is not verified is looked at all the same.
    let (port, _) = in_days(-20, -3)("");
    let ran = check(&format!("tls: localhost:{port}\n    insecure: true")).expect_code(10);
    assert!(ran.stdout.contains("days_left") && ran.stdout.contains("-3"), "{ran:?}");
    let ran = check(&format!("tls: 127.0.0.1:{}", says("220 no\r\n"))).expect_code(10);
    assert!(ran.stdout.contains("TLS: "), "{ran:?}");
}

#[test]
fn p8_what_is_said_on_a_connection_is_compared() {
    let banner = serve("127.0.0.1:0", |mut stream| {
        let _ = stream.write_all(b"220 mail.test ESMTP\r\n");
        let mut bytes = [0; 64];
        // Until he goes.
        while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
    });
    let expect = |word: &str| format!("\n    expect: [{{ body: {{ starts-with: '{word}' }} }}]");
    check(&format!("tcp: localhost:{banner}{}", expect("220 "))).expect_code(0);
    check(&format!("tcp: localhost:{banner}{}", expect("250 "))).expect_code(10);
    let pong = says("one\r\n+PONG\r\nmore");
    let until = |text: &str| {
        format!("tcp: localhost:{pong}\n    send: \"PING\\r\\n\"\n    read-until: '{text}'")
    };
    check(&format!("{}{}", until("PONG"), expect("one"))).expect_code(0);
    let ran = check(&until("never")).expect_code(10);
    assert!(ran.stdout.contains("timed out"), "{ran:?}");
    let silent = serve("127.0.0.1:0", drop);
    let ran = check(&format!("tcp: 127.0.0.1:{silent}{}", expect("x"))).expect_code(10);
    assert!(ran.stdout.contains("closed") || ran.stdout.contains("reset"), "{ran:?}");
}

/// A name server on both protocols: over UDP it says that everything is too long, for `cut.test`.
fn name_server() -> u16 {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        // Both have to be the same port, which somebody may have.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            break (tcp, udp);
        }
    };
    let port = tcp.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((count, peer)) = udp.recv_from(&mut bytes) {
            let question = &bytes[..count];
            let forged = [&[question[0] ^ 1], &question[1..]].concat();
            let _ = udp.send_to(&answer(&forged, 0x81), peer);
            let cut = question.windows(3).any(|part| part == b"cut");
            let _ = udp.send_to(&answer(question, if cut { 0x83 } else { 0x81 }), peer);
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            let mut bytes = [0; 512];
            let count = stream.read(&mut bytes).unwrap_or_default();
            let answer = answer(&bytes[2..count], 0x81);
            let _ = stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat());
        }
    });
    port
}

/// One record, 192.0.2.7, of every name but those with an `x` at the beginning.
fn answer(question: &[u8], flags: u8) -> Vec<u8> {
    let is_there = question.get(13) != Some(&b'x');
    let code = if is_there { 0x80 } else { 0x83 };
    let head = [&question[..2], &[flags, code, 0, 1, 0, u8::from(is_there), 0, 0, 0, 0]].concat();
    let record = [192, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7];
    let records = if is_there { &record[..] } else { &[] };
    [&head, &question[12..], records].concat()
}

#[test]
fn p8_a_name_has_the_records_that_it_should() {
    let port = name_server();
    let ask = |name: &str, kind: &str, wanted: &str| {
        let expect = format!("expect: [{{ jsonpath: {{ path: $.records, contains: {wanted} }} }}]");
        check(&format!(
            "dns: {{ name: {name}, type: {kind}, server: '127.0.0.1:{port}' }}\n    {expect}"
        ))
    };
    ask("shop.test", "A", "192.0.2.7").expect_code(0);
    ask("cut.test", "A", "192.0.2.7").expect_code(0);
    ask("shop.test", "A", "192.0.2.8").expect_code(10);
    let ran = ask("x.test", "A", "192.0.2.7").expect_code(10);
    assert!(ran.stdout.contains("NXDOMAIN"), "{ran:?}");
    let ran = ask("shop.test", "TXT", "192.0.2.7").expect_code(10);
    assert!(ran.stdout.contains("has no TXT record"), "{ran:?}");
    check("dns: localhost").expect_code(0);
    let ran = check("dns: nobody.invalid").expect_code(10);
    assert!(ran.stdout.contains("does not resolve"), "{ran:?}");
    for (wrong, why) in [
        ("dns: 'a b'", "is no domain name"),
        ("dns: { name: a.test, type: A, server: ns.test }", "is no server"),
        ("dns: { name: a.test, server: 192.0.2.1 }", "needs a type"),
        ("dns: { name: a.test, type: PTR }", "PTR"),
    ] {
        let ran = check(wrong).expect_code(2);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
}
