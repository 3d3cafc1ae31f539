//! One file per verb: arguments, then observe, decide, act, report.

mod about;
pub mod attach;
pub mod capture;
mod common;
mod confirm;
pub mod deploy;
mod detached;
mod ending;
mod engine;
pub mod evaluate_rollback;
pub(crate) mod far;
mod fleet;
mod follow;
pub mod init;
mod named;
pub mod notify_incident;
pub mod preflight;
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

pub(crate) use detached::Wire;
pub use session::Session;
pub(crate) use telling::tell_news;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Loaded;
use crate::config::ssh::RemoteSpec;
use crate::exit::{Exit, Fault};
use crate::host::env;
use crate::remote::{self, Wanted, serve};
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

/// What becomes of a verb before it is done on another machine.
#[derive(Debug)]
pub enum Departure<V> {
    /// It goes there, like this.
    Goes(V),
    /// It does not, and this is why.
    Stays(Box<Report>),
}

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

    /// Whether it is about checks alone, and writes their metrics.
    const MEASURES: bool = false;

    /// Whether it starts a run, which goes on without its caller.
    const BEGINS: bool = false;

    /// The same with all that only the caller's machine knows, before it is done on another one; or
    /// the report of what forbids it.
    ///
    /// # Errors
    /// When something of that is wrong.
    fn depart(self, _: &Yonder<'_>) -> anyhow::Result<Departure<Self>> {
        Ok(Departure::Goes(self))
    }

    /// Does here what belongs on the caller's machine, when it was done on another one.
    ///
    /// # Errors
    /// When that cannot be done.
    fn arrive(&self, _: &Session, _: &mut Report) -> anyhow::Result<()> {
        Ok(())
    }

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
    far: Option<Far>,
}

/// How a verb is done on another machine.
#[derive(Clone, Copy)]
struct Far {
    /// Whether it starts a run, which goes on without its caller.
    begins: bool,
    /// Its arguments, as they travel.
    args: fn(&ArgMatches, &Yonder<'_>) -> anyhow::Result<Departure<serde_json::Value>>,
    /// Does it there.
    run: fn(serde_json::Value, &Session) -> anyhow::Result<Report>,
    /// Does the rest here.
    arrive: fn(&ArgMatches, &Session, &mut Report) -> anyhow::Result<()>,
    /// [`elsewhere`], by its address: a program that does nothing elsewhere has nothing of it.
    elsewhere: fn(Entry, &ArgMatches, &Session) -> anyhow::Result<Option<Report>>,
}

/// The entry of a verb that is done where the configuration says.
pub const fn anywhere<V: Verb + Serialize + DeserializeOwned>() -> Entry {
    let far = Far {
        begins: V::BEGINS,
        args: |matches, yonder| {
            Ok(match read::<V>(matches)?.depart(yonder)? {
                Departure::Goes(verb) => Departure::Goes(serde_json::to_value(verb)?),
                Departure::Stays(report) => Departure::Stays(report),
            })
        },
        run: |args, session| serde_json::from_value::<V>(args)?.run(session),
        arrive: |matches, session, report| read::<V>(matches)?.arrive(session, report),
        elsewhere,
    };
    Entry { far: Some(far), ..entry::<V>() }
}

fn read<V: Verb>(matches: &ArgMatches) -> anyhow::Result<V> {
    let verb = V::from_arg_matches(matches);
    Ok(verb.map_err(|error| Fault::usage(error.to_string().trim().to_owned()))?)
}

/// The entry of a verb that is done here.
pub const fn entry<V: Verb>() -> Entry {
    Entry {
        name: V::NAME,
        action: V::ACTION,
        outputs: V::OUTPUTS,
        command: || settings::declare::<V>(),
        run: |matches, session| read::<V>(matches)?.run(session),
        far: None,
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
    anywhere::<preflight::Preflight>(),
    anywhere::<deploy::Deploy>(),
    anywhere::<rollback::Rollback>(),
    anywhere::<recover::Recover>(),
    anywhere::<attach::Attach>(),
    anywhere::<status::Status>(),
    anywhere::<unlock::Unlock>(),
    anywhere::<capture::Capture>(),
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
    if let [_, word] = arguments.as_slice() {
        match word.to_str() {
            Some(engine::WORD) => return engine::main(),
            Some(serve::WORD) => return serve::main(),
            _ => {}
        }
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
            let elsewhere = verb.far.map(|far| (far.elsewhere)(verb, matches, &session));
            let result = elsewhere.unwrap_or(Ok(None)).and_then(|done| match done {
                Some(report) => Ok(report),
                None => (verb.run)(matches, &session),
            });
            session.finish(result).into()
        }
        Err(error) => session::complain(verb.name, &error).into(),
    }
}

/// Has it done on another machine, when the configuration names one. The one place where that is
/// decided.
fn elsewhere(
    verb: Entry,
    matches: &ArgMatches,
    session: &Session,
) -> anyhow::Result<Option<Report>> {
    let Some(far) = verb.far else { return Ok(None) };
    let Some(loaded) = session.config()? else { return Ok(None) };
    let spec = loaded.remote()?;
    if spec.host.is_none() && spec.hosts.is_none() {
        return Ok(None);
    }
    let programs = matches.get_one::<String>("remote_binaries").cloned();
    let yonder = Yonder { session, loaded: &loaded, spec: &spec, programs };
    let args = match (far.args)(matches, &yonder)? {
        Departure::Goes(args) => args,
        Departure::Stays(report) => return Ok(Some(*report)),
    };
    let mut report = yonder.ask(verb.name, far.begins, args)?;
    (far.arrive)(matches, session, &mut report)?;
    Ok(Some(report))
}

/// Where it is done, when that is another machine, or several.
#[derive(Debug)]
pub struct Yonder<'a> {
    /// The run.
    pub session: &'a Session,
    /// The configuration.
    pub loaded: &'a Loaded,
    spec: &'a RemoteSpec,
    programs: Option<String>,
}

impl Yonder<'_> {
    /// Has a verb done there.
    fn ask(
        &self,
        verb: &'static str,
        begins: bool,
        args: serde_json::Value,
    ) -> anyhow::Result<Report> {
        let Self { session, loaded, spec, .. } = *self;
        let programs = self.programs.clone();
        match &spec.host {
            Some(host) => {
                let (host, held, entering) = (host.clone(), None, Duration::ZERO);
                let wanted = Wanted { verb, begins, args, host, programs, held, entering };
                remote::call(session, loaded, spec, wanted)
            }
            None => fleet::perform(&fleet::Order {
                session,
                loaded,
                spec,
                verb,
                begins,
                args,
                programs,
            }),
        }
    }
}
