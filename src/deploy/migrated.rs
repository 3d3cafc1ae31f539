//! What the journals tell of the database: which migrations it has that a release does not know.

use super::journal::Journal;
use super::runs;
use super::state::{Scope, State};
use crate::decide::history::{Deployment, History, Phase, Release};
use crate::decide::journal::{Entry, Part, Way};
use crate::decide::plan::Act;
use crate::decide::strategy::Migrated;
use crate::decide::transaction::Transaction;

/// The migrations since a release was seen to be well, and what cannot be told of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// Those that were not taken back, the last one first.
    pub migrated: Vec<Migrated>,
    /// A release that may have migrated: the journal of its deployment is not here.
    pub untold: Option<String>,
}

/// Reads the journals of all runs since `target` was verified last, or brought back.
///
/// # Errors
/// When a journal cannot be read.
pub fn since(
    scope: &Scope,
    state: &State,
    history: &History,
    target: &Release,
) -> anyhow::Result<Since> {
    let is_target = |d: &Deployment| match d.phase {
        Phase::Verified => d.release.is_same(target),
        Phase::RolledBack => d.rolled_back_to.as_ref().is_some_and(|to| to.is_same(target)),
        _ => false,
    };
    let after = history.deployments.iter().rposition(is_target).map_or(0, |at| at + 1);
    let later = &history.deployments[after..];
    let mut since = Since::default();
    let mut told = Vec::new();
    for run in runs::all(scope, state)? {
        let journal = Journal::open(&run.folder)?;
        let entries: Vec<&Entry> = journal.lines().iter().map(|line| &line.entry).collect();
        let Some(Entry::Begun(begun)) = entries.first() else { continue };
        if begun.way != Way::Rollback && !later.iter().any(|d| d.id == begun.deployment) {
            continue;
        }
        told.push(begun.deployment.clone());
        add(&mut since.migrated, &entries);
    }
    since.migrated.reverse();
    let untold = later.iter().find(|d| d.mutated && !told.contains(&d.id));
    since.untold = untold.map(|deployment| deployment.release.version.clone());
    Ok(since)
}

/// Adds what a run did to the migrations that there were before it, the first one first.
fn add(migrated: &mut Vec<Migrated>, entries: &[&Entry]) {
    let Some(transaction) = Transaction::of(entries.iter().copied()) else { return };
    for entry in entries {
        let (place, is_done) = match entry {
            Entry::Intent(place) => (place, false),
            Entry::Done { place, .. } => (place, true),
            _ => continue,
        };
        let act = transaction.at(*place).map(|operation| &operation.act);
        let (taken_back, release) = match (act, place.part) {
            // What was begun may have changed something, however it ended.
            (Some(Act::Migrate { release, schema }), Part::Forward) if !is_done => {
                migrated.retain(|known| !known.release.is_same(release));
                migrated.push(Migrated { release: release.clone(), schema: schema.clone() });
                continue;
            }
            (Some(Act::Migrate { release, .. }), Part::Undo) => (is_done, release),
            (Some(Act::Restore { release, .. }), _) => (is_done, release),
            _ => continue,
        };
        if taken_back {
            migrated.retain(|known| !known.release.is_same(release));
        }
    }
}

#[cfg(test)]
#[path = "migrated_tests.rs"]
mod tests;
