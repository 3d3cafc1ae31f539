//! What a deployment will do, as data: operations, each with the act that takes it back.
//!
//! A plan is written into the journal before anything is done, so that whoever finds an
//! interrupted deployment knows all of it. Planning is pure; acting is `deploy::hands`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::history::Release;

/// Which way a release is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the new release.
    Forward,
    /// To the rollback target.
    Back,
}

/// A place for a release beside another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The port of each component that is started in it.
    pub ports: BTreeMap<String, u16>,
}

/// Where the traffic goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum Route {
    /// To a slot.
    Slot(Slot),
    /// To where it went before, in the router's own words.
    Saved {
        /// What [`Router::save`](crate::routers::Router::save) gave.
        text: String,
    },
}

/// From where a release is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "view", rename_all = "kebab-case")]
pub enum View {
    /// In its place, by all checks.
    InPlace,
    /// A slot, directly and not through the router: by the `path` checks.
    Slot {
        /// The slot.
        slot: Slot,
    },
    /// Through the router: by all checks.
    Router {
        /// The slot that should answer, when one is known.
        slot: Option<Slot>,
    },
}

/// One thing to do. Every act can be done again after it was interrupted: what is done already
/// stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Keeps the version that is replaced in a file; without a version, there is none then.
    SaveTag {
        /// The file.
        file: String,
        /// The version.
        tag: Option<String>,
    },
    /// Changes the database for the release.
    Migrate {
        /// The release.
        release: Release,
        /// The version of the schema before, when a command tells it.
        schema: Option<String>,
    },
    /// Takes a migration back.
    Restore {
        /// The release whose migration it was.
        release: Release,
        /// The version of the schema that there should be then.
        schema: Option<String>,
    },
    /// Starts a release of a component in place of whatever is there.
    Place {
        /// The component.
        component: String,
        /// The slot; none is the component's own place.
        slot: Option<Slot>,
        /// The release.
        release: Release,
        /// What runs there until then, as far as it is known.
        over: Option<Release>,
        /// Which way this goes.
        direction: Direction,
    },
    /// Stops what runs in a slot: all of it, since a part without the others is of no use.
    Clear {
        /// The components, in the order in which they are stopped.
        components: Vec<String>,
        /// The slot.
        slot: Slot,
        /// What runs there, as far as it is known.
        version: Option<String>,
    },
    /// Switches the traffic.
    Switch {
        /// Where to.
        route: Route,
        /// The release that answers there, as far as it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<Release>,
    },
    /// Lets the requests that a slot still has come to their end.
    Drain {
        /// The slot.
        slot: Slot,
        /// The release that the traffic has just been switched to, where nobody has looked yet
        /// whether all of it arrives there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Release>,
        /// The limit.
        limit_ms: u64,
    },
    /// Notes until when a slot is kept for a rollback at once.
    Keep {
        /// The slot.
        slot: Slot,
        /// The release in it.
        release: Release,
        /// For how long.
        keep_ms: u64,
    },
    /// Waits.
    Pause {
        /// How long.
        ms: u64,
        /// What for: `the traffic switch delay`.
        reason: String,
    },
    /// Waits until a release is well and smoke-tests it.
    Verify {
        /// The release.
        release: Release,
        /// From where.
        view: View,
        /// One limit over all of its checks.
        limit_ms: Option<u64>,
    },
    /// Looks again and again whether a release stays well.
    Watch {
        /// The release.
        release: Release,
        /// From where.
        view: View,
        /// How long.
        for_ms: u64,
        /// The time between two looks.
        interval_ms: u64,
        /// Failures in a row that decide.
        failures: u32,
    },
    /// Compares with what was captured before.
    Compare {
        /// The release that runs again.
        release: Release,
    },
    /// Does nothing: it gives what is taken back (`undo`) its place in the order.
    Mark,
}

impl Act {
    /// What it is, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Act::SaveTag { .. } => "save",
            Act::Migrate { .. } => "migrate",
            Act::Restore { .. } => "restore",
            Act::Place { direction: Direction::Forward, .. } => "deploy",
            Act::Place { direction: Direction::Back, .. } => "rollback",
            Act::Clear { .. } => "stop",
            Act::Switch { .. } => "switch",
            Act::Drain { .. } => "drain",
            Act::Keep { .. } => "keep",
            Act::Pause { .. } => "wait",
            Act::Verify { .. } => "verify",
            Act::Watch { .. } => "watch",
            Act::Compare { .. } => "compare",
            Act::Mark => "mark",
        }
    }

    /// Whether all that a failed release left is still there behind it: what it wrote, and itself.
    pub fn leaves_traces(&self) -> bool {
        matches!(
            self,
            Act::SaveTag { .. }
                | Act::Switch { .. }
                | Act::Pause { .. }
                | Act::Verify { .. }
                | Act::Mark
        )
    }
}

/// An act, with the one that takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What it is called in a report: `start v2 in green`.
    pub name: String,
    /// What is done.
    #[serde(rename = "do")]
    pub act: Act,
    /// What takes it back. Without one there is nothing to take back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Act>,
    /// Why it cannot be taken back, when that means that there is no way back behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_way_back: Option<String>,
}

impl Operation {
    /// One without a way back that would be needed.
    pub fn new(name: impl Into<String>, act: Act) -> Self {
        Self { name: name.into(), act, undo: None, no_way_back: None }
    }

    /// With the act that takes it back.
    #[must_use]
    pub fn undo(self, act: Act) -> Self {
        Self { undo: Some(act), ..self }
    }
}

/// Everything that a deployment, or a rollback, will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The strategy's name in the configuration.
    pub strategy: String,
    /// What runs again when everything was taken back, as far as it is known. A rollback by hand is
    /// never taken back, and has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Release>,
    /// What is done, in order; when one fails, those before it and it are taken back in reverse.
    pub forward: Vec<Operation>,
    /// What brings back what was not replaced by this plan, and proves that the old release is back,
    /// after everything was taken back.
    pub restored: Vec<Operation>,
    /// What is done when the release is verified. A failure here is told, and tried again later.
    pub cleanup: Vec<Operation>,
}

impl Plan {
    /// The releases that would be started on a way back, in this plan or when it is taken back.
    pub fn brought_back(&self) -> impl Iterator<Item = &Release> {
        let all = self.forward.iter().chain(&self.restored);
        let acts = all.flat_map(|operation| std::iter::once(&operation.act).chain(&operation.undo));
        acts.filter_map(|act| match act {
            Act::Place { release, direction: Direction::Back, .. } => Some(release),
            _ => None,
        })
    }
}
