//! How far a transaction is, for whoever looks at it from outside.

use std::collections::BTreeSet;
use std::fmt;

use super::journal::{Entry, Part, Place};
use super::transaction::{Next, Transaction};

/// How far a transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The operation that is on its way, as reports call it: `start v2 in green`.
    pub doing: String,
    /// The part of the plan that it belongs to.
    pub part: Part,
    /// Operations of that part that are done.
    pub done: usize,
    /// Operations that the part has; on the way back, those that are taken back.
    pub of: usize,
    /// When its last entry was written: milliseconds since 1970 in UTC.
    pub since_ms: u64,
}

impl Progress {
    /// Adds up a journal's entries, each with its time in milliseconds since 1970; none when it
    /// has not begun, or is over.
    pub fn of(entries: &[(u64, &Entry)]) -> Option<Self> {
        let transaction = Transaction::of(entries.iter().map(|(_, entry)| *entry))?;
        let (since_ms, _) = entries.last()?;
        let last = entries.iter().rev().find_map(|(_, entry)| intended(entry));
        let last = last.map_or(Part::Forward, |place| place.part);
        let (part, doing) = match transaction.next() {
            Next::Over(_) => return None,
            Next::Intend(place, operation) => (place.part, named(place, &operation.name)),
            Next::Do(place, _) => {
                let name = transaction.at(place).map_or("", |operation| operation.name.as_str());
                (place.part, named(place, name))
            }
            Next::Record(_) => (last, "write it into the ledger".into()),
            Next::Commit => (last, "go past the point of no return".into()),
            Next::End => (last, "end".into()),
        };
        let of = count(&transaction, part, entries);
        let done = entries.iter().filter_map(|(_, entry)| settled(entry));
        let done: BTreeSet<usize> =
            done.filter(|place| place.part == part).map(|place| place.index).collect();
        Some(Self { doing, part, done: done.len(), of, since_ms: *since_ms })
    }

    /// How many of how many, in words: `3 of 9 done`.
    pub fn share(&self) -> String {
        let Self { done, of, .. } = self;
        match self.part {
            Part::Forward => format!("{done} of {of} done"),
            Part::Undo => format!("on the way back, {done} of {of} taken back"),
            Part::Restored => format!("all is taken back, {done} of {of} proved"),
            Part::Cleanup => format!("all is well, {done} of {of} cleaned up"),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.doing, self.share())
    }
}

fn named(place: Place, name: &str) -> String {
    if place.part == Part::Undo { format!("undo: {name}") } else { name.to_owned() }
}

fn count(transaction: &Transaction, part: Part, entries: &[(u64, &Entry)]) -> usize {
    let plan = &transaction.begun().plan;
    match part {
        Part::Forward => plan.forward.len(),
        Part::Restored => plan.restored.len(),
        Part::Cleanup => plan.cleanup.len(),
        Part::Undo => {
            // What was only intended is taken back, too.
            let begun = entries.iter().filter_map(|(_, entry)| intended(entry));
            let begun: BTreeSet<usize> = begun
                .filter(|place| place.part == Part::Forward)
                .map(|place| place.index)
                .collect();
            let undone = |index: &&usize| {
                plan.forward.get(**index).is_some_and(|operation| operation.undo.is_some())
            };
            begun.iter().filter(undone).count()
        }
    }
}

fn intended(entry: &Entry) -> Option<Place> {
    if let Entry::Intent(place) = entry { Some(*place) } else { None }
}

/// What is over of an operation. A clean-up that failed is left to whoever comes next.
fn settled(entry: &Entry) -> Option<Place> {
    match entry {
        Entry::Done { place, .. } => Some(*place),
        Entry::Failed { place, .. } if place.part == Part::Cleanup => Some(*place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::history::{Event, Release};
    use crate::decide::journal::{Begun, Keeping, Way};
    use crate::decide::plan::{Act, Operation, Plan};

    fn operation(name: &str, undo: bool) -> Operation {
        let operation = Operation::new(name, Act::Mark);
        if undo { operation.undo(Act::Mark) } else { operation }
    }

    fn begun() -> Entry {
        let release = |version: &str| Release { version: version.into(), ..Release::default() };
        Entry::Begun(Box::new(Begun {
            deployment: "d".into(),
            way: Way::Deploy,
            release: release("v2"),
            target: Some(release("v1")),
            live: Some(release("v1")),
            by: None,
            reason: String::new(),
            plan: Plan {
                strategy: "rolling".into(),
                back: Some(release("v1")),
                forward: vec![
                    operation("start v2", true),
                    operation("look at v2", false),
                    operation("switch to v2", true),
                ],
                restored: vec![operation("verify v1", false)],
                cleanup: vec![operation("stop v1", false), operation("keep v1", false)],
            },
            keeping: Keeping::default(),
        }))
    }

    /// After these entries, a second each.
    fn after(entries: &[Entry]) -> Option<(String, usize, usize, u64)> {
        let timed: Vec<(u64, &Entry)> =
            entries.iter().enumerate().map(|(at, entry)| (at as u64 * 1000, entry)).collect();
        let progress = Progress::of(&timed)?;
        Some((progress.to_string(), progress.done, progress.of, progress.since_ms))
    }

    fn intent(part: Part, index: usize) -> Entry {
        Entry::Intent(Place { part, index })
    }

    fn done(part: Part, index: usize) -> Entry {
        Entry::Done { place: Place { part, index }, detail: String::new() }
    }

    #[test]
    fn every_part_says_how_far_it_is() {
        use Part::{Cleanup, Forward, Restored, Undo};
        let started = Event::Started { release: Release::default(), by: None };
        let failed = Event::Failed { reason: "x".into() };
        let mut entries = vec![begun()];
        let mut then = |more: &[Entry]| {
            entries.extend_from_slice(more);
            after(&entries)
        };
        assert_eq!(then(&[]).unwrap().0, "`write it into the ledger` (0 of 3 done)");
        let opening = [Entry::Recorded(started), Entry::Recorded(Event::Mutating)];
        assert_eq!(then(&opening).unwrap(), ("`start v2` (0 of 3 done)".into(), 0, 3, 2000));
        assert_eq!(then(&[intent(Forward, 0)]).unwrap().0, "`start v2` (0 of 3 done)");
        assert_eq!(then(&[done(Forward, 0)]).unwrap().0, "`look at v2` (1 of 3 done)");
        let broken = Entry::Interrupted { reason: "cancelled".into() };
        then(&[intent(Forward, 1), broken, Entry::Recorded(failed)]);
        let back = then(&[intent(Undo, 0)]).unwrap();
        assert_eq!(back.0, "`undo: start v2` (on the way back, 0 of 1 taken back)");
        assert_eq!((back.1, back.2), (0, 1), "a look is not taken back");
        then(&[done(Undo, 0)]);
        let proof = then(&[intent(Restored, 0)]).unwrap();
        assert_eq!(proof.0, "`verify v1` (all is taken back, 0 of 1 proved)");

        let mut entries = vec![begun()];
        entries.extend(opening);
        for index in 0..3 {
            entries.extend([intent(Forward, index), done(Forward, index)]);
        }
        entries.extend([Entry::Committed, Entry::Recorded(Event::Verified), intent(Cleanup, 0)]);
        let place = Place { part: Cleanup, index: 0 };
        entries.push(Entry::Failed { place, reason: "busy".into() });
        assert_eq!(after(&entries).unwrap().0, "`keep v1` (all is well, 1 of 2 cleaned up)");
        entries.push(Entry::Ended);
        assert_eq!(after(&entries), None);
        assert_eq!(after(&[]), None);
    }
}
