//! Expectations: a query on an observation and a predicate on what it finds, with the evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::combination::{self, Answer};
use super::health::{self, Circuit, HealthOptions};
use super::jsonpath::JsonPath;
use super::observation::{FailureKind, Observation, Unit};
use super::part::Part;
use super::predicate::{Comparison, Predicate, Scope};
use super::seen::{Seen, quote, read_health, read_text, select, untold};
use super::source::{Source, select_of};
use super::status_set::StatusSet;
use super::template::Template;
use super::verdict::Verdict;
use super::words::{same_version, shorten, show_duration};
use crate::report::mask::is_secret_name;

/// What must hold of an observation.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The HTTP status is one of these.
    Status(StatusSet),
    /// A header's value.
    Header(String, Predicate),
    /// The body, or a program's standard output, as text.
    Body(Predicate),
    /// A program's standard error as text.
    Stderr(Predicate),
    /// What an RFC 9535 path selects in the JSON body.
    JsonPath(Box<JsonPath>, Predicate),
    /// What a part of the body is that no path selects; without a predicate, it is there.
    Part(Part, Option<Predicate>),
    /// The time from the first byte sent to the last one read.
    Duration(Vec<(Comparison, Duration)>),
    /// The number of redirects followed.
    Redirects(Predicate),
    /// The version that answers is the wanted one.
    Version(Source, Option<Template>),
    /// The body is a health document, and says that all is well.
    Health(HealthOptions),
    /// A program's exit code.
    ExitCode(Predicate),
    /// A figure of the machine lies below this value.
    Below(f64, Unit),
    /// A connection was accepted.
    Connected,
    /// Its keeper says that it is as it must be.
    Well,
    /// It speaks its protocol, and says that it is ready.
    Ready,
    /// At least one holds.
    Any(Vec<Expect>),
    /// All hold.
    All(Vec<Expect>),
    /// It was answered, and does not hold.
    Not(Box<Expect>),
}

/// One expectation with what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The query in words: `jsonpath $.status`.
    pub what: String,
    /// What was wanted.
    pub wanted: String,
    /// What was found, shortened.
    pub found: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What is told and does not decide.
    pub warnings: Vec<String>,
    /// Circuits that a health document names.
    pub circuits: Vec<Circuit>,
    /// Whether nothing was found, and `found` says why.
    pub is_nothing: bool,
}

/// What an expectation may compare with besides the observation.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The version that should be running.
    pub version: Option<String>,
    /// What earlier checks captured.
    pub variables: BTreeMap<String, String>,
}

/// Characters that are shown of what was found.
pub(super) const SHOWN: usize = 200;
const SENTENCES: usize = 500;

impl Expect {
    /// Evaluates the expectation. An observation of another kind is an error, not a "no".
    pub fn evaluate(&self, observation: &Observation, context: &Context) -> Finding {
        self.answer(observation, context).finding
    }

    /// Evaluates it, and says whether its opposite could be told.
    pub(super) fn answer(&self, observation: &Observation, context: &Context) -> Answer {
        match self {
            Expect::Any(all) => combination::any(all, observation, context),
            Expect::All(all) => combination::all(all, observation, context),
            Expect::Not(inner) => combination::not(inner, observation, context),
            _ => {
                let (finding, clear) = self.single(observation, context);
                Answer::of(finding, clear)
            }
        }
    }

    /// One query, and whether a "no" to it is one: what could not be read, or is not there, is none.
    fn single(&self, observation: &Observation, context: &Context) -> (Finding, bool) {
        let (what, wanted) = self.words(context);
        let finding = |found: String, verdict| Finding {
            what: what.clone(),
            wanted: wanted.clone(),
            found: shorten(&found, SHOWN),
            verdict,
            warnings: Vec::new(),
            circuits: Vec::new(),
            is_nothing: false,
        };
        let nothing = |found: String, verdict| Finding {
            found: shorten(&found, SENTENCES),
            is_nothing: true,
            ..finding(String::new(), verdict)
        };
        if let Observation::Failed(failure) = observation {
            return (finding(failure.message.clone(), verdict_of_failure(failure.kind)), false);
        }
        if let (Expect::Well, Observation::State(state)) = (self, observation) {
            let told = Finding {
                wanted: state.wanted.into(),
                found: shorten(&state.found, SENTENCES),
                warnings: state.warnings.clone(),
                ..finding(String::new(), state.verdict)
            };
            return (told, true);
        }
        let found = match self.look(observation) {
            Err(why) => nothing(why, Verdict::Error),
            Ok(Seen::Health(document, status)) => {
                let Expect::Health(options) = self else {
                    return (finding("a health document".into(), Verdict::Error), false);
                };
                let judged = health::judge(&document, status, options);
                let found = if judged.failures.is_empty() {
                    "healthy".to_owned()
                } else {
                    judged.failures.join("; ")
                };
                let (warnings, circuits) = (judged.warnings, document.circuits);
                Finding { warnings, circuits, ..finding(found, judged.verdict) }
            }
            // An answer that cannot be read meets no condition, not even "does not exist".
            Ok(Seen::Unreadable(why)) => {
                return (nothing(why, Verdict::Fail), false);
            }
            Ok(Seen::Missing(why)) => {
                let clear = self.predicate().is_some_and(Predicate::is_clear_of_nothing);
                return (nothing(why, holds(self.holds(None, context))), clear);
            }
            Ok(Seen::Value(value, shown)) => {
                let seen = (value, shown, Scope::Whole);
                return self.told(seen, context, finding);
            }
            Ok(Seen::Scoped(value, shown, scope)) => {
                return self.told((value, shown, scope), context, finding);
            }
        };
        (found, true)
    }

    /// What a value tells, and whether a "no" to it is one.
    fn told(
        &self,
        (value, shown, scope): (Value, String, Scope),
        context: &Context,
        finding: impl Fn(String, Verdict) -> Finding,
    ) -> (Finding, bool) {
        let Some(predicate) = self.predicate() else {
            return (finding(shown, holds(self.holds(Some(&value), context))), true);
        };
        let predicate = predicate.rendered(&context.variables);
        match predicate.tells(Some(&value), scope) {
            Some(yes) => (finding(shown, holds(yes)), true),
            None => (finding(untold(&predicate, &value, &shown, scope), Verdict::Fail), false),
        }
    }

    /// The predicate on what the query finds, where there is one.
    fn predicate(&self) -> Option<&Predicate> {
        match self {
            Expect::Header(_, predicate)
            | Expect::Body(predicate)
            | Expect::Stderr(predicate)
            | Expect::JsonPath(_, predicate)
            | Expect::Redirects(predicate)
            | Expect::ExitCode(predicate) => Some(predicate),
            Expect::Part(_, predicate) => predicate.as_ref(),
            _ => None,
        }
    }

    /// Whether one of the queries in it is such a one.
    pub fn has(&self, is: &dyn Fn(&Expect) -> bool) -> bool {
        match self {
            Expect::Any(all) | Expect::All(all) => all.iter().any(|one| one.has(is)),
            Expect::Not(inner) => inner.has(is),
            _ => is(self),
        }
    }

    /// Whether it says itself what is usually expected, by a query of its own or one of several. That
    /// something is not so says nothing of what it is.
    pub fn states(&self, is: &dyn Fn(&Expect) -> bool) -> bool {
        match self {
            Expect::Any(all) | Expect::All(all) => all.iter().any(|one| one.states(is)),
            _ => is(self),
        }
    }

    /// The captured values that the expectation compares with.
    pub fn names(&self) -> Vec<String> {
        match self {
            Expect::Any(all) | Expect::All(all) => all.iter().flat_map(Expect::names).collect(),
            Expect::Not(inner) => inner.names(),
            Expect::Version(_, Some(wanted)) => wanted.names(),
            _ => self.predicate().map_or_else(Vec::new, Predicate::names),
        }
    }

    fn look(&self, observation: &Observation) -> Result<Seen, String> {
        let value = |value: Value| {
            let shown = value.as_str().map_or_else(|| value.to_string(), quote);
            Ok(Seen::Value(value, shown))
        };
        match (self, observation) {
            (Expect::Status(_), Observation::Http(response)) => value(response.status.into()),
            (Expect::Header(name, _), Observation::Http(response)) => match response.header(name) {
                Some(text) if is_secret_name(name) => Ok(Seen::Value(text.into(), "***".into())),
                Some(text) => value(text.into()),
                None => Ok(Seen::Missing("the header is not there".into())),
            },
            (Expect::Body(_), Observation::Http(response)) => Ok(read_text(response)),
            (Expect::Body(_), Observation::Exit(output)) => {
                value(String::from_utf8_lossy(&output.stdout).into())
            }
            (Expect::Stderr(_), Observation::Exit(output)) => {
                value(String::from_utf8_lossy(&output.stderr).into())
            }
            (Expect::JsonPath(path, wanted), Observation::Http(response)) => {
                select(wanted, response.select(path))
            }
            (Expect::JsonPath(path, wanted), Observation::Exit(output)) => {
                select(wanted, select_of(path, &output.stdout))
            }
            (Expect::JsonPath(path, wanted), Observation::Reply(reply)) => {
                select(wanted, Ok(reply.select(path)))
            }
            (Expect::Body(_), Observation::Reply(reply)) => value(reply.text.as_str().into()),
            (Expect::Ready, Observation::Reply(reply)) => Ok(match &reply.not_ready {
                None => Seen::Value(reply.said.as_str().into(), reply.said.clone()),
                Some(why) => Seen::Unreadable(why.clone()),
            }),
            (Expect::Part(part, predicate), Observation::Http(response)) => {
                Ok(part.look(response, predicate.as_ref()))
            }
            (Expect::Duration(_), _) => {
                let elapsed = observation.elapsed();
                Ok(Seen::Value(elapsed.as_secs_f64().into(), show_duration(elapsed)))
            }
            (Expect::Redirects(_), Observation::Http(response)) => value(response.redirects.into()),
            (Expect::Version(source, _), _) => match source.find(observation) {
                Ok(text) => value(text.into()),
                Err(why) => Ok(Seen::Unreadable(why)),
            },
            (Expect::Health(_), Observation::Http(response)) => read_health(response),
            (Expect::ExitCode(_), Observation::Exit(output)) => {
                match (output.code, output.signal) {
                    (Some(code), _) => value(code.into()),
                    (None, signal) => Ok(Seen::Unreadable(format!(
                        "ended by signal {}",
                        signal.unwrap_or_default()
                    ))),
                }
            }
            (Expect::Below(..), Observation::Reading(reading)) => {
                Ok(Seen::Value(reading.value.into(), reading.unit.show(reading.value)))
            }
            (Expect::Connected, Observation::Connected { peer, .. }) => {
                Ok(Seen::Value(peer.as_str().into(), peer.clone()))
            }
            _ => Err("this kind of check has nothing to compare".into()),
        }
    }

    fn holds(&self, value: Option<&Value>, context: &Context) -> bool {
        let number = value.and_then(Value::as_f64);
        match self {
            Expect::Status(set) => {
                value.and_then(Value::as_u64).is_some_and(|s| set.contains(s as u16))
            }
            Expect::Duration(bounds) => number.is_some_and(|v| {
                bounds.iter().all(|(bound, limit)| bound.holds(v, limit.as_secs_f64()))
            }),
            Expect::Version(_, wanted) => {
                match (wanted_version(wanted.as_ref(), context), value.and_then(Value::as_str)) {
                    (Some(wanted), Some(found)) => same_version(&wanted, found),
                    _ => false,
                }
            }
            Expect::Below(limit, _) => number.is_some_and(|v| v < *limit),
            Expect::Connected | Expect::Ready | Expect::Part(_, None) => value.is_some(),
            _ => {
                let predicate = self.predicate();
                predicate.is_some_and(|p| p.rendered(&context.variables).holds(value))
            }
        }
    }

    /// The query and what is wanted, in words.
    fn words(&self, context: &Context) -> (String, String) {
        let show = |predicate: &Predicate| predicate.rendered(&context.variables).to_string();
        match self {
            Expect::Status(set) => ("status".into(), set.to_string()),
            Expect::Header(name, predicate) => (format!("header {name}"), show(predicate)),
            Expect::Body(predicate) => ("body".into(), show(predicate)),
            Expect::Stderr(predicate) => ("stderr".into(), show(predicate)),
            Expect::JsonPath(path, predicate) => (format!("jsonpath {path}"), show(predicate)),
            Expect::Part(part, None) => (part.what(), part.usual().into()),
            Expect::Part(part, Some(predicate)) => (part.what(), show(predicate)),
            Expect::Duration(bounds) => {
                let all: Vec<_> = bounds
                    .iter()
                    .map(|(bound, limit)| format!("{} {}", bound.sign(), show_duration(*limit)))
                    .collect();
                ("duration".into(), all.join(" and "))
            }
            Expect::Redirects(predicate) => ("redirects".into(), show(predicate)),
            Expect::Version(source, wanted) => (
                format!("version in {}", source.words()),
                wanted_version(wanted.as_ref(), context)
                    .map_or_else(|| "a version that nobody gave".into(), |v| format!("{v:?}")),
            ),
            Expect::Health(_) => ("health".into(), "healthy".into()),
            Expect::ExitCode(predicate) => ("exit code".into(), show(predicate)),
            Expect::Below(limit, unit) => ("value".into(), format!("< {}", unit.show(*limit))),
            Expect::Connected => ("connected to".into(), "a connection".into()),
            Expect::Well => ("state".into(), "well".into()),
            Expect::Ready => ("answer".into(), "ready".into()),
            Expect::Any(_) => ("any-of".into(), "one of them".into()),
            Expect::All(_) => ("all-of".into(), "all of them".into()),
            Expect::Not(_) => ("not".into(), "none".into()),
        }
    }
}

/// What not seeing anything means: silence is a failing service; not having been able to ask is not.
pub fn verdict_of_failure(kind: FailureKind) -> Verdict {
    match kind {
        FailureKind::Refused | FailureKind::Timeout | FailureKind::Tls | FailureKind::Broken => {
            Verdict::Fail
        }
        FailureKind::NameNotFound | FailureKind::NotAsked => Verdict::Error,
    }
}

fn wanted_version(own: Option<&Template>, context: &Context) -> Option<String> {
    match own {
        Some(template) => template.render(&context.variables).ok(),
        None => context.version.clone(),
    }
}

fn holds(yes: bool) -> Verdict {
    if yes { Verdict::Pass } else { Verdict::Fail }
}

#[cfg(test)]
#[path = "expect_tests.rs"]
mod tests;
