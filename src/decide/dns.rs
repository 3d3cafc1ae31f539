//! Questions and answers of the domain name system (RFC 1035), as bytes.

use core::net::{Ipv4Addr, Ipv6Addr};

use serde_json::json;

use super::observation::Reply;

/// Bytes of a name (section 2.3.4).
const MOST_NAME: usize = 255;

/// The types that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// IPv4 addresses.
    #[serde(alias = "a")]
    A,
    /// IPv6 addresses (RFC 3596).
    #[serde(alias = "aaaa")]
    Aaaa,
    /// The name that it is another one of.
    #[serde(alias = "cname")]
    Cname,
    /// Who takes its mail.
    #[serde(alias = "mx")]
    Mx,
    /// Texts.
    #[serde(alias = "txt")]
    Txt,
    /// Its name servers.
    #[serde(alias = "ns")]
    Ns,
    /// Hosts and ports of a service (RFC 2782).
    #[serde(alias = "srv")]
    Srv,
}

impl Kind {
    /// The number of the type.
    fn number(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Ns => 2,
            Kind::Cname => 5,
            Kind::Mx => 15,
            Kind::Txt => 16,
            Kind::Aaaa => 28,
            Kind::Srv => 33,
        }
    }

    /// The name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Kind::A => "A",
            Kind::Ns => "NS",
            Kind::Cname => "CNAME",
            Kind::Mx => "MX",
            Kind::Txt => "TXT",
            Kind::Aaaa => "AAAA",
            Kind::Srv => "SRV",
        }
    }
}

/// A question, as the bytes that ask it.
///
/// # Errors
/// When the name cannot be one.
pub fn question(id: u16, name: &str, kind: Kind) -> Result<Vec<u8>, String> {
    let mut bytes = id.to_be_bytes().to_vec();
    // One question, and the server is to ask others for us.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let wrong = || format!("`{name}` is no domain name; write it like shop.example.com");
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.len() + 2 > MOST_NAME {
        return Err(wrong());
    }
    for label in bare.split('.') {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if !(1..=63).contains(&label.len()) || !label.bytes().all(is_plain) {
            return Err(wrong());
        }
        bytes.push(label.len() as u8);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend([0, 1]);
    Ok(bytes)
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the rest did not fit, so that it is to be asked for over TCP.
    pub is_cut: bool,
    /// How it went: 0 is well.
    pub code: u8,
    /// The records of the type that was asked for, as a zone file has them.
    pub records: Vec<String>,
    /// The least of their times to live, in seconds.
    pub ttl: Option<u32>,
}

/// Reads the answer to `question`; nothing, when it is one to something else.
///
/// # Errors
/// When it is damaged.
pub fn read(question: &[u8], bytes: &[u8]) -> Option<Result<Answer, String>> {
    // The same id, an answer, and the question again, in which case may change (section 4.1).
    let (own, asked) = (question.get(..2)?, question.get(12..)?);
    let echo = bytes.get(12..12 + asked.len());
    let is_ours = bytes.get(..2) == Some(own) && bytes.get(2)? & 0x80 != 0;
    let code = bytes.get(3)? & 15;
    let counts = bytes.get(4..12)?;
    // Who does not understand the question need not repeat it.
    let is_bare = counts[..2] == [0, 0] && code != 0;
    if !is_ours || !(is_bare || echo.is_some_and(|echo| echo.eq_ignore_ascii_case(asked))) {
        return None;
    }
    let mut answer = Answer { is_cut: bytes[2] & 2 != 0, code, records: Vec::new(), ttl: None };
    if is_bare || answer.is_cut {
        return Some(Ok(answer));
    }
    let kind =
        asked.split_last_chunk::<4>().map(|(_, end)| u16::from_be_bytes([end[0], end[1]]))?;
    let mut reader = Reader { all: bytes, at: 12 + asked.len() };
    for _ in 0..u16::from_be_bytes([counts[2], counts[3]]) {
        let Some((found, ttl, record)) = reader.record() else {
            return Some(Err("the answer is damaged".into()));
        };
        if found == kind {
            answer.ttl = Some(answer.ttl.map_or(ttl, |least| least.min(ttl)));
            answer.records.push(record);
        }
    }
    Some(Ok(answer))
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.all.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn small(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// A name, which may go on at an earlier place (section 4.1.4).
    fn name(&mut self) -> Option<String> {
        let (mut name, mut place, mut end) = (String::new(), self.at, None);
        loop {
            let length = usize::from(*self.all.get(place)?);
            match length {
                0 => break,
                1..64 => {
                    let label = self.all.get(place + 1..place + 1 + length)?;
                    for byte in label {
                        match byte {
                            b'!'..=b'~' if !b".\\\"".contains(byte) => name.push(char::from(*byte)),
                            other => name.push_str(&format!("\\{other:03}")),
                        }
                    }
                    name.push('.');
                    place += 1 + length;
                }
                192.. => {
                    let low = usize::from(*self.all.get(place + 1)?);
                    end.get_or_insert(place + 2);
                    let earlier = (length & 63) << 8 | low;
                    // Only backwards, so that it comes to an end.
                    if earlier >= place {
                        return None;
                    }
                    place = earlier;
                }
                _ => return None,
            }
            if name.len() > 4 * MOST_NAME {
                return None;
            }
        }
        self.at = end.unwrap_or(place + 1);
        Some(name)
    }

    /// A record: its type, its time to live, and what it says.
    fn record(&mut self) -> Option<(u16, u32, String)> {
        self.name()?;
        let (kind, _class) = (self.small()?, self.small()?);
        let ttl = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        let length = usize::from(self.small()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.all.len())?;
        let text = match kind {
            1 => Ipv4Addr::from(<[u8; 4]>::try_from(self.all.get(self.at..end)?).ok()?).to_string(),
            28 => {
                Ipv6Addr::from(<[u8; 16]>::try_from(self.all.get(self.at..end)?).ok()?).to_string()
            }
            2 | 5 => bare(self.name()?),
            15 => format!("{} {}", self.small()?, bare(self.name()?)),
            33 => {
                let (priority, weight, port) = (self.small()?, self.small()?, self.small()?);
                format!("{priority} {weight} {port} {}", bare(self.name()?))
            }
            16 => {
                let mut text = Vec::new();
                while self.at < end {
                    let length = usize::from(*self.take(1)?.first()?);
                    text.extend(self.take(length)?);
                }
                String::from_utf8_lossy(&text).into_owned()
            }
            _ => String::new(),
        };
        self.at = end;
        Some((kind, ttl, text))
    }
}

/// Without the dot at the end; the root alone is one.
fn bare(name: String) -> String {
    match name.strip_suffix('.') {
        Some(bare) => bare.into(),
        None => ".".into(),
    }
}

/// Whether this code is about the name: SERVFAIL and REFUSED are about the server, and another one
/// may know more.
pub fn is_known(code: u8) -> bool {
    !matches!(code, 2 | 5)
}

/// What the records tell; none is not ready. `what` is what was asked for: `A record`.
pub fn reply(code: u8, records: Vec<String>, ttl: Option<u32>, what: &str) -> Reply {
    let codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    let code = codes.get(usize::from(code)).map_or(format!("RCODE {code}"), |name| (*name).into());
    let not_ready = match (code.as_str(), records.as_slice()) {
        ("NXDOMAIN", _) => Some("NXDOMAIN: there is no such name".into()),
        ("NOERROR", []) => Some(format!("the name has no {what}")),
        ("NOERROR", _) => None,
        (other, _) => Some(format!("the server says {other}")),
    };
    let mut document = json!({ "rcode": code, "records": records });
    if let Some(ttl) = ttl {
        document["ttl"] = ttl.into();
    }
    let (said, text) = (records.join(", "), records.join("\n"));
    Reply { document, text, said, not_ready, ..Reply::default() }
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
