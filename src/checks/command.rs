//! A program's exit code and output.

use std::time::Duration;

use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::config::values::{Argv, Secret};
use crate::decide::expect::Expect;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};
use crate::decide::predicate::Predicate;
use crate::decide::template::Template;
use crate::decide::verdict::Severity;
use crate::host::process::{self, CommandSpec, Ran};

/// A program.
pub(super) static COMMAND: Kind =
    Kind { key: "command", keys: &["env", "dir"], severity: Severity::Critical, build };

struct Program {
    argv: Vec<Template>,
    env: Vec<(String, Template)>,
    dir: Option<String>,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let argv = spec.command.as_ref().map(|argv| argv.0.as_slice()).unwrap_or_default();
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err("an argument has a NUL byte".into());
    }
    let env = spec.env.iter().flatten();
    Ok(Box::new(Program {
        argv: argv.iter().map(Template::new).collect(),
        env: env.map(|(name, value)| (name.clone(), Template::new(value.expose()))).collect(),
        dir: spec.dir.clone(),
    }))
}

impl Probe for Program {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn target(&self) -> String {
        Argv(self.argv.iter().map(|argument| argument.source().to_owned()).collect()).show()
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let failed =
            |kind, message, elapsed| Observation::Failed(ProbeFailure { kind, message, elapsed });
        let spec = match self.spec(attempt) {
            Ok(spec) => spec,
            Err(name) => {
                let message = format!("nothing has captured {{{{{name}}}}}");
                return failed(FailureKind::NotAsked, message, Duration::ZERO);
            }
        };
        match process::run(&spec, attempt.timeout, attempt.cancel, None) {
            Ok(Ran::Ended(output)) => Observation::Exit(output),
            Ok(Ran::TimedOut(output)) => {
                failed(FailureKind::Timeout, "timed out".into(), output.elapsed)
            }
            Ok(Ran::Cancelled(output)) => {
                failed(FailureKind::NotAsked, "cancelled".into(), output.elapsed)
            }
            Err(error) => {
                let message = format!("cannot start {}: {error}", spec.argv.0[0]);
                failed(FailureKind::NotAsked, message, Duration::ZERO)
            }
        }
    }

    fn usual(&self, stated: &[Expect]) -> Vec<Expect> {
        if stated.iter().any(|expect| expect.states(&|e| matches!(e, Expect::ExitCode(_)))) {
            return Vec::new();
        }
        vec![Expect::ExitCode(Predicate::Equals(0.into()))]
    }

    fn names(&self) -> Vec<String> {
        let env = self.env.iter().map(|(_, value)| value);
        self.argv.iter().chain(env).flat_map(Template::names).collect()
    }
}

impl Program {
    fn spec(&self, attempt: &Attempt<'_>) -> Result<CommandSpec, String> {
        let render = |template: &Template| template.render(attempt.variables);
        let env = self.env.iter();
        Ok(CommandSpec {
            argv: Argv(self.argv.iter().map(render).collect::<Result<_, _>>()?),
            env: env
                .map(|(name, value)| Ok((name.clone(), Secret::new(render(value)?))))
                .collect::<Result<_, String>>()?,
            dir: self.dir.clone(),
        })
    }
}
