//! The table of decisions: rules in their order, the first one that applies decides.

use super::evidence::{Job, JobResult, Role};
use super::facts::{Deploying, Facts, Settled, Touched};
use super::ruling::{FailureClass, Reason};
use super::symptoms::of_checks;
use super::threshold::Level;
use super::verification::Concluded;
use crate::decide::verdict::Verdict;

/// How often a verification that sees nothing is made again before the policy decides.
const TRIES: usize = 2;

/// What a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Keep,
    Hold,
    RollBack,
    Escalate,
    /// Whatever the policy says.
    Policy,
}

/// What a rule found.
pub(super) struct Finding {
    pub want: Want,
    pub code: Reason,
    /// What was seen, in words, beyond what the code says.
    pub details: Vec<String>,
    pub class: Option<FailureClass>,
    /// The job that it is about, when the rule knows.
    pub job: Option<String>,
}

fn finding(want: Want, code: Reason, class: impl Into<Option<FailureClass>>) -> Finding {
    Finding { want, code, details: Vec::new(), class: class.into(), job: None }
}

impl Finding {
    fn with(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }
}

/// A rule: what it asks, and its answer where it has one.
type Rule = (&'static str, fn(&Facts<'_>) -> Option<Finding>);

/// The rules in their order. What cannot be read comes first, so that no later rule can overlook
/// it; what is over comes before what would have to be done about it.
const RULES: &[Rule] = &[
    ("is there evidence that cannot be read, or that contradicts itself?", unreadable),
    ("is a newer deployment live?", superseded),
    ("was it rolled back before?", settled),
    ("did it end before it touched anything?", untouched),
    ("was it cut off before the new version was in front?", target_runs),
    ("was something seen to be wrong with what runs?", symptoms),
    ("is a verifying job red that says nothing more?", red_without_word),
    ("did deploying fail?", deploy_failed),
    ("is a measurement between its limits?", between_limits),
    ("was it cancelled, timed out or lost?", cancelled),
    ("is a verifying job red though its report is good?", red_though_well),
    ("could the verification not be made?", unseen),
    ("was it deployed and not verified?", unverified),
];

/// What the evidence asks for.
pub(super) fn judge(facts: &Facts<'_>) -> Finding {
    RULES.iter().find_map(|(_, rule)| rule(facts)).unwrap_or_else(|| well(facts))
}

/// The rules that were asked, each with its answer.
pub(super) fn explain(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (question, rule) in RULES {
        let Some(found) = rule(facts) else {
            lines.push(format!("{question} no"));
            continue;
        };
        lines.push(format!("{question} yes: {}", found.code.about()));
        return lines;
    }
    lines.push(format!("nothing speaks against it: {}", well(facts).code.about()));
    lines
}

fn unreadable(facts: &Facts<'_>) -> Option<Finding> {
    let escalate = |code| finding(Want::Escalate, code, FailureClass::Unknown);
    if !facts.evidence.broken.is_empty() {
        return Some(escalate(Reason::MalformedEvidence).with(facts.evidence.broken.clone()));
    }
    if !facts.contradictions.is_empty() {
        return Some(escalate(Reason::ContradictoryEvidence).with(facts.contradictions.clone()));
    }
    facts.is_empty().then(|| escalate(Reason::NoEvidence))
}

fn superseded(facts: &Facts<'_>) -> Option<Finding> {
    let newer = facts.newer.clone()?;
    let class = class_of_jobs(facts);
    Some(finding(Want::Keep, Reason::Superseded, class).with([format!("it is {newer}")]))
}

fn settled(facts: &Facts<'_>) -> Option<Finding> {
    let release = FailureClass::Release;
    // A version that is not the failed one is what a rollback is for.
    let ill = facts.evidence.probe.iter().any(|probe| {
        let seen = of_checks(&probe.checks, Reason::Unhealthy, None);
        seen.iter().any(|symptom| symptom.code != Reason::VersionMismatch)
    });
    match facts.settled {
        Settled::No => None,
        Settled::RollbackFailed => Some(finding(Want::Escalate, Reason::RollbackFailed, release)),
        Settled::RolledBack if ill => Some(
            finding(Want::Escalate, Reason::RollbackFailed, release)
                .with(["it was rolled back, and production is still unhealthy".into()]),
        ),
        Settled::RolledBack => Some(finding(Want::Keep, Reason::AlreadyRolledBack, release)),
    }
}

fn untouched(facts: &Facts<'_>) -> Option<Finding> {
    if facts.touched != Touched::No {
        return None;
    }
    if facts.is_ill() {
        let texts = facts.symptoms.iter().map(|symptom| symptom.text.clone());
        let unknown = FailureClass::Unknown;
        return Some(finding(Want::Escalate, Reason::UnhealthyUntouched, unknown).with(texts));
    }
    let code = match facts.deploying {
        Deploying::Skipped => Reason::DeploySkipped,
        _ => Reason::NothingTouched,
    };
    Some(finding(Want::Keep, code, class_of_jobs(facts)))
}

/// A deployment that was cut off, and never got as far as to put the new version in front.
fn target_runs(facts: &Facts<'_>) -> Option<Finding> {
    let cut_off = match facts.deploying {
        Deploying::Cancelled => true,
        Deploying::Failed => facts.touched == Touched::Unknown,
        _ => false,
    };
    let keeps = cut_off && facts.runs_target() && !facts.is_ill();
    keeps.then(|| finding(Want::Keep, Reason::TargetIsLive, class_of_deploying(facts)))
}

fn symptoms(facts: &Facts<'_>) -> Option<Finding> {
    let first = facts.symptoms.first()?;
    // The same may have been seen by several.
    let mut texts: Vec<String> = Vec::new();
    for symptom in &facts.symptoms {
        if !texts.contains(&symptom.text) {
            texts.push(symptom.text.clone());
        }
    }
    let mut found = finding(Want::RollBack, first.code, FailureClass::Release).with(texts);
    found.job.clone_from(&first.job);
    Some(found)
}

/// A verifying job without a report, such as a script of one's own: its word counts, unless a look
/// at production was made and did not confirm it.
fn red_without_word(facts: &Facts<'_>) -> Option<Finding> {
    if facts.verification.concluded != Concluded::RedWithoutWord {
        return None;
    }
    let mut found = match facts.probed() {
        None => finding(Want::RollBack, Reason::VerificationFailed, FailureClass::Release),
        Some(_) => finding(Want::Policy, Reason::VerificationDisputed, FailureClass::Unknown),
    };
    let red = |job: &&Job| job.role == Role::Verify && job.result == JobResult::Failure;
    found.job = facts.failed_jobs().into_iter().find(red).map(|job| job.name.clone());
    let details = found.job.clone().map(|job| format!("the job {job} is red"));
    Some(found.with(details))
}

fn deploy_failed(facts: &Facts<'_>) -> Option<Finding> {
    if facts.deploying != Deploying::Failed || is_verified(facts) {
        return None;
    }
    let class = class_of_deploying(facts);
    let failure = facts.report.and_then(|report| report.failure.clone());
    let found = match facts.touched {
        Touched::Yes => finding(Want::RollBack, Reason::DeployFailed, class),
        _ => finding(Want::Policy, Reason::ExtentUnknown, class),
    };
    Some(found.with(failure))
}

fn between_limits(facts: &Facts<'_>) -> Option<Finding> {
    let thresholds = facts.evidence.thresholds.iter();
    let between: Vec<String> =
        thresholds.filter(|t| t.level() == Level::Between).map(|t| t.words()).collect();
    let release = FailureClass::Release;
    (!between.is_empty()).then(|| finding(Want::Hold, Reason::BetweenLimits, release).with(between))
}

/// Cancelled, timed out or lost: what runs decides, not the colour of the job.
fn cancelled(facts: &Facts<'_>) -> Option<Finding> {
    let cut_off = facts.deploying == Deploying::Cancelled
        || facts.verification.concluded == Concluded::Cancelled;
    if !cut_off {
        return None;
    }
    let well = facts.probed() == Some(Verdict::Pass) || is_verified(facts);
    Some(match well {
        true => finding(Want::Keep, Reason::CancelledHealthy, FailureClass::Cancelled),
        false => finding(Want::Policy, Reason::CancelledUnknown, FailureClass::Cancelled),
    })
}

fn red_though_well(facts: &Facts<'_>) -> Option<Finding> {
    if facts.verification.concluded != Concluded::RedThoughWell {
        return None;
    }
    Some(match facts.probed() {
        Some(Verdict::Pass) => finding(Want::Keep, Reason::LaterStepFailed, FailureClass::Unknown),
        _ => finding(Want::Policy, Reason::VerificationDisputed, FailureClass::Unknown),
    })
}

fn unseen(facts: &Facts<'_>) -> Option<Finding> {
    if facts.verification.concluded != Concluded::Unseen {
        return None;
    }
    let class = FailureClass::Infrastructure;
    Some(match facts.verification.unseen {
        tries if tries < TRIES => finding(Want::Hold, Reason::VerifyAgain, class),
        _ => finding(Want::Policy, Reason::VerificationInconclusive, class),
    })
}

/// Nothing observed is never a pass.
fn unverified(facts: &Facts<'_>) -> Option<Finding> {
    match facts.verification.concluded {
        Concluded::Nothing if facts.probed() == Some(Verdict::Pass) => None,
        Concluded::Nothing if facts.deploying == Deploying::Unknown && facts.probed().is_none() => {
            Some(finding(Want::Escalate, Reason::RolesUnknown, FailureClass::Unknown))
        }
        Concluded::Nothing | Concluded::Skipped => {
            Some(finding(Want::Hold, Reason::NotVerified, FailureClass::Unknown))
        }
        _ => None,
    }
}

fn well(facts: &Facts<'_>) -> Finding {
    let failed = facts.failed_jobs();
    match failed.first() {
        Some(job) => {
            let class = match job.role {
                Role::Later => FailureClass::Infrastructure,
                _ => FailureClass::Unknown,
            };
            finding(Want::Keep, Reason::LaterStepFailed, class)
        }
        None if facts.verification.flaky => {
            finding(Want::Keep, Reason::PassedOnRetry, FailureClass::Unknown)
        }
        None => finding(Want::Keep, Reason::Healthy, None),
    }
}

/// Whether a report, and not only a green job, says that the release is well.
fn is_verified(facts: &Facts<'_>) -> bool {
    facts.verification.concluded == Concluded::Passed && facts.verification.reported
}

fn class_of_deploying(facts: &Facts<'_>) -> FailureClass {
    match (facts.deploying, facts.report_verdict) {
        (Deploying::Cancelled, _) => FailureClass::Cancelled,
        (_, Some(Verdict::Fail)) => FailureClass::Release,
        (_, Some(Verdict::Error)) => FailureClass::Infrastructure,
        _ => FailureClass::Unknown,
    }
}

/// What failed, from jobs alone; nothing when nothing did.
fn class_of_jobs(facts: &Facts<'_>) -> Option<FailureClass> {
    let jobs = facts.failed_jobs();
    let cancelled = jobs.iter().any(|job| job.result == JobResult::Cancelled);
    match (jobs.is_empty(), cancelled || facts.deploying == Deploying::Cancelled) {
        (_, true) => Some(FailureClass::Cancelled),
        (false, false) => Some(class_of_deploying(facts)),
        (true, false) => (facts.deploying == Deploying::Failed).then(|| class_of_deploying(facts)),
    }
}
