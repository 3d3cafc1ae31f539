//! What checks saw that was wrong, as triggers of a rollback.

use super::ruling::Reason;
use crate::decide::verdict::{Severity, Verdict};
use crate::report::v1::{Check, Finding};

/// Something wrong that was observed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symptom {
    /// Which trigger it is; the first one names a decision.
    pub code: Reason,
    /// What was seen.
    pub text: String,
    /// The job that saw it.
    pub job: Option<String>,
}

/// The symptoms of critical checks that failed; `otherwise` names those with no name of their own.
pub(super) fn of_checks(checks: &[Check], otherwise: Reason, job: Option<&String>) -> Vec<Symptom> {
    let failed =
        |check: &&Check| check.severity == Severity::Critical && check.verdict == Verdict::Fail;
    let mut symptoms = Vec::new();
    for check in checks.iter().filter(failed) {
        let mut codes: Vec<Reason> = check
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Fail)
            .map(|finding| of_finding(finding).unwrap_or(otherwise))
            .collect();
        if codes.is_empty() {
            codes.push(otherwise);
        }
        symptoms.extend(codes.into_iter().map(|code| Symptom {
            code,
            text: format!("{}: {}", check.name, check.reason),
            job: job.cloned(),
        }));
    }
    symptoms
}

/// The trigger that a failed expectation is; the words are those of `decide::expect` and
/// `decide::health`.
fn of_finding(finding: &Finding) -> Option<Reason> {
    match finding.query.as_str() {
        "health" if finding.actual.contains("critical service ") => Some(Reason::CriticalService),
        "health" if finding.actual.contains("circuit") => Some(Reason::CircuitNotClosed),
        "duration" | "value" => Some(Reason::ThresholdBreached),
        query if query.starts_with("version") => Some(Reason::VersionMismatch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::expect::{Context, Expect};
    use crate::decide::health::HealthOptions;
    use crate::decide::observation::{HttpResponse, Observation};
    use serde_json::json;

    /// The symptom of a real expectation on a real answer, so that the words cannot drift apart.
    fn seen(expect: &Expect, body: &serde_json::Value) -> Option<Reason> {
        let observation = Observation::Http(HttpResponse {
            status: 200,
            body: body.to_string().into_bytes(),
            ..HttpResponse::default()
        });
        let context = Context { version: Some("v2".into()), ..Context::default() };
        let found = expect.evaluate(&observation, &context);
        assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
        of_finding(&Finding {
            query: found.what,
            expected: found.wanted,
            actual: found.found,
            verdict: found.verdict,
        })
    }

    #[test]
    fn e1_each_trigger_is_told_from_the_others() {
        let health = Expect::Health(HealthOptions {
            critical: vec!["redis".into()],
            ..HealthOptions::default()
        });
        let down = json!({ "status": "ok", "redis": { "status": "down" } });
        assert_eq!(seen(&health, &down), Some(Reason::CriticalService));
        let health = Expect::Health(HealthOptions::default());
        let open = json!({ "status": "ok", "circuits": { "payments": "open" } });
        assert_eq!(seen(&health, &open), Some(Reason::CircuitNotClosed));
        let counted = json!({ "status": "ok", "circuit_breakers": { "open": 2 } });
        assert_eq!(seen(&health, &counted), Some(Reason::CircuitNotClosed));
        assert_eq!(seen(&health, &json!({ "status": "down" })), None);
        let version = Expect::Version(crate::decide::source::Source::Body, None);
        assert_eq!(seen(&version, &json!("v1")), Some(Reason::VersionMismatch));
    }
}
