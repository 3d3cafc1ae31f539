//! The words of a decision, and its outputs.

use std::collections::BTreeMap;

use super::evidence::Source;
use crate::decide::history::Release;

/// What to do with the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It stays.
    Keep,
    /// It goes no further, and is looked at again.
    Hold,
    /// The last verified release comes back.
    RollBack,
    /// A person decides.
    Escalate,
}

impl Decision {
    /// The word used in outputs.
    pub fn word(self) -> &'static str {
        match self {
            Decision::Keep => "keep",
            Decision::Hold => "hold",
            Decision::RollBack => "roll-back",
            Decision::Escalate => "escalate",
        }
    }
}

/// Declares the reason codes once: the variant, its word, what it means.
macro_rules! reasons {
    ($($name:ident $word:literal $about:literal;)*) => {
        /// Why, as a word that a workflow can compare. The list is closed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $about] $name,)* }

        impl Reason {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The word used in outputs.
            pub fn word(self) -> &'static str {
                match self { $(Reason::$name => $word,)* }
            }

            /// What it means.
            pub fn about(self) -> &'static str {
                match self { $(Reason::$name => $about,)* }
            }
        }
    };
}

// The triggers come first, the most telling one at the top: where several are seen, the first
// one names the decision.
reasons! {
    CriticalService "critical-service-unhealthy" "a critical service is unhealthy";
    CircuitNotClosed "circuit-not-closed" "a circuit breaker of the service is open or half-open";
    VersionMismatch "version-mismatch" "the version that runs is not the deployed one";
    ThresholdBreached "threshold-breached" "a measurement is beyond its rollback limit";
    NotReadyInTime "not-ready-in-time" "the release was not ready in time";
    VerificationFailed "verification-failed" "the verification of the release failed";
    Unhealthy "unhealthy" "the probe found production unhealthy";
    DeployFailed "deploy-failed" "the deployment failed after it had touched production";
    BetweenLimits "between-limits" "a measurement is above its limit and not beyond its rollback limit";
    VerifyAgain "verify-again" "the verification could not be made";
    NotVerified "not-verified" "the release was deployed and nothing verified it";
    VerificationInconclusive "verification-inconclusive" "the verification could not be made, twice";
    VerificationDisputed "verification-disputed" "a verifying job is red, and nothing else confirms it";
    CancelledUnknown "cancelled-unknown" "cancelled, timed out or lost after touching production, whose state is unknown";
    ExtentUnknown "extent-unknown" "the deployment failed, and whether it touched production is unknown";
    Healthy "healthy" "deployed and verified";
    PassedOnRetry "passed-on-retry" "verified at a later try: something is flaky";
    LaterStepFailed "later-step-failed" "verified; a later step or another job failed";
    NothingTouched "nothing-touched" "the deployment ended before it touched anything";
    DeploySkipped "deploy-skipped" "nothing was deployed";
    CancelledHealthy "cancelled-healthy" "cancelled, timed out or lost, and production is healthy";
    TargetIsLive "target-is-live" "the last verified release is the one that runs, and it is healthy";
    Superseded "superseded" "a newer deployment is live";
    AlreadyRolledBack "already-rolled-back" "the release was rolled back before";
    UnhealthyUntouched "unhealthy-untouched" "production is unhealthy, and this deployment did not touch it";
    RollbackFailed "rollback-failed" "a rollback failed, and a rollback is never rolled back";
    CircuitOpen "circuit-open" "too many rollbacks in the window";
    FirstDeployment "first-deployment" "a first deployment has nothing to go back to";
    NoTarget "no-target" "there is no verified release to go back to";
    TargetIsFailed "target-is-failed" "the target is the release that failed, or cannot be told from it";
    TargetNotVerified "target-not-verified" "the ledger knows the target, and not as verified";
    TargetWithoutDigest "target-without-digest" "the target's digest is missing";
    LedgerUnreadable "ledger-unreadable" "the ledger could not be read";
    RolesUnknown "roles-unknown" "no job is known to deploy or to verify";
    ContradictoryEvidence "contradictory-evidence" "the evidence is about different releases or services";
    MalformedEvidence "malformed-evidence" "evidence was given that cannot be read";
    NoEvidence "no-evidence" "nothing was given to decide on";
}

/// What failed: the release, or something around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The release itself.
    Release,
    /// What carries, watches or announces it.
    Infrastructure,
    /// Somebody or something ended it early.
    Cancelled,
    /// It cannot be told.
    Unknown,
}

impl FailureClass {
    /// The word used in outputs.
    pub fn word(self) -> &'static str {
        match self {
            FailureClass::Release => "release",
            FailureClass::Infrastructure => "infrastructure",
            FailureClass::Cancelled => "cancelled",
            FailureClass::Unknown => "unknown",
        }
    }
}

/// Whether rollbacks are still made without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// They are.
    Closed,
    /// There were too many; a person decides.
    Open,
    /// No ledger says how many there were.
    Unknown,
}

impl CircuitState {
    /// The word used in outputs.
    pub fn word(self) -> &'static str {
        match self {
            CircuitState::Closed => "closed",
            CircuitState::Open => "open",
            CircuitState::Unknown => "unknown",
        }
    }
}

/// A release to go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The release.
    pub release: Release,
    /// Where it is known from.
    pub source: Source,
}

/// A decision with everything that others need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What to do.
    pub decision: Decision,
    /// Why, for a workflow.
    pub code: Reason,
    /// Why, for people.
    pub reason: String,
    /// The job that the decision is about.
    pub failed_job: Option<String>,
    /// All jobs that failed or were cancelled.
    pub failed_jobs: Vec<String>,
    /// The release under judgement.
    pub failed: Release,
    /// The release to go back to, where there is one.
    pub target: Option<Target>,
    /// What failed; absent when nothing did.
    pub class: Option<FailureClass>,
    /// `SEV-1` to `SEV-4`, or `none`.
    pub severity: &'static str,
    /// Whether rollbacks are still made without a person.
    pub circuit: CircuitState,
    /// Whether a person is needed.
    pub requires_human: bool,
    /// The key of the incident.
    pub incident_key: String,
    /// What was known, a line each.
    pub evidence: Vec<String>,
}

impl Ruling {
    /// The closed list of outputs.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        let sha = |release: &Release| release.sha.clone().unwrap_or_default();
        let target = self.target.as_ref().map(|target| &target.release);
        let flag = |yes: bool| if yes { "true" } else { "false" }.to_owned();
        [
            ("decision", self.decision.word().to_owned()),
            ("should-rollback", flag(self.decision == Decision::RollBack)),
            ("reason-code", self.code.word().to_owned()),
            ("reason", self.reason.clone()),
            ("failed-job", self.failed_job.clone().unwrap_or_default()),
            ("failed-jobs", self.failed_jobs.join(",")),
            ("failed-sha", sha(&self.failed)),
            ("previous-sha", target.map(sha).unwrap_or_default()),
            ("previous-version", target.map(|t| t.version.clone()).unwrap_or_default()),
            ("previous-digests", target.map(|t| t.digests.join(",")).unwrap_or_default()),
            (
                "target-source",
                self.target.as_ref().map_or("", |target| target.source.word()).into(),
            ),
            ("failure-class", self.class.map_or("", FailureClass::word).into()),
            ("severity", self.severity.into()),
            ("circuit-state", self.circuit.word().into()),
            ("requires-human", flag(self.requires_human)),
            ("incident-key", self.incident_key.clone()),
            ("evidence", self.evidence.join("\n")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
