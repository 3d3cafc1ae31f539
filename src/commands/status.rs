//! `waveoff status`: what runs, since when, what was verified last, and who is changing it. It
//! changes nothing, and what is broken is said in its place.

mod lines;
mod traffic;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::site::{Site, SiteArgs, live_of};
use super::{Output, Session, Verb, output};
use crate::decide::fleet::Mark;
use crate::decide::history::{History, Live, Phase};
use crate::decide::verdict::Verdict;
use crate::decide::words::show_duration;
use crate::deploy::activity::{self, Activity};
use crate::deploy::critical::{self, Critical};
use crate::deploy::fleet;
use crate::report::v1::Report;

use traffic::Traffic;

/// Arguments of `status`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Status {
    #[command(flatten)]
    site: SiteArgs,
}

impl Verb for Status {
    const NAME: &'static str = "status";
    const ABOUT: &'static str = "Show what runs, what was verified last, and who is changing it";
    const OUTPUTS: &'static [Output] = &[
        output("live-version", "the version that serves, as far as it is known"),
        output("live-since", "since when"),
        output("verified-version", "the version that was verified last"),
        output("previous-version", "the version that a rollback would bring back"),
        output(
            "active-slot",
            "the slot that gets the traffic; empty when there is none, or not known",
        ),
        output("lock-owner", "who is changing it at this moment; empty when nobody is"),
        output("run", "the run of who is changing it"),
        output("progress", "what that run is doing, and how far it is"),
        output("stale", "true when it has got nowhere for longer than it declared, else false"),
        output("queue", "who waits in line to change it, one a line, the next one first"),
        output("interrupted", "the runs that were interrupted and wait for `recover`, one a line"),
        output(
            "critical-incident",
            "the deployment whose rollback failed, when a person is needed",
        ),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  waveoff status
  waveoff status --environment staging --json

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let site = self.site.open(session)?;
        let seen = look(session, &site)?;
        let Judged { verdict, summary, next } = judge(&site, &seen);
        lines::show(session, &site, &seen);
        let mut report = session.report(verdict, summary);
        report.next = next;
        report.service = Some(site.scope.service.to_string());
        report.environment = Some(site.scope.environment.to_string());
        report.outputs = outputs(&seen);
        Ok(report)
    }
}

/// Everything that can be seen.
struct Seen {
    history: History,
    activity: Activity,
    traffic: Traffic,
    critical: Option<Critical>,
    /// A deployment over several hosts that is not over everywhere.
    elsewhere: Result<Option<Mark>, String>,
}

/// A verdict with its words.
struct Judged {
    verdict: Verdict,
    summary: String,
    next: Option<String>,
}

fn look(session: &Session, site: &Site) -> anyhow::Result<Seen> {
    let (scope, state) = (&site.scope, &site.state);
    let activity = activity::look(scope, state);
    let history = site.history()?;
    let traffic = Traffic::look(session, site);
    let critical = critical::read(scope, state).unwrap_or_else(|why| {
        // What cannot be read was written when a rollback failed, all the same.
        Some(Critical { rollback_reason: why, what_to_do: look_around(), ..Critical::default() })
    });
    let critical = critical.or_else(|| remembered(&history));
    // Whoever was at it may have ended meanwhile: what is shown is of one moment.
    let after = activity::look(scope, state);
    let (activity, history) =
        if after == activity { (activity, history) } else { (after, site.history()?) };
    let elsewhere = fleet::kept(scope, state).map(|kept| kept.open);
    Ok(Seen { history, activity, traffic, critical, elsewhere })
}

/// The marker may be on another machine; the ledger knows as well.
fn remembered(history: &History) -> Option<Critical> {
    let Live::Unknown(deployment) = history.live() else { return None };
    (deployment.phase == Phase::RollbackFailed).then(|| Critical {
        when: deployment.changed.clone(),
        deployment: deployment.id.clone(),
        failed_version: deployment.release.version.clone(),
        target: deployment.rolled_back_to.as_ref().map(|target| target.version.clone()),
        rollback_reason: deployment.reason.clone().unwrap_or_default(),
        what_to_do: look_around(),
        ..Critical::default()
    })
}

fn look_around() -> String {
    "a person is needed: look at what runs, then `waveoff rollback`, or deploy a release that is \
     good"
        .into()
}

/// What the ledger says, held against what runs; then what else is the matter, the gravest last.
fn judge(site: &Site, seen: &Seen) -> Judged {
    let scope = site.scope.to_string();
    let mut judged = by_ledger(site, seen);
    let ledger = judged.summary.clone();
    let mut also = |verdict: Verdict, what: String, next: Option<String>| {
        judged.verdict = judged.verdict.max(verdict);
        judged.summary += &format!("; {what}");
        judged.next = next.or(judged.next.take());
    };
    if let Some(why) = seen.traffic.unknown() {
        also(Verdict::Inconclusive, format!("where the traffic goes is not known: {why}"), None);
    }
    let activity = &seen.activity;
    for open in &activity.interrupted {
        let what = format!("the run {} was interrupted at {}", open.run, open.progress);
        let next = "`waveoff recover` finishes it: all old or all new";
        also(Verdict::Inconclusive, what, Some(next.into()));
    }
    match &seen.elsewhere {
        Ok(None) => {}
        Ok(Some(mark)) => {
            let what = format!("the deployment of {} is not over on all hosts", mark.version);
            let next = "if nobody is at it any more, `waveoff recover` finishes it on all of them";
            also(Verdict::Inconclusive, what, Some(next.into()));
        }
        Err(why) => {
            let next = "look at it, and remove it if it is damaged";
            also(Verdict::Inconclusive, why.clone(), Some(next.into()));
        }
    }
    if let (Some(stale), Ok(Some(owner))) = (activity.stale, &activity.owner) {
        let what =
            format!("the run {} has got nowhere for {}", owner.run, show_duration(stale.age));
        let next = format!("`waveoff unlock --run {}`, then `waveoff recover`", owner.run);
        also(Verdict::Inconclusive, what, Some(next));
    }
    for why in activity.damaged.iter().chain(activity.owner.as_ref().err()) {
        let next = "nothing can be changed before that is mended: see what it says";
        also(Verdict::Inconclusive, why.clone(), Some(next.into()));
    }
    if let Some(critical) = &seen.critical {
        // The ledger's word for it says no more.
        let from = if remembered(&seen.history).is_some() { ledger.len() } else { scope.len() + 2 };
        let rest = judged.summary.get(from..).unwrap_or_default().trim_start_matches("; ");
        let rest = if rest.is_empty() { String::new() } else { format!("; {rest}") };
        judged.summary = format!("{scope}: a person is needed: {}{rest}", lines::what(critical));
        judged.verdict = Verdict::Fail;
        judged.next = Some(critical.what_to_do.clone());
    }
    judged
}

fn by_ledger(site: &Site, seen: &Seen) -> Judged {
    let scope = &site.scope;
    let judged = |verdict, summary, next: Option<&str>| Judged {
        verdict,
        summary,
        next: next.map(str::to_owned),
    };
    let busy = !matches!(seen.activity.owner, Ok(None));
    match seen.history.live() {
        Live::Nothing => judged(Verdict::Pass, format!("{scope}: nothing was ever deployed"), None),
        Live::Unknown(deployment) if busy => {
            let version = &deployment.release.version;
            judged(Verdict::Inconclusive, format!("{scope}: {version} is on its way"), None)
        }
        Live::Unknown(deployment) => judged(
            Verdict::Inconclusive,
            format!(
                "{scope}: the deployment of {} {}; what runs was not verified",
                deployment.release.version,
                lines::phase(deployment.phase)
            ),
            Some("look at what runs, then deploy a release that is good, or `waveoff rollback`"),
        ),
        Live::Verified(release, since) => match seen.traffic.contradiction(site, &release) {
            // What is being changed is not what it was for a while.
            Some(why) if busy => judged(
                Verdict::Inconclusive,
                format!("{scope}: {} was live until now, and {why}", release.version),
                None,
            ),
            Some(why) => judged(
                Verdict::Fail,
                format!("{scope}: {} should run, and {why}", release.version),
                Some(
                    "`waveoff deploy` the version that should run: it is started and verified again",
                ),
            ),
            None => judged(
                Verdict::Pass,
                format!("{scope}: {} is live, verified, since {since}", release.version),
                None,
            ),
        },
    }
}

fn outputs(seen: &Seen) -> std::collections::BTreeMap<String, String> {
    let Seen { history, activity, traffic, critical, .. } = seen;
    let live = live_of(history);
    let since = match history.live() {
        Live::Verified(_, since) => since,
        Live::Nothing | Live::Unknown(_) => String::new(),
    };
    let version = traffic.version(live.as_ref().map(|live| live.version.clone()));
    let verified = history.verified().first().map(|last| last.release.version.clone());
    let target = history.target(&live.unwrap_or_default()).map(|target| target.version.clone());
    let owner = activity.owner.as_ref().ok().and_then(Option::as_ref);
    let lines = |all: Vec<String>| all.join("\n");
    let queue = activity.queue.as_deref().unwrap_or_default();
    let progress = activity.progress.as_ref().map(|open| open.progress.to_string());
    [
        ("live-version", version.unwrap_or_default()),
        ("live-since", since),
        ("verified-version", verified.unwrap_or_default()),
        ("previous-version", target.unwrap_or_default()),
        ("active-slot", traffic.active_slot().unwrap_or_default().to_owned()),
        ("lock-owner", owner.map(ToString::to_string).unwrap_or_default()),
        ("run", owner.map(|owner| owner.run.clone()).unwrap_or_default()),
        ("progress", progress.unwrap_or_default()),
        ("stale", activity.stale.is_some().to_string()),
        ("queue", lines(queue.iter().map(ToString::to_string).collect())),
        ("interrupted", lines(activity.interrupted.iter().map(|o| o.run.clone()).collect())),
        ("critical-incident", critical.as_ref().map(lines::key).unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
