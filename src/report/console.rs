//! The report for people on a terminal or in a log: aligned, calm, the last line says it all.

use std::fmt::Write;

use super::v1::{Check, Report};
use crate::decide::incident::is_steering;
use crate::decide::verdict::{Severity, Verdict};

const RESET: &str = "\u{1b}[0m";

/// Renders a report whose texts are clean. Quiet leaves only the last lines.
pub fn render(report: &Report, quiet: bool, colour: bool) -> String {
    let mut text = String::new();
    if !quiet {
        table(&mut text, &report.checks, colour);
        for check in report.checks.iter().filter(|check| !check.verdict.is_pass()) {
            details(&mut text, check);
        }
    }
    let paint = paint(report.verdict, colour);
    line(&mut text, format_args!("{paint}{}{}", report.summary, end(paint)));
    if let Some(next) = &report.next {
        line(&mut text, format_args!("next: {next}"));
    }
    text
}

/// Appends a line; writing to a string cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).unwrap_or_default();
    text.push('\n');
}

fn table(text: &mut String, checks: &[Check], colour: bool) {
    if checks.is_empty() {
        return;
    }
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0).min(40);
    for check in checks {
        let paint = paint(shown(check), colour);
        let name = cut(&check.name, 40);
        let time = format!("{:.0} ms", check.latency_ms);
        line(
            text,
            format_args!(
                "{paint}{} {:<7}{} {name:<width$}  {time:>9}  {}",
                mark(check),
                word(check),
                end(paint),
                cut(&check.reason, 160)
            ),
        );
        for warning in &check.warnings {
            line(text, format_args!("          {:<width$}  {:>9}  warning: {warning}", "", ""));
        }
    }
    text.push('\n');
}

/// What a person needs who was not there: the timeline, the expectations, the last answer.
fn details(text: &mut String, check: &Check) {
    line(text, format_args!("{} ({})", check.name, check.target));
    if let Some(remedy) = &check.remedy {
        line(text, format_args!("  {}", check.reason));
        line(text, format_args!("  remedy: {remedy}"));
    }
    for stretch in &check.timeline {
        let span = if stretch.count == 1 {
            format!("{:.2} s", stretch.from_ms as f64 / 1e3)
        } else {
            format!("{:.2}–{:.2} s", stretch.from_ms as f64 / 1e3, stretch.to_ms as f64 / 1e3)
        };
        let times = format!("×{}", stretch.count);
        line(text, format_args!("  {span:>16} {times:>6}  {}", cut(&stretch.note, 160)));
    }
    for finding in check.findings.iter().filter(|f| !f.verdict.is_pass() && !f.query.is_empty()) {
        line(text, format_args!("  {}", finding.query));
        line(text, format_args!("    wanted {}", finding.expected));
        line(text, format_args!("    found  {}", finding.actual));
    }
    if let Some(response) = &check.last_response {
        let status = response.status.map(|status| format!(" {status}")).unwrap_or_default();
        line(text, format_args!("  last answer:{status}"));
        for (name, value) in &response.headers {
            line(text, format_args!("    {name}: {}", cut(value, 160)));
        }
        for body in response.body.lines() {
            line(text, format_args!("    | {body}"));
        }
    }
    text.push('\n');
}

fn mark(check: &Check) -> &'static str {
    match (shown(check), check.warnings.is_empty()) {
        (Verdict::Pass, true) => "✓",
        (Verdict::Pass, false) | (Verdict::Inconclusive, _) => "!",
        _ => "✗",
    }
}

fn word(check: &Check) -> &'static str {
    match (check.verdict, check.severity) {
        (Verdict::Pass, _) => "pass",
        (_, Severity::Warning) => "warning",
        (Verdict::Inconclusive, _) => "unsure",
        (Verdict::Error, _) => "error",
        (Verdict::Fail, _) => "fail",
    }
}

/// A warning's failure is shown as something to look at.
fn shown(check: &Check) -> Verdict {
    match check.severity {
        Severity::Warning if !check.verdict.is_pass() => Verdict::Inconclusive,
        _ => check.verdict,
    }
}

fn paint(verdict: Verdict, colour: bool) -> &'static str {
    match verdict {
        _ if !colour => "",
        Verdict::Pass => "\u{1b}[32m",
        Verdict::Inconclusive => "\u{1b}[33m",
        Verdict::Error | Verdict::Fail => "\u{1b}[31m",
    }
}

fn end(paint: &str) -> &'static str {
    if paint.is_empty() { "" } else { RESET }
}

pub(super) fn cut(text: &str, limit: usize) -> String {
    let one_line = text.replace(['\n', '\r'], " ");
    if one_line.chars().count() <= limit {
        return one_line;
    }
    one_line.chars().take(limit - 1).chain(['…']).collect()
}

/// What comes from outside must not move the cursor, ring the bell or turn the line around.
pub fn clean(text: &str) -> String {
    let shown = |c: &char| !is_steering(*c) && (!c.is_control() || matches!(c, '\n' | '\t'));
    text.chars().filter(shown).collect()
}
