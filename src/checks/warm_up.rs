//! A request before the first look: what is loaded by its first use is not ready before that.

use std::sync::OnceLock;
use std::time::Duration;

use super::{Attempt, Probe};
use crate::config::CheckSpec;
use crate::config::check::WarmUpSpec;
use crate::decide::cookies::Jar;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};

/// It is sent until it is answered once.
pub(super) struct WarmUp {
    probe: Box<dyn Probe>,
    /// The cookies that came with its answer.
    answered: OnceLock<Jar>,
}

/// The check that the request would be: with the credentials and the trust of its own check.
pub(super) fn as_check(spec: &CheckSpec, own: &WarmUpSpec) -> CheckSpec {
    CheckSpec {
        url: own.url.clone(),
        path: own.path.clone(),
        method: own.method.clone(),
        headers: own.headers.clone().or_else(|| spec.headers.clone()),
        body: own.body.clone(),
        json: own.json.clone(),
        auth: spec.auth.clone(),
        cookies: spec.cookies.clone(),
        ca: spec.ca.clone(),
        insecure: spec.insecure,
        client_cert: spec.client_cert.clone(),
        client_key: spec.client_key.clone(),
        ..CheckSpec::default()
    }
}

impl WarmUp {
    pub(super) fn new(probe: Box<dyn Probe>) -> Self {
        Self { probe, answered: OnceLock::new() }
    }

    /// The captured values that it needs.
    pub(super) fn names(&self) -> Vec<String> {
        self.probe.names()
    }

    /// Sends it, if it was not answered yet; gives what went wrong, or how long it took. What it has
    /// brought is added to the cookies each time.
    pub(super) fn send(
        &self,
        attempt: &Attempt<'_>,
        cookies: Option<&mut Jar>,
    ) -> Result<Duration, ProbeFailure> {
        let took = match self.answered.get() {
            Some(_) => Duration::ZERO,
            None => self.ask(attempt, cookies.as_deref())?,
        };
        if let (Some(jar), Some(news)) = (cookies, self.answered.get()) {
            jar.add(news);
        }
        Ok(took)
    }

    fn ask(&self, attempt: &Attempt<'_>, before: Option<&Jar>) -> Result<Duration, ProbeFailure> {
        let (kind, message, elapsed) = match self.probe.look(attempt) {
            // Whatever a server says that is not about itself, it has begun to work.
            Observation::Http(response) if response.status < 500 => {
                let jar = response.cookies.unwrap_or_default();
                let news = before.map(|before| jar.since(before)).unwrap_or_default();
                // Of several that ask at once, the first answer is kept.
                self.answered.get_or_init(|| news);
                return Ok(response.elapsed);
            }
            Observation::Http(response) => {
                (FailureKind::Broken, format!("status {}", response.status), response.elapsed)
            }
            Observation::Failed(failure) => (failure.kind, failure.message, failure.elapsed),
            other => (FailureKind::Broken, "no answer over HTTP".into(), other.elapsed()),
        };
        let message = format!("the warm-up request: {message}");
        Err(ProbeFailure { kind, message, elapsed })
    }
}
