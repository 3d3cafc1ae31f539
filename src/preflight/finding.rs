//! One thing that was looked at, with what is to be done about it.

use std::time::Duration;

use crate::config::preflight::Kind;
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::words::shorten;
use crate::report::v1;

/// Characters of a reason that are shown: some of them others wrote.
const LONGEST: usize = 300;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What of.
    pub kind: Kind,
    /// What it is about: an image, a file. Empty when there is only one of its kind.
    pub about: String,
    /// Whether it decides, where nobody says otherwise.
    pub severity: Severity,
    /// The judgement.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// What would mend it.
    pub remedy: Option<String>,
    /// What was wanted and found, one by one.
    pub evidence: Vec<v1::Finding>,
    /// What is told besides.
    pub warnings: Vec<String>,
}

impl Finding {
    /// It is as it must be.
    pub fn pass(kind: Kind, about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            kind,
            about: about.into(),
            severity: Severity::Critical,
            verdict: Verdict::Pass,
            reason: reason.into(),
            remedy: None,
            evidence: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// It is not, and this would mend it.
    pub fn bad(
        kind: Kind,
        about: impl Into<String>,
        verdict: Verdict,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { verdict, remedy, ..Self::pass(kind, about, reason) }
    }

    /// The same, told and not deciding.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Its published form.
    pub(super) fn publish(self, severity: Severity, took: Duration) -> v1::Check {
        let name = match self.about.is_empty() {
            true => self.kind.name().to_owned(),
            false => format!("{}: {}", self.kind.name(), self.about),
        };
        v1::Check {
            name,
            kind: self.kind.name().into(),
            target: if self.about.is_empty() { self.kind.name().into() } else { self.about },
            severity,
            verdict: self.verdict,
            reason: shorten(&self.reason, LONGEST),
            remedy: self.remedy,
            duration_ms: took.as_millis() as u64,
            latency_ms: (took.as_secs_f64() * 1e5).round() / 1e2,
            attempts: 1,
            findings: self.evidence,
            warnings: self.warnings,
            circuits: std::collections::BTreeMap::new(),
            timeline: Vec::new(),
            last_response: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_a_reason_that_others_wrote_has_an_end() {
        let finding = Finding::pass(Kind::Image, "shop", "long ".repeat(1000));
        let check = finding.publish(Severity::Critical, Duration::ZERO);
        assert!(check.reason.chars().count() <= LONGEST + 1, "{}", check.reason);
    }
}
