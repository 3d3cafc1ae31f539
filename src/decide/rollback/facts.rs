//! What the evidence says about the deployment: whether production was touched, how deploying
//! ended, what is wrong with what runs.

use super::evidence::{Evidence, Job, JobResult, Past, Role, Stated};
use super::ruling::{Reason, Target};
use super::symptoms::{Symptom, of_checks};
use super::target::{resolve, same};
use super::threshold::Level;
use super::verification::{Verification, verification};
use crate::decide::history::{Deployment, History, Live, Phase, Release};
use crate::decide::verdict::Verdict;
use crate::decide::words::same_version;
use crate::report::v1;

/// Whether the running system was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    No,
    Yes,
    Unknown,
}

/// How deploying ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deploying {
    Unknown,
    Skipped,
    Succeeded,
    Failed,
    Cancelled,
}

/// What became of it afterwards, when that is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    No,
    RolledBack,
    RollbackFailed,
}

/// What the evidence says.
pub(super) struct Facts<'a> {
    pub evidence: &'a Evidence,
    /// The deployment's id, where one is known.
    pub id: Option<String>,
    /// The release under judgement, with all that is known of it.
    pub release: Release,
    pub touched: Touched,
    pub deploying: Deploying,
    pub settled: Settled,
    pub verification: Verification,
    /// What is wrong, the most telling first.
    pub symptoms: Vec<Symptom>,
    pub target: Result<Target, Reason>,
    /// The newer deployment that is live.
    pub newer: Option<String>,
    /// What does not fit together.
    pub contradictions: Vec<String>,
    /// The deployment's own report.
    pub report: Option<&'a v1::Deployment>,
    /// Its conclusion.
    pub report_verdict: Option<Verdict>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        let stated = deploy_report(evidence);
        let report = stated.and_then(|stated| stated.report.deployment.as_ref());
        let recorded = recorded(evidence, report);
        let release = whole(&evidence.release, report, recorded);
        let own_id = evidence.deployment.clone();
        let id = own_id
            .or_else(|| report.map(|report| report.id.clone()))
            .or_else(|| recorded.map(|recorded| recorded.id.clone()));
        let deploying = deploying(evidence, report, recorded);
        let touched = touched(deploying, report, recorded);
        let verification = verification(evidence, report, recorded);
        Self {
            evidence,
            contradictions: contradictions(evidence, &release, recorded),
            target: resolve(evidence, &release, recorded),
            newer: newer(evidence, recorded),
            symptoms: symptoms(evidence, stated, &verification),
            settled: settled(evidence, recorded),
            report_verdict: stated.map(|stated| stated.report.verdict),
            id,
            release,
            touched,
            deploying,
            verification,
            report,
        }
    }

    /// Whether nothing at all was given that could decide.
    pub(super) fn is_empty(&self) -> bool {
        let Evidence { jobs, reports, probe, thresholds, .. } = self.evidence;
        let unknown = self.touched == Touched::Unknown && self.settled == Settled::No;
        jobs.is_empty()
            && reports.iter().all(|stated| !is_deployment(stated) && !is_verification(stated))
            && probe.is_none()
            && thresholds.is_empty()
            && unknown
    }

    /// What the look at production concluded.
    pub(super) fn probed(&self) -> Option<Verdict> {
        self.evidence.probe.as_ref().map(super::evidence::Probe::verdict)
    }

    /// Whether production is ill, whichever version runs there.
    pub(super) fn is_ill(&self) -> bool {
        self.symptoms.iter().any(|symptom| symptom.code != Reason::VersionMismatch)
    }

    /// Whether what answers is well, and the release to go back to rather than the failed one.
    pub(super) fn runs_target(&self) -> bool {
        let probe = self.evidence.probe.as_ref().filter(|p| p.is_well_but_for_the_version());
        let seen = probe.and_then(|probe| probe.version.as_ref());
        let (Some(seen), Ok(target)) = (seen, &self.target) else { return false };
        same_version(seen, &target.release.version) && !same_version(seen, &self.release.version)
    }

    /// Jobs that failed or were cancelled, or whose report says so, those that decide first.
    pub(super) fn failed_jobs(&self) -> Vec<&'a Job> {
        let bad = |job: &&Job| {
            matches!(job.result, JobResult::Failure | JobResult::Cancelled)
                || self.symptoms.iter().any(|symptom| symptom.job.as_ref() == Some(&job.name))
        };
        let mut jobs: Vec<&Job> = self.evidence.jobs.iter().filter(bad).collect();
        jobs.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        jobs
    }
}

/// Whether a report is about deploying.
pub(super) fn is_deployment(stated: &Stated) -> bool {
    stated.report.deployment.is_some() && stated.report.program == "deploy"
}

/// Whether a report is a verification.
pub(super) fn is_verification(stated: &Stated) -> bool {
    matches!(stated.report.program.as_str(), "smoke-test" | "wait-healthy" | "watch")
}

/// The newest report about deploying.
fn deploy_report(evidence: &Evidence) -> Option<&Stated> {
    let order = |stated: &&Stated| (super::verification::moment(stated), stated.report.exit_code);
    evidence.reports.iter().filter(|stated| is_deployment(stated)).max_by_key(order)
}

/// The deployment in the ledger: by its id, else the newest of that release, else, when nobody
/// named a release, the newest.
fn recorded<'a>(evidence: &'a Evidence, report: Option<&v1::Deployment>) -> Option<&'a Deployment> {
    let Past::Known(history, _) = &evidence.past else { return None };
    if evidence.elsewhere {
        return None;
    }
    if let Some(id) = evidence.deployment.as_deref().or(report.map(|report| report.id.as_str())) {
        return history.deployment(id);
    }
    let release = whole(&evidence.release, report, None);
    if release == Release::default() {
        return history.deployments.last();
    }
    history.deployments.iter().rfind(|known| same(&known.release, &release) == Some(true))
}

/// A release with all that is known of it.
fn whole(
    named: &Release,
    report: Option<&v1::Deployment>,
    recorded: Option<&Deployment>,
) -> Release {
    let mut release = named.clone();
    let reported = report.map(|report| Release {
        version: report.version.clone(),
        sha: report.sha.clone(),
        digests: report.digests.clone(),
    });
    for more in reported.iter().chain(recorded.map(|recorded| &recorded.release)) {
        if release.version.is_empty() {
            release.version.clone_from(&more.version);
        }
        if release.digests.is_empty() {
            release.digests.clone_from(&more.digests);
        }
        release.sha = release.sha.or_else(|| more.sha.clone());
    }
    release
}

fn deploying(
    evidence: &Evidence,
    report: Option<&v1::Deployment>,
    recorded: Option<&Deployment>,
) -> Deploying {
    // The words of the job and of the deployment itself, the worst of them last.
    let mut seen = Vec::new();
    for job in evidence.jobs.iter().filter(|job| job.role == Role::Deploy) {
        seen.push(match job.result {
            JobResult::Success => Deploying::Succeeded,
            JobResult::Failure => Deploying::Failed,
            JobResult::Cancelled => Deploying::Cancelled,
            JobResult::Skipped => Deploying::Skipped,
        });
    }
    seen.extend(report.map(|report| match report.outcome.as_str() {
        "verified" => Deploying::Succeeded,
        "nothing" => Deploying::Skipped,
        "failed" | "rolled-back" | "rollback-failed" => Deploying::Failed,
        _ => Deploying::Cancelled,
    }));
    if seen.is_empty() {
        seen.extend(recorded.map(|recorded| match recorded.phase {
            Phase::Verified => Deploying::Succeeded,
            // It was begun, and nobody says how it ended.
            Phase::Started | Phase::Mutating => Deploying::Cancelled,
            Phase::Failed | Phase::RolledBack | Phase::RollbackFailed => Deploying::Failed,
        }));
    }
    let has = |word| seen.contains(&word);
    [Deploying::Failed, Deploying::Cancelled, Deploying::Succeeded, Deploying::Skipped]
        .into_iter()
        .find(|word| has(*word))
        .unwrap_or(Deploying::Unknown)
}

/// The deployment's own word is better than the ledger's, and both than the result of a job.
fn touched(
    deploying: Deploying,
    report: Option<&v1::Deployment>,
    recorded: Option<&Deployment>,
) -> Touched {
    let yes = |yes: bool| if yes { Touched::Yes } else { Touched::No };
    let by_word = match (report, recorded) {
        // Two records of the same deployment: whichever has seen it touch something is right.
        (Some(report), Some(recorded)) => Some(yes(report.mutated || recorded.mutated)),
        (Some(report), None) => Some(yes(report.mutated)),
        (None, Some(recorded)) => Some(yes(recorded.mutated)),
        (None, None) => None,
    };
    match (by_word, deploying) {
        // A deployment by somebody else's action writes nothing between its start and its end.
        (Some(Touched::No), Deploying::Succeeded) if report.is_none() => Touched::Yes,
        (Some(word), _) => word,
        (None, Deploying::Succeeded) => Touched::Yes,
        (None, Deploying::Skipped) => Touched::No,
        (None, _) => Touched::Unknown,
    }
}

fn settled(evidence: &Evidence, recorded: Option<&Deployment>) -> Settled {
    let mut seen: Vec<Settled> = Vec::new();
    seen.extend(recorded.map(|recorded| match recorded.phase {
        Phase::RolledBack => Settled::RolledBack,
        Phase::RollbackFailed => Settled::RollbackFailed,
        _ => Settled::No,
    }));
    for stated in &evidence.reports {
        let outcome = stated.report.deployment.as_ref().map_or("", |about| about.outcome.as_str());
        seen.push(match outcome {
            "rolled-back" => Settled::RolledBack,
            "rollback-failed" => Settled::RollbackFailed,
            _ => Settled::No,
        });
    }
    for job in evidence.jobs.iter().filter(|job| job.role == Role::Rollback) {
        seen.push(match job.result {
            JobResult::Success => Settled::RolledBack,
            JobResult::Failure | JobResult::Cancelled => Settled::RollbackFailed,
            JobResult::Skipped => Settled::No,
        });
    }
    [Settled::RollbackFailed, Settled::RolledBack]
        .into_iter()
        .find(|word| seen.contains(word))
        .unwrap_or(Settled::No)
}

/// The newer deployment that has touched production, unless what it left there is our release.
fn newer(evidence: &Evidence, recorded: Option<&Deployment>) -> Option<String> {
    let (Past::Known(history, _), Some(recorded)) = (&evidence.past, recorded) else { return None };
    let History { deployments } = history;
    let at = deployments.iter().rposition(|known| known.id == recorded.id)?;
    let touching = |known: &&Deployment| {
        known.mutated || matches!(known.phase, Phase::Verified | Phase::RolledBack)
    };
    let newest = deployments[at + 1..].iter().rfind(touching)?;
    match history.live() {
        Live::Verified(live, _) if same(&live, &recorded.release) == Some(true) => None,
        _ => Some(format!("{} ({})", newest.release.version, newest.id)),
    }
}

fn symptoms(
    evidence: &Evidence,
    deployed: Option<&Stated>,
    verification: &Verification,
) -> Vec<Symptom> {
    let mut symptoms = verification.symptoms.clone();
    let probe = evidence.probe.iter();
    symptoms.extend(probe.flat_map(|probe| of_checks(&probe.checks, Reason::Unhealthy, None)));
    for threshold in &evidence.thresholds {
        if threshold.level() == Level::Beyond {
            let (code, text) = (Reason::ThresholdBreached, threshold.words());
            symptoms.push(Symptom { code, text, job: None });
        }
    }
    if let Some(Stated { report, job, .. }) = deployed {
        let failed = report.deployment.as_ref().is_some_and(|about| about.outcome == "failed");
        if failed {
            let waited = |step: &v1::Step| step.name == "wait" && step.verdict == Verdict::Fail;
            let slow = report.steps.iter().any(waited);
            let code = if slow { Reason::NotReadyInTime } else { Reason::VerificationFailed };
            symptoms.extend(of_checks(&report.checks, code, job.as_ref()));
        }
    }
    symptoms.sort();
    symptoms.dedup();
    symptoms
}

/// What does not fit together: a decision on it could be about the wrong release.
fn contradictions(
    evidence: &Evidence,
    release: &Release,
    recorded: Option<&Deployment>,
) -> Vec<String> {
    let mut all = Vec::new();
    let other = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && !same_version(a, b);
    if let Some(recorded) = recorded.filter(|known| other(&known.release.version, &release.version))
    {
        let (known, id) = (&recorded.release.version, &recorded.id);
        all.push(format!(
            "the ledger has {known} for the deployment {id}, not {}",
            release.version
        ));
    }
    for stated in &evidence.reports {
        let Stated { from, report, .. } = stated;
        let named = [
            ("the service", &evidence.service, report.service.as_ref()),
            ("the environment", &evidence.environment, report.environment.as_ref()),
        ];
        for (what, wanted, found) in named {
            if let Some(found) = found.filter(|found| !wanted.is_empty() && *found != wanted) {
                all.push(format!("the report from {from} is about {what} {found}, not {wanted}"));
            }
        }
        let about = report.deployment.as_ref().filter(|_| is_deployment(stated));
        let expected = report.expected_version.as_ref().filter(|_| is_verification(stated));
        let versions = about.map(|about| &about.version).into_iter().chain(expected);
        for version in versions.filter(|version| other(version, &release.version)) {
            let wanted = &release.version;
            all.push(format!(
                "the report from {from} is about the version {version}, not {wanted}"
            ));
        }
        let id = about.map(|about| &about.id);
        if let (Some(id), Some(wanted)) = (id, &evidence.deployment)
            && id != wanted
        {
            all.push(format!("the report from {from} is about the deployment {id}, not {wanted}"));
        }
    }
    all
}
