//! The user's own command.

use std::path::PathBuf;
use std::time::Duration;

use super::{Active, Router, list, named};
use crate::config::transaction::CommandRouterSpec;
use crate::config::values::{Argv, Secret};
use crate::decide::plan::{Route, Slot};
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State};
use crate::exit::Fault;
use crate::host::files;
use crate::host::process::{self, CommandSpec};
use crate::platforms::{Trouble, without_ours};

/// The limit of one command.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The router.
pub(super) struct Command {
    spec: CommandRouterSpec,
    scope: Scope,
    /// Remembers the last switch, when nothing tells it.
    memory: PathBuf,
    url: Option<String>,
}

impl Command {
    pub(super) fn new(
        spec: CommandRouterSpec,
        scope: &Scope,
        state: &State,
        public: Option<&str>,
    ) -> Self {
        let url = spec.url.clone().or(public.map(Into::into));
        Self { spec, scope: scope.clone(), memory: state.folder(scope).join("routed"), url }
    }

    /// A command that knows about a slot; of none when it is only asked.
    fn command(&self, argv: &Argv, slot: Option<&Slot>) -> CommandSpec {
        let mut variables = vec![
            ("WAVEOFF_SERVICE".to_owned(), self.scope.service.to_string()),
            ("WAVEOFF_ENVIRONMENT".to_owned(), self.scope.environment.to_string()),
            // What is not known is empty, so that nothing of the caller's own comes through.
            ("WAVEOFF_SLOT".to_owned(), slot.map(|slot| slot.name.clone()).unwrap_or_default()),
        ];
        let ports: Vec<_> = slot.into_iter().flat_map(|slot| &slot.ports).collect();
        let only = match &*ports {
            [(_, port)] => port.to_string(),
            _ => String::new(),
        };
        variables.push(("WAVEOFF_PORT".to_owned(), only));
        if ports.len() > 1 {
            variables.extend(ports.iter().map(|(name, port)| (port_of(name), port.to_string())));
        }
        let variables = variables.into_iter().map(|(name, value)| (name, Secret::new(value)));
        let env = variables.chain(without_ours()).chain(self.spec.env.clone()).collect();
        CommandSpec { argv: argv.clone(), env, dir: self.spec.dir.clone() }
    }

    /// The slot that a route means; none when there was none before.
    fn target<'a>(&self, route: &'a Route, slots: &'a [Slot]) -> Result<Option<&'a Slot>, Trouble> {
        match route {
            Route::Slot(slot) => Ok(Some(slot)),
            Route::Saved { text } if text.is_empty() => Ok(None),
            Route::Saved { text } => {
                let slot = slots.iter().find(|slot| slot.name == *text);
                slot.map(Some).ok_or_else(|| {
                    let names = list(slots.iter().map(|slot| slot.name.as_str()));
                    Trouble::new(format!(
                        "the traffic went to slot {text}, which is none of {names}"
                    ))
                })
            }
        }
    }

    /// What the command says, or what was switched last.
    fn said(&self, commands: &Commands<'_>) -> Result<String, Trouble> {
        if let Some(argv) = &self.spec.active {
            return commands.ask(&self.command(argv, None));
        }
        match files::read_text(&self.memory) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => {
                Err(Trouble::new(format!("{} cannot be read: {error}", self.memory.display())))
            }
        }
    }

    fn remember(&self, slot: &Slot) -> Result<(), Trouble> {
        if self.spec.active.is_some() {
            return Ok(());
        }
        files::replace_alone(&self.memory, format!("{}\n", slot.name).as_bytes()).map_err(|error| {
            Trouble::new(format!("{} cannot be written: {error}", self.memory.display()))
        })
    }
}

impl Router for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn url(&self) -> Option<String> {
        self.url.clone()
    }

    fn plan(&self, route: &Route) -> Vec<String> {
        let run = |what: &str| {
            let place = self.spec.dir.as_ref().map(|dir| format!(" in {dir}")).unwrap_or_default();
            format!("run {}{place} with {what}", self.spec.switch.show())
        };
        vec![match route {
            Route::Slot(slot) => {
                let ports = match &*slot.ports.iter().collect::<Vec<_>>() {
                    [(_, port)] => format!(" WAVEOFF_PORT={port}"),
                    ports => ports
                        .iter()
                        .map(|(name, port)| format!(" {}={port}", port_of(name)))
                        .collect(),
                };
                run(&format!("WAVEOFF_SLOT={}{ports}", slot.name))
            }
            Route::Saved { text } if text.is_empty() => NOTHING.to_owned(),
            Route::Saved { text } => run(&format!("WAVEOFF_SLOT={text}")),
        }]
    }

    fn check(&self, slots: &[Slot]) -> anyhow::Result<()> {
        for slot in slots {
            named(slot).map_err(Fault::usage)?;
            let mut seen = std::collections::BTreeMap::new();
            for name in slot.ports.keys() {
                if let Some(other) = seen.insert(port_of(name), name) {
                    let message =
                        format!("components {other} and {name} are both {}", port_of(name));
                    return Err(Fault::usage(message).hint("rename one of them").into());
                }
            }
        }
        for (key, argv) in
            [("switch", Some(&self.spec.switch)), ("active", self.spec.active.as_ref())]
        {
            let command = argv.map(|argv| self.command(argv, None));
            if let Some(missing) = command.as_ref().and_then(process::missing) {
                return Err(
                    Fault::usage(format!("router.command.{key} cannot run: {missing}")).into()
                );
            }
        }
        Ok(())
    }

    fn active(&self, slots: &[Slot], commands: &Commands<'_>) -> Result<Active, Trouble> {
        let said = self.said(commands)?;
        if slots.iter().any(|slot| slot.name == said) {
            return Ok(Active::Slot(said));
        }
        Ok(Active::Other(match (&self.spec.active, said.is_empty()) {
            (Some(argv), true) => format!("nowhere: {} prints nothing", argv.show()),
            (Some(argv), false) => format!("what {} calls {said:?}", argv.show()),
            (None, true) => "nowhere that is known: nothing was switched yet".into(),
            (None, false) => format!("slot {said}, which is not configured any more"),
        }))
    }

    fn save(&self, slots: &[Slot], commands: &Commands<'_>) -> Result<String, Trouble> {
        Ok(match self.active(slots, commands)? {
            Active::Slot(slot) => slot,
            Active::Other(_) => String::new(),
        })
    }

    fn switch(
        &self,
        route: &Route,
        slots: &[Slot],
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        let Some(slot) = self.target(route, slots)? else {
            commands.session.say(&format!("          | {NOTHING}"));
            return Ok(());
        };
        named(slot).map_err(Trouble::new)?;
        let timeout = self.spec.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        commands.run(&self.command(&self.spec.switch, Some(slot)), timeout)?;
        self.remember(slot)
    }
}

/// What is done when no slot had the traffic before.
const NOTHING: &str = "no slot had the traffic before: there is nothing to switch back to";

/// The variable with a component's port, where there are several.
fn port_of(component: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("WAVEOFF_PORT_{}", component.chars().map(plain).collect::<String>())
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
