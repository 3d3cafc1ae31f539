//! A server's frames: in whatever pieces they come, they say the same; and its handshake.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::wire::websocket::{Event, Reader, agreed, frame, opcode};
use waveoff_fuzz::pieces;

const MOST: usize = 1 << 10;

/// All events, and why there are no more.
fn read<'a>(all: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Option<String>) {
    let mut reader = Reader::new(MOST);
    let mut events = Vec::new();
    for piece in all {
        reader.push(piece);
        loop {
            match reader.event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(why) => return (events, Some(why)),
            }
        }
    }
    (events, None)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = read(std::iter::once(bytes));
    assert_eq!(whole, read(pieces(bytes, 1)), "byte by byte");
    assert_eq!(whole, read(pieces(bytes, size)), "in pieces of {size}");
    for event in &whole.0 {
        match event {
            Event::Message(payload) => assert!(payload.len() <= MOST),
            Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= 125),
            Event::Close(code, _) => assert!(code.is_none_or(|code| (1000..5000).contains(&code))),
        }
    }
    // What a client says is what a server reads without the mask.
    let said = frame(opcode::BINARY, bytes, [size; 4]);
    assert_eq!((said[0], said[1] & 0x80), (0x82, 0x80));
    let payload = &said[said.len() - bytes.len()..];
    assert!(payload.iter().zip(bytes).all(|(said, meant)| said ^ size == *meant));

    let head = String::from_utf8_lossy(bytes);
    if agreed(&head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", None).is_ok() {
        assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
});
