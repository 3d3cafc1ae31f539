//! What runs in which place, and where the traffic goes. Everything is asked once.

use super::super::Session;
use super::super::site::Site;
use crate::decide::history::Release;
use crate::decide::plan::Slot;
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
    /// What each component runs in each slot, or in its only place.
    places: Vec<(Option<String>, Vec<Runs>)>,
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
        let place = |slot: Option<&Slot>| {
            let all = site.parts.in_place(slot).into_iter();
            let runs = all.map(|(name, platform)| (name.to_owned(), platform.running())).collect();
            (slot.map(|slot| slot.name.clone()), runs)
        };
        let places = if slots.is_empty() {
            vec![place(None)]
        } else {
            slots.iter().map(|s| place(Some(s))).collect()
        };
        Self { active, places, noted: slots::read(&site.scope, &site.state) }
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
        self.places.iter().filter_map(|(name, runs)| Some((name.as_deref()?, runs.as_slice())))
    }

    /// What each component runs of what gets the requests; nothing where that is not known.
    pub(super) fn serving(&self) -> &[Runs] {
        let wanted = match &self.active {
            None => None,
            Some(Ok(Active::Slot(name))) => Some(name.as_str()),
            Some(_) => return &[],
        };
        let found = self.places.iter().find(|(name, _)| name.as_deref() == wanted);
        found.map_or(&[], |(_, runs)| runs.as_slice())
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
            None => site.parts.contradiction_in(None, release),
            Some(Ok(Active::Slot(name))) => {
                site.parts.contradiction_in(Some(site.parts.slot(name)?), release)
            }
            Some(Ok(Active::Other(what))) => {
                Some(format!("the traffic goes to none of the slots: {what}"))
            }
            // Not to know is no contradiction, and no proof: it is told on its own.
            Some(Err(_)) => None,
        }
    }
}
