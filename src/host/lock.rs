//! Locks that die with their owner: the kernel's, on files that say who holds them.
//!
//! A process that ends, however it ends, holds none of them any more; a file alone says nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::Moment;
use super::signals::Cancel;

/// How often a lock that is held only for moments is asked for.
const TICK: Duration = Duration::from_millis(5);
/// The name of a file that is not in its place yet.
const UNFINISHED: &str = ".new";

/// A lock that is held until this is dropped, or the process ends.
#[derive(Debug)]
pub struct Held {
    file: File,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A process that another thread is just starting has all our files until it becomes its
        // program, and would keep the lock for that long.
        let _ = self.file.unlock();
    }
}

/// Takes a lock if it is free. The file and missing folders are made.
///
/// # Errors
/// When the file cannot be made or locked.
pub fn try_take(path: &Path) -> io::Result<Option<Held>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
    if !is_free(file.try_lock())? {
        return Ok(None);
    }
    let held = Held { file, path: path.to_owned() };
    // Between the opening and the locking it may have been replaced by another file.
    Ok(held.is_in_place()?.then_some(held))
}

/// Takes a lock that is only held for moments; none when it did not become free in time.
///
/// # Errors
/// As [`try_take`].
pub fn take_within(path: &Path, limit: Duration) -> io::Result<Option<Held>> {
    retry(limit, || try_take(path))
}

/// Keeps the holders of a lock that is only held for moments away for as long as this is kept, as
/// other readers do too. None when there is no such file, or it did not become free in time.
/// Nothing is made or changed.
///
/// # Errors
/// When the file is there and cannot be opened or locked.
pub fn share_within(path: &Path, limit: Duration) -> io::Result<Option<File>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let shared = retry(limit, || Ok(is_free(file.try_lock_shared())?.then_some(())))?;
    Ok(shared.map(|()| file))
}

/// What the holder of a lock has written into it; none when nobody holds it. Nothing is made or
/// changed.
///
/// # Errors
/// When the file is there and cannot be opened or asked.
pub fn text_of_holder(path: &Path) -> io::Result<Option<String>> {
    let Some(file) = open(path)? else { return Ok(None) };
    if is_free(file.try_lock_shared())? {
        file.unlock()?;
        return Ok(None);
    }
    // From the file that was asked, which may not be the one of that name any more.
    text(&file).map(Some)
}

/// Makes a locked file with a content, all at once: nobody ever sees it free, or half of it. One
/// at a time in a folder; whoever makes another one there waits until this is done.
///
/// # Errors
/// When it cannot be made, written or locked.
pub fn make(folder: &Path, name: &str, content: &str) -> io::Result<Held> {
    fs::create_dir_all(folder)?;
    let (unfinished, path) = (folder.join(UNFINISHED), folder.join(name));
    // What somebody left who was killed here is nobody's any more.
    super::files::remove(&unfinished)?;
    let file = OpenOptions::new().create_new(true).read(true).write(true).open(&unfinished)?;
    let held = Held { file, path };
    let made = || {
        held.write(content)?;
        if !is_free(held.file.try_lock())? {
            return Err(io::Error::other("a new file is locked already"));
        }
        fs::rename(&unfinished, &held.path)
    };
    match made() {
        Ok(()) => Ok(held),
        Err(error) => {
            super::files::remove(&unfinished)?;
            Err(error)
        }
    }
}

/// Whether [`make`] is at work in a folder, or was killed there.
pub fn has_unfinished(folder: &Path) -> bool {
    folder.join(UNFINISHED).exists()
}

/// Puts a new, free file in the place of a lock. Whoever holds the old one holds nothing that
/// anybody else would ask for.
///
/// # Errors
/// When it cannot be made or put there.
pub fn replace(path: &Path) -> io::Result<()> {
    super::files::replace(path, b"")
}

/// The names in a folder, but those of files that are being made. No folder, no names.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}

impl Held {
    /// Whether the file that we hold is still the one that others would ask for.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub fn is_in_place(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(there) => Ok(is_same(&self.file.metadata()?, &there)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is written in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> io::Result<String> {
        text(&self.file)
    }

    /// Writes into it, in place of what was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, content: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(content.as_bytes())
    }

    /// Removes the file, if it still is in its place, and leaves the lock.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        if self.is_in_place()? { super::files::remove(&self.path) } else { Ok(()) }
    }
}

fn retry<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    let (started, nobody) = (Moment::now(), Cancel::default());
    loop {
        match attempt()? {
            None if started.elapsed() < limit => nobody.sleep(TICK),
            done => return Ok(done),
        };
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The beginning of a file, as far as it is text: more than any owner says of himself.
fn text(mut file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(64 << 10).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_free(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_learns_what_the_holder_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/lock");
        assert_eq!(text_of_holder(&path).unwrap(), None);
        assert!(!folder.path().join("deep").exists(), "asking makes nothing");
        let held = try_take(&path).unwrap().unwrap();
        held.write("the first one").unwrap();
        held.write("first").unwrap();
        assert!(try_take(&path).unwrap().is_none());
        assert_eq!(text_of_holder(&path).unwrap().as_deref(), Some("first"));
        drop(held);
        assert_eq!(text_of_holder(&path).unwrap(), None);
        assert_eq!(try_take(&path).unwrap().unwrap().read().unwrap(), "first");
    }

    #[test]
    fn what_is_let_go_is_free_though_somebody_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = try_take(&path).unwrap().unwrap();
        // As a process has that is being started meanwhile.
        let copy = held.file.try_clone().unwrap();
        drop(held);
        assert_eq!(text_of_holder(&path).unwrap(), None);
        assert!(try_take(&path).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn who_held_a_lock_that_was_replaced_notices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let old = try_take(&path).unwrap().unwrap();
        assert!(old.is_in_place().unwrap());
        replace(&path).unwrap();
        assert!(!old.is_in_place().unwrap());
        let new = try_take(&path).unwrap().unwrap();
        assert!(new.is_in_place().unwrap());
        old.remove().unwrap();
        assert!(path.exists(), "what is another's is not removed");
        new.remove().unwrap();
        assert!(!path.exists() && !new.is_in_place().unwrap());
    }

    #[test]
    fn what_is_made_is_locked_and_whole_from_the_first_moment() {
        let folder = tempfile::tempdir().unwrap();
        let made = make(folder.path(), "1-a", "me").unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["1-a"]);
        assert_eq!(text_of_holder(&folder.path().join("1-a")).unwrap().as_deref(), Some("me"));
        drop(made);
        assert_eq!(names(folder.path()).unwrap(), ["1-a"], "the lock is gone, the file is not");
        assert_eq!(text_of_holder(&folder.path().join("1-a")).unwrap(), None);
        assert!(names(&folder.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn readers_keep_takers_away_and_not_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let soon = Duration::from_millis(20);
        assert!(share_within(&path, soon).unwrap().is_none());
        drop(try_take(&path).unwrap().unwrap());
        let readers = [(), ()].map(|()| share_within(&path, soon).unwrap().unwrap());
        assert!(take_within(&path, soon).unwrap().is_none());
        drop(readers);
        let _held = take_within(&path, soon).unwrap().unwrap();
        assert!(share_within(&path, soon).unwrap().is_none());
    }
}
