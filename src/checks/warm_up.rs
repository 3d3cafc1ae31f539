//! A request before the first look: what is loaded by its first use is not ready before that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Attempt, Probe};
use crate::config::CheckSpec;
use crate::config::check::WarmUpSpec;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};

/// It is sent until it is answered once.
pub(super) struct WarmUp {
    probe: Box<dyn Probe>,
    is_done: AtomicBool,
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
        ca: spec.ca.clone(),
        insecure: spec.insecure,
        client_cert: spec.client_cert.clone(),
        client_key: spec.client_key.clone(),
        ..CheckSpec::default()
    }
}

impl WarmUp {
    pub(super) fn new(probe: Box<dyn Probe>) -> Self {
        Self { probe, is_done: AtomicBool::new(false) }
    }

    /// The captured values that it needs.
    pub(super) fn names(&self) -> Vec<String> {
        self.probe.names()
    }

    /// Sends it, if it was not answered yet; gives what went wrong, or how long it took.
    pub(super) fn send(&self, attempt: &Attempt<'_>) -> Result<Duration, ProbeFailure> {
        if self.is_done.load(Ordering::SeqCst) {
            return Ok(Duration::ZERO);
        }
        let (kind, message, elapsed) = match self.probe.look(attempt) {
            // Whatever a server says that is not about itself, it has begun to work.
            Observation::Http(response) if response.status < 500 => {
                self.is_done.store(true, Ordering::SeqCst);
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
