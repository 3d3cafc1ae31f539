//! The order that captures put checks into.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::exit::Fault;

/// The check that captures a name.
pub(super) fn provider<C: Borrow<Check>>(checks: &[C], name: &str) -> Option<usize> {
    let captures = |check: &Check| check.judge.capture.iter().any(|capture| capture.name == name);
    checks.iter().position(|check| captures(check.borrow()))
}

/// Makes sure that every name is captured once, by a check that does not wait for itself.
///
/// # Errors
/// [`Fault`] with exit code 2 that names the checks.
pub(super) fn check_order(checks: &[Check]) -> anyhow::Result<()> {
    let mut sources: BTreeMap<&str, &Check> = BTreeMap::new();
    for check in checks {
        for capture in &check.judge.capture {
            if let Some(other) = sources.insert(&capture.name, check) {
                let (a, b) = (&other.name, &check.name);
                let why = format!("the checks {a} and {b} both capture `{}`", capture.name);
                return Err(Fault::usage(why).hint("give one of the captures another name").into());
            }
        }
    }
    for check in checks {
        for name in &check.needs {
            if !sources.contains_key(name.as_str()) {
                let why =
                    format!("check {} needs {{{{{name}}}}}, which no check captures", check.name);
                return Err(Fault::usage(why)
                    .hint("capture it in another check; ${NAME} is a variable of the environment")
                    .into());
            }
        }
    }
    let mut done: BTreeSet<&str> = BTreeSet::new();
    loop {
        let ready = |check: &&Check| {
            !done.contains(check.name.as_str())
                && check
                    .needs
                    .iter()
                    .all(|name| done.contains(sources[name.as_str()].name.as_str()))
        };
        let next: Vec<&str> = checks.iter().filter(ready).map(|c| c.name.as_str()).collect();
        if next.is_empty() {
            break;
        }
        done.extend(next);
    }
    let stuck: Vec<&str> =
        checks.iter().map(|c| c.name.as_str()).filter(|name| !done.contains(name)).collect();
    if stuck.is_empty() {
        return Ok(());
    }
    Err(Fault::usage(format!("the checks {} wait for each other's captures", stuck.join(", ")))
        .hint("break the cycle: a check may only use what one before it captures")
        .into())
}
