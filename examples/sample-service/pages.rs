//! Pages of another service that this one stands for: what a file says comes before its own.
//!
//! The file is a JSON object. A key is `/path`, `POST /path`, or `/path?text`, which is meant when the
//! text stands in the query or in the body. A value is an answer, or a list of answers that come one
//! after the other, the last one from then on; one with `until` stays until that was asked.
//! `{{version}}` in a text is the version of the service.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Request, Response};

#[derive(Default)]
pub(crate) struct Pages {
    pages: Vec<Page>,
    asked: Mutex<BTreeSet<String>>,
}

struct Page {
    /// `GET /path`.
    asked: String,
    /// What must stand in the query or in the body.
    text: String,
    answers: Vec<Answer>,
    next: AtomicUsize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    #[serde(default = "ok")]
    status: u16,
    #[serde(rename = "type")]
    content_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text as it is; all else is JSON.
    #[serde(default)]
    body: Value,
    /// The lines of a text, in place of the body.
    #[serde(default)]
    lines: Vec<String>,
    /// The path whose own answer this is, in place of all else.
    #[serde(rename = "as")]
    pub(crate) like: Option<String>,
    until: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Pages {
    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        let wrong = |why: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", file.display()))
        };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        let map: BTreeMap<String, Value> =
            serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        let pages = map.into_iter().map(|(key, value)| {
            Page::new(&key, value).map_err(|error| wrong(&format!("{key}: {error}")))
        });
        let mut pages = pages.collect::<io::Result<Vec<_>>>()?;
        // The one that asks for more of a request is looked at first.
        pages.sort_by_key(|page| page.text.is_empty());
        Ok(Self { pages, asked: Mutex::default() })
    }

    /// How this is answered, if a page says so.
    pub(crate) fn answer(&self, request: &Request) -> Option<&Answer> {
        let method = if request.method == "HEAD" { "GET" } else { &request.method };
        let this = format!("{method} {}", request.path);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let page = self.pages.iter().find(|page| page.asked == this && page.is_meant(request));
        asked.insert(this);
        page.map(|page| page.step(&asked))
    }
}

impl Page {
    fn new(key: &str, value: Value) -> Result<Self, String> {
        let (asked, text) = key.split_once('?').unwrap_or((key, ""));
        let asked = if asked.starts_with('/') { format!("GET {asked}") } else { asked.to_owned() };
        let answers = match value {
            Value::Array(answers) => answers,
            one => vec![one],
        };
        let answers: Result<Vec<Answer>, _> =
            answers.into_iter().map(serde_json::from_value).collect();
        let answers = answers.map_err(|error| error.to_string())?;
        if answers.is_empty() {
            return Err("there is no answer; write {\"status\": 200}".into());
        }
        Ok(Self { asked, text: text.to_owned(), answers, next: AtomicUsize::new(0) })
    }

    fn is_meant(&self, request: &Request) -> bool {
        request.query.contains(&self.text)
            || String::from_utf8_lossy(&request.body).contains(&self.text)
    }

    fn step(&self, asked: &BTreeSet<String>) -> &Answer {
        let mut at = self.next.load(Ordering::SeqCst);
        while let Some(until) = &self.answers[at].until
            && at + 1 < self.answers.len()
            && asked.contains(until)
        {
            at += 1;
        }
        let waits = self.answers[at].until.is_some() || at + 1 == self.answers.len();
        self.next.store(if waits { at } else { at + 1 }, Ordering::SeqCst);
        &self.answers[at]
    }
}

impl Answer {
    pub(crate) fn response(&self, version: &str) -> Response {
        let (usual, body) = match &self.body {
            _ if !self.lines.is_empty() => {
                ("text/plain; charset=utf-8", self.lines.join("\n") + "\n")
            }
            Value::Null => ("text/plain; charset=utf-8", String::new()),
            Value::String(text) => ("text/html; charset=utf-8", text.clone()),
            document => ("application/json", document.to_string()),
        };
        let content_type = self.content_type.as_deref().unwrap_or(usual);
        let body = body.replace("{{version}}", version);
        let response = Response::new(self.status, content_type, body);
        self.headers.iter().fold(response, |response, (name, value)| response.with(name, value))
    }
}
