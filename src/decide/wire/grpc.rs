//! The health protocol of gRPC (grpc.health.v1): one question, and what the answer means.

use serde_json::json;

use super::http2::Answer;
use crate::decide::observation::{FailureKind, Reply};
use crate::decide::words::shorten;

/// The method that is called.
pub const CHECK: &str = "/grpc.health.v1.Health/Check";

/// `HealthCheckResponse.ServingStatus`.
const SERVING: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// The status codes of gRPC.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const NOT_FOUND: usize = 5;
const UNIMPLEMENTED: usize = 12;

/// A `HealthCheckRequest` for this service, as it is sent; none means the whole server. A service
/// has at most 127 bytes.
pub fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // Field 1, a text.
        message.extend([0x0a, service.len() as u8]);
        message.extend(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed
}

/// What an answer says. Its time is left to whoever took it.
///
/// # Errors
/// Why it says nothing of health.
pub fn read(answer: &Answer, service: &str) -> Result<Reply, (FailureKind, String)> {
    let broken = |message: String| Err((FailureKind::Broken, message));
    let status = answer.value(":status").unwrap_or_default();
    if status != "200" {
        return broken(format!("status {status}, wanted 200: no gRPC is there"));
    }
    let kind = answer.value("content-type").unwrap_or_default();
    if !kind.starts_with("application/grpc") {
        return broken(format!("content type `{kind}`, wanted application/grpc"));
    }
    // In the headers of an answer that goes on, it says nothing of the end (gRPC over HTTP/2).
    let Some(code) = answer.last_word("grpc-status") else {
        return broken("the answer has no grpc-status: it was cut off".into());
    };
    let Some(code) = code.parse::<usize>().ok().filter(|_| code.len() < 4) else {
        return broken(format!("the grpc-status `{code}` is no number"));
    };
    let name = CODES.get(code).copied().unwrap_or("not a code of gRPC");
    let message = shorten(&decoded(answer.last_word("grpc-message").unwrap_or_default()), 300);
    let colon = if message.is_empty() { "" } else { ": " };
    let (said, not_ready) = match code {
        0 => {
            let said = match serving(&answer.data) {
                Ok(status) => SERVING.get(status).copied().unwrap_or("a status that nobody knows"),
                Err(why) => return broken(why),
            };
            (said, (said != "SERVING").then(|| said.to_owned()))
        }
        UNIMPLEMENTED => {
            let why = format!("UNIMPLEMENTED{colon}{message}: no health service is there");
            return Err((FailureKind::NotAsked, why));
        }
        NOT_FOUND => (name, Some(format!("NOT_FOUND: the service `{service}` is not known there"))),
        code => (name, Some(format!("grpc-status {code} {name}{colon}{message}"))),
    };
    Ok(Reply {
        document: json!({
            "status": if code == 0 { Some(said) } else { None },
            "service": service,
            "grpc_status": code,
            "grpc_message": message,
        }),
        text: String::new(),
        said: said.into(),
        not_ready,
        elapsed: std::time::Duration::ZERO,
    })
}

/// A `Percent-Encoded` text (gRPC over HTTP/2); what is none stays as it is, as that asks for.
fn decoded(text: &str) -> String {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        let pair = match more {
            [high, low, ..] if *first == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        bytes.push(pair.map_or(*first, |(high, low)| (high << 4 | low) as u8));
        rest = if pair.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The `status` of a `HealthCheckResponse`; 0 where the message has none.
fn serving(data: &[u8]) -> Result<usize, String> {
    let wrong = || "the answer is no HealthCheckResponse".to_owned();
    let [0, a, b, c, d, message @ ..] = data else { return Err(wrong()) };
    if u32::from_be_bytes([*a, *b, *c, *d]) as usize != message.len() {
        return Err(wrong());
    }
    let (mut rest, mut status) = (message, 0);
    while !rest.is_empty() {
        let tag = varint(&mut rest).ok_or_else(wrong)?;
        // The wire types of Protocol Buffers; of what nobody knows, only the length matters.
        let skip = match tag & 7 {
            0 => {
                let value = varint(&mut rest).ok_or_else(wrong)?;
                if tag >> 3 == 1 {
                    status = usize::try_from(value).unwrap_or(usize::MAX);
                }
                0
            }
            1 => 8,
            2 => varint(&mut rest).and_then(|n| usize::try_from(n).ok()).ok_or_else(wrong)?,
            5 => 4,
            _ => return Err(wrong()),
        };
        rest = rest.get(skip..).ok_or_else(wrong)?;
    }
    Ok(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (next, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
