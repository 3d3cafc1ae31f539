//! Whether a release stays: a decision from what happened and from what production is.
//!
//! Production decides, and not the colour of a job. [`decide`] is a function of its argument alone,
//! so that every decision can be made again from its evidence. `docs/evaluate-rollback.md` has the
//! table.

pub mod evidence;
mod facts;
mod judge;
mod ruling;
mod symptoms;
mod target;
pub mod threshold;
mod verification;

pub use evidence::{
    Evidence, Job, JobResult, Past, Policy, Probe, Role, Roles, Source, Stated, WhenUnsure,
    read_jobs, read_report, reports_of,
};
pub use ruling::{CircuitState, Decision, FailureClass, Reason, Ruling, Target};
pub use threshold::Threshold;

use facts::Facts;
use judge::{Finding, Want, judge};

use super::incident_key::Incident;
use super::words::shorten;

/// Characters of a reason, and of a line of evidence.
const REASON: usize = 600;
const LINE: usize = 300;
/// Lines of evidence that are kept.
const LINES: usize = 100;

/// Decides.
pub fn decide(evidence: &Evidence) -> Ruling {
    let facts = Facts::of(evidence);
    let found = judge(&facts);
    let (circuit, rollbacks) = target::circuit(evidence);
    let wanted = match (found.want, evidence.policy.when_unsure) {
        (Want::Keep, _) | (Want::Policy, WhenUnsure::Keep) => Decision::Keep,
        (Want::RollBack, _) | (Want::Policy, WhenUnsure::RollBack) => Decision::RollBack,
        (Want::Escalate, _) | (Want::Policy, WhenUnsure::Escalate) => Decision::Escalate,
        (Want::Hold, _) => Decision::Hold,
    };
    // A rollback needs somewhere to go, and must not be one of a series.
    let hindrance = match (wanted, &facts.target, circuit) {
        (Decision::RollBack, Err(why), _) => Some(*why),
        (Decision::RollBack, _, CircuitState::Open) => Some(Reason::CircuitOpen),
        _ => None,
    };
    let decision = if hindrance.is_some() { Decision::Escalate } else { wanted };
    let code = hindrance.unwrap_or(found.code);
    let failed_jobs: Vec<String> =
        facts.failed_jobs().into_iter().map(|job| job.name.clone()).collect();
    let target = facts.target.as_ref().ok();
    let incident = Incident {
        repository: &evidence.repository,
        environment: &evidence.environment,
        failed: &facts.release,
        target: target.map(|target| &target.release),
        deployment: facts.id.as_deref().unwrap_or_default(),
    };
    Ruling {
        decision,
        code,
        reason: reason(&facts, &found, decision, hindrance, rollbacks),
        failed_job: found.job.clone().or_else(|| failed_jobs.first().cloned()),
        failed_jobs,
        failed: facts.release.clone(),
        target: target.cloned(),
        class: found.class,
        severity: severity(decision, code, found.class),
        circuit,
        requires_human: decision == Decision::Escalate,
        incident_key: incident.key(),
        evidence: lines(&facts, rollbacks),
    }
}

/// The questions that led to the decision, in their order, each with its answer.
pub fn explain(evidence: &Evidence) -> Vec<String> {
    judge::explain(&Facts::of(evidence))
}

/// `SEV-1` is a production that cannot be helped from here.
fn severity(decision: Decision, code: Reason, class: Option<FailureClass>) -> &'static str {
    use Reason as R;
    match (decision, code) {
        (
            _,
            R::RollbackFailed
            | R::CircuitOpen
            | R::FirstDeployment
            | R::NoTarget
            | R::TargetIsFailed
            | R::TargetNotVerified
            | R::TargetWithoutDigest
            | R::LedgerUnreadable,
        ) => "SEV-1",
        (Decision::RollBack | Decision::Escalate, _) => "SEV-2",
        (Decision::Hold, _) => "SEV-3",
        (Decision::Keep, _) if class.is_some() => "SEV-4",
        (Decision::Keep, _) => "none",
    }
}

/// The decision for people: why, what was seen, and what follows.
fn reason(
    facts: &Facts<'_>,
    found: &Finding,
    decision: Decision,
    hindrance: Option<Reason>,
    rollbacks: usize,
) -> String {
    let mut text = found.code.about().to_owned();
    if !found.details.is_empty() {
        text += &format!(": {}", found.details.join("; "));
    }
    if found.want == Want::Policy {
        text += "; production cannot be known from here, and the policy decides";
    }
    let mut text = shorten(&text, REASON);
    if let Some(why) = hindrance {
        text += &format!("; it cannot be rolled back without a person: {}", why.about());
        if why == Reason::CircuitOpen {
            let window = humantime::format_duration(facts.evidence.policy.window);
            text += &format!(" ({rollbacks} in {window})");
        }
    }
    if let (Decision::RollBack, Ok(target)) = (decision, &facts.target) {
        text += &format!("; going back to {}", named(&target.release));
    }
    text
}

fn named(release: &super::history::Release) -> String {
    let short = |text: &str| text.chars().take(19).collect::<String>();
    match (release.version.as_str(), &release.sha, release.digests.first()) {
        ("", Some(sha), _) => format!("commit {}", short(sha)),
        ("", None, Some(digest)) => format!("digest {}", short(digest)),
        ("", None, None) => "an unnamed release".into(),
        (version, ..) => shorten(version, 100),
    }
}

/// What was known, sorted so that the order in which it came does not matter.
fn lines(facts: &Facts<'_>, rollbacks: usize) -> Vec<String> {
    let evidence = facts.evidence;
    let mut lines = Vec::new();
    for job in &evidence.jobs {
        let role = match job.role {
            Role::Deploy => "deploys",
            Role::Verify => "verifies",
            Role::Rollback => "rolls back",
            Role::Later => "comes later",
            Role::Other => "other",
        };
        lines.push(format!("job {} ({role}): {}", job.name, job.result.word()));
    }
    for Stated { from, report, .. } in &evidence.reports {
        let (program, verdict) = (&report.program, report.verdict);
        lines.push(format!("report from {from}: {program} {verdict}: {}", report.summary));
    }
    lines.extend(evidence.thresholds.iter().map(|t| format!("threshold: {}", t.words())));
    lines.extend(facts.symptoms.iter().map(|symptom| format!("seen: {}", symptom.text)));
    lines.extend(evidence.broken.iter().map(|why| format!("not readable: {why}")));
    lines.sort();
    lines.dedup();
    lines.truncate(LINES);
    lines.insert(0, format!("release: {}", named(&facts.release)));
    if let Some(probe) = &evidence.probe {
        let version = probe.version.as_deref().unwrap_or("a version that it did not ask for");
        lines.push(format!("probe: {}, answered by {version}", probe.verdict()));
    }
    lines.push(match &evidence.past {
        Past::NotAsked => "ledger: none was named".into(),
        Past::Unreadable(why) => format!("ledger: unreadable: {why}"),
        Past::Known(history, _) => format!(
            "ledger: {} deployments, {rollbacks} rolled back in the window",
            history.deployments.len()
        ),
    });
    lines.push(match &facts.target {
        Ok(target) => format!("target: {}, from {}", named(&target.release), target.source.word()),
        Err(why) => format!("target: none: {}", why.about()),
    });
    lines.iter().map(|line| shorten(&line.replace(['\n', '\r'], " "), LINE)).collect()
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod trap_tests;
