//! Situations for tests, and plans as lines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BlueGreen, Current, Migrated, Migration, Return, Rolling, Setup, Strategy, Wanted};
use crate::decide::history::Release;
use crate::decide::plan::{Act, Direction, Operation, Plan, Route, Slot, View};

pub(crate) fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

pub(crate) fn rolling() -> Setup {
    Setup {
        service: "shop".into(),
        components: vec!["shop".into()],
        in_place: Vec::new(),
        strategy: Strategy::Rolling(Rolling {
            watch: Duration::from_secs(30),
            interval: Duration::from_secs(10),
            failures: 3,
            settle: Duration::ZERO,
        }),
        migration: None,
        tag_file: "tag".into(),
        compare: true,
    }
}

pub(crate) fn slot(name: &str, port: u16) -> Slot {
    Slot { name: name.into(), ports: BTreeMap::from([("shop".into(), port)]) }
}

pub(crate) fn blue_green() -> Setup {
    blue_green_with(|_| {})
}

pub(crate) fn blue_green_with(change: impl Fn(&mut BlueGreen)) -> Setup {
    let mut own = BlueGreen {
        slots: vec![slot("blue", 8001), slot("green", 8002)],
        watch: Duration::from_secs(300),
        interval: Duration::from_secs(10),
        failures: 3,
        traffic_switch_delay: Duration::ZERO,
        health_check_timeout: None,
        keep_old: None,
        drain: Duration::from_secs(30),
    };
    change(&mut own);
    Setup { strategy: Strategy::BlueGreen(own), ..rolling() }
}

pub(crate) const COMPATIBLE: Migration =
    Migration { restorable: false, compatible: true, allowed: false };
pub(crate) const RESTORABLE: Migration =
    Migration { restorable: true, compatible: false, allowed: false };
pub(crate) const ONE_WAY: Migration =
    Migration { restorable: false, compatible: false, allowed: false };

impl Setup {
    pub(crate) fn of(self, components: &[&str]) -> Self {
        Self { components: components.iter().map(|name| (*name).into()).collect(), ..self }
    }

    pub(crate) fn beside(self, in_place: &[&str]) -> Self {
        Self { in_place: in_place.iter().map(|name| (*name).into()).collect(), ..self }
    }

    pub(crate) fn migrating(self, migration: Migration) -> Self {
        Self { migration: Some(migration), ..self }
    }
}

/// v1 runs, is verified and is what comes back.
pub(crate) fn v1_runs() -> Current {
    Current {
        live: Some(release("v1")),
        target: Some(release("v1")),
        previous_tag: Some("v0".into()),
        schema: Some("7".into()),
        ..Current::default()
    }
}

/// v1 runs in blue, and green is empty.
pub(crate) fn v1_in_blue() -> Current {
    Current {
        active: Some("blue".into()),
        saved: Some("as it was".into()),
        in_slots: BTreeMap::from([("blue".into(), Some(release("v1"))), ("green".into(), None)]),
        ..v1_runs()
    }
}

pub(crate) fn wanted(version: &str) -> Wanted {
    Wanted { release: release(version), to_slot: None }
}

/// From one release to another, and nothing was migrated.
pub(crate) fn way<'a>(failed: &'a Release, target: &'a Release) -> Return<'a> {
    Return { failed, target, before: None, preserve_data: false, migrated: &[], untold: None }
}

pub(crate) fn migrated_for_v2() -> Migrated {
    Migrated { release: release("v2"), schema: Some("7".into()) }
}

/// A plan, a line for each operation: name, act, undo.
pub(crate) fn show(plan: &Plan) -> Vec<String> {
    let parts = [("", &plan.forward), ("restored: ", &plan.restored), ("cleanup: ", &plan.cleanup)];
    parts.iter().flat_map(|(part, all)| all.iter().map(move |one| line(part, one))).collect()
}

fn line(part: &str, operation: &Operation) -> String {
    let undo = operation.undo.as_ref().map_or(String::new(), |undo| format!(" | {}", act(undo)));
    let why = operation.no_way_back.as_ref().map_or(String::new(), |why| format!(" | !{why}"));
    format!("{part}{} | {}{undo}{why}", operation.name, act(&operation.act))
}

fn act(act: &Act) -> String {
    let version = |release: &Option<Release>| {
        release.as_ref().map_or("?".to_owned(), |release| release.version.clone())
    };
    match act {
        Act::SaveTag { tag, .. } => format!("tag {}", tag.as_deref().unwrap_or("-")),
        Act::Migrate { release, schema } => {
            format!("migrate {} from {}", release.version, schema.as_deref().unwrap_or("?"))
        }
        Act::Restore { release, schema } => {
            format!("restore {} to {}", release.version, schema.as_deref().unwrap_or("?"))
        }
        Act::Place { component, slot, release, over, direction } => {
            let place = slot.as_ref().map_or("place", |slot| slot.name.as_str());
            let way = if *direction == Direction::Back { "back" } else { "place" };
            format!("{way} {component}@{place} {} over {}", release.version, version(over))
        }
        Act::Clear { components, slot, version } => {
            let components = components.join(",");
            format!("clear {components}@{} {}", slot.name, version.as_deref().unwrap_or("?"))
        }
        Act::Switch { route: Route::Slot(slot), release } => {
            format!("switch {} {}", slot.name, version(release))
        }
        Act::Switch { route: Route::Saved { text }, release } => {
            format!("switch '{text}' {}", version(release))
        }
        Act::Drain { slot, limit_ms, .. } => format!("drain {} {limit_ms}", slot.name),
        Act::Keep { slot, release, keep_ms } => {
            format!("keep {} {} {keep_ms}", slot.name, release.version)
        }
        Act::Pause { ms, .. } => format!("pause {ms}"),
        Act::Verify { release, view, limit_ms } => {
            let limit = limit_ms.map_or(String::new(), |limit| format!(" within {limit}"));
            format!("verify {} {}{limit}", release.version, seen(view))
        }
        Act::Watch { release, view, for_ms, interval_ms, failures } => {
            let times = format!("{for_ms} {interval_ms} {failures}");
            format!("watch {} {} {times}", release.version, seen(view))
        }
        Act::Compare { release } => format!("compare {}", release.version),
        Act::Mark => "mark".into(),
    }
}

fn seen(view: &View) -> String {
    match view {
        View::InPlace => "in place".into(),
        View::Slot { slot } => format!("in {}", slot.name),
        View::Router { slot } => {
            format!("by router {}", slot.as_ref().map_or("?", |slot| slot.name.as_str()))
        }
    }
}
