//! What runs in which place, and where the traffic goes. Everything is asked once.

use super::super::Session;
use super::super::site::Site;
use crate::decide::history::Release;
use crate::decide::plan::{Slot, View};
use crate::decide::words::same_version;
use crate::deploy::commands::Commands;
use crate::deploy::parts::Parts;
use crate::deploy::slots::{self, Occupants};
use crate::platforms::Running;
use crate::routers::Active;

/// What a component runs.
pub(super) type Runs = (String, Running);

/// What runs where.
pub(super) struct Traffic {
    /// What the router says; none where there are no slots.
    active: Option<Result<Active, String>>,
    /// What each component runs in each slot.
    slots: Vec<(String, Vec<Runs>)>,
    /// What each component runs outside of any slot.
    outside: Vec<Runs>,
    /// What was noted of the slots.
    pub(super) noted: Result<Occupants, String>,
}

impl Traffic {
    /// Asks the router and the platforms.
    pub(super) fn look(session: &Session, site: &Site) -> Self {
        let Parts { slots, router, .. } = &site.parts;
        let active = (!slots.is_empty()).then(|| {
            let router = router.as_ref().ok_or("no router is configured")?;
            let commands = Commands::looking(session);
            router.active(slots, &commands).map_err(|trouble| trouble.reason)
        });
        let runs = |slot: Option<&Slot>| {
            let all = site.parts.at(slot).into_iter();
            all.map(|(name, platform)| (name.to_owned(), platform.running())).collect()
        };
        let slots = slots.iter().map(|slot| (slot.name.clone(), runs(Some(slot)))).collect();
        let noted = slots::read(&site.scope, &site.state);
        Self { active, slots, outside: runs(None), noted }
    }

    /// The slot that gets the traffic, when that is known and one gets it.
    pub(super) fn active_slot(&self) -> Option<&str> {
        match &self.active {
            Some(Ok(Active::Slot(name))) => Some(name),
            _ => None,
        }
    }

    /// Where the traffic goes, in words; none where it has one way only.
    pub(super) fn words(&self) -> Option<String> {
        Some(match self.active.as_ref()? {
            Ok(Active::Slot(name)) => format!("goes to {name}"),
            Ok(Active::Other(what)) => format!("goes to none of the slots: {what}"),
            Err(why) => format!("not known: {why}"),
        })
    }

    /// Why it is not known where the traffic goes, if it is not.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.active.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// The slots, with what each component runs there.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&str, &[Runs])> {
        self.slots.iter().map(|(name, runs)| (name.as_str(), runs.as_slice()))
    }

    /// What each component runs outside of any slot.
    pub(super) fn outside(&self) -> &[Runs] {
        &self.outside
    }

    /// What each component runs of what gets the requests; nothing where that is not known.
    fn serving(&self) -> Vec<&Runs> {
        let inside = match &self.active {
            None => None,
            Some(Ok(Active::Slot(name))) => self.slots.iter().find(|(known, _)| known == name),
            Some(_) => return Vec::new(),
        };
        inside.iter().flat_map(|(_, runs)| runs).chain(&self.outside).collect()
    }

    /// The version that serves: what the components say, else what `ledger` says where none of
    /// them can tell.
    pub(super) fn version(&self, ledger: Option<String>) -> Option<String> {
        let serving = self.serving();
        if serving.iter().all(|(_, running)| *running == Running::Unknown) {
            return ledger.filter(|_| !serving.is_empty());
        }
        let versions = serving.iter().map(|(_, running)| match running {
            Running::Version(version) => Some(version),
            Running::Unknown | Running::Nothing => None,
        });
        let versions: Vec<&String> = versions.collect::<Option<_>>()?;
        let (first, others) = versions.split_first()?;
        others.iter().all(|version| same_version(version, first)).then(|| (*first).clone())
    }

    /// What contradicts that this release serves, in words.
    pub(super) fn contradiction(&self, site: &Site, release: &Release) -> Option<String> {
        match &self.active {
            None => site.parts.contradiction_in(&View::InPlace, release),
            Some(Ok(Active::Slot(name))) => {
                let slot = Some(site.parts.slot(name)?.clone());
                site.parts.contradiction_in(&View::Router { slot }, release)
            }
            Some(Ok(Active::Other(what))) => {
                Some(format!("the traffic goes to none of the slots: {what}"))
            }
            // Not to know is no contradiction, and no proof: it is told on its own.
            Some(Err(_)) => None,
        }
    }
}
