//! JSON paths (RFC 9535), with the functions `match` and `search`.
//!
//! The library brings both functions with the whole of `regex`, which would be a third of
//! `wait-healthy`; here they use the part of it that the rest of the program has anyway.

use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;
use serde_json_path::functions::{LogicalType, ValueType};

/// Reads a path.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<JsonPath, String> {
    JsonPath::parse(text)
        .map_err(|error| format!("`{text}` is not a JSON path (RFC 9535): {error}"))
}

/// `match(text, pattern)`: the whole text matches the I-Regexp (RFC 9485).
#[serde_json_path::function(name = "match")]
fn whole(text: ValueType, pattern: ValueType) -> LogicalType {
    holds(&text, &pattern, |pattern| format!("(?R)^({pattern})$"))
}

/// `search(text, pattern)`: a part of the text matches the I-Regexp (RFC 9485).
#[serde_json_path::function(name = "search")]
fn part(text: ValueType, pattern: ValueType) -> LogicalType {
    holds(&text, &pattern, |pattern| format!("(?R)({pattern})"))
}

fn holds(
    text: &ValueType<'_>,
    pattern: &ValueType<'_>,
    frame: impl Fn(&str) -> String,
) -> LogicalType {
    match (text.as_value(), pattern.as_value()) {
        (Some(Value::String(text)), Some(Value::String(pattern))) => {
            Regex::new(&frame(pattern)).is_ok_and(|regex| regex.is_match(text)).into()
        }
        _ => LogicalType::False,
    }
}
