//! `waveoff capture`: writes down what production is like at this moment.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::site::{Site, SiteArgs};
use super::{Departure, Output, Session, Verb, Yonder, output};
use crate::decide::capture::Capture as State;
use crate::decide::verdict::Verdict;
use crate::deploy::{capture, new_id};
use crate::exit::Fault;
use crate::report::v1::Report;

/// Arguments of `capture`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Capture {
    #[command(flatten)]
    site: SiteArgs,
    /// Write the state to this file [default: captures/ in the state folder, named by the time]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Verb for Capture {
    const NAME: &'static str = "capture";
    const ABOUT: &'static str =
        "Write down versions, services, data, checks and the machine's state";
    const ACTION: &'static str = "capture-state";
    const OUTPUTS: &'static [Output] = &[
        output("state", "what was captured, as JSON"),
        output("state-file", "the file that it was written to"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  waveoff capture
  waveoff capture --output before.json

";

    fn depart(mut self, _: &Yonder<'_>) -> anyhow::Result<Departure<Self>> {
        self.output = None;
        Ok(Departure::Goes(self))
    }

    fn arrive(&self, _: &Session, report: &mut Report) -> anyhow::Result<()> {
        let (Some(file), Some(text)) = (&self.output, report.outputs.get("state")) else {
            return Ok(());
        };
        let state: State = serde_json::from_str(text)?;
        capture::write(file, &state).map_err(|error| {
            Fault::error(format!("cannot write the capture to {}: {error}", file.display()))
                .hint("name another file with --output")
        })?;
        report.outputs.insert("state-file".into(), file.display().to_string());
        Ok(())
    }

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let site = self.site.open(session)?;
        let state = look(session, &site);
        let file = self.write(&site, &state)?;
        show(session, &state);
        let (verdict, summary) = conclude(&site, &state, &file);
        let mut report = session.report(verdict, summary);
        report.service = Some(state.service.clone());
        report.environment = Some(state.environment.clone());
        report.outputs = [
            ("state".to_owned(), serde_json::to_string(&state)?),
            ("state-file".to_owned(), file.display().to_string()),
        ]
        .into();
        Ok(report)
    }
}

impl Capture {
    fn write(&self, site: &Site, state: &State) -> anyhow::Result<PathBuf> {
        let folder = site.state.folder(&site.scope);
        let written = match &self.output {
            Some(file) => capture::write(file, state).map(|()| file.clone()),
            None => capture::save(&folder, &new_id(), state),
        };
        written.map_err(|error| {
            let file = self.output.clone().unwrap_or_else(|| folder.join("captures"));
            Fault::error(format!("cannot write the capture to {}: {error}", file.display()))
                .hint("name another file with --output")
                .into()
        })
    }
}

fn look(session: &Session, site: &Site) -> State {
    let history = site.history();
    let history = history.as_ref().map_err(|error| format!("{error:#}"));
    site.capture(session, history)
}

/// What could not be found out makes it less than whole, and no failure.
fn conclude(site: &Site, state: &State, file: &std::path::Path) -> (Verdict, String) {
    let missing: Vec<&str> = state.unknown.iter().map(|one| one.what.as_str()).collect();
    let mut summary = format!("{}: captured in {}", site.scope, file.display());
    if !missing.is_empty() {
        summary.push_str(&format!("; not known: {}", missing.join(", ")));
    }
    (Verdict::Pass, summary)
}

fn show(session: &Session, state: &State) {
    let line = |name: &str, text: &str| session.say(&format!("{name:<14} {text}"));
    let unknown = || "not known".to_owned();
    for (name, version) in &state.versions {
        line("version", &format!("{name} {}", version.clone().unwrap_or_else(unknown)));
    }
    for (name, word) in &state.services {
        line("service", &format!("{name} {}", word.clone().unwrap_or_else(unknown)));
    }
    let system = &state.system;
    line("host", state.host.as_deref().unwrap_or("not known"));
    line("up since", system.uptime_since.as_deref().unwrap_or("not known"));
    let load = system.load_average.as_ref();
    let load = load.map(|load| format!("{} {} {}", load.one, load.five, load.fifteen));
    line("load", &load.unwrap_or_else(unknown));
    line("disk", system.disk_usage.as_deref().unwrap_or("not known"));
    for (name, value) in &state.data {
        line("data", &format!("{name} {}", value.clone().unwrap_or_else(unknown)));
    }
    for check in state.checks.iter().flatten() {
        let (verdict, latency) = (check.verdict, check.latency_ms);
        line("check", &format!("{verdict:<12} {latency:>7.1} ms  {}", check.name));
    }
    for past in state.history.iter().flatten() {
        line("deployment", &format!("{}  {}  {}", past.started, past.version, past.outcome));
    }
    for unknown in &state.unknown {
        line("not known", &format!("{}: {}", unknown.what, unknown.why));
    }
    session.say("");
}
