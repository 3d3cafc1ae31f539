//! The user's own deploy command.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Order, Platform, Running, Trouble, environment, without_ours};
use crate::config::pipeline::CommandPlatformSpec;
use crate::decide::course::Direction;
use crate::decide::observation::CommandOutput;
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
    /// The last lines of the last run.
    tail: Mutex<Vec<String>>,
}

impl Command {
    pub(super) fn new(spec: CommandPlatformSpec, scope: &Scope) -> Self {
        Self { spec, scope: scope.clone(), tail: Mutex::default() }
    }

    fn command(&self, order: &Order<'_>) -> CommandSpec {
        let argv = match order.direction {
            Direction::Forward => &self.spec.deploy,
            Direction::Back => self.spec.rollback.as_ref().unwrap_or(&self.spec.deploy),
        };
        let mut env = environment(order, &self.scope);
        env.extend(self.spec.env.clone());
        CommandSpec { argv: argv.clone(), env, dir: self.spec.dir.clone() }
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
        match process::missing(&self.command(order)) {
            Some(missing) => {
                Err(Fault::usage(format!("the deploy command cannot run: {missing}")).into())
            }
            None => Ok(()),
        }
    }

    fn start(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<(), Trouble> {
        let timeout = self.spec.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        let ran = commands.run(&self.command(order), timeout);
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = commands.tail();
        ran
    }

    fn stop(&self, _: &Commands<'_>) -> Result<(), Trouble> {
        Err(Trouble::new("the command platform has no command that stops a release"))
    }

    fn running(&self) -> Running {
        let Some(argv) = &self.spec.running else { return Running::Unknown };
        let env = without_ours().chain(self.spec.env.clone()).collect();
        let command = CommandSpec { argv: argv.clone(), env, dir: self.spec.dir.clone() };
        let ran = process::run(&command, ASKING, &Cancel::default(), None);
        let Ok(Ran::Ended(CommandOutput { code: Some(0), stdout, .. })) = ran else {
            return Running::Unknown;
        };
        let text = String::from_utf8_lossy(&stdout).trim().to_owned();
        if text.is_empty() { Running::Nothing } else { Running::Version(text) }
    }

    fn base_url(&self) -> Option<String> {
        None
    }

    fn process(&self) -> Option<Started> {
        None
    }

    fn diagnostics(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Argv;
    use crate::decide::history::Release;

    fn argv(words: &[&str]) -> Argv {
        Argv(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn d11_going_back_is_the_same_command_unless_there_is_one_for_it() {
        let scope = Scope::new("shop", "test").unwrap();
        let mut spec = super::super::short(&argv(&["./ship"]));
        let v1 = Release { version: "v1".into(), ..Release::default() };
        let v2 = Release { version: "v2".into(), sha: Some("0f".into()), ..Release::default() };
        let back = Order { release: &v1, previous: Some(&v2), direction: Direction::Back };
        let command = Command::new(spec.clone(), &scope).command(&back);
        assert_eq!(command.argv, argv(&["./ship"]));
        let variable = |name: &str| {
            let found = command.env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.expose().to_owned())
        };
        assert_eq!(variable("WAVEOFF_VERSION").as_deref(), Some("v1"));
        assert_eq!(variable("WAVEOFF_PREVIOUS_VERSION").as_deref(), Some("v2"));
        assert_eq!(variable("WAVEOFF_PREVIOUS_SHA").as_deref(), Some("0f"));
        assert_eq!(variable("WAVEOFF_SHA").as_deref(), Some(""), "not the caller's own");
        assert_eq!(variable("WAVEOFF_DIRECTION").as_deref(), Some("back"));
        assert_eq!(variable("WAVEOFF_INPUTS").as_deref(), Some(""), "our inputs are ours");
        spec.rollback = Some(argv(&["./unship"]));
        assert_eq!(Command::new(spec, &scope).command(&back).argv, argv(&["./unship"]));
    }

    #[test]
    fn what_runs_is_what_the_command_prints() {
        let scope = Scope::new("shop", "test").unwrap();
        let running = |words: &[&str]| {
            let running = Some(argv(words));
            let spec = CommandPlatformSpec { running, ..super::super::short(&argv(&["true"])) };
            Command::new(spec, &scope).running()
        };
        assert_eq!(running(&["echo", " v1 "]), Running::Version("v1".into()));
        assert_eq!(running(&["true"]), Running::Nothing);
        assert_eq!(running(&["false"]), Running::Unknown);
    }
}
