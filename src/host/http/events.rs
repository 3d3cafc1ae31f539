//! The first event of a stream (WHATWG HTML, "Server-sent events").

use std::io::Read as _;

use serde_json::{Value, json};
use ureq::http::header::CONTENT_TYPE;

use super::{Client, Failed, Request, io_failure};
use crate::decide::observation::{FailureKind, Observation, ProbeFailure, Reply};
use crate::decide::wire::events::{Event, Parser};
use crate::host::clock::Moment;

impl Client {
    /// Reads a stream of events up to the first one, or up to the first one of this type. The
    /// request's `max_body` is the limit of one event.
    pub fn first_event(&self, request: &Request, wanted: Option<&str>) -> Observation {
        let started = Moment::now();
        self.wait_for(request, wanted, started).unwrap_or_else(|(kind, message)| {
            Observation::Failed(ProbeFailure { kind, message, elapsed: started.elapsed() })
        })
    }

    fn wait_for(
        &self,
        request: &Request,
        wanted: Option<&str>,
        started: Moment,
    ) -> Result<Observation, Failed> {
        let broken = |message: String| (FailureKind::Broken, message);
        let (response, ..) = self.answer(request, started)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(broken(format!("status {status}, wanted 200: no event stream is there")));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("text/event-stream") {
            let found = if kind.is_empty() { "no content type" } else { kind };
            return Err(broken(format!("{found}, wanted text/event-stream")));
        }
        let mut stream = response.into_body().into_reader();
        let mut parser = Parser::new(request.max_body);
        let (mut bytes, mut others) = ([0; 4096], 0_usize);
        let none = |others: usize| {
            let name = wanted.map(|name| format!(" `{name}`")).unwrap_or_default();
            let others = match others {
                0 => String::new(),
                1 => ", 1 other did".into(),
                others => format!(", {others} others did"),
            };
            format!("no event{name} came{others}")
        };
        loop {
            let read = stream.read(&mut bytes).map_err(|error| {
                let (kind, message) = io_failure(&error);
                (kind, format!("{}: {message}", none(others)))
            })?;
            if read == 0 {
                return Err(broken(format!("{}: the stream has ended", none(others))));
            }
            for event in parser.push(&bytes[..read]).map_err(broken)? {
                if wanted.is_none_or(|name| event.name == name) {
                    return Ok(reply(event, started));
                }
                others += 1;
            }
        }
    }
}

fn reply(event: Event, started: Moment) -> Observation {
    let elapsed = started.elapsed();
    let data = serde_json::from_str(&event.data);
    Observation::Reply(Reply {
        document: json!({
            "event": event.name,
            "data": data.unwrap_or_else(|_| Value::from(event.data.as_str())),
            "id": &*event.id,
            "retry": event.retry,
            "first_event_ms": (elapsed.as_secs_f64() * 1e5).round() / 1e2,
        }),
        text: event.data,
        said: format!("event {}", event.name),
        not_ready: None,
        elapsed,
    })
}
