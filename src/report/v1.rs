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
        map(&mut whole, &change);
        serde_json::from_value(whole)
    }
}

fn map(value: &mut serde_json::Value, change: &impl Fn(&str) -> String) {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => *text = change(text),
        Array(list) => list.iter_mut().for_each(|value| map(value, change)),
        Object(object) => {
            // Their names are somebody else's words.
            if let Some(Object(circuits)) = object.get_mut("circuits") {
                let named = std::mem::take(circuits).into_iter();
                *circuits = named.map(|(name, state)| (change(&name), state)).collect();
            }
            object.values_mut().for_each(|value| map(value, change));
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
    fn the_published_schema_is_the_one_of_the_types() {
        crate::report::contract::compare(
            "schemas/report.schema.json",
            &schemars::schema_for!(Report),
        );
    }
}
