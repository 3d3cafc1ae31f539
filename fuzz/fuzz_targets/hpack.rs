//! Two blocks of headers, one after the other: bounded whatever they name, and what is written is
//! read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::wire::hpack::{Decoder, write};

/// No block of ours has more: each byte of 64 KiB may become a character of three.
const MOST: usize = 3 * (64 << 10);

fuzz_target!(|input: (u8, &[u8])| {
    let (at, bytes) = input;
    let (first, second) = bytes.split_at(usize::from(at).min(bytes.len()));
    let mut decoder = Decoder::default();
    for block in [first, second] {
        let Ok(headers) = decoder.block(block) else { break };
        let size: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        assert!(size <= MOST, "{size} bytes of headers");
        let mut written = Vec::new();
        headers.iter().for_each(|(name, value)| write(&mut written, name, value));
        assert_eq!(Decoder::default().block(&written).as_ref(), Ok(&headers));
    }
});
