//! Asking whoever keeps something running: an engine of containers, systemd. By their programs,
//! since every machine that has them has these.

use std::time::Duration;

use super::Attempt;
use crate::config::values::Argv;
use crate::decide::observation::{CommandOutput, FailureKind, Observation, ProbeFailure};
use crate::decide::words::shorten;
use crate::host::clock::Moment;
use crate::host::process::{self, CommandSpec, Ran};

/// Bytes of an answer that are read at most.
const ANSWER: usize = 4 << 20;
/// Lines of a log that are shown of what is not well.
pub(super) const LINES: usize = 100;
/// Bytes of such lines.
const EVIDENCE: usize = 16 << 10;

/// One look, in which several questions share the time.
pub(super) struct Questions<'a> {
    attempt: &'a Attempt<'a>,
    began: Moment,
}

impl<'a> Questions<'a> {
    pub(super) fn new(attempt: &'a Attempt<'a>) -> Self {
        Self { attempt, began: Moment::now() }
    }

    /// How long the look has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Asks a program; what it answers, whatever its exit code.
    ///
    /// # Errors
    /// Why it gave no answer, in words.
    pub(super) fn ask(&self, argv: &[&str]) -> Result<CommandOutput, String> {
        self.read(argv, ANSWER)
    }

    /// As [`Questions::ask`], with at most so many bytes of each stream: their end.
    pub(super) fn read(&self, argv: &[&str], most: usize) -> Result<CommandOutput, String> {
        let program = argv.first().copied().unwrap_or_default();
        let spec = CommandSpec::new(Argv(argv.iter().map(|word| (*word).to_owned()).collect()));
        if let Some(missing) = process::missing(&spec) {
            return Err(missing);
        }
        let left = self.attempt.timeout.saturating_sub(self.elapsed());
        match process::run_keeping(&spec, left, self.attempt.cancel, most) {
            Ok(Ran::Ended(output)) => Ok(output),
            Ok(Ran::TimedOut(_)) => Err(format!("{program} did not answer in time")),
            Ok(Ran::Cancelled(_)) => Err("cancelled".into()),
            Err(error) => Err(format!("cannot start {program}: {error}")),
        }
    }

    /// Not having been able to find out: never a "no".
    pub(super) fn not_asked(&self, message: String) -> Observation {
        let (kind, elapsed) = (FailureKind::NotAsked, self.elapsed());
        Observation::Failed(ProbeFailure { kind, message, elapsed })
    }
}

/// Why a program ended as it did: what it says on standard error, in one line.
pub(super) fn complaint(program: &str, output: &CommandOutput) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    // The last line is the error; before it there may be warnings.
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason");
    let code = output.code.map_or_else(|| "a signal".into(), |code| code.to_string());
    format!("{program} ended with {code}: {}", shorten(line, 300))
}

/// The end of a log under its heading.
pub(super) fn tail_of(what: &str, log: &str) -> String {
    if log.is_empty() {
        return format!("{what} has written nothing");
    }
    format!("the last lines of {what}:\n{log}")
}

/// The last lines of a log, for people; its two streams in the order of the times that the lines
/// begin with.
pub(super) fn last_lines(output: &CommandOutput) -> String {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<&str> = stdout.lines().chain(stderr.lines()).collect();
    if !stdout.is_empty() && !stderr.is_empty() {
        lines.sort_by_key(|line| line.split(' ').next());
    }
    let text = lines[lines.len().saturating_sub(LINES)..].join("\n");
    let from = text.len().saturating_sub(EVIDENCE);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    if from > 0 { format!("…{}", &text[from..]) } else { text }
}
