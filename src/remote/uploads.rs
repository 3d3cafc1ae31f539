//! Where files are that came with a call: a folder for each content, kept as long as a run that used
//! it. A release may write into its folder, too: what was not sent is never removed.

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
    let names = listed(all, digest).ok().filter(|_| files::exists(&folder))?;
    let found = Pack::listed(&folder, &names).digest().ok()?;
    if found.0 != digest {
        return None;
    }
    tree::touch(&folder).unwrap_or_default();
    Some(folder)
}

/// The names of what was sent; of what is not known, none.
fn listed(all: &Path, digest: &str) -> io::Result<Vec<String>> {
    match files::read_text(list(all, digest)) {
        Ok(text) => serde_json::from_str(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
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
    let mut names = Pack::names_of(new)?;
    names.sort();
    let text = serde_json::to_vec(&names).map_err(io::Error::other)?;
    let folder = all.join(digest);
    // Whoever finds the folder finds the list, too.
    files::replace_private(list(all, digest), &text)?;
    let Err(error) = tree::rename(new, &folder) else { return Ok(folder) };
    if !files::exists(&folder) {
        return Err(error);
    }
    // Another caller sent the same at the same time; or somebody changed what was sent, and a run
    // that is in there goes on with what it has open.
    if find(all, digest).is_none() {
        tree::put_into(&folder, new, &names)?;
    }
    files::remove_folder(new)?;
    find(all, digest).ok_or_else(|| io::Error::other("somebody changes them at this moment"))
}

/// Removes what no run is about any more, as far as it was sent.
pub(crate) fn prune(scope: &Scope, state: &State) {
    let all = folder(scope, state);
    let Ok(names) = files::names(&all) else { return };
    if names.is_empty() {
        return;
    }
    let Ok(used) = used(scope, state) else { return };
    for unfinished in files::leftovers(&all, &|_| false).unwrap_or_default() {
        if tree::age(&unfinished).is_some_and(|age| age >= RECENT) {
            files::remove(unfinished).unwrap_or_default();
        }
    }
    let contents = names.iter().map(|name| name.strip_suffix(".json").unwrap_or(name));
    let contents: BTreeSet<&str> = contents.collect();
    for name in contents.into_iter().filter(|name| !used.contains(*name)) {
        let ages = [all.join(name), list(&all, name)];
        let age = ages.iter().filter_map(|path| tree::age(path)).min();
        if age.is_some_and(|age| age >= RECENT) {
            // It is tried again by the next run.
            remove(&all, name).unwrap_or_default();
        }
    }
}

/// The names of the folders that runs are about.
fn used(scope: &Scope, state: &State) -> anyhow::Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Where {
        folder: PathBuf,
    }
    let mut used = BTreeSet::new();
    for run in runs::all(scope, state)? {
        let text = match files::read_text(run.commission()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            text => text?,
        };
        let at: Where = serde_json::from_str(&text)?;
        used.extend(at.folder.file_name().and_then(|name| name.to_str()).map(str::to_owned));
    }
    Ok(used)
}

fn remove(all: &Path, name: &str) -> io::Result<()> {
    let folder = all.join(name);
    if name.starts_with(UNFINISHED) {
        // Nobody has ever been in there.
        return files::remove_folder(folder);
    }
    tree::remove_of(&folder, &listed(all, name)?)?;
    files::remove(list(all, name))
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

    /// Files that are sent, and what is kept for them.
    fn sent(all: &Path) -> (String, Vec<u8>) {
        let from = tempfile::tempdir().unwrap();
        for (name, text) in [("a/b", "1"), ("a/c/d", "2"), ("ship.sh", "3")] {
            files::replace(from.path().join(name), text.as_bytes()).unwrap();
        }
        let pack = Pack::of(from.path(), &["a".to_owned(), "ship.sh".to_owned()]).unwrap();
        let mut bytes = Vec::new();
        pack.write(&mut bytes).unwrap();
        let digest = pack.digest().unwrap().0;
        take(all, &digest, bytes.as_slice()).unwrap();
        (digest, bytes)
    }

    fn read(path: PathBuf) -> String {
        files::read_text(path).unwrap()
    }

    #[test]
    fn d11_what_was_changed_is_put_back_and_what_a_release_wrote_stays() {
        let to = tempfile::tempdir().unwrap();
        let (digest, bytes) = sent(to.path());
        let folder = to.path().join(&digest);
        for own in ["own", "a/own", "a/c/own", "data/own"] {
            files::replace(folder.join(own), b"of the release").unwrap();
        }
        files::replace(folder.join("a/b"), b"changed").unwrap();
        files::remove(folder.join("ship.sh")).unwrap();
        files::remove_folder(folder.join("a/c")).unwrap();
        assert_eq!(take(to.path(), &digest, bytes.as_slice()).unwrap(), folder);
        assert_eq!((&*read(folder.join("a/b")), &*read(folder.join("ship.sh"))), ("1", "3"));
        assert_eq!(read(folder.join("a/c/d")), "2");
        for own in ["own", "a/own", "data/own"] {
            assert_eq!(read(folder.join(own)), "of the release", "{own}");
        }
        assert_eq!(files::names(to.path()).unwrap().len(), 2, "nothing else is left");
        // What is no file of ours is not written over, neither there nor through a link.
        files::remove_folder(folder.join("a/c")).unwrap();
        let other = tempfile::tempdir().unwrap();
        tree::link(&folder.join("a/c"), other.path()).unwrap();
        let error = take(to.path(), &digest, bytes.as_slice()).unwrap_err().to_string();
        assert!(error.contains("was a folder when it was sent"), "{error}");
        assert!(files::names(other.path()).unwrap().is_empty());
        assert_eq!(read(folder.join("own")), "of the release");
    }

    #[test]
    fn d11_only_what_was_sent_is_removed() {
        let to = tempfile::tempdir().unwrap();
        let (digest, _) = sent(to.path());
        let folder = to.path().join(&digest);
        files::replace(folder.join("a/c/own"), b"of the release").unwrap();
        remove(to.path(), &digest).unwrap();
        assert_eq!(files::names(to.path()).unwrap().len(), 1, "its list is gone");
        assert_eq!(files::names(&folder).unwrap(), ["a"]);
        assert_eq!(files::names(folder.join("a")).unwrap(), ["c"]);
        assert_eq!(read(folder.join("a/c/own")), "of the release");
        // Nothing is known to be ours now.
        remove(to.path(), &digest).unwrap();
        assert_eq!(read(folder.join("a/c/own")), "of the release");
        // With nothing of others, all of it goes.
        files::remove_folder(&folder).unwrap();
        sent(to.path());
        remove(to.path(), &digest).unwrap();
        assert!(files::names(to.path()).unwrap().is_empty());
        // Behind a link is nothing of ours.
        let other = tempfile::tempdir().unwrap();
        files::replace(other.path().join("d"), b"of somebody").unwrap();
        sent(to.path());
        files::remove_folder(folder.join("a/c")).unwrap();
        tree::link(&folder.join("a/c"), other.path()).unwrap();
        remove(to.path(), &digest).unwrap();
        assert_eq!(read(other.path().join("d")), "of somebody");
    }

    #[test]
    fn d11_several_callers_may_send_the_same_at_once() {
        for _ in 0..20 {
            let (to, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (digest, bytes) = sent(other.path());
            let together = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                let one = || {
                    together.wait();
                    take(to.path(), &digest, bytes.as_slice())
                };
                let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
                for one in all {
                    assert_eq!(one.join().unwrap().unwrap(), to.path().join(&digest));
                }
            });
            assert_eq!(files::names(to.path()).unwrap().len(), 2, "nothing else is left");
        }
    }
}
