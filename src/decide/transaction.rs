//! The course of a deployment or rollback: what comes next, given what stands in its journal.
//!
//! A transaction is the sum of its journal's entries. Whoever goes on with an interrupted one adds
//! up the same entries and asks the same question, so that there is no other logic for recovery.
//! Acting, asking and writing are the caller's; that a failure is always taken back, in reverse and
//! only once, is decided here.
//!
//! Write-ahead: an intent is written before the act. What was intended may have been done, and is
//! taken back like what was done: every act can be done again, and taken back again.

use super::history::{Event, Release};
use super::journal::{Begun, Entry, Part, Place, Way};
use super::plan::{Act, Operation};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// Add this to the ledger, then [`Entry::Recorded`] or [`Entry::Unrecorded`].
    Record(Event),
    /// Write [`Entry::Intent`].
    Intend(Place, &'a Operation),
    /// Do this, then write [`Entry::Done`] or [`Entry::Failed`].
    Do(Place, &'a Act),
    /// Write [`Entry::Committed`].
    Commit,
    /// Write [`Entry::Ended`].
    End,
    /// Nothing: it is over.
    Over(Outcome),
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// This many events were recorded before anything is touched.
    Opening(usize),
    /// Given up before anything was touched; the deployment that was begun is closed.
    GivingUp,
    Forward(usize),
    Committing,
    /// The last event is recorded, then the stage that follows.
    Closing(Event, Box<Stage>),
    /// Everything below this place is taken back.
    Undo(usize),
    Restored(usize),
    Cleanup(usize),
    Ending,
    Ended,
}

/// A deployment or rollback, as far as its journal tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    begun: Begun,
    opening: Vec<Event>,
    stage: Stage,
    /// Whether the operation that comes next is intended already.
    intended: bool,
    outcome: Outcome,
    reason: String,
}

impl Transaction {
    /// One that begins.
    pub fn new(begun: Begun) -> Self {
        let (opening, reason) = (opening(&begun), begun.reason.clone());
        let outcome = Outcome::Untouched(String::new());
        Self { begun, opening, stage: Stage::Opening(0), intended: false, outcome, reason }
    }

    /// One that a journal tells of; none when there is not even its first entry.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Option<Self> {
        let mut entries = entries.into_iter();
        let Entry::Begun(begun) = entries.next()? else { return None };
        let mut transaction = Self::new((**begun).clone());
        entries.for_each(|entry| transaction.apply(entry));
        Some(transaction)
    }

    /// What it is about.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Whether nothing is left to be done.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Whether a cancellation would still be heeded: it costs nothing, or the old release comes
    /// back. A rollback is not cancelled.
    pub fn heeds_cancellation(&self) -> bool {
        let forward = matches!(self.stage, Stage::Forward(_) | Stage::Committing);
        let may_begin = matches!(self.stage, Stage::Opening(_));
        may_begin || forward && self.begun.way == Way::Deploy
    }

    /// What comes next.
    pub fn next(&self) -> Next<'_> {
        match &self.stage {
            Stage::Opening(count) => Next::Record(self.opening[*count].clone()),
            Stage::GivingUp => Next::Record(Event::Failed { reason: self.reason.clone() }),
            Stage::Forward(index) => self.operation(Part::Forward, *index),
            Stage::Committing => Next::Commit,
            Stage::Closing(event, _) => Next::Record(event.clone()),
            Stage::Undo(index) => self.operation(Part::Undo, index.saturating_sub(1)),
            Stage::Restored(index) => self.operation(Part::Restored, *index),
            Stage::Cleanup(index) => self.operation(Part::Cleanup, *index),
            Stage::Ending => Next::End,
            Stage::Ended => Next::Over(self.outcome.clone()),
        }
    }

    /// Why the release is taken back, or why somebody wants that.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What it ends with, as far as is known now.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn operation(&self, part: Part, index: usize) -> Next<'_> {
        let place = Place { part, index };
        match (self.at(place), self.act(place)) {
            (Some(operation), _) if !self.intended => Next::Intend(place, operation),
            (_, Some(act)) => Next::Do(place, act),
            // Stages are only entered at places that there are.
            _ => Next::End,
        }
    }

    /// What will be done first to take the release back, once what is being recorded is.
    pub fn first_back(&self) -> Option<&Act> {
        match &self.stage {
            Stage::Closing(_, then) => match **then {
                Stage::Undo(index) => {
                    self.act(Place { part: Part::Undo, index: index.saturating_sub(1) })
                }
                Stage::Restored(index) => self.act(Place { part: Part::Restored, index }),
                _ => None,
            },
            _ => None,
        }
    }

    /// The operation at a place of the plan.
    pub fn at(&self, place: Place) -> Option<&Operation> {
        let plan = &self.begun.plan;
        let list = match place.part {
            Part::Forward | Part::Undo => &plan.forward,
            Part::Restored => &plan.restored,
            Part::Cleanup => &plan.cleanup,
        };
        list.get(place.index)
    }

    /// What is done at a place of the plan.
    pub fn act(&self, place: Place) -> Option<&Act> {
        let operation = self.at(place)?;
        if place.part == Part::Undo { operation.undo.as_ref() } else { Some(&operation.act) }
    }

    /// Adds an entry that was written.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            // A deployment begins once.
            Entry::Begun(_) => {}
            Entry::Recorded(_) | Entry::Unrecorded { .. } => self.recorded(),
            Entry::Intent(_) => self.intended = true,
            Entry::Done { .. } => self.done(),
            Entry::Failed { reason, .. } => self.failed(reason),
            Entry::Interrupted { reason } => self.interrupted(reason),
            Entry::Committed => self.committed(),
            Entry::Ended => self.stage = Stage::Ended,
        }
    }

    fn recorded(&mut self) {
        match self.stage.clone() {
            Stage::Opening(count) if count + 1 < self.opening.len() => {
                self.stage = Stage::Opening(count + 1);
            }
            Stage::Opening(_) => self.forward(0),
            Stage::GivingUp => self.stage = Stage::Ending,
            Stage::Closing(_, then) => self.stage = *then,
            _ => {}
        }
    }

    fn done(&mut self) {
        self.intended = false;
        match self.stage {
            Stage::Forward(index) => self.forward(index + 1),
            Stage::Undo(index) => self.undo(index.saturating_sub(1)),
            Stage::Restored(index) => self.restored(index + 1),
            Stage::Cleanup(index) => self.cleanup(index + 1),
            _ => {}
        }
    }

    fn failed(&mut self, reason: &str) {
        match self.stage {
            Stage::Forward(_) if self.begun.way == Way::Deploy => self.turn_back(reason),
            // A rollback is never rolled back.
            Stage::Forward(_) | Stage::Undo(_) | Stage::Restored(_) => self.lost(reason),
            // It is told, and tried again by whoever comes next; the release is well all the same.
            Stage::Cleanup(index) => self.cleanup(index + 1),
            _ => {}
        }
        self.intended = false;
    }

    fn interrupted(&mut self, reason: &str) {
        match self.stage {
            Stage::Opening(count) => self.give_up(count, reason),
            Stage::Forward(_) | Stage::Committing if self.begun.way == Way::Deploy => {
                self.turn_back(reason);
            }
            // Everywhere else there is one direction, and it is gone on with.
            _ => {}
        }
        self.intended = false;
    }

    fn committed(&mut self) {
        let event = match self.begun.way {
            Way::Deploy | Way::Confirmed => {
                self.outcome = Outcome::Verified;
                Event::Verified
            }
            Way::Rollback | Way::FailedElsewhere => {
                self.outcome = Outcome::RolledBack(self.reason.clone());
                Event::RolledBack { to: self.back(), reason: self.reason.clone() }
            }
        };
        self.cleanup(0);
        let then = std::mem::replace(&mut self.stage, Stage::Ending);
        self.stage = Stage::Closing(event, Box::new(then));
    }

    /// A deployment that was begun and touched nothing is closed, so that nobody looks for it. A
    /// rollback has no event of its own to close.
    fn give_up(&mut self, recorded: usize, reason: &str) {
        self.reason = reason.into();
        self.outcome = Outcome::Untouched(reason.into());
        let own = self.begun.way != Way::Rollback && recorded > 0;
        self.stage = if own { Stage::GivingUp } else { Stage::Ending };
    }

    fn forward(&mut self, index: usize) {
        let more = index < self.begun.plan.forward.len();
        self.stage = if more { Stage::Forward(index) } else { Stage::Committing };
    }

    /// The release failed: what was done, and what was only intended, is taken back.
    fn turn_back(&mut self, reason: &str) {
        let forward = &self.begun.plan.forward;
        let begun = match self.stage {
            Stage::Forward(index) => index + usize::from(self.intended),
            _ => forward.len(),
        };
        let barrier = forward[..begun].iter().find_map(|operation| operation.no_way_back.clone());
        self.reason = reason.into();
        self.outcome = Outcome::Failed(reason.into());
        match barrier {
            Some(rollback) => self.lost(&rollback),
            None => self.undo(begun),
        }
        let then = std::mem::replace(&mut self.stage, Stage::Ending);
        self.stage = Stage::Closing(Event::Failed { reason: reason.into() }, Box::new(then));
    }

    /// Goes on below this place, with what can be taken back.
    fn undo(&mut self, below: usize) {
        let forward = &self.begun.plan.forward;
        let next = forward[..below].iter().rposition(|operation| operation.undo.is_some());
        match next {
            Some(index) => self.stage = Stage::Undo(index + 1),
            None if self.begun.plan.back.is_some() => self.restored(0),
            // Nothing is known of before: what there was is back, and that is all there is.
            None => self.stage = Stage::Ending,
        }
    }

    fn restored(&mut self, index: usize) {
        if index < self.begun.plan.restored.len() {
            self.stage = Stage::Restored(index);
            return;
        }
        let reason = self.reason.clone();
        self.outcome = Outcome::RolledBack(reason.clone());
        let event = Event::RolledBack { to: self.back(), reason };
        self.stage = Stage::Closing(event, Box::new(Stage::Ending));
    }

    fn lost(&mut self, rollback: &str) {
        let reason = self.reason.clone();
        self.outcome = Outcome::RollbackFailed { reason, rollback: rollback.into() };
        let event = Event::RollbackFailed { to: self.back(), reason: rollback.into() };
        self.stage = Stage::Closing(event, Box::new(Stage::Ending));
    }

    /// What runs, or should run, when everything was taken back.
    fn back(&self) -> Release {
        let back = self.begun.plan.back.as_ref().or(self.begun.target.as_ref());
        back.cloned().unwrap_or_default()
    }

    fn cleanup(&mut self, index: usize) {
        let more = index < self.begun.plan.cleanup.len();
        self.stage = if more { Stage::Cleanup(index) } else { Stage::Ending };
    }
}

/// What is recorded before anything is touched. From `Mutating` on silence would look like a crash.
fn opening(begun: &Begun) -> Vec<Event> {
    let started = || Event::Started { release: begun.release.clone(), by: begun.by.clone() };
    match begun.way {
        Way::Deploy | Way::Confirmed => vec![started(), Event::Mutating],
        Way::Rollback => vec![Event::Mutating],
        Way::FailedElsewhere => {
            vec![started(), Event::Mutating, Event::Failed { reason: begun.reason.clone() }]
        }
    }
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
