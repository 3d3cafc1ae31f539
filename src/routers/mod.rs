//! What sends requests to a slot, one file per router. Which slot gets them, and when, is not
//! known here (`decide::strategy`); that they really arrive there is found out by asking through
//! the router (`checks`).

use crate::decide::plan::{Route, Slot};
use crate::deploy::commands::Commands;
use crate::platforms::Trouble;

/// Where the traffic goes, as the router itself tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Active {
    /// To this slot.
    Slot(String),
    /// To something that is none of the slots, or nowhere: told in words.
    Other(String),
}

/// A way to send requests to a slot.
pub trait Router {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// Where it answers, as seen from here.
    fn url(&self) -> Option<String>;

    /// What [`switch`](Router::switch) would do, a line each, in the order in which it would be done.
    fn plan(&self, route: &Route) -> Vec<String>;

    /// Looks, without touching anything, whether a switch to any of these slots could be done.
    ///
    /// # Errors
    /// What is missing, or wrong.
    fn check(&self, slots: &[Slot]) -> anyhow::Result<()>;

    /// Where the traffic goes now.
    ///
    /// # Errors
    /// When that cannot be found out. Not to know is never an answer.
    fn active(&self, slots: &[Slot], commands: &Commands<'_>) -> Result<Active, Trouble>;

    /// All that is needed to come back to where the traffic goes now, for [`Route::Saved`].
    ///
    /// # Errors
    /// When that cannot be found out.
    fn save(&self, slots: &[Slot], commands: &Commands<'_>) -> Result<String, Trouble>;

    /// Sends the traffic there. When it returns, the router has taken it; doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// What went wrong. Where the router itself refused, it goes on as before.
    fn switch(&self, route: &Route, slots: &[Slot], commands: &Commands<'_>)
    -> Result<(), Trouble>;
}

pub fn of(
    _: &crate::config::transaction::RouterSpec,
    _: &crate::deploy::Scope,
    _: &crate::deploy::State,
    _: Option<&str>,
) -> anyhow::Result<Box<dyn Router>> {
    anyhow::bail!("not here")
}
