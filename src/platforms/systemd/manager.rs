//! Asks systemd, and tells it what to start and to stop.

use std::time::Duration;

use super::unit::{self, Look, Unit};
use crate::config::artifact::SystemdSpec;
use crate::config::values::Argv;
use crate::decide::observation::CommandOutput;
use crate::deploy::commands::Commands;
use crate::host::clock::Moment;
use crate::host::process::{self, CommandSpec, Ran};
use crate::host::signals::Cancel;
use crate::host::system;
use crate::platforms::Trouble;

/// The limit of starting or stopping one unit.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long a unit must have run to count as started.
const SETTLE: Duration = Duration::from_secs(1);
/// The limit of a question.
const ASKING: Duration = Duration::from_secs(30);
/// How often units that are starting are looked at.
const TICK: Duration = Duration::from_millis(100);

/// The manager of some units.
#[derive(Debug, Clone)]
pub(super) struct Manager {
    /// The units, in the order in which they are started.
    pub(super) units: Vec<String>,
    /// What changes them.
    changing: Argv,
    /// Whether that is somebody's own choice.
    is_chosen: bool,
    is_user: bool,
    timeout: Duration,
    settle: Duration,
}

impl Manager {
    pub(super) fn of(spec: &SystemdSpec, units: Vec<String>) -> Self {
        let usual = || Argv(vec!["systemctl".into(), "--no-ask-password".into()]);
        Self {
            units,
            changing: spec.systemctl.clone().unwrap_or_else(usual),
            is_chosen: spec.systemctl.is_some(),
            is_user: spec.user,
            timeout: spec.timeout.map_or(TIMEOUT, |timeout| timeout.0),
            settle: spec.settle.map_or(SETTLE, |settle| settle.0),
        }
    }

    /// A command that changes a unit.
    pub(super) fn change(&self, verb: &str, unit: &str) -> CommandSpec {
        let words = self.scope().into_iter().chain([verb.to_owned(), unit.to_owned()]);
        CommandSpec::new(Argv(self.changing.0.iter().cloned().chain(words).collect()))
    }

    fn scope(&self) -> Option<String> {
        self.is_user.then(|| "--user".to_owned())
    }

    fn question(&self) -> CommandSpec {
        let words = ["show".to_owned(), unit::PROPERTIES.to_owned()];
        let words = self.scope().into_iter().chain(words).chain(self.units.iter().cloned());
        CommandSpec::new(Argv(std::iter::once("systemctl".to_owned()).chain(words).collect()))
    }

    /// How the units are.
    ///
    /// # Errors
    /// When systemd does not say.
    pub(super) fn ask(&self) -> Result<Vec<Unit>, String> {
        let question = self.question();
        if let Some(missing) = process::missing(&question) {
            return Err(missing);
        }
        let ran = process::run(&question, ASKING, &Cancel::default(), None);
        let (output, why) = match ran {
            Err(error) => return Err(format!("systemctl could not be run: {error}")),
            Ok(Ran::Ended(output)) => (output, "systemctl did not answer"),
            Ok(Ran::TimedOut(output) | Ran::Cancelled(output)) => {
                (output, "systemctl took too long")
            }
        };
        let units = unit::read(&String::from_utf8_lossy(&output.stdout), &self.units);
        match (output.code, units) {
            (Some(0), Some(units)) => Ok(units),
            _ => Err(format!("{why}{}", said(&output))),
        }
    }

    /// What of the units cannot be started or stopped as they are.
    ///
    /// # Errors
    /// That, with what would help.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if let Some(unit) = self.units.first()
            && let Some(missing) = process::missing(&self.change("start", unit))
        {
            return Err((missing, "is this machine run by systemd?".into()));
        }
        let hint = match self.is_user {
            true => {
                "the user's manager must run: `loginctl enable-linger`, and XDG_RUNTIME_DIR set"
            }
            false => "is this machine run by systemd?",
        };
        for unit in self.ask().map_err(|why| (why, hint.to_owned()))? {
            let name = &unit.name;
            let reload = format!("{} daemon-reload", self.show());
            match unit.load.as_str() {
                "loaded" => {}
                "not-found" => {
                    let place =
                        if self.is_user { "~/.config/systemd/user" } else { "/etc/systemd/system" };
                    let hint = format!("put it into {place}, then `{reload}`");
                    return Err((format!("there is no unit {name}"), hint));
                }
                other => {
                    return Err((
                        format!("the unit {name} is {other}"),
                        format!("look at `{} status {name}`", self.show()),
                    ));
                }
            }
            if unit.is_stale {
                let what = format!("the file of {name} was changed, and systemd does not know");
                return Err((what, format!("`{reload}`")));
            }
        }
        match self.is_user || self.is_chosen || system::is_root() {
            true => Ok(()),
            false => Err((
                "only root may start and stop the system's units".into(),
                "write `systemctl: [sudo, -n, systemctl]`, with `[systemctl]` where polkit lets \
                 you, or `user: true` for units of your own"
                    .into(),
            )),
        }
    }

    fn show(&self) -> &'static str {
        if self.is_user { "systemctl --user" } else { "systemctl" }
    }

    /// The units that may take longer to stop than is waited for, with how long.
    pub(super) fn slow_to_stop(&self) -> Vec<String> {
        let units = self.ask().unwrap_or_default();
        let slow = units.iter().filter(|unit| unit.stop_limit().is_none_or(|l| l > self.timeout));
        let timeout = humantime::format_duration(self.timeout);
        let line = |unit: &Unit| {
            let (name, stopping) = (&unit.name, &unit.stopping);
            format!("{name} may take {stopping} to stop (TimeoutStopSec), and {timeout} is waited")
        };
        slow.map(line).collect()
    }

    /// Stops the units, the last one first.
    pub(super) fn stop(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        let stop = |unit: &String| commands.run(&self.change("stop", unit), self.timeout);
        self.units.iter().rev().try_for_each(stop)
    }

    /// Starts the units in order, and looks until all have run for a while or one cannot.
    pub(super) fn start(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        let before = self.ask().map_err(Trouble::new)?;
        for unit in before.iter().filter(|unit| unit.active == "failed") {
            // systemd would refuse to start what failed often.
            commands.run(&self.change("reset-failed", &unit.name), self.timeout)?;
        }
        for (at, name) in self.units.iter().enumerate() {
            if let Err(trouble) = self.start_one(name, commands) {
                return Err(self.why(at, &before).unwrap_or(trouble));
            }
        }
        self.settle(&before, commands)
    }

    fn start_one(&self, name: &str, commands: &Commands<'_>) -> Result<(), Trouble> {
        let start = || commands.run(&self.change("start", name), self.timeout);
        start().or_else(|trouble| {
            let units = self.ask().unwrap_or_default();
            let is_hasty = |unit: &Unit| unit.name == name && unit.result == "start-limit-hit";
            // It was started often, by deployments, and did not fail.
            match units.iter().any(is_hasty) && commands.session.cancel.reason().is_none() {
                true => {
                    commands.run(&self.change("reset-failed", name), self.timeout)?;
                    start()
                }
                false => Err(trouble),
            }
        })
    }

    /// What systemd has to say of a unit that could not be started.
    fn why(&self, at: usize, before: &[Unit]) -> Option<Trouble> {
        let unit = self.ask().ok()?.into_iter().nth(at)?;
        match unit.look(unit.restarts_of(before.get(at))) {
            Look::Failed(why) => Some(Trouble::new(why)),
            _ => None,
        }
    }

    /// Looks until all units have been up for a while: a program that dies at once was started all
    /// the same, as far as `systemctl start` knows.
    fn settle(&self, before: &[Unit], commands: &Commands<'_>) -> Result<(), Trouble> {
        let (started, mut up_since) = (Moment::now(), None);
        loop {
            let mut waits = None;
            for (at, unit) in self.ask().map_err(Trouble::new)?.iter().enumerate() {
                match unit.look_since(before.get(at)) {
                    Look::Up => {}
                    Look::Starting(what) => waits = Some(what),
                    Look::Failed(why) => return Err(Trouble::new(why)),
                    Look::Stopped => {
                        let (name, ending) = (&unit.name, unit.ending());
                        return Err(Trouble::new(format!("{name} ended by itself: {ending}")));
                    }
                }
            }
            up_since = if waits.is_some() { None } else { up_since.or(Some(Moment::now())) };
            if up_since.is_some_and(|since: Moment| since.elapsed() >= self.settle) {
                return Ok(());
            }
            if let Some(what) = waits.filter(|_| started.elapsed() >= self.timeout) {
                return Err(Trouble::new(format!("{what} still")));
            }
            if commands.session.cancel.sleep(TICK.min(self.settle)) {
                return Err(Trouble::new("it was ended by the cancellation"));
            }
        }
    }
}

/// The last thing that a command said.
fn said(output: &CommandOutput) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    last.map(|line| format!(": {line}")).unwrap_or_default()
}
