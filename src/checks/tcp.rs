//! TCP: something accepts a connection, and says what it should.

use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::config::expectation::ExpectSpec;
use crate::config::values::Secret;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::verdict::Severity;
use crate::host::talk::exchange;
use crate::host::tcp;

/// A `host:port`.
pub(super) static TCP: Kind =
    Kind { key: "tcp", keys: &["send", "read-until"], severity: Severity::Critical, build };

struct Tcp {
    host: String,
    port: u16,
    words: Option<Words>,
}

/// What is said and heard.
struct Words {
    send: Secret,
    until: Option<String>,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let (host, port) = parse(spec.tcp.as_deref().unwrap_or_default())?;
    if spec.read_until.as_deref() == Some("") {
        return Err("read-until is empty; write the text that the answer ends with".into());
    }
    let lists = [&spec.expect, &spec.warn, &spec.fail_fast];
    let asks = lists.into_iter().flatten().flat_map(|list| &list.0).any(reads);
    let is_heard =
        asks || spec.send.is_some() || spec.read_until.is_some() || spec.capture.is_some();
    let words = is_heard.then(|| Words {
        send: spec.send.clone().unwrap_or_default(),
        until: spec.read_until.clone(),
    });
    Ok(Box::new(Tcp { host, port, words }))
}

/// Whether an expectation is about what is heard.
fn reads(spec: &ExpectSpec) -> bool {
    match spec {
        ExpectSpec::Body(_) | ExpectSpec::Version(_) => true,
        ExpectSpec::AnyOf(all) | ExpectSpec::AllOf(all) => all.0.iter().any(reads),
        ExpectSpec::Not(inner) => reads(inner),
        _ => false,
    }
}

/// Reads `host:port`, `[::1]:port` and `:port` (which is localhost).
pub(crate) fn parse(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("`{text}` is not host:port; write it like db.internal:5432 or [::1]:80");
    let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match (bare, host) {
        (Some(v6), _) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
        (None, "") => "localhost",
        (None, name) if !name.contains([':', '/', '@', '[', ']', ' ']) => name,
        _ => return Err(wrong()),
    };
    Ok((host.into(), port))
}

/// The address for people, as [`parse`] reads it.
pub(super) fn show(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Probe for Tcp {
    fn kind(&self) -> &'static str {
        "tcp"
    }

    fn target(&self) -> String {
        show(&self.host, self.port)
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let Some(Words { send, until }) = &self.words else {
            return tcp::connect(&self.host, self.port, attempt.timeout);
        };
        let send = send.expose().as_bytes();
        exchange(&self.host, self.port, send, until.as_deref(), attempt.timeout)
            .map_or_else(Observation::Failed, Observation::Reply)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![if self.words.is_some() { Expect::Ready } else { Expect::Connected }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_reads_host_and_port() {
        for (text, host, port) in
            [("db:5432", "db", 5432), ("[::1]:80", "::1", 80), (":8080", "localhost", 8080)]
        {
            assert_eq!(parse(text), Ok((host.to_owned(), port)));
        }
        for wrong in
            ["db", "db:", "db:0", "db:70000", "::1:80", "http://a:80", "[x]:80", "a b:1", ""]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
