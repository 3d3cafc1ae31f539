//! Connections, routes, and the faults that act on the wire.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::documents::{self, Metrics};
use crate::faults::{Fault, Faults};
use crate::http::{self, Request, Response};
use crate::pages::{Answer, Pages};
use crate::streams;

pub(crate) struct Service {
    version: String,
    faults: Mutex<Faults>,
    metrics: Mutex<Metrics>,
    tokens: Mutex<BTreeSet<String>>,
    /// Requests that `error-rate` counts.
    counted: AtomicU64,
    detections: AtomicU64,
    data: Option<PathBuf>,
    pages: Pages,
    /// Requests that were read and not answered yet.
    unanswered: AtomicU64,
}

/// How long requests on their way may keep it from ending.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

impl Service {
    pub(crate) fn new(
        version: String,
        faults: Faults,
        data: Option<PathBuf>,
        pages: Pages,
    ) -> Self {
        Self {
            version,
            faults: Mutex::new(faults),
            metrics: Mutex::default(),
            tokens: Mutex::default(),
            counted: AtomicU64::new(0),
            detections: AtomicU64::new(0),
            data,
            pages,
            unanswered: AtomicU64::new(0),
        }
    }

    /// Returns when no request waits for an answer, or soon after.
    pub(crate) fn wait_for_answers(&self) {
        let started = Instant::now();
        while self.unanswered.load(Ordering::SeqCst) > 0 && started.elapsed() < LAST_ANSWERS {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Answers the requests of one connection until the client, or an error, ends it.
    pub(crate) fn connection(&self, mut stream: TcpStream) {
        let Ok(input) = stream.try_clone() else { return };
        let _ = stream.set_nodelay(true);
        let mut input = BufReader::new(input);
        loop {
            let mut request = match http::read(&mut input) {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(problem) => {
                    let answer = Response::text(400, format!("{problem}\n"));
                    let _ = answer.write(&mut stream, false, false);
                    return;
                }
            };
            let mut page = self.pages.answer(&request);
            if let Some(path) = page.and_then(|page| page.like.as_ref()) {
                request.path.clone_from(path);
                page = None;
            }
            // These go on until the client leaves, and are nobody's last answer.
            match (request.path.as_str(), &request.websocket_key) {
                ("/echo", Some(key)) if page.is_none() => {
                    let _ = streams::echo(&mut input, &mut stream, key);
                    return;
                }
                ("/events", _) if page.is_none() && request.method == "GET" => {
                    let _ = streams::events(&mut stream, &self.version);
                    return;
                }
                _ => {}
            }
            self.unanswered.fetch_add(1, Ordering::SeqCst);
            let answered = self.exchange(&request, page, &mut stream);
            self.unanswered.fetch_sub(1, Ordering::SeqCst);
            if answered.is_err() || !request.keep_alive {
                return;
            }
        }
    }

    fn exchange(
        &self,
        request: &Request,
        page: Option<&Answer>,
        stream: &mut TcpStream,
    ) -> io::Result<()> {
        let started = Instant::now();
        let faults = lock(&self.faults).clone();
        let version = faults.text(Fault::WrongVersion).unwrap_or(&self.version);
        // What switches faults is never hit by them.
        let control = request.path == "/fault" || request.path.starts_with("/fault/");
        if let Some(ms) = faults.number(Fault::Slow).filter(|_| !control) {
            thread::sleep(Duration::from_secs_f64(ms / 1000.0));
        }
        let response = match control {
            true => self.control(request),
            false if self.errs(&faults, request) => Response::text(500, "fault error-rate\n"),
            false => match page {
                Some(page) => page.response(version),
                None => self.route(request, version, &faults),
            },
        };
        let response = response.with("X-Version", version);
        lock(&self.metrics).record(response.status, started.elapsed());
        if control {
            return response.write(stream, request.keep_alive, false);
        }
        if faults.has(Fault::EndlessHeaders) {
            return endless_headers(stream, &response);
        }
        if let Some(bytes) = faults.number(Fault::HugeBody) {
            return huge_body(stream, &response, bytes as u64);
        }
        if let Some(ms) = faults.number(Fault::SlowLoris) {
            return slow_loris(stream, &response, Duration::from_secs_f64(ms / 1000.0));
        }
        response.write(stream, request.keep_alive, request.method == "HEAD")
    }

    fn route(&self, request: &Request, version: &str, faults: &Faults) -> Response {
        let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
        match (method, request.path.as_str()) {
            ("GET", "/") => documents::home(version),
            ("GET", "/health") => documents::alive(version, faults),
            ("GET", "/ready") => documents::ready(faults),
            ("GET", "/health/full") => documents::full(version, faults),
            ("GET", "/actuator/health") => documents::actuator(faults),
            ("GET", "/version") => Response::json(200, format!("{{\"version\":\"{version}\"}}\n")),
            ("GET", "/openapi.json") => documents::description(version),
            ("GET", "/metrics") => lock(&self.metrics).page(version),
            ("GET", "/starts") => self.starts(),
            ("GET", "/redirect") => Response::text(302, "").with("Location", "/"),
            ("POST", "/login") => self.login(request),
            ("GET", "/me") => self.me(request),
            ("POST", "/api/v1/detections") => self.detect(request),
            (_, "/login" | "/api/v1/detections") => refuse("POST"),
            (
                _,
                "/" | "/health" | "/ready" | "/health/full" | "/actuator/health" | "/version"
                | "/openapi.json" | "/metrics" | "/redirect" | "/me",
            ) => refuse("GET, HEAD"),
            _ => documents::not_found(),
        }
    }

    /// The versions that ran on the same data, oldest first.
    fn starts(&self) -> Response {
        let file = self.data.as_ref().map(|folder| folder.join(crate::others::STARTS));
        match file.map(std::fs::read_to_string) {
            None => documents::not_found(),
            Some(Ok(text)) => Response::text(200, text),
            Some(Err(problem)) => Response::text(500, format!("{problem}\n")),
        }
    }

    fn login(&self, request: &Request) -> Response {
        if !request.body.trim_ascii_start().starts_with(b"{") {
            return Response::json(400, "{\"error\":\"a JSON object is wanted\"}\n");
        }
        let mut tokens = lock(&self.tokens);
        let token = format!("sample-token-{}", tokens.len() + 1);
        let response = Response::json(200, format!("{{\"token\":\"{token}\"}}\n"));
        tokens.insert(token);
        response
    }

    fn me(&self, request: &Request) -> Response {
        let token = request.authorization.strip_prefix("Bearer ").unwrap_or_default();
        match lock(&self.tokens).contains(token) {
            true => Response::json(200, "{\"user\":\"sample\"}\n"),
            false => Response::json(401, "{\"error\":\"log in first\"}\n")
                .with("WWW-Authenticate", "Bearer"),
        }
    }

    fn detect(&self, request: &Request) -> Response {
        if request.body.is_empty() {
            return Response::json(400, "{\"error\":\"a body is wanted\"}\n");
        }
        let id = self.detections.fetch_add(1, Ordering::Relaxed) + 1;
        let body = format!("<?xml version=\"1.0\"?>\n<detection id=\"{id}\"/>\n");
        Response::new(201, "application/xml", body)
            .with("Location", format!("/api/v1/detections/{id}"))
    }

    fn control(&self, request: &Request) -> Response {
        let name = request.path.strip_prefix("/fault/").unwrap_or_default();
        let value = request.query.strip_prefix("value=").unwrap_or_default();
        let mut faults = lock(&self.faults);
        let changed = match request.method.as_str() {
            "GET" if name.is_empty() => Ok(()),
            "POST" => set_while_running(&mut faults, name, value),
            "DELETE" => faults.clear(name),
            _ => return refuse("GET, POST, DELETE"),
        };
        match changed {
            Ok(()) => Response::json(200, faults.json()),
            Err(problem) => Response::text(400, format!("{problem}\n")),
        }
    }

    /// Spreads the errors evenly: exactly so many of every hundred requests.
    fn errs(&self, faults: &Faults, request: &Request) -> bool {
        let Some(percent) = faults.number(Fault::ErrorRate) else { return false };
        if request.path == "/metrics" {
            return false;
        }
        let before = self.counted.fetch_add(1, Ordering::Relaxed) as f64;
        (before * percent / 100.0).floor() < ((before + 1.0) * percent / 100.0).floor()
    }
}

fn set_while_running(faults: &mut Faults, name: &str, value: &str) -> Result<(), String> {
    let mut changed = faults.clone();
    let fault = changed.set(name, value)?;
    if fault.only_at_start() {
        return Err(format!("fault {name} can only be given at the start"));
    }
    if let Some(seconds) = changed.number(fault).filter(|_| fault == Fault::CrashAfter) {
        crate::crash_after(seconds);
    }
    *faults = changed;
    Ok(())
}

fn refuse(allowed: &'static str) -> Response {
    Response::text(405, format!("allowed: {allowed}\n")).with("Allow", allowed)
}

fn endless_headers(stream: &mut TcpStream, response: &Response) -> io::Result<()> {
    stream.write_all(response.head(0, false).as_bytes())?;
    let lines = "X-Endless: 0123456789abcdef0123456789abcdef\r\n".repeat(100);
    loop {
        stream.write_all(lines.as_bytes())?;
    }
}

fn huge_body(stream: &mut TcpStream, response: &Response, bytes: u64) -> io::Result<()> {
    stream.write_all(format!("{}\r\n", response.head(bytes, false)).as_bytes())?;
    let block = [b'x'; 65536];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(block.len() as u64);
        stream.write_all(&block[..now as usize])?;
        left -= now;
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}

fn slow_loris(stream: &mut TcpStream, response: &Response, pause: Duration) -> io::Result<()> {
    let mut whole = Vec::new();
    response.write(&mut whole, false, false)?;
    for byte in whole {
        stream.write_all(&[byte])?;
        thread::sleep(pause);
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// A panic in another connection leaves nothing half written here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
