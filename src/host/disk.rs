//! What is kept for certain: the order of steps in which files are written, so that a crash at any
//! of them, of this process or of the machine, leaves the old content or the new one.
//!
//! The steps are the same for the real disk and for a model of one (`disk_model`), on which tests
//! crash at each of them and lose what was not synced. What is written but not synced may be lost;
//! so may a name in a folder that was not synced, and that of a folder in the folder above it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a disk can do, step by step.
pub(crate) trait Disk {
    /// A file that is open for writing.
    type File;

    /// The length of a file; none when there is none.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Whether there is such a file or folder.
    fn exists(&self, path: &Path) -> bool;
    /// Makes one folder in another.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes a file of a new name beside the one that it will replace, readable by its owner only.
    fn create_temporary(&self, target: &Path) -> io::Result<(Self::File, PathBuf)>;
    /// Opens a file for appending, and makes it if need be.
    fn open_append(&self, path: &Path) -> io::Result<Self::File>;
    /// Writes at the end of a file.
    fn write(&self, file: &mut Self::File, content: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    fn set_length(&self, path: &Path, length: u64) -> io::Result<Self::File>;
    /// Lets everybody read a file.
    fn open_to_all(&self, path: &Path) -> io::Result<()>;
    /// Keeps the content of a file, but not its name.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Keeps the names in a folder, but not that of the folder.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Gives a file another name in its folder, in place of the file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner.
    Owner,
    /// Whoever may read its folder.
    All,
}

/// Replaces a file whole, or makes it, with the folders above it.
pub(super) fn replace<D: Disk>(
    disk: &D,
    path: &Path,
    content: &[u8],
    readers: Readers,
) -> io::Result<()> {
    let folder = folder_of(path);
    if !disk.exists(path) {
        keep_folders(disk, folder)?;
    }
    let (mut file, temporary) = disk.create_temporary(path)?;
    let mut steps = || {
        disk.write(&mut file, content)?;
        if readers == Readers::All {
            disk.open_to_all(&temporary)?;
        }
        disk.sync(&file)?;
        disk.rename(&temporary, path)
    };
    if let Err(error) = steps() {
        // What cannot be removed either is in nobody's way.
        disk.remove(&temporary).unwrap_or_default();
        return Err(error);
    }
    disk.sync_folder(folder)
}

/// Appends to a file, or makes it, with the folders above it.
pub(super) fn append<D: Disk>(disk: &D, path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let is_new = !disk.exists(path);
    if is_new {
        // Before the file is made: whoever finds it knows by that that its folders are kept.
        keep_folders(disk, folder)?;
    }
    let mut file = disk.open_append(path)?;
    disk.write(&mut file, content)?;
    disk.sync(&file)?;
    // Whoever made the file may have been killed before he came to this. What was there already
    // may be in a folder that is not ours to sync.
    disk.sync_folder(folder).or_else(|error| if is_new { Err(error) } else { Ok(()) })
}

/// Cuts a file to a length.
pub(super) fn truncate<D: Disk>(disk: &D, path: &Path, length: u64) -> io::Result<()> {
    let file = disk.set_length(path, length)?;
    disk.sync(&file)
}

/// Appends to a file behind its first `whole` bytes: what was torn before is cut off, and what
/// this could not keep as well.
pub(crate) fn extend<D: Disk>(disk: &D, path: &Path, whole: u64, content: &[u8]) -> io::Result<()> {
    let cut = || match disk.length(path)? {
        Some(length) if length > whole => truncate(disk, path, whole),
        _ => Ok(()),
    };
    cut()?;
    append(disk, path, content).inspect_err(|_| {
        // What may or may not be there would be believed after the next crash.
        cut().unwrap_or_default();
    })
}

/// Makes a folder and those above it, and keeps their names: a folder that is there may have been
/// made by somebody who was killed before he could do that.
pub(super) fn keep_folders<D: Disk>(disk: &D, folder: &Path) -> io::Result<()> {
    let mut above: Vec<&Path> = folder.ancestors().collect();
    above.retain(|folder| !folder.as_os_str().is_empty() && folder.file_name().is_some());
    for folder in above.into_iter().rev() {
        let is_new = !disk.exists(folder);
        if is_new {
            match disk.make_folder(folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        // Those far above are others', and may not let themselves be opened or synced.
        let kept = disk.sync_folder(folder_of(folder));
        if is_new {
            kept?;
        }
    }
    Ok(())
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What the name of a file begins with that is to replace another one; the other's name follows.
pub(super) const UNFINISHED: &str = ".waveoff-";

/// What the name of a file begins with that is to replace this one.
pub(super) fn unfinished(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name is 255 bytes long at most, and a few are behind this one.
    let short: String = name.chars().take(48).collect();
    format!("{UNFINISHED}{short}-")
}

/// The disk of this machine.
pub(super) struct Real;

impl Disk for Real {
    type File = File;

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(data) => Ok(Some(data.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_temporary(&self, target: &Path) -> io::Result<(File, PathBuf)> {
        let prefix = unfinished(target);
        let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder_of(target))?;
        file.keep().map_err(|error| error.error)
    }

    fn open_append(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(path)
    }

    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        file.write_all(content)
    }

    fn set_length(&self, path: &Path, length: u64) -> io::Result<File> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        Ok(file)
    }

    #[cfg(unix)]
    fn open_to_all(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))
    }

    #[cfg(not(unix))]
    fn open_to_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// Elsewhere folders cannot be opened for syncing; the rename itself is ordered there.
    #[cfg(not(unix))]
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
