//! What `status` shows: a line each, aligned, the gravest first.

use std::time::{Duration, UNIX_EPOCH};

use super::super::Session;
use super::super::site::Site;
use super::Seen;
use super::traffic::{Runs, Traffic};
use crate::decide::history::{Deployment, History, Live, Phase, Release};
use crate::decide::progress::Progress;
use crate::decide::words::show_duration;
use crate::deploy::activity::Activity;
use crate::deploy::critical::Critical;
use crate::host::clock;
use crate::platforms::Running;

/// Deployments that are shown.
const SHOWN: usize = 3;
/// Where the texts begin.
const WIDTH: usize = 14;

/// Shows everything.
pub(super) fn show(session: &Session, site: &Site, seen: &Seen) {
    let mut lines = Vec::new();
    if let Some(critical) = &seen.critical {
        incident(&mut lines, critical);
    }
    running(&mut lines, &seen.history, &seen.traffic);
    activity(&mut lines, &seen.activity);
    lines.push(("ledger".into(), site.ledger.describe()));
    for deployment in seen.history.deployments.iter().rev().take(SHOWN) {
        lines.push(("deployment".into(), one(deployment)));
    }
    for (name, text) in lines {
        session.say(format!("{name:<WIDTH$} {text}").trim_end());
    }
    session.say("");
}

type Lines = Vec<(String, String)>;

fn incident(lines: &mut Lines, critical: &Critical) {
    lines.push(("CRITICAL".into(), what(critical)));
    if !critical.reason.is_empty() {
        lines.push((String::new(), format!("it was to go back because: {}", critical.reason)));
    }
    if !critical.run.is_empty() {
        lines.push((String::new(), format!("`waveoff attach --run {}` shows it", critical.run)));
    }
    for place in &critical.forensics {
        lines.push((String::new(), format!("more in {place}")));
    }
    lines.push((String::new(), critical.what_to_do.clone()));
    lines.push((String::new(), String::new()));
}

/// What went wrong with a rollback, in words.
pub(super) fn what(critical: &Critical) -> String {
    // One that could not be read has nothing but why not.
    if critical.failed_version.is_empty() {
        return format!("a rollback failed: {}", critical.rollback_reason);
    }
    critical.to_string()
}

/// The deployment that it is about, as an output that is never empty.
pub(super) fn key(critical: &Critical) -> String {
    if critical.deployment.is_empty() { "unknown".into() } else { critical.deployment.clone() }
}

fn running(lines: &mut Lines, history: &History, traffic: &Traffic) {
    let (live, since) = match history.live() {
        Live::Verified(release, since) => (Some(release.version), Some(since)),
        Live::Nothing | Live::Unknown(_) => (None, None),
    };
    let mut line = |name: &str, text: String| lines.push((name.into(), text));
    line("runs", traffic.version(live).unwrap_or("not known".into()));
    if let Some(since) = since {
        line("since", since);
    }
    let outside = traffic.outside();
    if outside.len() > 1 || traffic.words().is_some() {
        for (name, running) in outside {
            line("component", format!("{name}: {}", word(running)));
        }
    }
    if let Some(words) = traffic.words() {
        line("traffic", words);
    }
    for (name, runs) in traffic.slots() {
        line(&format!("slot {name}"), slot(name, runs, traffic));
    }
    if let Err(why) = &traffic.noted {
        line("slots", format!("how long they are kept is not known: {why}"));
    }
    match history.verified().first() {
        Some(last) => {
            line("last verified", format!("{} at {}", last.release.version, last.changed))
        }
        None => line("last verified", "nothing yet".into()),
    }
}

/// What is in a slot, and until when.
fn slot(name: &str, runs: &[Runs], traffic: &Traffic) -> String {
    let noted = traffic.noted.as_ref().ok().and_then(|noted| noted.get(name));
    let mut text = if runs.iter().all(|(_, running)| *running == Running::Nothing) {
        "empty".to_owned()
    } else if let [(_, running)] = runs {
        match (running, noted) {
            (Running::Unknown, Some(noted)) => format!("{}, as noted", noted.release.version),
            _ => word(running).to_owned(),
        }
    } else {
        let each = runs.iter().map(|(name, running)| format!("{name} {}", word(running)));
        each.collect::<Vec<_>>().join(", ")
    };
    if traffic.active_slot() == Some(name) {
        text += ", has the traffic";
    } else if let Some(until) = noted.and_then(|noted| noted.until_ms) {
        let over = if until <= clock::unix_ms() { "; `waveoff recover` stops it now" } else { "" };
        text += &format!(", kept until {}{over}", time(until));
    }
    text
}

fn word(running: &Running) -> &str {
    match running {
        Running::Version(version) => version,
        Running::Nothing => "nothing",
        Running::Unknown => "not known",
    }
}

fn activity(lines: &mut Lines, activity: &Activity) {
    let mut line = |name: &str, text: String| lines.push((name.into(), text));
    match &activity.owner {
        Ok(None) => line("being changed", "no".into()),
        Ok(Some(owner)) => line("being changed", owner.to_string()),
        Err(why) => line("being changed", format!("not known: {why}")),
    }
    if let Some(open) = &activity.progress {
        let other = match &activity.owner {
            Ok(Some(owner)) if owner.run != open.run => format!("finishes run {}: ", open.run),
            _ => String::new(),
        };
        line("progress", format!("{other}{}", progress(&open.progress)));
    }
    if let (Some(stale), Ok(Some(owner))) = (activity.stale, &activity.owner) {
        let (age, deadline) = (show_duration(stale.age), show_duration(stale.deadline));
        let run = &owner.run;
        line(
            "stale",
            format!(
                "nothing for {age}, and {deadline} were declared: `waveoff unlock --run {run}`"
            ),
        );
    }
    match &activity.queue {
        Ok(queue) => {
            for (place, waiter) in queue.iter().enumerate() {
                let name = if place == 0 { "in line" } else { "" };
                line(name, format!("{}. {waiter}", place + 1));
            }
        }
        Err(why) => line("in line", format!("not known: {why}")),
    }
    for open in &activity.interrupted {
        let text = format!("run {}, at {}: `waveoff recover`", open.run, progress(&open.progress));
        line("interrupted", text);
    }
    for why in &activity.damaged {
        line("damaged", why.clone());
    }
}

fn progress(progress: &Progress) -> String {
    let Progress { doing, since_ms, .. } = progress;
    let age = Duration::from_millis(clock::unix_ms().saturating_sub(*since_ms));
    let (since, age) = (time(*since_ms), show_duration(age));
    format!("`{doing}` since {since} ({age}); {}", progress.share())
}

fn time(ms: u64) -> String {
    clock::rfc3339(UNIX_EPOCH + Duration::from_millis(ms))
}

fn one(deployment: &Deployment) -> String {
    let (at, version) = (&deployment.started, &deployment.release.version);
    if deployment.phase == Phase::RolledBack {
        let back = |(to, why): &(Release, String)| format!("to {}: {why}", to.version);
        let all: Vec<String> = deployment.brought_back.iter().map(back).collect();
        return format!("{at}  {version}  {} {}", phase(deployment.phase), all.join("; then "));
    }
    let why = deployment.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let to = match (&deployment.phase, &deployment.rolled_back_to) {
        (Phase::RollbackFailed, Some(to)) => format!(" to {}", to.version),
        _ => String::new(),
    };
    format!("{at}  {version}  {}{to}{why}", phase(deployment.phase))
}

/// How far a deployment got, in words.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Started => "was begun and touched nothing",
        Phase::Mutating => "was begun and not ended",
        Phase::Verified => "was verified",
        Phase::Failed => "failed",
        Phase::RolledBack => "was rolled back",
        Phase::RollbackFailed => "could not be rolled back",
    }
}
