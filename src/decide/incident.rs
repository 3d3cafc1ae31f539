//! An incident: one failure, told once, however many ways and how often it is told.
//!
//! What it says is plain data from outside; `decide::incident_text` makes it harmless.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::history::Release;
use super::words::shorten;
use crate::report::v1::{Check, Step};

/// The longest title that GitHub takes.
const TITLE: usize = 256;
/// What a version may take of it.
const VERSION_IN_TITLE: usize = 80;
/// The longest label that GitHub takes.
const LABEL: usize = 50;
/// More labels than these are a mistake, and GitHub refuses more than 100.
const LABELS: usize = 20;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The release before runs again.
    RolledBack,
    /// The rollback failed as well.
    RollbackFailed,
    /// There was nothing to go back to.
    NoTarget,
    /// It failed, and nothing was brought back.
    Failed,
    /// It could not be decided: a person has to.
    Escalated,
}

impl Ending {
    /// All of them.
    pub const ALL: [Ending; 5] = [
        Ending::RolledBack,
        Ending::RollbackFailed,
        Ending::NoTarget,
        Ending::Failed,
        Ending::Escalated,
    ];

    /// Its word in flags and reports.
    pub fn word(self) -> &'static str {
        match self {
            Ending::RolledBack => "rolled-back",
            Ending::RollbackFailed => "rollback-failed",
            Ending::NoTarget => "no-target",
            Ending::Failed => "failed",
            Ending::Escalated => "escalated",
        }
    }

    /// How bad it is when nobody has said: without anything good that serves, as bad as can be.
    fn severity(self) -> Option<&'static str> {
        matches!(self, Ending::RollbackFailed | Ending::NoTarget).then_some("SEV-1")
    }

    /// In a sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Ending::RolledBack => "It was rolled back, and the release before runs again.",
            Ending::RollbackFailed => "The rollback failed too: **a person is needed now.**",
            Ending::NoTarget => {
                "There is no verified release to go back to: **a person is needed now.**"
            }
            Ending::Failed => "Nothing was brought back.",
            Ending::Escalated => "It could not be decided what to do: **a person is needed now.**",
        }
    }
}

impl FromStr for Ending {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|ending| ending.word() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::word).join(", ");
            format!("`{text}` is not an outcome; known are: {known}")
        })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its key, by which it is found again: see `decide::incident_key`.
    pub key: String,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The release that failed.
    pub failed: Release,
    /// The release to go back to, if there is one.
    pub target: Option<Release>,
    /// How it ended.
    pub ending: Ending,
    /// Why the release failed, in one line.
    pub reason: String,
    /// How bad it is, as the decision said: `SEV-2`. Absent, it follows from the ending.
    pub severity: Option<String>,
    /// When: RFC 3339 in UTC.
    pub when: String,
    /// The deployment's id.
    pub deployment: Option<String>,
    /// The address of the run that saw it.
    pub run_url: Option<String>,
    /// Where the change is tracked: an address, or a name.
    pub ticket: Option<String>,
    /// Where the evidence is kept.
    pub forensics: Option<String>,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// The checks that failed, with their evidence.
    pub failed_checks: Vec<Check>,
}

/// What is written besides the facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wording {
    /// Labels instead of the usual ones.
    pub labels: Option<Vec<String>>,
    /// Steps for the investigation besides the usual ones.
    pub investigation: Vec<String>,
}

impl Incident {
    /// The line by which the incident is found again.
    pub fn marker(&self) -> String {
        marker(&self.key)
    }

    /// The line by which it is seen whether this state of it was told already. The reason is no
    /// part of it, since it has durations in it, which differ whenever one looks; nor is the
    /// severity, which one program knows and another does not.
    pub fn facts(&self) -> String {
        let target = self.target.as_ref().map(|target| target.version.as_str()).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [self.ending.word(), &self.failed.version, target] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: String = hash.finalize().iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("<!-- waveoff-facts: {digest} -->")
    }

    /// How bad it is, if that is known.
    pub fn severity(&self) -> Option<&str> {
        self.severity.as_deref().or(self.ending.severity())
    }

    /// The title of its issue. It is shown as text, not as Markdown.
    pub fn title(&self) -> String {
        let version = |text: &str| shorten(&one_line(text), VERSION_IN_TITLE);
        let target = match &self.target {
            Some(target) => version(&target.version),
            None => "no verified release".into(),
        };
        let environment = capitalised(&shorten(&one_line(&self.environment), 64));
        let failed = version(&self.failed.version);
        one_line(&format!("[{environment} Rollback] {failed} → {target}"))
            .chars()
            .take(TITLE)
            .collect()
    }

    /// The labels of its issue.
    pub fn labels(&self, wording: &Wording) -> Vec<String> {
        let usual = || {
            let own = format!("{}-rollback", self.environment.to_lowercase());
            ["deployment", "incident", "rollback", &own, "high-priority"]
                .map(str::to_owned)
                .to_vec()
        };
        let mut labels: Vec<String> = Vec::new();
        for label in wording.labels.clone().unwrap_or_else(usual) {
            // A comma would be two labels wherever they are listed.
            let label: String = one_line(&label).replace(',', " ").chars().take(LABEL).collect();
            let label = label.trim().to_owned();
            let is_new = !labels.iter().any(|known| known.eq_ignore_ascii_case(&label));
            if !label.is_empty() && is_new {
                labels.push(label);
            }
        }
        labels.truncate(LABELS);
        labels
    }

    /// The same with every text from outside replaced: for masking, which must come before
    /// anything is escaped.
    #[must_use]
    pub fn map_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        let all = |texts: &mut [&mut String]| texts.iter_mut().for_each(|t| **t = change(t));
        all(&mut [&mut self.reason]);
        for text in [&mut self.severity, &mut self.run_url, &mut self.ticket, &mut self.forensics] {
            all(&mut text.as_mut().into_iter().collect::<Vec<_>>());
        }
        for step in &mut self.steps {
            all(&mut [&mut step.name, &mut step.detail]);
        }
        for check in &mut self.failed_checks {
            all(&mut [&mut check.name, &mut check.target, &mut check.reason]);
            for finding in &mut check.findings {
                all(&mut [&mut finding.query, &mut finding.expected, &mut finding.actual]);
            }
            for stretch in &mut check.timeline {
                all(&mut [&mut stretch.note]);
            }
            if let Some(response) = &mut check.last_response {
                all(&mut [&mut response.body]);
                for (name, value) in &mut response.headers {
                    all(&mut [name, value]);
                }
            }
        }
        self
    }
}

/// That an incident is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The incident's key.
    pub key: String,
    /// When: RFC 3339 in UTC.
    pub when: String,
    /// The version that serves now, if known.
    pub version: Option<String>,
    /// What was done, in one line.
    pub note: Option<String>,
    /// The address of the run that saw it.
    pub run_url: Option<String>,
}

impl Recovery {
    /// The same with every text from outside replaced: see [`Incident::map_texts`].
    #[must_use]
    pub fn map_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        for text in [&mut self.version, &mut self.note, &mut self.run_url].into_iter().flatten() {
            *text = change(text);
        }
        self
    }

    /// The line by which the incident is found.
    pub fn marker(&self) -> String {
        marker(&self.key)
    }
}

/// The line by which an incident is found again.
fn marker(key: &str) -> String {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    format!("<!-- waveoff-incident: {key} -->")
}

/// One line without anything that steers a screen or turns the text around.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let visible = |c: &char| !c.is_control() && !is_steering(*c);
    let clean: String = clean.chars().filter(visible).collect();
    clean.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Characters that are not seen and change how others are: direction marks, joiners of no width.
pub(crate) fn is_steering(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => "Production".into(),
    }
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;
