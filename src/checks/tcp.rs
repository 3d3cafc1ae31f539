//! TCP: something accepts a connection.

use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::verdict::Severity;
use crate::host::tcp;

/// A `host:port`.
pub(super) static TCP: Kind = Kind { key: "tcp", keys: &[], severity: Severity::Critical, build };

struct Tcp {
    host: String,
    port: u16,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let (host, port) = parse(spec.tcp.as_deref().unwrap_or_default())?;
    Ok(Box::new(Tcp { host, port }))
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
        tcp::connect(&self.host, self.port, attempt.timeout)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Connected]
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
