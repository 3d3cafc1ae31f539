//! `waveoff rollback`: bring a verified release back, because a person says so.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::{Engine, Task};
use super::site::{Site, SiteArgs, live_of};
use super::{Output, Session, Verb, ending, follow, named, transact};
use crate::checks::{self, Target};
use crate::config::values::Period;
use crate::decide::history::{Deployment, History, Phase, Release};
use crate::decide::journal::{Begun, Keeping, Way};
use crate::decide::plan::View;
use crate::decide::strategy::{self, Current, Return};
use crate::decide::verdict::Verdict;
use crate::decide::words::same_version;
use crate::deploy::setup::Overrides;
use crate::deploy::story::Story;
use crate::deploy::{fleet, migrated, new_id};
use crate::exit::{Exit, Fault};
use crate::report::v1::Report;

/// Arguments of `rollback`.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
pub struct Rollback {
    /// The version to bring back, a verified one [default: the last verified before the live one]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Print the versions that can be brought back, and change nothing
    #[arg(long)]
    list: bool,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The version that runs and has failed, where others deployed it: it is recorded, too
    #[arg(long, value_name = "VERSION", conflicts_with = "list")]
    failed_version: Option<String>,
    /// Its commit
    #[arg(long, value_name = "SHA", requires = "failed_version")]
    failed_sha: Option<String>,
    /// A digest or checksum of it; several with commas [repeatable]
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', requires = "failed_version")]
    failed_digest: Vec<String>,
    /// Leave the database as it is, although it was migrated since
    #[arg(long)]
    preserve_data: bool,
    /// Keep no evidence of the release that is taken back
    #[arg(long)]
    no_forensics: bool,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How long to wait in line for a deployment that is on its way [default: 1h]
    #[arg(long, value_name = "DURATION")]
    queue: Option<Period>,
    #[command(flatten)]
    pub(super) site: SiteArgs,
    /// The caller's turn at several hosts.
    #[arg(skip)]
    #[serde(default)]
    turn: Option<u64>,
    /// The digests of what is brought back there: its version alone may be that of another one.
    #[arg(skip)]
    #[serde(default)]
    digests: Vec<String>,
}

impl Verb for Rollback {
    const NAME: &'static str = "rollback";
    const ABOUT: &'static str = "Bring a verified release back";
    const OUTPUTS: &'static [Output] = ending::OUTPUTS;
    const BEGINS: bool = true;
    const EXAMPLES: &'static str = "\
Examples:
  waveoff rollback --list
  waveoff rollback --dry-run
  waveoff rollback --to v1.3.2 --reason 'orders fail since v1.4.0'
  waveoff rollback --failed-version v1.4.0       # deployed by others

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let site = self.site.open(session)?;
        site.telling(session)?;
        let history = site.history()?;
        if self.list {
            return Ok(list(session, &site, &history));
        }
        let route = self.choose(&site, &history)?;
        let begun = self.begun(session, &site, &history, &route, "")?;
        site.check(&begun, false)?;
        if self.dry_run {
            site.tell_plan(&Story::new(session), &begun);
            let version = &route.target.version;
            let summary = format!("{version} would be brought back; nothing was changed");
            let target = &route.target;
            return Ok(ending::nothing(session, &site.scope, target, Verdict::Pass, summary));
        }
        let queue = self.queue.map(|queue| queue.0);
        follow::perform(session, &self.site.clone(), Task::Rollback(Box::new(self)), queue)
    }
}

/// From where to where.
struct Route {
    from: From,
    target: Release,
}

/// What is taken back.
enum From {
    /// A deployment that the ledger knows.
    Ours(Box<Deployment>),
    /// A release that others deployed, and that the ledger does not know as what runs.
    Elsewhere(Release),
}

impl From {
    fn release(&self) -> &Release {
        match self {
            From::Ours(deployment) => &deployment.release,
            From::Elsewhere(release) => release,
        }
    }

    fn id(&self) -> String {
        match self {
            From::Ours(deployment) => deployment.id.clone(),
            From::Elsewhere(_) => new_id(),
        }
    }
}

impl Rollback {
    /// Of a release that is taken back, as it travels.
    pub(super) fn back_to(
        release: &Release,
        reason: String,
        turn: u64,
        site: SiteArgs,
    ) -> anyhow::Result<Value> {
        let (to, digests) = (Some(release.version.clone()), release.digests.clone());
        let (reason, turn) = (Some(reason), Some(turn));
        Ok(serde_json::to_value(Self { to, digests, reason, turn, site, ..Self::default() })?)
    }

    /// What it does, for whoever waits behind it.
    pub(super) fn doing(&self) -> String {
        match &self.to {
            Some(version) => format!("rollback to {version}"),
            None => "rollback".into(),
        }
    }

    /// Whether finishing an interrupted deployment did what is wanted here.
    pub(super) fn is_answered_by(&self, recovered: &Report) -> bool {
        let live = recovered.deployment.as_ref().and_then(|of| of.live_version.as_deref());
        let wanted =
            self.to.as_deref().is_none_or(|to| live.is_some_and(|is| same_version(is, to)));
        recovered.exit_code == Exit::RolledBack.code() && self.failed_version.is_none() && wanted
    }

    /// Does it, with the lock.
    pub(super) fn perform(&self, engine: &Engine<'_>) -> anyhow::Result<Report> {
        let Engine { session, site, .. } = engine;
        let telling = site.telling(session)?;
        // Whoever had the lock before may have changed what there is to go back from.
        let history = site.history()?;
        let route = self.choose(site, &history)?;
        let begun = self.begun(session, site, &history, &route, engine.by)?;
        engine.prepare_way_back(&begun, false)?;
        site.check(&begun, false)?;
        if let Some(turn) = self.turn {
            fleet::hear(&site.scope, &site.state, turn)
                .map_err(|why| Fault::error(why).hint("nothing was touched here"))?;
        }
        let (old, new) = (&begun.release.version, &route.target.version);
        let text = format!("{}: from {old} to {new}: {}", site.scope, begun.reason);
        Story::new(session).tell("rollback", &text);
        let tale = transact::begin(engine, &history, begun)?;
        Ok(transact::conclude(site, &telling, &history, tale))
    }

    fn begun(
        &self,
        session: &Session,
        site: &Site,
        history: &History,
        route: &Route,
        by: &str,
    ) -> anyhow::Result<Begun> {
        let Route { from, target } = route;
        // The last deployment may have been taken back itself: what ran before runs then.
        let live = live_of(history).filter(|_| matches!(from, From::Ours(_)));
        let failed = live.as_ref().unwrap_or_else(|| from.release());
        let (setup, mut current) =
            site.survey(session, history, Some(target), &Overrides::default())?;
        start_again(session, site, &mut current, target);
        let since = migrated::since(&site.scope, &site.state, history, target)?;
        let (preserve_data, untold) = (self.preserve_data, since.untold.as_deref());
        let (before, migrated) = (history.before(target), since.migrated.as_slice());
        let way = Return { failed, target, before, preserve_data, migrated, untold };
        let plan = strategy::rollback(&setup, &current, &way)
            .map_err(|refusal| Fault::usage(refusal.reason).hint(refusal.hint))?;
        let way = match from {
            From::Ours(_) => Way::Rollback,
            From::Elsewhere(_) => Way::FailedElsewhere,
        };
        Ok(Begun {
            deployment: from.id(),
            way,
            release: failed.clone(),
            target: Some(target.clone()),
            live: Some(failed.clone()),
            by: Some(by.to_owned()),
            reason: self.reason(by),
            plan,
            keeping: Keeping { forensics: !self.no_forensics, preserve_data: self.preserve_data },
        })
    }

    /// Everything that can be refused is refused here, before anything is touched.
    fn choose(&self, site: &Site, history: &History) -> anyhow::Result<Route> {
        let (from, live) = match self.failed()? {
            Some(failed) => (from_failed(history, &failed), Some(failed)),
            None => {
                let latest = latest(history).cloned().ok_or_else(|| {
                    Fault::usage(format!("nothing was ever deployed: {}", site.scope))
                        .hint("is it the right service, environment and state folder?")
                })?;
                (From::Ours(Box::new(latest)), live_of(history))
            }
        };
        let target = match &self.to {
            Some(version) => named(history, version, &self.digests)?,
            None => usual(history, live.as_ref(), &from).cloned().ok_or_else(|| {
                Fault::usage("there is nothing to go back to: no other release was verified before")
                    .hint(
                        "`waveoff rollback --list` shows the verified releases; name one with --to",
                    )
            })?,
        };
        if live.is_some_and(|live| live.is_same(&target)) {
            return Err(Fault::usage(format!("{} is what runs now", target.version))
                .hint("name another one with --to; `waveoff rollback --list` shows them")
                .into());
        }
        Ok(Route { from, target })
    }

    fn failed(&self) -> anyhow::Result<Option<Release>> {
        let Some(version) = &self.failed_version else { return Ok(None) };
        let sha = self.failed_sha.clone();
        named::release("failed-", version, sha, &self.failed_digest).map(Some)
    }

    fn reason(&self, who: &str) -> String {
        match &self.reason {
            Some(reason) => format!("{reason} (by hand: {who})"),
            None => format!("by hand: {who}"),
        }
    }
}

/// What is kept in a slot may have died since, and not every platform tells: what is not well there
/// counts for nothing, so that it is started again.
fn start_again(session: &Session, site: &Site, current: &mut Current, target: &Release) {
    for slot in &site.parts.slots {
        let there = current.in_slots.get(&slot.name).and_then(Option::as_ref);
        if current.active.as_ref() == Some(&slot.name)
            || !there.is_some_and(|there| there.is_same(target))
        {
            continue;
        }
        let view = View::Slot { slot: slot.clone() };
        let look = Target {
            base_url: site.parts.base_url(&view),
            expected_version: Some(target.version.clone()),
            process: site.parts.process(&view),
            only_paths: true,
            once: true,
            ..Target::default()
        };
        let seen = checks::verify(session, &site.loaded, &look);
        if !seen.is_ok_and(|seen| seen.verdict.is_pass()) {
            current.in_slots.insert(slot.name.clone(), None);
        }
    }
}

/// The last deployment that touched anything: it is what a rollback takes back.
fn latest(history: &History) -> Option<&Deployment> {
    history.deployments.iter().rfind(|deployment| deployment.mutated)
}

/// The deployment of the release that failed, when it is the last one and was not taken back: else
/// somebody deployed it again, past the ledger.
fn from_failed(history: &History, failed: &Release) -> From {
    match latest(history).filter(|last| last.release.is_same(failed)) {
        Some(last) if last.phase != Phase::RolledBack => From::Ours(Box::new(last.clone())),
        _ => From::Elsewhere(failed.clone()),
    }
}

/// Where to go back to when nobody says it.
fn usual<'a>(history: &'a History, live: Option<&Release>, from: &From) -> Option<&'a Release> {
    let was_verified = |live: &&Release| {
        history.verified().iter().any(|deployment| deployment.release.is_same(live))
    };
    match live.filter(was_verified) {
        Some(live) => history.before(live),
        None => history.target(live.unwrap_or(from.release())),
    }
}

fn named(history: &History, version: &str, digests: &[String]) -> anyhow::Result<Release> {
    let verified = history.verified();
    let is_it = |known: &Release| {
        let digests = digests.to_vec();
        let wanted = Release { version: known.version.clone(), sha: None, digests };
        same_version(&known.version, version) && known.is_same(&wanted)
    };
    let found = verified.iter().find(|known| is_it(&known.release));
    found.map(|known| known.release.clone()).ok_or_else(|| {
        let known: Vec<&str> = verified.iter().map(|d| d.release.version.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Fault::usage(format!("{version:?} is not a verified release"))
            .hint(format!("verified are: {known}"))
            .into()
    })
}

fn list(session: &Session, site: &Site, history: &History) -> Report {
    let live = live_of(history);
    let verified = history.verified();
    for deployment in &verified {
        let release = &deployment.release;
        let mark =
            if live.as_ref().is_some_and(|live| live.is_same(release)) { "live" } else { "" };
        let sha = release.sha.as_deref().unwrap_or("-");
        session.say(&format!("{mark:<5} {}  {sha}  {}", deployment.changed, release.version));
    }
    let names: Vec<String> = verified.iter().map(|d| d.release.version.clone()).collect();
    let count = crate::decide::words::count(verified.len(), "verified release");
    let summary = format!("{}: {count}", site.scope);
    let release = live.unwrap_or_default();
    let mut report = ending::nothing(session, &site.scope, &release, Verdict::Pass, summary);
    report.expected_version = None;
    report.outputs.insert("candidates".into(), names.join("\n"));
    report
}
