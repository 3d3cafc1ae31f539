//! The lines of a deployment's journal: what it intends, and what it has done.

use serde::{Deserialize, Serialize};

use super::history::{Event, Release};
use super::plan::Plan;

/// What there is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Start the release, and take it back when it is not well.
    Deploy,
    /// Bring the target back, because somebody wants it.
    Rollback,
    /// Bring the target back: others started the release, and it failed.
    FailedElsewhere,
    /// Nothing: others started the release, and it was seen to be well.
    Confirmed,
}

/// Everything that is known when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The deployment's id in the ledger.
    pub deployment: String,
    /// What there is to be done.
    pub way: Way,
    /// The release that is deployed, or rolled back from.
    pub release: Release,
    /// Where to go back to.
    pub target: Option<Release>,
    /// What runs and is verified before, when that is known.
    pub live: Option<Release>,
    /// Who or what asked for it.
    pub by: Option<String>,
    /// Why, for a rollback.
    pub reason: String,
    /// What will be done.
    pub plan: Plan,
    /// What is kept, as somebody said who may be gone when another one goes on with it.
    #[serde(default, skip_serializing_if = "Keeping::is_usual")]
    pub keeping: Keeping,
}

/// What is kept, as whoever asked for it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Keeping {
    /// Evidence of what failed is kept.
    pub forensics: bool,
    /// The database stays as it is.
    pub preserve_data: bool,
}

impl Keeping {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Keeping {
    fn default() -> Self {
        Self { forensics: true, preserve_data: false }
    }
}

/// A part of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// To the new release, or to the target of a rollback.
    Forward,
    /// The way back, operation by operation.
    Undo,
    /// The proof that the old release is back.
    Restored,
    /// What is left to be done when all is well.
    Cleanup,
}

/// An operation of the plan, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The part.
    pub part: Part,
    /// The place in it, from 0.
    pub index: usize,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The first one.
    Begun(Box<Begun>),
    /// This is in the ledger.
    Recorded(Event),
    /// This should be in the ledger, and could not be written there.
    Unrecorded {
        /// What.
        event: Event,
        /// Why not.
        reason: String,
    },
    /// The operation is about to be done.
    Intent(Place),
    /// The operation was done.
    Done {
        /// Which.
        place: Place,
        /// What was found.
        detail: String,
    },
    /// The operation could not be done, or what it looked at was not well.
    Failed {
        /// Which.
        place: Place,
        /// Why.
        reason: String,
    },
    /// Somebody or something ended it: a cancellation, a limit, a crash.
    Interrupted {
        /// What.
        reason: String,
    },
    /// The point of no return: from here on everything is finished, and nothing taken back.
    Committed,
    /// Nothing is left to be done.
    Ended,
}
