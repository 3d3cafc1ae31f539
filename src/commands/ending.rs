//! How a deployment or rollback ended, as a report.

use super::site::Site;
use super::telling::Incidents;
use super::transact::Tale;
use super::{Output, Session, output};
use crate::decide::history::Release;
use crate::decide::journal::Begun;
use crate::decide::plan::Act;
use crate::decide::transaction::Outcome;
use crate::decide::verdict::Verdict;
use crate::decide::words::show_duration;
use crate::deploy::Scope;
use crate::deploy::drive::Left;
use crate::exit::Exit;
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

/// The report of a transaction. A rollback that somebody wanted and got is a success.
pub(super) fn report(
    site: &Site,
    tale: Tale<'_>,
    by_hand: bool,
    incident: Option<&Incidents>,
) -> Report {
    let (session, driven) = (tale.session, &tale.driven);
    let begun = &driven.begun;
    let mut words = words(&tale, by_hand);
    if let Some(first) = driven.unrecorded.first() {
        words.summary += &format!("; the ledger does not know all of it: {first}");
        // What is not in the ledger does not count: the release is well, and not verified.
        if words.exit == Exit::Pass {
            (words.verdict, words.exit) = (Verdict::Error, Exit::Error);
            words.next = Some("make room or access for it, then `waveoff recover`".into());
        }
    }
    let mut report = session.report(words.verdict, words.summary);
    report.exit_code = words.exit.code();
    report.next = words.next;
    report.service = Some(site.scope.service.to_string());
    report.environment = Some(site.scope.environment.to_string());
    report.expected_version = Some(begun.release.version.clone());
    report.deployment = Some(Deployment {
        id: begun.deployment.clone(),
        version: begun.release.version.clone(),
        sha: begun.release.sha.clone(),
        digests: begun.release.digests.clone(),
        target_version: back(begun).map(|target| target.version.clone()),
        target_sha: back(begun).and_then(|target| target.sha.clone()),
        outcome: words.outcome.into(),
        mutated: driven.mutated,
        live_version: live(site, &tale),
        failure: failure(&driven.outcome),
    });
    report.steps = tale.story.steps;
    report.checks = tale.checks;
    fill_outputs(session, &mut report, incident);
    report
}

/// What comes back, or would.
pub(super) fn back(begun: &Begun) -> Option<&Release> {
    begun.plan.back.as_ref().or(begun.target.as_ref())
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

fn words(tale: &Tale<'_>, by_hand: bool) -> Words {
    let begun = &tale.driven.begun;
    if let Some(left) = &tale.driven.left {
        let (summary, next) = match left {
            Left::ToHolder(why) => (
                format!("stopped on the way, since somebody took the lock: {why}"),
                "whoever has it now finishes it; see `waveoff status`",
            ),
            Left::ToRecovery => (
                "stopped on the way, since this machine is shutting down".to_owned(),
                "`waveoff recover` finishes it when it is up again, as waveoff-recover.service does",
            ),
        };
        return Words {
            verdict: Verdict::Error,
            exit: Exit::Error,
            outcome: "failed",
            summary,
            next: Some(next.into()),
        };
    }
    let version = &begun.release.version;
    let target = back(begun).map_or("", |target| target.version.as_str());
    let took = show_duration(tale.session.elapsed());
    let (verdict, exit, outcome, summary, next) = match &tale.driven.outcome {
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
            match &begun.target {
                None => format!(
                    "{version} failed, and there is nothing to go back to, since no release was \
                     verified before: {reason}"
                ),
                Some(_) => format!(
                    "{version} failed, and nothing was brought back, since nothing had run in the \
                     slot with the traffic: {reason}"
                ),
            },
            Some(left_behind(begun)),
        ),
        Outcome::RolledBack(_) if by_hand => (
            Verdict::Pass,
            Exit::Pass,
            "rolled-back",
            format!("{target} is back and verified"),
            None,
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
            Some(person_needed(begun)),
        ),
    };
    Words { verdict, exit, outcome, summary, next }
}

/// What to do when the way back failed, too.
pub(super) fn person_needed(begun: &Begun) -> String {
    let is_barred = begun.plan.forward.iter().any(|operation| operation.no_way_back.is_some());
    let again = back(begun).map_or(String::new(), |target| match (&target.version, is_barred) {
        (target, false) => format!("`waveoff rollback --to {target}`, or "),
        (target, true) => format!(
            "`waveoff rollback --to {target} --preserve-data` if {target} works with the migrated \
             database, or "
        ),
    });
    format!(
        "a person is needed: look at what runs (`waveoff status`), then {again}deploy a release \
         that is good"
    )
}

/// What became of a first release that failed.
fn left_behind(begun: &Begun) -> String {
    let version = &begun.release.version;
    let undone = begun.plan.forward.iter().any(|operation| operation.undo.is_some());
    if let Some(target) = &begun.target {
        let target = &target.version;
        let is_migration = |act: &Act| matches!(act, Act::Migrate { .. });
        let data = match begun.plan.forward.iter().any(|operation| is_migration(&operation.act)) {
            true => ", with --preserve-data if its migration cannot be taken back",
            false => "",
        };
        format!(
            "`waveoff rollback --to {target}` starts {target} again{data}; or deploy one that is good"
        )
    } else if undone {
        format!("{version} was taken away again; deploy one that is good")
    } else {
        format!("{version} was left as it is, to be looked at; deploy one that is good")
    }
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
fn live(site: &Site, tale: &Tale<'_>) -> Option<String> {
    let begun = &tale.driven.begun;
    let version = |release: Option<&Release>| release.map(|release| release.version.clone());
    match &tale.driven.outcome {
        Outcome::Verified => Some(begun.release.version.clone()),
        Outcome::RolledBack(_) => version(back(begun)),
        Outcome::Untouched(_) => version(begun.live.as_ref()),
        Outcome::Failed(_) | Outcome::RollbackFailed { .. } => site.running(tale.session),
    }
}
