//! gRPC: what a server's health service says.

use super::{Attempt, Kind, Probe, Surroundings, http, tcp, trust};
use crate::config::CheckSpec;
use crate::config::values::Secret;
use crate::decide::expect::Expect;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};
use crate::decide::template::Template;
use crate::decide::verdict::Severity;
use crate::host::grpc::{Question, ask};
use crate::host::tls::Tls;

/// A gRPC server.
pub(super) static GRPC: Kind = Kind {
    key: "grpc",
    keys: &["headers", "auth", "ca", "insecure", "client-cert", "client-key"],
    severity: Severity::Critical,
    build,
};

/// The longest name of a service, in bytes.
const SERVICE: usize = 127;

struct Grpc {
    host: String,
    port: u16,
    service: String,
    headers: Vec<(String, Template)>,
    tls: Option<Tls>,
    insecure: bool,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.grpc.clone().unwrap_or_default();
    let (host, port) = tcp::parse(&own.address)?;
    let service = own.service.unwrap_or_default();
    if service.len() > SERVICE || service.chars().any(|c| c.is_control() || c == ' ') {
        return Err(format!("`{service}` is not the name of a service, like shop.v1.Orders"));
    }
    let headers = http::headers(spec)?;
    let of_ours = |(name, _): &&(String, Template)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("grpc-") || matches!(&*name, "te" | "host" | "connection" | "content-type")
    };
    if let Some((name, _)) = headers.iter().find(of_ours) {
        return Err(format!("the header {name} belongs to the call itself; leave it out"));
    }
    let trust = trust::read(spec)?;
    let speaks_tls = own.tls.unwrap_or(false);
    if !speaks_tls && trust != crate::host::tls::Trust::default() {
        return Err("ca, insecure and client-cert need `tls: true` beside the address".into());
    }
    let tls = speaks_tls.then(|| Tls::new(&trust, &["h2"])).transpose()?;
    Ok(Box::new(Grpc { host, port, service, headers, tls, insecure: trust.insecure }))
}

impl Probe for Grpc {
    fn kind(&self) -> &'static str {
        "grpc"
    }

    fn target(&self) -> String {
        let slash = if self.service.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", tcp::show(&self.host, self.port), self.service)
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let header = |(name, value): &(String, Template)| {
            Ok((name.clone(), Secret::new(value.render(attempt.variables)?)))
        };
        let headers: Vec<(String, Secret)> =
            match self.headers.iter().map(header).collect::<Result<_, String>>() {
                Ok(headers) => headers,
                Err(name) => return http::not_captured(&name),
            };
        let is_odd = |(_, value): &&(String, Secret)| value.expose().chars().any(char::is_control);
        if let Some((name, _)) = headers.iter().find(is_odd) {
            return Observation::Failed(ProbeFailure {
                kind: FailureKind::NotAsked,
                message: format!("the value of the header {name} has control characters"),
                elapsed: std::time::Duration::ZERO,
            });
        }
        ask(&Question {
            host: &self.host,
            port: self.port,
            authority: tcp::show(&self.host, self.port),
            tls: self.tls.as_ref(),
            service: &self.service,
            headers,
            timeout: attempt.timeout,
        })
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Ready]
    }

    fn names(&self) -> Vec<String> {
        self.headers.iter().flat_map(|(_, value)| value.names()).collect()
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| "insecure: the certificate is not verified".into())
    }
}
