//! JUnit XML: one test case per check, by its name (schema: windyroad/JUnit-Schema).

use std::fmt::Write;

use super::v1::Report;
use crate::decide::verdict::{Severity, Verdict};

/// Renders the checks of a report.
pub fn render(report: &Report) -> String {
    let decides = |check: &&super::v1::Check| check.severity == Severity::Critical;
    let count = |verdicts: &[Verdict]| {
        report.checks.iter().filter(decides).filter(|c| verdicts.contains(&c.verdict)).count()
    };
    let timestamp: String = report.started.chars().take(19).collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let mut put = |arguments: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        xml.write_fmt(arguments).unwrap_or_default();
    };
    put(format_args!(
        "<testsuite name=\"{}\" package=\"waveoff\" id=\"0\" timestamp=\"{}\" hostname=\"localhost\" \
         tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">\n<properties/>\n",
        escape(&report.program),
        escape(&timestamp),
        report.checks.len(),
        count(&[Verdict::Fail]),
        count(&[Verdict::Error, Verdict::Inconclusive]),
        report.duration_ms as f64 / 1e3,
    ));
    for check in &report.checks {
        put(format_args!(
            "<testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
            escape(&check.name),
            escape(&format!("{}.{}", report.program, check.kind)),
            check.duration_ms as f64 / 1e3,
        ));
        let element = match (check.verdict, check.severity) {
            (Verdict::Pass, _) | (_, Severity::Warning) => {
                put(format_args!("/>\n"));
                continue;
            }
            (Verdict::Fail, _) => "failure",
            _ => "error",
        };
        let evidence: String = check
            .findings
            .iter()
            .filter(|finding| !finding.verdict.is_pass())
            .map(|f| format!("{}: wanted {}, found {}\n", f.query, f.expected, f.actual))
            .collect();
        put(format_args!(
            "><{element} message=\"{}\" type=\"{}\">{}</{element}></testcase>\n",
            escape(&check.reason),
            check.verdict,
            escape(&evidence),
        ));
    }
    put(format_args!("<system-out/>\n<system-err/>\n</testsuite>\n</testsuites>\n"));
    xml
}

/// Escapes text for XML 1.0; characters that it cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' => escaped.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
