//! Follows the course over several hosts: does what it says is next, and tells it what came of it.

use super::across::Order;
use super::hold::{Hold, Since};
use super::summary::{Part, conclude};
use super::{Fleet, Question, member};
use crate::commands::rollback::Rollback;
use crate::config::ssh::Address;
use crate::decide::fleet::Member;
use crate::decide::fleet::course::{Course, Done, Ending, Landed, Obstacle, Step, Wanted, Way};
use crate::decide::words::count;
use crate::deploy::new_id;
use crate::exit::{Fault, classify};
use crate::host::signals::Cancel;
use crate::report::v1::Report;

/// How many hosts are gone with at the same time, whatever `batch` allows.
const AT_ONCE: usize = 32;

/// Deploys in batches; when one host fails, those that have it already get back what they had.
pub(super) fn deploy(order: &Order<'_>, hold: &Hold) -> anyhow::Result<Report> {
    let size = order.spec.batch.unwrap_or(1).max(1) as usize;
    let mut followed = Followed::new(order, hold, Some(Wanted { id: new_id(), batch: size }));
    match followed.go()? {
        Done::Settled | Done::Unsettled | Done::Unheard => {
            Ok(conclude(order.session, followed.left, None))
        }
        Done::Live => Ok(conclude(order.session, followed.parts, None)),
        Done::TakenBack => Ok(conclude(order.session, followed.parts, Some(followed.back))),
        Done::TakenOver => {
            order.session.say(
                "          | others may have changed the hosts: nothing is brought back from here",
            );
            if followed.parts.iter().all(Part::is_good) {
                let text =
                    "the release was on all hosts, and another caller has changed them since";
                return Err(Fault::error(text)
                    .hint("`waveoff status` tells what is live now")
                    .into());
            }
            Ok(conclude(order.session, followed.parts, None))
        }
    }
}

/// Finishes what callers left that were lost.
pub(super) fn recover(order: &Order<'_>, hold: &Hold) -> anyhow::Result<Report> {
    let (mut parts, members) = settle(order, hold)?;
    if parts.is_empty() {
        parts = members.iter().map(Part::told).collect();
    }
    Ok(conclude(order.session, parts, None))
}

/// The same, and gives what is so then.
pub(super) fn settle(order: &Order<'_>, hold: &Hold) -> anyhow::Result<(Vec<Part>, Vec<Member>)> {
    let mut followed = Followed::new(order, hold, None);
    followed.go()?;
    Ok((followed.left, followed.course.before().to_vec()))
}

/// A course that is followed.
struct Followed<'a> {
    order: &'a Order<'a>,
    hold: &'a Hold,
    course: Course,
    /// The turn at the hosts for which all is done.
    turn: u64,
    id: String,
    hosts: Vec<Address>,
    /// What became of what others had left.
    left: Vec<Part>,
    /// What became of the release on each host.
    parts: Vec<Part>,
    /// What was brought back of it.
    back: Vec<Part>,
}

impl<'a> Followed<'a> {
    fn new(order: &'a Order<'a>, hold: &'a Hold, release: Option<Wanted>) -> Self {
        let hosts = order.hosts();
        let id = release.as_ref().map(|release| release.id.clone()).unwrap_or_default();
        let names = hosts.iter().map(Address::to_string).collect();
        let (course, turn) = (Course::new(names, release), hold.turn());
        let (left, parts, back) = (Vec::new(), Vec::new(), Vec::new());
        Self { order, hold, course, turn, id, hosts, left, parts, back }
    }

    fn go(&mut self) -> anyhow::Result<Done> {
        loop {
            match self.course.step() {
                Step::Ask => self.ask()?,
                Step::Over(ending) => self.over(&ending)?,
                Step::Hold => self.hold(),
                Step::Deploy(hosts) => self.deploy(&hosts)?,
                Step::Back(way) => self.bring_back(&way),
                Step::Done(Done::Unsettled) if self.left.iter().all(Part::is_good) => {
                    let text = "what other callers left open cannot be finished";
                    let hint = "look at every host with `waveoff status`";
                    return Err(Fault::error(text).hint(hint).into());
                }
                Step::Done(done) => {
                    self.leave_the_rest();
                    return Ok(done);
                }
            }
        }
    }

    fn say(&self, line: &str) {
        self.order.session.say(&format!("          | {line}"));
    }

    fn named(&self, names: &[String]) -> Vec<Address> {
        let named = names.iter();
        named
            .filter_map(|name| self.hosts.iter().find(|host| host.to_string() == *name))
            .cloned()
            .collect()
    }

    /// Asks every host what is live there and whether something is open, after each has finished what
    /// was interrupted on it. All must answer: what is not known of one of them decides nothing.
    fn ask(&mut self) -> anyhow::Result<()> {
        let (order, question) = (self.order, Question::Tell(self.turn));
        // Once something is on its way, a cancellation takes it back, and leaves nothing unasked.
        let cancel = match self.parts.is_empty() {
            true => order.session.cancel.clone(),
            false => Cancel::default(),
        };
        let members: anyhow::Result<Vec<Member>> = together(&self.hosts, |host| {
            let name = host.to_string();
            let report = order.question(host, &question, cancel.clone(), None);
            report.and_then(|report| member(&name, &report)).map_err(|error| of(&name, &error))
        })
        .into_iter()
        .collect();
        match members {
            Ok(members) => self.course.heard(Some(members)),
            Err(error) => {
                self.course.heard(None);
                if self.course.step() == Step::Done(Done::Unheard) {
                    return Err(error);
                }
                self.say(&format!("{error:#}"));
            }
        }
        Ok(())
    }

    /// Tells every host that a deployment is over.
    fn over(&mut self, ending: &Ending) -> anyhow::Result<()> {
        let (order, turn) = (self.order, self.turn);
        let id = match ending {
            Ending::Own(id) => id,
            Ending::AllNew(mark) => {
                self.say(&format!("{} is live on every host: it is over", mark.version));
                &mark.id
            }
            Ending::AllOld(mark) => &mark.id,
        };
        let question = Question::Over { turn, id: id.clone() };
        let told =
            together(&self.hosts, |host| order.question(host, &question, Cancel::default(), None));
        match (told.into_iter().find_map(Result::err), ending) {
            (None, _) => {}
            // It is so whether they hear it or not: who comes next finds all of them alike.
            (Some(error), Ending::Own(_)) => {
                self.say(&format!("{error:#}: `waveoff recover` tells it again"));
            }
            (Some(error), _) => return Err(error),
        }
        self.course.told();
        Ok(())
    }

    fn hold(&mut self) {
        let since = self.hold.since();
        let again = match since {
            Ok((turn, since)) => {
                self.turn = turn;
                Some(since == Since::Again)
            }
            Err(error) => {
                self.say(&format!("{error:#}"));
                None
            }
        };
        self.course.held(again, self.order.session.cancel.reason());
    }

    fn deploy(&mut self, batch: &[String]) -> anyhow::Result<()> {
        let order = self.order;
        let hosts = self.hosts.iter().map(Address::to_string).collect();
        let fleet = Fleet { turn: self.turn, id: self.id.clone(), hosts };
        let mut args = order.args.clone();
        args["fleet"] = serde_json::to_value(&fleet)?;
        let batch = self.named(batch);
        let reports = together(&batch, |host| {
            order.call(host, order.verb, args.clone(), order.session.cancel.clone())
        });
        let parts = batch.iter().zip(reports).map(|(host, report)| {
            let was = self.course.before().iter().find(|member| member.host == host.to_string());
            Part::of(host, report).after(was.and_then(|member| member.live.as_ref()))
        });
        let parts: Vec<Part> = parts.collect();
        self.course.landed(&parts.iter().map(Part::landed).collect::<Vec<Landed>>());
        self.parts.extend(parts);
        Ok(())
    }

    /// Hosts that were not come to, and why.
    fn leave_the_rest(&mut self) {
        let Some(obstacle) = self.course.obstacle() else { return };
        let why = match obstacle {
            Obstacle::Failed => "another host failed".to_owned(),
            Obstacle::Cancelled(signal) => format!("cancelled by {signal}"),
            Obstacle::TakenOver => "another caller may have changed the hosts meanwhile".to_owned(),
        };
        let rest = self.hosts.iter().skip(self.parts.len());
        self.parts.extend(rest.map(|host| Part::untouched(host, &why)));
    }

    /// Brings hosts back to what each of them had. Like every way back it is not cancelled.
    fn bring_back(&mut self, way: &Way) {
        self.announce(way);
        let (order, turn) = (self.order, self.turn);
        let (failed, why) = match &way.of {
            Some(mark) => (mark.version.as_str(), "it is not live on every host".to_owned()),
            None => {
                let failed = self.parts.iter().find(|part| !part.is_good());
                let version = order.args["version"].as_str().unwrap_or_default();
                (version, failed.map(Part::why).unwrap_or_default())
            }
        };
        let mut parts = Vec::new();
        for (name, release) in &way.hosts {
            let Some(host) = self.hosts.iter().find(|host| host.to_string() == *name) else {
                continue;
            };
            let reason = format!("{failed} is taken back everywhere: {why}");
            let site = serde_json::from_value(order.site()).map_err(anyhow::Error::from);
            let report = site
                .and_then(|site| Rollback::back_to(release, reason, turn, site))
                .and_then(|args| order.call(host, "rollback", args, Cancel::default()));
            parts.push(Part::back(host, report));
        }
        self.course.back(&parts.iter().map(Part::is_good).collect::<Vec<bool>>());
        parts.extend(way.stuck.iter().map(|host| Part::stuck(host, failed)));
        parts.extend(way.strays.iter().map(|host| Part::stray(host, failed)));
        match way.of {
            Some(_) => self.left.extend(parts),
            None => self.back.extend(parts),
        }
    }

    fn announce(&mut self, way: &Way) {
        match &way.of {
            Some(mark) => self.say(&format!(
                "the deployment of {} on {} was interrupted, and not every host has it: {} brought back",
                mark.version,
                mark.hosts.join(", "),
                count(way.hosts.len(), "host"),
            )),
            None => self.leave_the_rest(),
        }
    }
}

/// An error of one host.
fn of(host: &str, error: &anyhow::Error) -> anyhow::Error {
    let (_, hint) = classify(error);
    let fault = Fault::error(format!("{host}: {error:#}"));
    match hint {
        Some(hint) => fault.hint(hint).into(),
        None => fault.into(),
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
