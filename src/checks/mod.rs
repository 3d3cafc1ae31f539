//! One file per kind of check, the table of kinds, and the runner that schedules them.

mod build;
mod burst;
mod choose;
mod command;
mod container;
mod cookies;
mod crew;
mod dns;
mod files;
mod fit;
mod grpc;
mod http;
mod keeper;
mod log;
mod order;
mod postgres;
mod progress;
mod record;
mod redis;
mod run;
mod sides;
mod sse;
mod system;
mod tcp;
mod tls;
mod trust;
mod unit;
mod verify;
mod warm_up;
mod websocket;

pub use build::{Check, Surroundings, build};
pub use choose::choose;
pub use files::{beside, sent, without_those_of};
pub use record::failed;
pub use run::{Purpose, Run, run};
pub use sides::{Asked, Asker, Question, digest, label, refuse_crossing};
pub use verify::{Target, Verification, specs, verify};

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::CheckSpec;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::verdict::Severity;
use crate::host::room::Place;
use crate::host::signals::Cancel;

/// A kind of check: the key that asks for it, and how one is made.
pub struct Kind {
    /// The key in a check that chooses this kind.
    pub key: &'static str,
    /// The keys that belong to this kind besides those of every check.
    pub keys: &'static [&'static str],
    /// The severity of a check that names none.
    pub severity: Severity,
    /// Makes one.
    pub build: fn(&CheckSpec, &Surroundings) -> Built,
}

/// A probe, or what is wrong with the check and what would be right.
pub type Built = Result<Box<dyn Probe>, String>;

/// The kinds. A new one is a file of its own and a line here.
pub static KINDS: &[&Kind] = &[
    &http::URL,
    &http::PATH,
    &tcp::TCP,
    &websocket::WEBSOCKET,
    &sse::SSE,
    &grpc::GRPC,
    &redis::REDIS,
    &postgres::POSTGRES,
    &tls::TLS,
    &dns::DNS,
    &command::COMMAND,
    &container::CONTAINER,
    &unit::UNIT,
    &log::LOG,
    &system::DISK,
    &system::MEMORY,
    &system::LOAD,
];

/// Looks at one thing.
pub trait Probe: Send + Sync {
    /// The kind, for reports.
    fn kind(&self) -> &'static str;
    /// What is looked at, for people: without secrets.
    fn target(&self) -> String;
    /// Looks once.
    fn look(&self, attempt: &Attempt<'_>) -> Observation;
    /// What is expected when the configuration says nothing; `judged` tells whether it has an
    /// expectation that replaces the usual one.
    fn usual(&self, stated: &[Expect]) -> Vec<Expect>;
    /// What it can tell about a check that did not pass, once that is over: the end of a log.
    fn evidence(&self, _: &Attempt<'_>) -> Option<String> {
        None
    }
    /// The captured values that it needs.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
    /// What deserves a warning whenever it is used.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// One look.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Its limit.
    pub timeout: Duration,
    /// What earlier checks captured.
    pub variables: &'a BTreeMap<String, String>,
    /// Set when it should be given up.
    pub cancel: &'a Cancel,
    /// Taken by a large answer until it is judged.
    pub place: &'a Place<'a>,
}
