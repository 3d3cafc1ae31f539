//! `waveoff status`: what runs, since when, what was verified last, and who is changing it.

use clap::Args;

use super::site::{Site, SiteArgs, live_of};
use super::{Output, Session, Verb, output};
use crate::decide::history::{Deployment, History, Live, Phase};
use crate::decide::verdict::Verdict;
use crate::deploy::commands::Commands;
use crate::deploy::lock;
use crate::report::v1::Report;

/// Deployments that are shown.
const SHOWN: usize = 3;

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
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
        output("lock-owner", "who is changing it at this moment; empty when nobody is"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  waveoff status
  waveoff status --environment staging --json

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let site = self.site.open(session)?;
        let history = site.history()?;
        let owner = lock::owner(&site.scope, &site.state)?.map(|owner| owner.to_string());
        let seen = judge(session, &site, &history, owner.is_some());
        let owner = lock::owner(&site.scope, &site.state)?.map(|owner| owner.to_string());
        let verified = history.verified().first().map(|d| (*d).clone());
        show(session, &site, &history, &seen, verified.as_ref(), owner.as_deref());
        let mut report = session.report(seen.verdict, seen.summary);
        report.next = seen.next;
        report.service = Some(site.scope.service.to_string());
        report.environment = Some(site.scope.environment.to_string());
        let live = live_of(&history).unwrap_or_default();
        let previous = history.target(&live).map(|target| target.version.clone());
        report.outputs = [
            ("live-version", seen.version.unwrap_or_default()),
            ("live-since", seen.since.unwrap_or_default()),
            ("verified-version", verified.map(|d| d.release.version).unwrap_or_default()),
            ("previous-version", previous.unwrap_or_default()),
            ("lock-owner", owner.unwrap_or_default()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        Ok(report)
    }
}

/// What runs, judged.
struct Seen {
    verdict: Verdict,
    summary: String,
    next: Option<String>,
    version: Option<String>,
    since: Option<String>,
}

fn judge(session: &Session, site: &Site, history: &History, busy: bool) -> Seen {
    let scope = &site.scope;
    let commands = Commands::looking(session);
    let contradiction =
        live_of(history).and_then(|release| site.parts.contradiction(&release, &commands));
    let seen = |verdict, summary, next: Option<&str>| Seen {
        verdict,
        summary,
        next: next.map(str::to_owned),
        version: site.running(session),
        since: None,
    };
    match history.live() {
        Live::Nothing => seen(Verdict::Pass, format!("{scope}: nothing was ever deployed"), None),
        Live::Unknown(deployment) if busy => {
            let version = &deployment.release.version;
            seen(Verdict::Inconclusive, format!("{scope}: {version} is on its way"), None)
        }
        Live::Unknown(deployment) => seen(
            Verdict::Inconclusive,
            format!(
                "{scope}: the deployment of {} {}; what runs was not verified",
                deployment.release.version,
                phase(deployment.phase)
            ),
            Some("look at what runs, then deploy a release that is good, or `waveoff rollback`"),
        ),
        Live::Verified(release, _) if contradiction.is_some() => seen(
            Verdict::Fail,
            format!(
                "{scope}: {} should run, and {}",
                release.version,
                contradiction.unwrap_or_default()
            ),
            Some("`waveoff deploy` the version that should run: it is started and verified again"),
        ),
        Live::Verified(release, since) => Seen {
            verdict: Verdict::Pass,
            summary: format!("{scope}: {} is live, verified, since {since}", release.version),
            next: None,
            version: Some(release.version),
            since: Some(since),
        },
    }
}

fn show(
    session: &Session,
    site: &Site,
    history: &History,
    seen: &Seen,
    verified: Option<&Deployment>,
    owner: Option<&str>,
) {
    let line = |name: &str, text: &str| session.say(&format!("{name:<14} {text}"));
    line("runs", seen.version.as_deref().unwrap_or("not known"));
    if let Some(since) = &seen.since {
        line("since", since);
    }
    match verified {
        Some(last) => {
            line("last verified", &format!("{} at {}", last.release.version, last.changed))
        }
        None => line("last verified", "nothing yet"),
    }
    line("being changed", owner.unwrap_or("no"));
    line("ledger", &site.ledger.describe());
    for deployment in history.deployments.iter().rev().take(SHOWN) {
        let why = deployment.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let to = match (&deployment.phase, &deployment.rolled_back_to) {
            (Phase::RolledBack | Phase::RollbackFailed, Some(to)) => format!(" to {}", to.version),
            _ => String::new(),
        };
        let (at, version) = (&deployment.started, &deployment.release.version);
        line("deployment", &format!("{at}  {version}  {}{to}{why}", phase(deployment.phase)));
    }
    session.say("");
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Started => "was begun and touched nothing",
        Phase::Mutating => "was begun and not ended",
        Phase::Verified => "was verified",
        Phase::Failed => "failed",
        Phase::RolledBack => "was rolled back",
        Phase::RollbackFailed => "could not be rolled back",
    }
}
