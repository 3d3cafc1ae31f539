//! Metrics in Prometheus' text format (exposition format 0.0.4), as node_exporter's textfile
//! collector and the Pushgateway read them: a sample for each check.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::UNIX_EPOCH;

use super::v1::{Check, Report};
use crate::decide::verdict::Verdict;

/// A family of samples: its name, its type, what it is, and its value for a check.
type Family = (&'static str, &'static str, &'static str, fn(&Check) -> Option<f64>);

const FAMILIES: [Family; 4] = [
    (
        "service_available",
        "gauge",
        "Whether the check passed: 1 yes, 0 no, NaN when it could not be found out.",
        |check| Some(available(check.verdict)),
    ),
    ("health_check_latency_seconds", "gauge", "How long the last attempt took.", |check| {
        (check.attempts > 0).then_some(check.latency_ms / 1e3)
    }),
    (
        "health_check_duration_seconds",
        "gauge",
        "The time from the first attempt to the end.",
        |check| Some(check.duration_ms as f64 / 1e3),
    ),
    (
        "health_check_attempts_total",
        "counter",
        "How often it was looked at in this run.",
        |check| Some(check.attempts.into()),
    ),
];

/// Renders the checks of a report whose texts are masked.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let service = report.service.as_deref().unwrap_or_default();
    let names = names(&report.checks);
    let checks = || report.checks.iter().zip(&names);
    for (family, kind, help, value) in FAMILIES {
        head(&mut text, family, kind, help);
        for (check, name) in checks() {
            if let Some(value) = value(check) {
                sample(&mut text, family, &[("service", service), ("check", name)], value);
            }
        }
    }
    let (family, help) = ("circuit_breaker_state", "0 closed, 1 half-open, 2 open, NaN unknown.");
    head(&mut text, family, "gauge", help);
    for (check, name) in checks() {
        for (circuit, state) in &check.circuits {
            let labels = [("service", service), ("check", name), ("name", circuit)];
            sample(&mut text, family, &labels, position(state));
        }
    }
    let (family, help) = ("health_check_timestamp_seconds", "When the run ended, as Unix time.");
    head(&mut text, family, "gauge", help);
    if let Some(ended) = ended(report) {
        sample(&mut text, family, &[("service", service)], ended);
    }
    text
}

/// Begins a family. Writing to a string cannot fail.
fn head(text: &mut String, family: &str, kind: &str, help: &str) {
    writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}").unwrap_or_default();
}

fn sample(text: &mut String, family: &str, labels: &[(&str, &str)], value: f64) {
    let labels = labels.iter().filter(|(_, value)| !value.is_empty());
    let shown: Vec<String> =
        labels.map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
    let shown = if shown.is_empty() { String::new() } else { format!("{{{}}}", shown.join(",")) };
    writeln!(text, "{family}{shown} {value}").unwrap_or_default();
}

/// What was not seen is neither up nor down, and `service_available != 1` is true of NaN.
fn available(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Pass => 1.0,
        Verdict::Fail => 0.0,
        Verdict::Error | Verdict::Inconclusive => f64::NAN,
    }
}

fn position(state: &str) -> f64 {
    match state {
        "closed" => 0.0,
        "half-open" => 1.0,
        "open" => 2.0,
        _ => f64::NAN,
    }
}

/// The end of the run in seconds since 1970.
fn ended(report: &Report) -> Option<f64> {
    let started =
        humantime::parse_rfc3339(&report.started).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((started.as_millis() as u64 + report.duration_ms) as f64 / 1e3)
}

/// A name for each check: no two samples of a family may have the same labels.
fn names(checks: &[Check]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |check: &Check| {
        let (mut name, mut number) = (check.name.clone(), 1);
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{} #{number}", check.name);
        }
        name
    };
    checks.iter().map(name).collect()
}

/// Escapes the value of a label.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::verdict::Severity;

    fn check(name: &str, verdict: Verdict) -> Check {
        Check {
            name: name.into(),
            kind: "http".into(),
            target: String::new(),
            severity: Severity::Critical,
            verdict,
            reason: String::new(),
            remedy: None,
            duration_ms: 2500,
            latency_ms: 12.5,
            attempts: 3,
            findings: Vec::new(),
            warnings: Vec::new(),
            circuits: [("pay".to_owned(), "half-open".to_owned())].into(),
            timeline: Vec::new(),
            last_response: None,
        }
    }

    #[test]
    fn p6_the_facts_of_a_run_are_metrics() {
        let mut report = crate::commands::Session::silent().report(Verdict::Fail, "");
        (report.started, report.duration_ms) = ("1970-01-02T00:00:00.250Z".into(), 1250);
        report.service = Some("shop".into());
        report.checks = vec![check("a", Verdict::Pass), check("\\\"\n", Verdict::Fail)];
        let text = render(&report);
        for line in [
            "# TYPE health_check_attempts_total counter",
            "service_available{service=\"shop\",check=\"a\"} 1",
            "service_available{service=\"shop\",check=\"\\\\\\\"\\n\"} 0",
            "health_check_latency_seconds{service=\"shop\",check=\"a\"} 0.0125",
            "health_check_duration_seconds{service=\"shop\",check=\"a\"} 2.5",
            "health_check_attempts_total{service=\"shop\",check=\"a\"} 3",
            "circuit_breaker_state{service=\"shop\",check=\"a\",name=\"pay\"} 1",
            "health_check_timestamp_seconds{service=\"shop\"} 86401.5",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in {text}");
        }
    }

    #[test]
    fn p6_what_is_unknown_is_no_number() {
        let mut report = crate::commands::Session::silent().report(Verdict::Error, "");
        let mut unseen = check("same", Verdict::Error);
        unseen.attempts = 0;
        unseen.circuits = [("pay".to_owned(), "forced".to_owned())].into();
        report.checks = vec![check("same", Verdict::Inconclusive), check("same #2", Verdict::Pass)];
        report.checks.push(unseen);
        let text = render(&report);
        assert!(text.contains("service_available{check=\"same\"} NaN\n"), "{text}");
        assert!(text.contains("service_available{check=\"same #3\"} NaN\n"), "{text}");
        assert!(text.contains("circuit_breaker_state{check=\"same #3\",name=\"pay\"} NaN\n"));
        assert!(!text.contains("latency_seconds{check=\"same #3\"}"), "{text}");
    }
}
