//! What was measured, as a table (which is also Markdown) and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Problem;
use crate::load::Seen;
use crate::world::{Kind, VERSIONS};

/// What one router did.
pub(crate) struct Figures {
    kind: Kind,
    requests: u64,
    /// Failures by kind, of both runs.
    failures: Vec<(String, u64)>,
    closed_idle: u64,
    /// Switches of both runs.
    switches: usize,
    /// Of the paced run, how long each switch took, from the call to its return. At full speed the
    /// router and the switch fight for the processor with the client.
    took: Vec<f64>,
    /// From the beginning of a switch to the first answer of the other version.
    first: Vec<f64>,
    /// From the beginning of a switch to the last answer of the version before.
    last: Vec<f64>,
    /// p50, p95, p99 and max of the paced run: in steady state, and during a switch.
    steady: [f64; 4],
    during: [f64; 4],
}

impl Figures {
    pub(crate) fn of(kind: Kind, fast: &Seen, paced: &Seen) -> Result<Self, Problem> {
        let runs = [fast, paced];
        let sum = |key: &str| runs.iter().filter_map(|seen| seen.report[key].as_u64()).sum();
        let names = fast.report["failures"].as_object().ok_or("the client counted no failures")?;
        let failures = names.keys().map(|name| {
            let counts = runs.iter().filter_map(|seen| seen.report["failures"][name].as_u64());
            (name.clone(), counts.sum())
        });
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        let (first, last) = answers(&paced.report);
        Ok(Self {
            kind,
            requests: sum("requests"),
            failures: failures.collect(),
            closed_idle: sum("closed_idle"),
            switches: runs.iter().map(|seen| seen.switches.len()).sum(),
            took: paced.switches.iter().map(ms).collect(),
            first,
            last,
            steady: latencies(&paced.report, "steady"),
            during: latencies(&paced.report, "switch"),
        })
    }

    fn lost(&self) -> u64 {
        self.failures.iter().map(|(_, count)| count).sum()
    }

    /// Nothing was lost, and there was something to lose. Where connections are not kept, none was
    /// closed under a client either.
    pub(crate) fn is_met(&self, least: u32) -> bool {
        let keeps = self.kind == Kind::Nginx;
        self.lost() == 0
            && (keeps || self.closed_idle == 0)
            && self.requests >= u64::from(least)
            && self.first.len() >= 8
    }
}

/// For each switch: when the first answer of the other version came, and the last of the one
/// before. A switch that the end of the run cut short has none.
fn answers(report: &Value) -> (Vec<f64>, Vec<f64>) {
    let phases = report["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
    let switches = phases.iter().filter(|phase| phase["name"] == "switch");
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (switch, to) in switches.zip(VERSIONS.iter().rev().cycle()) {
        for version in VERSIONS {
            let seen = &switch["versions"][version];
            let (which, when) = match version == *to {
                true => (&mut first, &seen["first_ms"]),
                false => (&mut last, &seen["last_ms"]),
            };
            which.extend(when.as_f64());
        }
    }
    (first, last)
}

/// p50, p95, p99 and max of all phases of a name.
fn latencies(report: &Value, name: &str) -> [f64; 4] {
    let all = &report["by_name"][name]["latency_ms"];
    ["p50", "p95", "p99", "max"].map(|share| all[share].as_f64().unwrap_or(f64::NAN))
}

/// By nearest rank.
fn share(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

const HEADS: [&str; 10] = [
    "Router",
    "Requests",
    "Lost",
    "Closed idle",
    "Switches",
    "Switch takes",
    "First answer of the other",
    "Last answer of the one before",
    "Latency, steady",
    "Latency, during a switch",
];

/// The table.
pub(crate) fn render(results: &[Figures]) -> String {
    let spread =
        |values: &[f64]| format!("{:.0}, ≤ {:.0} ms", share(values, 0.5), share(values, 1.0));
    let four =
        |[p50, p95, p99, max]: [f64; 4]| format!("{p50:.1}, {p95:.1}, {p99:.1}, {max:.0} ms");
    let mut lines = vec![HEADS.map(str::to_owned)];
    lines.extend(results.iter().map(|result| {
        let kinds = result.failures.iter().filter(|(_, count)| *count > 0);
        let kinds: Vec<_> = kinds.map(|(name, count)| format!("{name} {count}")).collect();
        [
            result.kind.name().to_owned(),
            result.requests.to_string(),
            if kinds.is_empty() { "0".into() } else { kinds.join(", ") },
            result.closed_idle.to_string(),
            result.switches.to_string(),
            spread(&result.took),
            spread(&result.first),
            spread(&result.last),
            four(result.steady),
            four(result.during),
        ]
    }));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; HEADS.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if index == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    text + "\nRequests, losses and switches of a run at full speed and of a paced one; times of the paced \
            one: median, greatest; latencies: p50, p95, p99, greatest.\n"
}

/// All figures.
pub(crate) fn json(results: &[Figures], least: u32) -> Result<String, Problem> {
    let routers: Vec<Value> = results
        .iter()
        .map(|result| {
            let failures = result.failures.iter().map(|(name, count)| (name.clone(), json!(count)));
            json!({
                "router": result.kind.part(),
                "requests": result.requests,
                "failures": Value::Object(failures.collect()),
                "closed_idle": result.closed_idle,
                "switches": result.switches,
                "switch_ms": result.took,
                "first_of_other_ms": result.first,
                "last_of_before_ms": result.last,
                "latency_steady_ms": result.steady,
                "latency_during_ms": result.during,
                "met": result.is_met(least),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&json!({ "version": 1, "routers": routers }))? + "\n")
}
