//! The incident that a report tells of.

use super::history::Release;
use super::incident::{Ending, Incident};
use super::verdict::Severity;
use crate::report::v1::{Check, Deployment, Report};

/// The incident of a deployment's or rollback's report; none when it is well, or when nothing of
/// the running system was touched. Its key is empty where the report has none.
pub fn of(report: &Report) -> Option<Incident> {
    let deployment = report.deployment.as_ref()?;
    let ending = ending(deployment)?;
    let target = deployment.target_version.clone().map(|version| Release {
        version,
        sha: deployment.target_sha.clone(),
        digests: Vec::new(),
    });
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Some(Incident {
        key: report.outputs.get("incident-key").cloned().unwrap_or_default(),
        service: report.service.clone().unwrap_or_default(),
        environment: report.environment.clone().unwrap_or_default(),
        failed: Release {
            version: deployment.version.clone(),
            sha: deployment.sha.clone(),
            digests: deployment.digests.clone(),
        },
        target,
        ending,
        reason: deployment.failure.clone().unwrap_or_else(|| report.summary.clone()),
        severity: None,
        when: report.started.clone(),
        deployment: text(&deployment.id),
        run_url: None,
        ticket: None,
        forensics: None,
        steps: report.steps.clone(),
        failed_checks: failed(report),
    })
}

/// The checks of a report that decided against the release.
pub fn failed(report: &Report) -> Vec<Check> {
    let failed = |check: &&Check| check.severity == Severity::Critical && !check.verdict.is_pass();
    report.checks.iter().filter(failed).cloned().collect()
}

fn ending(deployment: &Deployment) -> Option<Ending> {
    match deployment.outcome.as_str() {
        "rolled-back" => Some(Ending::RolledBack),
        "rollback-failed" => Some(Ending::RollbackFailed),
        "failed" if !deployment.mutated => None,
        "failed" if deployment.target_version.is_none() => Some(Ending::NoTarget),
        "failed" => Some(Ending::Failed),
        "nothing" | "verified" => None,
        // Begun and never settled, or a word of a later version: a person has to look.
        _ => Some(Ending::Escalated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::verdict::Verdict;

    fn report(outcome: &str, mutated: bool, target: Option<&str>) -> Report {
        let check = |name: &str, verdict: &str, severity: &str| {
            format!(
                r#"{{"name":"{name}","kind":"http","target":"t","severity":"{severity}","verdict":"{verdict}",
                "reason":"r","duration_ms":1,"latency_ms":1.0,"attempts":1}}"#
            )
        };
        let target = target.map_or("null".into(), |target| format!("\"{target}\""));
        let text = format!(
            r#"{{"version":1,"program":"deploy","program_version":"0","started":"2026-11-21T03:00:00Z",
            "duration_ms":1,"verdict":"fail","exit_code":20,"summary":"v2 failed","service":"shop",
            "environment":"production","outputs":{{"incident-key":"abc"}},
            "checks":[{},{},{}],
            "deployment":{{"id":"d-1","version":"v2","outcome":"{outcome}","mutated":{mutated},"target_version":{target}}}}}"#,
            check("bad", "fail", "critical"),
            check("weak", "fail", "warning"),
            check("good", "pass", "critical"),
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn n1_a_report_becomes_an_incident_when_something_was_touched_and_failed() {
        let ending =
            |outcome, mutated, target| of(&report(outcome, mutated, target)).map(|i| i.ending);
        assert_eq!(ending("rolled-back", true, Some("v1")), Some(Ending::RolledBack));
        assert_eq!(ending("rollback-failed", true, Some("v1")), Some(Ending::RollbackFailed));
        assert_eq!(ending("failed", true, None), Some(Ending::NoTarget));
        assert_eq!(ending("failed", true, Some("v1")), Some(Ending::Failed));
        assert_eq!(ending("started", true, Some("v1")), Some(Ending::Escalated));
        for nothing in ["failed", "verified", "nothing"] {
            assert_eq!(ending(nothing, false, Some("v1")), None, "{nothing}");
        }
    }

    #[test]
    fn only_what_decided_is_evidence() {
        let incident = of(&report("rolled-back", true, Some("v1"))).unwrap();
        let names: Vec<_> =
            incident.failed_checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["bad"]);
        assert_eq!((incident.key.as_str(), incident.reason.as_str()), ("abc", "v2 failed"));
        assert_eq!(incident.failed_checks[0].verdict, Verdict::Fail);
        assert_eq!(incident.severity(), None);
        let worst = of(&report("failed", true, None)).unwrap();
        assert_eq!(worst.severity(), Some("SEV-1"));
    }
}
