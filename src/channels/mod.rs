//! Telling people: one file per way, one table of them all.
//!
//! A channel's outcome is its own: one that fails neither hides nor stops another. What an
//! incident says is not here (`decide::incident`).

mod file;
mod github_issue;

use std::path::PathBuf;
use std::time::Duration;

use crate::commands::Session;
use crate::config::Config;
use crate::config::pipeline::NotifySpec;
use crate::config::values::{NonEmpty, Secret};
use crate::decide::incident::{Incident, Recovery, Wording};
use crate::host::github::Access;
use crate::host::signals::Cancel;

/// The time that one channel may take, with all its waiting.
pub const WITHIN: Duration = Duration::from_secs(120);

/// A way to tell people.
pub trait Channel {
    /// Its name, as in the configuration.
    fn name(&self) -> &'static str;

    /// Tells of an incident; one that was told already is not told again, unless its facts have
    /// changed.
    ///
    /// # Errors
    /// When nobody can be certain to have been told.
    fn tell(&self, incident: &Incident, context: &Context) -> anyhow::Result<Told>;

    /// Tells that an incident is over; of one that was never told nothing is said.
    ///
    /// # Errors
    /// When nobody can be certain to have been told.
    fn resolve(&self, recovery: &Recovery, context: &Context) -> anyhow::Result<Told>;

    /// Exactly what `tell` would send, for people to look at.
    ///
    /// # Errors
    /// When it could not be sent anyhow.
    fn preview(&self, incident: &Incident, context: &Context) -> anyhow::Result<String>;
}

/// What channels need besides the incident.
#[derive(Debug, Clone)]
pub struct Context {
    /// What is written besides the facts.
    pub wording: Wording,
    /// The folder for files.
    pub folder: PathBuf,
    /// The repository, when there is a token for it.
    pub github: Option<Access>,
    /// The time that one channel may take.
    pub within: Duration,
    /// Whether to stop.
    pub cancel: Cancel,
}

/// That a channel told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Where it can be read: an address, a path; empty when there was nothing to tell.
    pub location: String,
    /// Its number there, if it has one.
    pub number: Option<u64>,
    /// Whether it had been told before.
    pub was_known: bool,
    /// What else there is to know.
    pub note: Option<String>,
}

impl Told {
    /// That nothing was ever told there, so that there is nothing to say.
    fn nothing() -> Self {
        Self { note: Some("nothing was told of it here".into()), ..Self::default() }
    }
}

/// What became of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub channel: &'static str,
    /// Whether its failure fails the step.
    pub required: bool,
    /// What was told; else why not, in one line.
    pub result: Result<Told, String>,
}

/// Every channel, by the configuration's word for it.
const CHANNELS: &[(NotifySpec, &dyn Channel)] =
    &[(NotifySpec::GithubIssue, &github_issue::GithubIssue), (NotifySpec::File, &file::File)];

fn channel(spec: &NotifySpec) -> &'static dyn Channel {
    let found = CHANNELS.iter().find(|(known, _)| known == spec);
    found.map_or(&file::File, |(_, channel)| *channel)
}

/// The channel of a name.
///
/// # Errors
/// When there is none; says which there are.
pub fn named(name: &str) -> Result<NotifySpec, String> {
    let found = CHANNELS.iter().find(|(_, channel)| channel.name() == name.trim());
    found.map(|(spec, _)| spec.clone()).ok_or_else(|| {
        let known: Vec<_> = CHANNELS.iter().map(|(_, channel)| channel.name()).collect();
        format!("`{name}` is not a channel; known are: {}", known.join(", "))
    })
}

/// Who is told, and how.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The channels.
    pub channels: Vec<NotifySpec>,
    /// Those whose failure fails the step.
    pub required: Vec<NotifySpec>,
    /// What they need.
    pub context: Context,
}

impl Telling {
    /// Of the configuration. Where it names no channel, there is an issue when there is a token
    /// for it, else a file.
    ///
    /// # Errors
    /// When what GitHub's environment says cannot be used.
    pub fn of(
        config: Option<&Config>,
        folder: PathBuf,
        token: Option<&Secret>,
        session: &Session,
    ) -> anyhow::Result<Self> {
        let github = Access::of(None, token)?;
        if let Some(access) = &github {
            session.hide(access.token.expose());
        }
        let list = |list: Option<&NonEmpty<NotifySpec>>| list.map(|list| list.0.clone());
        let incident = config.and_then(|config| config.incident.as_ref());
        let usual = if github.is_some() { NotifySpec::GithubIssue } else { NotifySpec::File };
        let words = |words: Option<&NonEmpty<String>>| words.map(|words| words.0.clone());
        let wording = Wording {
            labels: incident.and_then(|incident| words(incident.labels.as_ref())),
            investigation: incident
                .and_then(|incident| words(incident.investigation.as_ref()))
                .unwrap_or_default(),
        };
        let cancel = session.cancel.clone();
        Ok(Self {
            channels: list(config.and_then(|config| config.notify.as_ref()))
                .unwrap_or_else(|| vec![usual]),
            required: list(incident.and_then(|incident| incident.required_channels.as_ref()))
                .unwrap_or_default(),
            context: Context { wording, folder, github, within: WITHIN, cancel },
        })
    }

    /// Files in a folder, and nobody else.
    pub fn files(folder: PathBuf, session: &Session) -> Self {
        let (wording, cancel) = (Wording::default(), session.cancel.clone());
        Self {
            channels: vec![NotifySpec::File],
            required: Vec::new(),
            context: Context { wording, folder, github: None, within: WITHIN, cancel },
        }
    }

    /// Takes the files out, which are written where the release is; whether there were any, and
    /// whether anybody else is to be told.
    pub fn without_files(&mut self) -> (bool, bool) {
        let is_file = |spec: &NotifySpec| *spec == NotifySpec::File;
        let files = self.channels.iter().chain(&self.required).any(is_file);
        self.channels.retain(|spec| !is_file(spec));
        self.required.retain(|spec| !is_file(spec));
        (files, !self.all().is_empty())
    }

    /// The channels with what is required of them; a required one is told without being listed.
    fn all(&self) -> Vec<(&NotifySpec, bool)> {
        let mut all: Vec<(&NotifySpec, bool)> = Vec::new();
        for spec in self.channels.iter().chain(&self.required) {
            if !all.iter().any(|(known, _)| *known == spec) {
                all.push((spec, self.required.contains(spec)));
            }
        }
        all
    }
}

/// Tells every channel. When not one of them could, the incident is written to a file all the
/// same: it must not be lost with the machine's log.
pub fn tell_all(session: &Session, telling: &Telling, incident: &Incident) -> Vec<Outcome> {
    let incident = incident.clone().map_texts(|text| session.masked(text));
    let tell = |spec: &NotifySpec, required| {
        let channel = channel(spec);
        outcome(session, channel.name(), required, channel.tell(&incident, &telling.context))
    };
    let mut outcomes: Vec<Outcome> =
        telling.all().into_iter().map(|(spec, required)| tell(spec, required)).collect();
    let is_lost = outcomes.iter().all(|outcome| outcome.result.is_err());
    if is_lost && !telling.all().iter().any(|(spec, _)| **spec == NotifySpec::File) {
        outcomes.push(tell(&NotifySpec::File, false));
    }
    outcomes
}

/// Tells every channel that an incident is over.
pub fn resolve_all(session: &Session, telling: &Telling, recovery: &Recovery) -> Vec<Outcome> {
    let recovery = recovery.clone().map_texts(|text| session.masked(text));
    let resolve = |(spec, required): (&NotifySpec, bool)| {
        let channel = channel(spec);
        outcome(session, channel.name(), required, channel.resolve(&recovery, &telling.context))
    };
    telling.all().into_iter().map(resolve).collect()
}

/// Exactly what would be sent, by channel.
pub fn preview_all(
    session: &Session,
    telling: &Telling,
    incident: &Incident,
) -> Vec<(&'static str, String)> {
    let incident = incident.clone().map_texts(|text| session.masked(text));
    let preview = |(spec, _): (&NotifySpec, bool)| {
        let channel = channel(spec);
        let shown = channel.preview(&incident, &telling.context);
        (channel.name(), shown.unwrap_or_else(|error| format!("cannot be told: {error:#}")))
    };
    telling.all().into_iter().map(preview).collect()
}

fn outcome(
    session: &Session,
    channel: &'static str,
    required: bool,
    told: anyhow::Result<Told>,
) -> Outcome {
    let result = told.map_err(|error| {
        let (_, hint) = crate::exit::classify(&error);
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        session.masked(&format!("{error:#}{hint}"))
    });
    Outcome { channel, required, result }
}
