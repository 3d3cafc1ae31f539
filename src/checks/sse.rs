//! Event streams: the first event, or the first one of a type.

use super::{Attempt, Kind, Probe, Surroundings, http, trust, websocket};
use crate::config::CheckSpec;
use crate::config::values::Secret;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::template::Template;
use crate::decide::verdict::Severity;
use crate::host::http::{Client, Request};

/// An event stream.
pub(super) static SSE: Kind = Kind {
    key: "sse",
    keys: &["headers", "auth", "ca", "insecure", "client-cert", "client-key", "max-body"],
    severity: Severity::Critical,
    build,
};

struct Sse {
    url: Template,
    event: Option<String>,
    headers: Vec<(String, Template)>,
    max_body: usize,
    insecure: bool,
    client: Client,
}

fn build(spec: &CheckSpec, surroundings: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.sse.clone().unwrap_or_default();
    let url = own.url.trim();
    http::check_url(url, ["http", "https"])?;
    if own.event.as_ref().is_some_and(|name| name.is_empty() || name.contains(['\n', '\r'])) {
        return Err("event is empty or has several lines; an event's type is one line".into());
    }
    let trust = trust::read(spec)?;
    let mut headers = http::headers(spec)?;
    // Compressed, an event could be held back for the next ones.
    for (name, value) in [("Accept", "text/event-stream"), ("Accept-Encoding", "identity")] {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.push((name.into(), Template::new(value)));
        }
    }
    Ok(Box::new(Sse {
        url: Template::new(url),
        event: own.event,
        headers,
        max_body: websocket::max_body(spec)?,
        insecure: trust.insecure,
        client: surroundings.clients.trusting(&trust)?,
    }))
}

impl Probe for Sse {
    fn kind(&self) -> &'static str {
        "sse"
    }

    fn target(&self) -> String {
        self.url.source().split('?').next().unwrap_or_default().into()
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        match self.request(attempt) {
            Ok(request) => self.client.first_event(&request, self.event.as_deref()),
            Err(name) => http::not_captured(&name),
        }
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Ready]
    }

    fn names(&self) -> Vec<String> {
        let headers = self.headers.iter().map(|(_, value)| value);
        headers.chain([&self.url]).flat_map(Template::names).collect()
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| "insecure: the certificate is not verified".into())
    }
}

impl Sse {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, String> {
        let variables = attempt.variables;
        let header = |(name, value): &(String, Template)| {
            Ok((name.clone(), Secret::new(value.render(variables)?)))
        };
        Ok(Request {
            url: self.url.render(variables)?,
            method: "GET".into(),
            headers: self.headers.iter().map(header).collect::<Result<_, String>>()?,
            body: None,
            redirects: false,
            max_body: self.max_body,
            timeout: attempt.timeout,
        })
    }
}
