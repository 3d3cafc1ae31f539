//! What is in which slot, and until when an old release is kept there. Where a platform can tell
//! what runs, it is asked instead; this remembers what cannot be asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::state::{Scope, State};
use crate::decide::history::Release;
use crate::decide::plan::Slot;
use crate::host::{clock, files};

/// A release in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupant {
    /// The release.
    pub release: Release,
    /// Until when it is kept, in milliseconds since 1970; none while it serves, or nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// What is in the slots, by name.
pub type Occupants = BTreeMap<String, Occupant>;

/// The file that remembers it.
pub fn file(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join("slots.json")
}

/// Reads it; a file that is not there says nothing of any slot.
///
/// # Errors
/// When it is there and cannot be read or understood.
pub fn read(scope: &Scope, state: &State) -> Result<Occupants, String> {
    let file = file(scope, state);
    if !files::exists(&file) {
        return Ok(Occupants::new());
    }
    let wrong = |why: String| format!("cannot read {}: {why}", file.display());
    let text = files::read_text(&file).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// Notes that a release is in a slot.
///
/// # Errors
/// When that cannot be kept.
pub fn placed(scope: &Scope, state: &State, slot: &Slot, release: &Release) -> Result<(), String> {
    let occupant = Occupant { release: release.clone(), until_ms: None };
    change(scope, state, |all| {
        all.insert(slot.name.clone(), occupant);
    })
}

/// Notes that nothing is in a slot.
///
/// # Errors
/// When that cannot be kept.
pub fn cleared(scope: &Scope, state: &State, slot: &Slot) -> Result<(), String> {
    change(scope, state, |all| {
        all.remove(&slot.name);
    })
}

/// Notes for how long the release in a slot is kept; gives that in words.
///
/// # Errors
/// When that cannot be kept.
pub fn keep(
    scope: &Scope,
    state: &State,
    slot: &Slot,
    release: &Release,
    length: Duration,
) -> Result<String, String> {
    let until_ms = clock::unix_ms().saturating_add(length.as_millis() as u64);
    let occupant = Occupant { release: release.clone(), until_ms: Some(until_ms) };
    change(scope, state, |all| {
        all.insert(slot.name.clone(), occupant);
    })?;
    let until = clock::rfc3339(UNIX_EPOCH + Duration::from_millis(until_ms));
    Ok(format!("{} is kept in {} until {until}", release.version, slot.name))
}

/// Notes that what is in a slot serves, so that its time is never over. What is not known to be there
/// is not noted.
///
/// # Errors
/// When that cannot be kept.
pub fn serves(scope: &Scope, state: &State, slot: &Slot) -> Result<(), String> {
    change(scope, state, |all| {
        all.entry(slot.name.clone()).and_modify(|there| there.until_ms = None);
    })
}

/// The slots whose time is over.
///
/// # Errors
/// When it cannot be read.
pub fn expired(scope: &Scope, state: &State) -> Result<Vec<(String, Release)>, String> {
    let now = clock::unix_ms();
    let all = read(scope, state)?.into_iter();
    let over = all.filter(|(_, occupant)| occupant.until_ms.is_some_and(|until| until <= now));
    Ok(over.map(|(name, occupant)| (name, occupant.release)).collect())
}

fn change(scope: &Scope, state: &State, change: impl FnOnce(&mut Occupants)) -> Result<(), String> {
    // Damage here must not keep a deployment from its end: platforms are asked first anyway.
    let before = read(scope, state).unwrap_or_default();
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(());
    }
    let file = file(scope, state);
    let write = |why: String| format!("cannot write {}: {why}", file.display());
    let text = serde_json::to_string_pretty(&after).map_err(|error| write(error.to_string()))?;
    files::replace(&file, (text + "\n").as_bytes()).map_err(|error| write(error.to_string()))
}
