//! One run of a verb: what all verbs have in common, from the first line to the exit code.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use clap::ArgMatches;

use super::common::Common;
use super::detached::Detached;
use super::{COMMON_OUTPUTS, Entry};
use crate::actions::{self, Level};
use crate::config::{self, Loaded};
use crate::decide::verdict::Verdict;
use crate::exit::{Exit, Fault, classify};
use crate::host::clock::{self, Moment};
use crate::host::signals::Cancel;
use crate::host::{env, files, terminal};
use crate::report::mask::{Mask, is_common, is_ordinary};
use crate::report::v1::Report;
use crate::report::{console, junit, markdown, metrics};

/// The file that is read when no other is named.
pub(super) const DEFAULT_CONFIG: &str = "waveoff.yml";

/// One run of a verb.
#[derive(Debug)]
pub struct Session {
    pub(super) entry: &'static str,
    pub(super) common: Common,
    pub(super) mask: Mutex<Mask>,
    pub(super) started: Moment,
    pub(super) wall: SystemTime,
    /// Set by SIGINT, SIGTERM and SIGHUP.
    pub cancel: Cancel,
    pub(super) detached: Option<Detached>,
    /// What stands before each line: of whom it is, where several speak.
    pub(super) voice: Option<String>,
}

impl Session {
    pub(super) fn begin(entry: Entry, matches: &ArgMatches) -> anyhow::Result<Self> {
        let common = Common::read(matches)?;
        Self::of(entry.name, common)
    }

    /// A run without flags.
    pub(super) fn plain(entry: &'static str) -> anyhow::Result<Self> {
        Self::of(entry, Common::default())
    }

    fn of(entry: &'static str, common: Common) -> anyhow::Result<Self> {
        let mut mask = Mask::default();
        let secrets = env::all().into_iter().collect();
        mask.merge(&Mask::of_variables(&secrets));
        Ok(Self {
            entry,
            common,
            mask: Mutex::new(mask),
            started: Moment::now(),
            wall: clock::wall(),
            cancel: Cancel::on_signals()?,
            detached: None,
            voice: None,
        })
    }

    /// A run that is cancelled by its caller's word alone, and by no signal.
    pub(crate) fn unsignalled(entry: &'static str) -> Self {
        Self { entry, ..Self::silent() }
    }

    /// The same run without a terminal.
    pub(super) fn detach(self, detached: Detached) -> Self {
        self.hide_all(&detached.loaded.mask);
        Self { detached: Some(detached), ..self }
    }

    /// One that keeps the same secrets, says nothing, and is cancelled by nobody.
    pub(crate) fn aside(&self) -> Self {
        let aside = Self::silent();
        aside.hide_all(&self.mask.lock().unwrap_or_else(PoisonError::into_inner));
        aside
    }

    /// The configuration: the file that was named, or `waveoff.yml` if it is there.
    ///
    /// # Errors
    /// When it cannot be read or is wrong.
    pub fn config(&self) -> anyhow::Result<Option<Loaded>> {
        if let Some(detached) = &self.detached {
            return Ok(Some(detached.loaded.clone()));
        }
        let loaded = match &self.common.config {
            Some(file) => config::load(file)?,
            None if files::exists(DEFAULT_CONFIG) => config::load(DEFAULT_CONFIG)?,
            None => return Ok(None),
        };
        self.hide_all(&loaded.mask);
        Ok(Some(loaded))
    }

    /// The configuration, which must be there.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is wrong.
    pub fn needed_config(&self) -> anyhow::Result<Loaded> {
        self.config()?.ok_or_else(|| {
            Fault::usage(format!("there is no {DEFAULT_CONFIG} here"))
                .hint("write one with `waveoff init`, or name another file with --config")
                .into()
        })
    }

    /// Keeps a text out of everything that is written, in a CI's log too: there it is masked in the
    /// rest of the job, so that no word and no version, date or short number is told.
    pub fn hide(&self, secret: &str) {
        self.mask.lock().unwrap_or_else(PoisonError::into_inner).add(secret);
        if actions::is_ci() && self.detached.is_none() && !is_everywhere(secret) {
            terminal::err(&actions::add_mask(secret));
        }
    }

    /// The same until it is forgotten again, as often as it was hidden; a CI's log never forgets.
    pub(crate) fn hide_for_now(&self, secrets: &[String]) {
        for secret in secrets {
            let mut mask = self.mask.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = mask.add_for_now(secret);
            if is_new && actions::is_ci() && self.detached.is_none() && !is_everywhere(secret) {
                terminal::err(&actions::add_mask(secret));
            }
        }
    }

    /// Forgets what was hidden for now: nothing that is kept can repeat it any more.
    pub(crate) fn forget(&self, secrets: &[String]) {
        let mut mask = self.mask.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().for_each(|secret| mask.forget(secret));
    }

    pub(super) fn hide_all(&self, other: &Mask) {
        self.mask.lock().unwrap_or_else(PoisonError::into_inner).merge(other);
    }

    /// A text with all secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.mask.lock().unwrap_or_else(PoisonError::into_inner).apply(text)
    }

    /// The file that the report goes to, when one was named.
    pub fn report_file(&self) -> Option<&str> {
        self.common.report.as_deref()
    }

    /// The time since the start.
    pub fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// The time of day of the start.
    pub fn wall(&self) -> SystemTime {
        self.wall
    }

    /// Prints a line for people, unless they asked for quiet. What comes from outside must not
    /// move the cursor or ring the bell.
    pub fn say(&self, line: &str) {
        if let Some(detached) = &self.detached {
            detached.say(&console::clean(&self.masked(line)), None);
        } else if !self.common.quiet {
            let voice = self.voice.as_ref().map(|voice| format!("{voice} ")).unwrap_or_default();
            self.print(&console::clean(&self.masked(&format!("{voice}{line}"))));
        }
    }

    /// Whether somebody on another machine asked for it, or it goes on by itself.
    pub fn is_elsewhere(&self) -> bool {
        self.detached.is_some()
    }

    /// Whether live progress can be shown.
    pub fn has_progress(&self) -> bool {
        terminal::stderr_is_terminal()
            && !self.common.no_progress
            && !self.common.quiet
            && !actions::is_ci()
            && self.detached.is_none()
    }

    /// Prints what is masked and clean.
    fn print(&self, line: &str) {
        let text = harmless(&format!("{line}\n"));
        if self.common.json { terminal::err(&text) } else { terminal::out(&text) }
    }

    /// An empty report of this run.
    pub fn report(&self, verdict: Verdict, summary: impl Into<String>) -> Report {
        Report {
            version: 1,
            program: self.entry.into(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            started: clock::rfc3339(self.wall),
            duration_ms: self.started.elapsed().as_millis() as u64,
            verdict,
            exit_code: verdict.exit().code(),
            summary: summary.into(),
            next: None,
            service: None,
            environment: None,
            expected_version: None,
            checks: Vec::new(),
            steps: Vec::new(),
            deployment: None,
            outputs: std::collections::BTreeMap::new(),
        }
    }

    /// The report with all secrets masked.
    pub(crate) fn masked_report(&self, report: &Report) -> serde_json::Result<Report> {
        let mask = self.mask.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.map_foreign(|text| mask.apply_to_value(text))
    }

    /// Writes everything that is to be written and gives the exit code.
    pub(super) fn finish(&self, result: anyhow::Result<Report>) -> Exit {
        let (report, exit) = match &result {
            Ok(report) => {
                let exit = Exit::ALL.iter().find(|(exit, _)| exit.code() == report.exit_code);
                let exit = exit.map_or(Exit::Bug, |(exit, _)| *exit);
                (report.clone(), exit)
            }
            Err(error) => {
                let (exit, _) = classify(error);
                self.tell_error(error);
                let mut report = self.report(Verdict::Error, format!("{error:#}"));
                report.exit_code = exit.code();
                (report, exit)
            }
        };
        // Masked text by text, before anything is quoted or escaped.
        let written = self.masked_report(&report);
        let failed = match written.map_err(anyhow::Error::from) {
            Ok(report) => self.write(&report, result.is_ok()),
            Err(error) => vec![error],
        };
        for error in &failed {
            self.tell_error(error);
            if actions::is_ci() {
                let text = console::clean(&self.masked(&explain(error)));
                terminal::err(&actions::annotation(Level::Error, self.entry, &text));
            }
        }
        if exit == Exit::Pass && !failed.is_empty() { Exit::Error } else { exit }
    }

    fn tell_error(&self, error: &anyhow::Error) {
        let text = console::clean(&self.masked(&explain(error)));
        terminal::err(&harmless(&format!("{}: {text}\n", self.entry)));
    }

    /// Writes all that can be written, and gives what could not.
    fn write(&self, report: &Report, show: bool) -> Vec<anyhow::Error> {
        let mut done = Vec::new();
        if show {
            done.push(self.show(report));
        }
        done.push(self.print_json(report));
        done.push(self.save_report(report));
        if let Some(file) = &self.common.junit {
            done.push(save(file, &junit::render(report)));
        }
        if let Some(file) = &self.common.metrics {
            done.push(save(file, &metrics::render(report)));
        }
        if actions::is_ci() {
            for (level, title, text) in markdown::annotations(report) {
                let (title, text) = (console::clean(&title), console::clean(&text));
                terminal::err(&actions::annotation(level, &title, &text));
            }
            done.push(actions::write_summary(&markdown::summary(report)));
            done.push(outputs(report).and_then(|all| {
                actions::write_outputs(all.iter().map(|(name, text)| (name.as_str(), text.clone())))
            }));
        }
        done.into_iter().filter_map(Result::err).collect()
    }

    fn print_json(&self, report: &Report) -> anyhow::Result<()> {
        if !self.common.json {
            return Ok(());
        }
        terminal::data(&(serde_json::to_string_pretty(report)? + "\n")).map_err(|error| {
            Fault::error(format!("cannot write to standard output: {error}")).into()
        })
    }

    fn save_report(&self, report: &Report) -> anyhow::Result<()> {
        let Some(file) = &self.common.report else { return Ok(()) };
        save(file, &(serde_json::to_string_pretty(report)? + "\n"))
    }

    fn show(&self, report: &Report) -> anyhow::Result<()> {
        let colour = !self.common.json && terminal::stdout_has_colour();
        let text = console::render(&report.map_texts(console::clean)?, self.common.quiet, colour);
        self.print(text.trim_end());
        Ok(())
    }
}

/// Whether a text is in every log: a word that all have, a year, a version, a date.
fn is_everywhere(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_common(text) || is_ordinary(text) && (!is_number || text.len() < 6)
}

impl Session {
    /// One that says nothing and that no signal cancels, for those who use the library without a
    /// program of ours.
    pub fn silent() -> Self {
        let common = Common { quiet: true, no_progress: true, ..Common::default() };
        Self {
            entry: "waveoff",
            common,
            mask: Mutex::default(),
            started: Moment::now(),
            wall: clock::wall(),
            cancel: Cancel::default(),
            detached: None,
            voice: None,
        }
    }
}

/// What is relayed from elsewhere must not give commands to a CI runner.
pub(super) fn harmless(text: &str) -> String {
    if actions::is_ci() { actions::disarm(text) } else { text.to_owned() }
}

/// A job's environment holds at most 128 KiB per variable: a report that travels stays below.
const TRAVELLING: usize = 100 << 10;

fn outputs(report: &Report) -> anyhow::Result<Vec<(String, String)>> {
    let mut whole = serde_json::to_string(report)?;
    if whole.len() > TRAVELLING {
        let mut lean = report.clone();
        for check in &mut lean.checks {
            check.last_response = None;
            check.timeline.clear();
            check.findings.clear();
        }
        whole = serde_json::to_string(&lean)?;
    }
    let common = [
        report.verdict.word().to_owned(),
        report.exit_code.to_string(),
        report.summary.clone(),
        whole,
    ];
    let common = COMMON_OUTPUTS.iter().map(|output| output.name.to_owned()).zip(common);
    Ok(common.chain(report.outputs.clone()).collect())
}

fn save(file: &str, text: &str) -> anyhow::Result<()> {
    files::replace(file, text.as_bytes())
        .map_err(|error| Fault::error(format!("cannot write {file}: {error}")).into())
}

/// An error for people: the chain on one line, the hint on the next.
fn explain(error: &anyhow::Error) -> String {
    match classify(error).1 {
        Some(hint) => format!("error: {error:#}\n  hint: {hint}"),
        None => format!("error: {error:#}"),
    }
}

/// Says an error of before a session.
pub(super) fn complain(program: &str, error: &anyhow::Error) -> Exit {
    let text = console::clean(&explain(error));
    terminal::err(&harmless(&format!("{program}: {text}\n")));
    if actions::is_ci() {
        terminal::err(&actions::annotation(Level::Error, program, &text));
    }
    classify(error).0
}

/// A panic is a bug of ours: it is said as one, and ends with the exit code of one.
pub(super) fn guard() {
    std::panic::set_hook(Box::new(|panic| {
        terminal::err(&format!(
            "error: this is a bug in waveoff {}: {panic}\n  hint: please report it with this line\n",
            env!("CARGO_PKG_VERSION")
        ));
        env::exit(Exit::Bug);
    }));
}
