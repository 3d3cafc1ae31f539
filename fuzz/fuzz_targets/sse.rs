//! An event stream: in whatever pieces it comes, it says the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::wire::events::{Event, Parser};
use waveoff_fuzz::pieces;

const MOST: usize = 1 << 10;

fn read<'a>(all: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Event>, String> {
    let mut parser = Parser::new(MOST);
    let mut events = Vec::new();
    for piece in all {
        events.extend(parser.push(piece)?);
    }
    Ok(events)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = read(std::iter::once(bytes));
    assert_eq!(whole, read(pieces(bytes, 1)), "byte by byte");
    assert_eq!(whole, read(pieces(bytes, size)), "in pieces of {size}");
    for event in whole.into_iter().flatten() {
        assert!(!event.name.is_empty() && !event.id.contains('\0'));
        // A byte that is no text becomes a character of three.
        assert!(event.data.len() <= 3 * MOST && event.id.len() <= 3 * MOST);
        assert!(!event.name.contains(['\r', '\n']) && !event.data.contains('\r'));
    }
});
