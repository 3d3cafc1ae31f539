//! The ledger: what happened to the deployments of one service in one environment. Events are
//! only ever added; what runs and what was verified follows from them (`decide::history`).

mod folder;
mod github;
mod status_line;

use crate::config::Config;
use crate::config::pipeline::LedgerSpec;
use crate::decide::history::{Event, Record};
use crate::exit::Fault;
use crate::host::github::Access;

use super::chain::Numbered;
use super::state::{Scope, State};

/// The memory of one service in one environment.
pub trait Ledger {
    /// All records, oldest first.
    ///
    /// # Errors
    /// When they cannot be read, or are not whole: half a history is never taken for all of it.
    fn read(&self) -> anyhow::Result<Vec<Record>>;

    /// Adds an event; when this returns, it is kept.
    ///
    /// # Errors
    /// When it could not be kept for certain.
    fn append(&self, deployment: &str, event: Event) -> anyhow::Result<Record>;

    /// Where it is, for people: a path, an address.
    fn describe(&self) -> String;
}

impl Numbered for Record {
    fn number(&self) -> u64 {
        self.seq
    }
}

/// The records that this machine keeps: none where the ledger is somewhere else.
///
/// # Errors
/// When they cannot be read, or are not whole.
pub fn kept_here(scope: &Scope, state: &State) -> anyhow::Result<Vec<Record>> {
    folder::Folder::new(scope, state).read()
}

/// Opens the ledger that the configuration names. Nothing is made by that.
///
/// # Errors
/// When it cannot be had, or would not survive.
pub fn open(config: &Config, scope: &Scope, state: &State) -> anyhow::Result<Box<dyn Ledger>> {
    match config.ledger {
        None | Some(LedgerSpec::Folder) => {
            state.must_survive()?;
            Ok(Box::new(folder::Folder::new(scope, state)))
        }
        Some(LedgerSpec::Github) => {
            let access = Access::of(None, None)?.ok_or_else(|| {
                Fault::usage("`ledger: github` needs a token and a repository").hint(
                    "in a workflow give the step `GITHUB_TOKEN: ${{ github.token }}` and the job \
                     `deployments: write`; elsewhere set GITHUB_TOKEN and GITHUB_REPOSITORY",
                )
            })?;
            Ok(Box::new(github::Deployments::new(scope, access)))
        }
    }
}
