//! `waveoff preflight`: look whether a release can be deployed, and tell all that is missing at once.

mod ground;
mod wanted;

use clap::Args;
use serde::{Deserialize, Serialize};

use self::ground::{Ground, Purpose};
pub(super) use self::wanted::refuse_moved;
use super::site::{Site, SiteArgs};
use super::{Departure, Output, Session, Verb, ending, named, output};
use crate::checks;
use crate::config::Loaded;
use crate::config::preflight::PreflightSpec;
use crate::decide::history::Release;
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::words::count;
use crate::exit::Fault;
use crate::preflight::{Subject, look};
use crate::report::v1::{Check, Report};

/// Arguments of `preflight`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Preflight {
    /// The version that would be deployed
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Its commit [default: the run's, when a push or a tag of that name made the run]
    #[arg(long, value_name = "SHA")]
    sha: Option<String>,
    /// A digest or checksum of what would be deployed; several with commas [repeatable]
    #[arg(long, value_name = "DIGEST", value_delimiter = ',')]
    digest: Vec<String>,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    site: SiteArgs,
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
    ];
    const EXAMPLES: &'static str = "\
Examples:
  waveoff preflight --version v1.4.0
  waveoff preflight --version v1.4.0 --digest ghcr.io/acme/shop@sha256:…
  waveoff preflight --version v1.4.0 --scan-report trivy.json --sign-off review=anna

";

    fn depart(mut self, _: &Session, _: &Loaded) -> anyhow::Result<Departure<Self>> {
        self.sha = self.release()?.sha;
        Ok(Departure::Goes(self))
    }

    fn arrive(&self, session: &Session, report: &mut Report) -> anyhow::Result<()> {
        let loaded = session.needed_config()?;
        let spec = loaded.transaction()?.preflight.unwrap_or_default();
        let release = self.release()?;
        let known = report.outputs.get("digests").map(String::as_str).unwrap_or_default();
        let subject = self.given.subject(session, &spec, &release, wanted::told(known))?;
        let mut checks = subject.look();
        checks.append(&mut report.checks);
        let digests = [&digests(&subject), known].join("\n");
        let next = report.next.take();
        let seen = conclude(session, checks, &digests);
        let (service, environment) = (report.service.take(), report.environment.take());
        // What went wrong on a host, besides what was looked at there, stays said.
        let (verdict, exit_code) = match report.verdict.max(seen.verdict) {
            verdict if verdict == seen.verdict => (verdict, seen.exit_code),
            verdict => (verdict, report.exit_code),
        };
        let summary = match verdict == seen.verdict {
            true => seen.summary.clone(),
            false => std::mem::take(&mut report.summary),
        };
        let (steps, next) = (std::mem::take(&mut report.steps), seen.next.clone().or(next));
        *report = Report { verdict, exit_code, summary, service, environment, steps, next, ..seen };
        Ok(())
    }

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let release = self.release()?;
        let site = self.site.open(session)?;
        let (checks, digests) = self.given.look(session, &site, &release, Purpose::Alone)?;
        let mut report = conclude(session, checks, &digests);
        report.service = Some(site.scope.service.to_string());
        report.environment = Some(site.scope.environment.to_string());
        report.expected_version = Some(release.version);
        Ok(report)
    }
}

impl Preflight {
    fn release(&self) -> anyhow::Result<Release> {
        let version = self.version.as_deref().ok_or_else(|| {
            Fault::usage("no version was given").hint(
                "say what would be deployed: --version v1.4.0, or `version: ${{ github.sha }}`",
            )
        })?;
        let sha = self.sha.clone().or_else(|| named::known_sha(version));
        named::release("", version, sha, &self.digest)
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
    ) -> anyhow::Result<Clearance> {
        if site.spec.preflight.is_none() {
            self.refuse_idle()?;
            return Ok(Clearance::Given(Vec::new()));
        }
        let (checks, seen) = self.look(session, site, release, Purpose::Deploy)?;
        Ok(clear(session, site.scope.clone(), release, checks, &seen))
    }

    /// The same of what only the caller's machine can look at, when it is deployed to another one.
    pub(super) fn before_leaving(
        &self,
        session: &Session,
        site: &SiteArgs,
        loaded: &Loaded,
        release: &Release,
    ) -> anyhow::Result<Clearance> {
        let Some(spec) = loaded.transaction()?.preflight else {
            self.refuse_idle()?;
            return Ok(Clearance::Given(Vec::new()));
        };
        let (scope, _) = site.place(Some(&loaded.config))?;
        let subject = self.subject(session, &spec, release, Vec::new())?;
        let checks = subject.look();
        if checks.is_empty() {
            return Ok(Clearance::Given(Vec::new()));
        }
        Ok(clear(session, scope, release, checks, &digests(&subject)))
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

    /// Looks at everything that can be looked at from here, and gives the images by digest.
    fn look(
        &self,
        session: &Session,
        site: &Site,
        release: &Release,
        purpose: Purpose,
    ) -> anyhow::Result<(Vec<Check>, String)> {
        let none = PreflightSpec::default();
        let spec = site.spec.preflight.as_ref().unwrap_or(&none);
        let ground = Ground { session, site, spec, release, purpose };
        let (mut checks, images) = ground.artifacts();
        // On behalf of a caller elsewhere, who looks at the rest himself.
        let subject = match session.is_elsewhere() {
            true => ground.images_only(images),
            false => self.subject(session, spec, release, images)?,
        };
        checks.extend(subject.look());
        checks.extend(ground.look()?);
        Ok((checks, digests(&subject)))
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
        let images = look(spec, &wanted, &session.cancel);
        let (reports, cancel) = (self.scan_report.clone(), session.cancel.clone());
        let only_registries = false;
        Ok(Subject { spec, release, images, sign_offs, reports, cancel, only_registries })
    }
}

fn digests(subject: &Subject<'_>) -> String {
    let found = subject.images.iter().filter_map(|looked| {
        let found = looked.found.as_ref().ok()?;
        Some(looked.image.by(&found.digest).to_string())
    });
    found.collect::<Vec<_>>().join("\n")
}

/// Whether a deployment may begin.
pub(super) enum Clearance {
    /// It may, with these images, by their digests: the very ones that were looked at.
    Given(Vec<String>),
    /// It may not.
    Refused(Box<Report>),
}

fn clear(
    session: &Session,
    scope: crate::deploy::Scope,
    release: &Release,
    checks: Vec<Check>,
    digests: &str,
) -> Clearance {
    let seen = conclude(session, checks, digests);
    if seen.verdict.is_pass() {
        session.say(&format!("preflight  {}", seen.summary));
        for check in seen.checks.iter().filter(|check| !check.verdict.is_pass()) {
            session.say(&format!("preflight  warning: {}: {}", check.name, check.reason));
        }
        return Clearance::Given(digests.lines().map(str::to_owned).collect());
    }
    let summary = format!("{}; nothing was changed", seen.summary);
    let mut report = ending::nothing(session, &scope, release, seen.verdict, summary);
    (report.checks, report.next) = (seen.checks, seen.next);
    Clearance::Refused(Box::new(report))
}

fn conclude(session: &Session, checks: Vec<Check>, digests: &str) -> Report {
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
    let digests = digests.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    report.outputs = [
        ("checks-total", total.to_string()),
        ("checks-failed", bad.len().to_string()),
        ("failed-checks", names.join("\n")),
        ("digests", digests),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if !verdict.is_pass() {
        report.next = Some("mend what is missing, each with its remedy above; then again".into());
    }
    report.checks = checks;
    report
}
