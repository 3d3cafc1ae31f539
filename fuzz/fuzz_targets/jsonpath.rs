//! JSON paths: what is selected while reading is what is selected in the whole document. The first
//! line of an input is a path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use waveoff_fuzz::decide::jsonpath::{parse, select};
use waveoff_fuzz::first_line;

fuzz_target!(|text: &str| {
    let (path, document) = first_line(text);
    let Ok(path) = parse(path) else { return };
    let selected = select(&path, document.as_bytes());
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return };
    let wanted = path.query(&whole);
    assert_eq!(selected.ok(), Some(wanted), "{path} in {document}");
});
