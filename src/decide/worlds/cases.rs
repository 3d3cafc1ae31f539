//! Random situations, and what the strategies plan for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::dice::Dice;
use super::model::{ELSEWHERE, NEW, PLACE, Schema, World};
use crate::decide::history::{Event, Release};
use crate::decide::journal::{Begun, Keeping, Way};
use crate::decide::plan::Slot;
use crate::decide::strategy::{
    BlueGreen, Current, Migrated, Migration, Return, Rolling, Setup, Strategy, Wanted, deploy,
    rollback,
};

/// A situation with a plan.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) setup: Setup,
    pub(super) current: Current,
    pub(super) begun: Begun,
    pub(super) world: World,
    /// The slot that somebody chose.
    pub(super) to_slot: Option<String>,
    /// The ledger's events of this deployment.
    pub(super) ledger: Vec<Event>,
}

pub(super) fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

/// A situation, when there is a plan for it.
pub(super) fn any(dice: &mut Dice) -> Option<Case> {
    let all = ["api", "web", "job"].map(String::from);
    let components = all[..dice.one(&[1, 2, 3])].to_vec();
    let strategy = if dice.coin() { rolling(dice) } else { blue_green(dice, &components) };
    let mut in_place = ["worker", "beat"].map(String::from)[..dice.one(&[0, 1, 2])].to_vec();
    if matches!(strategy, Strategy::Rolling(_)) {
        in_place.clear();
    }
    let setup = Setup {
        service: "shop".into(),
        components,
        in_place,
        strategy,
        migration: dice.coin().then(|| Migration {
            restorable: dice.coin(),
            compatible: dice.percent(30),
            allowed: dice.coin(),
        }),
        tag_file: "tag".into(),
        compare: dice.coin(),
    };
    if dice.percent(65) { deployment(setup, dice) } else { return_of(setup, dice) }
}

fn rolling(dice: &mut Dice) -> Strategy {
    Strategy::Rolling(Rolling {
        watch: length(dice),
        interval: Duration::from_secs(10),
        failures: 3,
        settle: length(dice),
    })
}

fn blue_green(dice: &mut Dice, components: &[String]) -> Strategy {
    let slot = |name: &str, port: u16| Slot {
        name: name.into(),
        ports: components.iter().map(|component| (component.clone(), port)).collect(),
    };
    Strategy::BlueGreen(BlueGreen {
        slots: vec![slot("blue", 8001), slot("green", 8002)],
        watch: length(dice),
        interval: Duration::from_secs(10),
        failures: 3,
        traffic_switch_delay: length(dice),
        health_check_timeout: None,
        keep_old: dice.coin().then(|| Duration::from_secs(60)),
        drain: length(dice),
    })
}

fn length(dice: &mut Dice) -> Duration {
    Duration::from_secs(dice.one(&[0, 30]))
}

/// A world in which nothing runs.
fn empty(setup: &Setup) -> World {
    World {
        components: setup.components.clone(),
        in_place: setup.in_place.clone(),
        running: BTreeMap::new(),
        traffic: setup.components.iter().map(|name| (name.clone(), ELSEWHERE.into())).collect(),
        schema: Schema::Old,
        before: Schema::Old,
        migrates: setup.migration.is_some(),
        compatible: setup.migration.is_some_and(|migration| migration.compatible),
        sick: BTreeSet::new(),
        tag: None,
        kept: BTreeSet::new(),
    }
}

fn slots(setup: &Setup) -> &[Slot] {
    match &setup.strategy {
        Strategy::Rolling(_) => &[],
        Strategy::BlueGreen(own) => &own.slots,
    }
}

/// What runs in a place, for each component.
fn fill(world: &mut World, place: &str, versions: &[Option<&str>]) {
    for (component, version) in world.components.clone().iter().zip(versions.iter().cycle()) {
        world.put(place, component, *version);
    }
}

/// What runs outside of the slots, for each component there.
fn fill_outside(world: &mut World, versions: &[Option<&str>]) {
    for (component, version) in world.in_place.clone().iter().zip(versions.iter().cycle()) {
        world.put(PLACE, component, *version);
    }
}

/// What a survey finds.
fn survey(setup: &Setup, world: &World, dice: &mut Dice) -> Current {
    let mut current = Current { previous_tag: world.tag.clone(), ..Current::default() };
    if slots(setup).is_empty() {
        return current;
    }
    let traffic = world.traffic.values().next().cloned();
    current.active = traffic.clone().filter(|place| place != ELSEWHERE);
    current.saved = traffic.filter(|_| dice.percent(95));
    for slot in slots(setup) {
        let all = world.all_at(&slot.name);
        if dice.percent(80) && all.iter().all(|version| *version == all[0]) {
            current.in_slots.insert(slot.name.clone(), all[0].map(release));
        }
    }
    current
}

fn deployment(setup: Setup, dice: &mut Dice) -> Option<Case> {
    let mut world = empty(&setup);
    world.tag = dice.one(&[None, Some("v0".into())]);
    // The release that answers until now, and what the ledger knows of it.
    let running = dice.one(&[Some("v1"), Some("v1"), Some("v1"), Some(NEW), Some("x"), None]);
    let home = if slots(&setup).is_empty() {
        PLACE
    } else {
        let home = dice.one(&["blue", "green", ELSEWHERE]);
        for to in world.traffic.values_mut() {
            *to = home.into();
        }
        let idle = if home == "blue" { "green" } else { "blue" };
        fill(
            &mut world,
            idle,
            &dice.one(&[[None, None], [Some("v0"), Some("v0")], [Some("x"), None]]),
        );
        home
    };
    let torn = running == Some("x") && dice.coin();
    fill(&mut world, home, &if torn { [running, None] } else { [running, running] });
    // What stays outside may have crashed, and so may what has the traffic.
    let crashed = dice.percent(10);
    let second = if crashed { dice.one(&[None, Some("v0")]) } else { running };
    fill_outside(&mut world, &[running, second]);
    if home != PLACE && dice.percent(5) {
        fill(&mut world, home, &[None]);
    }
    if running == Some(NEW) && world.migrates {
        (world.schema, world.before) = (Schema::New, Schema::New);
    }
    // A router that was restarted or edited may send the traffic to none of the slots.
    let astray = !slots(&setup).is_empty() && home != ELSEWHERE && dice.percent(10);
    if astray {
        world.traffic.values_mut().for_each(|to| *to = ELSEWHERE.into());
    }
    let mut current = survey(&setup, &world, dice);
    if astray && !torn {
        current.in_slots.insert(home.into(), running.map(release));
    }
    current.live = running.filter(|version| *version != "x").map(release);
    current.target = match running {
        Some("v1") => Some(release("v1")),
        _ => dice.one(&[None, Some(release("v1"))]),
    };
    if dice.percent(10) {
        world.sick.insert("v1".into());
    }
    if dice.percent(20) {
        world.sick.insert(NEW.into());
    }
    let to_slot = (!slots(&setup).is_empty() && dice.percent(15)).then(|| "green".to_owned());
    let wanted = Wanted { release: release(NEW), to_slot };
    let plan = deploy(&setup, &current, &wanted).ok()?;
    let begun = Begun {
        deployment: "d".into(),
        way: Way::Deploy,
        release: wanted.release,
        target: current.target.clone(),
        live: current.live.clone(),
        by: None,
        reason: String::new(),
        plan,
        keeping: Keeping::default(),
    };
    let ledger = Vec::new();
    Some(Case { setup, current, begun, world, to_slot: wanted.to_slot, ledger })
}

fn return_of(setup: Setup, dice: &mut Dice) -> Option<Case> {
    let mut world = empty(&setup);
    let (failed, target) = (release(NEW), release("v1"));
    // Whoever deployed it may have migrated, or it needed nothing.
    let (migrated, preserve_data) = (world.migrates && dice.coin(), dice.percent(20));
    world.migrates = migrated;
    world.schema = if migrated { Schema::New } else { Schema::Old };
    // Who says that data stays knows that the target works with it.
    world.compatible |= preserve_data;
    if slots(&setup).is_empty() {
        fill(&mut world, PLACE, &dice.one(&[[Some(NEW), Some(NEW)], [Some(NEW), None]]));
    } else {
        let home = dice.one(&["blue", "green", ELSEWHERE]);
        for to in world.traffic.values_mut() {
            *to = home.into();
        }
        let other = if home == "blue" { "green" } else { "blue" };
        let pairs = [(NEW, Some("v1")), (NEW, Some("v0")), (NEW, None), ("v1", Some(NEW))];
        let (here, there) = dice.one(&pairs);
        fill(&mut world, home, &[Some(here)]);
        let torn = there == Some("v0") && dice.coin();
        fill(&mut world, other, &if torn { [there, None] } else { [there, there] });
        fill_outside(&mut world, &dice.one(&[[Some(NEW), Some(NEW)], [Some(NEW), Some("v1")]]));
    }
    let current = Current { live: Some(failed.clone()), ..survey(&setup, &world, dice) };
    let done = Migrated { release: failed.clone(), schema: current.schema.clone() };
    let migrated: Vec<Migrated> = migrated.then_some(done).into_iter().collect();
    let migrated = migrated.as_slice();
    let older = release("v0");
    let (before, untold) = (Some(&older), None);
    let way = Return { failed: &failed, target: &target, before, preserve_data, migrated, untold };
    let plan = rollback(&setup, &current, &way).ok()?;
    if dice.percent(10) {
        world.sick.insert("v1".into());
    }
    let ours = dice.coin();
    let started = Event::Started { release: failed.clone(), by: None };
    let verified = vec![started, Event::Mutating, Event::Verified];
    let begun = Begun {
        deployment: "d".into(),
        way: if ours { Way::Rollback } else { Way::FailedElsewhere },
        release: failed,
        target: Some(target),
        live: current.live.clone(),
        by: None,
        reason: "it is slow".into(),
        plan,
        keeping: Keeping::default(),
    };
    let ledger = if ours { verified } else { Vec::new() };
    Some(Case { setup, current, begun, world, to_slot: None, ledger })
}
