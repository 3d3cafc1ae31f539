//! What a host keeps of a deployment over several hosts: that it is not known yet to be over
//! everywhere.

use std::path::PathBuf;

use super::state::{Scope, State};
use crate::decide::fleet::Mark;
use crate::host::files;

fn file(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join("fleet.json")
}

/// The deployment that is not known to be over everywhere, if there is one.
///
/// # Errors
/// When that cannot be read: it is not taken for none.
pub fn open(scope: &Scope, state: &State) -> Result<Option<Mark>, String> {
    let file = file(scope, state);
    let wrong = |why: String| format!("cannot read {}: {why}", file.display());
    match files::read_text(&file) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| wrong(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Notes that one begins. What it began with stays when it is begun again.
///
/// # Errors
/// When another one is open, or it cannot be written.
pub fn begin(scope: &Scope, state: &State, mark: &Mark) -> Result<(), String> {
    match open(scope, state)? {
        Some(known) if known.id == mark.id => return Ok(()),
        Some(known) => {
            return Err(format!(
                "the deployment of {} on {} is not over everywhere",
                known.version,
                known.hosts.join(", ")
            ));
        }
        None => {}
    }
    let text = serde_json::to_string(mark).map_err(|error| error.to_string())?;
    let file = file(scope, state);
    files::replace(&file, (text + "\n").as_bytes())
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// Notes that one is over everywhere.
///
/// # Errors
/// When that cannot be written.
pub fn end(scope: &Scope, state: &State, id: &str) -> Result<(), String> {
    if open(scope, state)?.is_some_and(|mark| mark.id == id) {
        let file = file(scope, state);
        files::remove(&file)
            .map_err(|error| format!("cannot remove {}: {error}", file.display()))?;
    }
    Ok(())
}
