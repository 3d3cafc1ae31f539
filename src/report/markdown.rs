//! The report as a job summary and annotations.

use super::console::cut;
use super::v1::{Check, Report};
use crate::actions::Level;
use crate::decide::verdict::{Severity, Verdict};

/// GitHub keeps ten annotations of a kind per step; the first ones are the ones to keep.
const ANNOTATIONS: usize = 10;

/// The job summary: the conclusion, a table of the checks, a picture of the steps.
pub fn summary(report: &Report) -> String {
    let mut text = format!("### {} {}\n\n", mark(report.verdict), escape(&report.summary));
    if let Some(next) = &report.next {
        text += &format!("**Next:** {}\n\n", escape(next));
    }
    if !report.steps.is_empty() {
        text += &picture(report);
    }
    if !report.checks.is_empty() {
        text += "| | check | verdict | time | attempts | |\n|---|---|---|---:|---:|---|\n";
        text.extend(report.checks.iter().map(row));
        text.push('\n');
    }
    for check in report.checks.iter().filter(|check| !check.verdict.is_pass()) {
        text += &details(check);
    }
    text
}

/// What deserves a line beside the job: failures first, then warnings.
pub fn annotations(report: &Report) -> Vec<(Level, String, String)> {
    let of = |level, wanted: fn(&Check) -> bool| {
        let checks = report.checks.iter().filter(move |check| wanted(check)).take(ANNOTATIONS - 1);
        checks.map(move |check| (level, check.name.clone(), told(check)))
    };
    let decides = |check: &Check| check.severity == Severity::Critical && !check.verdict.is_pass();
    let weak = |check: &Check| check.severity == Severity::Warning && !check.verdict.is_pass();
    let told = report.checks.iter().filter(|check| check.verdict.is_pass()).flat_map(|check| {
        check.warnings.iter().map(|w| (Level::Warning, check.name.clone(), w.clone()))
    });
    let warnings = of(Level::Warning, weak).chain(told).take(ANNOTATIONS);
    let mut all: Vec<_> = of(Level::Error, decides).chain(warnings).collect();
    if !report.verdict.is_pass() {
        all.insert(0, (Level::Error, report.program.clone(), report.summary.clone()));
    }
    all
}

/// Why, and what would mend it.
fn told(check: &Check) -> String {
    let remedy = check.remedy.iter().map(|remedy| format!("; {remedy}"));
    std::iter::once(check.reason.clone()).chain(remedy).collect()
}

fn row(check: &Check) -> String {
    let shown = match check.severity {
        Severity::Warning if !check.verdict.is_pass() => Verdict::Inconclusive,
        _ => check.verdict,
    };
    let warnings: String = check.warnings.iter().map(|w| format!("<br>⚠️ {}", cell(w))).collect();
    format!(
        "| {} | {} | {} | {:.0} ms | {} | {}{warnings} |\n",
        mark(shown),
        cell(&check.name),
        check.verdict,
        check.latency_ms,
        check.attempts,
        cell(&check.reason),
    )
}

fn details(check: &Check) -> String {
    let mut text = format!("<details><summary>{}</summary>\n\n", html(&check.name));
    if let Some(remedy) = &check.remedy {
        text += &format!("{}\n\n**Remedy:** {}\n", escape(&check.reason), escape(remedy));
    }
    for finding in check.findings.iter().filter(|f| !f.verdict.is_pass() && check.remedy.is_some())
    {
        text += &format!("- {}\n", escape(&finding.actual));
    }
    for stretch in &check.timeline {
        let (from, to) = (stretch.from_ms as f64 / 1e3, stretch.to_ms as f64 / 1e3);
        text += &format!("- {from:.2}–{to:.2} s ×{}: {}\n", stretch.count, escape(&stretch.note));
    }
    if let Some(response) = &check.last_response {
        let headers: String =
            response.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let status = response.status.map(|status| format!("{status}\n")).unwrap_or_default();
        text += &format!("\n{}\n", fenced(&format!("{status}{headers}\n{}", response.body)));
    }
    text + "\n</details>\n\n"
}

/// The steps as a Mermaid Gantt chart.
fn picture(report: &Report) -> String {
    let mut text = String::from(
        "```mermaid\ngantt\n  dateFormat x\n  axisFormat %M:%S\n  title What happened\n",
    );
    for step in &report.steps {
        let tag = if step.verdict.is_pass() { "done" } else { "crit" };
        let name: String =
            step.name.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let to = step.from_ms + step.duration_ms.max(1);
        text += &format!("  {name} :{tag}, {}, {to}\n", step.from_ms);
    }
    text += "```\n\n| step | | |\n|---|---|---|\n";
    for step in &report.steps {
        text += &format!(
            "| {} {} | {:.2} s | {} |\n",
            mark(step.verdict),
            cell(&step.name),
            step.duration_ms as f64 / 1e3,
            cell(&step.detail)
        );
    }
    text + "\n"
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Inconclusive => "⚠️",
        Verdict::Error | Verdict::Fail => "❌",
    }
}

/// Text for a table cell.
fn cell(text: &str) -> String {
    escape(&cut(text, 300))
}

/// Makes a text mean nothing but itself in GitHub's Markdown: no markup, no HTML, no mention, no
/// reference to an issue.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A joiner of no width keeps them from being a mention or a reference.
            '@' | '#' => {
                escaped.push(c);
                escaped.push('\u{2060}');
            }
            '\n' | '\r' => escaped.push(' '),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A code block whose fence is longer than any run of backticks in it.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let clean: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    format!("{fence}text\n{clean}\n{fence}")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Session;
    use crate::report::v1::Step;
    use proptest::prelude::*;

    #[test]
    fn text_from_outside_means_only_itself() {
        assert_eq!(escape("a|b <b> @me #1 `x`"), "a\\|b &lt;b&gt; @\u{2060}me #\u{2060}1 \\`x\\`");
    }

    fn step(name: &str, detail: &str, verdict: Verdict, from_ms: u64, duration_ms: u64) -> Step {
        Step { name: name.into(), detail: detail.into(), verdict, from_ms, duration_ms }
    }

    #[test]
    fn d7_the_steps_are_a_picture_and_a_table() {
        let mut report = Session::silent().report(Verdict::Fail, "v2 failed");
        report.steps = vec![
            step("start v2", "v2 is started", Verdict::Pass, 5, 1200),
            step("verify v2", "it is unhealthy", Verdict::Fail, 1205, 0),
        ];
        let text = summary(&report);
        let picture = "```mermaid\ngantt\n  dateFormat x\n  axisFormat %M:%S\n  title What happened\n  \
                       start v2 :done, 5, 1205\n  verify v2 :crit, 1205, 1206\n```\n\n\
                       | step | | |\n|---|---|---|\n\
                       | ✅ start v2 | 1.20 s | v2 is started |\n\
                       | ❌ verify v2 | 0.00 s | it is unhealthy |\n";
        assert!(text.contains(picture), "{text}");
        report.steps.clear();
        assert!(!summary(&report).contains("mermaid"));
    }

    #[test]
    fn a_hostile_step_stays_on_its_line_of_the_picture_and_in_its_cell() {
        let hostile = "x\"y]'`z\n```\r\n:crit, 0, 9;%%{init}%% --> #a\u{2028}<b>|@me";
        let mut report = Session::silent().report(Verdict::Pass, hostile);
        report.steps = vec![step(hostile, hostile, Verdict::Pass, 0, 7)];
        let text = summary(&report);
        let (_, rest) = text.split_once("```mermaid\n").unwrap();
        let (picture, table) = rest.split_once("\n```\n").unwrap();
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines.len(), 5, "{picture}");
        let (name, rest) = lines[4].trim_start().split_once(':').unwrap();
        assert_eq!(rest, "done, 0, 7");
        assert!(name.chars().all(|c| c.is_alphanumeric() || c == ' '), "{name}");
        let rows: Vec<&str> = table.trim().lines().collect();
        assert_eq!(rows.len(), 3, "{table}");
        let bare = |c: char| rows[2].replace(&format!("\\{c}"), "").matches(c).count();
        assert_eq!((bare('`'), bare(']'), bare('<'), bare('>')), (0, 0, 0, 0), "{table}");
        assert_eq!(bare('|'), 4, "{table}");
        assert!(!table.contains("@me"), "{table}");
    }

    proptest! {
        #[test]
        fn a_fence_is_never_closed_from_inside(text in "[`a\\n~]{0,40}") {
            let block = fenced(&text);
            let fence: String = block.chars().take_while(|c| *c == '`').collect();
            let inner = block.trim_start_matches('`').trim_end_matches('`');
            prop_assert!(!inner.contains(&fence));
        }
    }
}
