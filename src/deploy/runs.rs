//! The folders of runs: what an engine was told to do, what it said, how it ended.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::state::{Scope, State};
use crate::decide::journal::Entry;
use crate::decide::transaction::Transaction;
use crate::exit::{Exit, Fault, classify, is_untouched};
use crate::host::process::Started;
use crate::host::{files, lock, pid, process};
use crate::remote::uploads;
use crate::report::v1::Report;

/// Runs whose folders are kept: of those that changed something, and of the others.
const KEPT: usize = 50;
/// Who only asks whether an engine lives holds its lock for a moment.
const ENGAGING: Duration = Duration::from_millis(300);

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// The folder.
    pub folder: PathBuf,
}

/// How a run ended, for whoever waits for that.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct End {
    /// What happened.
    pub report: Report,
    /// The error that it ended with, when it ended with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Wrong>,
}

/// An error that travels from one process to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wrong {
    /// What went wrong, with its causes.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exit code.
    pub code: u8,
    /// Whether it is certain that nothing was begun.
    #[serde(default)]
    pub is_untouched: bool,
}

impl Wrong {
    /// Of an error.
    pub fn of(error: &anyhow::Error) -> Self {
        let (exit, hint) = classify(error);
        let (message, hint) = (format!("{error:#}"), hint.map(str::to_owned));
        Self { message, hint, code: exit.code(), is_untouched: is_untouched(error) }
    }

    /// As an error again.
    pub fn fault(self) -> Fault {
        let exit = Exit::ALL.iter().find(|(exit, _)| exit.code() == self.code);
        let mut fault = Fault::error(self.message);
        fault.exit = exit.map_or(Exit::Bug, |(exit, _)| *exit);
        fault.hint = self.hint;
        fault.is_untouched = self.is_untouched;
        fault
    }
}

/// The folder of a run of a service in an environment. It may not be there yet.
pub fn of(scope: &Scope, state: &State, id: &str) -> Run {
    Run { id: id.into(), folder: runs(scope, state).join(id) }
}

fn runs(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join("runs")
}

/// All runs, oldest first: their ids begin with the time.
///
/// # Errors
/// When they cannot be listed.
pub fn all(scope: &Scope, state: &State) -> anyhow::Result<Vec<Run>> {
    let folder = runs(scope, state);
    let names = files::names(&folder).map_err(|error| {
        Fault::error(format!("cannot list the runs in {}: {error}", folder.display()))
    })?;
    Ok(names.into_iter().map(|id| Run { folder: folder.join(&id), id }).collect())
}

/// The runs that began something and did not end it, or did not come to tell how it ended, oldest
/// first. Whoever asks holds the lock, so nobody is at it.
///
/// # Errors
/// When a journal cannot be read or is damaged: then nothing may be changed.
pub fn unfinished(scope: &Scope, state: &State) -> anyhow::Result<Vec<Run>> {
    let mut found = Vec::new();
    for run in all(scope, state)? {
        let begun = run.transaction()?;
        if begun.is_some_and(|begun| !begun.is_over() || run.end().is_none()) {
            found.push(run);
        }
    }
    Ok(found)
}

/// The runs whose engine was killed before it began anything, and which nobody has ended yet: what
/// they were told and what they had running may be there still.
///
/// # Errors
/// When a journal cannot be read or is damaged.
pub fn abandoned(scope: &Scope, state: &State) -> anyhow::Result<Vec<Run>> {
    let mut found = Vec::new();
    for run in all(scope, state)? {
        let is_commissioned = files::exists(run.commission()) && run.end().is_none();
        // An engine lives until its end is written: it is looked for before that.
        let is_dead = is_commissioned && run.engine().is_none() && run.end().is_none();
        if is_dead && run.transaction()?.is_none() {
            found.push(run);
        }
    }
    Ok(found)
}

/// Removes the oldest runs that are over.
pub fn prune(scope: &Scope, state: &State) {
    let Ok(all) = all(scope, state) else { return };
    // Runs that changed nothing must not push out those that tell what was done to the database.
    let (acted, idle): (Vec<Run>, Vec<Run>) =
        all.into_iter().partition(|run| files::exists(run.folder.join("journal.jsonl")));
    let old = [acted, idle].into_iter().flat_map(|mut runs| {
        runs.truncate(runs.len().saturating_sub(KEPT));
        runs
    });
    for run in old {
        let is_over = match run.transaction() {
            Ok(transaction) => transaction.is_none_or(|transaction| transaction.is_over()),
            Err(_) => false,
        };
        if is_over && run.engine().is_none() {
            // It is tried again by the next run.
            files::remove_folder(&run.folder).unwrap_or_default();
        }
    }
}

/// Temporary files that engines left which were killed. Whoever removes them holds the lock.
///
/// # Errors
/// When the state folder cannot be looked through.
pub fn leftovers(scope: &Scope, state: &State) -> std::io::Result<Vec<PathBuf>> {
    let (all, folder) = (runs(scope, state), state.folder(scope));
    // An engine that lives, waiting for the lock or done with it, writes into its own folder.
    let uploads = uploads::folder(scope, state);
    let is_left = |folder: &Path| {
        if folder == uploads {
            // What is in there is the release's own.
            return false;
        }
        let id = folder.strip_prefix(&all).ok().and_then(|id| id.to_str());
        id.filter(|id| !id.is_empty()).is_none_or(|id| of(scope, state, id).engine().is_none())
    };
    files::leftovers(&folder, &is_left)
}

impl Run {
    /// What its journal adds up to; none when it has not begun to change anything.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged.
    pub fn transaction(&self) -> anyhow::Result<Option<Transaction>> {
        let journal = Journal::open(&self.folder)?;
        let entries: Vec<&Entry> = journal.lines().iter().map(|line| &line.entry).collect();
        Ok(Transaction::of(entries))
    }

    /// The file with what it was told to do.
    pub fn commission(&self) -> PathBuf {
        self.folder.join("commission.json")
    }

    /// The file with what it said.
    pub fn output(&self) -> PathBuf {
        self.folder.join("output.log")
    }

    /// The file with what it said when it broke.
    pub fn errors(&self) -> PathBuf {
        self.folder.join("engine.err")
    }

    /// The file that names the command that it runs.
    pub fn command(&self) -> PathBuf {
        self.folder.join("command")
    }

    /// Says that this process is the run's engine, until what this gives is dropped.
    ///
    /// # Errors
    /// When another one is, or that cannot be said.
    pub fn engage(&self) -> anyhow::Result<lock::Held> {
        let this = pid::this();
        let ticks = this.ticks.map_or("-".to_owned(), |ticks| ticks.to_string());
        let file = self.alive();
        let text = format!("{} {ticks}\n", this.pid);
        let taken = lock::take_within(&file, ENGAGING).and_then(|held| match held {
            Some(held) => held.write(&text).map(|()| Some(held)),
            None => Ok(None),
        });
        taken
            .map_err(|error| Fault::error(format!("cannot lock {}: {error}", file.display())))?
            .ok_or_else(|| Fault::error("another process has this run already").into())
    }

    /// The process of its engine, while that lives.
    pub fn engine(&self) -> Option<Started> {
        let file = self.alive();
        lock::text_of_holder(&file).ok().flatten()?;
        process::read_pid_file(&file.display().to_string())
    }

    fn alive(&self) -> PathBuf {
        self.folder.join("alive")
    }

    /// How it ended, when it has.
    pub fn end(&self) -> Option<End> {
        let text = files::read_text(self.end_file()).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn ended(&self, end: &End) -> anyhow::Result<()> {
        let text = serde_json::to_string(end)?;
        let file = self.end_file();
        files::replace(&file, text.as_bytes())
            .map_err(|error| Fault::error(format!("cannot write {}: {error}", file.display())))?;
        Ok(())
    }

    fn end_file(&self) -> PathBuf {
        self.folder.join("end.json")
    }
}

/// The services and environments that have a state below a folder.
///
/// # Errors
/// When they cannot be listed.
pub fn scopes(root: &Path) -> std::io::Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    for service in files::names(root)? {
        for environment in files::names(root.join(&service))? {
            // What is not named like ours is not ours.
            scopes.extend(Scope::new(&service, &environment).ok());
        }
    }
    Ok(scopes)
}
