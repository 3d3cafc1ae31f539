//! What an answer of gRPC's health service means: only SERVING is ready. The first lines of an input
//! are its code and its message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::wire::grpc;
use waveoff_fuzz::decide::wire::http2::Answer;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let (code, message, data) = (next(), next(), next());
    let header =
        |name: &str, value: &[u8]| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
    let answer = Answer {
        headers: vec![header(":status", b"200"), header("content-type", b"application/grpc")],
        data: data.into(),
        trailers: vec![header("grpc-status", code), header("grpc-message", message)],
        is_bare: false,
    };
    if let Ok(reply) = grpc::read(&answer, "shop")
        && reply.not_ready.is_none()
    {
        assert_eq!(reply.document["status"], "SERVING");
        // A number that is 1, somewhere in the message.
        assert!(data.len() >= 7 && data[6..].contains(&1));
    }
});
