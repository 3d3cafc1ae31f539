//! What a certificate says of itself (X.509 v3 as RFC 5280, in DER): for whom it is, by whom, and
//! until when. Whether that is true, TLS itself verifies.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::observation::Reply;
use super::words::shorten;

const DAY: i64 = 24 * 3600;

/// What one says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is: `CN=shop.example.com, O=Shop`.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// Host names and addresses that it is for (section 4.2.1.6).
    pub names: Vec<String>,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
}

impl Certificate {
    /// Reads one; nothing, if the bytes are none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut body = Der(Der(Der(der).tagged(SEQUENCE)?).tagged(SEQUENCE)?);
        // The version is left out of a first one.
        if body.0.first() == Some(&0xa0) {
            body.next()?;
        }
        let (_serial, _algorithm) = (body.next()?, body.tagged(SEQUENCE)?);
        let issuer = name(body.tagged(SEQUENCE)?)?;
        let mut validity = Der(body.tagged(SEQUENCE)?);
        // Some authorities begin before 1970.
        let not_before = time(validity.next()?).unwrap_or(UNIX_EPOCH);
        let not_after = time(validity.next()?)?;
        let subject = name(body.tagged(SEQUENCE)?)?;
        let _key = body.tagged(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, rest)) = body.next() {
            if tag == 0xa3 {
                names = alternatives(rest)?;
            }
        }
        Some(Self { subject, issuer, names, not_before, not_after })
    }

    /// Whole days that are left; negative once it has expired.
    pub fn days_left(&self, now: SystemTime) -> i64 {
        (seconds(self.not_after) - seconds(now)).div_euclid(DAY)
    }

    /// The essence in words: `the certificate for shop.test, by CN=Shop CA, expired on 2026-…`.
    pub fn words(&self, now: SystemTime) -> String {
        let whom = match self.names.as_slice() {
            [] => self.subject.clone(),
            names => names.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
        };
        let (whom, issuer) = (shorten(&whom, 80), shorten(&self.issuer, 60));
        let state = match (now < self.not_before, now > self.not_after) {
            (true, _) => format!("is valid only from {}", date(self.not_before)),
            (_, true) => format!("expired on {}", date(self.not_after)),
            _ => format!("is valid until {}", date(self.not_after)),
        };
        format!("the certificate for {whom}, by {issuer}, {state}")
    }
}

/// What a chain of certificates, the server's own first, tells. `version` is that of TLS.
///
/// # Errors
/// When one cannot be read, or there is none.
pub fn reply(chain: &[Vec<u8>], version: Option<String>, now: SystemTime) -> Result<Reply, String> {
    let all: Option<Vec<_>> = chain.iter().map(|der| Certificate::read(der)).collect();
    let all = all.ok_or("a certificate cannot be read")?;
    let own = all.first().ok_or("it shows no certificate")?;
    let days = own.days_left(now);
    let version = version.unwrap_or_default();
    let document = json!({
        "days_left": days,
        "chain_days_left": all.iter().map(|one| one.days_left(now)).min(),
        "not_before": date(own.not_before),
        "not_after": date(own.not_after),
        "subject": own.subject,
        "issuer": own.issuer,
        "names": own.names,
        "version": version,
        "chain": all.len(),
    });
    let said = format!("{version}, valid for {days} days, until {}", date(own.not_after));
    Ok(Reply { document, said, ..Reply::default() })
}

const SEQUENCE: u8 = 0x30;

/// Elements of DER, one behind the other (X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    fn tagged(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }
}

/// A name (section 4.1.2.4), of which the parts are told that people know.
fn name(content: &[u8]) -> Option<String> {
    let (mut sets, mut parts) = (Der(content), Vec::new());
    while let Some((_, set)) = sets.next() {
        let mut pair = Der(Der(set).tagged(SEQUENCE)?);
        let kind = match pair.tagged(6)? {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 6] => "C",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            _ => continue,
        };
        parts.push(format!("{kind}={}", text(pair.next()?)));
    }
    Some(parts.join(", "))
}

/// A text, without what would not be one line.
fn text((tag, bytes): (u8, &[u8])) -> String {
    let text = match tag {
        // BMPString.
        0x1e => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            String::from_utf16_lossy(&units.collect::<Vec<_>>())
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.replace(char::is_control, "\u{fffd}")
}

/// UTCTime or GeneralizedTime (section 4.1.2.5), always to the second and in UTC.
fn time((tag, bytes): (u8, &[u8])) -> Option<SystemTime> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let century = match tag {
        0x17 if text >= "50" => "19",
        0x17 => "20",
        0x18 => "",
        _ => return None,
    };
    let text = format!("{century}{text}");
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let [year, rest] = [&text[..4], &text[4..]];
    let pair = |at: usize| &rest[at..at + 2];
    let text = format!("{year}-{}-{}T{}:{}:{}Z", pair(0), pair(2), pair(4), pair(6), pair(8));
    humantime::parse_rfc3339(&text).ok()
}

/// Names and addresses of the extension that has them.
fn alternatives(extensions: &[u8]) -> Option<Vec<String>> {
    let (mut all, mut names) = (Der(Der(extensions).tagged(SEQUENCE)?), Vec::new());
    while let Some((_, extension)) = all.next() {
        let mut extension = Der(extension);
        if extension.tagged(6)? != [0x55, 0x1d, 17] {
            continue;
        }
        let mut content = extension.next()?;
        // Whether it is critical stands before it only when it is.
        if content.0 == 1 {
            content = extension.next()?;
        }
        let mut general = Der(Der(content.1).tagged(SEQUENCE)?);
        while let Some((tag, value)) = general.next() {
            match tag {
                0x82 => names.push(text((tag, value))),
                0x87 => names.extend(address(value)),
                _ => {}
            }
        }
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.ok().or_else(|| Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()))
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs).cast_signed()
}

fn date(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
