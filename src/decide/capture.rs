//! The state of production at a moment, as it is written down before anything changes, and what
//! a later one says about it: is the data all there, is it as fast as it was?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::history::{History, Phase};
use super::verdict::{Severity, Verdict};
use super::words::same_version;

/// The version of the format.
pub const FORMAT: u32 = 1;
/// Deployments that are kept of the history.
const PAST: usize = 3;
/// The database schema's place among the versions.
const SCHEMA: &str = "database";
/// Its place where a component is called that. No component can be called this.
const SCHEMA_TOO: &str = "database schema";
/// A check that is slower by less has not become slower: milliseconds.
const NOISE_MS: f64 = 50.0;

/// What was found. Frozen: captures are kept and read by others. What could not be found out is
/// null, and `unknown` says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Capture {
    /// The version of this format: 1.
    pub format: u32,
    /// When: RFC 3339 in UTC.
    pub timestamp: String,
    /// The machine's name.
    pub host: Option<String>,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The version of each component, and under `database` the schema's when a command tells it.
    pub versions: BTreeMap<String, Option<String>>,
    /// The state of each component, `active`, `inactive` or `unknown`, and of each service that is
    /// configured, in its command's word.
    pub services: BTreeMap<String, Option<String>>,
    /// The machine.
    pub system: System,
    /// The last deployments, the newest first; null when the ledger could not be read.
    pub history: Option<Vec<Past>>,
    /// What each configured command printed of the data: a number or a text.
    pub data: BTreeMap<String, Option<String>>,
    /// What each check said when it was asked once; null when they could not be asked.
    pub checks: Option<Vec<Answer>>,
    /// What could not be found out.
    pub unknown: Vec<Unknown>,
}

/// Figures of the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct System {
    /// When it was started: RFC 3339 in UTC.
    pub uptime_since: Option<String>,
    /// The load averages.
    pub load_average: Option<LoadAverage>,
    /// The share of the root's file system in use: `45%`.
    pub disk_usage: Option<String>,
}

/// The load averages of the last 1, 5 and 15 minutes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoadAverage {
    /// Of the last minute.
    #[serde(rename = "1min")]
    pub one: String,
    /// Of the last five minutes.
    #[serde(rename = "5min")]
    pub five: String,
    /// Of the last fifteen minutes.
    #[serde(rename = "15min")]
    pub fifteen: String,
}

/// A deployment of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Past {
    /// Its id in the ledger.
    pub id: String,
    /// The version.
    pub version: String,
    /// `started`, `mutating`, `verified`, `failed`, `rolled-back` or `rollback-failed`.
    pub outcome: String,
    /// When it began: RFC 3339 in UTC.
    pub started: String,
    /// When its last event was: RFC 3339 in UTC.
    pub changed: String,
    /// Who or what asked for it.
    pub by: Option<String>,
}

/// What a check said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answer {
    /// The check's name.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// How long the answer took, in milliseconds.
    pub latency_ms: f64,
}

/// What could not be found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unknown {
    /// What: `versions.shop`.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What its platform says of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It cannot tell.
    Unknown,
    /// Nothing runs.
    Inactive,
    /// This version runs.
    Active(String),
}

impl Capture {
    /// Takes in what the platform says of a component. Where it cannot tell the version, it is
    /// the one that is live by the ledger.
    pub fn component(&mut self, name: &str, state: &State, live: Option<&str>) {
        let (word, version) = match state {
            State::Active(version) => ("active", Some(version.clone())),
            State::Inactive => ("inactive", None),
            State::Unknown => ("unknown", live.map(str::to_owned)),
        };
        let missing = match state {
            State::Active(_) => None,
            State::Inactive => Some("nothing runs"),
            State::Unknown if live.is_some() => None,
            State::Unknown => Some("neither the platform nor the ledger can tell it"),
        };
        if let Some(why) = missing {
            self.missing(format!("versions.{name}"), why);
        }
        if *state == State::Unknown {
            self.missing(format!("services.{name}"), "the platform cannot tell whether it runs");
        }
        self.versions.insert(name.into(), version);
        self.services.insert(name.into(), Some(word.into()));
    }

    /// Takes in the version of the database schema, when there is a command that tells it.
    pub fn schema(&mut self, version: Result<Option<String>, String>) {
        let taken = self.versions.contains_key(SCHEMA);
        let key = if taken { SCHEMA_TOO } else { SCHEMA };
        if let Some(version) = self.known(format!("versions.{key}"), version) {
            let Some(version) = version else { return };
            self.versions.insert(key.into(), Some(version));
        } else {
            self.versions.insert(key.into(), None);
        }
    }

    /// Takes in the last deployments.
    pub fn past(&mut self, history: &History) {
        let last = history.deployments.iter().rev().take(PAST);
        let past = last.map(|deployment| Past {
            id: deployment.id.clone(),
            version: deployment.release.version.clone(),
            outcome: outcome(deployment.phase).into(),
            started: deployment.started.clone(),
            changed: deployment.changed.clone(),
            by: deployment.by.clone(),
        });
        self.history = Some(past.collect());
    }

    /// A version that ran then and is not this one, if any did: of another release nothing has to
    /// be as it was.
    pub fn other_than(&self, version: &str) -> Option<&str> {
        let components = self.versions.iter().filter(|(name, _)| *name != SCHEMA);
        let mut known = components.filter_map(|(_, version)| version.as_deref());
        known.find(|known| !same_version(known, version))
    }

    /// A value, or none of it and a note of why.
    pub fn known<T>(&mut self, what: impl Into<String>, value: Result<T, String>) -> Option<T> {
        value.map_err(|why| self.missing(what, why)).ok()
    }

    /// Notes what could not be found out.
    pub fn missing(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unknown.push(Unknown { what: what.into(), why: why.into() });
    }

    /// The same with every text that may come from outside changed: to mask secrets.
    #[must_use]
    pub fn map_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        let values = self.versions.values_mut().chain(self.services.values_mut());
        let values = values.chain(self.data.values_mut()).chain([&mut self.host]).flatten();
        let past = self.history.iter_mut().flatten();
        let past = past.flat_map(|past| [Some(&mut past.version), past.by.as_mut()]).flatten();
        let checks = self.checks.iter_mut().flatten().map(|check| &mut check.name);
        let why = self.unknown.iter_mut().map(|unknown| &mut unknown.why);
        values.chain(past).chain(checks).chain(why).for_each(|text| *text = change(text));
        self
    }

    fn schema_version(&self) -> Option<&str> {
        self.versions.get(SCHEMA_TOO).or_else(|| self.versions.get(SCHEMA))?.as_deref()
    }
}

fn outcome(phase: Phase) -> &'static str {
    match phase {
        Phase::Started => "started",
        Phase::Mutating => "mutating",
        Phase::Verified => "verified",
        Phase::Failed => "failed",
        Phase::RolledBack => "rolled-back",
        Phase::RollbackFailed => "rollback-failed",
    }
}

/// What a comparison allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// How much slower a check may be: a share of what it took before.
    pub slower: f64,
    /// Whether the data stays as the failed release left it, so that the schema may differ.
    pub preserve_data: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { slower: 1.0, preserve_data: false }
    }
}

/// One thing that was compared. A failure whose severity is a warning is told and decides nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was compared: `data orders`, `check health`.
    pub what: String,
    /// Whether it is as it must be.
    pub verdict: Verdict,
    /// Whether that decides.
    pub severity: Severity,
    /// In words.
    pub text: String,
}

impl Finding {
    fn new(what: String, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { what, verdict, severity: Severity::Critical, text: text.into() }
    }
}

/// Compares the state after a rollback with the one before the deployment. What was not known
/// before decides nothing; what was, and is not any more, is an error and never a pass.
pub fn compare(before: &Capture, after: &Capture, terms: Terms) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, old) in &before.data {
        let Some(old) = old else { continue };
        let new = after.data.get(name).and_then(Option::as_deref);
        findings.push(datum(format!("data {name}"), old, new));
    }
    if let (Some(old), false) = (before.schema_version(), terms.preserve_data) {
        findings.push(schema(old, after.schema_version()));
    }
    for old in before.checks.iter().flatten().filter(|check| check.verdict.is_pass()) {
        let new = after.checks.iter().flatten().find(|check| check.name == old.name);
        findings.push(answer(old, new, terms.slower));
    }
    findings
}

fn datum(what: String, old: &str, new: Option<&str>) -> Finding {
    let Some(new) = new else {
        let text = format!("it was {old}, and what it is now could not be found out");
        return Finding::new(what, Verdict::Error, text);
    };
    let is_kept = match (Number::of(old), Number::of(new)) {
        (Some(old), Some(new)) => !new.is_less(old),
        (Some(_), None) => false,
        (None, _) => old == new,
    };
    if is_kept {
        return Finding::new(what, Verdict::Pass, format!("{old} → {new}"));
    }
    Finding::new(what, Verdict::Fail, format!("it was {old}, and is {new}"))
}

fn schema(old: &str, new: Option<&str>) -> Finding {
    let what = "database schema".to_owned();
    match new {
        Some(new) if new == old => Finding::new(what, Verdict::Pass, old),
        Some(new) => Finding::new(what, Verdict::Fail, format!("it was {old}, and is {new}")),
        None => Finding::new(
            what,
            Verdict::Error,
            format!("it was {old}, and what it is now could not be found out"),
        ),
    }
}

fn answer(old: &Answer, new: Option<&Answer>, slower: f64) -> Finding {
    let what = format!("check {}", old.name);
    let Some(new) = new else {
        return Finding::new(what, Verdict::Error, "it passed, and was not asked again");
    };
    if !new.verdict.is_pass() {
        let text = format!("it passed, and is {} now", new.verdict);
        return Finding::new(what, Verdict::Fail, text);
    }
    let (was, is) = (old.latency_ms, new.latency_ms);
    let text = format!("{was:.0} ms → {is:.0} ms");
    if is > was * (1.0 + slower) && is - was > NOISE_MS {
        let severity = Severity::Warning;
        let text = format!("it is slower than before: {text}");
        return Finding { severity, ..Finding::new(what, Verdict::Fail, text) };
    }
    Finding::new(what, Verdict::Pass, text)
}

/// A number as a command prints it. Whole ones are compared as such: a count of rows may be larger
/// than what a float can tell apart.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Other(f64),
}

impl Number {
    fn of(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Other)
    }

    fn is_less(self, than: Self) -> bool {
        match (self, than) {
            (Self::Whole(a), Self::Whole(b)) => a < b,
            (a, b) => a.float() < b.float(),
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Other(number) => number,
        }
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
