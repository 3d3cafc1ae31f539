//! The marker of a rollback that failed: a file in the state folder that stays until a release is
//! verified again, for people, monitoring and whoever deploys next.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::state::{Scope, State};
use crate::host::files;

/// The name of the file in the folder of a service in an environment.
const NAME: &str = "critical-incident";
/// The version of its format.
const FORMAT: u32 = 1;

/// A rollback that failed. Nobody knows what serves until a person has looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Critical {
    /// The version of this format.
    pub format: u32,
    /// When: RFC 3339 in UTC.
    pub when: String,
    /// The deployment's id in the ledger.
    pub deployment: String,
    /// The version that failed.
    pub failed_version: String,
    /// The version that should have come back; none where there was none.
    pub target: Option<String>,
    /// Why it was to come back.
    pub reason: String,
    /// Why that failed.
    pub rollback_reason: String,
    /// The run.
    pub run: String,
    /// Where there is more to read: the run's journal and output, logs.
    pub forensics: Vec<String>,
    /// What to do.
    pub what_to_do: String,
}

impl std::fmt::Display for Critical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { failed_version, rollback_reason, when, .. } = self;
        let target = self.target.as_deref().unwrap_or("what ran before");
        write!(f, "{failed_version} failed, and so did the rollback to {target}")?;
        write!(f, ", at {when}: {rollback_reason}")
    }
}

fn file(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join(NAME)
}

/// The marker, when there is one.
///
/// # Errors
/// When it is there and cannot be read or understood: somebody is needed all the same.
pub fn read(scope: &Scope, state: &State) -> Result<Option<Critical>, String> {
    let file = file(scope, state);
    if !files::exists(&file) {
        return Ok(None);
    }
    let wrong = |why: String| format!("cannot read {}: {why}", file.display());
    let text = files::read_text(&file).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map(Some).map_err(|error| wrong(error.to_string()))
}

/// Marks it. The same deployment is marked once: whoever finishes its story for another changes
/// nothing.
///
/// # Errors
/// When that cannot be kept.
pub fn mark(scope: &Scope, state: &State, critical: Critical) -> Result<(), String> {
    // Damage must not keep it from being told.
    if read(scope, state).ok().flatten().is_some_and(|known| known.is_of(&critical)) {
        return Ok(());
    }
    let file = file(scope, state);
    let wrong = |why: String| format!("cannot write {}: {why}", file.display());
    let critical = Critical { format: FORMAT, ..critical };
    let text = serde_json::to_string_pretty(&critical).map_err(|error| wrong(error.to_string()))?;
    files::replace(&file, (text + "\n").as_bytes()).map_err(|error| wrong(error.to_string()))
}

/// Takes the marker away, since a release is verified again; tells whether there was one.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn clear(scope: &Scope, state: &State) -> Result<bool, String> {
    let file = file(scope, state);
    let was = files::exists(&file);
    files::remove(&file).map_err(|error| format!("cannot remove {}: {error}", file.display()))?;
    Ok(was)
}

impl Critical {
    /// Whether both are of the same try to go back.
    fn is_of(&self, other: &Self) -> bool {
        let of =
            |one: &Self| (one.deployment.clone(), one.run.clone(), one.rollback_reason.clone());
        of(self) == of(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_a_rollback_that_failed_is_marked_once_until_it_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let (scope, state) = (Scope::new("shop", "production").unwrap(), State::at(folder.path()));
        assert_eq!(read(&scope, &state), Ok(None));
        assert_eq!(clear(&scope, &state), Ok(false));
        let first = Critical {
            when: "2026-11-21T01:00:00Z".into(),
            deployment: "d-1".into(),
            failed_version: "v2".into(),
            target: Some("v1".into()),
            rollback_reason: "v1 does not answer".into(),
            run: "r-1".into(),
            ..Critical::default()
        };
        mark(&scope, &state, first.clone()).unwrap();
        let later = Critical { when: "2026-11-21T02:00:00Z".into(), ..first.clone() };
        mark(&scope, &state, later.clone()).unwrap();
        let found = read(&scope, &state).unwrap().unwrap();
        assert_eq!((found.format, &found.when), (1, &first.when), "it was told already");
        // Another try by hand is news.
        mark(&scope, &state, Critical { run: "r-2".into(), ..later.clone() }).unwrap();
        assert_eq!(read(&scope, &state).unwrap().unwrap().when, later.when);
        assert_eq!(clear(&scope, &state), Ok(true));
        assert_eq!(read(&scope, &state), Ok(None));
        files::replace(file(&scope, &state), b"{").unwrap();
        assert!(read(&scope, &state).unwrap_err().contains("critical-incident"));
        mark(&scope, &state, first).unwrap();
        assert!(read(&scope, &state).unwrap().is_some(), "damage hides nothing");
    }
}
