//! What a ledger's events add up to: what runs, what was verified, where to roll back to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A release: one unit, by the names under which it can be had again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Release {
    /// Its version, as people call it.
    pub version: String,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// Image digests or checksums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
}

impl Release {
    /// Whether both name the same artifacts: by digests where both have them, in whatever order, else
    /// by version.
    pub fn is_same(&self, other: &Release) -> bool {
        if !self.digests.is_empty() && !other.digests.is_empty() {
            let set = |release: &Self| release.digests.iter().cloned().collect::<BTreeSet<_>>();
            return set(self) == set(other);
        }
        self.version == other.version
    }
}

/// Something that happened to a deployment. Frozen: ledgers keep it for years.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A deployment begins; nothing is touched yet.
    Started {
        /// The release.
        release: Release,
        /// Who or what asked for it: a run's address, a user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The running system is touched from here on.
    Mutating,
    /// The deployment's own suite passed.
    Verified,
    /// It failed; what runs now is not known from this alone.
    Failed {
        /// Why.
        reason: String,
    },
    /// The target runs again and its verification passed.
    RolledBack {
        /// The release that runs again.
        to: Release,
        /// Why.
        reason: String,
    },
    /// The rollback failed too.
    RollbackFailed {
        /// The release that should run again.
        to: Release,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// What it says, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Event::Started { .. } => "started",
            Event::Mutating => "the running system is touched from here on",
            Event::Verified => "verified",
            Event::Failed { .. } => "failed",
            Event::RolledBack { .. } => "rolled back",
            Event::RollbackFailed { .. } => "rollback failed",
        }
    }
}

/// An event with its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// Its number, from 1; order is by this and not by time.
    pub seq: u64,
    /// When: RFC 3339 in UTC.
    pub at: String,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The deployment that it is about.
    pub deployment: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// How far a deployment got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Begun, nothing touched.
    Started,
    /// Touched, not settled.
    Mutating,
    /// Settled: it runs and was verified.
    Verified,
    /// Settled: it failed, and nothing was brought back.
    Failed,
    /// Settled: the target runs again.
    RolledBack,
    /// Settled: a person is needed.
    RollbackFailed,
}

/// One deployment, as its events tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Its release.
    pub release: Release,
    /// How far it got.
    pub phase: Phase,
    /// Whether the running system was touched.
    pub mutated: bool,
    /// When it began.
    pub started: String,
    /// When its last event was.
    pub changed: String,
    /// The release that was or should be brought back.
    pub rolled_back_to: Option<Release>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What was brought back and seen to be well, each with why, the first one first: a rollback by
    /// hand is written down with the deployment that came last, which may have been taken back before.
    pub brought_back: Vec<(Release, String)>,
    /// Who or what asked for it.
    pub by: Option<String>,
}

/// What is running, as far as the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// Nothing was ever deployed.
    Nothing,
    /// This release, verified, since then.
    Verified(Release, String),
    /// A deployment began or failed and was not settled: it has to be looked at.
    Unknown(Box<Deployment>),
}

/// The deployments of one service in one environment, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The deployments.
    pub deployments: Vec<Deployment>,
}

impl History {
    /// Adds up the records of one service in one environment.
    pub fn of<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        service: &str,
        environment: &str,
    ) -> History {
        let mut history = History::default();
        for record in records {
            if record.service == service && record.environment == environment {
                history.take(record);
            }
        }
        history
    }

    fn take(&mut self, record: &Record) {
        if let Event::Started { release, by } = &record.event {
            self.deployments.push(Deployment {
                id: record.deployment.clone(),
                release: release.clone(),
                phase: Phase::Started,
                mutated: false,
                started: record.at.clone(),
                changed: record.at.clone(),
                rolled_back_to: None,
                reason: None,
                brought_back: Vec::new(),
                by: by.clone(),
            });
            return;
        }
        let Some(deployment) = self.deployments.iter_mut().rfind(|d| d.id == record.deployment)
        else {
            return;
        };
        deployment.changed.clone_from(&record.at);
        let (phase, to, reason) = match &record.event {
            Event::Started { .. } => return,
            Event::Mutating => {
                deployment.mutated = true;
                (Phase::Mutating, None, None)
            }
            Event::Verified => (Phase::Verified, None, None),
            Event::Failed { reason } => (Phase::Failed, None, Some(reason)),
            Event::RolledBack { to, reason } => {
                deployment.brought_back.push((to.clone(), reason.clone()));
                (Phase::RolledBack, Some(to), Some(reason))
            }
            Event::RollbackFailed { to, reason } => (Phase::RollbackFailed, Some(to), Some(reason)),
        };
        deployment.phase = phase;
        if to.is_some() {
            deployment.rolled_back_to = to.cloned();
        }
        if reason.is_some() {
            deployment.reason = reason.cloned();
        }
    }

    /// A deployment by its id.
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().rfind(|deployment| deployment.id == id)
    }

    /// Verified releases, the newest first, each once.
    pub fn verified(&self) -> Vec<&Deployment> {
        let mut verified: Vec<&Deployment> = Vec::new();
        for deployment in self.deployments.iter().rev().filter(|d| d.phase == Phase::Verified) {
            if !verified.iter().any(|known| known.release.is_same(&deployment.release)) {
                verified.push(deployment);
            }
        }
        verified
    }

    /// Where to go back to from `failed`: the last verified release that is another one.
    pub fn target(&self, failed: &Release) -> Option<&Release> {
        // What a rollback left running, or was to, is the last known good, even when newer ones were
        // verified before it and rolled back from by hand; and so it is behind deployments that failed.
        let restored = self.last_good().filter(|good| !good.is_same(failed));
        let verified = self.verified();
        let mut candidates = verified.iter().map(|deployment| &deployment.release);
        candidates
            .clone()
            .find(|release| restored.is_some_and(|good| release.is_same(good)))
            .or_else(|| candidates.find(|release| !release.is_same(failed)))
    }

    fn last_good(&self) -> Option<&Release> {
        self.deployments.iter().rev().find_map(|deployment| match deployment.phase {
            Phase::Verified => Some(&deployment.release),
            Phase::RolledBack | Phase::RollbackFailed => deployment.rolled_back_to.as_ref(),
            Phase::Started | Phase::Mutating | Phase::Failed => None,
        })
    }

    /// Where to go back to from what is live: the last release that was verified before it. One that
    /// was verified later was gone back over by hand, and is not behind it.
    pub fn before(&self, live: &Release) -> Option<&Release> {
        let verified = |d: &&Deployment| d.phase == Phase::Verified;
        let mut all = self.deployments.iter().rev().filter(verified).map(|d| &d.release);
        all.find(|release| release.is_same(live))?;
        all.find(|release| !release.is_same(live))
    }

    /// What runs now, as far as the ledger knows.
    pub fn live(&self) -> Live {
        for deployment in self.deployments.iter().rev() {
            match deployment.phase {
                Phase::Verified => {
                    return Live::Verified(deployment.release.clone(), deployment.changed.clone());
                }
                Phase::RolledBack => {
                    if let Some(to) = &deployment.rolled_back_to {
                        return Live::Verified(to.clone(), deployment.changed.clone());
                    }
                }
                // It never touched anything: what ran before still runs.
                Phase::Started | Phase::Failed if !deployment.mutated => {}
                _ => return Live::Unknown(Box::new(deployment.clone())),
            }
        }
        Live::Nothing
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
