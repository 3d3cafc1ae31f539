//! WebSockets: a connection that answers a ping, and a message if one is asked for.

use super::{Attempt, Kind, Probe, Surroundings, http, trust};
use crate::config::CheckSpec;
use crate::config::values::Secret;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::template::Template;
use crate::decide::verdict::Severity;
use crate::host::tls::Tls;
use crate::host::websocket::{Question, ask};

/// A WebSocket.
pub(super) static WEBSOCKET: Kind = Kind {
    key: "websocket",
    keys: &["headers", "auth", "ca", "insecure", "client-cert", "client-key", "max-body"],
    severity: Severity::Critical,
    build,
};

/// Bytes of a message or an event when the check does not say, and the most that is possible: what
/// it becomes as JSON may be many times as long.
const MAX_BODY: u32 = 64 << 10;
const MOST_BODY: u32 = 1 << 20;

struct Websocket {
    url: Template,
    headers: Vec<(String, Template)>,
    subprotocol: Option<String>,
    send: Option<Template>,
    until: Option<Template>,
    max_body: usize,
    tls: Option<Tls>,
    insecure: bool,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.websocket.clone().unwrap_or_default();
    let url = own.url.trim();
    http::check_url(url, ["ws", "wss"])?;
    let is_token = |name: &&String| !name.is_empty() && name.bytes().all(is_token_byte);
    if let Some(name) = own.subprotocol.as_ref().filter(|name| !is_token(name)) {
        return Err(format!("`{name}` is not the name of a subprotocol (RFC 6455)"));
    }
    if own.until.as_deref() == Some("") {
        return Err("websocket: until is empty, and every message has that in it".into());
    }
    let headers = http::headers(spec)?;
    let of_ours = |(name, _): &&(String, Template)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("sec-websocket-")
            || matches!(
                &*name,
                "host" | "upgrade" | "connection" | "content-length" | "transfer-encoding"
            )
    };
    if let Some((name, _)) = headers.iter().find(of_ours) {
        return Err(format!("the header {name} belongs to the handshake; leave it out"));
    }
    let trust = trust::read(spec)?;
    let is_secure = url.starts_with("wss://");
    let tls = is_secure.then(|| Tls::new(&trust, &["http/1.1"])).transpose()?;
    Ok(Box::new(Websocket {
        url: Template::new(url),
        headers,
        subprotocol: own.subprotocol,
        send: own.send.map(Template::new),
        until: own.until.map(Template::new),
        max_body: max_body(spec)?,
        tls,
        insecure: trust.insecure,
    }))
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The bytes of a message or an event that are read.
pub(super) fn max_body(spec: &CheckSpec) -> Result<usize, String> {
    match spec.max_body.unwrap_or(MAX_BODY) {
        bytes if bytes == 0 || bytes > MOST_BODY => {
            Err(format!("max-body is {bytes}; 1 to {MOST_BODY} bytes are possible"))
        }
        bytes => Ok(bytes as usize),
    }
}

impl Probe for Websocket {
    fn kind(&self) -> &'static str {
        "websocket"
    }

    fn target(&self) -> String {
        self.url.source().split('?').next().unwrap_or_default().into()
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        match self.question(attempt) {
            Ok(question) => ask(&question),
            Err(name) => http::not_captured(&name),
        }
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Ready]
    }

    fn names(&self) -> Vec<String> {
        let headers = self.headers.iter().map(|(_, value)| value);
        headers
            .chain([&self.url])
            .chain(&self.send)
            .chain(&self.until)
            .flat_map(Template::names)
            .collect()
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| "insecure: the certificate is not verified".into())
    }
}

impl Websocket {
    fn question(&self, attempt: &Attempt<'_>) -> Result<Question<'_>, String> {
        let variables = attempt.variables;
        let header = |(name, value): &(String, Template)| {
            Ok((name.clone(), Secret::new(value.render(variables)?)))
        };
        Ok(Question {
            url: self.url.render(variables)?,
            tls: self.tls.as_ref(),
            headers: self.headers.iter().map(header).collect::<Result<_, String>>()?,
            subprotocol: self.subprotocol.as_deref(),
            send: self.send.as_ref().map(|text| text.render(variables)).transpose()?,
            until: self.until.as_ref().map(|text| text.render(variables)).transpose()?,
            max_body: self.max_body,
            timeout: attempt.timeout,
        })
    }
}
