//! How a release takes the place of another one: a plan, from the configuration and from what is
//! there. A new strategy is a file of its own, a variant of [`Strategy`] and a line in
//! [`Strategy::exchange`].

mod blue_green;
mod operations;
mod rolling;

#[cfg(test)]
mod fixtures;

use std::collections::BTreeMap;

pub use blue_green::BlueGreen;
pub use rolling::Rolling;

use super::history::Release;
use super::plan::Plan;

/// How releases of a service are exchanged: the configuration, with its defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The service.
    pub service: String,
    /// The parts of a release, at least one, in the order in which they are deployed. A lone one has
    /// the service's name. Where there are slots, those that are started in them.
    pub components: Vec<String>,
    /// The parts that stay outside of the slots, since they must not run twice: they are restarted
    /// in their place. None where there are no slots.
    pub in_place: Vec<String>,
    /// How a release takes the place of another one.
    pub strategy: Strategy,
    /// What changes the database, when something does.
    pub migration: Option<Migration>,
    /// The file that keeps the version that would be brought back.
    pub tag_file: String,
    /// Whether something was captured before that a rollback can be compared with.
    pub compare: bool,
}

/// How a release takes the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// In place.
    Rolling(Rolling),
    /// Beside the old one; then the traffic is switched.
    BlueGreen(BlueGreen),
}

/// What is known of a migration of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Migration {
    /// Whether it can be taken back.
    pub restorable: bool,
    /// Whether the old code works with the migrated database, so that nothing has to be taken back.
    pub compatible: bool,
    /// Whether somebody said to go on although it can neither be taken back nor be lived with.
    pub allowed: bool,
}

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// The release that runs and is verified.
    pub live: Option<Release>,
    /// The verified release to go back to.
    pub target: Option<Release>,
    /// The version of the database schema that there is.
    pub schema: Option<String>,
    /// The slot with the traffic. None is none of the slots: nothing, or something else.
    pub active: Option<String>,
    /// Where the traffic goes, in the router's own words.
    pub saved: Option<String>,
    /// What runs in each slot: without an entry that is not known, with none it is nothing.
    pub in_slots: BTreeMap<String, Option<Release>>,
    /// The version that the file of [`Setup::tag_file`] tells.
    pub previous_tag: Option<String>,
}

/// What is to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The release.
    pub release: Release,
    /// The slot that somebody chose for it.
    pub to_slot: Option<String>,
}

/// A rollback by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return<'a> {
    /// The release that is taken back.
    pub failed: &'a Release,
    /// The verified release that comes back.
    pub target: &'a Release,
    /// The one that was verified before that: where the next rollback goes to.
    pub before: Option<&'a Release>,
    /// Whether the database stays as it is.
    pub preserve_data: bool,
    /// How the database was migrated since the target ran, and not taken back; the last one first.
    pub migrated: &'a [Migrated],
    /// A release that may have migrated it, when what would tell that is gone.
    pub untold: Option<&'a str>,
}

/// A migration that the database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The release that it was for.
    pub release: Release,
    /// The version of the schema before, when a command told it.
    pub schema: Option<String>,
}

/// Why there is no plan: nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub hint: String,
}

/// What a strategy can plan.
trait Exchange {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// A deployment.
    fn deploy(&self, setup: &Setup, current: &Current, wanted: &Wanted) -> Result<Plan, Refusal>;

    /// A rollback by hand.
    fn rollback(&self, setup: &Setup, current: &Current, way: &Return<'_>)
    -> Result<Plan, Refusal>;
}

impl Strategy {
    /// The table of strategies.
    fn exchange(&self) -> &dyn Exchange {
        match self {
            Strategy::Rolling(rolling) => rolling,
            Strategy::BlueGreen(blue_green) => blue_green,
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        self.exchange().name()
    }
}

/// Plans a deployment.
///
/// # Errors
/// When it must not be begun.
pub fn deploy(setup: &Setup, current: &Current, wanted: &Wanted) -> Result<Plan, Refusal> {
    let plan = setup.strategy.exchange().deploy(setup, current, wanted)?;
    Ok(Plan { strategy: setup.strategy.name().into(), ..plan })
}

/// Plans a rollback by hand. It is never taken back, so no operation has an `undo`.
///
/// # Errors
/// When it must not be begun.
pub fn rollback(setup: &Setup, current: &Current, way: &Return<'_>) -> Result<Plan, Refusal> {
    let plan = setup.strategy.exchange().rollback(setup, current, way)?;
    Ok(Plan { strategy: setup.strategy.name().into(), ..plan })
}
