//! Looks at the certificate of whoever answers by TLS.

use std::time::Duration;

use super::clock;
use super::line::Line;
use super::tls::Tls;
use crate::decide::certificate::{self, Certificate};
use crate::decide::observation::{FailureKind, ProbeFailure, Reply};

/// Whom to look at.
pub struct Question {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whom the certificate must be for.
    pub name: String,
    /// Whom to trust, and who we are.
    pub tls: Tls,
    /// The same, trusting everybody: to tell what is wrong with a certificate.
    pub open: Tls,
}

/// Shakes hands, and tells what the certificates say; all of it within `limit`.
///
/// # Errors
/// When nobody answers by TLS, or shows a certificate that is not trusted: then also what it says.
pub fn look(question: &Question, limit: Duration) -> Result<Reply, ProbeFailure> {
    let Question { host, port, name, tls, open } = question;
    let now = clock::wall();
    let line = match Line::dial(host, *port, limit)?.secure(tls, name) {
        Ok(line) => line,
        Err(failure) if failure.kind == FailureKind::Tls => {
            let left = limit.saturating_sub(failure.elapsed);
            let again = Line::dial(host, *port, left).and_then(|line| line.secure(open, name));
            let shown = again.map(|line| line.certificates()).unwrap_or_default();
            return Err(match shown.first().and_then(|der| Certificate::read(der)) {
                Some(own) => {
                    let message = format!("{}; {}", own.words(now), failure.message);
                    ProbeFailure { message, ..failure }
                }
                None => failure,
            });
        }
        Err(failure) => return Err(failure),
    };
    let elapsed = line.elapsed();
    certificate::reply(&line.certificates(), line.agreed().0, now)
        .map(|reply| Reply { elapsed, ..reply })
        .map_err(|message| ProbeFailure { kind: FailureKind::Broken, message, elapsed })
}
