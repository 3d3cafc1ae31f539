use proptest::prelude::*;

use super::*;

/// A server's frame: not masked.
fn served(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(0, payload, [0; 4]);
    frame[0] = first;
    frame[1] &= 0x7f;
    let mask = frame.len() - payload.len() - 4;
    frame.drain(mask..mask + 4);
    frame
}

/// All events of these bytes, given at once.
fn events(bytes: &[u8]) -> Result<Vec<Event>, String> {
    let mut reader = Reader::new(70_000);
    reader.push(bytes);
    let mut events = Vec::new();
    while let Some(event) = reader.event()? {
        events.push(event);
    }
    Ok(events)
}

#[test]
fn p7_the_examples_of_the_specification_are_read() {
    // RFC 6455 §5.7.
    let hello = || Event::Message(b"Hello".to_vec());
    assert_eq!(events(b"\x81\x05Hello").unwrap(), [hello()]);
    assert_eq!(events(b"\x01\x03Hel\x80\x02lo").unwrap(), [hello()]);
    assert_eq!(events(b"\x89\x05Hello").unwrap(), [Event::Ping(b"Hello".to_vec())]);
    for length in [0, 125, 126, 256, 65_535, 65_536] {
        let payload = vec![7; length];
        assert_eq!(events(&served(0x82, &payload)).unwrap(), [Event::Message(payload)]);
    }
    let masked = frame(opcode::TEXT, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(masked, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

#[test]
fn p7_control_frames_stand_between_the_pieces_of_a_message() {
    let all = [served(0x01, "gr\u{fc}".as_bytes()), served(0x8a, b"x"), served(0x80, b"n")];
    let wanted = [Event::Pong(b"x".to_vec()), Event::Message("gr\u{fc}n".into())];
    assert_eq!(events(&all.concat()).unwrap(), wanted);
    // A character may be split, too.
    assert!(events(&[served(0x01, b"\xc3"), served(0x80, b"\xbc")].concat()).is_ok());
    assert_eq!(events(&served(0x88, b"")).unwrap(), [Event::Close(None, String::new())]);
    let end = served(0x88, b"\x03\xf5later");
    assert_eq!(events(&end).unwrap(), [Event::Close(Some(1013), "later".into())]);
}

#[test]
fn p7_what_a_server_must_not_send_is_refused() {
    for (bytes, why) in [
        (&b"\x81\x85\0\0\0\0Hello"[..], "must not mask"),
        (b"\xc1\x05", "reserved bit"),
        (b"\x83\x00", "opcode"),
        (b"\x8b\x00", "opcode"),
        (b"\x09\x00", "control frame"),
        (b"\x89\x7e\x00\x7e", "control frame"),
        (b"\x81\x7e\x00\x05", "longer than needed"),
        (b"\x81\x7f\0\0\0\0\0\0\xff\xff", "longer than needed"),
        (b"\x82\x7f\0\0\0\0\0\x01\x11\x71", "longer than 70000 bytes"),
        (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "longer than 70000 bytes"),
        (b"\x80\x00", "more of no message"),
        (b"\x01\x00\x81\x00", "within another one"),
        (b"\x81\x01\xff", "not UTF-8"),
        (b"\x88\x01\x03", "half a code"),
        (b"\x88\x02\x03\xed", "1005"),
        (b"\x88\x03\x03\xe8\xff", "not UTF-8"),
    ] {
        let found = events(bytes).unwrap_err();
        assert!(found.contains(why), "{bytes:?}: {found}");
    }
    let pieces = [served(0x02, &[0; 60_000]), served(0x00, &[0; 10_001])].concat();
    assert!(events(&pieces).unwrap_err().contains("longer than 70000 bytes"));
}

#[test]
fn p7_a_handshake_is_agreed_to_or_not() {
    // RFC 6455 §1.3.
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let head = |first: &str, more: &str| {
        format!(
            "{first}\r\nUPGRADE: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        )
    };
    let good = head("HTTP/1.1 101 Switching Protocols", "");
    assert_eq!(agreed(&good, accept, None), Ok(None));
    assert!(agreed(&good, accept, Some("chat")).unwrap_err().contains("subprotocol chat"));
    let chat = head("HTTP/1.1 101 x", "Sec-WebSocket-Protocol: chat\r\n");
    assert_eq!(agreed(&chat, accept, Some("chat")), Ok(Some("chat".into())));
    for (head, why) in [
        (chat, "subprotocol"),
        (head("HTTP/1.1 403 Forbidden", ""), "status 403, wanted 101"),
        (head("HTTP/1.0 101 x", ""), "not HTTP/1.1"),
        (head("", ""), "not HTTP/1.1"),
        (head("HTTP/1.1 101 x", "Sec-WebSocket-Extensions: x\r\n"), "extension"),
        (good.replace("s3p", "S3p"), "our key"),
        (good.replace("UPGRADE", "Down"), "not for a WebSocket"),
    ] {
        let found = agreed(&head, accept, None).unwrap_err();
        assert!(found.contains(why), "{found}");
    }
}

proptest! {
    #[test]
    fn p7_no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = events(&bytes);
        let _ = agreed(&String::from_utf8_lossy(&bytes), "x", Some("y"));
    }

    #[test]
    fn p7_pieces_give_what_the_whole_gives(
        payloads in proptest::collection::vec("[a-z\u{e0}-\u{ff}]{0,200}", 1..4),
        pieces in proptest::collection::vec(1_usize..20, 1..20),
    ) {
        let bytes: Vec<u8> = payloads.iter().flat_map(|p| served(0x81, p.as_bytes())).collect();
        let (mut reader, mut found, mut rest) = (Reader::new(1000), Vec::new(), &bytes[..]);
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            reader.push(now);
            while let Some(event) = reader.event().unwrap() {
                found.push(event);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, events(&bytes).unwrap());
    }
}
