//! A world in which releases run: what an act does to it, and what a look at it shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::plan::{Act, Route, View};

/// The place of a component outside of slots.
pub(super) const PLACE: &str = "place";
/// Where the traffic may go besides slots.
pub(super) const ELSEWHERE: &str = "elsewhere";
/// The release that comes after all the others, and needs the database to be migrated.
pub(super) const NEW: &str = "v2";

/// How the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    Old,
    /// Somebody was interrupted while changing it.
    Torn,
    New,
}

/// How far an act gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Nothing,
    Half,
    Whole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    pub(super) components: Vec<String>,
    /// Those that stay outside of the slots.
    pub(super) in_place: Vec<String>,
    /// The version that runs of a component in a place; nothing has no entry.
    pub(super) running: BTreeMap<(String, String), String>,
    /// The place that gets the requests for each component.
    pub(super) traffic: BTreeMap<String, String>,
    pub(super) schema: Schema,
    /// What taking a migration back leads to.
    pub(super) before: Schema,
    /// Whether the new release needs the new schema.
    pub(super) migrates: bool,
    /// Whether the old ones work with the new schema.
    pub(super) compatible: bool,
    /// Releases that are not well even so.
    pub(super) sick: BTreeSet<String>,
    pub(super) tag: Option<String>,
    pub(super) kept: BTreeSet<String>,
}

impl World {
    /// What runs of a component in a place.
    pub(super) fn at(&self, place: &str, component: &str) -> Option<&str> {
        self.running.get(&(place.to_owned(), component.to_owned())).map(String::as_str)
    }

    /// What runs of the components that stay outside of the slots.
    pub(super) fn outside(&self) -> Vec<Option<&str>> {
        self.in_place.iter().map(|component| self.at(PLACE, component)).collect()
    }

    /// What runs of all components in a place.
    pub(super) fn all_at(&self, place: &str) -> Vec<Option<&str>> {
        self.components.iter().map(|component| self.at(place, component)).collect()
    }

    pub(super) fn put(&mut self, place: &str, component: &str, version: Option<&str>) {
        let key = (place.to_owned(), component.to_owned());
        match version {
            Some(version) => drop(self.running.insert(key, version.into())),
            None => drop(self.running.remove(&key)),
        }
    }

    /// Whether a release works with the database.
    pub(super) fn fits(&self, version: &str) -> bool {
        match self.schema {
            _ if !self.migrates => true,
            Schema::New => version == NEW || self.compatible,
            Schema::Torn => version != NEW && self.compatible,
            Schema::Old => version != NEW,
        }
    }

    /// Whether a release works with the database when what can be taken back of it was.
    pub(super) fn was_made_for(&self, version: &str) -> bool {
        Self { schema: self.before, ..self.clone() }.fits(version)
    }

    /// Whether a release is well, seen from somewhere.
    pub(super) fn well(&self, version: &str, view: &View) -> bool {
        let runs = self.components.iter().all(|component| {
            let place = match view {
                View::InPlace => PLACE,
                View::Slot { slot } => &slot.name,
                View::Router { .. } => &self.traffic[component],
            };
            let expected = match view {
                View::Router { slot: Some(slot) } => place == slot.name,
                _ => true,
            };
            expected && self.at(place, component) == Some(version)
        });
        let is_seen = matches!(view, View::Router { .. });
        let outside = !is_seen || self.outside().iter().all(|there| *there == Some(version));
        runs && outside && self.fits(version) && !self.sick.contains(version)
    }

    /// Does an act as far as it gets. An error is one that has nothing to do with chance.
    pub(super) fn perform(&mut self, act: &Act, extent: Extent) -> Result<(), String> {
        if extent == Extent::Nothing {
            return Ok(());
        }
        let whole = extent == Extent::Whole;
        match act {
            Act::SaveTag { tag, .. } => self.tag.clone_from(tag),
            Act::Migrate { .. } if self.migrates && self.schema != Schema::New => {
                self.schema = if whole { Schema::New } else { Schema::Torn };
            }
            Act::Restore { .. } if self.migrates => {
                self.schema = if whole { self.before } else { Schema::Torn };
            }
            Act::Place { component, slot, release, .. } => {
                let place = slot.as_ref().map_or(PLACE, |slot| slot.name.as_str());
                self.kept.remove(place);
                let starts = self.fits(&release.version);
                let version = (whole && starts).then_some(release.version.as_str());
                self.put(place, component, version);
                if whole && !starts {
                    return Err(format!("{} does not know this database", release.version));
                }
            }
            Act::Clear { components, slot, .. } => {
                self.kept.remove(&slot.name);
                let far = if whole { components.len() } else { components.len() / 2 };
                components[..far].iter().for_each(|one| self.put(&slot.name, one, None));
            }
            Act::Switch { route, .. } => {
                let place = match route {
                    Route::Slot(slot) => &slot.name,
                    Route::Saved { text } => text,
                };
                let far = if whole { self.components.len() } else { 1 };
                for component in &self.components[..far] {
                    self.traffic.insert(component.clone(), place.clone());
                }
            }
            Act::Keep { slot, .. } => drop(self.kept.insert(slot.name.clone())),
            Act::Verify { release, view, .. } | Act::Watch { release, view, .. }
                if !self.well(&release.version, view) =>
            {
                return Err(format!("{} is not well", release.version));
            }
            _ => {}
        }
        Ok(())
    }
}
