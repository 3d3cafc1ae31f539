//! `waveoff preflight`: look whether a release can be deployed, and tell all that is missing at once.

mod ground;
mod wanted;

use std::collections::BTreeSet;

use clap::Args;
use serde::{Deserialize, Serialize};

use self::ground::Ground;
pub(super) use self::ground::Purpose;
pub(super) use self::wanted::refuse_moved;
use super::named::ReleaseArgs;
use super::site::{Site, SiteArgs};
use super::{Departure, Output, Session, Verb, Yonder, ending, output};
use crate::checks;
use crate::config::preflight::{Kind, PreflightSpec};
use crate::decide::history::Release;
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::words::count;
use crate::deploy::Scope;
use crate::exit::Fault;
use crate::preflight::{Subject, look};
use crate::report::v1::{Check, Report};

/// Arguments of `preflight`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Preflight {
    #[command(flatten)]
    #[serde(flatten)]
    of: ReleaseArgs,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    site: SiteArgs,
    /// What it is looked at for.
    #[arg(skip)]
    #[serde(default)]
    purpose: Purpose,
}

/// What is given beside the configuration.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Preflight")]
pub(super) struct Given {
    /// Somebody vouches for something of `preflight.sign-offs`, by name: review=anna [repeatable]
    #[arg(long, value_name = "NAME=WHO")]
    #[serde(skip)]
    sign_off: Vec<String>,
    /// A scanner's report, Trivy's JSON or SARIF, besides those of `preflight.scan` [repeatable]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    scan_report: Vec<String>,
}

impl Verb for Preflight {
    const NAME: &'static str = "preflight";
    const ABOUT: &'static str =
        "Look whether a release can be deployed: all that is missing, each with its remedy";
    const OUTPUTS: &'static [Output] = &[
        output("checks-total", "how much was looked at"),
        output("checks-failed", "how much of it is missing"),
        output("failed-checks", "what is missing, one a line"),
        output("digests", "the release's images by digest, one a line, for `digest` of deploy"),
        output("images", "all images, one a line: each with its digest, `here` or `missing`"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  waveoff preflight --version v1.4.0
  waveoff preflight --version v1.4.0 --digest ghcr.io/acme/shop@sha256:…
  waveoff preflight --version v1.4.0 --scan-report trivy.json --sign-off review=anna

";

    fn depart(mut self, _: &Yonder<'_>) -> anyhow::Result<Departure<Self>> {
        self.of.depart()?;
        Ok(Departure::Goes(self))
    }

    fn arrive(&self, session: &Session, report: &mut Report) -> anyhow::Result<()> {
        let loaded = session.needed_config()?;
        let spec = loaded.transaction()?.preflight.unwrap_or_default();
        self.add_our_half(session, &spec, report).map(drop)
    }

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let release = self.of.release()?;
        let site = self.site.open(session)?;
        let (checks, images) = self.given.look(session, &site, &release, self.purpose)?;
        let mut report = conclude(session, checks, &images);
        report.service = Some(site.scope.service.to_string());
        report.environment = Some(site.scope.environment.to_string());
        report.expected_version = Some(release.version);
        Ok(report)
    }
}

/// The outputs that several hosts have together.
pub(super) const LISTS: [&str; 2] = ["digests", "images"];

impl Preflight {
    /// The one that a deployment begins with.
    pub(super) fn of_deployment(
        of: &ReleaseArgs,
        given: &Given,
        site: &SiteArgs,
        force: bool,
    ) -> Self {
        Self {
            of: of.clone(),
            given: given.clone(),
            site: site.clone(),
            purpose: Purpose::of_deployment(force),
        }
    }
}

impl Preflight {
    /// Of a deployment to another machine: what is missing ends it before anything is begun there.
    pub(super) fn before_leaving(&self, yonder: &Yonder<'_>) -> anyhow::Result<Clearance> {
        let Yonder { session, loaded, .. } = *yonder;
        let Some(spec) = loaded.transaction()?.preflight else {
            self.given.refuse_idle()?;
            return Ok(Clearance::default());
        };
        let release = self.of.release()?;
        let (scope, _) = self.site.place(Some(&loaded.config))?;
        let mut report = yonder.ask(Self::NAME, false, serde_json::to_value(self)?)?;
        let images = self.add_our_half(session, &spec, &mut report)?;
        Ok(clear(session, &scope, &release, report, images))
    }

    /// Adds to what a host has seen, or several, what only the caller's machine can look at.
    fn add_our_half(
        &self,
        session: &Session,
        spec: &PreflightSpec,
        report: &mut Report,
    ) -> anyhow::Result<Images> {
        let release = self.of.release()?;
        let told = report.outputs.get("images").map(String::as_str).unwrap_or_default();
        let subject = self.given.subject(session, spec, &release, wanted::told(told))?;
        let images = Images::of(&subject, &[]);
        let theirs = std::mem::take(&mut report.checks);
        // What went wrong on a host, besides what was looked at there, stays said.
        let is_explained = !conclude(session, theirs.clone(), &images).verdict.is_pass();
        let is_lost = report.exit_code != 0 && (theirs.is_empty() || !is_explained);
        let mut checks = subject.look();
        checks.extend(theirs);
        let mut seen = conclude(session, checks, &images);
        if is_lost {
            let verdict = seen.verdict.max(Verdict::Error);
            (seen.verdict, seen.exit_code) = (verdict, verdict.exit().code());
            seen.summary = format!("{}; {}", std::mem::take(&mut report.summary), seen.summary);
        }
        seen.next = seen.next.or(report.next.take());
        (seen.service, seen.environment) = (report.service.take(), report.environment.take());
        (seen.steps, seen.expected_version) =
            (std::mem::take(&mut report.steps), Some(release.version.clone()));
        *report = seen;
        Ok(images)
    }
}

impl Given {
    /// The first step of a deployment: what is missing ends it here. Nothing is looked at when nobody
    /// asked for it.
    pub(super) fn before_deploy(
        &self,
        session: &Session,
        site: &Site,
        release: &Release,
        force: bool,
    ) -> anyhow::Result<Clearance> {
        if site.spec.preflight.is_none() {
            self.refuse_idle()?;
            return Ok(Clearance::default());
        }
        let purpose = Purpose::of_deployment(force);
        let (checks, images) = self.look(session, site, release, purpose)?;
        let report = conclude(session, checks, &images);
        Ok(clear(session, &site.scope, release, report, images))
    }

    /// What is given for nothing was given for something.
    fn refuse_idle(&self) -> anyhow::Result<()> {
        match (self.sign_off.first(), self.scan_report.first()) {
            (None, None) => Ok(()),
            (flag, _) => {
                let flag = if flag.is_some() { "--sign-off" } else { "--scan-report" };
                Err(Fault::usage(format!(
                    "{flag} is given, and there is no `preflight` to heed it"
                ))
                .hint("write what must be in place under `preflight:` in waveoff.yml")
                .into())
            }
        }
    }

    /// Looks at everything that can be looked at from here.
    fn look(
        &self,
        session: &Session,
        site: &Site,
        release: &Release,
        purpose: Purpose,
    ) -> anyhow::Result<(Vec<Check>, Images)> {
        let none = PreflightSpec::default();
        let spec = site.spec.preflight.as_ref().unwrap_or(&none);
        let ground = Ground { session, site, spec, release, purpose };
        let (mut checks, images) = ground.artifacts();
        let own: Vec<String> = images.iter().map(|wanted| wanted.image.name()).collect();
        // On behalf of a caller elsewhere, who looks at the rest himself.
        let subject = match session.is_elsewhere() {
            true => ground.images_only(images),
            false => self.subject(session, spec, release, images)?,
        };
        checks.extend(subject.look());
        checks.extend(ground.look()?);
        Ok((checks, Images::of(&subject, &own)))
    }

    fn subject<'a>(
        &self,
        session: &Session,
        spec: &'a PreflightSpec,
        release: &'a Release,
        also: Vec<crate::preflight::Wanted>,
    ) -> anyhow::Result<Subject<'a>> {
        if let Some(registry) = &spec.registry {
            session.hide(registry.password.expose());
        }
        let sign_offs = wanted::sign_offs(spec, &self.sign_off)?;
        let wanted = wanted::images(spec, release, also)?;
        let mut images = look(spec, &wanted, &session.cancel);
        // One may have been named by its tag here, and by its digest there.
        let mut seen = BTreeSet::new();
        images.retain(|one| match &one.found {
            Ok(found) => seen.insert((one.image.name(), found.digest.clone())),
            Err(_) => true,
        });
        let (reports, cancel) = (self.scan_report.clone(), session.cancel.clone());
        let only_registries = false;
        Ok(Subject { spec, release, images, sign_offs, reports, cancel, only_registries })
    }
}

/// The images that were looked at.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// Those that were found, by their digests.
    pub(super) digests: Vec<String>,
    /// Those of them that the platform itself would fetch.
    pub(super) fetched: Vec<String>,
    /// All of them, each with what became of it.
    all: Vec<String>,
}

impl Images {
    fn of(subject: &Subject<'_>, own: &[String]) -> Self {
        let mut images = Self::default();
        for looked in &subject.images {
            images.all.push(wanted::line(looked));
            let Ok(found) = &looked.found else { continue };
            let by = looked.image.by(&found.digest).to_string();
            if own.contains(&looked.image.name()) {
                images.fetched.push(by.clone());
            }
            images.digests.push(by);
        }
        images
    }
}

/// Whether a deployment may begin.
pub(super) enum Clearance {
    /// It may, with these images: the very ones that were looked at.
    Given {
        /// The images.
        images: Images,
        /// What people and signers vouch for, in words.
        vouched: Vec<String>,
    },
    /// It may not.
    Refused(Box<Report>),
}

impl Default for Clearance {
    /// Nobody asked for anything.
    fn default() -> Self {
        Self::Given { images: Images::default(), vouched: Vec::new() }
    }
}

fn clear(
    session: &Session,
    scope: &Scope,
    release: &Release,
    seen: Report,
    images: Images,
) -> Clearance {
    if seen.verdict.is_pass() {
        session.say(&format!("preflight  {}", seen.summary));
        for check in seen.checks.iter().filter(|check| !check.verdict.is_pass()) {
            let text = format!("preflight  warning: {}: {}", check.name, check.reason);
            session.say(&text);
        }
        let words = [Kind::SignOffs, Kind::Signature, Kind::Provenance].map(Kind::name);
        let told = seen.checks.iter().filter(|check| words.contains(&check.kind.as_str()));
        let told = told.filter(|check| check.verdict.is_pass());
        let vouched = told.map(|check| format!("{}: {}", check.name, check.reason)).collect();
        return Clearance::Given { images, vouched };
    }
    let summary = format!("{}; nothing was changed", seen.summary);
    let mut report = ending::nothing(session, scope, release, seen.verdict, summary);
    (report.checks, report.next, report.steps) = (seen.checks, seen.next, seen.steps);
    Clearance::Refused(Box::new(report))
}

fn conclude(session: &Session, checks: Vec<Check>, images: &Images) -> Report {
    let deciding = checks.iter().filter(|check| check.severity == Severity::Critical);
    let verdict = Verdict::worst(deciding.map(|check| check.verdict));
    let bad = checks::failed(&checks);
    let weak = checks.iter().filter(|c| c.severity == Severity::Warning && !c.verdict.is_pass());
    let weak = match weak.count() {
        0 => String::new(),
        number => format!(", {}", count(number, "warning")),
    };
    let total = checks.len();
    let summary = match bad.first() {
        None if verdict.is_pass() => {
            let there = checks.iter().filter(|check| check.verdict.is_pass()).count();
            format!("ready: {there} of {total} in place{weak}")
        }
        None => "nothing decided: all that was looked at are warnings".into(),
        Some(first) => format!(
            "not ready: {} of {total} missing{weak}; {}: {}",
            bad.len(),
            first.name,
            first.reason
        ),
    };
    let names: Vec<&str> = bad.iter().map(|check| check.name.as_str()).collect();
    let mut report = session.report(verdict, summary);
    report.outputs = [
        ("checks-total", total.to_string()),
        ("checks-failed", bad.len().to_string()),
        ("failed-checks", names.join("\n")),
        ("digests", images.digests.join("\n")),
        ("images", images.all.join("\n")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if !verdict.is_pass() {
        report.next = Some("mend what is missing, each with its remedy above; then again".into());
    }
    report.checks = checks;
    report
}
