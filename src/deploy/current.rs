//! What there is, before a plan is made: what runs where, and where the traffic goes.

use std::collections::BTreeMap;

use super::commands::Commands;
use super::migration;
use super::parts::Parts;
use super::slots::{self, Occupants};
use super::state::{Scope, State};
use crate::config::transaction::TransactionSpec;
use crate::decide::history::{History, Live, Release};
use crate::decide::plan::Slot;
use crate::decide::strategy::Current;
use crate::decide::words::same_version;
use crate::exit::Fault;
use crate::host::files;
use crate::platforms::{Running, Trouble};
use crate::routers::Active;

/// Where to look.
pub struct Where<'a> {
    /// The service.
    pub scope: &'a Scope,
    /// Its state folder.
    pub state: &'a State,
    /// Its parts.
    pub parts: &'a Parts,
    /// How its releases are exchanged.
    pub spec: &'a TransactionSpec,
    /// The file that keeps the version that would be brought back.
    pub tag_file: &'a str,
}

/// Looks at everything that a plan depends on.
///
/// # Errors
/// When something cannot be found out: nothing is planned on a guess.
pub fn look(
    place: &Where<'_>,
    history: &History,
    target: Option<&Release>,
    commands: &Commands<'_>,
) -> anyhow::Result<Current> {
    let asked = |trouble: Trouble| {
        Fault::error(format!("cannot find out where the traffic goes: {}", trouble.reason))
            .hint("nothing was touched; is the router up, and does it listen to this user?")
    };
    let parts = place.parts;
    let (mut active, mut saved) = (None, None);
    if let Some(router) = parts.router.as_ref().filter(|_| !parts.slots.is_empty()) {
        if let Active::Slot(name) = router.active(&parts.slots, commands).map_err(asked)? {
            active = Some(name);
        }
        saved = Some(router.save(&parts.slots, commands).map_err(asked)?);
    }
    let live = match history.live() {
        Live::Verified(release, _) => Some(release),
        Live::Nothing | Live::Unknown(_) => None,
    };
    let occupants = slots::read(place.scope, place.state).unwrap_or_default();
    left_in_slots(place, &occupants)?;
    let in_slots = parts.slots.iter().filter_map(|slot| {
        let found = occupant(parts, slot, &occupants, history)?;
        Some((slot.name.clone(), found))
    });
    let in_slots: BTreeMap<String, Option<Release>> = in_slots.collect();
    let schema = match &place.spec.migrate {
        None => None,
        Some(spec) => migration::schema(spec, commands, place.scope).map_err(|why| {
            Fault::error(format!("cannot find out the version of the database schema: {why}"))
                .hint("nothing was touched; is the database up?")
        })?,
    };
    let tag = files::read_text(place.tag_file).ok();
    Ok(Current {
        live,
        target: target.cloned(),
        schema,
        active,
        saved,
        in_slots,
        previous_tag: tag.map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()),
    })
}

/// Refuses to go on without slots while something is in one: it would go on answering beside the
/// release that takes its place, and nobody would look at it any more.
fn left_in_slots(place: &Where<'_>, occupants: &Occupants) -> anyhow::Result<()> {
    let left = occupants.iter().next().filter(|_| place.parts.slots.is_empty());
    let Some((slot, occupant)) = left else { return Ok(()) };
    let version = &occupant.release.version;
    let file = slots::file(place.scope, place.state).display().to_string();
    Err(Fault::usage(format!("{version} is in the slot {slot}, and the strategy has no slots"))
        .hint(format!("write the strategy with slots again, or stop {version} and remove {file}"))
        .into())
}

/// What is in a slot: the outer none is not known, the inner one is nothing.
fn occupant(
    parts: &Parts,
    slot: &Slot,
    occupants: &Occupants,
    history: &History,
) -> Option<Option<Release>> {
    let noted = occupants.get(&slot.name).map(|occupant| occupant.release.clone());
    let all = parts.at(Some(slot)).into_iter().map(|(_, platform)| platform.running());
    let all: Vec<Running> = all.collect();
    if all.iter().all(|running| *running == Running::Nothing) {
        return Some(None);
    }
    let versions: Option<Vec<&String>> = all
        .iter()
        .map(|running| match running {
            Running::Version(version) => Some(version),
            Running::Unknown | Running::Nothing => None,
        })
        .collect();
    match versions.as_deref() {
        Some([first, others @ ..]) if others.iter().all(|other| same_version(other, first)) => {
            let is_it = |release: &Release| same_version(&release.version, first);
            let known = history.deployments.iter().rev().map(|d| d.release.clone());
            let found = noted.filter(is_it).or_else(|| known.into_iter().find(is_it));
            Some(Some(
                found
                    .unwrap_or_else(|| Release { version: (*first).clone(), ..Release::default() }),
            ))
        }
        // One component runs and another one does not: it is no release.
        Some(_) => None,
        None if all.contains(&Running::Unknown) => noted.map(Some),
        None => None,
    }
}
