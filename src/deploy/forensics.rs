//! Keeps what is known of a failed release before its traces are gone: its state, what it wrote,
//! the configuration, who deployed it and why it is taken back.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Scope;
use crate::commands::Session;
use crate::decide::capture::Capture;
use crate::decide::naming::Name;
use crate::decide::recent::recent;
use crate::host::{clock, files, system};
use crate::platforms::Platform;

/// How far back logs are kept.
const LOGS: Duration = Duration::from_secs(5 * 60);
/// Bytes of a log that are kept: the last ones.
const MOST: u64 = 1 << 20;
/// Folders that are kept: the newest ones.
const KEPT: usize = 20;
/// The longest part of a file name that comes from outside.
const LONGEST: usize = 64;

/// What is kept of a failed release.
pub struct Evidence<'a> {
    /// Where it was deployed.
    pub scope: &'a Scope,
    /// The release that failed.
    pub failed_version: &'a str,
    /// The one that comes back.
    pub target_version: Option<&'a str>,
    /// Why it is taken back.
    pub rollback_reason: &'a str,
    /// The deployment's id.
    pub deployment: &'a str,
    /// When the deployment began: RFC 3339 in UTC.
    pub started: &'a str,
    /// Who or what asked for it.
    pub by: Option<&'a str>,
    /// What production is like with it.
    pub state: Option<&'a Capture>,
    /// The configuration as it was written.
    pub config: &'a str,
    /// Where it runs, or ran.
    pub places: Vec<Trace<'a>>,
    /// The journal of the run.
    pub journal: Option<&'a Path>,
}

/// A component of the failed release, in its place.
pub struct Trace<'a> {
    /// The component.
    pub component: &'a str,
    /// The slot.
    pub slot: Option<&'a str>,
    /// What started it.
    pub platform: &'a dyn Platform,
}

/// What was kept.
#[derive(Debug)]
pub struct Kept {
    /// The folder.
    pub folder: PathBuf,
    /// What could not be kept, and why, in a line each.
    pub missing: Vec<String>,
}

/// What `metadata.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    failed_version: String,
    target_version: Option<String>,
    rollback_reason: String,
    deployment: String,
    environment: String,
    service: String,
    host: String,
    started: String,
    captured_at: String,
    by: Option<String>,
    files: Vec<String>,
    missing: Vec<String>,
}

/// Keeps the evidence in a new folder `<failed-version>-<time>` below `root`, and no more than the
/// newest twenty of them. What cannot be kept is told, and the rest is kept even so.
///
/// # Errors
/// When nothing can be kept. That is no reason not to go on with a rollback.
pub fn take(session: &Session, root: &Path, evidence: &Evidence<'_>) -> io::Result<Kept> {
    let now = clock::wall();
    let folder = new_folder(root, evidence.failed_version, now);
    let mut keeper = Keeper { session, folder, files: Vec::new(), missing: Vec::new() };
    // First without its lists, so that whatever else happens it is known what this is about.
    keeper.write("metadata.json", &metadata(evidence, now, &keeper)?)?;
    keeper.keep("state.json", || match evidence.state {
        Some(state) => Ok(Some(json(state)?)),
        None => Ok(None),
    });
    keeper.keep("config/waveoff.yml", || Ok(Some(session.masked(evidence.config))));
    for trace in &evidence.places {
        let file = keeper.unused(trace);
        keeper.keep(&file, || log(session, evidence.failed_version, trace, now).map(Some));
    }
    keeper.keep("journal.jsonl", || match evidence.journal {
        Some(journal) if files::exists(journal) => {
            Ok(Some(masked_lines(session, &String::from_utf8_lossy(&files::read(journal)?))))
        }
        _ => Ok(None),
    });
    if let Err(error) = clear_out(root, &keeper.folder) {
        keeper.missing.push(format!("older folders were not removed: {error}"));
    }
    let done =
        metadata(evidence, now, &keeper).and_then(|text| keeper.write("metadata.json", &text));
    if let Err(error) = done {
        keeper.missing.push(format!("metadata.json is not complete: {error}"));
    }
    Ok(Kept { folder: keeper.folder, missing: keeper.missing })
}

/// Writes one file after the other, and goes on when one of them cannot be written.
struct Keeper<'a> {
    session: &'a Session,
    folder: PathBuf,
    files: Vec<String>,
    missing: Vec<String>,
}

impl Keeper<'_> {
    /// Keeps what there is; the text is masked already.
    fn keep(&mut self, name: &str, text: impl FnOnce() -> io::Result<Option<String>>) {
        let written = text().and_then(|text| match text {
            Some(text) => self.write(name, &text).map(|()| true),
            None => Ok(false),
        });
        match written {
            Ok(true) => self.files.push(name.into()),
            Ok(false) => {}
            Err(error) => self.missing.push(self.session.masked(&format!("{name}: {error}"))),
        }
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        files::replace(self.folder.join(name), text.as_bytes())
    }

    /// A name of its own for a log.
    fn unused(&self, trace: &Trace<'_>) -> String {
        let slot = trace.slot.map(|slot| format!("-{}", word(slot))).unwrap_or_default();
        let stem = format!("logs/{}{slot}", word(trace.component));
        let mut file = format!("{stem}.log");
        let mut number = 2;
        while self.files.contains(&file) {
            file = format!("{stem}-{number}.log");
            number += 1;
        }
        file
    }
}

fn metadata(evidence: &Evidence<'_>, now: SystemTime, keeper: &Keeper<'_>) -> io::Result<String> {
    let masked = |text: &str| keeper.session.masked(&recent(text, now, LOGS));
    json(&Metadata {
        failed_version: masked(evidence.failed_version),
        target_version: evidence.target_version.map(masked),
        rollback_reason: masked(evidence.rollback_reason),
        deployment: evidence.deployment.into(),
        environment: evidence.scope.environment.to_string(),
        service: evidence.scope.service.to_string(),
        host: system::host_name(),
        started: evidence.started.into(),
        captured_at: clock::rfc3339(now),
        by: evidence.by.map(masked),
        files: keeper.files.clone(),
        missing: keeper.missing.clone(),
    })
}

fn json(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// What a component wrote lately. Half a line could be half a secret, which no mask knows, so a
/// log is cut between lines.
fn log(session: &Session, version: &str, trace: &Trace<'_>, now: SystemTime) -> io::Result<String> {
    let log = trace.platform.log(version, MOST)?;
    let mut text = log.text.as_str();
    if log.is_cut {
        text = text.split_once('\n').map_or("", |(_, rest)| rest);
    }
    let recent = session.masked(&recent(text, now, LOGS));
    let cut = if log.is_cut { "[the log is longer: its beginning is left out]\n" } else { "" };
    Ok(format!("{cut}{recent}"))
}

/// Lines of JSON with every text in them masked: a secret may be written with escapes.
fn masked_lines(session: &Session, text: &str) -> String {
    let lines = text.lines().map(|line| match serde_json::from_str::<Value>(line) {
        Ok(mut value) => {
            mask(session, &mut value);
            format!("{value}\n")
        }
        Err(_) => format!("{}\n", session.masked(line)),
    });
    lines.collect()
}

fn mask(session: &Session, value: &mut Value) {
    match value {
        Value::String(text) => *text = session.masked(text),
        Value::Array(list) => list.iter_mut().for_each(|value| mask(session, value)),
        Value::Object(object) => object.values_mut().for_each(|value| mask(session, value)),
        _ => {}
    }
}

/// A part of a file name, whatever it comes from: what does not belong in a [`Name`] becomes `_`.
/// A colon, which a version may have, is among that: no artifact may have one in its name.
fn word(text: &str) -> String {
    let harmless = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let word: String = text.chars().map(harmless).take(LONGEST - 1).collect();
    let word = if word.starts_with(['.', '-']) { format!("_{word}") } else { word };
    word.parse::<Name>().map_or("unnamed".into(), |name| name.to_string())
}

/// A folder that is not there yet.
fn new_folder(root: &Path, version: &str, now: SystemTime) -> PathBuf {
    let named = |time| root.join(format!("{}-{}", word(version), stamp(time)));
    let mut time = now;
    while files::exists(named(time)) {
        time += Duration::from_millis(1);
    }
    named(time)
}

/// `20251211T103000123Z`: sorted as text, sorted by time.
fn stamp(time: SystemTime) -> String {
    clock::rfc3339(time).replace(['-', ':', '.'], "")
}

/// When a folder of ours was made, by its name; none for what somebody else put there.
fn made(name: &str) -> Option<&str> {
    let (_, stamp) = name.rsplit_once('-')?;
    let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (date.len() == 8 && time.len() == 9 && digits(date) && digits(time)).then_some(stamp)
}

/// Removes all but the newest folders, and never the one that was just made.
fn clear_out(root: &Path, newest: &Path) -> io::Result<()> {
    let names = files::names(root)?;
    let mut ours: Vec<_> = names.iter().filter_map(|name| Some((made(name)?, name))).collect();
    ours.retain(|(_, name)| root.join(name) != newest);
    ours.sort();
    let surplus = (ours.len() + 1).saturating_sub(KEPT);
    ours.iter().take(surplus).try_for_each(|(_, name)| files::remove_folder(root.join(name)))
}

#[cfg(test)]
#[path = "forensics_tests.rs"]
mod tests;
