//! Where files are that came with a call: a folder for each content, kept as long as a run that used
//! it.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::pack::{self, Pack};
use crate::deploy::{Scope, State, runs};
use crate::exit::Fault;
use crate::host::{files, tree};

/// The name of a folder that is not whole yet begins so.
const UNFINISHED: &str = ".new-";
/// What was used so lately may belong to a run that has not begun yet.
const RECENT: Duration = Duration::from_secs(3600);

/// The folder of all uploads of a service in an environment.
pub(crate) fn folder(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join("uploads")
}

/// The folder with that content, when it is there and nobody has changed what was sent.
pub(super) fn find(all: &Path, digest: &str) -> Option<PathBuf> {
    let folder = all.join(digest);
    let text = files::read_text(list(all, digest)).ok()?;
    let names: Vec<String> = serde_json::from_str(&text).ok()?;
    let found = Pack::listed(&folder, &names).digest().ok()?;
    if found.0 != digest {
        return None;
    }
    tree::touch(&folder).unwrap_or_default();
    Some(folder)
}

/// What was sent, beside the folder: a release may write into its own.
fn list(all: &Path, digest: &str) -> PathBuf {
    all.join(format!("{digest}.json"))
}

/// Takes files, and gives the folder where they are.
///
/// # Errors
/// When they are not what the digest says, or cannot be kept.
pub(super) fn take(all: &Path, digest: &str, from: impl Read) -> anyhow::Result<PathBuf> {
    let wrong = |error: io::Error| {
        Fault::error(format!("the files cannot be kept in {}: {error}", all.display()))
            .hint("is the state folder writable, and is there space left?")
    };
    let new = tree::make_in(all, UNFINISHED).map_err(wrong)?;
    let taken = pack::unpack(from, &new);
    let kept = taken.and_then(|found| match found == digest {
        true => keep(all, digest, &new),
        false => Err(io::Error::other("they did not arrive whole, or changed on the way")),
    });
    if kept.is_err() {
        files::remove_folder(&new).unwrap_or_default();
    }
    Ok(kept.map_err(wrong)?)
}

fn keep(all: &Path, digest: &str, new: &Path) -> io::Result<PathBuf> {
    let names = Pack::names_of(new)?;
    let text = serde_json::to_vec(&names).map_err(io::Error::other)?;
    let folder = all.join(digest);
    if files::exists(&folder) {
        if find(all, digest).is_some() {
            // Another caller sent the same at the same time.
            files::remove_folder(new)?;
            return Ok(folder);
        }
        // Somebody changed it. A run that is in it goes on in what it has open.
        let old = tree::make_in(all, UNFINISHED)?;
        tree::rename(&folder, &old.join("old"))?;
        files::remove_folder(old)?;
    }
    files::replace_private(list(all, digest), &text)?;
    tree::rename(new, &folder)?;
    Ok(folder)
}

/// Removes what no run is about any more.
pub(crate) fn prune(scope: &Scope, state: &State) {
    #[derive(Deserialize)]
    struct Where {
        folder: PathBuf,
    }
    let all = folder(scope, state);
    let Ok(names) = files::names(&all) else { return };
    if names.is_empty() {
        return;
    }
    let Ok(runs) = runs::all(scope, state) else { return };
    let used: BTreeSet<String> = runs
        .iter()
        .filter_map(|run| files::read_text(run.commission()).ok())
        .filter_map(|text| serde_json::from_str::<Where>(&text).ok())
        .filter_map(|at| Some(at.folder.file_name()?.to_str()?.to_owned()))
        .collect();
    for name in names {
        let digest = name.strip_suffix(".json").unwrap_or(&name);
        let path = all.join(&name);
        if used.contains(digest) || tree::age(&path).is_none_or(|age| age < RECENT) {
            continue;
        }
        let removed =
            if path.is_dir() { files::remove_folder(&path) } else { files::remove(&path) };
        // It is tried again by the next run.
        removed.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_what_was_sent_is_found_until_somebody_changes_it() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        files::replace(from.path().join("a/b"), b"1").unwrap();
        let pack = Pack::of(from.path(), &["a".to_owned()]).unwrap();
        let digest = pack.digest().unwrap().0;
        let mut bytes = Vec::new();
        pack.write(&mut bytes).unwrap();
        let all = to.path().join("uploads");
        assert_eq!(find(&all, &digest), None);
        let wrong = take(&all, &"0".repeat(64), bytes.as_slice()).unwrap_err().to_string();
        assert!(wrong.contains("did not arrive whole"), "{wrong}");
        assert!(files::names(&all).unwrap().is_empty(), "nothing is left of it");
        let folder = take(&all, &digest, bytes.as_slice()).unwrap();
        assert_eq!(files::read_text(folder.join("a/b")).unwrap(), "1");
        assert_eq!(find(&all, &digest), Some(folder.clone()));
        files::replace(folder.join("own"), b"of the release").unwrap();
        assert_eq!(find(&all, &digest), Some(folder.clone()));
        files::replace(folder.join("a/b"), b"2").unwrap();
        assert_eq!(find(&all, &digest), None);
        assert_eq!(take(&all, &digest, bytes.as_slice()).unwrap(), folder);
        assert_eq!(find(&all, &digest), Some(folder));
        assert_eq!(files::names(&all).unwrap().len(), 2, "nothing else is left");
    }
}
