//! Who may change something: one at a time per service and environment.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Scope, State};
use crate::exit::Fault;
use crate::host::{clock, env, lock};

/// The owner of a lock, as the lock file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process.
    pub pid: u32,
    /// The machine, the user or the run that it works for.
    pub by: String,
    /// What it is doing: `deploy v2`.
    pub doing: String,
    /// Since when: RFC 3339 in UTC.
    pub since: String,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Owner { pid, by, doing, since } = self;
        write!(f, "`{doing}` by {by}, process {pid}, since {since}")
    }
}

/// Takes the lock; it is held until what this gives is dropped, or the process ends.
///
/// # Errors
/// When somebody else holds it, or it cannot be taken at all.
pub fn take(scope: &Scope, state: &State, doing: &str) -> anyhow::Result<lock::Held> {
    let file = file(scope, state);
    let owner = Owner {
        pid: std::process::id(),
        by: who(),
        doing: doing.into(),
        since: clock::rfc3339(clock::wall()),
    };
    let tried = lock::take(&file, &serde_json::to_string(&owner)?).map_err(|error| {
        Fault::error(format!("cannot take the lock {}: {error}", file.display()))
            .hint("is the state folder writable?")
    })?;
    match tried {
        lock::Tried::Held(held) => Ok(held),
        lock::Tried::Taken(text) => {
            Err(Fault::error(format!("{scope} is being changed already: {}", describe(&text)))
                .hint("nothing was done; wait until that has ended, and try again")
                .into())
        }
    }
}

/// Who holds the lock, in words.
///
/// # Errors
/// When it cannot be found out.
pub fn owner(scope: &Scope, state: &State) -> anyhow::Result<Option<String>> {
    let file = file(scope, state);
    let owner = lock::owner(&file).map_err(|error| {
        Fault::error(format!("cannot look at the lock {}: {error}", file.display()))
    })?;
    Ok(owner.map(|text| describe(&text)))
}

fn describe(text: &str) -> String {
    match serde_json::from_str::<Owner>(text) {
        Ok(owner) => owner.to_string(),
        // It is being written this moment.
        Err(_) => "by somebody who has not said who".into(),
    }
}

fn file(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join("lock")
}

/// On whose behalf this runs: the address of a CI run, else the user.
pub fn who() -> String {
    let run = || {
        let server = env::var("GITHUB_SERVER_URL").unwrap_or("https://github.com".into());
        let repository = env::var("GITHUB_REPOSITORY")?;
        Some(format!("{server}/{repository}/actions/runs/{}", env::var("GITHUB_RUN_ID")?))
    };
    let user = || env::var("USER").or_else(|| env::var("LOGNAME")).or_else(|| env::var("USERNAME"));
    run().or_else(user).unwrap_or("somebody".into())
}
