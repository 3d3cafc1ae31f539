//! What was seen, as plain data.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::cookies::Jar;
use super::jsonpath::{self, JsonPath};
use super::state::State;

/// What one look at the world returned.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// An HTTP response, whatever its status.
    Http(HttpResponse),
    /// A TCP connection was accepted.
    Connected {
        /// The address that accepted it.
        peer: String,
        /// How long connecting took.
        elapsed: Duration,
    },
    /// A program ran and ended.
    Exit(CommandOutput),
    /// A figure of the machine, with its unit's conventional limit left to the judgement.
    Reading(Reading),
    /// How something is that runs under somebody else's care.
    State(State),
    /// What was said in a protocol other than HTTP.
    Reply(Reply),
    /// Nothing was seen, and why.
    Failed(ProbeFailure),
}

impl Observation {
    /// Whether the question cost anybody anything; only then does polling back off. A closed port
    /// costs nothing.
    pub fn answered(&self) -> bool {
        !matches!(self, Observation::Failed(f) if f.kind == FailureKind::Refused)
    }

    /// What came in cookies and must not be shown.
    pub fn secrets(&self) -> &[String] {
        match self {
            Observation::Http(HttpResponse { cookies: Some(jar), .. }) => jar.secrets(),
            _ => &[],
        }
    }

    /// How long the look took.
    pub fn elapsed(&self) -> Duration {
        match self {
            Observation::Http(response) => response.elapsed,
            Observation::Connected { elapsed, .. } => *elapsed,
            Observation::Exit(output) => output.elapsed,
            Observation::Reading(_) => Duration::ZERO,
            Observation::State(state) => state.elapsed,
            Observation::Reply(reply) => reply.elapsed,
            Observation::Failed(failure) => failure.elapsed,
        }
    }
}

/// An HTTP response with a bounded body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpResponse {
    /// The address that answered, after redirects.
    pub url: String,
    /// The status code.
    pub status: u16,
    /// Names as sent (compare without case) and values, lossily decoded, in order.
    pub headers: Vec<(String, String)>,
    /// At most the bound that the check sets.
    pub body: Vec<u8>,
    /// Whether the body was longer than the bound.
    pub truncated: bool,
    /// How many redirects were followed.
    pub redirects: u32,
    /// From the first byte sent to the last byte read.
    pub elapsed: Duration,
    /// The cookies after it, where they are kept.
    pub cookies: Option<Jar>,
}

impl HttpResponse {
    /// The first header of that name, compared without case (RFC 9110 §5.1).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The body as text, and whether that is all of it: bytes that are not what they should be
    /// become U+FFFD.
    ///
    /// # Errors
    /// When it is in an encoding or a charset that is not read here.
    pub fn text(&self) -> Result<(Cow<'_, str>, bool), String> {
        self.decoded()?;
        let charset = self.charset();
        match charset.as_str() {
            "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => {
                let text = String::from_utf8_lossy(&self.body);
                let is_whole = !self.truncated && matches!(text, Cow::Borrowed(_));
                Ok((text, is_whole))
            }
            // As browsers read all three (WHATWG Encoding, "Names and labels").
            "iso-8859-1" | "latin-1" | "latin1" | "windows-1252" => {
                Ok((self.body.iter().map(|byte| western(*byte)).collect(), !self.truncated))
            }
            other => Err(format!(
                "the body's charset is {other:?}, which is not read here; wanted utf-8 or iso-8859-1"
            )),
        }
    }

    /// The charset of the content type in lower case (RFC 9110 §8.3.2), empty where it has none.
    fn charset(&self) -> String {
        let kind = self.header("content-type").unwrap_or_default();
        let parameter = |part: &str| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            name.trim().eq_ignore_ascii_case("charset").then_some(value)
        };
        kind.split(';').skip(1).find_map(parameter).unwrap_or_default()
    }

    /// That no encoding is left on the body: the client takes the header of one that it decoded
    /// away (RFC 9110 §8.4).
    fn decoded(&self) -> Result<(), String> {
        let named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("content-encoding"));
        let mut encodings = named.flat_map(|(_, value)| value.split(',')).map(str::trim);
        let left = |one: &&str| !one.is_empty() && !one.eq_ignore_ascii_case("identity");
        match encodings.find(left) {
            None => Ok(()),
            Some(encoding) => Err(format!(
                "the body's content-encoding is {encoding:?}, which is not decoded here; wanted gzip or none"
            )),
        }
    }

    /// The body as JSON, or why it is not.
    pub fn json(&self) -> Result<Value, String> {
        jsonpath::read(self.whole()?).map_err(not_json)
    }

    /// What a path selects in the JSON body, or why it is not JSON.
    pub fn select(&self, path: &JsonPath) -> Result<Vec<Value>, String> {
        jsonpath::select(path, self.whole()?).map_err(not_json)
    }

    /// The whole body, or why it is not there.
    pub(super) fn whole(&self) -> Result<&[u8], String> {
        self.decoded()?;
        if self.truncated {
            return Err(format!("the body is longer than {} bytes", self.body.len()));
        }
        if self.body.is_empty() {
            return Err("the body is empty".into());
        }
        Ok(&self.body)
    }
}

/// A byte of windows-1252, of which iso-8859-1 is a part.
fn western(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

fn not_json(error: serde_json::Error) -> String {
    format!("the body is not JSON: {error}")
}

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommandOutput {
    /// Its exit code, or none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output, bounded (the end is kept).
    pub stdout: Vec<u8>,
    /// Standard error, bounded (the end is kept).
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub elapsed: Duration,
}

/// What was said in a protocol other than HTTP, as facts that `jsonpath` can ask for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The facts.
    pub document: Value,
    /// What was said as text; empty where the protocol has none.
    pub text: String,
    /// The essence for people: `PONG`, `SERVING`.
    pub said: String,
    /// Why it is not ready although it answers, if so: `LOADING the dataset`.
    pub not_ready: Option<String>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Reply {
    /// What a path selects in the facts.
    pub fn select(&self, path: &JsonPath) -> Vec<Value> {
        path.query(&self.document)
    }
}

/// A figure of the machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What was read, in words: `disk used on /`.
    pub what: String,
    /// The value: a fraction for disk and memory (0 to 1), a number for load.
    pub value: f64,
    /// How `value` is shown.
    pub unit: Unit,
}

/// How a [`Reading`] is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction, shown as a percentage.
    Share,
    /// A plain number.
    Number,
}

impl Unit {
    /// The value for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Number => format!("{value:.2}"),
        }
    }
}

/// Why nothing was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeFailure {
    /// The kind, on which judgement and polling depend.
    pub kind: FailureKind,
    /// In words, without secrets.
    pub message: String,
    /// How long it took to find out.
    pub elapsed: Duration,
}

/// The kinds of not seeing anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Nothing listens there.
    Refused,
    /// No answer in the time of one attempt.
    Timeout,
    /// The name does not resolve.
    NameNotFound,
    /// TLS could not be agreed upon, or the certificate is not trusted.
    Tls,
    /// The connection broke, or what came is not the protocol.
    Broken,
    /// The question could not be asked: a missing program, an unreadable file, a broken proxy.
    NotAsked,
}
