//! DNS: a name resolves, and to what.

use std::net::{IpAddr, SocketAddr};

use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::decide::dns as records;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::verdict::Severity;
use crate::host::dns;

/// A name that resolves.
pub(super) static DNS: Kind = Kind { key: "dns", keys: &[], severity: Severity::Critical, build };

struct Dns {
    name: String,
    kind: Option<records::Kind>,
    server: Option<SocketAddr>,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.dns.clone().unwrap_or_default().0;
    let kind = own.r#type;
    records::question(0, &own.name, records::Kind::A).map_err(|why| format!("dns: {why}"))?;
    let server = own.server.as_deref().map(server).transpose()?;
    if server.is_some() && kind.is_none() {
        return Err("dns: server needs a type beside it, like `type: A`".into());
    }
    Ok(Box::new(Dns { name: own.name, kind, server }))
}

/// An address with or without a port.
fn server(text: &str) -> Result<SocketAddr, String> {
    let whole = text.parse().ok().filter(|server: &SocketAddr| server.port() != 0);
    let bare = || text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 53));
    whole.or_else(bare).ok_or_else(|| {
        format!("dns: `{text}` is no server; write it like 192.0.2.53, 127.0.0.1:5353 or [::1]:53")
    })
}

impl Probe for Dns {
    fn kind(&self) -> &'static str {
        "dns"
    }

    fn target(&self) -> String {
        match self.kind {
            Some(kind) => format!("{} {}", self.name, kind.name()),
            None => self.name.clone(),
        }
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        use records::Kind::{A, Aaaa};
        let told = match (self.kind, self.server) {
            (None | Some(A | Aaaa), None) => dns::resolve(&self.name, self.kind, attempt.timeout),
            (kind, server) => dns::ask(&self.name, kind.unwrap_or(A), server, attempt.timeout),
        };
        told.map_or_else(Observation::Failed, Observation::Reply)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Ready]
    }
}
