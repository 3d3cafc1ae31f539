//! The user's own deploy command.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Log, Order, Place, Platform, Running, Trouble, environment, ours, surroundings};
use crate::config::pipeline::CommandPlatformSpec;
use crate::config::values::{Argv, Secret};
use crate::decide::observation::CommandOutput;
use crate::decide::plan::Direction;
use crate::deploy::Scope;
use crate::deploy::commands::Commands;
use crate::exit::Fault;
use crate::host::process::{self, CommandSpec, Ran, Started};
use crate::host::signals::Cancel;

/// The limit of one command.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The limit of the command that says what runs.
const ASKING: Duration = Duration::from_secs(30);

/// The platform.
pub(super) struct Command {
    spec: CommandPlatformSpec,
    scope: Scope,
    place: Place,
    /// The last lines of the last run.
    tail: Mutex<Vec<String>>,
}

impl Command {
    pub(super) fn new(
        spec: CommandPlatformSpec,
        place: &Place,
        scope: &Scope,
    ) -> anyhow::Result<Self> {
        if let (Some((slot, _)), None) = (&place.slot, &spec.stop) {
            return Err(Fault::usage(format!(
                "platform.command: nothing says how what runs in the slot {slot} is stopped"
            ))
            .hint("write `stop: [./your-stop-script]`; it gets the slot in WAVEOFF_SLOT")
            .into());
        }
        let (scope, place) = (scope.clone(), place.clone());
        Ok(Self { spec, scope, place, tail: Mutex::default() })
    }

    fn command(&self, order: &Order<'_>) -> CommandSpec {
        let argv = match order.direction {
            Direction::Forward => &self.spec.deploy,
            Direction::Back => self.spec.rollback.as_ref().unwrap_or(&self.spec.deploy),
        };
        self.with(argv, environment(order, &self.scope, &self.place))
    }

    /// One that is about whatever runs there.
    fn about_place(&self, argv: &Argv) -> CommandSpec {
        let mut env = surroundings(&self.scope, &self.place);
        env.push(ours(("VERSION", String::new())));
        self.with(argv, env)
    }

    fn with(&self, argv: &Argv, mut env: Vec<(String, Secret)>) -> CommandSpec {
        env.extend(self.spec.env.clone());
        CommandSpec { argv: argv.clone(), env, dir: self.spec.dir.clone() }
    }

    fn run(&self, command: &CommandSpec, commands: &Commands<'_>) -> Result<(), Trouble> {
        let timeout = self.spec.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        let ran = commands.run(command, timeout);
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = commands.tail();
        ran
    }
}

impl Platform for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn plan(&self, order: &Order<'_>) -> Vec<String> {
        let command = self.command(order);
        let place = command.dir.map(|dir| format!(" in {dir}")).unwrap_or_default();
        let version = &order.release.version;
        vec![format!("run {}{place} with WAVEOFF_VERSION={version}", command.argv.show())]
    }

    fn check(&self, order: &Order<'_>) -> anyhow::Result<()> {
        let stop = self.spec.stop.as_ref().filter(|_| self.place.slot.is_some());
        let stop = stop.map(|argv| ("stop", self.about_place(argv)));
        for (what, command) in [("deploy", self.command(order))].into_iter().chain(stop) {
            if let Some(missing) = process::missing(&command) {
                return Err(
                    Fault::usage(format!("the {what} command cannot run: {missing}")).into()
                );
            }
        }
        Ok(())
    }

    fn start(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<(), Trouble> {
        self.run(&self.command(order), commands)
    }

    fn stop(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        match &self.spec.stop {
            Some(argv) => self.run(&self.about_place(argv), commands),
            None => {
                Err(Trouble::new("platform.command has no `stop`: nothing says how it is stopped"))
            }
        }
    }

    fn running(&self) -> Running {
        self.running_within(ASKING)
    }

    fn running_within(&self, limit: Duration) -> Running {
        let Some(argv) = &self.spec.running else { return Running::Unknown };
        let ran = process::run(&self.about_place(argv), limit, &Cancel::default(), None);
        let Ok(Ran::Ended(CommandOutput { code: Some(0), stdout, .. })) = ran else {
            return Running::Unknown;
        };
        let text = String::from_utf8_lossy(&stdout).trim().to_owned();
        if text.is_empty() { Running::Nothing } else { Running::Version(text) }
    }

    fn base_url(&self) -> Option<String> {
        self.place.slot.as_ref().map(|(_, port)| format!("http://localhost:{port}"))
    }

    fn process(&self) -> Option<Started> {
        None
    }

    fn diagnostics(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last lines of the last command that was run here; what it started writes elsewhere.
    fn log(&self, _: &str, most: u64) -> std::io::Result<Log> {
        let mut text: String = self.diagnostics().iter().map(|line| format!("{line}\n")).collect();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let from = text.ceil_char_boundary(text.len().saturating_sub(most));
        text.drain(..from);
        Ok(Log { text, is_cut: from > 0 })
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
