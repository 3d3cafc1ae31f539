//! What `notify-incident` is given: a report, the outputs of `evaluate-rollback`, or words.

use clap::Args;

use crate::commands::Session;
use crate::config::Config;
use crate::decide::history::Release;
use crate::decide::incident::{Ending, Incident, Recovery};
use crate::decide::{incident_key, incident_report};
use crate::deploy::Scope;
use crate::exit::Fault;
use crate::host::{clock, env, files};
use crate::report::v1::{Check, Report};

const FACTS: &str = "What happened";

/// What is known of the incident. What a flag says wins over the report.
#[derive(Debug, Clone, Args)]
pub(super) struct Facts {
    /// The report of `deploy` or `rollback`: a file, or the JSON itself
    #[arg(long, value_name = "FILE|JSON", help_heading = FACTS)]
    deploy_report: Option<String>,
    /// The report of smoke-test that saw it fail: a file, or the JSON itself
    #[arg(long, value_name = "FILE|JSON", help_heading = FACTS)]
    evidence: Option<String>,
    /// The service [default: the report's, else `service` in waveoff.yml]
    #[arg(long, value_name = "NAME", help_heading = FACTS)]
    service: Option<String>,
    /// The environment [default: the report's, else `environment` in waveoff.yml, else production]
    #[arg(long, value_name = "NAME", help_heading = FACTS)]
    environment: Option<String>,
    /// The version that failed
    #[arg(long, value_name = "VERSION", help_heading = FACTS)]
    failed_version: Option<String>,
    /// Its commit
    #[arg(long, value_name = "SHA", help_heading = FACTS)]
    failed_sha: Option<String>,
    /// A digest of it; several with commas [repeatable]
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', help_heading = FACTS)]
    failed_digest: Vec<String>,
    /// The version to go back to
    #[arg(long, value_name = "VERSION", help_heading = FACTS)]
    target_version: Option<String>,
    /// Its commit
    #[arg(long, value_name = "SHA", help_heading = FACTS)]
    target_sha: Option<String>,
    /// How it ended: rolled-back, rollback-failed, no-target, failed or escalated
    #[arg(long, value_name = "OUTCOME", help_heading = FACTS)]
    outcome: Option<Ending>,
    /// Why it failed, in one line
    #[arg(long, value_name = "TEXT", help_heading = FACTS)]
    reason: Option<String>,
    /// How bad it is: SEV-1 to SEV-4 [default: SEV-1 when nothing good serves]
    #[arg(long, value_name = "SEVERITY", help_heading = FACTS)]
    severity: Option<String>,
    /// The incident's key, from `deploy` or `evaluate-rollback` [default: computed]
    #[arg(long, value_name = "KEY", help_heading = FACTS)]
    incident_key: Option<String>,
    /// The deployment's id
    #[arg(long, value_name = "ID", help_heading = FACTS)]
    deployment_id: Option<String>,
    /// Where the change is tracked: an address, or a name
    #[arg(long, value_name = "LINK", help_heading = FACTS)]
    ticket: Option<String>,
    /// Where the evidence is kept: an address, or a path
    #[arg(long, value_name = "PLACE", help_heading = FACTS)]
    forensics: Option<String>,
    /// The address of the run [default: this run's, in GitHub Actions]
    #[arg(long, value_name = "URL", help_heading = FACTS)]
    run_url: Option<String>,
}

impl Facts {
    /// The incident; none when a report was given that is not one of a failure.
    pub(super) fn incident(
        &self,
        session: &Session,
        config: Option<&Config>,
    ) -> anyhow::Result<Option<Incident>> {
        let report = match self.report() {
            Ok(report) => report,
            // Evidence that cannot be read must not silence what is known besides.
            Err(error) if self.failed_version.is_some() => {
                session.say(&format!("warning: {error:#}; it is told without"));
                None
            }
            Err(error) => return Err(error),
        };
        let told = report.as_ref().and_then(incident_report::of);
        if report.is_some() && told.is_none() && self.outcome.is_none() {
            return Ok(None);
        }
        let mut incident = match told {
            Some(incident) => incident,
            None => self.bare(session)?,
        };
        self.fill(&mut incident, config);
        incident.failed_checks.extend(self.seen(session));
        Ok(Some(incident))
    }

    /// An incident of flags alone.
    fn bare(&self, session: &Session) -> anyhow::Result<Incident> {
        let missing = |flag: &str, what: &str| {
            Fault::usage(format!("{what} is not known"))
                .hint(format!("give {flag}, or --deploy-report"))
        };
        let version = self
            .failed_version
            .clone()
            .ok_or_else(|| missing("--failed-version", "the version that failed"))?;
        let ending = self.outcome.ok_or_else(|| {
            let known = Ending::ALL.map(Ending::word).join(", ");
            missing("--outcome", "how it ended").hint(format!("give --outcome: {known}"))
        })?;
        Ok(Incident {
            key: String::new(),
            service: String::new(),
            environment: String::new(),
            failed: Release { version, ..Release::default() },
            target: None,
            ending,
            reason: "no reason was given".into(),
            severity: None,
            when: clock::rfc3339(session.wall()),
            deployment: None,
            run_url: None,
            ticket: None,
            forensics: None,
            steps: Vec::new(),
            failed_checks: Vec::new(),
        })
    }

    /// What flags say, then what configuration and environment do.
    fn fill(&self, incident: &mut Incident, config: Option<&Config>) {
        let (service, environment) = self.names(config);
        put(&mut incident.service, self.service.as_ref());
        put(&mut incident.environment, self.environment.as_ref());
        if incident.service.is_empty() {
            put(&mut incident.service, service.as_ref());
        }
        if incident.environment.is_empty() {
            incident.environment = environment;
        }
        put(&mut incident.failed.version, self.failed_version.as_ref());
        if let Some(ending) = self.outcome {
            incident.ending = ending;
        }
        put(&mut incident.reason, self.reason.as_ref());
        or(&mut incident.failed.sha, &self.failed_sha);
        if !self.failed_digest.is_empty() {
            incident.failed.digests.clone_from(&self.failed_digest);
        }
        if let Some(version) = &self.target_version {
            let target = Release { version: version.clone(), ..Release::default() };
            incident.target = Some(target);
        }
        if let Some(target) = &mut incident.target {
            or(&mut target.sha, &self.target_sha);
        }
        // `evaluate-rollback` says `none` where it saw nothing bad.
        or(&mut incident.severity, &self.severity);
        incident.severity = incident.severity.take().filter(|severity| severity != "none");
        or(&mut incident.deployment, &self.deployment_id);
        or(&mut incident.ticket, &self.ticket);
        or(&mut incident.forensics, &self.forensics);
        incident.run_url = self.run_url();
        put(&mut incident.key, self.incident_key.as_ref());
        if incident.key.is_empty() {
            incident.key = key(incident);
        }
    }

    fn names(&self, config: Option<&Config>) -> (Option<String>, String) {
        let service = self.service.clone().or_else(|| config?.service.clone());
        let environment = self.environment.clone().or_else(|| config?.environment.clone());
        (service, environment.unwrap_or_else(|| "production".into()))
    }

    /// What is resolved, where only its key is given.
    pub(super) fn scope(&self, config: Option<&Config>) -> anyhow::Result<Option<Scope>> {
        let report = self.report()?;
        let (service, environment) = self.names(config);
        let service = service.or_else(|| report.as_ref()?.service.clone());
        let environment = match (&self.environment, report.and_then(|report| report.environment)) {
            (None, Some(reported)) => reported,
            _ => environment,
        };
        service.map(|service| Scope::new(&service, &environment)).transpose()
    }

    pub(super) fn needed_key(&self) -> anyhow::Result<String> {
        let reported = || -> anyhow::Result<Option<String>> {
            let report = self.report()?;
            Ok(report.and_then(|report| report.outputs.get("incident-key").cloned()))
        };
        let key = match &self.incident_key {
            Some(key) => Some(key.clone()),
            None => reported()?,
        };
        Ok(key.filter(|key| !key.is_empty()).ok_or_else(|| {
            Fault::usage("which incident is over?")
                .hint("give --incident-key: it is in the issue's text and among the outputs")
        })?)
    }

    pub(super) fn recovery(
        &self,
        session: &Session,
        key: String,
        version: Option<String>,
    ) -> Recovery {
        let when = clock::rfc3339(session.wall());
        Recovery { key, when, version, note: self.reason.clone(), run_url: self.run_url() }
    }

    fn report(&self) -> anyhow::Result<Option<Report>> {
        self.deploy_report.as_deref().map(|given| read("--deploy-report", given)).transpose()
    }

    /// Failed checks that others saw. What cannot be read of them must not silence the rest.
    fn seen(&self, session: &Session) -> Vec<Check> {
        let Some(given) = self.evidence.as_deref().filter(|given| !given.trim().is_empty()) else {
            return Vec::new();
        };
        match read("--evidence", given) {
            Ok(report) => incident_report::failed(&report),
            Err(error) => {
                session.say(&format!("warning: {error:#}; it is told without"));
                Vec::new()
            }
        }
    }

    fn run_url(&self) -> Option<String> {
        self.run_url.clone().or_else(|| {
            let server = env::var("GITHUB_SERVER_URL")?;
            let (repository, run) = (env::var("GITHUB_REPOSITORY")?, env::var("GITHUB_RUN_ID")?);
            Some(format!("{server}/{repository}/actions/runs/{run}"))
        })
    }
}

fn read(flag: &str, given: &str) -> anyhow::Result<Report> {
    let hint = "give the file that --report named, or the output `report`";
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        files::read_text(given).map_err(|error| {
            Fault::usage(format!("cannot read the report {given}: {error}")).hint(hint)
        })?
    };
    Ok(serde_json::from_str(&text)
        .map_err(|error| Fault::usage(format!("{flag} is not a report: {error}")).hint(hint))?)
}

/// The same key that `deploy` and `evaluate-rollback` compute.
fn key(incident: &Incident) -> String {
    let repository = env::var("GITHUB_REPOSITORY").unwrap_or_else(|| incident.service.clone());
    incident_key::Incident {
        repository: &repository,
        environment: &incident.environment,
        failed: &incident.failed,
        target: incident.target.as_ref(),
        deployment: incident.deployment.as_deref().unwrap_or_default(),
    }
    .key()
}

fn put(place: &mut String, given: Option<&String>) {
    if let Some(given) = given {
        place.clone_from(given);
    }
}

fn or(place: &mut Option<String>, given: &Option<String>) {
    if given.is_some() {
        place.clone_from(given);
    }
}
