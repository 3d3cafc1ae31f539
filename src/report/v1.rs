//! The published report, version 1. Its fields are frozen: new ones may come, none changes its
//! meaning or goes. `schemas/report.schema.json` describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decide::verdict::{Severity, Verdict};

/// A report: what one run saw, decided and did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "report.json"))]
pub struct Report {
    /// The version of this format: 1.
    pub version: u32,
    /// The program or verb: `wait-healthy`, `deploy`.
    pub program: String,
    /// The program's version.
    pub program_version: String,
    /// When it started: RFC 3339 in UTC.
    pub started: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The conclusion.
    pub verdict: Verdict,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// What happened, in one line.
    pub summary: String,
    /// What to do next, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The service, when one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The environment, when one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The version that was expected to answer, when one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<String>,
    /// The checks, in the order of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// The steps of a deployment or rollback, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Of a deployment or rollback: what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
    /// Other outputs of the program, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
}

impl Report {
    /// The report with every text in it, but not the names of its fields, replaced.
    ///
    /// # Errors
    /// When it is no report any more.
    pub fn map_texts(&self, change: impl Fn(&str) -> String) -> serde_json::Result<Report> {
        let mut whole = serde_json::to_value(self)?;
        map(&mut whole, &|_, text| change(text));
        serde_json::from_value(whole)
    }

    /// The report with every text replaced that may repeat what came from elsewhere: all but what
    /// is only ever ours, and is acted on by its value.
    ///
    /// # Errors
    /// When it is no report any more.
    pub fn map_foreign(&self, change: impl Fn(&str) -> String) -> serde_json::Result<Report> {
        let mut whole = serde_json::to_value(self)?;
        map(&mut whole, &|key, text| match key {
            key if OURS.contains(&key) => text.to_owned(),
            _ => change(text),
        });
        let mut changed: Report = serde_json::from_value(whole)?;
        if let (Some(new), Some(own)) = (&mut changed.deployment, &self.deployment) {
            new.id.clone_from(&own.id);
        }
        Ok(changed)
    }
}

/// The names of fields and outputs that have our own words, times, numbers and ids in them.
const OURS: &[&str] = &[
    "checks-total",
    "decision",
    "deployment-id",
    "digests",
    "incident-key",
    "issue-number",
    "kind",
    "outcome",
    "previous-sha",
    "program",
    "program_version",
    "reason-code",
    "rolled-back",
    "run",
    "seconds",
    "severity",
    "sha",
    "should-rollback",
    "started",
    "target_sha",
    "told",
    "verdict",
    "warnings",
];

fn map(value: &mut serde_json::Value, change: &impl Fn(&str, &str) -> String) {
    within("", value, change);
}

/// Replaces texts by the name of the field that they are in; those of a list by the list's.
fn within(key: &str, value: &mut serde_json::Value, change: &impl Fn(&str, &str) -> String) {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => *text = change(key, text),
        // What is told beside a check is a list of the same name as a number.
        Array(list) if key == "warnings" => list.iter_mut().for_each(|v| within("", v, change)),
        Array(list) => list.iter_mut().for_each(|value| within(key, value, change)),
        Object(object) => {
            // Their names are somebody else's words, and their states as well.
            if let Some(Object(circuits)) = object.get_mut("circuits") {
                let named = std::mem::take(circuits).into_iter();
                let named = named.map(|(name, state)| {
                    let state =
                        state.as_str().map_or(state.clone(), |text| change("", text).into());
                    (change("", &name), state)
                });
                *circuits = named.collect();
            }
            for (key, value) in object.iter_mut().filter(|(key, _)| *key != "circuits") {
                within(key, value, change);
            }
        }
        _ => {}
    }
}

/// One check with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Its kind: `http`, `tcp`, `command`, …
    pub kind: String,
    /// What was looked at.
    pub target: String,
    /// Whether it decides.
    pub severity: Severity,
    /// The judgement.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// What would mend it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// From the first attempt to the end, in milliseconds.
    pub duration_ms: u64,
    /// How long the last attempt took, in milliseconds.
    pub latency_ms: f64,
    /// How often it was looked at.
    pub attempts: u32,
    /// The expectations of the last attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What is told and does not decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The states of the circuit breakers that the last answer named: `closed`, `half-open`, `open`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub circuits: BTreeMap<String, String>,
    /// The attempts in order; equal ones that follow each other are one entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Stretch>,
    /// The last answer, when the check did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_response: Option<Response>,
}

/// An expectation with what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The query.
    pub query: String,
    /// What was wanted.
    pub expected: String,
    /// What was found.
    pub actual: String,
    /// The judgement.
    pub verdict: Verdict,
}

/// Equal attempts that followed each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stretch {
    /// When the first of them ended, in milliseconds since the start.
    pub from_ms: u64,
    /// When the last of them ended, in milliseconds since the start.
    pub to_ms: u64,
    /// How many there were.
    pub count: u32,
    /// Their verdict.
    pub verdict: Verdict,
    /// What they saw, in one line.
    pub note: String,
}

/// An answer, masked and shortened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Response {
    /// The HTTP status or exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// HTTP headers; values that may be secret are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The beginning of the body, or the end of a program's output.
    pub body: String,
}

/// One step of a deployment or rollback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// Its name: `deploy`, `wait`, `smoke-test`, `rollback`, `verify`, `record`, `notify`.
    pub name: String,
    /// What it did, in one line.
    pub detail: String,
    /// Its outcome.
    pub verdict: Verdict,
    /// When it began, in milliseconds since the start.
    pub from_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Step {
    /// One that took no time.
    pub fn passed(name: &str, detail: &str) -> Self {
        let (name, detail) = (name.to_owned(), detail.to_owned());
        Self { name, detail, verdict: Verdict::Pass, from_ms: 0, duration_ms: 0 }
    }
}

/// What a deployment or rollback is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deployment {
    /// Its id in the ledger.
    pub id: String,
    /// The version that was to be deployed, or that is rolled back from.
    pub version: String,
    /// The commit, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// Image digests or checksums, when known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// The rollback target; absent when no verified release exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<String>,
    /// The target's commit, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha: Option<String>,
    /// `nothing`, `verified`, `rolled-back`, `rollback-failed`, `failed`, `started`.
    pub outcome: String,
    /// Whether anything of the running system was touched.
    pub mutated: bool,
    /// The version that serves now, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_version: Option<String>,
    /// Why it failed, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x4_what_is_ours_is_never_masked() {
        let report = serde_json::json!({
            "version": 1, "program": "smoke-test", "program_version": "0.1.0", "duration_ms": 1,
            "started": "2026-11-22T10:30:13Z", "verdict": "fail", "exit_code": 10, "summary": "test 2026",
            "checks": [{
                "name": "test", "kind": "http", "target": "2026", "severity": "critical",
                "verdict": "fail", "reason": "2026", "duration_ms": 1, "latency_ms": 1.0,
                "attempts": 1, "warnings": ["2026"], "circuits": { "program": "2026" }
            }],
            "deployment": { "id": "d-2026", "version": "v1", "outcome": "failed", "mutated": true },
            "outputs": { "deployment-id": "d-2026", "failed-checks": "2026" }
        });
        let report: Report = serde_json::from_value(report).unwrap();
        let masked = report.map_foreign(|text| text.replace("2026", "***").replace("test", "***"));
        let masked = serde_json::to_value(masked.unwrap()).unwrap();
        for (pointer, wanted) in [
            ("/program", "smoke-test"),
            ("/started", "2026-11-22T10:30:13Z"),
            ("/deployment/id", "d-2026"),
            ("/outputs/deployment-id", "d-2026"),
            ("/outputs/failed-checks", "***"),
            ("/summary", "*** ***"),
            ("/checks/0/name", "***"),
            ("/checks/0/reason", "***"),
            ("/checks/0/warnings/0", "***"),
            ("/checks/0/circuits/program", "***"),
        ] {
            assert_eq!(masked.pointer(pointer).unwrap(), wanted, "{pointer}");
        }
    }

    #[test]
    fn the_published_schema_is_the_one_of_the_types() {
        crate::report::contract::compare(
            "schemas/report.schema.json",
            &schemars::schema_for!(Report),
        );
    }
}
