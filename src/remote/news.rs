//! What is to be told of a run, kept in its folder until somebody with the credentials has told it.

use std::path::Path;

use super::words::News;
use crate::deploy::runs::{self, Run};
use crate::deploy::{Scope, State};
use crate::host::{files, lock};

const FILE: &str = "news.json";
/// Held by whoever is telling it.
const TELLING: &str = "telling";

/// Leaves it in the folder of a run.
///
/// # Errors
/// Why it could not be kept, in one line.
pub fn leave(run: &Path, news: &News) -> Result<(), String> {
    if *news == News::default() {
        return Ok(());
    }
    let wrong = |why: String| format!("what the caller is to tell could not be kept: {why}");
    let text = serde_json::to_vec(news).map_err(|error| wrong(error.to_string()))?;
    files::replace_private(run.join(FILE), &text).map_err(|error| wrong(error.to_string()))
}

/// What nobody has told yet, of all runs that are over, with the right to tell it.
pub(super) fn untold(scope: &Scope, state: &State) -> Vec<(Run, News, lock::Held)> {
    let all = runs::all(scope, state).unwrap_or_default();
    all.into_iter().filter_map(of).collect()
}

fn of(run: Run) -> Option<(Run, News, lock::Held)> {
    let file = run.folder.join(FILE);
    if !files::exists(&file) {
        return None;
    }
    // Another caller may be at it.
    let held = lock::try_take(&run.folder.join(TELLING)).ok().flatten()?;
    let news = serde_json::from_str(&files::read_text(file).ok()?).ok()?;
    Some((run, news, held))
}

/// Says that it was told.
pub(super) fn told(run: &Run) {
    // What stays is told again, and known by its key then.
    files::remove(run.folder.join(FILE)).unwrap_or_default();
    files::remove(run.folder.join(TELLING)).unwrap_or_default();
}
