//! Redis' answers: what is complete stays what it is, whatever follows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::resp::{MOST, Said, parse, reply};

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    for end in 0..bytes.len().min(64) {
        match parse(&bytes[..end]) {
            // It waits for more.
            Ok(None) => {}
            Ok(complete) => {
                assert_eq!(Ok(complete), whole);
                break;
            }
            Err(_) => {
                assert!(whole.is_err());
                break;
            }
        }
    }
    let Ok(Some((said, length))) = whole else { return };
    assert!(length <= bytes.len() && length <= MOST + (16 << 10) + 4);
    let info = parse(&bytes[length..]).ok().flatten().map(|(info, _)| info);
    let is_pong = said == Said::Text("PONG".into());
    let is_refused = matches!(info, Some(Said::Error(_)));
    let reply = reply(said, info);
    assert_eq!(reply.not_ready.is_none(), is_pong && !is_refused);
    assert_eq!(reply.document["ready"], reply.not_ready.is_none());
});
