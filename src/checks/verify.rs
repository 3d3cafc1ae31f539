//! Verifying a release: wait for what must come up, then run the whole suite once.

use std::sync::Arc;
use std::time::Duration;

use super::build::{Surroundings, build};
use super::record::failed;
use super::run::{Purpose, Run, run};
use super::sides::{self, label};
use crate::commands::Session;
use crate::config::{CheckSpec, Loaded, Place};
use crate::decide::verdict::Verdict;
use crate::host::process::Started;
use crate::report::v1;

/// What is verified.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Where `path` checks are asked.
    pub base_url: Option<String>,
    /// The version that should answer.
    pub expected_version: Option<String>,
    /// The process that should be serving.
    pub process: Option<Started>,
    /// Ask only what can be asked of `base_url`: the `path` checks.
    pub only_paths: bool,
    /// One limit over all waiting, besides `deadline`.
    pub limit: Option<Duration>,
    /// Look once at each, and wait for nothing.
    pub once: bool,
    /// Checks besides the configured ones: what the platform itself can tell.
    pub own: Vec<CheckSpec>,
    /// What answers may still be changing: wait until the `path` checks pass several times in a row.
    pub settling: bool,
    /// Only these, by [`label`](super::label).
    pub only: Option<Vec<String>>,
}

/// The outcome of a verification.
#[derive(Debug)]
pub struct Verification {
    /// The checks that decided: of the wait when that failed, else of the smoke test.
    pub checks: Vec<v1::Check>,
    /// The conclusion.
    pub verdict: Verdict,
    /// In one line.
    pub summary: String,
    /// The signal that ended it early.
    pub cancelled: Option<&'static str>,
}

/// Waits for the checks that have `within`, then runs the whole suite. Where a caller elsewhere can
/// be asked, each check is asked from the side where it belongs.
///
/// # Errors
/// When the checks are wrong.
pub fn verify(session: &Session, loaded: &Loaded, target: &Target) -> anyhow::Result<Verification> {
    match session.asker() {
        Some(asker) => sides::verify(session, loaded, target, asker),
        None => here(session, loaded, target),
    }
}

/// The same, all from this side.
pub(super) fn here(
    session: &Session,
    loaded: &Loaded,
    target: &Target,
) -> anyhow::Result<Verification> {
    let surroundings = Surroundings {
        base_url: target.base_url.clone().or_else(|| loaded.config.public.clone()),
        expected_version: target.expected_version.clone(),
        process: target.process,
        ..Surroundings::default()
    };
    let mut specs = specs(loaded);
    if let Some(only) = &target.only {
        sides::all_there(loaded, only)?;
        let labels = specs.iter().enumerate().map(|(index, (_, spec))| label(index, spec));
        let chosen: Vec<bool> = labels.map(|label| only.contains(&label)).collect();
        let mut chosen = chosen.into_iter();
        specs.retain(|_| chosen.next().unwrap_or_default());
    }
    if target.only_paths {
        specs.retain(|(_, spec)| spec.path.is_some());
    }
    let place = Place { file: "platform".into(), line: 0 };
    // Who says how long a release may take says it of what its platform tells as well.
    let given = specs.iter().filter_map(|(_, spec)| spec.within).max();
    let own = target.own.iter().map(|spec| {
        let within = spec.within.map(|own| given.map_or(own, |given| own.min(given)));
        (place.clone(), CheckSpec { within, ..spec.clone() })
    });
    specs.extend(own.collect::<Vec<_>>());
    let mut checks = build(&specs, &surroundings)?;
    if target.once {
        checks.iter_mut().for_each(super::Check::look_once);
    }
    let checks: Vec<Arc<super::Check>> = checks.into_iter().map(Arc::new).collect();
    let awaited = match (target.once, target.settling) {
        (true, _) => Vec::new(),
        (_, false) => awaited(&checks),
        (_, true) => {
            let mut settling = build(&specs, &surroundings)?;
            settling.iter_mut().for_each(super::Check::settle);
            awaited(&settling.into_iter().map(Arc::new).collect::<Vec<_>>())
        }
    };
    let version = target.expected_version.as_deref();
    if !awaited.is_empty() {
        let own = loaded.config.deadline.map(|deadline| deadline.0);
        let deadline = own.into_iter().chain(target.limit).min();
        let run = run(&awaited, version, target.process, Purpose::Wait { deadline }, session);
        // Waiting decides nothing about warnings; the smoke test tells them.
        if !failed(&run.checks).is_empty() || run.cancelled.is_some() {
            return Ok(conclude(run, "not ready"));
        }
    }
    Ok(conclude(run(&checks, version, target.process, Purpose::Smoke, session), "smoke test"))
}

/// The checks of a file, with their places, and with their files where they are.
pub fn specs(loaded: &Loaded) -> Vec<(Place, CheckSpec)> {
    let all = as_written(loaded).into_iter();
    all.map(|(place, spec)| (place, super::files::beside(loaded, spec))).collect()
}

/// The same, with the names of files as they are written.
pub(super) fn as_written(loaded: &Loaded) -> Vec<(Place, CheckSpec)> {
    let checks = loaded.config.checks.iter().flat_map(|list| &list.0);
    checks
        .flat_map(|check| {
            let place = Place { file: loaded.file.clone(), line: check.line };
            check.value.expanded().into_iter().map(move |spec| (place.clone(), spec))
        })
        .collect()
}

/// The checks to wait for, and those whose captures they need.
fn awaited(checks: &[Arc<super::Check>]) -> Vec<Arc<super::Check>> {
    let mut chosen: Vec<bool> = checks.iter().map(|check| check.is_waited_for()).collect();
    loop {
        let needed: Vec<&String> = checks
            .iter()
            .zip(&chosen)
            .filter(|(_, chosen)| **chosen)
            .flat_map(|(check, _)| &check.needs)
            .collect();
        let more: Vec<usize> = (0..checks.len())
            .filter(|index| !chosen[*index])
            .filter(|index| {
                checks[*index].judge.capture.iter().any(|capture| needed.contains(&&capture.name))
            })
            .collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|index| chosen[index] = true);
    }
    checks.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(c, _)| c.clone()).collect()
}

fn conclude(run: Run, phase: &str) -> Verification {
    let (all, bad) = (run.checks.len(), failed(&run.checks));
    let summary = match (bad.first(), run.cancelled) {
        (_, Some(signal)) => format!("{phase}: cancelled by {signal}"),
        (None, None) => format!("{phase}: {all} of {all} checks passed"),
        (Some(first), None) => {
            format!(
                "{phase}: {} of {all} checks failed; {}: {}",
                bad.len(),
                first.name,
                first.reason
            )
        }
    };
    let (verdict, cancelled) = (run.verdict, run.cancelled);
    Verification { summary, checks: run.checks, verdict, cancelled }
}
