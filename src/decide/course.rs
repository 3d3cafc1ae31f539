//! The course of a deployment: what comes next, given how the last step went. Acting, asking and
//! writing are the caller's; that a failure is always taken back, and only once, is decided here.

use serde::{Deserialize, Serialize};

use super::history::{Event, Release};

/// Which way a release is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the new release.
    Forward,
    /// To the rollback target.
    Back,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Add this to the ledger.
    Record(Event),
    /// Let the platform start the release, or the target.
    Act(Direction),
    /// Wait and smoke-test, with the version that should answer.
    Verify(Direction),
    /// Nothing: it is over.
    Done(Outcome),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Given up before anything was touched.
    Untouched(String),
    /// The release runs and was verified.
    Verified,
    /// The release failed, and there is nothing to go back to.
    Failed(String),
    /// The target runs again and was verified.
    RolledBack(String),
    /// The target could not be brought back.
    RollbackFailed {
        /// Why it was to be brought back.
        reason: String,
        /// Why that failed.
        rollback: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Starting,
    Mutating,
    GivingUp,
    Acting,
    Verifying,
    Failing,
    ActingBack,
    VerifyingBack,
    Settled,
}

/// What there is to be done between the first event and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Start the release, and go back when it is not well.
    Deploy,
    /// Go back, because somebody wants it.
    Back,
    /// Nothing: others started it, and it was seen to be well.
    Confirmed,
    /// Go back: others started it, and it failed.
    FailedElsewhere,
}

/// The course of one deployment, or of a rollback by hand.
#[derive(Debug, Clone)]
pub struct Course {
    release: Release,
    by: Option<String>,
    target: Option<Release>,
    way: Way,
    stage: Stage,
    outcome: Outcome,
    reason: String,
}

impl Course {
    /// Deploys a release; `target` is where to go back to.
    pub fn deploy(release: Release, target: Option<Release>, by: Option<String>) -> Self {
        let outcome = Outcome::Untouched(String::new());
        let stage = Stage::Begin;
        let (way, reason) = (Way::Deploy, String::new());
        Self { release, by, target, way, stage, outcome, reason }
    }

    /// Goes back to `target` because somebody wants it, for `reason`.
    pub fn back(release: Release, target: Release, reason: String) -> Self {
        let course = Self::deploy(release, Some(target), None);
        Self { way: Way::Back, stage: Stage::Starting, reason, ..course }
    }

    /// Records a release that others deployed, and that was seen to be well.
    pub fn confirmed(release: Release, by: Option<String>) -> Self {
        Self { way: Way::Confirmed, ..Self::deploy(release, None, by) }
    }

    /// Records a release that others deployed and that failed for `reason`, and goes back.
    pub fn failed_elsewhere(
        release: Release,
        target: Release,
        by: Option<String>,
        reason: String,
    ) -> Self {
        Self { way: Way::FailedElsewhere, reason, ..Self::deploy(release, Some(target), by) }
    }

    /// The next step, after the last one went as `last` says (nothing went wrong before the first).
    pub fn next(&mut self, last: Result<(), String>) -> Next {
        match (self.stage, last) {
            (Stage::Begin, _) => {
                let (release, by) = (self.release.clone(), self.by.clone());
                self.go(Stage::Starting, Next::Record(Event::Started { release, by }))
            }
            (Stage::Starting, Ok(())) => self.go(Stage::Mutating, Next::Record(Event::Mutating)),
            (Stage::Starting, Err(reason)) => {
                self.settle(Outcome::Untouched(reason));
                Next::Done(self.outcome.clone())
            }
            // The intent is in the ledger: from here on, silence would look like a crash.
            (Stage::Mutating, Ok(())) => self.set_out(),
            (Stage::Mutating, Err(reason)) => self.give_up(reason),
            (Stage::GivingUp | Stage::Settled, _) => Next::Done(self.outcome.clone()),
            (Stage::Acting, Ok(())) => self.go(Stage::Verifying, Next::Verify(Direction::Forward)),
            (Stage::Verifying, Ok(())) => self.verified(),
            (Stage::Acting | Stage::Verifying, Err(reason)) => self.fail(reason),
            // Whether that could be written or not: the old release must come back.
            (Stage::Failing, _) if self.target.is_some() => self.act_back(),
            (Stage::Failing, _) => Next::Done(Outcome::Failed(self.reason.clone())),
            (Stage::ActingBack, Ok(())) => {
                self.go(Stage::VerifyingBack, Next::Verify(Direction::Back))
            }
            (Stage::VerifyingBack, Ok(())) => self.restored(),
            // A rollback is never rolled back.
            (Stage::ActingBack | Stage::VerifyingBack, Err(rollback)) => self.lost(rollback),
        }
    }

    fn go(&mut self, stage: Stage, next: Next) -> Next {
        self.stage = stage;
        next
    }

    fn settle(&mut self, outcome: Outcome) {
        self.stage = Stage::Settled;
        self.outcome = outcome;
    }

    fn set_out(&mut self) -> Next {
        match self.way {
            Way::Deploy => self.go(Stage::Acting, Next::Act(Direction::Forward)),
            Way::Back => self.act_back(),
            Way::Confirmed => self.verified(),
            Way::FailedElsewhere => self.fail(self.reason.clone()),
        }
    }

    fn verified(&mut self) -> Next {
        self.settle(Outcome::Verified);
        Next::Record(Event::Verified)
    }

    fn fail(&mut self, reason: String) -> Next {
        self.reason.clone_from(&reason);
        self.go(Stage::Failing, Next::Record(Event::Failed { reason }))
    }

    fn act_back(&mut self) -> Next {
        self.go(Stage::ActingBack, Next::Act(Direction::Back))
    }

    /// A deployment that was begun and touched nothing is closed, so that nobody looks for it. A
    /// rollback by hand has no event of its own to close.
    fn give_up(&mut self, reason: String) -> Next {
        self.settle(Outcome::Untouched(reason.clone()));
        if self.way == Way::Back {
            return Next::Done(self.outcome.clone());
        }
        self.go(Stage::GivingUp, Next::Record(Event::Failed { reason }))
    }

    fn restored(&mut self) -> Next {
        let reason = self.reason.clone();
        self.settle(Outcome::RolledBack(reason.clone()));
        Next::Record(Event::RolledBack { to: self.target.clone().unwrap_or_default(), reason })
    }

    fn lost(&mut self, rollback: String) -> Next {
        let reason = self.reason.clone();
        let to = self.target.clone().unwrap_or_default();
        self.settle(Outcome::RollbackFailed { reason, rollback: rollback.clone() });
        Next::Record(Event::RollbackFailed { to, reason: rollback })
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
