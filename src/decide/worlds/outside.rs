//! What must hold of the parts that stay outside of the slots.

use super::cases::Case;
use super::engine::Told;
use super::model::{PLACE, World};
use super::proofs::{Proof, must};
use crate::decide::history::Release;
use crate::decide::journal::{Entry, Part, Place, Way};
use crate::decide::plan::{Act, View};

/// Nothing is replaced there before the release was seen to be well in its slot; and in a rollback
/// nothing before the traffic is switched.
pub(super) fn follows(case: &Case, told: &Told) -> Proof {
    if case.setup.in_place.is_empty() {
        return Ok(());
    }
    let forward = &case.begun.plan.forward;
    let before: &dyn Fn(&Act) -> bool = match case.begun.way {
        Way::Deploy => &|act| matches!(act, Act::Verify { view: View::Slot { .. }, .. }),
        _ => &|act| matches!(act, Act::Switch { .. }),
    };
    let first = forward.iter().position(|operation| before(&operation.act));
    let is_done = first.is_none_or(|index| {
        let wanted = Place { part: Part::Forward, index };
        told.entries.iter().any(|e| matches!(e, Entry::Done { place, .. } if *place == wanted))
    });
    let mut forward = told.performed.iter().filter(|(place, _)| place.part == Part::Forward);
    let replaced = forward.any(|(_, act)| is_outside(act));
    must(is_done || !replaced || told.unwritten, "what stays outside comes last")
}

/// What is known to run there comes back with the traffic; what cannot come back is left.
pub(super) fn is_as_before(case: &Case, told: &Told) -> Proof {
    let plan = &case.begun.plan;
    if case.setup.in_place.is_empty() {
        return Ok(());
    }
    let touched = told.performed.iter().any(|(_, act)| is_outside(act));
    if !touched {
        return must(told.world.outside() == case.world.outside(), "nobody touched it");
    }
    let barred = case.setup.migration.is_some_and(|migration| !migration.compatible);
    let live = case.current.live.as_ref().filter(|_| !barred);
    let Some(back) = plan.back.as_ref().or(live) else { return Ok(()) };
    let is_back = |there: &Option<&str>| *there == Some(back.version.as_str());
    let mut all = case.setup.in_place.iter().zip(told.world.outside());
    must(
        all.all(|(name, there)| is_back(&there) || !was_placed(told, name)),
        "what stays outside of the slots comes back, too",
    )
}

/// The world as it was, with the release started where it was brought back: what had crashed
/// there runs again. All of it is brought back where it is not known to be what ran there.
pub(super) fn brought_back(case: &Case, told: &Told, back: &Release) -> World {
    let mut world = case.world.clone();
    let is_live = case.current.live.as_ref() == Some(back);
    for component in &case.setup.in_place {
        if !is_live || was_placed(told, component) {
            world.put(PLACE, component, Some(&back.version));
        }
    }
    world
}

fn was_placed(told: &Told, name: &str) -> bool {
    told.performed.iter().any(
        |(_, act)| matches!(act, Act::Place { slot: None, component, .. } if component == name),
    )
}

fn is_outside(act: &Act) -> bool {
    matches!(act, Act::Place { slot: None, .. })
}
