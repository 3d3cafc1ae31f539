//! Redis' protocol (RESP2, `https://redis.io/docs/latest/develop/reference/protocol-spec/`): what is
//! sent, what comes back, and what that means.

use serde_json::{Map, Number, Value};

use super::observation::Reply;
use super::words::shorten;

/// Bytes of a line, and of a text with its length before it.
const MOST_LINE: usize = 16 << 10;
/// More than any INFO has.
pub const MOST: usize = 1 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A text or a number; empty for none.
    Text(String),
    /// An error with its code before it: `NOAUTH Authentication required.`
    Error(String),
}

/// A command, as an array of texts.
pub fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    bytes.into_bytes()
}

/// The first answer in what has been read and its length, or nothing before it is complete.
///
/// # Errors
/// When that is not RESP, or longer than anybody means.
pub fn parse(bytes: &[u8]) -> Result<Option<(Said, usize)>, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(kind) = bytes.first() else { return Ok(None) };
    let foreign = || {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Err(format!("the answer is not Redis': {:?}", shorten(text(line).trim_end(), 80)))
    };
    if !b"+-:$".contains(kind) {
        return foreign();
    }
    let head = &bytes[..bytes.len().min(MOST_LINE)];
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MOST_LINE { Ok(None) } else { foreign() };
    };
    let (line, next) = (text(&bytes[1..end]), end + 2);
    match kind {
        b'-' => Ok(Some((Said::Error(line), next))),
        b'$' if line == "-1" => Ok(Some((Said::Text(String::new()), next))),
        b'$' => match line.parse::<usize>() {
            Err(_) => foreign(),
            Ok(length) if length > MOST => {
                Err(format!("the answer has {length} bytes; at most {MOST} are read"))
            }
            Ok(length) => {
                let whole = bytes.get(next..next + length + 2);
                Ok(whole.map(|whole| (Said::Text(text(&whole[..length])), next + length + 2)))
            }
        },
        _ => Ok(Some((Said::Text(line), next))),
    }
}

/// What the answers to PING and INFO mean together. What follows from a refused AUTH is the same as
/// from a refused PING.
pub fn reply(pong: Said, info: Option<Said>) -> Reply {
    let (said, mut not_ready) = match pong {
        Said::Text(text) if text == "PONG" => (text, None),
        Said::Text(text) => (String::new(), Some(format!("answers PING with {text:?}"))),
        Said::Error(error) => (String::new(), Some(with_remedy(&error))),
    };
    let mut text = said.clone();
    let mut document = Map::new();
    match info {
        None => {}
        Some(Said::Text(lines)) => {
            document = facts(&lines);
            text = lines;
        }
        Some(Said::Error(error)) => {
            not_ready.get_or_insert_with(|| format!("INFO: {}", with_remedy(&error)));
        }
    }
    document.insert("ready".into(), not_ready.is_none().into());
    Reply { document: document.into(), text, said, not_ready, ..Reply::default() }
}

fn with_remedy(error: &str) -> String {
    let remedy = match error.split(' ').next().unwrap_or_default() {
        "NOAUTH" => "; give it a `password`, and a `user` if it has any",
        "WRONGPASS" => "; look at `user` and `password`",
        "DENIED" => "; protected mode lets in nobody but the loopback without a password",
        "NOPERM" => "; the user may not ask this",
        _ => "",
    };
    format!("{}{remedy}", shorten(error, 300))
}

/// The lines of INFO by their names, numbers as numbers, and two shares that everybody computes.
fn facts(lines: &str) -> Map<String, Value> {
    let fields = lines.lines().filter(|line| !line.starts_with('#'));
    let mut facts: Map<_, _> = fields
        .filter_map(|line| line.trim_end().split_once(':'))
        .map(|(name, value)| (name.to_owned(), number(value).unwrap_or_else(|| value.into())))
        .collect();
    let of = |name: &str| facts.get(name).and_then(Value::as_f64);
    let share = |part: Option<f64>, whole: Option<f64>| {
        let share =
            part.zip(whole).filter(|(_, whole)| *whole > 0.0).map(|(part, whole)| part / whole);
        share.and_then(Number::from_f64)
    };
    let (hits, misses) = (of("keyspace_hits"), of("keyspace_misses"));
    let asked = hits.zip(misses).map(|(hits, misses)| hits + misses);
    let computed = [
        ("hit_rate", share(hits, asked)),
        ("memory_share", share(of("used_memory"), of("maxmemory"))),
    ];
    for (name, value) in computed {
        facts.extend(value.map(|value| (name.to_owned(), value.into())));
    }
    facts
}

/// A text that is nothing but a number: `0003` is none, since it is a name.
fn number(text: &str) -> Option<Value> {
    serde_json::from_str::<Number>(text).ok().map(Value::Number)
}

#[cfg(test)]
#[path = "resp_tests.rs"]
mod tests;
