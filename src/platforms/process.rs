//! A process on this machine that we start, watch and stop.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Log, Order, Place, Platform, Running, Trouble, environment};
use crate::config::pipeline::ProcessSpec;
use crate::config::values::{Argv, Secret};
use crate::decide::observation::Observation;
use crate::decide::plan::Direction;
use crate::decide::template::{names, render_lossy};
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State};
use crate::exit::Fault;
use crate::host::process::{self, CommandSpec, Started};
use crate::host::{clock, files, tcp};

/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(30);
/// The lines of its log that are shown.
const LINES: usize = 100;
/// What begins a release in the log.
const MARK: &str = "--- waveoff starts ";

/// The platform.
pub(super) struct Process {
    spec: ProcessSpec,
    scope: Scope,
    place: Place,
    pid_file: String,
    log: String,
}

impl Process {
    /// The port of a slot wins over the configured one.
    pub(super) fn new(
        spec: ProcessSpec,
        place: &Place,
        scope: &Scope,
        state: &State,
    ) -> anyhow::Result<Self> {
        let port = place.slot.as_ref().map(|(_, port)| *port).or(spec.port);
        let spec = ProcessSpec { port, ..spec };
        let known = place.variables();
        let is_known = |name: &str| known.iter().any(|(known, _)| *known == name);
        for name in spec.start.0.iter().chain(&spec.dir).flat_map(|text| names(text)) {
            match name.as_str() {
                "version" => {}
                "port" if port.is_some() => {}
                name if is_known(name) => {}
                "port" => return Err(wrong("`{{port}}` is used, and there is no `port`").into()),
                "slot" => return Err(wrong("`{{slot}}` is used, and there are no slots").into()),
                "component" => {
                    return Err(
                        wrong("`{{component}}` is used, and there are no components").into()
                    );
                }
                _ => return Err(wrong(&format!("`{{{{{name}}}}}` is not known")).into()),
            }
        }
        let folder = state.folder(scope);
        let of = |key: &str, given: &Option<String>, ending: &str| match given {
            Some(text) => own_file(key, text, place),
            None => Ok(folder.join(place.file("process", ending)).display().to_string()),
        };
        let pid_file = of("pid-file", &spec.pid_file, "pid")?;
        let log = of("log-file", &spec.log_file, "log")?;
        Ok(Self { spec, scope: scope.clone(), place: place.clone(), pid_file, log })
    }

    fn command(&self, order: &Order<'_>) -> CommandSpec {
        let variables = self.place.variables().into_iter();
        let mut known: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value)).collect();
        known.insert("version".into(), order.release.version.clone());
        let mut env = environment(order, &self.scope, &self.place);
        // They are the job's, and the service lives on after it.
        env.extend(["GITHUB_TOKEN", "GH_TOKEN"].map(|name| (name.into(), Secret::default())));
        if let Some(port) = self.spec.port {
            known.insert("port".into(), port.to_string());
            env.push(("PORT".into(), Secret::new(port.to_string())));
        }
        env.extend(self.spec.env.clone());
        let fill = |text: &String| render_lossy(text, &known);
        let argv = Argv(self.spec.start.0.iter().map(fill).collect());
        let dir = self.spec.dir.as_ref().map(fill);
        CommandSpec { argv, env, dir }.kept_in(&self.pid_file)
    }

    fn grace(&self) -> Duration {
        self.spec.grace.map_or(GRACE, |grace| grace.0)
    }

    /// The process of ours that lives, and its version. One whose start time is not known could
    /// be anybody's by now, and is left alone.
    fn alive(&self) -> Option<(Started, String)> {
        let started = process::read_pid_file(&self.pid_file)?;
        if cfg!(target_os = "linux") && started.ticks.is_none() || !process::is_alive(started) {
            return None;
        }
        let text = files::read_text(&self.pid_file).ok()?;
        Some((started, text.split_whitespace().nth(2).unwrap_or_default().to_owned()))
    }

    /// That something which is not ours has the port, if so.
    fn taken(&self) -> Option<String> {
        let port = self.spec.port?;
        let seen = tcp::connect("localhost", port, Duration::from_secs(1));
        matches!(seen, Observation::Connected { .. })
            .then(|| format!("port {port} is taken by a process that waveoff did not start"))
    }

    /// Gives the version of what had to be killed, if that was so.
    fn end(&self) -> Result<Option<String>, Trouble> {
        let Some((old, version)) = self.alive() else { return self.end_remains() };
        match process::stop(old, self.grace()) {
            Ok(by_itself) => Ok((!by_itself).then_some(version)),
            Err(error) => Err(Trouble::new(format!("{version} could not be stopped: {error}"))),
        }
    }

    /// What its process left behind still has the port, and is nobody else's.
    fn end_remains(&self) -> Result<Option<String>, Trouble> {
        let Some(gone) = process::read_pid_file(&self.pid_file) else { return Ok(None) };
        match process::stop_remains(gone, &self.pid_file, self.grace()) {
            Ok(_) => Ok(None),
            Err(error) => Err(Trouble::new(format!("what is left could not be stopped: {error}"))),
        }
    }

    fn begin(&self, order: &Order<'_>) -> std::io::Result<()> {
        let version = &order.release.version;
        let now = clock::rfc3339(clock::wall());
        files::append(&self.log, format!("{MARK}{version} at {now} ---\n").as_bytes())?;
        process::start(&self.command(order), &self.log, |started| {
            let ticks = started.ticks.map_or("-".to_owned(), |ticks| ticks.to_string());
            files::replace_alone(
                &self.pid_file,
                format!("{} {ticks} {version}\n", started.pid).as_bytes(),
            )
        })?;
        Ok(())
    }
}

/// A file that the configuration names. Two places must not have one: what runs in the one would
/// be stopped for the other.
fn own_file(key: &str, text: &str, place: &Place) -> anyhow::Result<String> {
    let (used, variables) = (names(text), place.variables());
    for (name, _) in variables.iter().filter(|(name, _)| *name != "port") {
        if !used.iter().any(|used| used == name) {
            return Err(Fault::usage(format!(
                "platform.process: {key} is {text}, which is one file for every {name}"
            ))
            .hint(format!("write `{{{{{name}}}}}` into it, or leave the key out"))
            .into());
        }
    }
    let known: BTreeMap<_, _> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    match used.iter().find(|name| !known.contains_key(*name)) {
        Some(name) => Err(Fault::usage(format!(
            "platform.process: `{{{{{name}}}}}` in {key} is not known"
        ))
        .hint("`{{slot}}` is replaced there where there are slots, `{{component}}` where there are components")
        .into()),
        None => Ok(render_lossy(text, &known)),
    }
}

fn wrong(message: &str) -> Fault {
    Fault::usage(format!("platform.process: {message}")).hint(
        "`{{version}}`, with a `port` also `{{port}}`, with slots `{{slot}}`, and with components \
         `{{component}}` are replaced in start and dir",
    )
}

impl Platform for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn plan(&self, order: &Order<'_>) -> Vec<String> {
        let command = self.command(order);
        let mut plan = Vec::new();
        if let Some((old, version)) = self.alive() {
            let grace = humantime::format_duration(self.grace());
            plan.push(format!("stop {version}, process {}: SIGTERM, {grace}, SIGKILL", old.pid));
        }
        let place = command.dir.map(|dir| format!(" in {dir}")).unwrap_or_default();
        plan.push(format!("start {}{place}", command.argv.show()));
        plan
    }

    fn check(&self, order: &Order<'_>) -> anyhow::Result<()> {
        if let Some(missing) = process::missing(&self.command(order)) {
            let version = &order.release.version;
            return Err(Fault::usage(format!("{version} cannot be started: {missing}")).into());
        }
        // While ours runs the port is ours, and it will be free.
        let taken = match (self.alive(), order.direction) {
            (None, Direction::Forward) => self.taken(),
            _ => None,
        };
        taken.map_or(Ok(()), |taken| {
            Err(Fault::usage(taken).hint("stop it, or give the service another `port`").into())
        })
    }

    fn start(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<(), Trouble> {
        self.stop(commands)?;
        let version = &order.release.version;
        // Whatever answers there would be taken for the release.
        if let Some(taken) = self.taken() {
            return Err(Trouble::new(format!("{version} was not started: {taken}")));
        }
        self.begin(order)
            .map_err(|error| Trouble::new(format!("{version} could not be started: {error}")))
    }

    fn stop(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        if let Some(killed) = self.end()? {
            let grace = humantime::format_duration(self.grace());
            let line = format!("          | {killed} ignored SIGTERM for {grace} and was killed");
            commands.session.say(&line);
        }
        Ok(())
    }

    fn running(&self) -> Running {
        match self.alive() {
            Some((_, version)) if version.is_empty() => Running::Unknown,
            Some((_, version)) => Running::Version(version),
            None => Running::Nothing,
        }
    }

    fn base_url(&self) -> Option<String> {
        self.spec.port.map(|port| format!("http://localhost:{port}"))
    }

    fn process(&self) -> Option<Started> {
        process::read_pid_file(&self.pid_file)
    }

    fn diagnostics(&self) -> Vec<String> {
        let lines = files::last_lines(&self.log, LINES).unwrap_or_default();
        let start = lines.iter().rposition(|line| line.starts_with(MARK)).map_or(0, |at| at + 1);
        lines[start..].to_vec()
    }

    fn log(&self, version: &str, most: u64) -> std::io::Result<Log> {
        let (bytes, is_cut) = match files::tail(&self.log, most) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Log::default()),
            read => read?,
        };
        Ok(written_by(version, &String::from_utf8_lossy(&bytes), is_cut))
    }
}

/// The part of a log's end that a version wrote when it was started last.
fn written_by(version: &str, end: &str, is_cut: bool) -> Log {
    let begins = format!("{MARK}{version} at ");
    let (mut text, mut is_cut, mut is_in) = (String::new(), is_cut, is_cut);
    for line in end.split_inclusive('\n') {
        if line.starts_with(MARK) {
            is_in = line.starts_with(&begins);
            if is_in {
                (text, is_cut) = (String::new(), false);
            }
        } else if is_in {
            text.push_str(line);
        }
    }
    Log { text, is_cut }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
