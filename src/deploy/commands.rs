//! Runs the commands of a deployment: their output is shown, their end is bounded, and which
//! process it is stands on disk before it begins, so that one that outlives us can be ended
//! before anything else is done.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::commands::Session;
use crate::decide::observation::CommandOutput;
use crate::host::files;
use crate::host::process::{self, CommandSpec, Ran, Relay, Started};
use crate::host::signals::Cancel;
use crate::platforms::Trouble;
use crate::report::mask::is_secret_name;
use crate::report::v1::Response;

/// The limit of a command that only tells something.
const ASKING: Duration = Duration::from_secs(30);
/// Lines of output that are kept as evidence.
const LINES: usize = 100;
/// Chunks of output that wait to be shown. A command that prints faster than that waits.
const WAITING: usize = 64;
/// A line that is longer is shown in pieces.
const LONGEST_LINE: usize = 8 << 10;
/// The time between SIGTERM and SIGKILL for a command that outlived its deployment.
const GRACE: Duration = Duration::from_secs(5);

/// Runs commands for one deployment.
pub struct Commands<'a> {
    /// The run: where lines are shown, and what cancels.
    pub session: &'a Session,
    record: Option<PathBuf>,
    /// The limit of a question.
    patience: Duration,
    /// The last lines of the last run.
    tail: Mutex<Vec<String>>,
}

impl<'a> Commands<'a> {
    /// Keeps in `record` which command runs.
    pub fn new(session: &'a Session, record: PathBuf) -> Self {
        Self { session, record: Some(record), patience: ASKING, tail: Mutex::default() }
    }

    /// For looking only: nothing is written.
    pub fn looking(session: &'a Session) -> Self {
        Self::hurried(session, ASKING)
    }

    /// The same, with a limit for each question.
    pub fn hurried(session: &'a Session, patience: Duration) -> Self {
        Self { session, record: None, patience, tail: Mutex::default() }
    }

    /// Runs a command that changes something, and shows its lines as they come. It is ended when
    /// its time is over or the run is cancelled.
    ///
    /// # Errors
    /// When it cannot be run, or ends in any other way than with exit code 0: with its exit code
    /// and the end of its output.
    pub fn run(&self, command: &CommandSpec, timeout: Duration) -> Result<(), Trouble> {
        let shown = command.argv.show();
        if let Some(missing) = process::missing(command) {
            return Err(Trouble::new(format!("{shown} cannot run: {missing}")));
        }
        let ran = self
            .shown(command, timeout)
            .map_err(|error| Trouble::new(format!("{shown} could not be run: {error}")))?;
        let Some(complaint) = complaint(&ran) else { return Ok(()) };
        let evidence = Response {
            status: output(&ran).code.map(i64::from),
            headers: Vec::new(),
            body: self.tail().join("\n"),
        };
        Err(Trouble { evidence: Some(evidence), ..Trouble::new(format!("{shown}: {complaint}")) })
    }

    /// Asks a command that changes nothing, and gives what it printed, trimmed.
    ///
    /// # Errors
    /// When it cannot be run, or ends in any other way than with exit code 0.
    pub fn ask(&self, command: &CommandSpec) -> Result<String, Trouble> {
        let ran = self.asked(command)?;
        complaint(&ran).map_or_else(
            || Ok(text(&output(&ran).stdout)),
            |why| Err(unanswered(command, &ran, &why)),
        )
    }

    /// Asks a command that tells a state by a word and by its exit code, as `systemctl is-active`
    /// does: the first line that it printed, whatever the code.
    ///
    /// # Errors
    /// When it cannot be run, does not end by itself, or printed nothing.
    pub fn word(&self, command: &CommandSpec) -> Result<String, Trouble> {
        let ran = self.asked(command)?;
        let printed = text(&output(&ran).stdout);
        let why = complaint(&ran).unwrap_or("it printed nothing".into());
        match (&ran, printed.lines().next()) {
            (Ran::Ended(CommandOutput { code: Some(_), .. }), Some(word)) => Ok(word.to_owned()),
            _ => Err(unanswered(command, &ran, &why)),
        }
    }

    fn asked(&self, command: &CommandSpec) -> Result<Ran, Trouble> {
        process::run(command, self.patience, &Cancel::default(), None).map_err(|error| {
            Trouble::new(format!("{} could not be run: {error}", command.argv.show()))
        })
    }

    /// The last lines of the last command that was run, 100 at most.
    pub fn tail(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn shown(&self, command: &CommandSpec, timeout: Duration) -> std::io::Result<Ran> {
        for (name, value) in &command.env {
            if is_secret_name(name) && !value.expose().is_empty() {
                self.session.hide(value.expose());
            }
        }
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::scope(|scope| {
            let printer = scope.spawn(move || print(&receiver, self.session));
            let ran = self.kept(command, timeout, relay(sender.clone()));
            // A process that the command left behind may hold the other end for ever.
            sender.send(None).unwrap_or_default();
            let lines = printer.join().unwrap_or_default();
            *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = lines;
            ran
        })
    }

    fn kept(&self, command: &CommandSpec, timeout: Duration, relay: Relay) -> std::io::Result<Ran> {
        let cancel = &self.session.cancel;
        match &self.record {
            None => process::run(command, timeout, cancel, Some(relay)),
            Some(record) => run_recorded(command, timeout, cancel, relay, record),
        }
    }
}

fn run_recorded(
    command: &CommandSpec,
    timeout: Duration,
    cancel: &Cancel,
    relay: Relay,
    record: &Path,
) -> std::io::Result<Ran> {
    let command = command.clone().kept_in(&record.display().to_string());
    let ran = process::run_kept(&command, timeout, cancel, Some(relay), |started| {
        let ticks = started.ticks.map_or("-".to_owned(), |ticks| ticks.to_string());
        files::replace_alone(record, format!("{} {ticks}\n", started.pid).as_bytes())
    });
    match ran {
        // What was left running on purpose goes on.
        Ok(_) => files::remove(record)?,
        // Where it could not be gone with to its end, it must not go on alone.
        Err(_) => end_orphan(record).map(drop)?,
    }
    ran
}

/// Ends the command that a deployment left behind when it was killed, if one runs, with all that
/// is in its process group; gives its process id. A daemon that has left the group goes on.
///
/// # Errors
/// When it lives on even so, or the record is there and cannot be read.
pub fn end_orphan(record: &Path) -> std::io::Result<Option<u32>> {
    let text = match files::read(record) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let name = record.display().to_string();
    // A command begins after its record is whole. What a torn one is about never ran.
    let orphan = text.ends_with('\n').then(|| process::read_pid_file(&name)).flatten();
    let ended = match orphan {
        Some(orphan) if is_known(orphan) && process::is_alive(orphan) => {
            process::stop(orphan, GRACE)?;
            true
        }
        Some(orphan) => process::stop_remains(orphan, &name, GRACE)?,
        None => false,
    };
    files::remove(record)?;
    Ok(orphan.filter(|_| ended).map(|orphan| orphan.pid))
}

/// Without its start time it could be anybody's by now.
fn is_known(process: Started) -> bool {
    process.ticks.is_some() || !cfg!(target_os = "linux")
}

fn relay(sender: SyncSender<Option<Vec<u8>>>) -> Relay {
    Arc::new(move |bytes| sender.send(Some(bytes.to_vec())).unwrap_or_default())
}

/// Says the lines and gives the last ones.
fn print(receiver: &Receiver<Option<Vec<u8>>>, session: &Session) -> Vec<String> {
    let (mut pending, mut lines) = (Vec::new(), Vec::new());
    let mut say = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let clean: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        session.say(&format!("          | {clean}"));
        if lines.len() == LINES {
            lines.remove(0);
        }
        lines.push(clean);
    };
    while let Ok(Some(bytes)) = receiver.recv() {
        pending.extend_from_slice(&bytes);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            say(&pending[..end]);
            pending.drain(..=end);
        }
        if pending.len() > LONGEST_LINE {
            say(&pending);
            pending.clear();
        }
    }
    if !pending.is_empty() {
        say(&pending);
    }
    lines
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Why a command gave no answer, with the last thing that it said.
fn unanswered(command: &CommandSpec, ran: &Ran, why: &str) -> Trouble {
    let said = text(&output(ran).stderr);
    let said = said.lines().last().map(|line| format!(": {line}")).unwrap_or_default();
    Trouble::new(format!("{}: {why}{said}", command.argv.show()))
}

/// What is wrong with how a command ended, if anything is.
fn complaint(ran: &Ran) -> Option<String> {
    match ran {
        Ran::Ended(CommandOutput { code: Some(0), .. }) => None,
        Ran::Ended(CommandOutput { code: Some(code), .. }) => Some(format!("exit code {code}")),
        Ran::Ended(output) => Some(match output.signal {
            Some(signal) => format!("ended by signal {signal}"),
            None => "ended without an exit code".into(),
        }),
        Ran::TimedOut(_) => Some("it took too long and was ended".into()),
        Ran::Cancelled(_) => Some("it was ended by the cancellation".into()),
    }
}

fn output(ran: &Ran) -> &CommandOutput {
    match ran {
        Ran::Ended(output) | Ran::TimedOut(output) | Ran::Cancelled(output) => output,
    }
}

#[cfg(test)]
#[path = "commands_tests.rs"]
mod tests;
