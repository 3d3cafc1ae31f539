//! A ledger's file on a disk that crashes: what was acknowledged is there, and nothing is ever damaged.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::Chain;
use crate::decide::history::{Event, Record};
use crate::host::disk;
use crate::host::disk_model::{Model, Sync, randomly};

const FILE: &str = "/state/shop/production/ledger.jsonl";

/// The length of a line of [`record`].
const WHOLE: usize = 211;

/// One process that appends lines until it is stopped, and what becomes of it.
#[derive(Debug, Clone)]
struct Round {
    steps: usize,
    torn: usize,
    /// The machine crashes with it; else only the process ends.
    power: Option<u64>,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    // Any byte of a line, its line break and the one before it above all.
    let torn = prop_oneof![0..WHOLE, WHOLE - 3..WHOLE + 1];
    let round = (0..24_usize, torn, proptest::option::of(any::<u64>()));
    let round = round.prop_map(|(steps, torn, power)| Round { steps, torn, power });
    proptest::collection::vec(round, 1..9)
}

fn read(model: &Model) -> Result<Chain<Record>, String> {
    let bytes = model.read(Path::new(FILE)).unwrap_or_default();
    Chain::read(&bytes).map_err(|damage| format!("line {}: {}", damage.line, damage.kind))
}

/// Every reading must be without damage, begin with what was acknowledged, and have at most one
/// line more than was read or acknowledged before.
fn keeps(model: &Model, rounds: &[Round]) -> Result<(), String> {
    let mut kept: Vec<Record> = Vec::new();
    for (process, round) in rounds.iter().enumerate() {
        model.begin(round.steps, round.torn);
        let mut seen = read(model)?.records;
        loop {
            let chain = read(model)?;
            let record = record(chain.next_number(), process);
            let line = chain.line(&record).map_err(|error| error.to_string())?;
            let whole = chain.whole as u64;
            seen.push(record);
            let done = disk::extend(model, Path::new(FILE), whole, line.as_bytes());
            if !model.acknowledges(&done) {
                break;
            }
            kept.clone_from(&seen);
        }
        if let Some(seed) = round.power {
            model.crash(randomly(seed));
        }
        let found = read(model)?.records;
        if !found.starts_with(&kept) || !seen.starts_with(&found) {
            let [kept, found] = [kept.len(), found.len()];
            return Err(format!("of {kept} lines that were acknowledged {found} were read"));
        }
    }
    Ok(())
}

fn record(seq: u64, process: usize) -> Record {
    Record {
        seq,
        at: "2026-11-21T02:03:04.000Z".into(),
        service: "shop".into(),
        environment: "production".into(),
        deployment: format!("d-{process}"),
        event: Event::Mutating,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn d12_a_line_that_was_acknowledged_survives_and_a_torn_one_is_no_damage(rounds in rounds()) {
        prop_assert_eq!(keeps(&Model::new(), &rounds), Ok(()));
    }
}

#[test]
fn a_sync_that_is_missing_is_noticed_when_lines_are_appended() {
    for sync in [Sync::File, Sync::Folder, Sync::Above] {
        let found = TestRunner::deterministic().run(&rounds(), |rounds| {
            keeps(&Model::without(sync), &rounds).map_err(TestCaseError::fail)
        });
        assert!(found.is_err(), "nobody notices that {sync:?} is missing");
    }
}

#[test]
fn lines_are_as_long_as_they_are_torn() {
    let line = Chain::<Record>::default().line(&record(1, 0)).unwrap();
    assert_eq!(line.len(), WHOLE, "{line}");
}
