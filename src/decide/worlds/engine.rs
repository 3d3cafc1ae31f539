//! Engines that walk a transaction as `deploy::drive` does, fail, are cancelled and are killed.

use super::cases::Case;
use super::dice::Dice;
use super::model::{Extent, World};
use crate::decide::history::Event;
use crate::decide::journal::{Entry, Part, Place, Way};
use crate::decide::plan::Act;
use crate::decide::transaction::{Next, Outcome, Transaction};

/// Engines that are killed before one is left alone.
const KILLED: u32 = 12;

/// How often things go wrong, in percent.
#[derive(Debug, Clone, Copy)]
struct Odds {
    act: u64,
    kill: u64,
    cancel: u64,
    ledger: u64,
    journal: u64,
}

/// Why an engine stopped before the end.
enum Stop {
    Killed,
    /// The last word could not be recorded: whoever comes next does it.
    Unrecorded,
}

/// What happened.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) world: World,
    pub(super) outcome: Outcome,
    pub(super) entries: Vec<Entry>,
    pub(super) ledger: Vec<Event>,
    /// What was done, also in part.
    pub(super) performed: Vec<(Place, Act)>,
    /// How many of these had been done when it was clear that the rollback had failed.
    pub(super) lost_after: Option<usize>,
    pub(super) cleanup_failed: bool,
    pub(super) engines: u32,
    /// Whether an entry could not be written.
    pub(super) unwritten: bool,
    /// Whether anything went wrong by chance.
    pub(super) unlucky: bool,
    /// Whether an act on the way back failed by chance.
    pub(super) unlucky_back: bool,
}

struct Engine<'a> {
    dice: &'a mut Dice,
    odds: Odds,
    way: Way,
    told: Told,
    resumed: bool,
}

/// Tells a story to its end.
pub(super) fn tell(case: &Case, dice: &mut Dice) -> Told {
    let kill = dice.one(&[0, 0, 1, 3, 8]);
    let odds = Odds {
        act: dice.one(&[0, 3, 12]),
        kill,
        cancel: dice.one(&[0, 0, 0, 3]),
        ledger: dice.one(&[0, 0, 0, 5]),
        // A journal that is full for a moment, and a kill in that moment, is one thing too many:
        // it tells less than was done, and some of that is done again.
        journal: if kill == 0 { dice.one(&[0, 0, 3]) } else { 0 },
    };
    let told = Told {
        world: case.world.clone(),
        outcome: Outcome::Untouched(String::new()),
        entries: Vec::new(),
        ledger: case.ledger.clone(),
        performed: Vec::new(),
        lost_after: None,
        cleanup_failed: false,
        engines: 0,
        unwritten: false,
        unlucky: false,
        unlucky_back: false,
    };
    let mut engine = Engine { dice, odds, way: case.begun.way, told, resumed: false };
    let mut end = engine.begin(case);
    while let Err(stop) = end {
        engine.told.engines += 1;
        if engine.told.engines > KILLED {
            engine.odds = Odds { kill: 0, ledger: 0, ..odds };
        }
        if matches!(stop, Stop::Killed) && engine.told.entries.is_empty() {
            // It was killed before it had begun: nobody goes on with it.
            return engine.told;
        }
        end = engine.resume();
    }
    engine.told
}

impl Engine<'_> {
    fn begin(&mut self, case: &Case) -> Result<(), Stop> {
        let mut transaction = Transaction::new(case.begun.clone());
        if !self.write(Entry::Begun(Box::new(case.begun.clone())))? {
            transaction.apply(&Entry::Interrupted { reason: "disk full".into() });
            transaction.apply(&Entry::Ended);
        }
        self.walk(transaction)
    }

    fn resume(&mut self) -> Result<(), Stop> {
        self.resumed = true;
        let mut transaction = Transaction::of(&self.told.entries).unwrap();
        self.note(&mut transaction, Entry::Interrupted { reason: "killed".into() })?;
        self.walk(transaction)
    }

    fn walk(&mut self, mut transaction: Transaction) -> Result<(), Stop> {
        loop {
            if transaction.heeds_cancellation() && self.dice.percent(self.odds.cancel) {
                self.told.unlucky = true;
                self.note(&mut transaction, Entry::Interrupted { reason: "cancelled".into() })?;
            }
            match transaction.next() {
                Next::Over(outcome) => {
                    self.told.outcome = outcome;
                    return Ok(());
                }
                Next::Record(event) => self.record(&mut transaction, event)?,
                Next::Intend(place, _) => self.note(&mut transaction, Entry::Intent(place))?,
                Next::Do(place, act) => {
                    let act = act.clone();
                    let entry = self.act(place, &act)?;
                    self.note(&mut transaction, entry)?;
                }
                Next::Commit => self.note(&mut transaction, Entry::Committed)?,
                Next::End => self.note(&mut transaction, Entry::Ended)?,
            }
        }
    }

    fn record(&mut self, transaction: &mut Transaction, event: Event) -> Result<(), Stop> {
        self.may_be_killed()?;
        let known = self.resumed && self.told.ledger.last() == Some(&event);
        let failed = !known && self.dice.percent(self.odds.ledger);
        self.told.unlucky |= failed;
        // An answer that was lost on its way looks like a failure, too.
        if !known && (!failed || self.dice.coin()) {
            self.told.ledger.push(event.clone());
        }
        self.may_be_killed()?;
        let reason = "the ledger is down".to_owned();
        match event {
            _ if !failed => self.note(transaction, Entry::Recorded(event)),
            Event::Started { .. } | Event::Mutating => {
                self.note(transaction, Entry::Interrupted { reason })
            }
            Event::Failed { .. } => self.note(transaction, Entry::Unrecorded { event, reason }),
            _ => Err(Stop::Unrecorded),
        }
    }

    fn act(&mut self, place: Place, act: &Act) -> Result<Entry, Stop> {
        self.may_be_killed()?;
        let killed = self.dice.percent(self.odds.kill);
        let fails = killed || self.dice.percent(self.odds.act);
        let extent = match fails {
            true => self.dice.one(&[Extent::Nothing, Extent::Half, Extent::Whole]),
            false => Extent::Whole,
        };
        let forward = place.part == Part::Forward && self.way == Way::Deploy;
        self.told.unlucky |= fails;
        self.told.unlucky_back |= fails && !killed && !forward;
        self.told.performed.push((place, act.clone()));
        let done = self.told.world.perform(act, extent);
        if killed {
            return Err(Stop::Killed);
        }
        Ok(match (fails, done) {
            (false, Ok(())) => Entry::Done { place, detail: String::new() },
            (_, Err(reason)) => Entry::Failed { place, reason },
            (true, Ok(())) => Entry::Failed { place, reason: "bad luck".into() },
        })
    }

    /// As `Drive::note`.
    fn note(&mut self, transaction: &mut Transaction, entry: Entry) -> Result<(), Stop> {
        if self.write(entry.clone())? {
            transaction.apply(&entry);
            return self.may_be_killed();
        }
        let forward = transaction.heeds_cancellation();
        if forward && !matches!(entry, Entry::Failed { .. } | Entry::Interrupted { .. }) {
            transaction.apply(&Entry::Interrupted { reason: "disk full".into() });
        } else {
            transaction.apply(&entry);
        }
        Ok(())
    }

    /// Writes a line; tells whether that could be done.
    fn write(&mut self, entry: Entry) -> Result<bool, Stop> {
        self.may_be_killed()?;
        if self.dice.percent(self.odds.journal) {
            (self.told.unwritten, self.told.unlucky) = (true, true);
            self.told.cleanup_failed |=
                matches!(&entry, Entry::Failed { place, .. } if place.part == Part::Cleanup);
            return Ok(false);
        }
        if let Entry::Failed { place, .. } = &entry {
            self.told.cleanup_failed |= place.part == Part::Cleanup;
            let rollback = place.part == Part::Forward && self.way != Way::Deploy;
            if rollback || matches!(place.part, Part::Undo | Part::Restored) {
                self.told.lost_after.get_or_insert(self.told.performed.len());
            }
        }
        self.told.entries.push(entry);
        self.may_be_killed()?;
        Ok(true)
    }

    fn may_be_killed(&mut self) -> Result<(), Stop> {
        if !self.dice.percent(self.odds.kill) {
            return Ok(());
        }
        self.told.unlucky = true;
        Err(Stop::Killed)
    }
}
