//! As much of HTTP as a stand-in needs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) queries: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    /// The JSON body; null when there is none.
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let queries = query.split('&').filter_map(|pair| pair.split_once('='));
        let queries = queries.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        let path = path.to_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(Self { method, target, path, queries, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.queries.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The path below the repository, by its name or, as in GitHub's own links, by its number.
    pub(crate) fn in_repository(&self, repository: &str) -> Option<String> {
        let own = format!("/repos/{repository}/");
        let rest = self.path.strip_prefix(&own).or(self.path.strip_prefix("/repositories/1/"));
        rest.map(str::to_owned)
    }

    /// A text of the body.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.extend(u8::from_str_radix(&hex, 16));
        } else {
            bytes.push(if byte == b'+' { b' ' } else { byte });
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    status: u16,
    headers: String,
    body: Value,
}

impl Response {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: String::new(), body }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::new(status, json!({ "message": message, "status": status.to_string() }))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn send(self, stream: &mut TcpStream) {
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        let head = format!(
            "HTTP/1.1 {} Test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n{}\r\n",
            self.status,
            body.len(),
            self.headers
        );
        // Whoever asked may have gone away.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }
}
