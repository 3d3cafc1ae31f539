//! What must hold when a story is over.

use super::cases::Case;
use super::engine::Told;
use super::model::{ELSEWHERE, NEW, PLACE, Schema, World};
use super::outside;
use crate::decide::history::{Event, History, Live, Record, Release};
use crate::decide::journal::{Entry, Part, Way};
use crate::decide::plan::{Act, Plan, View};
use crate::decide::strategy::Strategy;
use crate::decide::transaction::{Outcome, Transaction};

/// How often each end was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) refused: u64,
    untouched: u64,
    verified: u64,
    failed: u64,
    rolled_back: u64,
    rollback_failed: u64,
    killed: u64,
    kept: u64,
}

impl Seen {
    /// Proofs about ends that never come prove nothing.
    pub(super) fn is_enough(&self, stories: u64) {
        let ends = [
            self.untouched,
            self.verified,
            self.failed,
            self.rolled_back,
            self.rollback_failed,
            self.killed,
            self.kept,
        ];
        assert!(ends.iter().all(|count| *count > stories / 100), "{self:?}");
        assert!(self.refused < stories / 4, "{self:?}");
    }
}

pub(super) type Proof = Result<(), String>;

pub(super) fn must(holds: bool, what: &str) -> Proof {
    if holds { Ok(()) } else { Err(what.into()) }
}

pub(super) fn holds(case: &Case, told: &Told, seen: &mut Seen) -> Proof {
    seen.killed += u64::from(told.engines > 0);
    story(case, told)?;
    live_is_spared(case, told)?;
    outside::follows(case, told)?;
    nothing_fails_without_a_cause(case, told)?;
    match &told.outcome {
        Outcome::Untouched(_) => {
            seen.untouched += 1;
            must(told.performed.is_empty(), "untouched means that nothing was done")?;
            must(told.world == case.world, "untouched means as it was")
        }
        Outcome::Verified => {
            seen.verified += 1;
            seen.kept += u64::from(!told.world.kept.is_empty());
            must(case.begun.way == Way::Deploy, "only a deployment ends with a verified release")?;
            all_new(case, told)
        }
        Outcome::RolledBack(_) if case.begun.way == Way::Deploy => {
            seen.rolled_back += 1;
            all_old(case, told)
        }
        Outcome::RolledBack(_) => {
            seen.rolled_back += 1;
            target_is_back(case, told)
        }
        Outcome::Failed(_) => {
            seen.failed += 1;
            must(case.begun.plan.back.is_none(), "what can come back comes back")?;
            as_before(case, told)
        }
        Outcome::RollbackFailed { .. } => {
            seen.rollback_failed += 1;
            a_person_is_needed(case, told)
        }
    }
}

/// What holds of each story, whatever its end.
fn story(case: &Case, told: &Told) -> Proof {
    if told.entries.is_empty() {
        return must(told.world == case.world, "what was never begun touches nothing");
    }
    if !told.unwritten {
        let sum = Transaction::of(&told.entries).unwrap();
        must(sum.is_over(), "the journal tells that it is over")?;
        must(*sum.outcome() == told.outcome, "the journal tells the same end")?;
        intents(told)?;
        if let Some(count) = told.lost_after {
            let lost = matches!(told.outcome, Outcome::RollbackFailed { .. });
            must(lost, "a rollback that failed is one")?;
            must(told.performed.len() == count, "nothing is touched when a rollback has failed")?;
        }
        back_in_reverse(told)?;
    }
    let repeated = told.ledger.windows(2).any(|two| two[0] == two[1]);
    must(!repeated || told.unwritten, "an event is recorded once")?;
    remembered(case, told)
}

/// Whatever else happens: the live release is not stopped where it was known to run, before the new
/// one is verified.
fn live_is_spared(case: &Case, told: &Told) -> Proof {
    let is_live = |release: &Release| case.current.live.as_ref() == Some(release);
    let mut places = case.current.in_slots.iter().filter(|(_, there)| {
        there.as_ref().is_some_and(is_live) && told.outcome != Outcome::Verified
    });
    let chosen = case.to_slot.as_ref();
    must(
        case.begun.way != Way::Deploy
            || places.all(|(place, _)| {
                chosen == Some(place) || told.world.all_at(place) == case.world.all_at(place)
            }),
        "what is live is not stopped",
    )
}

/// A plan works when nothing goes wrong; and the way back works when nothing goes wrong there,
/// whatever went wrong before.
fn nothing_fails_without_a_cause(case: &Case, told: &Told) -> Proof {
    let (begun, world) = (&case.begun, &case.world);
    let deploys = begun.way == Way::Deploy;
    let is_new = told.outcome == Outcome::Verified;
    let can_be_new = deploys && !world.sick.contains(NEW);
    must(told.unlucky || !can_be_new || is_new, "a release that is well is verified")?;
    let back = if deploys { begun.plan.back.as_ref() } else { begun.target.as_ref() };
    let barred = begun.plan.forward.iter().any(|op| op.no_way_back.is_some());
    let lost = matches!(told.outcome, Outcome::RollbackFailed { .. });
    if barred || told.unlucky_back || told.unwritten {
        return Ok(());
    }
    let Some(back) = back else {
        return must(!lost, "what is not known to come back is not tried");
    };
    let was_well = !world.sick.contains(&back.version)
        && match restored_view(&begun.plan).filter(|_| deploys) {
            // Nothing of it is replaced: it is as well as it was.
            Some(view @ View::Router { .. }) => {
                outside::brought_back(case, told, back).well(&back.version, &view)
            }
            _ => world.was_made_for(&back.version),
        };
    must(!lost || !was_well, "a rollback fails for a reason")
}

/// From where the old release is looked at when it is back.
fn restored_view(plan: &Plan) -> Option<View> {
    plan.restored.iter().find_map(|operation| match &operation.act {
        Act::Verify { view, .. } => Some(view.clone()),
        _ => None,
    })
}

/// An act is only done behind its intent.
fn intents(told: &Told) -> Proof {
    for (place, _) in &told.performed {
        let intended = told.entries.contains(&Entry::Intent(*place));
        must(intended, "an act is intended before it is done")?;
    }
    Ok(())
}

/// The traffic goes back first of all that can be seen, and nothing is taken back out of turn.
fn back_in_reverse(told: &Told) -> Proof {
    let undone = || told.performed.iter().filter(|(place, _)| place.part == Part::Undo);
    let places: Vec<usize> = undone().map(|(place, _)| place.index).collect();
    must(places.is_sorted_by(|a, b| a >= b), "it is taken back in reverse")?;
    let acts: Vec<&Act> = undone().map(|(_, act)| act).collect();
    match acts.iter().position(|act| matches!(act, Act::Switch { .. })) {
        Some(at) => must(
            acts[..at].iter().all(|act| matches!(act, Act::Switch { .. })),
            "the traffic goes back before anything else",
        ),
        None => Ok(()),
    }
}

/// What the ledger says is so.
fn remembered(case: &Case, told: &Told) -> Proof {
    let record = |event: &Event| Record {
        seq: 1,
        at: String::new(),
        service: "shop".into(),
        environment: "test".into(),
        deployment: case.begun.deployment.clone(),
        event: event.clone(),
    };
    let records: Vec<Record> = told.ledger.iter().map(record).collect();
    let history = History::of(&records, "shop", "test");
    match (history.live(), &told.outcome) {
        (Live::Verified(release, _), Outcome::Verified) => {
            must(release.version == NEW, "the ledger knows the new release")
        }
        (Live::Verified(release, _), Outcome::RolledBack(_)) => {
            let back = case.begun.plan.back.as_ref().or(case.begun.target.as_ref());
            must(back == Some(&release), "the ledger knows the release that is back")
        }
        (Live::Verified(..), Outcome::Untouched(_)) => Ok(()),
        (Live::Verified(release, _), end) => {
            Err(format!("{} is not live: {end:?}", release.version))
        }
        (Live::Unknown(_), Outcome::Verified | Outcome::RolledBack(_)) => {
            Err("the ledger does not know what runs".into())
        }
        (Live::Unknown(deployment), Outcome::Untouched(_)) if !deployment.mutated => {
            Err("nothing was touched, and the ledger does not know what runs".into())
        }
        _ => Ok(()),
    }
}

fn all_new(case: &Case, told: &Told) -> Proof {
    let (world, plan) = (&told.world, &case.begun.plan);
    let view = last_view(plan);
    let place = place_of(&view);
    let all = world.all_at(place);
    let all = all.into_iter().chain(world.outside());
    must(all.into_iter().all(|version| version == Some(NEW)), "every part is new")?;
    must(world.fits(NEW), "the database fits the code")?;
    must(!world.migrates || world.schema == Schema::New, "the database is migrated")?;
    if case.setup.strategy.name() == "rolling" {
        let tag = case.current.target.as_ref().map(|target| target.version.clone());
        return must(world.tag == tag, "the previous tag is kept");
    }
    must(world.traffic.values().all(|to| to == place), "all the traffic goes to the new release")?;
    elsewhere_is_left_alone(case, world)?;
    let other = if place == "blue" { "green" } else { "blue" };
    let is_known = case.current.active.as_deref() == Some(other)
        || case.current.in_slots.get(other).is_some_and(Option::is_some);
    let is_empty = world.all_at(other).iter().all(Option::is_none);
    let may_be_left = told.cleanup_failed || !is_known || world.kept.contains(other);
    must(is_empty || may_be_left, "nothing is left over in the other slot")?;
    must(
        !world.kept.contains(other) || world.all_at(other) == case.world.all_at(other),
        "what is kept is all there",
    )
}

fn all_old(case: &Case, told: &Told) -> Proof {
    let (world, plan) = (&told.world, &case.begun.plan);
    let back = plan.back.as_ref().ok_or("there was nothing that could come back")?;
    must(world.fits(&back.version), "the database fits the code")?;
    as_before(case, told)?;
    if case.setup.strategy.name() == "rolling" {
        let all = world.all_at(PLACE);
        let is_back = all.iter().all(|version| *version == Some(&back.version));
        return must(is_back, "every part is old");
    }
    let view = restored_view(plan);
    must(view.is_some_and(|view| world.well(&back.version, &view)), "the old release answers")
}

/// What was there is there again, as far as there is a way back.
fn as_before(case: &Case, told: &Told) -> Proof {
    let (world, before) = (&told.world, &case.world);
    let plan = &case.begun.plan;
    let restores = plan.forward.iter().any(|op| matches!(op.undo, Some(Act::Restore { .. })));
    must(!restores || world.schema == before.schema, "the database is as it was")?;
    if plan.back.is_some() && case.setup.strategy.name() == "rolling" {
        return must(world.tag == before.tag, "the previous tag is the one that it was");
    }
    let switched = plan.forward.iter().find(|op| matches!(op.act, Act::Switch { .. }));
    if switched.is_none_or(|operation| operation.undo.is_none()) {
        return Ok(());
    }
    must(world.traffic == before.traffic, "the traffic goes where it went")?;
    outside::is_as_before(case, told)?;
    elsewhere_is_left_alone(case, world)?;
    let idle = place_of(&last_view(plan)).to_owned();
    let other = if idle == "blue" { "green" } else { "blue" };
    must(world.all_at(other) == before.all_at(other), "the old slot is as it was")?;
    let all = world.all_at(&idle);
    let is_empty = all.iter().all(Option::is_none);
    must(is_empty || all == before.all_at(&idle), "nothing is left over in the idle slot")
}

fn target_is_back(case: &Case, told: &Told) -> Proof {
    let (world, plan) = (&told.world, &case.begun.plan);
    let view = last_view(plan);
    let target = &case.begun.target.as_ref().ok_or("a rollback has a target")?.version;
    must(world.well(target, &view), "the target runs, and the database fits it")?;
    let place = place_of(&view);
    if place == PLACE {
        let is_kept = told.cleanup_failed || world.tag.as_deref() == Some("v0");
        return must(is_kept, "the tag is where the next rollback goes to");
    }
    must(world.traffic.values().all(|to| to == place), "all the traffic goes to the target")?;
    elsewhere_is_left_alone(case, world)?;
    let other = if place == "blue" { "green" } else { "blue" };
    let had_traffic = case.current.active.as_deref() == Some(other);
    let is_empty = world.all_at(other).iter().all(Option::is_none);
    must(is_empty || told.cleanup_failed || !had_traffic, "the failed release is stopped")
}

/// A failed undo ends it; so does a failure behind what cannot be taken back.
fn a_person_is_needed(case: &Case, told: &Told) -> Proof {
    let barred = case.begun.plan.forward.iter().any(|op| op.no_way_back.is_some());
    must(told.lost_after.is_some() || barred || told.unwritten, "something could not be undone")?;
    let undone = told.performed.iter().any(|(place, _)| place.part == Part::Undo);
    let migrated = told.performed.iter().any(|(_, act)| matches!(act, Act::Migrate { .. }));
    must(!(barred && migrated && undone), "nothing is taken back behind a barrier")
}

fn elsewhere_is_left_alone(case: &Case, world: &World) -> Proof {
    must(world.all_at(ELSEWHERE) == case.world.all_at(ELSEWHERE), "what is not ours is left alone")
}

/// From where the end of the way forward is looked at.
fn last_view(plan: &Plan) -> View {
    let mut views = plan.forward.iter().filter_map(|operation| match &operation.act {
        Act::Verify { view, .. } => Some(view.clone()),
        _ => None,
    });
    views.next_back().unwrap()
}

fn place_of(view: &View) -> &str {
    match view {
        View::InPlace | View::Router { slot: None } => PLACE,
        View::Slot { slot } | View::Router { slot: Some(slot) } => &slot.name,
    }
}

/// A story that should have ended otherwise.
pub(super) fn explain(case: &Case, told: &Told) -> String {
    let strategy = match &case.setup.strategy {
        Strategy::Rolling(_) => "rolling",
        Strategy::BlueGreen(_) => "blue-green",
    };
    let plan = |part: &str, all: &[crate::decide::plan::Operation]| {
        let lines =
            all.iter().map(|op| format!("  {part} {}: {:?} | {:?}", op.name, op.act, op.undo));
        lines.collect::<Vec<_>>().join("\n")
    };
    let lines: Vec<String> =
        told.entries.iter().skip(1).map(|entry| format!("  {entry:?}")).collect();
    format!(
        "{strategy} {:?} {:?}\n{:?}\nbefore: {:?}\nafter: {:?}\nplan:\n{}\n{}\n{}\njournal:\n{}\nledger: {:?}\nend: {:?}",
        case.begun.way,
        case.setup.migration,
        case.current,
        case.world,
        told.world,
        plan("do", &case.begun.plan.forward),
        plan("restored", &case.begun.plan.restored),
        plan("cleanup", &case.begun.plan.cleanup),
        lines.join("\n"),
        told.ledger,
        told.outcome,
    )
}
