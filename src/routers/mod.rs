//! What sends requests to a slot, one file per router. Which slot gets them, and when, is not
//! known here (`decide::strategy`); that they really arrive there is found out by asking through
//! the router (`checks`).

mod command;
mod haproxy;
mod nginx;

use crate::config::transaction::RouterSpec;
use crate::decide::plan::{Route, Slot};
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State};
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

/// The router of a kind. A new kind is a file of its own and a line here. `public` is where the
/// service is known to answer, for a router that names no `url` of its own.
///
/// # Errors
/// When it is configured wrongly.
pub fn of(
    spec: &RouterSpec,
    scope: &Scope,
    state: &State,
    public: Option<&str>,
) -> anyhow::Result<Box<dyn Router>> {
    Ok(match spec.clone() {
        RouterSpec::Nginx(spec) => Box::new(nginx::Nginx::new(spec, scope, public)?),
        RouterSpec::Haproxy(spec) => Box::new(haproxy::Haproxy::new(spec, public)?),
        RouterSpec::Command(spec) => Box::new(command::Command::new(spec, scope, state, public)),
    })
}

/// What a slot is, when its name and its components' may stand in files, commands and variables.
fn named(slot: &Slot) -> Result<(), String> {
    for name in slot.ports.keys().chain([&slot.name]) {
        name.parse::<crate::decide::naming::Name>().map_err(|why| format!("slots: {why}"))?;
    }
    if slot.ports.is_empty() {
        return Err(format!("slot {} has no port, and a router needs one", slot.name));
    }
    Ok(())
}

/// The slot names, as a person would list them.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "../../tests/integration/parts.rs"]
#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the same rules for what is not installed as everywhere"
)]
mod parts;

#[cfg(test)]
mod real;
