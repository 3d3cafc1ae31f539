//! Health documents: one reading of the many shapes in which services say how they are.
//!
//! Understood are liveness and readiness documents, full health with named services, circuit
//! breakers and workers, Spring Boot's actuator, ASP.NET Core's report, the IETF draft `application/health+json`
//! (draft-inadarei-api-health-check-06), and a lazily started engine's `aiAvailability`.

use super::verdict::Verdict;

mod circuits;
mod judge;
mod read;

pub use judge::judge;

/// How a service or a part of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// As it should be.
    Healthy,
    /// It works, with something missing.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// It says a word that means none of these, or nothing (an empty word).
    Unknown(String),
}

impl Condition {
    /// The condition that a word stands for, compared without case.
    pub fn of_word(word: &str) -> Condition {
        match word.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "pass" | "passed" | "ok" | "up" | "healthy" | "alive" | "ready" | "green"
            | "available" | "operational" | "connected" => Condition::Healthy,
            "warn" | "warning" | "degraded" | "yellow" => Condition::Degraded,
            "fail" | "failed" | "error" | "down" | "unhealthy" | "out_of_service" | "dead"
            | "not_ready" | "red" | "unavailable" | "critical" | "disconnected" => {
                Condition::Unhealthy
            }
            _ => Condition::Unknown(word.into()),
        }
    }
}

/// A named part of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its name in the document.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// Whether the document itself calls it critical.
    pub critical: Option<bool>,
    /// Whether it is a worker, which runs or does not.
    pub is_worker: bool,
    /// What it says about itself.
    pub message: Option<String>,
}

/// A named circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// Its name.
    pub name: String,
    /// `closed`, `half-open` or `open`, or an unknown word.
    pub state: String,
}

impl Circuit {
    /// Whether it lets all requests through.
    pub fn is_closed(&self) -> bool {
        self.state == "closed"
    }
}

/// What a document says, whatever its shape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HealthDocument {
    /// The document's own word for the whole.
    pub overall: Option<Condition>,
    /// Named parts.
    pub components: Vec<Component>,
    /// Named circuits.
    pub circuits: Vec<Circuit>,
    /// How many circuits are not closed by the document's counts.
    pub not_closed: u64,
    /// What stands in the place of circuits and is not understood: its name, and why.
    pub unclear: Vec<(String, String)>,
}

/// What the caller knows better than the document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthOptions {
    /// Services that must be in the document and healthy or degraded.
    pub critical: Vec<String>,
    /// Circuits that may be open.
    pub except_circuits: Vec<String>,
}

/// The judgement of a document, with every reason.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthJudgement {
    /// Pass (perhaps degraded), Inconclusive or Fail.
    pub verdict: Verdict,
    /// Why it is not a pass.
    pub failures: Vec<String>,
    /// What is told and does not decide.
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests;
