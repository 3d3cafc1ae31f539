//! The caller's side of several hosts: what a verb means for all of them, and how one of them is asked.

use std::time::Duration;

use serde_json::{Value, json};

use super::Question;
use super::back::rollback;
use super::follow::{deploy, recover};
use super::hold::holding;
use super::summary::{Part, conclude};
use crate::commands::Session;
use crate::config::Loaded;
use crate::config::ssh::{Address, RemoteSpec};
use crate::exit::{Exit, Fault, classify};
use crate::host::signals::Cancel;
use crate::remote::{self, Notify, Wanted};
use crate::report::v1::Report;

/// How long it is tried to bring a host back that lets nobody in.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wanted of all hosts.
pub(in crate::commands) struct Order<'a> {
    /// The run.
    pub(in crate::commands) session: &'a Session,
    /// The configuration.
    pub(in crate::commands) loaded: &'a Loaded,
    /// The hosts, and how they are reached.
    pub(in crate::commands) spec: &'a RemoteSpec,
    /// The verb.
    pub(in crate::commands) verb: &'static str,
    /// Whether it starts a run.
    pub(in crate::commands) begins: bool,
    /// Its arguments.
    pub(in crate::commands) args: Value,
    /// The folder of published programs, when a flag names one.
    pub(in crate::commands) programs: Option<String>,
}

/// Does it on all hosts.
///
/// # Errors
/// When it is not for several hosts, or what they are cannot be found out before anything is touched.
pub(in crate::commands) fn perform(order: &Order<'_>) -> anyhow::Result<Report> {
    let changes = !order.args["dry_run"].as_bool().unwrap_or_default();
    match order.verb {
        "deploy" if order.args["confirm"].is_string() => {
            Err(only_one("`deploy --confirm` is").into())
        }
        "deploy" if changes => holding(order, |hold| deploy(order, hold)),
        "recover" => holding(order, |hold| recover(order, hold)),
        "rollback" if changes && order.args["list"] != true => {
            holding(order, |hold| rollback(order, hold))
        }
        "attach" | "unlock" => whoever_knows(order),
        "capture" => Err(only_one("`capture` is").into()),
        _ => Ok(conclude(order.session, all(order), None)),
    }
}

fn only_one(what: &str) -> Fault {
    Fault::usage(format!("{what} for one host, and `hosts` names several"))
        .hint("use a configuration with `host`, for one of them")
}

impl Order<'_> {
    pub(super) fn hosts(&self) -> Vec<Address> {
        self.spec.hosts.iter().flat_map(|hosts| hosts.0.clone()).collect()
    }

    fn session_of(&self, host: &Address, cancel: Cancel) -> Session {
        let only = host.host.clone();
        let twins = self.hosts().iter().filter(|other| other.host == only).count();
        let voice = if twins > 1 { host.to_string() } else { only };
        self.session.part(format!("{voice}:"), cancel)
    }

    /// Has something done on one host.
    pub(super) fn call(
        &self,
        host: &Address,
        verb: &'static str,
        args: Value,
        cancel: Cancel,
    ) -> anyhow::Result<Report> {
        self.ask(host, verb, args, cancel, None)
    }

    /// The same; somebody hears when the hosts are held.
    fn ask(
        &self,
        host: &Address,
        verb: &'static str,
        args: Value,
        cancel: Cancel,
        held: Option<Notify>,
    ) -> anyhow::Result<Report> {
        // What is on its way back, or is over, is not left half done for a moment's trouble.
        let finishes = args["turn"].is_u64() || args["fleet"]["over"].is_object();
        let entering = if finishes { PATIENCE } else { Duration::ZERO };
        let session = self.session_of(host, cancel);
        let begins = verb != "recover" && self.begins || verb == "rollback";
        let (host, programs) = (host.clone(), self.programs.clone());
        let wanted = Wanted { verb, begins, args, host, programs, held, entering };
        let report = remote::call(&session, self.loaded, self.spec, wanted);
        self.session.learn(&session);
        report
    }

    /// What is given to another verb: the same service, environment and state.
    pub(super) fn site(&self) -> Value {
        self.args["site"].clone()
    }

    /// Asks one host something of deployments over several.
    pub(super) fn question(
        &self,
        host: &Address,
        question: &Question,
        cancel: Cancel,
        held: Option<Notify>,
    ) -> anyhow::Result<Report> {
        let (queue, site) = (self.args["queue"].clone(), self.site());
        let args =
            json!({ "queue": queue, "site": site, "fleet": serde_json::to_value(question)? });
        self.ask(host, "recover", args, cancel, held)
    }

    /// Asks for the right to change all hosts, and goes along as long as there is a connection.
    pub(super) fn hold(&self, held: Notify, release: Cancel) -> anyhow::Result<Report> {
        let hosts = self.hosts();
        // The first by its name, in whatever order they stand.
        let keeper = hosts.iter().min_by_key(|host| host.to_string());
        let keeper = keeper.ok_or_else(|| Fault::usage("there are no hosts"))?;
        self.question(keeper, &Question::Hold, release, Some(held))
    }
}

/// The same on each host, whatever becomes of the others.
pub(super) fn all(order: &Order<'_>) -> Vec<Part> {
    let hosts = order.hosts();
    let one = |host: &Address| {
        let cancel = order.session.cancel.clone();
        Part::of(host, order.call(host, order.verb, order.args.clone(), cancel))
    };
    hosts.iter().map(one).collect()
}

/// A run is on one of them: the first that knows of it answers. One that cannot tell may be the one.
fn whoever_knows(order: &Order<'_>) -> anyhow::Result<Report> {
    let (mut unknown, mut trouble) = (None, None);
    for host in order.hosts() {
        let cancel = order.session.cancel.clone();
        match order.call(&host, order.verb, order.args.clone(), cancel) {
            Ok(report) => return Ok(report),
            Err(error) if classify(&error).0 == Exit::Usage => unknown = Some(error),
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    let nobody = || Fault::usage("there are no hosts").into();
    Err(trouble.or(unknown).unwrap_or_else(nobody))
}
