//! One declaration for flags, environment variables and action inputs.
//!
//! A flag `--start-period` is the variable `WAVEOFF_START_PERIOD` and the action input
//! `start-period`. Precedence: flag, action input, environment. Action inputs come as one JSON
//! object in `WAVEOFF_INPUTS`, where an input that nobody gave is an empty string.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Args, Command, parser::ValueSource};
use serde_json::Value;

use super::Verb;
use super::common::{Common, metrics};
use super::session::{complain, harmless};
use crate::exit::{Exit, Fault};
use crate::host::{env, terminal};
use crate::report::console;

/// The variable that carries an action's inputs.
const INPUTS: &str = "WAVEOFF_INPUTS";

/// Why there is nothing to run.
pub(super) enum End {
    /// Help or version was asked for, or clap has a message of its own.
    Said(clap::Error),
    /// The inputs are wrong.
    Wrong(anyhow::Error),
}

impl End {
    /// Says it and ends.
    pub(super) fn finish(self, program: &'static str) -> ExitCode {
        match self {
            End::Said(error) if error.use_stderr() => {
                terminal::err(&harmless(&console::clean(&error.to_string())));
                Exit::Usage.into()
            }
            End::Said(error) => {
                terminal::out(&error.to_string());
                Exit::Pass.into()
            }
            End::Wrong(error) => complain(program, &error).into(),
        }
    }
}

/// The clap command of a verb, with the common flags.
pub(super) fn declare<V: Verb>() -> Command {
    let command = V::augment_args(Command::new(V::NAME));
    let command = Common::augment_args(command).disable_version_flag(true);
    let command = if V::MEASURES { command.arg(metrics()) } else { command };
    command
        .about(V::ABOUT)
        .after_help(format!("{}{ENVIRONMENT}{}", V::EXAMPLES, exit_codes()))
        .max_term_width(100)
}

const ENVIRONMENT: &str = "\
Every flag --some-flag is also the variable WAVEOFF_SOME_FLAG and the action's input some-flag.
A flag wins over an input, an input over a variable, a variable over waveoff.yml. What can be
given several times stands one a line there; a flag without a value is true or false.

";

/// The exit codes, for the end of `--help`.
pub(super) fn exit_codes() -> String {
    let lines = Exit::ALL.iter().map(|(exit, about)| format!("  {:>2}  {about}\n", exit.code()));
    format!("Exit codes:\n{}", lines.collect::<String>())
}

/// The environment form of a flag.
pub(crate) fn variable(long: &str) -> String {
    format!("WAVEOFF_{}", long.to_ascii_uppercase().replace('-', "_"))
}

pub(crate) fn is_builtin(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Help | ArgAction::Version)
}

pub(crate) fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// Parses the command line together with inputs and environment.
pub(super) fn parse(command: Command, arguments: &[OsString]) -> Result<clap::ArgMatches, End> {
    let inputs = inputs().map_err(End::Wrong)?;
    let loose = relaxed(command.clone());
    // What stands on the command line; mistakes in it are reported by the second pass.
    let given = loose.try_get_matches_from(arguments).ok();
    let (verb, given) = match given.as_ref().and_then(|given| given.subcommand()) {
        Some((name, inner)) => (command.find_subcommand(name), Some(inner)),
        None => (Some(&command), given.as_ref()),
    };
    let mut all = arguments.to_vec();
    if let Some(verb) = verb {
        check_inputs(verb, &inputs).map_err(End::Wrong)?;
        for arg in verb.get_arguments().filter(|arg| !is_builtin(arg)) {
            let id = arg.get_id().as_str();
            let on_line = given.is_some_and(|given| {
                matches!(given.try_contains_id(id), Ok(true))
                    && given.value_source(id) == Some(ValueSource::CommandLine)
            });
            if !on_line {
                all.extend(more(arg, &inputs));
            }
        }
    }
    command.try_get_matches_from(all).map_err(End::Said)
}

/// The flag's words from its input or its variable.
fn more(arg: &Arg, inputs: &BTreeMap<String, String>) -> Vec<OsString> {
    let Some(long) = arg.get_long() else { return Vec::new() };
    let Some(value) = inputs.get(long).cloned().or_else(|| env::var(&variable(long))) else {
        return Vec::new();
    };
    if !takes_value(arg) {
        return match value.trim() {
            "false" => Vec::new(),
            "true" => vec![format!("--{long}").into()],
            // Let clap say that it takes no such value, with its own usage line.
            other => vec![format!("--{long}={other}").into()],
        };
    }
    let several = matches!(arg.get_action(), ArgAction::Append);
    let values: Vec<&str> = if several {
        value.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    } else {
        vec![value.as_str()]
    };
    values.into_iter().map(|value| format!("--{long}={value}").into()).collect()
}

fn inputs() -> anyhow::Result<BTreeMap<String, String>> {
    let Some(text) = env::var(INPUTS) else { return Ok(BTreeMap::new()) };
    let wrong = || {
        Fault::usage(format!("{INPUTS} is not a JSON object of texts"))
            .hint("write ${{ toJSON(inputs) }}")
    };
    let Ok(Value::Object(map)) = serde_json::from_str(&text) else { return Err(wrong().into()) };
    let mut inputs = BTreeMap::new();
    for (name, value) in map {
        let text = match value {
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null => String::new(),
            _ => return Err(wrong().into()),
        };
        if !text.trim().is_empty() {
            inputs.insert(name, text);
        }
    }
    Ok(inputs)
}

fn check_inputs(verb: &Command, inputs: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let known: Vec<&str> = verb.get_arguments().filter_map(Arg::get_long).collect();
    match inputs.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Fault::usage(format!("the input `{name}` is not known"))
            .hint(format!("known are: {}", known.join(", ")))
            .into()),
        None => Ok(()),
    }
}

/// A command that accepts anything, to see what stands on the line.
fn relaxed(command: Command) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut command = command.ignore_errors(true).mut_args(|arg| arg.required(false));
    for name in names {
        command = command.mut_subcommand(name, relaxed);
    }
    command
}
