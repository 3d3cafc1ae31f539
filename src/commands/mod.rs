//! One file per verb: arguments, then observe, decide, act, report.

mod about;
pub mod attach;
pub mod capture;
mod confirm;
pub mod deploy;
mod ending;
mod engine;
pub mod evaluate_rollback;
mod follow;
pub mod init;
pub mod notify_incident;
pub mod recover;
pub mod rollback;
mod session;
mod settings;
mod site;
pub mod smoke_test;
pub mod status;
mod targets;
mod telling;
mod transact;
pub mod unlock;
pub mod wait_healthy;

pub use session::Session;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::exit::{Exit, Fault};
use crate::host::env;
use crate::report::v1::Report;

/// An output of a verb's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
}

/// Declares an output.
pub const fn output(name: &'static str, about: &'static str) -> Output {
    Output { name, about }
}

/// What every action says besides its own outputs.
pub const COMMON_OUTPUTS: &[Output] = &[
    output("verdict", "pass, inconclusive, error or fail"),
    output("exit-code", "the program's exit code"),
    output("summary", "what happened, in one line"),
    output("report", "the report as JSON, for a later job"),
];

/// A verb: its arguments are its declaration for flags, environment and action inputs alike.
pub trait Verb: Args + FromArgMatches {
    /// Its name: the program's, or the subcommand's of `waveoff`.
    const NAME: &'static str;
    /// What it is for, in one line.
    const ABOUT: &'static str;
    /// Its action's name.
    const ACTION: &'static str = Self::NAME;
    /// What its action outputs besides [`COMMON_OUTPUTS`].
    const OUTPUTS: &'static [Output] = &[];
    /// Worked examples for the end of `--help`.
    const EXAMPLES: &'static str = "";

    /// Does it.
    ///
    /// # Errors
    /// When it could not be done or found out; a verdict that is not a pass is no error.
    fn run(self, session: &Session) -> anyhow::Result<Report>;
}

/// A verb without its type, for tables.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its action's name.
    pub action: &'static str,
    /// What its action outputs besides [`COMMON_OUTPUTS`].
    pub outputs: &'static [Output],
    command: fn() -> Command,
    run: fn(&ArgMatches, &Session) -> anyhow::Result<Report>,
}

/// The entry of a verb.
pub const fn entry<V: Verb>() -> Entry {
    Entry {
        name: V::NAME,
        action: V::ACTION,
        outputs: V::OUTPUTS,
        command: || settings::declare::<V>(),
        run: |matches, session| {
            let verb = V::from_arg_matches(matches)
                .map_err(|error| Fault::usage(error.to_string().trim().to_owned()))?;
            verb.run(session)
        },
    }
}

impl Entry {
    /// Its flags, as clap knows them.
    pub fn command(&self) -> Command {
        (self.command)()
    }
}

/// The verbs of `waveoff`. A new one is a file of its own and a line here.
pub const WAVEOFF: &[Entry] = &[
    entry::<deploy::Deploy>(),
    entry::<rollback::Rollback>(),
    entry::<recover::Recover>(),
    entry::<attach::Attach>(),
    entry::<status::Status>(),
    entry::<unlock::Unlock>(),
    entry::<capture::Capture>(),
    entry::<init::Init>(),
];

/// Runs a program that is one verb.
pub fn main_of(verb: Entry) -> ExitCode {
    session::guard();
    let arguments = env::args();
    let command = verb.command().disable_version_flag(false).version(env!("CARGO_PKG_VERSION"));
    match settings::parse(command, &arguments) {
        Ok(matches) => perform(verb, &matches),
        Err(end) => end.finish(verb.name),
    }
}

/// Runs a program that has several verbs as subcommands.
pub fn main_of_many(name: &'static str, about: &'static str, verbs: &[Entry]) -> ExitCode {
    session::guard();
    let arguments = env::args();
    if arguments.len() == 2 && arguments[1] == engine::WORD {
        return engine::main();
    }
    let command = Command::new(name)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(settings::exit_codes())
        .subcommands(verbs.iter().map(Entry::command));
    let matches = match settings::parse(command, &arguments) {
        Ok(matches) => matches,
        Err(end) => return end.finish(name),
    };
    let chosen = matches
        .subcommand()
        .and_then(|(name, matches)| Some((verbs.iter().find(|verb| verb.name == name)?, matches)));
    match chosen {
        Some((verb, matches)) => perform(*verb, matches),
        None => Exit::Usage.into(),
    }
}

fn perform(verb: Entry, matches: &ArgMatches) -> ExitCode {
    match Session::begin(verb, matches) {
        Ok(session) => {
            let result = (verb.run)(matches, &session);
            session.finish(result).into()
        }
        Err(error) => session::complain(verb.name, &error).into(),
    }
}
