use super::*;
use crate::decide::history::Event;
use crate::decide::history::Record;
use crate::decide::journal::{Begun, Keeping, Place};
use crate::decide::plan::{Operation, Plan};

fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

fn of(version: &str, schema: &str) -> Migrated {
    Migrated { release: release(version), schema: Some(schema.into()) }
}

fn begun(way: Way, version: &str, forward: Vec<Operation>) -> Entry {
    Entry::Begun(Box::new(Begun {
        deployment: format!("of-{version}"),
        way,
        release: release(version),
        target: None,
        live: None,
        by: None,
        reason: String::new(),
        plan: Plan { forward, ..Plan::default() },
        keeping: Keeping::default(),
    }))
}

fn restore(version: &str) -> Act {
    Act::Restore { release: release(version), schema: None }
}

fn migrating(version: &str, schema: &str) -> Entry {
    let act = Act::Migrate { release: release(version), schema: Some(schema.into()) };
    begun(Way::Deploy, version, vec![Operation::new("migrate", act).undo(restore(version))])
}

fn place(part: Part) -> Place {
    Place { part, index: 0 }
}

fn done(part: Part) -> Entry {
    Entry::Done { place: place(part), detail: String::new() }
}

fn intent(part: Part) -> Entry {
    Entry::Intent(place(part))
}

fn failed(part: Part) -> Entry {
    Entry::Failed { place: place(part), reason: "no".into() }
}

fn after(runs: &[Vec<Entry>]) -> Vec<Migrated> {
    let mut migrated = Vec::new();
    for run in runs {
        add(&mut migrated, &run.iter().collect::<Vec<_>>());
    }
    migrated
}

#[test]
fn d6_every_release_since_is_taken_back() {
    let run = |version, schema| {
        vec![migrating(version, schema), intent(Part::Forward), done(Part::Forward)]
    };
    let all = [run("v2", "1"), run("v3", "2")];
    assert_eq!(after(&all), [of("v2", "1"), of("v3", "2")]);
    let back = begun(Way::Rollback, "v3", vec![Operation::new("restore", restore("v3"))]);
    let back = vec![back, intent(Part::Forward), done(Part::Forward)];
    let [first, second] = all;
    assert_eq!(after(&[first, second, back]), [of("v2", "1")]);
}

#[test]
fn d6_a_migration_that_failed_half_way_counts_until_it_is_taken_back() {
    let mut run = vec![migrating("v2", "1"), intent(Part::Forward)];
    assert_eq!(after(&[run.clone()]), [of("v2", "1")], "its engine was killed");
    run.extend([failed(Part::Forward), intent(Part::Undo)]);
    let lost: Vec<Entry> = run.iter().cloned().chain([failed(Part::Undo)]).collect();
    assert_eq!(after(&[lost]), [of("v2", "1")]);
    run.push(done(Part::Undo));
    assert_eq!(after(&[run]), []);
}

#[test]
fn d6_a_journal_that_is_gone_is_not_taken_for_no_migration() {
    let folder = tempfile::tempdir().unwrap();
    let (scope, state) = (Scope::new("shop", "production").unwrap(), State::at(folder.path()));
    let event = |seq: u64, version: &str, event: Event| Record {
        seq,
        at: "2026-11-21T00:00:00Z".into(),
        service: "shop".into(),
        environment: "production".into(),
        deployment: format!("of-{version}"),
        event,
    };
    let whole = |seq: u64, version: &str| {
        let started = Event::Started { release: release(version), by: None };
        [started, Event::Mutating, Event::Verified].map(|what| event(seq, version, what))
    };
    let records: Vec<Record> = whole(1, "v1").into_iter().chain(whole(2, "v2")).collect();
    let history = History::of(&records, "shop", "production");
    let since = |target: &str| super::since(&scope, &state, &history, &release(target)).unwrap();
    assert_eq!(since("v1").untold.as_deref(), Some("v2"));
    assert_eq!(since("v2"), Since::default());
    let mut journal = Journal::open(&runs::of(&scope, &state, "1").folder).unwrap();
    for entry in [migrating("v2", "1"), intent(Part::Forward)] {
        journal.append(1, entry).unwrap();
    }
    assert_eq!(since("v1"), Since { migrated: vec![of("v2", "1")], untold: None });
}
