//! Walks a transaction: writes, acts, looks. What comes next is `decide::transaction`'s.

use std::time::Duration;

use super::hands::Hands;
use super::journal::Journal;
use super::ledger::Ledger;
use super::lock::Held;
use super::story::Story;
use super::{reserve, retold};
use crate::commands::Session;
use crate::decide::history::Event;
use crate::decide::journal::{Begun, Entry, Part, Place, Way};
use crate::decide::plan::Act;
use crate::decide::transaction::{Next, Outcome, Transaction};
use crate::decide::verdict::Verdict;
use crate::host::{clock, system};

/// Everything that a walk needs.
pub struct Drive<'a> {
    /// The run.
    pub session: &'a Session,
    /// The memory.
    pub ledger: &'a dyn Ledger,
    /// What is written before it is done.
    pub journal: Journal,
    /// The right to change anything.
    pub held: &'a Held,
    /// What does the acts.
    pub hands: Hands<'a>,
    /// What is told.
    pub story: Story<'a>,
}

/// What a walk ended with.
#[derive(Debug)]
pub struct Driven {
    /// What it was about.
    pub begun: Begun,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the running system was touched.
    pub mutated: bool,
    /// What could not be kept.
    pub unrecorded: Vec<String>,
    /// To whom the rest of it was left, if it was.
    pub left: Option<Left>,
}

/// Who goes on with what was not walked to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Whoever has the right to change anything; why it was lost.
    ToHolder(String),
    /// Whoever recovers when this machine, which is shutting down, is up again.
    ToRecovery,
}

/// A walk on its way.
struct Walk {
    transaction: Transaction,
    mutated: bool,
    resumed: bool,
    /// Whether evidence of what failed was kept, or nothing of it is left.
    witnessed: bool,
    unrecorded: Vec<String>,
    left: Option<Left>,
}

impl Drive<'_> {
    /// Begins, and walks to the end. Nothing that goes wrong on the way is an error here: it is an
    /// outcome.
    pub fn begin(&mut self, begun: Begun) -> Driven {
        self.take_over(&begun);
        let transaction = Transaction::new(begun.clone());
        let mut walk = Walk::of(transaction, false);
        // What is not in the journal is not begun.
        if let Err(reason) = self.write(Entry::Begun(Box::new(begun))) {
            walk.transaction.apply(&Entry::Interrupted { reason });
            walk.transaction.apply(&Entry::Ended);
        } else if let Err(error) = reserve::take(&self.hands.run) {
            self.note(&mut walk, Entry::Interrupted { reason: format!("{error:#}") });
        }
        self.walk(walk)
    }

    /// Goes on with what another engine left, and walks to the end. None when it had not begun.
    pub fn resume(&mut self, reason: &str) -> Option<Driven> {
        let entries = || self.journal.lines().iter().map(|line| &line.entry);
        let mut walk = Walk::of(Transaction::of(entries())?, true);
        walk.mutated = entries().any(|entry| *entry == Entry::Recorded(Event::Mutating));
        walk.witnessed = entries().any(|entry| walk.ends_traces(entry));
        self.take_over(walk.transaction.begun());
        // It may have been ended between the ledger's line and the journal's.
        if let Next::Record(event) = walk.transaction.next()
            && self.is_recorded(&walk, &event).is_ok_and(|recorded| recorded)
        {
            walk.mutated |= event == Event::Mutating;
            self.note(&mut walk, Entry::Recorded(event));
        }
        // What is over only has to be told.
        if !walk.transaction.is_over() {
            self.note(&mut walk, Entry::Interrupted { reason: reason.into() });
        }
        let lines = self.journal.lines();
        let began = lines.first().map_or(0, |line| clock::unix_ms().saturating_sub(line.at_ms));
        let steps = retold::steps(&walk.transaction, lines);
        self.story.go_on(Duration::from_millis(began), steps);
        Some(self.walk(walk))
    }

    /// What the hands have to know, whoever began.
    fn take_over(&mut self, begun: &Begun) {
        self.hands.deployment.clone_from(&begun.deployment);
        self.hands.keeping = begun.keeping;
    }

    fn walk(&mut self, mut walk: Walk) -> Driven {
        while !self.is_fenced(&mut walk) {
            if let Some(reason) = self.stop(&walk.transaction) {
                if self.leaves_to_recovery(&mut walk) {
                    break;
                }
                self.story.tell("abort", &reason);
                self.note(&mut walk, Entry::Interrupted { reason });
            }
            match walk.transaction.next() {
                Next::Over(_) => break,
                Next::Record(event) => {
                    if !self.record(&mut walk, event) {
                        break;
                    }
                }
                Next::Intend(place, _) => {
                    if walk.ends_traces(&Entry::Intent(place)) {
                        self.witness(&mut walk);
                    }
                    // A rollback by hand goes its whole way forward.
                    if place.part != Part::Forward || walk.transaction.begun().way != Way::Deploy {
                        reserve::free(&self.hands.run);
                    }
                    self.announce(&walk.transaction, place);
                    self.note(&mut walk, Entry::Intent(place));
                }
                Next::Do(place, act) => {
                    let entry = self.act(&walk.transaction, place, &act.clone());
                    let failed = matches!(entry, Entry::Failed { .. });
                    if failed && self.leaves_to_recovery(&mut walk) {
                        break;
                    }
                    self.note(&mut walk, entry);
                }
                Next::Commit => self.note(&mut walk, Entry::Committed),
                Next::End => {
                    let outcome = walk.transaction.outcome();
                    if !matches!(outcome, Outcome::Verified | Outcome::Untouched(_)) {
                        self.witness(&mut walk);
                    }
                    reserve::free(&self.hands.run);
                    self.note(&mut walk, Entry::Ended);
                }
            }
        }
        let Walk { transaction, mutated, unrecorded, left, .. } = walk;
        let (begun, outcome) = (transaction.begun().clone(), transaction.outcome().clone());
        Driven { begun, outcome, mutated, unrecorded, left }
    }

    /// Whether somebody took the lock: whoever has it now goes on with the story, or is through with
    /// it already, and nothing may be done or written beside him. An act can be long, so this is
    /// asked behind it too.
    fn is_fenced(&self, walk: &mut Walk) -> bool {
        if walk.left.is_none() {
            let lost = self.held.check().err();
            walk.left = lost.map(|error| Left::ToHolder(format!("{error:#}")));
        }
        walk.left.is_some()
    }

    /// Whether the rest is left to the recovery at the next boot: while a machine shuts down nothing
    /// can be started any more, the old release neither, and what ends is no fault of a release. What
    /// failed or was cancelled is not written down then, so that it is done again.
    fn leaves_to_recovery(&mut self, walk: &mut Walk) -> bool {
        if walk.mutated && walk.left.is_none() && system::is_going_down() {
            let text = "this machine is shutting down: the rest is done when it is up again";
            self.story.tell("abort", text);
            walk.left = Some(Left::ToRecovery);
        }
        walk.left.is_some()
    }

    /// Why it should go no further, while that is still asked.
    fn stop(&self, transaction: &Transaction) -> Option<String> {
        if !transaction.heeds_cancellation() {
            // What runs now must come to its end.
            self.session.cancel.shield();
            return None;
        }
        self.session.cancel.reason().map(cancelled)
    }

    /// Keeps evidence of what is taken back, once, and only of what had begun. It takes what room there
    /// is, and not what the way back needs.
    fn witness(&mut self, walk: &mut Walk) {
        if walk.witnessed || !walk.mutated {
            return;
        }
        walk.witnessed = true;
        let (run, is_free) = (self.hands.run.clone(), !reserve::is_held(&self.hands.run));
        if is_free && let Err(error) = reserve::take(&run) {
            return self.story.tell("abort", &format!("no evidence is kept: {error:#}"));
        }
        self.hands.witness(walk.transaction.begun(), walk.transaction.reason());
        if is_free {
            reserve::free(&run);
        }
    }

    /// Adds an event to the ledger; tells whether it goes on.
    fn record(&mut self, walk: &mut Walk, event: Event) -> bool {
        if matches!(event, Event::Failed { .. }) && walk.mutated {
            // What failed must not stay live for the sake of evidence that will still be there. What
            // others deployed is taken back as by hand.
            let own = walk.transaction.begun().way == Way::Deploy;
            if own && !walk.transaction.first_back().is_some_and(Act::leaves_traces) {
                self.witness(walk);
            }
            reserve::free(&self.hands.run);
        }
        if self.is_fenced(walk) {
            return false;
        }
        match self.remember(walk, &event) {
            Ok(()) => {
                walk.mutated |= event == Event::Mutating;
                self.note(walk, Entry::Recorded(event));
                true
            }
            Err(reason) => {
                let word = event.words();
                self.story.step(
                    "record",
                    self.session.elapsed(),
                    Verdict::Error,
                    format!("{word}: {reason}"),
                );
                match event {
                    Event::Started { .. } | Event::Mutating => {
                        self.note(walk, Entry::Interrupted { reason });
                        true
                    }
                    // Whether that could be written or not: the old release must come back.
                    Event::Failed { .. } => {
                        walk.unrecorded.push(format!("{word}: {reason}"));
                        self.note(walk, Entry::Unrecorded { event, reason });
                        true
                    }
                    // The last word. Whoever comes next finds the journal open and writes it.
                    _ => {
                        walk.unrecorded.push(format!("{word}: {reason}"));
                        false
                    }
                }
            }
        }
    }

    /// Writes an event into the ledger, unless whoever was interrupted had done so.
    fn remember(&mut self, walk: &Walk, event: &Event) -> Result<(), String> {
        let deployment = &walk.transaction.begun().deployment;
        if walk.resumed && self.is_recorded(walk, event)? {
            return Ok(());
        }
        let from = self.session.elapsed();
        let record = self.ledger.append(deployment, event.clone()).map_err(why)?;
        let detail = format!("{} (event {} of the ledger)", event.words(), record.seq);
        self.story.step("record", from, Verdict::Pass, detail);
        Ok(())
    }

    /// Whether the ledger's last word of this deployment is that event.
    fn is_recorded(&self, walk: &Walk, event: &Event) -> Result<bool, String> {
        let deployment = &walk.transaction.begun().deployment;
        let records = self.ledger.read().map_err(why)?;
        let last = records.iter().rfind(|record| record.deployment == *deployment);
        Ok(last.is_some_and(|last| last.event == *event))
    }

    fn announce(&mut self, transaction: &Transaction, place: Place) {
        let Some(operation) = transaction.at(place) else { return };
        let act = match place.part {
            Part::Undo => operation.undo.as_ref().unwrap_or(&operation.act),
            _ => &operation.act,
        };
        // What takes no time is told when it is done.
        if matches!(act, Act::SaveTag { .. } | Act::Keep { .. } | Act::Compare { .. }) {
            return;
        }
        for line in self.hands.describe(act) {
            self.story.tell(act.word(), &line);
        }
    }

    fn act(&mut self, transaction: &Transaction, place: Place, act: &Act) -> Entry {
        let from = self.session.elapsed();
        let back = place.part != Part::Forward || transaction.begun().way != Way::Deploy;
        // What is written down can be read by others, and the ledger may be anywhere.
        let masked = |text: String| self.session.masked(&text);
        let done = self.hands.perform(act, back).map(masked).map_err(masked);
        let done = done.map_err(|reason| self.told_to_end(transaction, reason));
        let name = retold::name(transaction, place);
        let (verdict, detail) = match &done {
            Ok(detail) => (Verdict::Pass, detail.clone()),
            Err(reason) => (Verdict::Fail, reason.clone()),
        };
        // There was nothing to do: a mark, a file that is not there.
        if !(done.is_ok() && detail.is_empty()) {
            self.story.operation(act.word(), &name, from, verdict, detail);
        }
        match done {
            Ok(detail) => Entry::Done { place, detail },
            Err(reason) => Entry::Failed { place, reason },
        }
    }

    /// Why an act failed: who cancelled it is more than that it was cancelled.
    fn told_to_end(&self, transaction: &Transaction, reason: String) -> String {
        let by = self.session.cancel.reason().filter(|_| transaction.heeds_cancellation());
        match by.map(cancelled) {
            Some(by) if reason == super::hands::CANCELLED => by,
            Some(by) => format!("{by}; {reason}"),
            None => reason,
        }
    }

    /// Writes an entry and adds it up. What cannot be written ends the way forward; on the way
    /// back nothing may keep the old release from coming.
    fn note(&mut self, walk: &mut Walk, entry: Entry) {
        if self.is_fenced(walk) {
            return;
        }
        let Err(reason) = self.write(entry.clone()) else { return walk.transaction.apply(&entry) };
        let forward = walk.transaction.heeds_cancellation();
        let counts =
            if forward && !matches!(entry, Entry::Failed { .. } | Entry::Interrupted { .. }) {
                self.story.tell("abort", &reason);
                Entry::Interrupted { reason }
            } else {
                walk.unrecorded.push(reason);
                entry
            };
        self.journal.owe(self.held.fence(), counts.clone());
        walk.transaction.apply(&counts);
    }

    fn write(&mut self, entry: Entry) -> Result<(), String> {
        self.journal.append(self.held.fence(), entry).map_err(|error| format!("{error:#}"))
    }
}

impl Walk {
    fn of(transaction: Transaction, resumed: bool) -> Self {
        let (mutated, witnessed, unrecorded) = (false, false, Vec::new());
        Self { transaction, mutated, resumed, witnessed, unrecorded, left: None }
    }

    /// Whether an entry says that something is done which leaves little of what is taken back.
    fn ends_traces(&self, entry: &Entry) -> bool {
        let Entry::Intent(place) = entry else { return false };
        let by_hand = self.transaction.begun().way != Way::Deploy;
        let back = by_hand || matches!(place.part, Part::Undo | Part::Restored);
        back && self.transaction.act(*place).is_some_and(|act| !act.leaves_traces())
    }
}

fn why(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// Why somebody ended it, in words.
fn cancelled(by: &str) -> String {
    match by {
        DEADLINE => "it took longer than `deploy-within` allows".into(),
        signal => format!("cancelled by {signal}"),
    }
}

/// What a cancellation by the limit of the whole deployment is called.
pub const DEADLINE: &str = "its limit";
