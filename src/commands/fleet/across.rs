//! The caller's side of several hosts: asks them in their order, and brings back those that are done
//! when one fails.

use serde_json::{Value, json};

use super::summary::{Part, conclude};
use super::{Fleet, Question, member};
use crate::commands::Session;
use crate::config::Loaded;
use crate::config::ssh::{Address, RemoteSpec};
use crate::decide::fleet::{Finish, Member, finish};
use crate::deploy::new_id;
use crate::exit::{Exit, Fault, classify};
use crate::host::signals::Cancel;
use crate::remote::{self, Wanted};
use crate::report::v1::Report;

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
        "deploy" if changes => deploy(order),
        "recover" => recover(order),
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
    fn hosts(&self) -> Vec<Address> {
        self.spec.hosts.iter().flat_map(|hosts| hosts.0.clone()).collect()
    }

    fn session_of(&self, host: &Address, cancel: Cancel) -> Session {
        let only = host.host.clone();
        let twins = self.hosts().iter().filter(|other| other.host == only).count();
        let voice = if twins > 1 { host.to_string() } else { only };
        self.session.part(format!("{voice}:"), cancel)
    }

    /// Has something done on one host.
    fn call(
        &self,
        host: &Address,
        verb: &'static str,
        args: Value,
        cancel: Cancel,
    ) -> anyhow::Result<Report> {
        let session = self.session_of(host, cancel);
        let begins = verb != "recover" && self.begins || verb == "rollback";
        let (host, programs) = (host.clone(), self.programs.clone());
        let wanted = Wanted { verb, begins, args, host, programs };
        let report = remote::call(&session, self.loaded, self.spec, wanted);
        self.session.learn(&session);
        report
    }

    /// What is given to another verb: the same service, environment and state.
    fn site(&self) -> Value {
        self.args["site"].clone()
    }

    fn question(&self, question: &Question) -> anyhow::Result<Value> {
        Ok(json!({ "queue": null, "site": self.site(), "fleet": serde_json::to_value(question)? }))
    }
}

/// The same on each host, whatever becomes of the others.
fn all(order: &Order<'_>) -> Vec<Part> {
    let hosts = order.hosts();
    let one = |host: &Address| {
        let cancel = order.session.cancel.clone();
        Part::of(host, order.call(host, order.verb, order.args.clone(), cancel))
    };
    hosts.iter().map(one).collect()
}

/// A run is on one of them: the first that knows of it answers.
fn whoever_knows(order: &Order<'_>) -> anyhow::Result<Report> {
    let mut last = Err(Fault::usage("there are no hosts").into());
    for host in order.hosts() {
        let cancel = order.session.cancel.clone();
        last = order.call(&host, order.verb, order.args.clone(), cancel);
        match &last {
            Err(error) if classify(error).0 == Exit::Usage => {}
            _ => break,
        }
    }
    last
}

/// Asks every host what is live there and whether something is open, after each has finished what was
/// interrupted on it. All must answer: what is not known of one of them decides nothing.
fn ask(order: &Order<'_>) -> anyhow::Result<Vec<Member>> {
    let args = order.question(&Question::Tell)?;
    let hosts = order.hosts();
    let tell = |host: &Address| {
        let name = host.to_string();
        let report = order.call(host, "recover", args.clone(), order.session.cancel.clone());
        report.and_then(|report| member(&name, &report)).map_err(|error| {
            let (_, hint) = classify(&error);
            let fault = Fault::error(format!("{name}: {error:#}"));
            match hint {
                Some(hint) => fault.hint(hint).into(),
                None => fault.into(),
            }
        })
    };
    hosts.iter().map(tell).collect()
}

/// Finishes what a lost caller left, and gives what is so then.
fn settle(order: &Order<'_>) -> anyhow::Result<(Vec<Part>, Vec<Member>)> {
    let mut parts = Vec::new();
    let mut members = ask(order)?;
    // Each round ends one of them.
    for _ in 0..=members.len() {
        match finish(&members) {
            None => return Ok((parts, members)),
            Some(Finish::AllNew { mark }) => {
                let version = &mark.version;
                order
                    .session
                    .say(&format!("          | {version} is live on every host: it is over"));
                over(order, &mark.id)?;
            }
            Some(Finish::BringBack { mark, hosts, stuck }) => {
                let version = &mark.version;
                let line = format!(
                    "          | the deployment of {version} on {} was interrupted, and not every host \
                     has it: {} brought back",
                    mark.hosts.join(", "),
                    crate::decide::words::count(hosts.len(), "host"),
                );
                order.session.say(&line);
                let back = bring_back(order, &hosts, version, "it is not live on every host");
                let failed = back.iter().any(|part| !part.is_good());
                parts.extend(back);
                parts.extend(stuck.iter().map(|host| Part::stuck(host, version)));
                if failed {
                    return Ok((parts, members));
                }
                over(order, &mark.id)?;
            }
        }
        members = ask(order)?;
    }
    Ok((parts, members))
}

/// Brings hosts back to what each of them had. Like every way back it is not cancelled.
fn bring_back(order: &Order<'_>, hosts: &[(String, String)], failed: &str, why: &str) -> Vec<Part> {
    let known = order.hosts();
    let one = |(name, version): &(String, String)| {
        let host = known.iter().find(|host| host.to_string() == *name)?;
        let reason = format!("{failed} is taken back everywhere: {why}");
        let args = json!({
            "to": version, "list": false, "reason": reason, "failed_version": null,
            "failed_sha": null, "failed_digest": [], "preserve_data": false,
            "no_forensics": false, "dry_run": false, "queue": null, "site": order.site(),
        });
        Some(Part::back(host, order.call(host, "rollback", args, Cancel::default())))
    };
    hosts.iter().filter_map(one).collect()
}

/// Tells every host that a deployment is over everywhere.
fn over(order: &Order<'_>, id: &str) -> anyhow::Result<()> {
    let args = order.question(&Question::Over(id.to_owned()))?;
    for host in order.hosts() {
        order.call(&host, "recover", args.clone(), Cancel::default())?;
    }
    Ok(())
}

fn recover(order: &Order<'_>) -> anyhow::Result<Report> {
    let (mut parts, members) = settle(order)?;
    if parts.is_empty() {
        parts = members.iter().map(Part::told).collect();
    }
    Ok(conclude(order.session, parts, None))
}

/// In batches; when one host fails, those that have it already get back what they had.
fn deploy(order: &Order<'_>) -> anyhow::Result<Report> {
    let (left, before) = settle(order)?;
    if left.iter().any(|part| !part.is_good()) {
        return Ok(conclude(order.session, left, None));
    }
    let hosts = order.hosts();
    let fleet = Fleet { id: new_id(), hosts: hosts.iter().map(Address::to_string).collect() };
    let mut args = order.args.clone();
    args["fleet"] = serde_json::to_value(&fleet)?;
    let size = order.spec.batch.unwrap_or(1).max(1) as usize;
    let mut parts: Vec<Part> = Vec::new();
    for batch in hosts.chunks(size) {
        if let Some(signal) = order.session.cancel.reason() {
            let why = format!("cancelled by {signal}");
            parts.extend(batch.iter().map(|host| Part::untouched(host, &why)));
        } else if parts.iter().all(Part::is_good) {
            parts.extend(together(order, batch, &args));
        } else {
            parts.extend(batch.iter().map(|host| Part::untouched(host, "another host failed")));
        }
    }
    let Some(why) = parts.iter().find(|part| !part.is_good()).map(Part::why) else {
        over(order, &fleet.id)?;
        return Ok(conclude(order.session, parts, None));
    };
    let version = order.args["version"].as_str().unwrap_or_default();
    let done = parts.iter().rev().filter(|part| part.has_changed());
    let live = |host: &str| before.iter().find(|m| m.host == host).and_then(|m| m.live.clone());
    let (mut hosts, mut stuck) = (Vec::new(), Vec::new());
    for part in done {
        match live(&part.host) {
            Some(live) => hosts.push((part.host.clone(), live)),
            None => stuck.push(Part::stuck(&part.host, version)),
        }
    }
    let mut back = bring_back(order, &hosts, version, &why);
    back.extend(stuck);
    // What one of them ended with is not known: whoever comes next asks it, and finishes this.
    let is_known = !parts.iter().any(Part::is_unknown) && back.iter().all(Part::is_good);
    if is_known && let Err(error) = over(order, &fleet.id) {
        order.session.say(&format!("          | {error:#}: `waveoff recover` tells it again"));
    }
    Ok(conclude(order.session, parts, Some(back)))
}

/// One batch, all of its hosts at once.
fn together(order: &Order<'_>, batch: &[Address], args: &Value) -> Vec<Part> {
    std::thread::scope(|scope| {
        let one = |host: Address| {
            let cancel = order.session.cancel.clone();
            scope
                .spawn(move || Part::of(&host, order.call(&host, order.verb, args.clone(), cancel)))
        };
        let running: Vec<_> = batch.iter().cloned().map(one).collect();
        let ended = running.into_iter().zip(batch).map(|(thread, host)| {
            let lost = |_| Part::of(host, Err(Fault::error("its thread was lost").into()));
            thread.join().unwrap_or_else(lost)
        });
        ended.collect()
    })
}
