//! PostgreSQL's messages: what is complete stays what it is, whatever follows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::postgres::{Message, parse, row};

fuzz_target!(|bytes: &[u8]| {
    let (mut rest, mut columns) = (bytes, Vec::new());
    while let Ok(Some((message, length))) = parse(rest) {
        assert!((5..=rest.len()).contains(&length));
        assert_eq!(parse(&rest[..length - 1]), Ok(None), "it waits for the last byte");
        assert_eq!(parse(&rest[..length]), Ok(Some((message.clone(), length))));
        rest = &rest[length..];
        match message {
            Message::Columns(known) => columns = known,
            Message::Row(values) => {
                let count = values.len().min(columns.len());
                assert_eq!(row(&columns, values).len(), count);
            }
            Message::Error(refusal) => drop(refusal.words()),
            _ => {}
        }
    }
});
