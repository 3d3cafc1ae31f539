//! TLS: the certificate is trusted, and will be for a while.

use rustls::pki_types::ServerName;

use super::{Attempt, Kind, Probe, Surroundings, tcp, trust};
use crate::config::CheckSpec;
use crate::decide::expect::Expect;
use crate::decide::jsonpath;
use crate::decide::observation::Observation;
use crate::decide::predicate::{Comparison, Predicate};
use crate::decide::verdict::Severity;
use crate::host::certificate::{Question, look};
use crate::host::tls::{Tls, Trust};

/// Whoever answers by TLS.
pub(super) static TLS: Kind =
    Kind { key: "tls", keys: trust::KEYS, severity: Severity::Critical, build };

/// Days that a certificate must be valid for.
const DAYS: u32 = 14;

struct Handshake {
    question: Question,
    days: Expect,
    insecure: bool,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.tls.clone().unwrap_or_default().0;
    let (host, port) = tcp::parse(&own.address).map_err(|why| format!("tls: {why}"))?;
    let name = own.name.unwrap_or_else(|| host.clone());
    if ServerName::try_from(name.as_str()).is_err() {
        return Err(format!("tls: `{name}` is no host name; write it like shop.example.com"));
    }
    let trust = trust::read(spec)?;
    let insecure = trust.insecure;
    let tls = Tls::new(&trust, &[])?;
    let open = Tls::new(&Trust { insecure: true, ..trust }, &[])?;
    let least = Predicate::Compare(Comparison::Gte, own.days.unwrap_or(DAYS).into());
    let days = Expect::JsonPath(Box::new(jsonpath::parse("$.days_left")?), least);
    let question = Question { host, port, name, tls, open };
    Ok(Box::new(Handshake { question, days, insecure }))
}

impl Probe for Handshake {
    fn kind(&self) -> &'static str {
        "tls"
    }

    fn target(&self) -> String {
        tcp::show(&self.question.host, self.question.port)
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        look(&self.question, attempt.timeout).map_or_else(Observation::Failed, Observation::Reply)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Ready, self.days.clone()]
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| trust::INSECURE.into())
    }
}
