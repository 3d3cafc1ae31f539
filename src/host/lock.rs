//! A lock that dies with its owner: the kernel's, on a file that says who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use super::clock::Moment;
use super::signals::Cancel;

/// Whoever only asks who holds the lock takes it for a moment; an owner-to-be outlasts that.
const PATIENCE: Duration = Duration::from_millis(300);

/// A lock that is held until this is dropped, or the process ends, however it ends.
#[derive(Debug)]
pub struct Held {
    file: File,
}

/// The outcome of trying.
#[derive(Debug)]
pub enum Tried {
    /// It is ours.
    Held(Held),
    /// It is another's, who wrote this into it.
    Taken(String),
}

/// Takes the lock and writes the owner into it. The file and missing folders are made.
///
/// # Errors
/// When the file cannot be made, locked or written.
pub fn take(path: &Path, owner: &str) -> io::Result<Tried> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
    let (started, nobody) = (Moment::now(), Cancel::default());
    while !is_free(file.try_lock())? {
        if started.elapsed() >= PATIENCE {
            return Ok(Tried::Taken(super::files::read_text(path).unwrap_or_default()));
        }
        nobody.sleep(Duration::from_millis(10));
    }
    let mut held = Held { file };
    held.write(owner)?;
    Ok(Tried::Held(held))
}

/// What the owner wrote, when there is one. Nothing is made or changed.
///
/// # Errors
/// When the file is there and cannot be opened or asked.
pub fn owner(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if is_free(file.try_lock_shared())? {
        return Ok(None);
    }
    super::files::read_text(path).map(Some)
}

fn is_free(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Held {
    fn write(&mut self, owner: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(owner.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_learns_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/lock");
        assert_eq!(owner(&path).unwrap(), None);
        let Tried::Held(held) = take(&path, "first").unwrap() else { panic!("was taken") };
        assert!(matches!(take(&path, "second").unwrap(), Tried::Taken(who) if who == "first"));
        assert_eq!(owner(&path).unwrap().as_deref(), Some("first"));
        drop(held);
        assert_eq!(owner(&path).unwrap(), None);
        assert!(matches!(take(&path, "second").unwrap(), Tried::Held(_)));
    }
}
