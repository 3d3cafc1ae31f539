//! How a deployment or rollback ended, as a report.

use super::telling::Incidents;
use super::{Output, Session, output};
use crate::decide::course::Outcome;
use crate::decide::history::Release;
use crate::decide::verdict::Verdict;
use crate::deploy::Scope;
use crate::deploy::run::{Walk, Walked};
use crate::exit::Exit;
use crate::platforms::{Platform, Running};
use crate::report::v1::{Check, Deployment, Report};

/// What `deploy` and `rollback` put out.
pub(super) const OUTPUTS: &[Output] = &[
    output("deployment-id", "the deployment's id in the ledger"),
    output("outcome", "nothing, verified, failed, rolled-back or rollback-failed"),
    output("live-version", "the version that serves now, as far as it is known"),
    output("previous-version", "the rollback target; empty when no verified release exists"),
    output("previous-sha", "the rollback target's commit, when it is known"),
    output("rolled-back", "true when the rollback target was brought back and verified"),
    output("incident-key", "the key of the incident; empty when there is none"),
    output("incident", "where the incident can be read, one place a line"),
    output("report-file", "the file of the report, when --report named one"),
];

/// The words and codes of an outcome.
struct Words {
    verdict: Verdict,
    exit: Exit,
    outcome: &'static str,
    summary: String,
    next: Option<String>,
}

/// The report of a walk.
pub(super) fn report(
    session: &Session,
    scope: &Scope,
    walk: Walk<'_>,
    walked: Walked,
    incident: Option<&Incidents>,
) -> Report {
    let mut words = words(&walk, &walked.outcome);
    if let Some(first) = walked.unrecorded.first() {
        words.summary += &format!("; the ledger does not know all of it: {first}");
        // What is not in the ledger does not count: the release is well, and not verified.
        if words.exit == Exit::Pass {
            (words.verdict, words.exit) = (Verdict::Error, Exit::Error);
        }
    }
    let live = live(&walk, &walked.outcome);
    let mut report = session.report(words.verdict, words.summary);
    report.exit_code = words.exit.code();
    report.next = words.next;
    report.service = Some(scope.service.to_string());
    report.environment = Some(scope.environment.to_string());
    report.expected_version = Some(walk.release.version.clone());
    report.deployment = Some(Deployment {
        id: walk.id.clone(),
        version: walk.release.version.clone(),
        sha: walk.release.sha.clone(),
        digests: walk.release.digests.clone(),
        target_version: walk.target.as_ref().map(|target| target.version.clone()),
        target_sha: walk.target.as_ref().and_then(|target| target.sha.clone()),
        outcome: words.outcome.into(),
        mutated: walked.mutated,
        live_version: live,
        failure: failure(&walked.outcome),
    });
    report.steps = walk.story.steps;
    report.checks = walked.checks;
    fill_outputs(session, &mut report, incident);
    report
}

/// The report of a run that found nothing to do.
pub(super) fn nothing(
    session: &Session,
    scope: &Scope,
    release: &Release,
    verdict: Verdict,
    summary: String,
) -> Report {
    let mut report = session.report(verdict, summary);
    report.service = Some(scope.service.to_string());
    report.environment = Some(scope.environment.to_string());
    report.expected_version = Some(release.version.clone());
    report.deployment = Some(Deployment {
        id: String::new(),
        version: release.version.clone(),
        sha: release.sha.clone(),
        digests: release.digests.clone(),
        target_version: None,
        target_sha: None,
        outcome: "nothing".into(),
        mutated: false,
        live_version: None,
        failure: None,
    });
    fill_outputs(session, &mut report, None);
    report
}

/// The report of a run that found the release live, and well by these checks.
pub(super) fn live_already(
    session: &Session,
    scope: &Scope,
    release: &Release,
    summary: String,
    checks: Vec<Check>,
) -> Report {
    let mut report = nothing(session, scope, release, Verdict::Pass, summary);
    report.checks = checks;
    if let Some(deployment) = &mut report.deployment {
        deployment.live_version = Some(release.version.clone());
    }
    fill_outputs(session, &mut report, None);
    report
}

/// The outputs that follow from what the report says of the deployment.
pub(super) fn fill_outputs(session: &Session, report: &mut Report, incident: Option<&Incidents>) {
    let Some(deployment) = &report.deployment else { return };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    report.outputs = [
        ("deployment-id", deployment.id.clone()),
        ("outcome", deployment.outcome.clone()),
        ("live-version", text(&deployment.live_version)),
        ("previous-version", text(&deployment.target_version)),
        ("previous-sha", text(&deployment.target_sha)),
        ("rolled-back", (deployment.outcome == "rolled-back").to_string()),
        ("incident-key", incident.map(|incident| incident.key.clone()).unwrap_or_default()),
        ("incident", incident.map(|incident| incident.locations.join("\n")).unwrap_or_default()),
        ("report-file", session.report_file().unwrap_or_default().to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
}

fn words(walk: &Walk<'_>, outcome: &Outcome) -> Words {
    let version = &walk.release.version;
    let target = walk.target.as_ref().map_or("", |target| target.version.as_str());
    let took = crate::decide::words::show_duration(walk.session.elapsed());
    let (verdict, exit, outcome, summary, next) = match outcome {
        Outcome::Untouched(reason) => (
            Verdict::Error,
            Exit::Error,
            "failed",
            format!("nothing was touched: {reason}"),
            Some("mend that, and try again".to_owned()),
        ),
        Outcome::Verified => (
            Verdict::Pass,
            Exit::Pass,
            "verified",
            format!("{version} is live and verified, in {took}"),
            None,
        ),
        Outcome::Failed(reason) => (
            Verdict::Fail,
            Exit::Fail,
            "failed",
            format!(
                "{version} failed, and there is nothing to go back to, since no release was \
                 verified before: {reason}"
            ),
            Some(format!("{version} was left as it is, to be looked at; deploy one that is good")),
        ),
        Outcome::RolledBack(reason) => (
            Verdict::Fail,
            Exit::RolledBack,
            "rolled-back",
            format!("{version} failed, and {target} is back and verified, in {took}: {reason}"),
            Some(format!("find out why {version} failed; {target} serves meanwhile")),
        ),
        Outcome::RollbackFailed { reason, rollback } => (
            Verdict::Fail,
            Exit::RollbackFailed,
            "rollback-failed",
            format!(
                "{version} failed ({reason}), and {target} could not be brought back: {rollback}"
            ),
            Some(format!(
                "a person is needed: look at what runs (`waveoff status`), then \
                 `waveoff rollback --to {target}`, or deploy a release that is good"
            )),
        ),
    };
    Words { verdict, exit, outcome, summary, next }
}

fn failure(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Verified => None,
        Outcome::Untouched(reason) | Outcome::Failed(reason) | Outcome::RolledBack(reason) => {
            Some(reason.clone())
        }
        Outcome::RollbackFailed { reason, rollback } => {
            Some(format!("{reason}; then the rollback: {rollback}"))
        }
    }
}

/// What serves now, as far as anybody knows.
fn live(walk: &Walk<'_>, outcome: &Outcome) -> Option<String> {
    let version = |release: &Option<Release>| release.as_ref().map(|r| r.version.clone());
    match outcome {
        Outcome::Verified => Some(walk.release.version.clone()),
        Outcome::RolledBack(_) => version(&walk.target),
        Outcome::Untouched(_) => version(&walk.live),
        Outcome::Failed(_) | Outcome::RollbackFailed { .. } => running(walk.platform),
    }
}

/// The version that runs, when the platform can tell.
pub(super) fn running(platform: &dyn Platform) -> Option<String> {
    match platform.running() {
        Running::Version(version) => Some(version),
        Running::Unknown | Running::Nothing => None,
    }
}
