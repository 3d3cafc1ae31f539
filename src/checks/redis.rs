//! Redis: it answers PING, and what its INFO tells.

use super::{Attempt, Kind, Probe, Surroundings, tcp, trust};
use crate::config::CheckSpec;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::verdict::Severity;
use crate::host::redis::{Question, ask};
use crate::host::tls::Tls;

/// A Redis server.
pub(super) static REDIS: Kind =
    Kind { key: "redis", keys: trust::KEYS, severity: Severity::Critical, build };

struct Redis {
    question: Question,
    insecure: bool,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let own = spec.redis.clone().unwrap_or_default().0;
    let (host, port) = tcp::parse(&own.address).map_err(|why| format!("redis: {why}"))?;
    if own.user.is_some() && own.password.is_none() {
        return Err("redis: user needs a password beside it".into());
    }
    let trust = trust::read(spec)?;
    let tls = match own.tls {
        Some(true) => Some(Tls::new(&trust, &[])?),
        _ if spec.present().iter().any(|key| trust::KEYS.contains(key)) => {
            return Err(format!("{} need `tls: true` in redis", trust::KEYS.join(", ")));
        }
        _ => None,
    };
    let (user, password, info) = (own.user, own.password, own.info.unwrap_or(false));
    let question = Question { host, port, user, password, tls, info };
    Ok(Box::new(Redis { question, insecure: trust.insecure }))
}

impl Probe for Redis {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn target(&self) -> String {
        tcp::show(&self.question.host, self.question.port)
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        ask(&self.question, attempt.timeout).map_or_else(Observation::Failed, Observation::Reply)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Ready]
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| trust::INSECURE.into())
    }
}
