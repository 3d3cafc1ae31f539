//! The caller's side of several hosts: asks them in their order, and brings back those that are done
//! when one fails.

use serde_json::{Value, json};

use super::back::rollback;
use super::hold::{Hold, Since, holding};
use super::summary::{Part, conclude};
use super::{Fleet, Question, member};
use crate::commands::Session;
use crate::commands::rollback::Rollback;
use crate::config::Loaded;
use crate::config::ssh::{Address, RemoteSpec};
use crate::decide::fleet::{Finish, Member, finish, is_closed, is_own_still};
use crate::deploy::new_id;
use crate::exit::{Exit, Fault, classify};
use crate::host::signals::Cancel;
use crate::remote::{self, Notify, Wanted};
use crate::report::v1::Report;

/// How many hosts are gone with at the same time, whatever `batch` allows.
const AT_ONCE: usize = 32;

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
        "recover" => holding(order, |_| recover(order)),
        "rollback" if changes && order.args["list"] != true => holding(order, |_| rollback(order)),
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
        let session = self.session_of(host, cancel);
        let begins = verb != "recover" && self.begins || verb == "rollback";
        let (host, programs) = (host.clone(), self.programs.clone());
        let wanted = Wanted { verb, begins, args, host, programs, held };
        let report = remote::call(&session, self.loaded, self.spec, wanted);
        self.session.learn(&session);
        report
    }

    /// What is given to another verb: the same service, environment and state.
    fn site(&self) -> Value {
        self.args["site"].clone()
    }

    fn question(&self, question: &Question) -> anyhow::Result<Value> {
        let (queue, site) = (self.args["queue"].clone(), self.site());
        Ok(json!({ "queue": queue, "site": site, "fleet": serde_json::to_value(question)? }))
    }

    /// Asks for the right to change all hosts, and goes along as long as there is a connection.
    pub(super) fn hold(&self, held: Notify, release: Cancel) -> anyhow::Result<Report> {
        let args = self.question(&Question::Hold)?;
        let hosts = self.hosts();
        // The first by its name, in whatever order they stand.
        let keeper = hosts.iter().min_by_key(|host| host.to_string());
        let keeper = keeper.ok_or_else(|| Fault::usage("there are no hosts"))?;
        self.ask(keeper, "recover", args, release, Some(held))
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
    together(&order.hosts(), tell).into_iter().collect()
}

/// Finishes what a lost caller left, and gives what is so then.
pub(super) fn settle(order: &Order<'_>) -> anyhow::Result<(Vec<Part>, Vec<Member>)> {
    let mut parts = Vec::new();
    let mut members = ask(order)?;
    // Two rounds end one of them: it is taken over first, lest it goes on where it was asked already.
    for _ in 0..=2 * members.len() {
        match finish(&members) {
            None => return Ok((parts, members)),
            Some(found) if !is_closed(&members, &found.mark().id) => {
                everywhere(order, &Question::Close(found.mark().id.clone()))?;
            }
            Some(Finish::AllNew { mark }) => {
                let version = &mark.version;
                order
                    .session
                    .say(&format!("          | {version} is live on every host: it is over"));
                everywhere(order, &Question::Over(mark.id))?;
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
                everywhere(order, &Question::Over(mark.id))?;
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
        let site = serde_json::from_value(order.site()).map_err(anyhow::Error::from);
        let report = site
            .and_then(|site| Rollback::back_to(version, reason, site))
            .and_then(|args| order.call(host, "rollback", args, Cancel::default()));
        Some(Part::back(host, report))
    };
    hosts.iter().filter_map(one).collect()
}

/// Tells every host something of a deployment.
fn everywhere(order: &Order<'_>, word: &Question) -> anyhow::Result<()> {
    let args = order.question(word)?;
    let tell = |host: &Address| order.call(host, "recover", args.clone(), Cancel::default());
    together(&order.hosts(), tell).into_iter().try_for_each(|told| told.map(drop))
}

fn recover(order: &Order<'_>) -> anyhow::Result<Report> {
    let (mut parts, members) = settle(order)?;
    if parts.is_empty() {
        parts = members.iter().map(Part::told).collect();
    }
    Ok(conclude(order.session, parts, None))
}

/// In batches; when one host fails, those that have it already get back what they had.
fn deploy(order: &Order<'_>, hold: &Hold) -> anyhow::Result<Report> {
    let (left, before) = settle(order)?;
    if left.iter().any(|part| !part.is_good()) {
        return Ok(conclude(order.session, left, None));
    }
    let hosts = order.hosts();
    let fleet = Fleet { id: new_id(), hosts: hosts.iter().map(Address::to_string).collect() };
    let mut args = order.args.clone();
    args["fleet"] = serde_json::to_value(&fleet)?;
    let size = order.spec.batch.unwrap_or(1).max(1) as usize;
    let going = Going { order, hold, id: &fleet.id, before: &before };
    let mut parts: Vec<Part> = Vec::new();
    for batch in hosts.chunks(size) {
        match going.obstacle(&parts) {
            None => {
                let one = |host: &Address| {
                    order.call(host, order.verb, args.clone(), order.session.cancel.clone())
                };
                let ended = batch.iter().zip(together(batch, one));
                parts.extend(ended.map(|(host, report)| Part::of(host, report)));
            }
            Some(why) => parts.extend(batch.iter().map(|host| Part::untouched(host, &why))),
        }
    }
    let Some(why) = parts.iter().find(|part| !part.is_good()).map(Part::why) else {
        going.over();
        return Ok(conclude(order.session, parts, None));
    };
    if let Err(why) = going.is_own(&parts) {
        order.session.say(&format!("          | {why:#}: nothing is brought back from here"));
        return Ok(conclude(order.session, parts, None));
    }
    let back = going.bring_back(&parts, &why);
    // What one of them ended with is not known: whoever comes next asks it, and finishes this.
    if !parts.iter().any(Part::is_unknown) && back.iter().all(Part::is_good) {
        going.over();
    }
    Ok(conclude(order.session, parts, Some(back)))
}

/// A deployment on its way.
struct Going<'a> {
    order: &'a Order<'a>,
    hold: &'a Hold,
    id: &'a str,
    /// How the hosts were before it.
    before: &'a [Member],
}

impl Going<'_> {
    /// Why the next hosts are not come to, if so.
    fn obstacle(&self, parts: &[Part]) -> Option<String> {
        if let Some(signal) = self.order.session.cancel.reason() {
            return Some(format!("cancelled by {signal}"));
        }
        if !parts.iter().all(Part::is_good) {
            return Some("another host failed".into());
        }
        self.is_own(parts).err().map(|why| format!("{why:#}"))
    }

    /// Sees to it that the hosts are held, and that nobody took this over while they were not.
    fn is_own(&self, parts: &[Part]) -> anyhow::Result<()> {
        let Since::Again(times) = self.hold.since()? else { return Ok(()) };
        let done: Vec<&str> =
            parts.iter().filter(|part| part.has_changed()).map(Part::host).collect();
        match is_own_still(&ask(self.order)?, self.id, &done, self.before) {
            true => {
                self.hold.trust(times);
                Ok(())
            }
            false => Err(Fault::error("another caller changed the hosts meanwhile").into()),
        }
    }

    /// Brings those that have it back to what they had.
    fn bring_back(&self, parts: &[Part], why: &str) -> Vec<Part> {
        let version = self.order.args["version"].as_str().unwrap_or_default();
        let before = |host: &str| self.before.iter().find(|member| member.host == host);
        let (mut hosts, mut stuck) = (Vec::new(), Vec::new());
        for host in parts.iter().rev().filter(|part| part.has_changed()).map(Part::host) {
            match before(host).and_then(|member| member.live.clone()) {
                Some(live) => hosts.push((host.to_owned(), live)),
                None => stuck.push(Part::stuck(host, version)),
            }
        }
        let mut back = bring_back(self.order, &hosts, version, why);
        back.extend(stuck);
        back
    }

    /// Tells every host that it is over. It is so whether they hear it or not: who comes next
    /// finds all of them alike.
    fn over(&self) {
        if let Err(error) = everywhere(self.order, &Question::Over(self.id.to_owned())) {
            self.order
                .session
                .say(&format!("          | {error:#}: `waveoff recover` tells it again"));
        }
    }
}

/// Does something about several hosts at once, and gives what came of it in their order.
fn together<T: Send>(
    hosts: &[Address],
    one: impl Fn(&Address) -> anyhow::Result<T> + Sync,
) -> Vec<anyhow::Result<T>> {
    let one = &one;
    let several = |hosts: &[Address]| {
        std::thread::scope(|scope| {
            let running: Vec<_> =
                hosts.iter().cloned().map(|host| scope.spawn(move || one(&host))).collect();
            let lost = |_| Err(Fault::error("its thread was lost").into());
            let ended = running.into_iter().map(|thread| thread.join().unwrap_or_else(lost));
            ended.collect::<Vec<_>>()
        })
    };
    hosts.chunks(AT_ONCE).flat_map(several).collect()
}
