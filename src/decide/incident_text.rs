//! An incident as Markdown that nothing in it can break: no mention, no reference, no comment, no
//! markup but ours, and never longer than GitHub takes.

use std::time::{Duration, SystemTime};

use super::history::Release;
use super::incident::{Ending, Incident, Recovery, Wording, is_steering};
use super::words::{count, shorten};
use crate::report::markdown::{escape, fenced};
use crate::report::v1::{Check, Step};

/// GitHub takes 65,536 characters; the rest is for those who edit the issue.
pub const BODY: usize = 60_000;
/// The longest of our fields; each character may become five.
const FIELD: usize = 1_000;
/// Of an answer's body.
const ANSWER: usize = 3_000;
/// Of a timeline or a list of expectations.
const ROWS: usize = 30;
/// What is kept for the note that something was left out.
const NOTE: usize = 200;

const HOUR: Duration = Duration::from_secs(3600);

const INVESTIGATION: [&str; 5] = [
    "Read the failed checks below, then the log of the run.",
    "Compare the failed release with the one before: code, configuration, migrations, dependencies.",
    "Look at the service's own logs and metrics from the time given above.",
    "Find out who was affected, and for how long.",
    "Reproduce it outside of this environment before it is deployed again.",
];

const CHECKLIST: [&str; 6] = [
    "The version that serves now is the one that should, and it is healthy",
    "Those who are affected have been told",
    "The evidence is kept where it will not be cleaned up",
    "The cause is known",
    "A fix, with a test that would have caught it, is on its way",
    "The post-mortem is written",
];

/// The body of the incident's issue.
pub fn body(incident: &Incident, wording: &Wording) -> String {
    let mut text = format!("{}\n{}\n\n", incident.marker(), incident.facts());
    text += &format!(
        "**{}** of **{}** failed in **{}**. {}\n\n",
        plain(&incident.failed.version, 128),
        plain(&incident.service, 64),
        plain(&incident.environment, 64),
        incident.ending.sentence()
    );
    text += &facts(incident);
    let mut body = Bounded { text, left_out: 0 };
    body.add(&list("Investigation", "1. ", INVESTIGATION.iter().map(ToString::to_string)));
    for step in &wording.investigation {
        body.add(&format!("1. {}\n", plain(step, FIELD)));
    }
    body.add(&list("Checklist", "- [ ] ", CHECKLIST.iter().map(ToString::to_string)));
    body.add(&steps(&incident.steps));
    if !incident.failed_checks.is_empty() {
        body.add("\n### Failed checks\n");
    }
    for check in &incident.failed_checks {
        body.add(&evidence(check));
    }
    body.finish()
}

/// What is said when the incident's facts have changed.
pub fn changed(incident: &Incident) -> String {
    let sentence = incident.ending.sentence();
    format!("{}\n\n{sentence}\n\n{}", incident.facts(), facts(incident))
}

/// What is said when the incident is over; the second text is the line by which it is known again.
pub fn recovered(recovery: &Recovery) -> (String, String) {
    let line = "<!-- waveoff-recovered -->";
    let mut text = format!("{line}\n\nRecovered at {}", plain(&recovery.when, 64));
    if let Some(version) = &recovery.version {
        text += &format!(": **{}** serves and is verified", plain(version, 128));
    }
    text += ".\n";
    if let Some(note) = &recovery.note {
        text += &format!("\n{}\n", plain(note, FIELD));
    }
    if let Some(run) = &recovery.run_url {
        text += &format!("\n{}\n", link("The run", run));
    }
    (text, line.into())
}

/// The facts as a table.
fn facts(incident: &Incident) -> String {
    let mut rows = vec![
        ("Time", plain(&incident.when, 64)),
        ("Failed version", release(&incident.failed)),
        (
            match incident.ending {
                Ending::RolledBack => "Serves now",
                _ => "Rollback target",
            },
            incident.target.as_ref().map_or("none".into(), release),
        ),
        ("Outcome", incident.ending.word().into()),
        ("Reason", plain(&incident.reason, FIELD)),
    ];
    let mut more = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    more("Severity", incident.severity().map(|text| plain(text, 64)));
    more("Ticket", incident.ticket.as_ref().map(|text| link(text, text)));
    more("Run", incident.run_url.as_ref().map(|text| link("the run that saw it", text)));
    more("Deployment", incident.deployment.as_ref().map(|text| plain(text, 128)));
    more("Forensics", incident.forensics.as_ref().map(|text| link(text, text)));
    more("Post-mortem due", Some(due(incident)));
    let rows = rows.iter().map(|(name, value)| format!("| {name} | {value} |\n"));
    format!("| | |\n|---|---|\n{}", rows.collect::<String>())
}

fn release(release: &Release) -> String {
    let mut text = plain(&release.version, 128);
    if let Some(sha) = &release.sha {
        text += &format!(" (commit {})", plain(sha, 64));
    }
    for digest in release.digests.iter().take(10) {
        text += &format!("<br>{}", plain(digest, 128));
    }
    text
}

/// Two days, or one when it is as bad as it can be.
fn due(incident: &Incident) -> String {
    let severity = incident.severity().unwrap_or_default();
    let worst = ["sev-1", "sev1"].contains(&severity.trim().to_ascii_lowercase().as_str());
    let hours = if worst { 24 } else { 48 };
    let when: Option<SystemTime> = humantime::parse_rfc3339_weak(&incident.when).ok();
    match when.and_then(|when| when.checked_add(HOUR * hours)) {
        Some(at) => format!("{} ({hours} h)", humantime::format_rfc3339_seconds(at)),
        None => format!("within {hours} h"),
    }
}

fn list(title: &str, mark: &str, items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("{mark}{item}\n")).collect();
    format!("\n### {title}\n\n{items}")
}

fn steps(steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let mut text =
        "\n### What happened\n\n| after | step | | took | |\n|---:|---|---|---:|---|\n".to_owned();
    for step in steps.iter().take(ROWS) {
        text += &format!(
            "| {:.1} s | {} | {} | {:.1} s | {} |\n",
            step.from_ms as f64 / 1e3,
            plain(&step.name, 64),
            step.verdict,
            step.duration_ms as f64 / 1e3,
            plain(&step.detail, 300)
        );
    }
    text
}

/// A failed check: what was expected, what came, and when.
fn evidence(check: &Check) -> String {
    let mut text = format!(
        "\n#### {}: {}\n\n{}, {}\n\n",
        plain(&check.name, 100),
        plain(&check.reason, 300),
        plain(&check.target, 300),
        count(check.attempts as usize, "attempt")
    );
    for finding in check.findings.iter().filter(|f| !f.verdict.is_pass()).take(ROWS) {
        text += &format!(
            "- {}: wanted {}, found {}\n",
            plain(&finding.query, 100),
            plain(&finding.expected, 300),
            plain(&finding.actual, 300)
        );
    }
    for stretch in check.timeline.iter().take(ROWS) {
        let (from, to) = (stretch.from_ms as f64 / 1e3, stretch.to_ms as f64 / 1e3);
        let note = plain(&stretch.note, 300);
        text +=
            &format!("- {from:.2}–{to:.2} s, {}: {note}\n", count(stretch.count as usize, "time"));
    }
    if let Some(response) = &check.last_response {
        let status = response.status.map(|status| format!("{status}\n")).unwrap_or_default();
        let headers = response.headers.iter().take(ROWS);
        let headers: String = headers.map(|(k, v)| format!("{k}: {}\n", shorten(v, 200))).collect();
        let answer = format!("{status}{headers}\n{}", shorten(&response.body, ANSWER));
        text += &format!("\n{}\n", quoted(&answer));
    }
    text
}

/// A text that only grows as long as all of it, with the note of what is missing, fits.
struct Bounded {
    text: String,
    left_out: usize,
}

impl Bounded {
    /// Adds a piece whole, or leaves it out whole: half a piece might be half a code block.
    fn add(&mut self, piece: &str) {
        if self.text.len() + piece.len() + NOTE <= BODY {
            self.text += piece;
        } else {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let parts = count(self.left_out, "part");
            self.text += &format!(
                "\n*{parts} did not fit into an issue and can be found in the report of the run.*\n"
            );
        }
        self.text
    }
}

/// Text from outside, in a line of ours: it means nothing but itself.
fn plain(text: &str, limit: usize) -> String {
    let visible: String = text.chars().filter(|c| !is_steering(*c)).collect();
    let text = escape(&shorten(visible.trim(), limit));
    // Addresses would become links, and an address of an issue a reference to it.
    let text = text.replace("://", ":\u{2060}//").replace("www.", "www\u{2060}.");
    unreferenced(&text)
}

/// `GH-12` refers to an issue as `#12` does.
fn unreferenced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    for (at, c) in text.char_indices() {
        out.push(c);
        let is_reference = c == '-' && at >= 2 && bytes[at - 2..at].eq_ignore_ascii_case(b"gh");
        if is_reference {
            out.push('\u{2060}');
        }
    }
    out
}

/// A link where the address is one and harmless, else the text.
fn link(text: &str, address: &str) -> String {
    let web = address.starts_with("https://") || address.starts_with("http://");
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&*+,;=%".contains(c);
    // A dash before our `>` could end a comment.
    let ends_well = !address.ends_with('-');
    if web && ends_well && address.len() <= 500 && address.chars().all(harmless) {
        format!("[{}](<{address}>)", plain(text, FIELD))
    } else {
        plain(address, FIELD)
    }
}

/// A code block that no comment ends in.
fn quoted(text: &str) -> String {
    // First all that is not seen goes: it could stand between the parts of what is looked for.
    let seen = |c: &char| !is_steering(*c) && (!c.is_control() || *c == '\n');
    let text: String = text.chars().filter(seen).collect();
    fenced(&text.replace("<!--", "<\u{2060}!--").replace("-->", "--\u{2060}>"))
}
