//! Certificates: whatever they say, days and words can be told.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::certificate::{Certificate, reply};

fuzz_target!(|der: &[u8]| {
    let Some(own) = Certificate::read(der) else { return };
    for now in [0, 1_790_000_000, 253_402_300_800] {
        let now = UNIX_EPOCH + Duration::from_secs(now);
        let told = reply(&[der.to_vec()], None, now).expect("it was read");
        let days = told.document["days_left"].as_i64().expect("a number");
        assert_eq!(days, own.days_left(now));
        assert_eq!(days < 0, now > own.not_after, "{own:?}");
        let is_over = days < 0 && now >= own.not_before;
        assert!(!is_over || own.words(now).contains("expired"), "{own:?}");
    }
});
