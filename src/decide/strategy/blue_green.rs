//! Beside the old release: the new one is started in the idle slot and looked at there, then the
//! traffic is switched. Slots alternate.

use std::time::Duration;

use super::operations::{
    Behind, bring_back, clear, compare, in_words, migrate, millis, pause, place, restore, retire,
    verify, watch,
};
use super::{Current, Exchange, Refusal, Return, Setup, Wanted};
use crate::decide::history::Release;
use crate::decide::plan::{Act, Direction, Operation, Plan, Route, Slot, View};

/// How releases are exchanged by switching the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlueGreen {
    /// The slots: two, by name.
    pub slots: Vec<Slot>,
    /// How long the traffic is watched after the switch; zero is not at all.
    pub watch: Duration,
    /// The time between two looks of the watch.
    pub interval: Duration,
    /// Failures in a row of the watch that decide.
    pub failures: u32,
    /// How long to wait between the idle slot's checks and the switch.
    pub traffic_switch_delay: Duration,
    /// One limit over all of the idle slot's checks.
    pub health_check_timeout: Option<Duration>,
    /// How long the old slot is kept for a rollback at once; it is stopped after the watch if absent.
    pub keep_old: Option<Duration>,
    /// How long a slot without traffic may go on with the requests that it has.
    pub drain: Duration,
}

impl Exchange for BlueGreen {
    fn name(&self) -> &'static str {
        "blue-green"
    }

    fn deploy(&self, setup: &Setup, current: &Current, wanted: &Wanted) -> Result<Plan, Refusal> {
        let (idle, release) = (self.idle(current, wanted.to_slot.as_deref())?, &wanted.release);
        let way = self.way_back(current)?;
        let (migrate, behind) = migrate(setup, current, release, way.code)?;
        let route = way.route.filter(|_| behind != Behind::Closed);
        let back = way.release.filter(|_| behind != Behind::Closed);
        let switch_back =
            |route: &Route| Act::Switch { route: route.clone(), release: back.cloned() };
        let switch = Operation { undo: route.as_ref().map(switch_back), ..switch(release, idle) };
        let through = View::Router { slot: Some(idle.clone()) };
        let watch = watch(release, through.clone(), (self.watch, self.interval, self.failures));
        let stay = Stay::of(setup, current, (route.as_ref(), back), behind);
        let forward = migrate
            .into_iter()
            .chain(start(setup, current, release, idle, route.is_some()))
            .chain([verify(release, in_slot(idle), self.health_check_timeout)])
            .chain(pause(self.traffic_switch_delay, "the traffic switch"))
            .chain(self.open(idle, back, behind).filter(|_| route.is_some()))
            .chain(stay.start(setup, current, release))
            .chain([switch, verify(release, through, None)])
            .chain(watch)
            .collect();
        let restored = back.map_or_else(Vec::new, |back| {
            let view = View::Router { slot: way.slot.cloned() };
            let places = stay.restored(setup, release);
            let proof = [verify(back, view, None)].into_iter().chain(compare(setup, back));
            places.into_iter().chain(proof).collect()
        });
        let cleanup = self.leave(setup, current, idle);
        Ok(Plan { back: back.cloned(), forward, restored, cleanup, ..Plan::default() })
    }

    /// The database first, then the code: a release is not even well in its slot with a database
    /// that does not fit it. Nothing waits or is watched on the way, since what has the traffic
    /// has failed; nor does the traffic wait for what stays outside of the slots.
    fn rollback(
        &self,
        setup: &Setup,
        current: &Current,
        way: &Return<'_>,
    ) -> Result<Plan, Refusal> {
        let target = way.target;
        let active = self.active(current);
        let is_there = |slot: &&Slot| {
            runs_in(current, &slot.name).is_some_and(|release| release.is_same(target))
        };
        let at = active.filter(is_there).or_else(|| self.slots.iter().find(is_there));
        let (slot, places) = match at {
            Some(slot) => (slot, Vec::new()),
            None => {
                let idle = self.idle(current, None)?;
                let releases = (target, runs_in(current, &idle.name));
                let components = setup.components.iter();
                let places = components.map(|component| {
                    place(setup, component, Some(idle), releases, Direction::Back)
                });
                (idle, places.collect())
            }
        };
        let mut forward: Vec<Operation> = restore(setup, way)?;
        forward.extend(places);
        if active != Some(slot) {
            forward.push(verify(target, in_slot(slot), self.health_check_timeout));
            forward.push(switch(target, slot));
        }
        forward.extend(bring_back(setup, &setup.in_place, (target, way.failed)));
        forward.push(verify(target, View::Router { slot: Some(slot.clone()) }, None));
        forward.extend(compare(setup, target));
        let other = self.slots.iter().find(|other| *other != slot);
        let failed = other.filter(|other| {
            active == Some(other)
                || runs_in(current, &other.name).is_some_and(|there| there.is_same(way.failed))
        });
        let cleanup = failed.map_or_else(Vec::new, |slot| {
            retire(setup, slot, self.known_in(current, slot).or(Some(way.failed)), self.drain)
        });
        Ok(Plan { forward, cleanup, ..Plan::default() })
    }
}

/// What would be lost by starting a release in a slot, the least first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stake {
    Nothing,
    Unknown,
    /// A release that is not live.
    Other,
    /// What is live, or may be.
    Live,
}

/// What becomes of the parts that stay outside of the slots.
struct Stay<'a> {
    /// The release that comes back there; none when what was started there is left.
    back: Option<&'a Release>,
    /// Whether it comes back behind everything else, as in place: when the database is taken back,
    /// since old code may not even start with one that it does not know, and when it is not what
    /// runs there.
    together: bool,
}

impl<'a> Stay<'a> {
    /// `back` is what the traffic goes back to. When nothing answers there any more, what is live
    /// may still run outside of the slots: that comes back if the database is none of its worries.
    fn of(
        setup: &Setup,
        current: &'a Current,
        (route, back): (Option<&Route>, Option<&'a Release>),
        behind: Behind,
    ) -> Self {
        let fits = setup.migration.is_none_or(|migration| migration.compatible);
        let live = current.live.as_ref();
        let back = back.or(live.filter(|_| fits)).filter(|_| route.is_some());
        let is_live = live.zip(back).is_some_and(|(live, back)| live.is_same(back));
        Self { back, together: behind == Behind::Restored || !is_live }
    }

    /// Starts a release there, right before the traffic is switched: as late as the idle slot's
    /// checks allow, and so that the traffic goes back first when this is taken back.
    fn start(&self, setup: &Setup, current: &Current, release: &Release) -> Vec<Operation> {
        let back = self.back.filter(|_| !self.together);
        let places = setup.in_place.iter().map(|component| {
            let releases = (release, current.live.as_ref());
            let forward = place(setup, component, None, releases, Direction::Forward);
            let undo = |back| place(setup, component, None, (back, Some(release)), Direction::Back);
            Operation { undo: back.map(|back| undo(back).act), ..forward }
        });
        places.collect()
    }

    /// What comes back behind everything else.
    fn restored(&self, setup: &Setup, release: &Release) -> Vec<Operation> {
        let back = self.back.filter(|_| self.together);
        back.map_or_else(Vec::new, |back| bring_back(setup, &setup.in_place, (back, release)))
    }
}

/// What there is to come back to.
struct WayBack<'a> {
    /// Where the traffic goes; without it nothing can be taken back.
    route: Option<Route>,
    /// The slot of it.
    slot: Option<&'a Slot>,
    /// What answers there, as far as it is known.
    release: Option<&'a Release>,
    /// Whether there is code that must fit the database.
    code: bool,
}

impl BlueGreen {
    /// The slot for a release: the other one, or the one that somebody chose.
    fn idle(&self, current: &Current, chosen: Option<&str>) -> Result<&Slot, Refusal> {
        let active = self.active(current);
        let names: Vec<&str> = self.slots.iter().map(|slot| slot.name.as_str()).collect();
        let other = self.slots.iter().find(|slot| Some(*slot) != active);
        let Some(chosen) = chosen else { return self.least_at_stake(current) };
        let slot = self.slots.iter().find(|slot| slot.name == chosen).ok_or_else(|| Refusal {
            reason: format!("there is no slot `{chosen}`"),
            hint: format!("the slots are {}", names.join(" and ")),
        })?;
        let is_empty = current.in_slots.get(chosen) == Some(&None);
        if active == Some(slot) && !is_empty {
            let other = other.map_or("another slot", |slot| slot.name.as_str());
            return Err(Refusal {
                reason: format!("the slot `{chosen}` has the traffic"),
                hint: format!("deploy to {other}, or name no slot: they alternate"),
            });
        }
        Ok(slot)
    }

    /// The slot that takes a release at the least risk: not the one with the traffic. When the router
    /// sends that to none of them alone, as after an edit by hand or a restart, any may have some of
    /// it, and what is live is not stopped on a guess.
    fn least_at_stake(&self, current: &Current) -> Result<&Slot, Refusal> {
        let active = self.active(current);
        let stake = |slot: &&Slot| match current.in_slots.get(&slot.name) {
            Some(None) => Stake::Nothing,
            None => Stake::Unknown,
            Some(Some(there)) => match &current.live {
                Some(live) if !live.is_same(there) => Stake::Other,
                _ => Stake::Live,
            },
        };
        let others = self.slots.iter().filter(|slot| Some(*slot) != active);
        let slot = others.min_by_key(stake).ok_or_else(|| Refusal {
            reason: "there is no idle slot".into(),
            hint: "write two slots under `strategy: { blue-green: { slots: … } }`".into(),
        })?;
        if active.is_none() && stake(&slot) == Stake::Live {
            return Err(Refusal {
                reason: format!(
                    "the traffic goes to none of the slots alone, and what runs in {} may be live",
                    slot.name
                ),
                hint: "let the router send it to one slot, as `waveoff status` shows, or choose \
                       the slot to stop with `waveoff deploy --to-slot`"
                    .into(),
            });
        }
        Ok(slot)
    }

    /// The slot with the traffic.
    fn active(&self, current: &Current) -> Option<&Slot> {
        self.slots.iter().find(|slot| current.active.as_deref() == Some(slot.name.as_str()))
    }

    /// What runs in the slot, by the slot itself, or by the ledger when the slot has the traffic.
    fn known_in<'a>(&self, current: &'a Current, slot: &Slot) -> Option<&'a Release> {
        match current.in_slots.get(&slot.name) {
            Some(there) => there.as_ref(),
            None => current.live.as_ref().filter(|_| self.active(current) == Some(slot)),
        }
    }

    fn way_back<'a>(&'a self, current: &'a Current) -> Result<WayBack<'a>, Refusal> {
        let saved = current.saved.clone().map(|text| Route::Saved { text });
        let known = current.live.as_ref().or(current.target.as_ref());
        let Some(slot) = self.active(current) else {
            if let Some(known) = known.filter(|_| saved.is_none()) {
                let version = &known.version;
                return Err(Refusal {
                    reason: format!("the traffic could not be sent back to {version}"),
                    hint: "the router has to tell where it sends the traffic now".into(),
                });
            }
            let code = known.is_some();
            return Ok(WayBack { route: saved, slot: None, release: known, code });
        };
        let is_empty = current.in_slots.get(&slot.name) == Some(&None);
        let to_slot = Route::Slot(slot.clone());
        Ok(match self.known_in(current, slot) {
            Some(release) => WayBack {
                route: Some(to_slot),
                slot: Some(slot),
                release: Some(release),
                code: true,
            },
            None => WayBack {
                route: Some(saved.unwrap_or(to_slot)),
                slot: Some(slot),
                release: current.target.as_ref().filter(|_| !is_empty),
                code: !is_empty,
            },
        })
    }

    /// Where the requests that a slot got are waited for, when the traffic goes back: behind the
    /// switch, which must not wait, and before the slot is cleared. When the database is taken
    /// back too, they are cut: until then all the others are answered by code that does not fit.
    fn open(&self, slot: &Slot, back: Option<&Release>, behind: Behind) -> Option<Operation> {
        if self.drain.is_zero() || behind == Behind::Restored {
            return None;
        }
        let name = format!("open {} to requests", slot.name);
        let (slot, after, limit_ms) = (slot.clone(), back.cloned(), millis(self.drain));
        let act = Act::Drain { slot, after, limit_ms };
        Some(Operation::new(name, Act::Mark).undo(act))
    }

    /// What happens to the other slot when the release in `slot` is verified.
    fn leave(&self, setup: &Setup, current: &Current, slot: &Slot) -> Vec<Operation> {
        let Some(old) = self.slots.iter().find(|other| *other != slot) else { return Vec::new() };
        let release = self.known_in(current, old);
        let is_empty = current.in_slots.get(&old.name) == Some(&None);
        // Of a slot that had no traffic nothing is assumed.
        if is_empty || (release.is_none() && self.active(current) != Some(old)) {
            return Vec::new();
        }
        match (self.keep_old, release) {
            (Some(keep), Some(release)) if !keep.is_zero() => vec![Operation::new(
                format!("keep {} in {} for {}", release.version, old.name, in_words(keep)),
                Act::Keep { slot: old.clone(), release: release.clone(), keep_ms: millis(keep) },
            )],
            _ => retire(setup, old, release, self.drain),
        }
    }
}

/// Starts a release in a slot. Its first part takes the place of whatever was there, so all of that
/// goes when it is taken back.
fn start(
    setup: &Setup,
    current: &Current,
    release: &Release,
    slot: &Slot,
    is_undone: bool,
) -> Vec<Operation> {
    let over = runs_in(current, &slot.name);
    let mut undo = is_undone.then(|| clear(setup, slot, Some(release)));
    let places = setup.components.iter().map(|component| {
        let forward = place(setup, component, Some(slot), (release, over), Direction::Forward);
        Operation { undo: undo.take(), ..forward }
    });
    places.collect()
}

/// What runs in a slot, as far as it is known.
fn runs_in<'a>(current: &'a Current, slot: &str) -> Option<&'a Release> {
    current.in_slots.get(slot).and_then(Option::as_ref)
}

fn in_slot(slot: &Slot) -> View {
    View::Slot { slot: slot.clone() }
}

fn switch(release: &Release, slot: &Slot) -> Operation {
    let name = format!("switch traffic to {}", slot.name);
    let (route, release) = (Route::Slot(slot.clone()), Some(release.clone()));
    Operation::new(name, Act::Switch { route, release })
}

#[cfg(test)]
#[path = "blue_green_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "outside_tests.rs"]
mod outside_tests;
