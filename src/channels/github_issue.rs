//! An issue in the repository: one for each incident, found again by a line of its body.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Channel, Context, Told};
use crate::decide::incident::{Incident, Recovery, Wording};
use crate::decide::incident_text;
use crate::exit::Fault;
use crate::host::github::{Change, Github, Issue, NewIssue, State, Trouble};

/// What the token needs.
const PERMISSION: &str = "issues: write";
/// Issues that nobody has touched since this long before the incident are not read: GitHub lets a
/// run be repeated for 30 days.
const LOOK_BACK: Duration = Duration::from_secs(60 * 24 * 3600);

/// An issue.
#[derive(Debug)]
pub(super) struct GithubIssue;

impl Channel for GithubIssue {
    fn name(&self) -> &'static str {
        "github-issue"
    }

    fn tell(&self, incident: &Incident, context: &Context) -> anyhow::Result<Told> {
        let github = open(context)?;
        Ok(tell(&github, incident, &context.wording).map_err(fault)?)
    }

    fn resolve(&self, recovery: &Recovery, context: &Context) -> anyhow::Result<Told> {
        let github = open(context)?;
        Ok(resolve(&github, recovery).map_err(fault)?.unwrap_or_else(Told::nothing))
    }

    fn preview(&self, incident: &Incident, context: &Context) -> anyhow::Result<String> {
        let access = context.github.as_ref();
        let base = access.map(|access| format!("{}/repos/{}", access.api, access.repository));
        let address = base.unwrap_or_else(|| "(no token)".into());
        let payload = new_issue(incident, &context.wording).payload();
        let shown =
            json!({ "method": "POST", "url": format!("{address}/issues"), "body": payload });
        Ok(serde_json::to_string_pretty(&shown)?)
    }
}

fn open(context: &Context) -> anyhow::Result<Github> {
    let access = context.github.as_ref().ok_or_else(|| {
        Fault::usage("there is no GitHub token, or no repository for it")
            .hint("set GITHUB_REPOSITORY and GITHUB_TOKEN, or give --token; in a workflow: ${{ github.token }}")
    })?;
    Github::open(access, context.within, &context.cancel)
}

fn fault(trouble: Trouble) -> Fault {
    match trouble.status() {
        Some(410) => Fault::error("issues are disabled in this repository")
            .hint("turn them on in its settings, or tell through another channel"),
        _ => trouble.fault("tell by a GitHub issue", PERMISSION),
    }
}

fn new_issue(incident: &Incident, wording: &Wording) -> NewIssue {
    NewIssue {
        title: incident.title(),
        body: incident_text::body(incident, wording),
        labels: incident.labels(wording),
    }
}

fn tell(github: &Github, incident: &Incident, wording: &Wording) -> Result<Told, Trouble> {
    let since = since(&incident.when);
    let known = github.issues_with(&incident.marker(), since.as_deref())?;
    if let Some(first) = known.into_iter().next() {
        return tell_again(github, &first, incident);
    }
    let new = new_issue(incident, wording);
    let made = github.create_issue(&new, &incident.marker(), since.as_deref())?;
    let kept = keep_first(github, &made, incident, since.as_deref())?;
    let dropped: Vec<&str> = new
        .labels
        .iter()
        .filter(|label| !made.labels.iter().any(|kept| kept.name.eq_ignore_ascii_case(label)))
        .map(String::as_str)
        .collect();
    let note =
        (!dropped.is_empty()).then(|| format!("GitHub left out the labels {}", dropped.join(", ")));
    Ok(Told { was_known: kept.number != made.number, note, ..told(&kept) })
}

/// Nothing is added to an issue that says it all already.
fn tell_again(github: &Github, issue: &Issue, incident: &Incident) -> Result<Told, Trouble> {
    let facts = incident.facts();
    let says_so = issue.has_line(&facts)
        || github.comments(issue.number)?.iter().any(|comment| comment.has_line(&facts));
    if !says_so {
        github.create_comment(issue.number, &incident_text::changed(incident), &facts)?;
        if issue.state == State::Closed {
            github.change_issue(issue.number, Change::Reopen)?;
        }
    }
    Ok(told(issue))
}

/// Two who told at the same moment made two issues: both see both, and keep the first. Only what
/// the same author wrote is closed, so that nobody's quotation of an incident is.
fn keep_first(
    github: &Github,
    made: &Issue,
    incident: &Incident,
    since: Option<&str>,
) -> Result<Issue, Trouble> {
    let mut all = github.issues_with(&incident.marker(), since)?;
    all.retain(|issue| issue.user == made.user);
    let Some(first) = all.first().cloned() else { return Ok(made.clone()) };
    for later in all.iter().skip(1).filter(|issue| issue.state == State::Open) {
        if later.number == made.number {
            let line = "<!-- waveoff-duplicate -->";
            let text = format!("{line}\n\nThe same incident as #{}.", first.number);
            github.create_comment(later.number, &text, line)?;
        }
        github.change_issue(later.number, Change::Duplicate)?;
    }
    Ok(first)
}

fn resolve(github: &Github, recovery: &Recovery) -> Result<Option<Told>, Trouble> {
    let known = github.issues_with(&recovery.marker(), None)?;
    let Some(issue) = known.into_iter().next() else { return Ok(None) };
    if issue.state == State::Open {
        let (text, line) = incident_text::recovered(recovery);
        if !github.comments(issue.number)?.iter().any(|comment| comment.has_line(&line)) {
            github.create_comment(issue.number, &text, &line)?;
        }
        github.change_issue(issue.number, Change::Complete)?;
        return Ok(Some(Told { was_known: false, ..told(&issue) }));
    }
    Ok(Some(told(&issue)))
}

fn told(issue: &Issue) -> Told {
    Told {
        location: issue.html_url.clone(),
        number: Some(issue.number),
        was_known: true,
        note: None,
    }
}

/// From when on issues are read; from the beginning when it is not known when the incident was.
fn since(when: &str) -> Option<String> {
    let when: SystemTime = humantime::parse_rfc3339_weak(when).ok()?;
    let since = when.checked_sub(LOOK_BACK)?;
    Some(humantime::format_rfc3339_seconds(since).to_string())
}
