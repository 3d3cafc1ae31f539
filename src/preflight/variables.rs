//! Environment variables that a release needs, where `waveoff` is started.

use super::{Finding, Subject};
use crate::config::preflight::Kind;
use crate::decide::verdict::Verdict;
use crate::host::env;

/// Each of them is set, to something.
pub(super) fn set(subject: &Subject<'_>) -> Vec<Finding> {
    let names = subject.spec.variables.iter().flat_map(|list| &list.0);
    let one = |name: &String| {
        let bad = |reason: &str| {
            let remedy =
                format!("set {name}; in a workflow, under `env:` from its secrets or vars");
            Finding::bad(Kind::Variables, name, Verdict::Fail, reason, remedy)
        };
        // Its value may be a secret, and is nobody's business here.
        match env::var(name) {
            Some(value) if !value.trim().is_empty() => {
                Finding::pass(Kind::Variables, name, "is set")
            }
            Some(_) => bad("is set, and empty"),
            None => bad("is not set"),
        }
    };
    names.map(one).collect()
}
