//! What verifying the release concluded, from reports and from jobs without any.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::evidence::{Evidence, Job, JobResult, Role, Stated};
use super::facts::is_verification;
use super::ruling::Reason;
use super::symptoms::{Symptom, of_checks};
use crate::decide::history::{Deployment, Phase};
use crate::decide::verdict::{Severity, Verdict};
use crate::report::v1;

/// The conclusion, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concluded {
    /// The release was seen to be bad.
    Failed,
    /// A verifying job is red, and no report says why.
    RedWithoutWord,
    /// A verifying job is red, though the report says that the release is well.
    RedThoughWell,
    /// A verifying job was cancelled, timed out or lost.
    Cancelled,
    /// It could not be seen.
    Unseen,
    /// Verifying was there, and skipped.
    Skipped,
    /// The release was seen to be well.
    Passed,
    /// Nothing verified it.
    Nothing,
}

/// What verifying concluded.
pub(super) struct Verification {
    pub concluded: Concluded,
    /// Whether a report, rather than a job's colour, says that it passed.
    pub reported: bool,
    /// Whether an earlier try failed.
    pub flaky: bool,
    /// How often nothing could be seen.
    pub unseen: usize,
    /// What was wrong.
    pub symptoms: Vec<Symptom>,
}

/// When a report was made; `read_report` refuses one that does not say.
pub(super) fn moment(stated: &Stated) -> SystemTime {
    humantime::parse_rfc3339(&stated.report.started).unwrap_or(SystemTime::UNIX_EPOCH)
}

pub(super) fn verification(
    evidence: &Evidence,
    deployed: Option<&v1::Deployment>,
    recorded: Option<&Deployment>,
) -> Verification {
    let reports: Vec<&Stated> =
        evidence.reports.iter().filter(|stated| is_verification(stated)).collect();
    let latest = latest(&reports);
    let verdicts: Vec<Verdict> = latest.iter().map(|stated| stated.report.verdict).collect();
    let mut all: Vec<Concluded> = verdicts.iter().map(|verdict| concluded(*verdict)).collect();
    let reported = !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.is_pass());
    // The deployment ends with its own verification.
    let verified = deployed.is_some_and(|about| about.outcome == "verified")
        || recorded.is_some_and(|recorded| recorded.phase == Phase::Verified);
    if verified {
        all.push(Concluded::Passed);
    }
    for job in evidence.jobs.iter().filter(|job| job.role == Role::Verify) {
        all.extend(by_job(job, &reports, &verdicts));
    }
    let nothing = if all.is_empty() { Concluded::Nothing } else { Concluded::Skipped };
    // A job that was skipped takes nothing from what another one saw.
    let seen = all.into_iter().filter(|word| *word != Concluded::Skipped);
    let unseen =
        reports.iter().filter(|stated| concluded(stated.report.verdict) == Concluded::Unseen);
    Verification {
        concluded: seen.min().unwrap_or(nothing),
        reported: reported || (verified && verdicts.is_empty()),
        flaky: is_flaky(&reports, &latest),
        unseen: unseen.count(),
        symptoms: latest.into_iter().flat_map(symptoms).collect(),
    }
}

fn concluded(verdict: Verdict) -> Concluded {
    match verdict {
        Verdict::Pass => Concluded::Passed,
        Verdict::Inconclusive | Verdict::Error => Concluded::Unseen,
        Verdict::Fail => Concluded::Failed,
    }
}

/// What a job's colour adds to the reports. `verdicts` are the latest of each suite.
fn by_job(job: &Job, reports: &[&Stated], verdicts: &[Verdict]) -> Option<Concluded> {
    let own: Vec<Verdict> = reports
        .iter()
        .filter(|stated| stated.job.as_ref() == Some(&job.name))
        .map(|stated| stated.report.verdict)
        .collect();
    let told: &[Verdict] = if own.is_empty() { verdicts } else { &own };
    match job.result {
        JobResult::Skipped => Some(Concluded::Skipped),
        // Its reports have the word; without any, green is as good as a report, unless the job may
        // have run before the deployment.
        JobResult::Success if !own.is_empty() => None,
        JobResult::Success => job.vouches.then_some(Concluded::Passed),
        _ if told.iter().any(|verdict| !verdict.is_pass()) => None,
        JobResult::Failure if told.is_empty() => Some(Concluded::RedWithoutWord),
        JobResult::Failure => Some(Concluded::RedThoughWell),
        JobResult::Cancelled if own.is_empty() => Some(Concluded::Cancelled),
        JobResult::Cancelled => None,
    }
}

/// The newest report of each suite: the same program looking at the same things is a retry.
fn latest<'a>(reports: &[&'a Stated]) -> Vec<&'a Stated> {
    let mut suites: BTreeMap<_, &'a Stated> = BTreeMap::new();
    for stated in reports {
        let checks: BTreeSet<(&str, &str)> = critical(&stated.report)
            .map(|check| (check.name.as_str(), check.target.as_str()))
            .collect();
        // At the same moment, the worse one counts.
        let order = |stated: &Stated| (moment(stated), stated.report.verdict);
        let known = suites.entry((stated.report.program.as_str(), checks)).or_insert(stated);
        if order(stated) > order(known) {
            *known = stated;
        }
    }
    suites.into_values().collect()
}

fn critical(report: &v1::Report) -> impl Iterator<Item = &v1::Check> {
    report.checks.iter().filter(|check| check.severity == Severity::Critical)
}

/// Whether something passed that had failed before. Waiting fails until it passes, so only other
/// programs count.
fn is_flaky(reports: &[&Stated], latest: &[&Stated]) -> bool {
    let retried = reports.len() > latest.len()
        && reports.iter().any(|stated| stated.report.verdict == Verdict::Fail);
    let stumbled = |stated: &&&Stated| {
        stated.report.program != "wait-healthy"
            && critical(&stated.report)
                .any(|check| check.timeline.iter().any(|stretch| !stretch.verdict.is_pass()))
    };
    retried || latest.iter().any(|stated| stumbled(&stated))
}

fn symptoms(stated: &Stated) -> Vec<Symptom> {
    let Stated { from, job, report } = stated;
    if report.verdict != Verdict::Fail {
        return Vec::new();
    }
    let otherwise = match report.program.as_str() {
        "wait-healthy" => Reason::NotReadyInTime,
        _ => Reason::VerificationFailed,
    };
    let mut symptoms = of_checks(&report.checks, otherwise, job.as_ref());
    if symptoms.is_empty() {
        let text = format!("{from}: {}", report.summary);
        symptoms.push(Symptom { code: otherwise, text, job: job.clone() });
    }
    symptoms
}
