//! Whether a report proves that a release, which others deployed, is well: it must be about this
//! release, at this place, of now, and have seen all that the release's own suite would look at.

use std::time::{Duration, SystemTime};

use super::verdict::{Severity, Verdict, of_suite};
use super::words::{same_version, show_duration};
use crate::exit::Exit;
use crate::report::v1::Report;

/// How old a report may be: what was well an hour ago says nothing about now.
const AGE: Duration = Duration::from_secs(3600);
/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(300);

/// What the report is to prove.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The version that is said to run.
    pub version: &'a str,
    /// The service.
    pub service: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The names of the critical checks of the suite.
    pub suite: &'a [String],
    /// When something was last changed here, as far as the ledger knows.
    pub changed: Option<SystemTime>,
    /// The time of the claim.
    pub now: SystemTime,
}

/// Why the report does not prove the claim; nothing when it does.
pub fn refusals(report: &Report, claim: &Claim<'_>) -> Vec<String> {
    let mut why = Vec::new();
    if !matches!(report.program.as_str(), "smoke-test" | "wait-healthy") {
        why.push(format!("it is by {}, not by smoke-test or wait-healthy", report.program));
    }
    let critical = || report.checks.iter().filter(|check| check.severity == Severity::Critical);
    let seen = of_suite(report.checks.iter().map(|check| (check.severity, check.verdict)));
    // Both, since neither a verdict without checks nor checks without a verdict prove anything.
    let verdict = report.verdict.max(seen);
    if verdict != Verdict::Pass {
        why.push(format!("its verdict is {}, not pass", verdict.word()));
    } else if report.exit_code != Exit::Pass.code() {
        why.push(format!("its exit code is {}", report.exit_code));
    }
    match &report.expected_version {
        Some(version) if same_version(version, claim.version) => {}
        Some(version) => why.push(format!("it is about the version {version}")),
        None => why.push("it does not say which version it expected".into()),
    }
    let places = [
        ("service", &report.service, claim.service),
        ("environment", &report.environment, claim.environment),
    ];
    for (what, stated, wanted) in places {
        if let Some(stated) = stated.as_ref().filter(|stated| *stated != wanted) {
            why.push(format!("it is about the {what} {stated}, not {wanted}"));
        }
    }
    let passed: Vec<&str> =
        critical().filter(|c| c.verdict.is_pass()).map(|c| c.name.as_str()).collect();
    let missing: Vec<&str> =
        claim.suite.iter().map(String::as_str).filter(|name| !passed.contains(name)).collect();
    if claim.suite.is_empty() {
        why.push("no critical check says when a release is well".into());
    } else if !missing.is_empty() {
        why.push(format!("these critical checks are not in it: {}", missing.join(", ")));
    }
    why.extend(wrong_time(report, claim));
    why
}

fn wrong_time(report: &Report, claim: &Claim<'_>) -> Option<String> {
    let Ok(began) = humantime::parse_rfc3339(&report.started) else {
        return Some("it does not say when it was made".into());
    };
    let ended = began.checked_add(Duration::from_millis(report.duration_ms)).unwrap_or(began);
    match claim.now.duration_since(ended) {
        Ok(age) if age > AGE => {
            let (age, most) = (show_duration(age), show_duration(AGE));
            return Some(format!("it is {age} old, and may be {most}"));
        }
        Err(ahead) if ahead.duration() > SKEW => {
            return Some(format!("it was made at {}, which is yet to come", report.started));
        }
        _ => {}
    }
    let changed = claim.changed.filter(|changed| *changed > ended)?;
    let when = humantime::format_rfc3339_seconds(changed);
    Some(format!("something was deployed at {when}, after it was made"))
}

/// Whether a critical check looked at the version that answers. Without one, the version is only
/// what somebody said.
pub fn saw_version(report: &Report) -> bool {
    let critical = report.checks.iter().filter(|check| check.severity == Severity::Critical);
    critical.flat_map(|check| &check.findings).any(|found| found.query.starts_with("version"))
}

#[cfg(test)]
#[path = "confirmation_tests.rs"]
mod tests;
