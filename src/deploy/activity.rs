//! What goes on in a service's state folder this moment, for whoever only looks: who has the lock,
//! how far that run is, who waits, what was interrupted. Nothing is locked, made or changed.

use std::time::{Duration, UNIX_EPOCH};

use super::journal::{Journal, Line};
use super::lock::{self, Owner, Waiter};
use super::runs::{self, Run};
use super::state::{Scope, State};
use crate::decide::journal::Entry;
use crate::decide::progress::Progress;
use crate::decide::staleness::is_stale;
use crate::host::clock;

/// Looks until nobody took or left the lock meanwhile; then what was seen belongs together.
const LOOKS: usize = 3;

/// What goes on. What cannot be known is why not, in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Activity {
    /// Who has the lock.
    pub owner: Result<Option<Owner>, String>,
    /// How far the owner's run is, or the one that it finishes first.
    pub progress: Option<Open>,
    /// Since when nothing was written, when that is longer than the owner declared.
    pub stale: Option<Stale>,
    /// Who waits, the next one first.
    pub queue: Result<Vec<Waiter>, String>,
    /// Runs that nobody is at, and that are not over; the oldest first.
    pub interrupted: Vec<Open>,
    /// What is wrong with journals that cannot be read.
    pub damaged: Vec<String>,
}

/// A run that began something and is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its id.
    pub run: String,
    /// How far it is.
    pub progress: Progress,
    /// The number that its last entry was written under.
    fence: u64,
}

/// An owner that gets nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// The time since its last entry.
    pub age: Duration,
    /// How long it declared that a step may take.
    pub deadline: Duration,
}

/// Looks. Whatever is broken is said in its place, and the rest is told all the same.
pub fn look(scope: &Scope, state: &State) -> Activity {
    let mut seen = once(scope, state);
    for _ in 1..LOOKS {
        if owner(scope, state) == seen.owner {
            break;
        }
        seen = once(scope, state);
    }
    seen
}

fn once(scope: &Scope, state: &State) -> Activity {
    let owner = owner(scope, state);
    let queue = lock::queue(scope, state).map_err(|error| format!("{error:#}"));
    let (mut open, mut damaged) = (Vec::new(), Vec::new());
    match runs::all(scope, state) {
        Ok(all) => {
            for run in all {
                match journal(&run) {
                    Ok(journal) => open.extend(of(&run, journal.lines()).map(|found| (run, found))),
                    Err(error) => damaged.push(format!("{error:#}")),
                }
            }
        }
        Err(error) => damaged.push(format!("{error:#}")),
    }
    let holder = owner.as_ref().ok().and_then(Option::as_ref);
    let progress = holder.and_then(|owner| {
        // Whoever has the lock writes under its number, also into what it finishes for another.
        open.iter().map(|(_, open)| open).find(|open| open.fence == owner.fence).cloned()
    });
    let interrupted = match &owner {
        Ok(None) => {
            // An engine that lives has only just left the lock, or is about to take it.
            open.into_iter().filter(|(run, _)| run.engine().is_none()).map(|(_, open)| open)
        }
        .collect(),
        // Whoever has the lock finishes them first.
        _ => Vec::new(),
    };
    let stale = holder.and_then(|owner| stale(owner, progress.as_ref()));
    Activity { owner, progress, stale, queue, interrupted, damaged }
}

fn owner(scope: &Scope, state: &State) -> Result<Option<Owner>, String> {
    lock::owner(scope, state).map_err(|error| format!("{error:#}"))
}

/// What looks damaged may have been cut off or removed while it was read: then not the second time.
fn journal(run: &Run) -> anyhow::Result<Journal> {
    Journal::open(&run.folder).or_else(|_| Journal::open(&run.folder))
}

fn of(run: &Run, lines: &[Line]) -> Option<Open> {
    let entries: Vec<(u64, &Entry)> = lines.iter().map(|line| (line.at_ms, &line.entry)).collect();
    let progress = Progress::of(&entries)?;
    Some(Open { run: run.id.clone(), progress, fence: lines.last()?.fence })
}

fn stale(owner: &Owner, open: Option<&Open>) -> Option<Stale> {
    if owner.run.is_empty() {
        return None;
    }
    let taken = humantime::parse_rfc3339(&owner.since).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let taken = u64::try_from(taken.as_millis()).ok()?;
    let last = open.map_or(taken, |open| open.progress.since_ms.max(taken));
    let age = Duration::from_millis(clock::unix_ms().saturating_sub(last));
    let deadline = Duration::from_millis(owner.deadline_ms);
    is_stale(age, deadline).then_some(Stale { age, deadline })
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
