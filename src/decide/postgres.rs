//! PostgreSQL's protocol, version 3.0 (its documentation, chapter "Frontend/Backend Protocol"):
//! what is sent, what comes back, and what that means.

use serde_json::Value;

use super::words::shorten;

/// Bytes of one message: more than a check asks for.
pub const MOST: usize = 1 << 20;
/// Rows of an answer.
pub const MOST_ROWS: usize = 1000;
/// Columns of an answer: a server of PostgreSQL's has no more (its documentation, "Limits").
const MOST_COLUMNS: u16 = 1664;
/// Bytes that a value takes besides its text and its name.
const VALUE: usize = 32;
/// Asks whether the server speaks TLS; the answer is one byte, `S` or `N`.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// Says good-bye.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// How the client is to prove who it is.
    Authentication(Authentication),
    /// An error: its SQLSTATE and its text.
    Error(Refusal),
    /// A setting of the session and its value.
    Parameter(String, String),
    /// The columns of the rows that follow: their names and types (OIDs).
    Columns(Vec<(String, u32)>),
    /// A row in text form; nothing is null.
    Row(Vec<Option<String>>),
    /// A word besides, which may come at any time.
    Notice,
    /// It waits for a question.
    Ready,
    /// Something that changes nothing here.
    Other,
}

/// How the client is to prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// It has.
    Done,
    /// By the password as it is.
    Cleartext,
    /// By MD5, with this salt.
    Md5(Vec<u8>),
    /// By one of these mechanisms of SASL.
    Sasl(Vec<String>),
    /// The next message of SASL.
    Continue(String),
    /// The last one.
    Final(String),
    /// In a way that is not known here, by its number.
    Unknown(u32),
}

/// An error that the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE.
    pub code: String,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// Whether a server that was asked by nobody in particular tells thereby that it takes clients:
    /// only this one it does not know.
    pub fn is_about_the_client(&self) -> bool {
        self.code.starts_with("28") || self.code == "3D000"
    }

    /// The error with its code, and what would help where that is known.
    pub fn words(&self) -> String {
        let remedy = match self.code.as_str() {
            "28P01" => "; look at `user` and `password`",
            "28000" => "; look at `user`, at `tls`, and at the server's pg_hba.conf",
            "3D000" => "; look at `database`",
            _ => "",
        };
        format!("{} {}{remedy}", self.code, shorten(&self.message, 300))
    }
}

/// A message of the client: its type, its length, its parts.
pub fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(length(parts.iter().map(|part| part.len()).sum::<usize>() + 4));
    bytes.extend(parts.iter().copied().flatten());
    bytes
}

/// Runs one statement, and one only, without a name and parameters, and takes the rows as text. In
/// a simple query there may be several, of which the first ends the transaction that only reads.
pub fn query(statement: &str) -> Vec<u8> {
    let rows = u32::try_from(MOST_ROWS + 1).unwrap_or(u32::MAX).to_be_bytes();
    [
        message(b'P', &[&[0], statement.as_bytes(), &[0, 0, 0]]),
        message(b'B', &[&[0; 8]]),
        message(b'D', &[b"P\0"]),
        message(b'E', &[&[0], &rows]),
        message(b'S', &[]),
    ]
    .concat()
}

/// A length as it stands before a message.
pub fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// The first message: who comes, and settings of the session. None of the texts has a NUL in it.
pub fn start_up(settings: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in settings {
        for text in [name, value] {
            body.extend(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    [length(body.len() + 4).to_vec(), body].concat()
}

/// The first message in what was read and its length, or nothing before it is complete.
///
/// # Errors
/// When that is not PostgreSQL's, or longer than anybody means.
pub fn parse(bytes: &[u8]) -> Result<Option<(Message, usize)>, String> {
    let Some(kind) = bytes.first() else { return Ok(None) };
    if !b"RESTDZCNKIvAGHWn123ts".contains(kind) {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        return Err(format!("the answer is not PostgreSQL's: {start:?}"));
    }
    let Some((size, _)) = bytes[1..].split_first_chunk::<4>() else { return Ok(None) };
    let size = u32::from_be_bytes(*size) as usize;
    if !(4..=MOST).contains(&size) {
        return Err(format!("a message claims to have {size} bytes; 4 to {MOST} are read"));
    }
    let Some(body) = bytes.get(5..=size) else { return Ok(None) };
    if let (b'T' | b'D', Some(count)) = (*kind, Body(body).small())
        && count > MOST_COLUMNS
    {
        return Err(format!("an answer of {count} columns; {MOST_COLUMNS} are read"));
    }
    let read = read(*kind, &mut Body(body));
    let message = read.ok_or_else(|| format!("a message {:?} is damaged", char::from(*kind)))?;
    Ok(Some((message, size + 1)))
}

/// What is left of a message.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn small(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// A text with a NUL behind it.
    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = string(self.take(end)?);
        self.take(1)?;
        Some(text)
    }

    fn rest(&mut self) -> String {
        string(std::mem::take(&mut self.0))
    }
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(kind: u8, body: &mut Body<'_>) -> Option<Message> {
    Some(match kind {
        b'R' => Message::Authentication(authentication(body)?),
        b'E' => {
            let mut refusal = Refusal { code: String::new(), message: String::new() };
            while let Some(field) = body.take(1).filter(|field| field != b"\0") {
                match field {
                    b"C" => refusal.code = body.text()?,
                    b"M" => refusal.message = body.text()?,
                    _ => drop(body.text()?),
                }
            }
            Message::Error(refusal)
        }
        b'S' => Message::Parameter(body.text()?, body.text()?),
        b'T' => {
            let count = body.small()?;
            let column = |_| {
                let name = body.text()?;
                body.take(6)?;
                let oid = body.number()?;
                body.take(8)?;
                Some((name, oid))
            };
            Message::Columns((0..count).map(column).collect::<Option<_>>()?)
        }
        b'D' => {
            let count = body.small()?;
            let value = |_| match body.number()? {
                u32::MAX => Some(None),
                length => Some(Some(string(body.take(length as usize)?))),
            };
            Message::Row((0..count).map(value).collect::<Option<_>>()?)
        }
        b'N' => Message::Notice,
        b'Z' => Message::Ready,
        // COPY would wait for data, or bring it.
        b'G' | b'H' | b'W' => return None,
        _ => Message::Other,
    })
}

fn authentication(body: &mut Body<'_>) -> Option<Authentication> {
    Some(match body.number()? {
        0 => Authentication::Done,
        3 => Authentication::Cleartext,
        5 => Authentication::Md5(body.take(4)?.to_vec()),
        10 => {
            let next = || body.text().filter(|name| !name.is_empty());
            Authentication::Sasl(std::iter::from_fn(next).collect())
        }
        11 => Authentication::Continue(body.rest()),
        12 => Authentication::Final(body.rest()),
        other => Authentication::Unknown(other),
    })
}

/// A row: the names of its columns, of which two may be the same, and each value by its type.
pub fn row(columns: &[(String, u32)], values: Vec<Option<String>>) -> Vec<(String, Value)> {
    let pairs = columns.iter().zip(values);
    pairs.map(|((name, oid), value)| (name.clone(), typed(*oid, value))).collect()
}

/// Bytes that such a row takes: each of its values comes with the name of its column.
pub fn weight(columns: &[(String, u32)], values: &[Option<String>]) -> usize {
    let pairs = columns.iter().zip(values);
    let each = pairs.map(|((name, _), value)| name.len() + value.as_ref().map_or(0, String::len));
    each.map(|bytes| bytes + VALUE).sum()
}

/// Numbers become numbers, booleans booleans, JSON what it is; all else is text.
fn typed(oid: u32, value: Option<String>) -> Value {
    let Some(text) = value else { return Value::Null };
    match oid {
        16 => (text == "t").into(),
        // int8, int2, int4, oid, float4, float8, numeric; NaN stays text. json, jsonb.
        20 | 21 | 23 | 26 | 700 | 701 | 1700 | 114 | 3802 => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        _ => text.into(),
    }
}

#[cfg(test)]
#[path = "postgres_tests.rs"]
mod tests;
