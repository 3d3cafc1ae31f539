//! What goes wrong on demand.

use std::time::Duration;

use serde_json::Value;

use super::http::{Request, Response};

/// A fault, for the next requests that fit.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The method; empty fits all.
    pub(crate) method: String,
    /// What is in the path.
    pub(crate) path: String,
    /// How many requests it meets.
    pub(crate) times: usize,
    /// What happens.
    pub(crate) kind: Kind,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is not done, and this is the answer.
    Answer {
        /// The status.
        status: u16,
        /// Headers besides.
        headers: Vec<(String, String)>,
    },
    /// It is done, and the connection ends without an answer.
    Lost,
    /// It is not done, and the connection ends without an answer.
    Reset,
    /// It is not done, and nothing comes for a time.
    Hang(Duration),
}

impl Fault {
    pub(crate) fn new(method: &str, path: &str, kind: Kind) -> Self {
        Self { method: method.into(), path: path.into(), times: 1, kind }
    }

    pub(crate) fn status(method: &str, path: &str, status: u16) -> Self {
        Self::new(method, path, Kind::Answer { status, headers: Vec::new() })
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Answer { headers, .. } = &mut self.kind {
            headers.push((name.into(), value.into()));
        }
        self
    }

    pub(crate) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Of JSON: `{"method": "POST", "path": "/issues", "times": 2, "kind": "answer", "status": 500,
    /// "headers": {"retry-after": "1"}}`; the other kinds are `lost`, `reset` and `hang` with `ms`.
    pub(crate) fn of(json: &Value) -> Option<Self> {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let headers = json["headers"].as_object().into_iter().flatten();
        let headers = headers
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        let kind = match json["kind"].as_str()? {
            "answer" => Kind::Answer {
                status: u16::try_from(json["status"].as_u64()?).ok()?,
                headers: headers.collect(),
            },
            "lost" => Kind::Lost,
            "reset" => Kind::Reset,
            "hang" => Kind::Hang(Duration::from_millis(json["ms"].as_u64()?)),
            _ => return None,
        };
        let times = json["times"].as_u64().unwrap_or(1).max(1);
        let times = usize::try_from(times).ok()?;
        Some(Self { method: text("method"), path: text("path"), times, kind })
    }

    pub(super) fn fits(&self, request: &Request) -> bool {
        (self.method.is_empty() || self.method == request.method)
            && request.path.contains(&self.path)
    }
}

/// What GitHub says with a status.
pub(super) fn answer(status: u16, headers: Vec<(String, String)>) -> Response {
    let message = match status {
        401 => "Bad credentials",
        403 => "Resource not accessible by integration",
        410 => "Issues has been disabled in this repository.",
        429 => "You have exceeded a secondary rate limit. Please wait a few minutes.",
        _ => "Server Error",
    };
    headers.iter().fold(Response::error(status, message), |response, (name, value)| {
        response.header(name, value)
    })
}
