//! A stand-in for GitHub's API: it keeps state, fails on demand, and holds every request against
//! GitHub's published OpenAPI description.
//!
//! `GET /__state` shows all that it keeps; `POST /__faults` adds faults, a JSON object each.

mod deployments;
mod fault;
mod http;
mod issues;
mod openapi;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

pub(crate) use fault::{Fault, Kind};
use http::{Request, Response};
use openapi::Description;

/// The one repository that there is.
pub(crate) const REPOSITORY: &str = "acme/shop";
/// Who writes with the job's token.
const AUTHOR: &str = "github-actions[bot]";

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) issues: Vec<Value>,
    pub(crate) comments: BTreeMap<u64, Vec<Value>>,
    pub(crate) deployments: Vec<Value>,
    pub(crate) statuses: BTreeMap<u64, Vec<Value>>,
    /// `METHOD /path?query` of each request, in order.
    pub(crate) requests: Vec<String>,
    /// What GitHub's description forbids and was sent all the same.
    pub(crate) violations: Vec<String>,
    faults: Vec<Fault>,
    last: u64,
    url: String,
}

/// A server that runs until the test ends.
pub(crate) struct Github {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Github {
    /// Starts; without a description requests are not held against it.
    pub(crate) fn start(description: Option<&Path>) -> Self {
        let description = description.map(|file| Arc::new(Description::load(file)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        let state = Arc::new(Mutex::new(State { url, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, description) = (shared.clone(), description.clone());
                std::thread::spawn(move || converse(stream, &shared, description.as_deref()));
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }
}

impl Drop for Github {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.state().violations, Vec::<String>::new());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request, one answer, and the connection is closed.
fn converse(mut stream: TcpStream, state: &Mutex<State>, description: Option<&Description>) {
    let Some(request) = Request::read(&mut stream) else { return };
    let fault = {
        let mut state = lock(state);
        if request.path == "/__state" {
            return state.dump().send(&mut stream);
        }
        if request.path == "/__faults" {
            let fault = Fault::of(&request.body).map(|fault| state.faults.push(fault));
            let status = if fault.is_some() { 204 } else { 422 };
            return Response::new(status, Value::Null).send(&mut stream);
        }
        state.requests.push(format!("{} {}", request.method, request.target));
        state.fault_for(&request)
    };
    match fault {
        Some(Kind::Reset) => return,
        Some(Kind::Hang(time)) => {
            std::thread::park_timeout(time);
            return;
        }
        Some(Kind::Answer { status, headers }) => {
            return fault::answer(status, headers).send(&mut stream);
        }
        Some(Kind::Lost) | None => {}
    }
    let response = answer(&request, state, description);
    // It was done, and nobody hears of it.
    if fault != Some(Kind::Lost) {
        response.send(&mut stream);
    }
}

fn answer(request: &Request, state: &Mutex<State>, description: Option<&Description>) -> Response {
    if !request.header("authorization").is_some_and(|value| value.starts_with("Bearer ")) {
        return Response::error(401, "Bad credentials");
    }
    if request.header("user-agent").is_none() {
        return Response::error(403, "Request forbidden by administrative rules.");
    }
    let Some(rest) = request.in_repository(REPOSITORY) else {
        return Response::error(404, "Not Found");
    };
    let wrong = description.map(|known| known.check(request, &rest)).unwrap_or_default();
    let mut state = lock(state);
    if !wrong.is_empty() {
        state.violations.extend(wrong.clone());
        return Response::error(422, &wrong.join("; "));
    }
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.first() {
        Some(&"issues") => issues::route(&mut state, request, &parts[1..]),
        Some(&"deployments") => deployments::route(&mut state, request, &parts[1..]),
        _ => Response::error(404, "Not Found"),
    }
}

impl State {
    fn fault_for(&mut self, request: &Request) -> Option<Kind> {
        let at = self.faults.iter().position(|fault| fault.fits(request))?;
        let fault = &mut self.faults[at];
        let kind = fault.kind.clone();
        fault.times -= 1;
        if fault.times == 0 {
            self.faults.remove(at);
        }
        Some(kind)
    }

    /// A new number; GitHub counts everything of a repository together too.
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn dump(&self) -> Response {
        let keyed = |map: &BTreeMap<u64, Vec<Value>>| json!(map);
        Response::new(
            200,
            json!({
                "issues": self.issues,
                "comments": keyed(&self.comments),
                "deployments": self.deployments,
                "statuses": keyed(&self.statuses),
                "requests": self.requests,
                "violations": self.violations,
            }),
        )
    }
}

/// GitHub's times have whole seconds.
fn now() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
    humantime::format_rfc3339_seconds(now).to_string()
}

/// One page of a list, with the link to the next as GitHub writes it.
fn page(state: &State, request: &Request, rest: &str, entries: Vec<Value>) -> Response {
    let number = |name: &str, usual: usize| {
        request.query(name).and_then(|value| value.parse().ok()).unwrap_or(usual)
    };
    let (size, page) = (number("per_page", 30).clamp(1, 100), number("page", 1).max(1));
    let from = size * (page - 1);
    let is_last = entries.len() <= from + size;
    let entries: Vec<Value> = entries.into_iter().skip(from).take(size).collect();
    let response = Response::new(200, Value::Array(entries));
    if is_last {
        return response;
    }
    let query: String = request
        .queries
        .iter()
        .filter(|(name, _)| name != "page")
        .map(|(name, value)| format!("{name}={value}&"))
        .collect();
    let next = format!("{}/repositories/1/{rest}?{query}page={}", state.url, page + 1);
    response.header("Link", &format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\""))
}
