//! `evaluate-rollback`: decide from evidence whether a release stays.

use clap::Args;

use super::targets::{CommonArgs, TargetArgs, Timing};
use super::{Output, Session, Verb, output};
use crate::checks::{Purpose, run};
use crate::config::pipeline::LedgerSpec;
use crate::config::values::Period;
use crate::config::{Config, Loaded, parse};
use crate::decide::history::{History, Release};
use crate::decide::naming::{Name, Version};
use crate::decide::rollback::{
    Decision, Evidence, Job, Past, Policy, Probe, Roles, Ruling, Source, Stated, Threshold,
    WhenUnsure, decide, explain, read_jobs, read_report, reports_of,
};
use crate::decide::verdict::Verdict;
use crate::deploy::ledger;
use crate::deploy::state::ENVIRONMENT;
use crate::deploy::{Scope, State};
use crate::exit::{Exit, Fault, classify};
use crate::host::{env, files};
use crate::report::v1::{Check, Report};

/// Arguments of `evaluate-rollback`.
#[derive(Debug, Clone, Args)]
pub struct EvaluateRollback {
    #[command(flatten)]
    evidence: EvidenceArgs,
    #[command(flatten)]
    releases: ReleaseArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    common: CommonArgs,
    /// Look at what runs now with the checks of waveoff.yml
    #[arg(long, help_heading = "Evidence")]
    probe: bool,
    /// Something else made this deployment, so that the ledger does not know it
    #[arg(long, help_heading = "Evidence", conflicts_with = "deployment_id")]
    elsewhere: bool,
}

/// What a decision is made from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Evidence")]
struct EvidenceArgs {
    /// The jobs before this one as toJSON(needs) gives them, or @FILE with that
    #[arg(long, value_name = "JSON|@FILE")]
    needs: Option<String>,
    /// A report of an earlier program: a file, or the JSON itself on one line [repeatable]
    #[arg(long, value_name = "FILE|JSON")]
    reports: Vec<String>,
    /// Jobs that deploy, with commas [default: those called deploy… or release…]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    deploy_jobs: Option<Vec<String>>,
    /// Jobs that verify, with commas [default: those called smoke…, verify…, test…, wait… or health…]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    verify_jobs: Option<Vec<String>>,
    /// Jobs that tell or clean up, with commas [default: those called notify…, announce…, report… or clean…]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    notify_jobs: Option<Vec<String>>,
    /// A measurement with its two limits, where more is worse: errors=1.4,1,2 [repeatable]
    #[arg(long, value_name = "NAME=VALUE,LIMIT,ROLLBACK-LIMIT")]
    threshold: Vec<String>,
    /// Where deployments are remembered: folder or github [default: `ledger` in waveoff.yml]
    #[arg(long, value_name = "KIND", value_parser = ledger_kind)]
    ledger: Option<LedgerSpec>,
    /// The state folder, for the ledger in a folder
    #[arg(long, value_name = "FOLDER")]
    state: Option<String>,
}

/// What is judged, and what to go back to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Releases")]
struct ReleaseArgs {
    /// The service [default: `service` in waveoff.yml]
    #[arg(long, value_name = "NAME")]
    service: Option<Name>,
    /// The environment [default: `environment` in waveoff.yml, or production]
    #[arg(long, value_name = "NAME")]
    environment: Option<Name>,
    /// The deployment's id in the ledger
    #[arg(long, value_name = "ID")]
    deployment_id: Option<Version>,
    /// The version under judgement
    #[arg(long, value_name = "VERSION")]
    failed_version: Option<Version>,
    /// Its commit
    #[arg(long, value_name = "SHA")]
    failed_sha: Option<Version>,
    /// Its image digests or checksums, with commas
    #[arg(long, value_name = "DIGESTS", value_delimiter = ',', value_parser = digest)]
    failed_digests: Option<Vec<String>>,
    /// The verified version to go back to, where no ledger knows it
    #[arg(long, value_name = "VERSION")]
    previous_version: Option<Version>,
    /// Its commit
    #[arg(long, value_name = "SHA")]
    previous_sha: Option<Version>,
    /// Its image digests or checksums, with commas
    #[arg(long, value_name = "DIGESTS", value_delimiter = ',', value_parser = digest)]
    previous_digests: Option<Vec<String>>,
}

/// What to do when the evidence does not decide.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Policy")]
struct PolicyArgs {
    /// What to do when production cannot be known: keep, roll-back or escalate [default: escalate]
    #[arg(long, value_name = "DECISION")]
    when_unsure: Option<WhenUnsure>,
    /// With so many rollbacks in the window, a person decides about the next [default: 3]
    #[arg(long, value_name = "N")]
    max_rollbacks: Option<u32>,
    /// The window in which rollbacks are counted [default: 1h]
    #[arg(long, value_name = "DURATION")]
    window: Option<Period>,
    /// Say which questions led to the decision
    #[arg(long)]
    explain: bool,
}

impl Verb for EvaluateRollback {
    const NAME: &'static str = "evaluate-rollback";
    const ABOUT: &'static str = "Decide from evidence whether a release stays or is rolled back";
    const OUTPUTS: &'static [Output] = &[
        output("decision", "keep, hold, roll-back or escalate"),
        output("should-rollback", "true when the decision is roll-back, else false"),
        output("reason-code", "why, as one of the reason codes"),
        output("reason", "why, in words"),
        output("failed-job", "the job that the decision is about"),
        output("failed-jobs", "all jobs that failed or were cancelled, with commas"),
        output("failed-sha", "the commit under judgement"),
        output("previous-sha", "the commit to go back to"),
        output("previous-version", "the version to go back to"),
        output("previous-digests", "the digests to go back to, with commas"),
        output("target-source", "where the target is known from: ledger, github or input"),
        output("failure-class", "release, infrastructure, cancelled or unknown"),
        output("severity", "SEV-1 to SEV-4, or none"),
        output("circuit-state", "closed, open after too many rollbacks, or unknown"),
        output("requires-human", "true when a person has to decide, else false"),
        output("incident-key", "the key of the incident, the same however often it is told"),
        output("evidence", "what was known, a line each"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  evaluate-rollback --needs '${{ toJSON(needs) }}' --ledger github --service shop
  evaluate-rollback --reports smoke.json --failed-version v2 --previous-version v1
  evaluate-rollback --needs @needs.json --url https://shop.example.com/health --health --explain

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let loaded = session.config()?;
        let mut evidence = self.evidence(loaded.as_ref(), session)?;
        let checks = self.look(&evidence, session)?;
        evidence.probe = checks.clone().map(Probe::of);
        let ruling = decide(&evidence);
        ruling.evidence.iter().for_each(|line| session.say(&format!("  {line}")));
        if self.policy.explain {
            session.say("");
            explain(&evidence).iter().for_each(|line| session.say(&format!("  {line}")));
        }
        session.say("");
        Ok(self.report(&evidence, &ruling, checks.unwrap_or_default(), session))
    }
}

impl EvaluateRollback {
    /// Everything but the look at production.
    fn evidence(&self, loaded: Option<&Loaded>, session: &Session) -> anyhow::Result<Evidence> {
        let names = &self.releases;
        let config = loaded.map(|loaded| &loaded.config);
        let named = |flag: &Option<Name>, own: Option<&String>| {
            flag.as_ref().map(ToString::to_string).or_else(|| own.cloned())
        };
        let service = named(&names.service, config.and_then(|config| config.service.as_ref()));
        let environment =
            named(&names.environment, config.and_then(|config| config.environment.as_ref()));
        let environment = environment.unwrap_or_else(|| ENVIRONMENT.into());
        let mut broken = Vec::new();
        let jobs = self.jobs(&mut broken);
        let (mut reports, more) = reports_of(&jobs);
        broken.extend(more);
        reports.extend(self.reports(&mut broken));
        let read = |text: &String| Threshold::read(text).map_err(|why| broken.push(why)).ok();
        let thresholds = self.evidence.threshold.iter().filter_map(read).collect();
        let past = self.past(config, service.as_deref(), &environment)?;
        let service = service.unwrap_or_default();
        Ok(Evidence {
            repository: env::var("GITHUB_REPOSITORY").unwrap_or_else(|| service.clone()),
            service,
            environment,
            deployment: names.deployment_id.as_ref().map(ToString::to_string),
            release: release(&names.failed_version, &names.failed_sha, &names.failed_digests),
            jobs,
            reports,
            past,
            target: Some(release(
                &names.previous_version,
                &names.previous_sha,
                &names.previous_digests,
            ))
            .filter(|target| *target != Release::default()),
            probe: None,
            thresholds,
            elsewhere: self.elsewhere,
            broken,
            policy: self.policy.read(),
            now: session.wall(),
        })
    }

    fn jobs(&self, broken: &mut Vec<String>) -> Vec<Job> {
        let Some(needs) = &self.evidence.needs else { return Vec::new() };
        let text = match needs.strip_prefix('@') {
            Some(file) => files::read_text(file)
                .map_err(|error| format!("the jobs cannot be read from {file}: {error}")),
            None => Ok(needs.clone()),
        };
        let list = |list: &Option<Vec<String>>| -> Vec<String> {
            list.iter().flatten().map(|name| name.trim().to_owned()).collect()
        };
        let roles = Roles {
            deploy: list(&self.evidence.deploy_jobs),
            verify: list(&self.evidence.verify_jobs),
            notify: list(&self.evidence.notify_jobs),
        };
        text.and_then(|text| read_jobs(&text, &roles)).unwrap_or_else(|why| {
            broken.push(why);
            Vec::new()
        })
    }

    /// A job that was skipped puts out nothing, so an empty text is no report and no mistake.
    fn reports(&self, broken: &mut Vec<String>) -> Vec<Stated> {
        let given = self.evidence.reports.iter().filter(|text| !text.trim().is_empty());
        let read = |(index, text): (usize, &String)| {
            if text.trim_start().starts_with('{') {
                return read_report(&format!("--reports {}", index + 1), text);
            }
            let content = files::read_text(text)
                .map_err(|error| format!("the report {text} cannot be read: {error}"))?;
            read_report(text, &content)
        };
        let results: Vec<_> = given.enumerate().map(read).collect();
        results.into_iter().filter_map(|read| read.map_err(|why| broken.push(why)).ok()).collect()
    }

    /// The ledger, when one is named by a flag or the file. One that cannot be read is part of the
    /// evidence; one that cannot be meant is a mistake of the caller.
    fn past(
        &self,
        config: Option<&Config>,
        service: Option<&str>,
        environment: &str,
    ) -> anyhow::Result<Past> {
        let EvidenceArgs { ledger: kind, state, .. } = &self.evidence;
        let by_file = |config: &Config| {
            let deploys = config.deploy.is_some() || config.platform.is_some();
            deploys || config.ledger.is_some() || config.state.is_some()
        };
        if kind.is_none() && state.is_none() && !config.is_some_and(by_file) {
            return Ok(Past::NotAsked);
        }
        let mut config = match config {
            Some(config) => config.clone(),
            None => parse("the defaults", "version: 1", |_| None)?.config,
        };
        config.ledger = kind.clone().or(config.ledger);
        let source = match config.ledger {
            Some(LedgerSpec::Github) => Source::Github,
            _ => Source::Ledger,
        };
        let scope = Scope::of(&config, service, Some(environment))?;
        let records = State::of(&config, state.as_deref())
            .and_then(|state| ledger::open(&config, &scope, &state)?.read());
        match records {
            Ok(records) => {
                let (service, environment) = (scope.service.as_str(), scope.environment.as_str());
                Ok(Past::Known(History::of(&records, service, environment), source))
            }
            Err(error) if classify(&error).0 == Exit::Usage => Err(error),
            Err(error) => Ok(Past::Unreadable(format!("{error:#}"))),
        }
    }

    /// A look at what runs now, when one was asked for.
    fn look(&self, evidence: &Evidence, session: &Session) -> anyhow::Result<Option<Vec<Check>>> {
        if self.targets.is_empty() && !self.probe {
            return Ok(None);
        }
        let version = Some(evidence.release.version.clone()).filter(|version| !version.is_empty());
        let common = self.common.clone().expecting(version);
        let suite = common.suite(&self.targets, &Timing::default(), session)?;
        let version = suite.expected_version.as_deref();
        let ran = run(&suite.checks, version, suite.process, Purpose::Smoke, session);
        match ran.cancelled {
            Some(signal) => {
                Err(Fault::error(format!("cancelled by {signal} before a decision")).into())
            }
            None => Ok(Some(ran.checks)),
        }
    }

    /// A decision that was reached is a pass, whatever it is.
    fn report(
        &self,
        evidence: &Evidence,
        ruling: &Ruling,
        checks: Vec<Check>,
        session: &Session,
    ) -> Report {
        let (decision, code) = (ruling.decision.word(), ruling.code.word());
        let summary = format!("{decision} ({code}): {}", ruling.reason);
        let mut report = session.report(Verdict::Pass, summary);
        report.next = next(ruling);
        report.service = Some(evidence.service.clone()).filter(|service| !service.is_empty());
        report.environment = Some(evidence.environment.clone());
        report.checks = checks;
        report.outputs = ruling.outputs();
        report
    }
}

impl PolicyArgs {
    fn read(&self) -> Policy {
        let usual = Policy::default();
        Policy {
            when_unsure: self.when_unsure.unwrap_or(usual.when_unsure),
            max_rollbacks: self.max_rollbacks.unwrap_or(usual.max_rollbacks),
            window: self.window.map_or(usual.window, |window| window.0),
        }
    }
}

fn next(ruling: &Ruling) -> Option<String> {
    let text = match ruling.decision {
        Decision::Keep => return None,
        Decision::Hold => "verify again, and evaluate again with both reports".into(),
        Decision::RollBack => {
            let target = ruling.target.as_ref().map(|target| target.release.version.as_str());
            match target.filter(|version| !version.is_empty()) {
                Some(version) => format!("roll back to {version}, verify it, and tell people"),
                None => "roll back to the target, verify it, and tell people".into(),
            }
        }
        Decision::Escalate => format!("a person has to look at production ({})", ruling.severity),
    };
    Some(text)
}

fn release(
    version: &Option<Version>,
    sha: &Option<Version>,
    digests: &Option<Vec<String>>,
) -> Release {
    Release {
        version: version.as_ref().map(ToString::to_string).unwrap_or_default(),
        sha: sha.as_ref().map(ToString::to_string),
        digests: digests.clone().unwrap_or_default(),
    }
}

fn ledger_kind(word: &str) -> Result<LedgerSpec, String> {
    match word {
        "folder" => Ok(LedgerSpec::Folder),
        "github" => Ok(LedgerSpec::Github),
        other => Err(format!("`{other}` is not known; known are folder, github")),
    }
}

/// A digest may have the image's name before it, and nothing that is no part of either.
fn digest(text: &str) -> Result<String, String> {
    let text = text.trim();
    let usual = |c: char| c.is_ascii_alphanumeric() || "._-:@/+".contains(c);
    match text.is_empty() || !text.chars().all(usual) {
        true => Err(format!("{text:?} is no digest; write it like sha256:12ab…")),
        false => Ok(text.into()),
    }
}

#[cfg(test)]
#[path = "evaluate_rollback_tests.rs"]
mod tests;
