//! One question to the health service of a gRPC server, over HTTP/2.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use super::line::Line;
use super::tls::Tls;
use crate::config::values::Secret;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure, Reply};
use crate::decide::wire::grpc::{CHECK, question, read};
use crate::decide::wire::http2::{Exchange, goodbye, request};

/// What to ask.
pub struct Question<'a> {
    /// The host's name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Both, as the server is to see them.
    pub authority: String,
    /// How to speak TLS, if at all; it must offer `h2`.
    pub tls: Option<&'a Tls>,
    /// The service; empty for the whole server.
    pub service: &'a str,
    /// Metadata with values that are never shown.
    pub headers: Vec<(String, Secret)>,
    /// The limit of everything together.
    pub timeout: Duration,
}

/// Asks once.
pub fn ask(question: &Question<'_>) -> Observation {
    exchange(question).map_or_else(Observation::Failed, Observation::Reply)
}

fn exchange(asked: &Question<'_>) -> Result<Reply, ProbeFailure> {
    let request = request(&headers(asked), &question(asked.service)).map_err(|message| {
        ProbeFailure { kind: FailureKind::NotAsked, message, elapsed: Duration::ZERO }
    })?;
    let mut line = Line::dial(asked.host, asked.port, asked.timeout)?;
    let failed = |line: &Line, kind, message: String| {
        let elapsed = line.elapsed();
        ProbeFailure { kind, message, elapsed }
    };
    if let Some(tls) = asked.tls {
        line = line.secure(tls, asked.host)?;
        // RFC 9113 §3.2.
        if line.agreed().1.as_deref() != Some("h2") {
            let why = "TLS: the server did not agree to HTTP/2 (ALPN h2)";
            return Err(failed(&line, FailureKind::Tls, why.into()));
        }
    }
    let sent = line.write_all(&request).and_then(|()| line.flush());
    sent.map_err(|error| line.failure(&error))?;
    let mut exchange = Exchange::default();
    while !exchange.is_over() {
        let mut bytes = [0; 4096];
        let count = line.read(&mut bytes).map_err(|error| line.failure(&error))?;
        if count == 0 {
            let why = "the connection was closed before the answer";
            return Err(failed(&line, FailureKind::Broken, why.into()));
        }
        let back = exchange.push(&bytes[..count]);
        let back = back.map_err(|why| failed(&line, FailureKind::Broken, why))?;
        // Whoever has said all that was asked may not listen any more.
        let sent = line.write_all(&back).and_then(|()| line.flush());
        if !exchange.is_over() {
            sent.map_err(|error| line.failure(&error))?;
        }
    }
    let elapsed = line.elapsed();
    line.write_all(&goodbye()).and_then(|()| line.flush()).unwrap_or_default();
    let reply = read(&exchange.answer().unwrap_or_default(), asked.service);
    let reply = reply.map_err(|(kind, why)| failed(&line, kind, why))?;
    Ok(Reply { elapsed, ..reply })
}

/// The headers of a call, in the order that gRPC asks for.
fn headers(asked: &Question<'_>) -> Vec<(String, String)> {
    let scheme = if asked.tls.is_some() { "https" } else { "http" };
    let timeout = format!("{}m", asked.timeout.as_millis().clamp(1, 99_999_999));
    let agent = concat!("waveoff/", env!("CARGO_PKG_VERSION"));
    let own = [
        (":method", "POST"),
        (":scheme", scheme),
        (":path", CHECK),
        (":authority", &asked.authority),
        ("te", "trailers"),
        ("grpc-timeout", &timeout),
        ("content-type", "application/grpc"),
        ("user-agent", agent),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let metadata = asked.headers.iter();
    let metadata = metadata.map(|(name, value)| (name.to_lowercase(), value.expose().to_owned()));
    own.into_iter().chain(metadata).collect()
}
