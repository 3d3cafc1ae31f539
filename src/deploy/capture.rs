//! Looks at production and writes down what it is like, before anything changes and after a
//! rollback. What cannot be found out is told in the capture itself, and is never an error here:
//! not to know the load is no reason to leave a broken release live.

use std::path::{Path, PathBuf};

use super::commands::Commands;
use super::{Scope, migration};
use crate::checks::{self, Target};
use crate::commands::Session;
use crate::config::Loaded;
use crate::config::transaction::{CaptureSpec, MigrateSpec};
use crate::config::values::{Argv, Secret};
use crate::decide::capture::{Answer, Capture, FORMAT, LoadAverage, State, System};
use crate::decide::history::{History, Live};
use crate::decide::naming::Name;
use crate::host::process::CommandSpec;
use crate::host::{clock, files, system};
use crate::platforms::{Running, without_ours};

/// The file system whose use is told.
const ROOT: &str = "/";

/// What is looked at.
pub struct Subject<'a> {
    /// The service and its environment.
    pub scope: &'a Scope,
    /// What is looked at besides versions and services.
    pub spec: Option<&'a CaptureSpec>,
    /// What tells the version of the database schema.
    pub migrate: Option<&'a MigrateSpec>,
    /// What the ledger adds up to, or why it could not be read.
    pub history: Result<&'a History, String>,
    /// What each component runs of what gets the requests.
    pub serving: Vec<(&'a str, Running)>,
    /// What the checks are asked of, once, and nothing is waited for; they are not asked if absent.
    pub target: Option<Target>,
}

/// Looks at everything once.
pub fn take(session: &Session, loaded: &Loaded, subject: &Subject<'_>) -> Capture {
    let commands = Commands::looking(session);
    let mut capture = Capture {
        format: FORMAT,
        timestamp: clock::rfc3339(clock::wall()),
        service: subject.scope.service.to_string(),
        environment: subject.scope.environment.to_string(),
        ..Capture::default()
    };
    capture.host = Some(system::host_name()).filter(|name| !name.is_empty());
    if capture.host.is_none() {
        capture.missing("host", "this machine has no name");
    }
    look_at_versions(&mut capture, subject, &commands);
    capture.system = look_at_machine(&mut capture);
    look_at_data(&mut capture, subject, &commands);
    if let Some(target) = &subject.target {
        look_at_checks(&mut capture, session, loaded, target);
    }
    capture.map_texts(|text| session.masked(text))
}

/// Keeps a capture in the state folder, as `captures/<id>.json`; gives the file.
///
/// # Errors
/// When the id is no name, or the file cannot be written.
pub fn save(folder: &Path, id: &str, capture: &Capture) -> std::io::Result<PathBuf> {
    let name: Name = id.parse().map_err(std::io::Error::other)?;
    let file = folder.join("captures").join(format!("{name}.json"));
    write(&file, capture)?;
    Ok(file)
}

/// Writes a capture to a file.
///
/// # Errors
/// When it cannot be written.
pub fn write(file: &Path, capture: &Capture) -> std::io::Result<()> {
    files::replace(file, (serde_json::to_string_pretty(capture)? + "\n").as_bytes())
}

/// The capture that was kept under an id; none when there is none.
///
/// # Errors
/// When it is there and cannot be read, or is not one.
pub fn load(folder: &Path, id: &str) -> std::io::Result<Option<Capture>> {
    let name: Name = id.parse().map_err(std::io::Error::other)?;
    let text = match files::read_text(folder.join("captures").join(format!("{name}.json"))) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let capture: Capture = serde_json::from_str(&text)?;
    if capture.format != FORMAT {
        let why = format!("format {} of a capture is not known to this program", capture.format);
        return Err(std::io::Error::other(why));
    }
    Ok(Some(capture))
}

fn look_at_versions(capture: &mut Capture, subject: &Subject<'_>, commands: &Commands<'_>) {
    let history = capture.known("history", subject.history.clone());
    let live = history.map(History::live);
    let live = match &live {
        Some(Live::Verified(release, _)) => Some(release.version.as_str()),
        _ => None,
    };
    if let Some(history) = history {
        capture.past(history);
    }
    for (name, running) in &subject.serving {
        let state = match running {
            Running::Version(version) => State::Active(version.clone()),
            Running::Nothing => State::Inactive,
            Running::Unknown => State::Unknown,
        };
        capture.component(name, &state, live);
    }
    if let Some(migrate) = subject.migrate {
        capture.schema(migration::schema(migrate, commands, subject.scope));
    }
}

fn look_at_machine(capture: &mut Capture) -> System {
    let since = capture.known("system.uptime_since", system::up_since());
    let load = capture.known("system.load_average", system::load_averages());
    System {
        uptime_since: since.map(clock::rfc3339),
        load_average: load.map(|[one, five, fifteen]| LoadAverage { one, five, fifteen }),
        disk_usage: capture.known("system.disk_usage", system::disk_usage(ROOT)),
    }
}

fn look_at_data(capture: &mut Capture, subject: &Subject<'_>, commands: &Commands<'_>) {
    let Some(spec) = subject.spec else { return };
    let about = [("SERVICE", &subject.scope.service), ("ENVIRONMENT", &subject.scope.environment)];
    let about = about.map(|(name, value)| (format!("WAVEOFF_{name}"), Secret::new(value.as_str())));
    let command = |argv: &Argv| {
        let env = without_ours().chain(about.iter().cloned()).collect();
        CommandSpec { argv: argv.clone(), env, dir: None }
    };
    for (name, argv) in &spec.services {
        let word = commands.word(&command(argv)).map_err(|trouble| trouble.reason);
        let word = capture.known(format!("services.{name}"), word);
        capture.services.insert(name.clone(), word);
    }
    for (name, argv) in &spec.data {
        let value = commands.ask(&command(argv)).map_err(|trouble| trouble.reason);
        let value = value.and_then(|text| match text.is_empty() {
            true => Err(format!("{} printed nothing", argv.show())),
            false => Ok(text),
        });
        let value = capture.known(format!("data.{name}"), value);
        capture.data.insert(name.clone(), value);
    }
}

fn look_at_checks(capture: &mut Capture, session: &Session, loaded: &Loaded, target: &Target) {
    let target = Target { once: true, ..target.clone() };
    // A service without checks has none to ask, and that is known.
    if checks::specs(loaded).is_empty() {
        capture.checks = Some(Vec::new());
        return;
    }
    match checks::verify(session, loaded, &target) {
        Ok(seen) => {
            let answers = seen.checks.into_iter().map(|check| Answer {
                name: check.name,
                verdict: check.verdict,
                latency_ms: check.latency_ms,
            });
            capture.checks = Some(answers.collect());
        }
        Err(error) => capture.missing("checks", format!("{error:#}")),
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
