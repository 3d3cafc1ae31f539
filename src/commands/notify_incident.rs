//! `notify-incident`: tell people of a failed release, once, wherever they are told.

mod inputs;

use clap::Args;

use super::{Output, Session, Verb, output};
use crate::channels::{self, Outcome, Telling};
use crate::config::Config;
use crate::config::pipeline::NotifySpec;
use crate::config::values::{Period, Secret};
use crate::decide::incident::Incident;
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::words::count;
use crate::deploy::{Scope, State};
use crate::exit::{Exit, Fault};
use crate::report::v1::{Check, Report};
use inputs::Facts;

/// Arguments of `notify-incident`.
#[derive(Debug, Clone, Args)]
pub struct NotifyIncident {
    #[command(flatten)]
    facts: Facts,
    /// Tell that the incident is over instead: comment and close
    #[arg(long, help_heading = TELL)]
    resolve: bool,
    /// With --resolve: the version that serves now
    #[arg(long, value_name = "VERSION", help_heading = TELL)]
    live_version: Option<String>,
    /// Whom to tell: github-issue, file [default: `notify` in waveoff.yml, else an issue when there
    /// is a token, else a file]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = channels::named, help_heading = TELL)]
    channels: Vec<NotifySpec>,
    /// Channels whose failure is exit code 12 [default: `incident.required-channels` in waveoff.yml]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = channels::named, help_heading = TELL)]
    required_channels: Vec<NotifySpec>,
    /// The GitHub token [default: GITHUB_TOKEN]; it needs `issues: write`
    #[arg(long, value_name = "TOKEN", help_heading = TELL)]
    token: Option<Secret>,
    /// How long one channel may take, with all its waiting [default: 2m]
    #[arg(long, value_name = "DURATION", help_heading = TELL)]
    within: Option<Period>,
    /// The state folder; incidents are files in it [default: `state` in waveoff.yml, else
    /// ~/.local/state/waveoff]
    #[arg(long, value_name = "FOLDER", help_heading = TELL)]
    state: Option<String>,
    /// Print exactly what would be sent, and send nothing
    #[arg(long, help_heading = TELL)]
    dry_run: bool,
}

const TELL: &str = "Who is told, and how";

impl Verb for NotifyIncident {
    const NAME: &'static str = "notify-incident";
    const ABOUT: &'static str = "Tell people of a failed release, once, wherever they are told";
    const OUTPUTS: &'static [Output] = &[
        output("incident-key", "the incident's key: the same however often it is told"),
        output("issue-number", "the number of the GitHub issue"),
        output("issue-url", "the address of the GitHub issue"),
        output("file", "the path of the Markdown file"),
        output("told", "true when at least one channel has told"),
        output("was-known", "true when every channel that has told had told before"),
        output("failed-channels", "the names of the channels that could not tell, one a line"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  notify-incident --deploy-report report.json
  notify-incident --service shop --failed-version v2 --target-version v1 --outcome rolled-back \\
    --reason 'database is down' --severity SEV-2
  notify-incident --deploy-report report.json --dry-run
  notify-incident --resolve --incident-key 4a4d49b726e7eba8 --live-version v3

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let broken = match session.config() {
            Ok(loaded) => return self.perform(session, loaded.as_ref().map(|l| &l.config)),
            Err(broken) => broken,
        };
        // A mistake in waveoff.yml must not silence an incident, nor must it go unnoticed.
        match self.perform(session, None) {
            Ok(mut report) => {
                report.summary += &format!("; without the configuration: {broken:#}");
                report.verdict = Verdict::Error;
                report.exit_code = Exit::Error.code();
                Ok(report)
            }
            Err(_) => Err(broken),
        }
    }
}

impl NotifyIncident {
    fn perform(&self, session: &Session, config: Option<&Config>) -> anyhow::Result<Report> {
        if self.resolve {
            let key = self.facts.needed_key()?;
            let scope = self.facts.scope(config)?;
            let telling = self.telling(session, config, scope.as_ref())?;
            return Ok(self.resolved(session, &telling, key));
        }
        let Some(incident) = self.facts.incident(session, config)? else {
            return Ok(self.nothing(session));
        };
        let scope = Scope::new(&incident.service, &incident.environment)?;
        let telling = self.telling(session, config, Some(&scope))?;
        if self.dry_run {
            return Ok(preview(session, &telling, &incident));
        }
        let outcomes = channels::tell_all(session, &telling, &incident);
        let version = &incident.failed.version;
        let report = conclude(session, &outcomes, &incident.key, |told| {
            format!("the incident of {version} is told by {told}")
        });
        Ok(about(report, &incident))
    }

    fn telling(
        &self,
        session: &Session,
        config: Option<&Config>,
        scope: Option<&Scope>,
    ) -> anyhow::Result<Telling> {
        let scope = scope.ok_or_else(|| {
            Fault::usage("the service has no name")
                .hint("give --service, or write `service: shop` into waveoff.yml")
        })?;
        let own = config.and_then(|config| config.state.as_deref());
        // Where there is no home, there is still a working folder: it must not silence the issue.
        let state = State::named(self.state.as_deref().or(own));
        let state = state.unwrap_or_else(|_| State::at("waveoff-state"));
        let folder = state.folder(scope).join("incidents");
        let mut telling = Telling::of(config, folder, self.token.as_ref(), session)?;
        if !self.channels.is_empty() {
            telling.channels.clone_from(&self.channels);
        }
        if !self.required_channels.is_empty() {
            telling.required.clone_from(&self.required_channels);
        }
        if let Some(within) = self.within {
            telling.context.within = within.0;
        }
        Ok(telling)
    }

    fn resolved(&self, session: &Session, telling: &Telling, key: String) -> Report {
        let recovery = self.facts.recovery(session, key.clone(), self.live_version.clone());
        if self.dry_run {
            let (text, _) = crate::decide::incident_text::recovered(&recovery);
            session.say(&format!("comment, then close:\n{text}"));
            return session.report(Verdict::Pass, "nothing was sent");
        }
        let outcomes = channels::resolve_all(session, telling, &recovery);
        conclude(session, &outcomes, &key, |told| {
            format!("that the incident {key} is over is told by {told}")
        })
    }

    fn nothing(&self, session: &Session) -> Report {
        let summary = "there is nothing to tell: the report is not one of a failed release";
        let mut report = session.report(Verdict::Pass, summary);
        report.outputs = outputs(&[], "");
        report
    }
}

fn preview(session: &Session, telling: &Telling, incident: &Incident) -> Report {
    for (channel, payload) in channels::preview_all(session, telling, incident) {
        session.say(&format!("{channel}:\n{payload}\n"));
    }
    let report = session.report(Verdict::Pass, "nothing was sent");
    let mut report = about(report, incident);
    report.outputs = outputs(&[], &incident.key);
    report
}

fn about(mut report: Report, incident: &Incident) -> Report {
    report.service = Some(incident.service.clone());
    report.environment = Some(incident.environment.clone());
    report
}

/// The report of what the channels did: each is a check, and the required ones decide.
fn conclude(
    session: &Session,
    outcomes: &[Outcome],
    key: &str,
    summary: impl Fn(&str) -> String,
) -> Report {
    let failed = |outcome: &&Outcome| outcome.result.is_err();
    let bad: Vec<&Outcome> = outcomes.iter().filter(failed).collect();
    let told: Vec<&str> = outcomes.iter().filter(|o| !failed(o)).map(|o| o.channel).collect();
    let is_bad = told.is_empty() || bad.iter().any(|outcome| outcome.required);
    let verdict = if is_bad { Verdict::Error } else { Verdict::Pass };
    let mut line = match told.as_slice() {
        [] => "nobody could be told".to_owned(),
        told => summary(&told.join(", ")),
    };
    if !bad.is_empty() {
        let names: Vec<&str> = bad.iter().map(|outcome| outcome.channel).collect();
        line += &format!("; {} failed: {}", count(bad.len(), "channel"), names.join(", "));
    }
    let mut report = session.report(verdict, line);
    report.checks = outcomes.iter().map(row).collect();
    report.outputs = outputs(outcomes, key);
    if is_bad {
        report.next = Some("tell people yourself, and see above what each channel needs".into());
    }
    report
}

fn row(outcome: &Outcome) -> Check {
    let (verdict, reason, note) = match &outcome.result {
        Ok(told) if told.location.is_empty() => (Verdict::Pass, String::new(), told.note.clone()),
        Ok(told) => {
            let known = if told.was_known { "known already: " } else { "" };
            (Verdict::Pass, format!("{known}{}", told.location), told.note.clone())
        }
        Err(why) => (Verdict::Error, why.clone(), None),
    };
    Check {
        name: outcome.channel.into(),
        kind: "channel".into(),
        target: outcome.channel.into(),
        severity: if outcome.required { Severity::Critical } else { Severity::Warning },
        verdict,
        reason,
        remedy: None,
        duration_ms: 0,
        latency_ms: 0.0,
        attempts: 1,
        findings: Vec::new(),
        warnings: note.into_iter().collect(),
        circuits: std::collections::BTreeMap::new(),
        timeline: Vec::new(),
        last_response: None,
    }
}

fn outputs(outcomes: &[Outcome], key: &str) -> std::collections::BTreeMap<String, String> {
    let told =
        || outcomes.iter().filter_map(|outcome| Some((outcome, outcome.result.as_ref().ok()?)));
    let of = |name: &str| told().find(|(outcome, _)| outcome.channel == name).map(|(_, told)| told);
    let location = |name: &str| of(name).map(|told| told.location.clone()).unwrap_or_default();
    let number = of("github-issue").and_then(|told| told.number);
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err());
    let failed: Vec<&str> = failed.map(|outcome| outcome.channel).collect();
    let any = told().next().is_some();
    [
        ("incident-key", key.to_owned()),
        ("issue-number", number.map(|number| number.to_string()).unwrap_or_default()),
        ("issue-url", location("github-issue")),
        ("file", location("file")),
        ("told", any.to_string()),
        ("was-known", (any && told().all(|(_, told)| told.was_known)).to_string()),
        ("failed-channels", failed.join("\n")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
