//! What a service has written since its start.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::keeper::{Questions, complaint};
use super::{Attempt, Kind, Probe, Surroundings, container, unit};
use crate::config::CheckSpec;
use crate::config::watched::{ContainerSpec, LogSpec, UnitSpec};
use crate::decide::expect::Expect;
use crate::decide::logs::{self, Log, Patterns};
use crate::decide::observation::{CommandOutput, Observation};
use crate::decide::recent::{recent, time_of};
use crate::decide::state::State;
use crate::decide::verdict::{Severity, Verdict};
use crate::host::{clock, files};

/// A log.
pub(super) static LOG: Kind = Kind { key: "log", keys: &[], severity: Severity::Critical, build };

/// Bytes that are read of a stream or file: its end.
const MOST: usize = 1 << 20;
/// A container may write before its engine notes down when it was started; and systemd's clock is
/// not the journal's.
const SLACK: Duration = Duration::from_secs(1);

struct Written {
    spec: LogSpec,
    patterns: Patterns,
    lines: Mutex<Vec<String>>,
}

/// What there is to read; or that it has not begun to write, in words.
type Read = Result<Vec<Log>, String>;

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let spec = spec.log.clone().unwrap_or_default();
    if let Some(mistake) = spec.mistake() {
        return Err(format!("log: {mistake}"));
    }
    let errors = spec.errors.as_ref().map(|list| list.0.as_slice());
    let except = spec.except.as_ref().map_or(&[][..], |list| list.0.as_slice());
    let patterns = Patterns::new(errors, except).map_err(|why| format!("log: {why}"))?;
    Ok(Box::new(Written { spec, patterns, lines: Mutex::default() }))
}

impl Probe for Written {
    fn kind(&self) -> &'static str {
        "log"
    }

    fn target(&self) -> String {
        self.spec.show()
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let questions = Questions::new(attempt);
        let read = match (&self.spec.container, &self.spec.unit, &self.spec.file) {
            (Some(container), ..) => of_containers(container, &questions),
            (_, Some(unit), _) => of_units(unit, &questions),
            (.., file) => self.of_file(file.as_deref().unwrap_or_default()).map(Ok),
        };
        let mut state = match read {
            Err(why) => return questions.not_asked(why),
            Ok(Err(silent)) => not_yet(silent),
            Ok(Ok(logs)) => {
                let looked = logs::judge(&logs, &self.patterns);
                *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = looked.lines;
                looked.state
            }
        };
        state.elapsed = questions.elapsed();
        Observation::State(state)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Well]
    }

    fn evidence(&self, _: &Attempt<'_>) -> Option<String> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        (!lines.is_empty())
            .then(|| format!("the first lines that look like errors:\n{}", lines.join("\n")))
    }
}

impl Written {
    fn of_file(&self, file: &str) -> Result<Vec<Log>, String> {
        let (bytes, cut) = files::tail(file, MOST as u64)
            .map_err(|error| format!("cannot read {file}: {error}"))?;
        let mut log = log(format!("file {file}"), &bytes, &[]);
        log.cut = cut.then_some(MOST);
        if let Some(last) = self.spec.last {
            log.text = recent(&log.text, clock::wall(), last.0);
        }
        Ok(vec![log])
    }
}

/// Nothing of it runs yet that could have written.
fn not_yet(found: String) -> State {
    State {
        verdict: Verdict::Fail,
        wanted: "a log that has begun",
        found,
        warnings: Vec::new(),
        terminal: None,
        code: None,
        elapsed: Duration::ZERO,
    }
}

fn log(of: String, stdout: &[u8], stderr: &[u8]) -> Log {
    let text = [String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr)].join("\n");
    let cut = [stdout, stderr].iter().any(|stream| stream.len() >= MOST).then_some(MOST);
    Log { of, text: text.trim_end().into(), cut }
}

fn of_containers(spec: &ContainerSpec, questions: &Questions<'_>) -> Result<Read, String> {
    let engine = container::program(spec)?;
    let found = container::known(spec, engine, questions)?;
    if found.is_empty() {
        return Ok(Err(format!("found no {}", spec.show())));
    }
    let mut logs = Vec::new();
    for one in found {
        let of = format!("container {}", one.name());
        let Some(started) = one.started() else { return Ok(Err(format!("{of} is not started"))) };
        let since = time_of(started).and_then(|time| time.checked_sub(SLACK));
        let since = since.ok_or_else(|| format!("{of} was started at `{started}`: no time"))?;
        let since = clock::rfc3339(since);
        let output = questions.read(&[engine, "logs", "--since", &since, &one.id], MOST)?;
        if output.code != Some(0) {
            return Err(complaint(engine, &output));
        }
        logs.push(log(of, &output.stdout, &output.stderr));
    }
    Ok(Ok(logs))
}

fn of_units(spec: &UnitSpec, questions: &Questions<'_>) -> Result<Read, String> {
    let mut logs = Vec::new();
    for (name, unit) in spec.names.iter().zip(unit::show(spec, questions)?) {
        let of = format!("unit {name}");
        let Some(started) = unit.started() else {
            return Ok(Err(format!("{of} is not started")));
        };
        let age = clock::since_boot().saturating_sub(started) + SLACK;
        let since =
            clock::wall().checked_sub(age).and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let since = format!("@{}", since.unwrap_or_default().as_secs());
        let which = if spec.user { "--user-unit" } else { "--unit" };
        let argv =
            ["journalctl", "--no-pager", "--output=cat", "--since", &since, which, name.as_str()];
        let output = questions.read(&argv, MOST)?;
        if output.code != Some(0) || is_kept_from_us(&output) {
            return Err(complaint("journalctl", &output));
        }
        logs.push(log(of, &output.stdout, &[]));
    }
    Ok(Ok(logs))
}

/// Whether the journal has nothing for us and says why: then its silence says nothing.
fn is_kept_from_us(output: &CommandOutput) -> bool {
    let said = String::from_utf8_lossy(&output.stdout);
    let silent = matches!(said.trim(), "" | "-- No entries --");
    silent && !output.stderr.trim_ascii().is_empty()
}
