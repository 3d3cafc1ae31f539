//! `waveoff deploy`: start a release, verify it, and put the old one back when it is not well.

use clap::Args;

use super::confirm::confirm;
use super::site::{Site, SiteArgs, live_of};
use super::{Output, Session, Verb, ending};
use crate::actions;
use crate::checks::{self, Surroundings};
use crate::decide::course::{Course, Direction, Outcome};
use crate::decide::history::{History, Live, Release};
use crate::decide::naming::Version;
use crate::decide::verdict::{Severity, Verdict};
use crate::deploy::run::{self, Walk};
use crate::deploy::story::Story;
use crate::deploy::{lock, new_id};
use crate::exit::Fault;
use crate::host::env;
use crate::platforms::Order;
use crate::report::v1::Report;

/// Arguments of `deploy`.
#[derive(Debug, Clone, Args)]
pub struct Deploy {
    /// The version to deploy
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Its commit [default: the run's, when a push or a tag of that name made the run]
    #[arg(long, value_name = "SHA")]
    sha: Option<String>,
    /// A digest or checksum of what is deployed; several with commas [repeatable]
    #[arg(long, value_name = "DIGEST", value_delimiter = ',')]
    digest: Vec<String>,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Deploy it although it is live already, or although its rollback target cannot be started
    #[arg(long)]
    force: bool,
    /// Start nothing: others deployed it, and this report of smoke-test, a file or the JSON itself,
    /// proves that it is well. Record it as verified
    #[arg(long, value_name = "FILE|JSON", conflicts_with = "force")]
    confirm: Option<String>,
    #[command(flatten)]
    site: SiteArgs,
}

impl Verb for Deploy {
    const NAME: &'static str = "deploy";
    const ABOUT: &'static str =
        "Deploy a release, verify it, and put the old one back when it is not well";
    const OUTPUTS: &'static [Output] = ending::OUTPUTS;
    const EXAMPLES: &'static str = "\
Examples:
  waveoff deploy --version v1.4.0
  waveoff deploy --version v1.4.0 --dry-run
  waveoff deploy --version v1.4.0 --environment staging --report report.json
  waveoff deploy --version v1.4.0 --confirm smoke.json    # deployed by others

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let release = self.release()?;
        let site = self.site.open(session)?;
        if let Some(report) = &self.confirm {
            return confirm(session, &site, &release, report, self.dry_run);
        }
        critical_checks(&site, &release)?;
        let telling = site.telling(session)?;
        // Damage is found before anything is made, the lock's file included.
        let history = site.history()?;
        if self.dry_run {
            return self.plan(session, &site, &history, &release);
        }
        let _held = site.lock(&format!("deploy {}", release.version))?;
        let history = site.history()?;
        let story = Story::new(session);
        if !self.force
            && let Some(report) = already_live(session, &site, &history, &release, &story)?
        {
            return Ok(report);
        }
        let target = history.target(&release).cloned();
        self.check(&site, &release, target.as_ref())?;
        let mut walk = Walk {
            session,
            loaded: &site.loaded,
            ledger: site.ledger.as_ref(),
            platform: site.platform.as_ref(),
            id: new_id(),
            release: release.clone(),
            target: target.clone(),
            live: live_of(&history),
            story,
        };
        tell_begin(&walk, &site);
        let walked = walk.go(Course::deploy(release, target, Some(lock::who())));
        let incident = site.tell(&telling, &mut walk, &walked, false);
        if walked.outcome == Outcome::Verified {
            site.tell_recovery(&telling, &mut walk, &history);
        }
        Ok(ending::report(session, &site.scope, walk, walked, incident.as_ref()))
    }
}

impl Deploy {
    fn release(&self) -> anyhow::Result<Release> {
        let version = self.version.as_deref().ok_or_else(|| {
            Fault::usage("no version was given")
                .hint("say what is deployed: --version v1.4.0, or `version: ${{ github.sha }}`")
        })?;
        let sha = self.sha.clone().or_else(|| known_sha(version));
        named_release("", version, sha, &self.digest)
    }

    /// Looks at what could be missing on either way, while leaving costs nothing.
    fn check(
        &self,
        site: &Site,
        release: &Release,
        target: Option<&Release>,
    ) -> anyhow::Result<()> {
        let order = Order { release, previous: None, direction: Direction::Forward };
        site.platform.check(&order)?;
        match target.map(|target| site.check_target(target)) {
            Some(Err(error)) if !self.force => Err(Fault::usage(format!(
                "{} could not be taken back if it failed: {error:#}",
                release.version
            ))
            .hint("bring the rollback target's artifacts back, or deploy with --force")
            .into()),
            _ => Ok(()),
        }
    }

    fn plan(
        &self,
        session: &Session,
        site: &Site,
        history: &History,
        release: &Release,
    ) -> anyhow::Result<Report> {
        let target = history.target(release).cloned();
        let live = live_of(history);
        self.check(site, release, target.as_ref())?;
        let story = Story::new(session);
        let is_live = live.as_ref().is_some_and(|live| live.is_same(release));
        if is_live && !self.force {
            story.tell(
                "plan",
                &format!(
                    "{} is live already: look whether it is well, and only \
                otherwise:",
                    release.version
                ),
            );
        }
        let order = Order { release, previous: live.as_ref(), direction: Direction::Forward };
        for line in site.platform.plan(&order) {
            story.tell("deploy", &line);
        }
        story.tell("verify", &format!("{} by the checks of {}", release.version, site.loaded.file));
        match &target {
            None => story.tell("rollback", "nothing to go back to: no release was verified yet"),
            Some(target) => {
                let direction = Direction::Back;
                let order = Order { release: target, previous: Some(release), direction };
                for line in site.platform.plan(&order) {
                    story.tell("rollback", &format!("if it fails: {line}"));
                }
            }
        }
        story.tell("record", &format!("each of these in {}", site.ledger.describe()));
        let summary = format!("{} would be deployed; nothing was changed", release.version);
        let mut report = ending::nothing(session, &site.scope, release, Verdict::Pass, summary);
        if let Some(deployment) = &mut report.deployment {
            deployment.live_version = live.map(|live| live.version);
            deployment.target_sha = target.as_ref().and_then(|target| target.sha.clone());
            deployment.target_version = target.map(|target| target.version);
        }
        ending::fill_outputs(session, &mut report, None);
        Ok(report)
    }
}

/// A release as flags name it; `prefix` is what stands before their usual names.
pub(super) fn named_release(
    prefix: &str,
    version: &str,
    sha: Option<String>,
    digests: &[String],
) -> anyhow::Result<Release> {
    let version: Version =
        version.parse().map_err(|why| Fault::usage(format!("--{prefix}version: {why}")))?;
    if let Some(sha) = sha.as_deref().filter(|sha| !is_sha(sha)) {
        return Err(Fault::usage(format!("--{prefix}sha: {sha:?} is not a commit"))
            .hint("a commit has 7 to 64 hexadecimal digits")
            .into());
    }
    let is_plain = |text: &String| text.len() <= 512 && text.chars().all(|c| c.is_ascii_graphic());
    if let Some(digest) = digests.iter().find(|digest| !is_plain(digest)) {
        return Err(Fault::usage(format!("--{prefix}digest: {digest:?} is not a digest"))
            .hint("write it like sha256:…, or image@sha256:…")
            .into());
    }
    Ok(Release { version: version.to_string(), sha, digests: digests.to_vec() })
}

/// The names of the checks that decide. A suite that cannot pass is refused now, and not after the
/// release was started.
pub(super) fn critical_checks(site: &Site, release: &Release) -> anyhow::Result<Vec<String>> {
    let surroundings = Surroundings {
        base_url: site.platform.base_url().or_else(|| site.loaded.config.public.clone()),
        expected_version: Some(release.version.clone()),
        process: None,
    };
    let specs = checks::specs(&site.loaded);
    let decides = |check: &checks::Check| check.severity == Severity::Critical;
    if !specs.is_empty() {
        let names = checks::build(&specs, &surroundings)?.into_iter().filter(decides);
        let names: Vec<String> = names.map(|check| check.name).collect();
        if !names.is_empty() {
            return Ok(names);
        }
    }
    let file = &site.loaded.file;
    Err(Fault::usage(format!("{file}: no critical check says when a release is well"))
        .hint("write at least one under `checks:`; what nobody looked at is never verified")
        .into())
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
    if run::contradicts(site.platform.as_ref(), release) {
        story.tell("deploy", &format!("{version} should be live, and is not running: again"));
        return Ok(None);
    }
    story.tell("verify", &format!("{version} is live since {since}; is it well?"));
    let target = run::target(site.platform.as_ref(), release);
    let seen = checks::verify(session, &site.loaded, &target)?;
    if !seen.verdict.is_pass() {
        story.tell("deploy", &format!("{version} is live, and not well: again; {}", seen.summary));
        return Ok(None);
    }
    let summary = format!("{version} is live and well already; there was nothing to do");
    Ok(Some(ending::live_already(session, &site.scope, release, summary, seen.checks)))
}

fn tell_begin(walk: &Walk<'_>, site: &Site) {
    let version = &walk.release.version;
    let live = walk.live.as_ref().map_or(String::new(), |live| format!(" over {}", live.version));
    let back = match &walk.target {
        Some(target) => format!("if it fails, {} comes back", target.version),
        None => "there is nothing to go back to yet: no release was verified before".into(),
    };
    walk.story.tell("deploy", &format!("{version}{live}: {}; {back}", site.scope));
}

/// The commit of the run, where it is certainly the version's.
fn known_sha(version: &str) -> Option<String> {
    if version.len() == 40 && is_sha(version) {
        return Some(version.into());
    }
    let of_push = env::var("GITHUB_EVENT_NAME").as_deref() == Some("push");
    let of_tag = env::var("GITHUB_REF_TYPE").as_deref() == Some("tag")
        && env::var("GITHUB_REF_NAME").as_deref() == Some(version);
    (actions::is_ci() && (of_push || of_tag)).then(|| env::var("GITHUB_SHA")).flatten()
}

fn is_sha(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
}
