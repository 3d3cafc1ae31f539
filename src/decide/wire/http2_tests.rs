use proptest::prelude::*;

use super::*;

/// A server's frame.
fn served(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&mut bytes, kind, flags, stream, payload);
    bytes
}

fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    headers.iter().for_each(|(name, value)| hpack::write(&mut block, name, value));
    block
}

/// Settings, headers, data and trailers, as most servers send them.
fn usual() -> Vec<u8> {
    [
        served(kind::SETTINGS, 0, 0, &[]),
        served(kind::SETTINGS, ACK, 0, &[]),
        served(kind::PING, 0, 0, b"pingping"),
        served(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]),
        served(kind::HEADERS, END_HEADERS, 1, &block(&[(":status", "200")])),
        served(kind::DATA, 0, 1, b"he"),
        served(kind::DATA, PADDED, 1, b"\x03llo\0\0\0"),
        served(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("grpc-status", "0")])),
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Result<(Exchange, Vec<u8>), String> {
    let mut exchange = Exchange::default();
    let back = exchange.push(bytes)?;
    Ok((exchange, back))
}

#[test]
fn p7_an_answer_is_put_together_and_pings_are_answered() {
    let (exchange, back) = read(&usual()).unwrap();
    let answer = exchange.answer().unwrap();
    assert_eq!(
        (answer.data.as_slice(), answer.last_word("grpc-status")),
        (&b"hello"[..], Some("0"))
    );
    assert_eq!(answer.value(":status"), Some("200"));
    let wanted = [served(kind::SETTINGS, ACK, 0, &[]), served(kind::PING, ACK, 0, b"pingping")];
    assert_eq!(back, wanted.concat());
}

#[test]
fn p7_headers_come_in_pieces_with_priority_and_padding() {
    let all = block(&[(":status", "200"), ("grpc-status", "5")]);
    let (one, two) = all.split_at(4);
    let first = [&[2, 0, 0, 0, 0, 9][..], one, &[0, 0]].concat();
    let bytes = [
        served(kind::SETTINGS, 0, 0, &[]),
        served(kind::HEADERS, END_HEADERS, 1, &block(&[(":status", "103")])),
        served(77, 0, 9, b"nobody knows"),
        served(kind::HEADERS, END_STREAM | PADDED | PRIORITY, 1, &first),
        served(kind::CONTINUATION, 0, 1, &two[..1]),
        served(kind::CONTINUATION, END_HEADERS, 1, &two[1..]),
    ];
    let (exchange, _) = read(&bytes.concat()).unwrap();
    assert_eq!(exchange.answer().unwrap().last_word("grpc-status"), Some("5"));
}

#[test]
fn p8_what_a_server_must_not_send_is_refused() {
    let settings = served(kind::SETTINGS, 0, 0, &[]);
    let headers = served(kind::HEADERS, END_HEADERS, 1, &block(&[(":status", "200")]));
    let open = [settings.clone(), headers.clone()].concat();
    let data = served(kind::DATA, 0, 1, &[0; FRAME]);
    for (bytes, why) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "speaks HTTP/1"),
        (vec![0x15, 3, 3, 0, 2, 2, 70, 0, 0], "not HTTP/2"),
        (headers, "not HTTP/2"),
        (served(kind::SETTINGS, ACK, 0, &[]), "not HTTP/2"),
        ([settings.clone(), served(kind::SETTINGS, 0, 0, &[0; 5])].concat(), "settings"),
        ([settings.clone(), served(kind::PING, 0, 0, &[0; 7])].concat(), "a ping"),
        ([settings.clone(), served(kind::DATA, 0, 1, b"x")].concat(), "a body without headers"),
        ([settings.clone(), served(kind::PUSH_PROMISE, 4, 1, &[0; 8])].concat(), "a push"),
        (
            [settings.clone(), served(kind::RST_STREAM, 0, 1, &[0, 0, 0, 7])].concat(),
            "REFUSED_STREAM",
        ),
        ([settings.clone(), served(kind::GOAWAY, 0, 0, &[0; 8])].concat(), "ended the connection"),
        (
            [settings.clone(), served(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11])].concat(),
            "ENHANCE_YOUR_CALM",
        ),
        ([settings.clone(), served(kind::CONTINUATION, 4, 1, b"")].concat(), "in pieces"),
        (
            [settings.clone(), served(kind::HEADERS, 0, 1, b""), settings.clone()].concat(),
            "in pieces",
        ),
        ([settings.clone(), served(kind::HEADERS, PADDED, 1, b"\x02x")].concat(), "more padding"),
        ([settings.clone(), served(kind::HEADERS, 4, 3, b"")].concat(), "another request"),
        ([open.clone(), served(kind::HEADERS, 4, 1, &block(&[("a", "b")]))].concat(), "trailers"),
        ([open.clone(), data.repeat(4)].concat(), "more than 65535 bytes"),
        ([&settings[..], &[0, 0x40, 1, 0, 0, 0, 0, 0, 1]].concat(), "not HTTP/2"),
    ] {
        let found = read(&bytes).err().unwrap_or_default();
        assert!(found.contains(why), "{why}: {found}");
    }
    let pieces = served(kind::CONTINUATION, 0, 1, &[0; FRAME]).repeat(5);
    let endless = [settings.clone(), served(kind::HEADERS, 0, 1, b""), pieces].concat();
    assert!(read(&endless).err().unwrap().contains("headers have more than"));
    assert!(read(&settings.repeat(ALL / 9 + 1)).err().unwrap().contains("more than 524288 bytes"));
    let late = [settings, served(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])].concat();
    assert!(!read(&late).unwrap().0.is_over(), "it may still answer");
}

#[test]
fn p7_a_request_is_one_of_the_specification() {
    let bytes = request(&[(":method".into(), "POST".into())], b"hi").unwrap();
    let wanted = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x02\0\0\0\0\
        \0\0\x0e\x01\x04\0\0\0\x01\x10\x07:method\x04POST\0\0\x02\0\x01\0\0\0\x01hi";
    assert_eq!(bytes, wanted);
    assert!(request(&[("a".into(), "x".repeat(FRAME))], b"").is_err());
}

proptest! {
    #[test]
    fn p8_no_bytes_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        frames in proptest::collection::vec(
            (0_u8..12, any::<u8>(), 0_u32..3, proptest::collection::vec(any::<u8>(), 0..30)), 0..8),
    ) {
        let _ = read(&bytes);
        let mut all = served(kind::SETTINGS, 0, 0, &[]);
        all.extend(frames.iter().flat_map(|(kind, flags, stream, p)| served(*kind, *flags, *stream, p)));
        let _ = read(&all);
    }

    #[test]
    fn p7_pieces_give_what_the_whole_gives(pieces in proptest::collection::vec(1_usize..20, 1..20)) {
        let all = usual();
        let (mut exchange, mut rest) = (Exchange::default(), &all[..]);
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            exchange.push(now).unwrap();
            rest = later;
        }
        prop_assert_eq!(exchange.answer(), read(&all).unwrap().0.answer());
    }
}
