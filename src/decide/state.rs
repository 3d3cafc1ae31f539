//! What is known of something that runs under somebody else's care: a container, a unit.

use std::time::Duration;

use super::verdict::Verdict;

/// How something is, as its keeper tells.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The judgement.
    pub verdict: Verdict,
    /// What must hold, in words.
    pub wanted: &'static str,
    /// What was found, in whole sentences.
    pub found: String,
    /// What is told and does not decide.
    pub warnings: Vec<String>,
    /// Why waiting cannot help, if so.
    pub terminal: Option<Hopeless>,
    /// The exit code of what has ended, if it has.
    pub code: Option<i64>,
    /// How long the look took.
    pub elapsed: Duration,
}

/// Why waiting cannot help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hopeless {
    /// What should run has crashed, or does so again and again: whoever waits for what it serves
    /// waits in vain, too.
    Crashed(String),
    /// It will not get better, but that says nothing about others.
    Settled(String),
}

/// How one of several is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// As it must be.
    Well(String),
    /// Not yet, or not at the moment.
    NotYet(String),
    /// The keeper says something that we do not know.
    Unknown(String),
    /// Never any more without somebody's help.
    Over(String),
}

impl Condition {
    /// Whether it is as it must be.
    pub fn is_well(&self) -> bool {
        matches!(self, Condition::Well(_))
    }

    /// In words.
    pub fn words(&self) -> &str {
        match self {
            Condition::Well(words)
            | Condition::NotYet(words)
            | Condition::Unknown(words)
            | Condition::Over(words) => words,
        }
    }
}

/// Adds up how several are, each with its name; `missing` says what should be there and is not.
pub fn sum_up(
    wanted: &'static str,
    all: &[(String, Condition)],
    missing: &[String],
    well: impl FnOnce() -> String,
) -> State {
    let sentence =
        |(name, condition): &(String, Condition)| format!("{name} {}", condition.words());
    let unwell = all.iter().filter(|(_, condition)| !condition.is_well());
    let mut sentences: Vec<String> = unwell.map(sentence).collect();
    sentences.extend(missing.iter().cloned());
    let over = all.iter().find(|(_, condition)| matches!(condition, Condition::Over(_)));
    let unknown = all.iter().any(|(_, condition)| matches!(condition, Condition::Unknown(_)));
    let verdict = match (over, sentences.is_empty()) {
        (Some(_), _) => Verdict::Fail,
        (None, _) if unknown => Verdict::Error,
        (None, false) => Verdict::Fail,
        (None, true) if all.is_empty() => Verdict::Inconclusive,
        (None, true) => Verdict::Pass,
    };
    let found = match verdict {
        Verdict::Pass => well(),
        _ if all.len() > 1 && missing.len() < sentences.len() => {
            let good = all.iter().filter(|(_, condition)| condition.is_well()).count();
            format!("{good} of {} well: {}", all.len(), sentences.join("; "))
        }
        _ => sentences.join("; "),
    };
    let terminal = over.map(|over| Hopeless::Crashed(sentence(over)));
    State {
        verdict,
        wanted,
        found,
        warnings: Vec::new(),
        terminal,
        code: None,
        elapsed: Duration::ZERO,
    }
}
