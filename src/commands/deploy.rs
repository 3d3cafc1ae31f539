//! `waveoff deploy`: start a release, verify it, and put the old one back when it is not well.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::engine::{Engine, Task};
use super::fleet::Fleet;
use super::named::ReleaseArgs;
use super::preflight::{Clearance, Given, Images, Preflight, refuse_moved};
use super::site::{Site, SiteArgs, live_of};
use super::{Departure, Output, Session, Verb, Yonder, confirm, ending, follow, transact};
use crate::checks::{self, Target};
use crate::config::values::Period;
use crate::decide::history::{History, Live, Release};
use crate::decide::journal::{Begun, Keeping, Way};
use crate::decide::plan::Direction;
use crate::decide::precedence::{self, Ancestry};
use crate::decide::strategy::{self, Wanted};
use crate::decide::verdict::Verdict;
use crate::deploy::commands::Commands;
use crate::deploy::critical;
use crate::deploy::new_id;
use crate::deploy::setup::Overrides;
use crate::deploy::story::Story;
use crate::exit::Fault;
use crate::host::git;
use crate::report::v1::{Report, Step};

/// Arguments of `deploy`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Deploy {
    #[command(flatten)]
    #[serde(flatten)]
    of: ReleaseArgs,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Deploy it although it is live already, or although its rollback target cannot be started
    #[arg(long)]
    force: bool,
    /// Deploy it although its version or its commit is older than the live one's
    #[arg(long)]
    allow_downgrade: bool,
    /// Deploy it although its migration can neither be taken back nor be lived with by the old code:
    /// when it fails, a person is needed
    #[arg(long)]
    irreversible: bool,
    /// Keep no evidence of a release that failed
    #[arg(long)]
    no_forensics: bool,
    /// Deploy it without the `preflight` of the configuration
    #[arg(long, conflicts_with_all = ["sign_off", "scan_report"])]
    #[serde(default)]
    no_preflight: bool,
    /// Start nothing: others deployed it, and this report of smoke-test, a file or the JSON itself,
    /// proves that it is well. Record it as verified
    #[arg(long, value_name = "FILE|JSON", conflicts_with = "force")]
    confirm: Option<String>,
    /// How long to wait in line for a deployment that is on its way [default: 1h]
    #[arg(long, value_name = "DURATION")]
    queue: Option<Period>,
    #[command(flatten)]
    slots: SlotArgs,
    #[command(flatten)]
    #[serde(default)]
    given: Given,
    #[command(flatten)]
    pub(super) site: SiteArgs,
    /// The images that preflight looked at, by their digests.
    #[arg(skip)]
    #[serde(default)]
    looked_at: Vec<String>,
    /// What people and signers vouch for.
    #[arg(skip)]
    #[serde(default)]
    vouched: Vec<String>,
    /// The deployment over several hosts that this is part of.
    #[arg(skip)]
    #[serde(default)]
    fleet: Option<Fleet>,
}

/// Flags of strategies with slots.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Slots")]
struct SlotArgs {
    /// Deploy to this slot [default: the one without the traffic]
    #[arg(long, value_name = "SLOT")]
    to_slot: Option<String>,
    /// One limit over all of the idle slot's checks; a plain number is seconds
    #[arg(long, value_name = "SECONDS|DURATION", value_parser = Period::or_seconds)]
    health_check_timeout: Option<Period>,
    /// How long to wait between the idle slot's checks and the switch; a plain number is seconds
    #[arg(long, value_name = "SECONDS|DURATION", value_parser = Period::or_seconds)]
    traffic_switch_delay: Option<Period>,
    /// Keep the old slot, for a rollback at once
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "1h", require_equals = true)]
    keep_old: Option<Period>,
    /// How long to watch the release after it was verified
    #[arg(long, value_name = "DURATION")]
    watch: Option<Period>,
}

impl Verb for Deploy {
    const NAME: &'static str = "deploy";
    const ABOUT: &'static str =
        "Deploy a release, verify it, and put the old one back when it is not well";
    const OUTPUTS: &'static [Output] = ending::OUTPUTS;
    const BEGINS: bool = true;
    const EXAMPLES: &'static str = "\
Examples:
  waveoff deploy --version v1.4.0
  waveoff deploy --version v1.4.0 --dry-run
  waveoff deploy --version v1.4.0 --keep-old --traffic-switch-delay 60
  waveoff deploy --version v1.4.0 --environment staging --report report.json
  waveoff deploy --version v1.4.0 --confirm smoke.json    # deployed by others

";

    fn depart(mut self, yonder: &Yonder<'_>) -> anyhow::Result<Departure<Self>> {
        // What the job says of the commit, and a report in a file, are here.
        self.of.depart()?;
        self.confirm = self.confirm.as_deref().map(confirm::inline).transpose()?;
        if self.no_preflight || self.confirm.is_some() {
            return Ok(Departure::Goes(self));
        }
        let preflight = Preflight::of_deployment(&self.of, &self.given, &self.site, self.force);
        match preflight.before_leaving(yonder)? {
            Clearance::Refused(report) => Ok(Departure::Stays(report)),
            Clearance::Given { images, vouched } => {
                (self.looked_at, self.vouched) = (images.digests, vouched);
                Ok(Departure::Goes(self))
            }
        }
    }

    fn run(mut self, session: &Session) -> anyhow::Result<Report> {
        let release = self.of.release()?;
        let site = self.site.open(session)?;
        // What can be refused is refused here, where it costs nothing and nobody waits in line.
        if self.confirm.is_some() && self.dry_run {
            return confirm::plan(session, &site, &release, self.confirm.as_deref());
        }
        match &self.confirm {
            Some(report) => confirm::check(session, &site, &release, report)?,
            // Where nothing can be started, nobody knows either where it would answer: what is told is
            // the cause.
            None => site
                .critical_checks(&release)
                .map(drop)
                .or_else(|error| site.startable(&release).and(Err(error)))?,
        }
        site.telling(session)?;
        let history = site.history()?;
        match self.preflight(session, &site, &release)? {
            Clearance::Refused(report) => return Ok(*report),
            Clearance::Given { images, vouched } => self.heed(&site, images, vouched),
        }
        if self.dry_run {
            return self.plan(session, &site, &history, &release);
        }
        let queue = self.queue.map(|queue| queue.0);
        follow::perform(session, &self.site.clone(), Task::Deploy(Box::new(self)), queue)
    }
}

impl Deploy {
    /// What it does, for whoever waits behind it.
    pub(super) fn doing(&self) -> String {
        let word = if self.confirm.is_some() { "confirm" } else { "deploy" };
        format!("{word} {}", self.of.version.as_deref().unwrap_or_default())
    }

    /// Does it, with the lock.
    pub(super) fn perform(&self, engine: &Engine<'_>) -> anyhow::Result<Report> {
        let Engine { session, site, .. } = engine;
        let release = self.of.release()?;
        if let Some(report) = &self.confirm {
            return confirm::perform(engine, &release, report);
        }
        let telling = site.telling(session)?;
        let history = site.history()?;
        let story = Story::new(session);
        let release = engine.prepare(&release, Direction::Forward)?;
        refuse_moved(&self.looked_at, &release.digests)?;
        if !self.force
            && let Some(report) = already_live(session, site, &history, &release, &story)?
        {
            if let Some(fleet) = &self.fleet {
                fleet.begin(&release, live_of(&history).as_ref(), site)?;
            }
            return Ok(report);
        }
        self.refuse_older(session, &history, &release)?;
        let begun = self.begun(session, site, &history, &release, engine.by)?;
        engine.prepare_way_back(&begun, self.force)?;
        site.check(&begun, self.force)?;
        tell_critical(&story, site);
        if let Some(fleet) = &self.fleet {
            fleet.begin(&begun.release, begun.live.as_ref(), site)?;
        }
        tell_begin(&story, &begun, site);
        self.vouched.iter().for_each(|text| story.tell("preflight", text));
        let tale = transact::begin(engine, &history, begun)?;
        let mut report = transact::conclude(site, &telling, &history, tale);
        let vouched = self.vouched.iter().map(|text| Step::passed("preflight", text));
        report.steps.splice(0..0, vouched);
        Ok(report)
    }

    /// Deploys the very images that were looked at: those that the platform fetches by their digests,
    /// and of all of them a command is told.
    fn heed(&mut self, site: &Site, images: Images, vouched: Vec<String>) {
        self.looked_at.extend(images.digests);
        self.vouched.extend(vouched);
        let told = site.parts.tells_digests().then(|| self.looked_at.clone());
        self.of.pin(images.fetched.into_iter().chain(told.into_iter().flatten()));
    }

    /// What must be in place, where somebody wrote down what that is.
    fn preflight(
        &self,
        session: &Session,
        site: &Site,
        release: &Release,
    ) -> anyhow::Result<Clearance> {
        if self.confirm.is_some() {
            return Ok(Clearance::default());
        }
        if self.no_preflight {
            let text = "is not done, as --no-preflight says";
            site.spec.preflight.iter().for_each(|_| Story::new(session).tell("preflight", text));
            return Ok(Clearance::default());
        }
        self.given.before_deploy(session, site, release, self.force)
    }

    fn keeping(&self) -> Keeping {
        Keeping { forensics: !self.no_forensics, ..Keeping::default() }
    }

    fn refuse_older(
        &self,
        session: &Session,
        history: &History,
        release: &Release,
    ) -> anyhow::Result<()> {
        let Some(live) = live_of(history) else { return Ok(()) };
        let ancestry = match (&release.sha, &live.sha) {
            (Some(wanted), Some(live)) => git::ancestry(None, wanted, live, &session.cancel),
            _ => Ancestry::Unknown,
        };
        match precedence::refuse(release, &live, ancestry, self.allow_downgrade) {
            Some(refusal) => Err(Fault::usage(refusal.reason).hint(refusal.hint).into()),
            None => Ok(()),
        }
    }

    fn begun(
        &self,
        session: &Session,
        site: &Site,
        history: &History,
        release: &Release,
        by: &str,
    ) -> anyhow::Result<Begun> {
        let target = history.target(release).cloned();
        let given = |period: Option<Period>| period.map(|period| period.0);
        let told = Overrides {
            keep_old: given(self.slots.keep_old),
            health_check_timeout: given(self.slots.health_check_timeout),
            traffic_switch_delay: given(self.slots.traffic_switch_delay),
            watch: given(self.slots.watch),
            irreversible: self.irreversible,
        };
        let (setup, current) = site.survey(session, history, target.as_ref(), &told)?;
        let wanted = Wanted { release: release.clone(), to_slot: self.slots.to_slot.clone() };
        let plan = strategy::deploy(&setup, &current, &wanted)
            .map_err(|refusal| Fault::usage(refusal.reason).hint(refusal.hint))?;
        Ok(Begun {
            deployment: new_id(),
            way: Way::Deploy,
            release: release.clone(),
            target,
            live: live_of(history),
            by: Some(by.to_owned()),
            reason: String::new(),
            plan,
            keeping: self.keeping(),
        })
    }

    fn plan(
        &self,
        session: &Session,
        site: &Site,
        history: &History,
        release: &Release,
    ) -> anyhow::Result<Report> {
        self.refuse_older(session, history, release)?;
        let begun = self.begun(session, site, history, release, "")?;
        site.check(&begun, self.force)?;
        let story = Story::new(session);
        let is_live = begun.live.as_ref().is_some_and(|live| live.is_same(release));
        if is_live && !self.force {
            let version = &release.version;
            let text =
                format!("{version} is live already: look whether it is well, and only otherwise:");
            story.tell("plan", &text);
        }
        site.tell_plan(&story, &begun);
        let summary = format!("{} would be deployed; nothing was changed", release.version);
        let mut report = ending::nothing(session, &site.scope, release, Verdict::Pass, summary);
        if let Some(deployment) = &mut report.deployment {
            deployment.live_version = begun.live.map(|live| live.version);
            deployment.target_sha = begun.target.as_ref().and_then(|target| target.sha.clone());
            deployment.target_version = begun.target.map(|target| target.version);
        }
        ending::fill_outputs(session, &mut report, None);
        Ok(report)
    }
}

/// The same version twice is nothing to do, if it is what runs and it is well.
fn already_live(
    session: &Session,
    site: &Site,
    history: &History,
    release: &Release,
    story: &Story<'_>,
) -> anyhow::Result<Option<Report>> {
    let Live::Verified(live, since) = history.live() else { return Ok(None) };
    if !live.is_same(release) {
        return Ok(None);
    }
    let version = &release.version;
    let commands = Commands::looking(session);
    if let Some(why) = site.parts.contradiction(release, &commands) {
        story.tell("deploy", &format!("{version} should be live, and {why}: again"));
        return Ok(None);
    }
    story.tell("verify", &format!("{version} is live since {since}; is it well?"));
    let view = site.parts.view();
    let target = Target {
        base_url: site.parts.base_url(&view),
        expected_version: Some(version.clone()),
        process: site.parts.process(&view),
        own: site.parts.checks(&view),
        ..Target::default()
    };
    let seen = checks::verify(session, &site.loaded, &target)?;
    if !seen.verdict.is_pass() {
        story.tell("deploy", &format!("{version} is live, and not well: again; {}", seen.summary));
        return Ok(None);
    }
    let summary = format!("{version} is live and well already; there was nothing to do");
    Ok(Some(ending::live_already(session, &site.scope, release, summary, seen.checks)))
}

/// A good release may be the mend, so that this forbids nothing.
fn tell_critical(story: &Story<'_>, site: &Site) {
    match critical::read(&site.scope, &site.state) {
        Ok(None) => {}
        Ok(Some(incident)) => {
            story.tell("critical", &format!("{incident}; this goes on, as it may be the mend"));
        }
        Err(why) => story.tell("critical", &format!("{why}; this goes on, as it may be the mend")),
    }
}

fn tell_begin(story: &Story<'_>, begun: &Begun, site: &Site) {
    let version = &begun.release.version;
    let live = begun.live.as_ref().map_or(String::new(), |live| format!(" over {}", live.version));
    let back = match &begun.plan.back {
        Some(back) => format!("if it fails, {} comes back", back.version),
        None => "there is nothing to go back to yet: no release was verified before".into(),
    };
    story.tell("deploy", &format!("{version}{live}: {}; {back}", site.scope));
}
