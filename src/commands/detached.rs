//! A run without a terminal: an engine, which writes what it says into its log, or a verb on behalf
//! of a caller elsewhere, who gets every line.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::Session;
use crate::checks::Asker;
use crate::config::Loaded;
use crate::deploy::lock;
use crate::deploy::runs::Run;
use crate::host::env;
use crate::remote::words::Caller;
use crate::report::console;

/// The way to a caller elsewhere.
pub(crate) trait Wire: Send + Sync {
    /// Passes a line on; `at` is where the run's output goes on behind it, when it is of that.
    fn line(&self, text: &str, at: Option<u64>);
    /// Says which run is begun, and that its caller is here.
    ///
    /// # Errors
    /// When that cannot be said where its engine looks.
    fn begins(&self, run: &Run) -> anyhow::Result<()>;
    /// Says which run of somebody else is gone with.
    fn joins(&self, run: &Run);
    /// Says that the hosts are the caller's to change, for as long as the connection lasts, and the
    /// number of this turn at them.
    fn holds(&self, turn: u64);
    /// How many bytes of a run's output the caller has seen already.
    fn seen(&self, run: &Run) -> u64;
}

/// Where lines for people go.
pub(super) enum Says {
    /// Into a log.
    Log(Mutex<File>),
    /// To a caller elsewhere.
    Wire(Arc<dyn Wire>),
}

/// What a run has instead of a terminal and a configuration of its own.
pub(super) struct Detached {
    pub(super) says: Says,
    pub(super) loaded: Loaded,
    pub(super) caller: Option<Caller>,
    pub(super) asker: Option<Box<dyn Asker>>,
}

impl fmt::Debug for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").field("file", &self.loaded.file).finish_non_exhaustive()
    }
}

impl Detached {
    fn wire(&self) -> Option<&dyn Wire> {
        match &self.says {
            Says::Wire(wire) => Some(wire.as_ref()),
            Says::Log(_) => None,
        }
    }

    pub(super) fn say(&self, line: &str, at: Option<u64>) {
        match &self.says {
            Says::Wire(wire) => wire.line(line, at),
            Says::Log(log) => {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                // A full disk must not end a deployment.
                log.write_all(format!("{line}\n").as_bytes()).unwrap_or_default();
            }
        }
    }
}

impl Session {
    fn detached(&self) -> Option<&Detached> {
        self.detached.as_ref()
    }

    fn wire(&self) -> Option<&dyn Wire> {
        self.detached()?.wire()
    }

    /// Who called from elsewhere, if somebody did.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.detached()?.caller.as_ref()
    }

    /// What asks a caller elsewhere.
    pub(crate) fn asker(&self) -> Option<&dyn Asker> {
        self.detached()?.asker.as_deref()
    }

    /// On whose behalf this is done.
    pub(crate) fn by(&self) -> String {
        self.caller().map_or_else(lock::who, |caller| caller.by.clone())
    }

    /// The repository by which incidents are known.
    pub(crate) fn repository(&self) -> Option<String> {
        match self.caller() {
            Some(caller) => caller.repository.clone(),
            None => env::var("GITHUB_REPOSITORY"),
        }
    }

    /// Says a line of a run's output, which goes on at `at` behind it.
    pub(super) fn relay(&self, line: &str, at: u64) {
        match (self.detached(), self.wire()) {
            (Some(detached), Some(_)) => {
                detached.say(&console::clean(&self.masked(line)), Some(at));
            }
            _ => self.say(line),
        }
    }

    /// Says which run is begun.
    pub(super) fn begins(&self, run: &Run) -> anyhow::Result<()> {
        self.wire().map_or(Ok(()), |wire| wire.begins(run))
    }

    /// Says which run is gone with.
    pub(super) fn joins(&self, run: &Run) {
        self.wire().into_iter().for_each(|wire| wire.joins(run));
    }

    /// Says that the hosts are the caller's to change, and the number of this turn.
    pub(super) fn holds(&self, turn: u64) {
        self.wire().into_iter().for_each(|wire| wire.holds(turn));
    }

    /// How many bytes of a run's output were shown already.
    pub(super) fn seen(&self, run: &Run) -> u64 {
        self.wire().map_or(0, |wire| wire.seen(run))
    }
}
