//! Judging a health document.

use super::{Component, Condition, HealthDocument, HealthJudgement, HealthOptions};
use crate::decide::verdict::Verdict;
use crate::decide::words::shorten;

/// Names of parts that are listed for one that is not there, and characters of each.
const LISTED: usize = 8;
const SHOWN: usize = 60;

/// Judges a document together with the HTTP status it came with.
///
/// A critical part that is not healthy fails; a non-critical one makes the service *degraded*,
/// which passes with a warning. Every circuit must be closed. A document that calls itself
/// healthy with a status of 4xx or 5xx contradicts itself and fails.
pub fn judge(
    document: &HealthDocument,
    status: Option<u16>,
    options: &HealthOptions,
) -> HealthJudgement {
    let mut judgement =
        HealthJudgement { verdict: Verdict::Pass, failures: Vec::new(), warnings: Vec::new() };
    let mut unknown = Vec::new();
    judge_whole(document, status, &mut judgement, &mut unknown);
    for component in &document.components {
        judge_component(document, component, options, &mut judgement, &mut unknown);
    }
    for name in &options.critical {
        if !document.components.iter().any(|part| is_called(&part.name, name)) {
            let names = names(document);
            judgement
                .failures
                .push(format!("critical service {name} is not in the document{names}"));
        }
    }
    judge_circuits(document, options, &mut judgement, &mut unknown);
    let parts = document.components.iter().map(|part| &part.condition);
    let works = |said: &Condition| matches!(said, Condition::Healthy | Condition::Degraded);
    if !document.overall.iter().chain(parts).any(works) {
        unknown.push("nothing in the document says that the service is well".into());
    }
    judgement.verdict = match (judgement.failures.is_empty(), unknown.is_empty()) {
        (false, _) => Verdict::Fail,
        (true, false) => Verdict::Inconclusive,
        (true, true) => Verdict::Pass,
    };
    judgement.failures.extend(unknown);
    judgement
}

fn judge_whole(
    document: &HealthDocument,
    status: Option<u16>,
    judgement: &mut HealthJudgement,
    unknown: &mut Vec<String>,
) {
    let refused = status.filter(|status| !(200..300).contains(status));
    match (&document.overall, refused) {
        (Some(Condition::Healthy), Some(status)) => judgement
            .failures
            .push(format!("contradiction: the document says healthy, the status is {status}")),
        (_, Some(status)) => judgement.failures.push(format!("the status is {status}")),
        _ => {}
    }
    match &document.overall {
        Some(Condition::Unhealthy) => judgement.failures.push("the service is unhealthy".into()),
        Some(Condition::Degraded) => judgement.warnings.push("the service is degraded".into()),
        Some(Condition::Unknown(word)) => {
            unknown.push(format!("the service says {word:?}, which is no known health word"));
        }
        Some(Condition::Healthy) | None => {}
    }
}

fn judge_component(
    document: &HealthDocument,
    component: &Component,
    options: &HealthOptions,
    judgement: &mut HealthJudgement,
    unknown: &mut Vec<String>,
) {
    let named = options.critical.iter().any(|name| is_called(&component.name, name));
    // Without anybody's word on what is critical, a document without an overall word is judged
    // by all of its parts; one with an overall word has already weighed them.
    // Who lists services has said nothing of workers: theirs is the document's own mark.
    let critical = named
        || (component.is_worker && component.critical == Some(true))
        || (options.critical.is_empty()
            && component.critical.unwrap_or(document.overall.is_none()));
    let Component { name, condition, message, .. } = component;
    let kind = if critical { "critical service" } else { "service" };
    let said = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    let word = match condition {
        Condition::Healthy => "is healthy".into(),
        Condition::Degraded => "is degraded".into(),
        Condition::Unhealthy => "is unhealthy".into(),
        Condition::Unknown(word) if word.is_empty() => "does not say how it is".into(),
        Condition::Unknown(word) => format!("says {word:?}, which is no known health word"),
    };
    let line = format!("{kind} {name} {word}{said}");
    match (condition, critical) {
        (Condition::Healthy, _) => {}
        (Condition::Unhealthy, true) => judgement.failures.push(line),
        (Condition::Unknown(_), true) => unknown.push(line),
        _ => judgement.warnings.push(line),
    }
}

fn judge_circuits(
    document: &HealthDocument,
    options: &HealthOptions,
    judgement: &mut HealthJudgement,
    unknown: &mut Vec<String>,
) {
    let excepted = |name: &str| options.except_circuits.iter().any(|other| same_name(name, other));
    let mut excused = 0;
    let open: Vec<_> = document.circuits.iter().filter(|circuit| !circuit.is_closed()).collect();
    for circuit in &open {
        let line = format!("circuit {} is {}", circuit.name, circuit.state);
        if excepted(&circuit.name) {
            excused += 1;
            judgement.warnings.push(format!("{line} (excepted)"));
        } else {
            judgement.failures.push(line);
        }
    }
    // The counts include the named ones; what is left has no name that could be excepted.
    let named = open.len() as u64;
    if document.not_closed > named.max(excused) {
        let rest = document.not_closed - named;
        let (noun, verb) = if rest == 1 { ("circuit", "is") } else { ("circuits", "are") };
        judgement.failures.push(format!("{rest} {noun} {verb} not closed"));
    }
    for (name, why) in &document.unclear {
        let line = format!("{} {why}", shorten(name, SHOWN));
        if excepted(name) {
            judgement.warnings.push(format!("{line} (excepted)"));
        } else {
            unknown.push(line);
        }
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Whether a part has that name, or is a measurement of it: `db:responseTime` of the IETF draft.
fn is_called(part: &str, name: &str) -> bool {
    same_name(part, name) || part.split_once(':').is_some_and(|(part, _)| same_name(part, name))
}

/// The parts that are there, for whoever misspelled one.
fn names(document: &HealthDocument) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut others = "";
    for part in &document.components {
        match names.contains(&&*part.name) {
            true => {}
            false if names.len() < LISTED => names.push(&part.name),
            false => others = " and others",
        }
    }
    let names: Vec<_> = names.iter().map(|name| shorten(name, SHOWN)).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", which has {}{others}", names.join(", "))
    }
}
