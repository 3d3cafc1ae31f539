//! Breaking a lock whose owner hangs.

use std::time::Duration;

use super::{Files, Owner, Scope, State};
use crate::exit::Fault;
use crate::host::pid::{self, End};
use crate::host::process::Started;
use crate::host::{lock, system};

/// A lock that was broken.
#[derive(Debug)]
pub struct Broken {
    /// Who held it.
    pub owner: Owner,
    /// What became of its process.
    pub ended: Ended,
}

/// What became of the process of an owner.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is gone.
    Gone(End),
    /// It may live on, for this reason. Whatever it asks the lock about, it is refused.
    Unknown(String),
}

/// Breaks the lock that the run `run` holds: raises the fence, so that the owner may do nothing more;
/// asks its process to end, and kills it after `grace`; lets those who wait lock another file.
/// It may be done again when it was interrupted.
///
/// # Errors
/// When nobody holds the lock, or another run does: nothing is changed then. When a file cannot be
/// changed.
pub fn break_lock(
    scope: &Scope,
    state: &State,
    run: &str,
    grace: Duration,
) -> anyhow::Result<Broken> {
    let files = Files::of(scope, state);
    // Before anything is made: where nobody ever was, nobody is to be found.
    must_be(&files, run, files.owner()?)?;
    let owner = {
        let _moment = files.hold()?;
        let owner = must_be(&files, run, files.holder()?)?;
        files.raise_fence(owner.fence)?;
        owner
    };
    let ended = end(&owner, grace);
    let _moment = files.hold()?;
    // Whoever was next may have taken it from one that is gone.
    if files.holder()?.as_ref() == Some(&owner) {
        lock::replace(&files.lock).map_err(|e| files.fault(&e))?;
    }
    Ok(Broken { owner, ended })
}

fn must_be(files: &Files, run: &str, owner: Option<Owner>) -> Result<Owner, Fault> {
    let scope = &files.scope;
    match owner {
        None => Err(Fault::usage(format!("nobody holds the lock of {scope}"))
            .hint("nothing was done; there is nothing to unlock")),
        Some(owner) if owner.run.is_empty() => {
            Err(Fault::error(format!("{scope} is being changed {owner}"))
                .hint("nothing was done; try again in a moment"))
        }
        Some(owner) if owner.run != run => {
            let message = format!("the lock of {scope} is not held by the run {run:?}");
            Err(Fault::usage(message).hint(format!("nothing was done; its owner is {owner}")))
        }
        Some(owner) => Ok(owner),
    }
}

fn end(owner: &Owner, grace: Duration) -> Ended {
    let here = system::host_name();
    if owner.host != here {
        let there = &owner.host;
        return Ended::Unknown(format!("it is on {there}, and cannot be ended from {here}"));
    }
    match pid::end(Started { pid: owner.pid, ticks: owner.ticks }, grace) {
        Ok(end) => Ended::Gone(end),
        Err(error) => Ended::Unknown(error.to_string()),
    }
}
