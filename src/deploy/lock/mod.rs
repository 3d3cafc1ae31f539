//! Who may change something: one at a time per service and environment, in the order of coming.
//!
//! In the state folder: `lock` is locked by the kernel for its owner, who wrote himself into it;
//! `fence` is a number that grows with each owner and with each one whose lock was broken; `queue/`
//! has a ticket of everybody who waits ([`queue`](self::wait_in_line)), and `queue/.counter`, which
//! is locked for the moments in which any of this changes.

mod breaking;
mod queue;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use breaking::{Broken, Ended, break_lock};
pub use queue::{Waiter, Waiting, is_littered, queue, wait_in_line};

use super::{Scope, State};
use crate::exit::Fault;
use crate::host::process::Started;
use crate::host::{clock, env, files, lock, pid, system};

/// What is held for moments is waited for so long; longer means that its holder hangs.
const MOMENTS: Duration = Duration::from_secs(10);
/// Who only asks does not wait so long for those who are changing something.
const PATIENCE: Duration = Duration::from_millis(300);

/// The owner of a lock, as the lock file tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The id of its run. Empty: it has not said who it is.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// When its process started, in the kernel's ticks: with the id it names one for ever.
    pub ticks: Option<u64>,
    /// The machine that its process is on.
    pub host: String,
    /// The user or the CI run that it works for.
    pub by: String,
    /// What it is doing: `deploy v2`.
    pub doing: String,
    /// Since when it holds the lock: RFC 3339 in UTC.
    pub since: String,
    /// The number that it may act under.
    pub fence: u64,
    /// How long it may go on without progress, in milliseconds (`decide::staleness`).
    pub deadline_ms: u64,
}

/// Somebody who wants to be the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The id of its run.
    pub run: String,
    /// What it will do: `deploy v2`.
    pub doing: String,
    /// The user or the CI run that it works for.
    pub by: String,
    /// How long it may go on without progress.
    pub deadline: Duration,
}

impl Owner {
    /// This process, from now on.
    fn here(claim: &Claim, fence: u64) -> Self {
        let Started { pid, ticks } = pid::this();
        Self {
            run: claim.run.clone(),
            pid,
            ticks,
            host: system::host_name(),
            by: claim.by.clone(),
            doing: claim.doing.clone(),
            since: clock::rfc3339(clock::wall()),
            fence,
            deadline_ms: u64::try_from(claim.deadline.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Of a lock file's text. It may be being written this moment, or have been written by another
    /// version: then somebody is there all the same.
    fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Owner { run, pid, host, by, doing, since, .. } = self;
        if run.is_empty() {
            return f.write_str("by somebody who has not said who");
        }
        write!(f, "`{doing}` by {by}, process {pid} on {host}, since {since}, run {run}")
    }
}

/// The lock; it is held until this is dropped, or the process ends.
#[derive(Debug)]
pub struct Held {
    lock: lock::Held,
    fence: u64,
    files: Files,
}

impl Held {
    /// The number that its owner may act under: larger than that of every owner before.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Whether we still are the owner: the fence has our number, and the lock file is the one that
    /// we locked. To be asked before everything that changes something; it reads a few bytes.
    ///
    /// # Errors
    /// When somebody else is the owner, or it cannot be found out.
    pub fn check(&self) -> anyhow::Result<()> {
        let scope = &self.files.scope;
        let now = self.files.read_fence()?;
        if now != Some(self.fence) {
            let now = now.map_or("gone".to_owned(), |now| format!("{now} now"));
            return Err(lost(scope, &format!("the fence had {} and is {now}", self.fence)));
        }
        match self.lock.is_in_place() {
            Ok(true) => Ok(()),
            Ok(false) => Err(lost(scope, "the lock file is another one now")),
            Err(error) => Err(lost(scope, &format!("the lock file cannot be seen: {error}"))),
        }
    }
}

fn lost(scope: &Scope, why: &str) -> anyhow::Error {
    Fault::error(format!("the lock of {scope} is not ours any more: {why}"))
        .hint("somebody broke it with `waveoff unlock`; `waveoff status` says what runs")
        .into()
}

/// The files of one service in one environment.
#[derive(Debug, Clone)]
struct Files {
    scope: Scope,
    lock: PathBuf,
    fence: PathBuf,
    queue: PathBuf,
    counter: PathBuf,
}

impl Files {
    fn of(scope: &Scope, state: &State) -> Self {
        let folder = state.folder(scope);
        let queue = folder.join("queue");
        Self {
            scope: scope.clone(),
            lock: folder.join("lock"),
            fence: folder.join("fence"),
            counter: queue.join(".counter"),
            queue,
        }
    }

    /// Keeps everybody else from changing any of this, for a moment.
    fn hold(&self) -> anyhow::Result<lock::Held> {
        let held = lock::take_within(&self.counter, MOMENTS).map_err(|e| self.fault(&e))?;
        held.ok_or_else(|| {
            let file = self.counter.display();
            Fault::error(format!("{file} is held by somebody for longer than a moment"))
                .hint("a process that takes the lock hangs: find it with `lslocks`, and end it")
                .into()
        })
    }

    /// The number of the fence; none before the first owner.
    fn read_fence(&self) -> anyhow::Result<Option<u64>> {
        if !files::exists(&self.fence) {
            return Ok(None);
        }
        let file = self.fence.display();
        let text = files::read_text(&self.fence)
            .map_err(|error| Fault::error(format!("cannot read {file}: {error}")))?;
        let number = text.trim().parse().map_err(|_| {
            Fault::error(format!("{file} has no number in it: {text:?}"))
                .hint("nothing was touched; write a number there that no owner had yet")
        })?;
        Ok(Some(number))
    }

    /// Raises the fence above what it was and above `known`. Whoever does this holds the counter.
    fn raise_fence(&self, known: u64) -> anyhow::Result<u64> {
        let next = self.read_fence()?.unwrap_or(0).max(known) + 1;
        files::replace(&self.fence, format!("{next}\n").as_bytes()).map_err(|e| self.fault(&e))?;
        Ok(next)
    }

    /// Takes the lock, if it is free.
    fn try_take(&self, claim: &Claim) -> anyhow::Result<Option<Held>> {
        let _moment = self.hold()?;
        let Some(lock) = lock::try_take(&self.lock).map_err(|e| self.fault(&e))? else {
            return Ok(None);
        };
        // The number outlives its file: the owner before had one too.
        let before = Owner::of(&lock.read().map_err(|e| self.fault(&e))?);
        let fence = self.raise_fence(before.fence)?;
        let owner = serde_json::to_string(&Owner::here(claim, fence))?;
        lock.write(&owner).map_err(|e| self.fault(&e))?;
        Ok(Some(Held { lock, fence, files: self.clone() }))
    }

    /// Who holds the lock now.
    fn owner(&self) -> anyhow::Result<Option<Owner>> {
        // Taking it is several steps, and what was written before the last one is of another
        // owner. Who may not look at the counter may still look at the lock.
        let quiet = lock::share_within(&self.counter, PATIENCE).ok().flatten();
        let owner = self.holder()?;
        Ok(if quiet.is_some() { owner } else { owner.map(|_| Owner::default()) })
    }

    /// Who holds the lock, for whoever keeps everybody else from changing that.
    fn holder(&self) -> anyhow::Result<Option<Owner>> {
        let text = lock::text_of_holder(&self.lock).map_err(|error| {
            Fault::error(format!("cannot look at the lock {}: {error}", self.lock.display()))
        })?;
        Ok(text.map(|text| Owner::of(&text)))
    }

    fn fault(&self, error: &std::io::Error) -> Fault {
        Fault::error(format!("cannot take the lock {}: {error}", self.lock.display()))
            .hint("is the state folder writable, and is there space left?")
    }
}

/// Who holds the lock now. Nothing is made or changed.
///
/// # Errors
/// When it cannot be found out.
pub fn owner(scope: &Scope, state: &State) -> anyhow::Result<Option<Owner>> {
    Files::of(scope, state).owner()
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
