//! The answer to a gRPC call: in whatever pieces it comes, it says the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::wire::grpc;
use waveoff_fuzz::decide::wire::http2::{Answer, Exchange};
use waveoff_fuzz::pieces;

/// The answer, if it is there, and what was sent back meanwhile.
fn read<'a>(all: impl Iterator<Item = &'a [u8]>) -> Result<(Option<Answer>, Vec<u8>), String> {
    let mut exchange = Exchange::default();
    let mut back = Vec::new();
    for piece in all {
        back.extend(exchange.push(piece)?);
    }
    assert!(back.len() <= 9 + 2 * 17 + (1 << 21), "more is sent back than came");
    Ok((exchange.answer(), back))
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = read(std::iter::once(bytes));
    assert_eq!(whole, read(pieces(bytes, 1)), "byte by byte");
    assert_eq!(whole, read(pieces(bytes, size)), "in pieces of {size}");
    let Ok((Some(answer), _)) = whole else { return };
    if let Ok(reply) = grpc::read(&answer, "shop") {
        let is_serving = reply.document["status"] == "SERVING";
        assert_eq!(is_serving, reply.not_ready.is_none(), "{reply:?}");
        assert_eq!(
            is_serving,
            reply.said == "SERVING" && answer.last_word("grpc-status") == Some("0")
        );
    }
});
