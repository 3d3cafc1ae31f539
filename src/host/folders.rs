//! Folders that appear whole, and links that are changed in one step.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::archive::{Contents, Item, sha256_of};
use super::disk;
use super::signals::Cancel;

/// Makes a folder and those above it, and keeps their names.
///
/// # Errors
/// When it cannot be made.
pub fn make(folder: &Path) -> io::Result<()> {
    disk::keep_folders(&disk::Real, folder)
}

/// Makes an empty folder for us alone; what is there already is removed.
///
/// # Errors
/// When that fails.
pub fn make_anew(folder: &Path) -> io::Result<()> {
    remove(folder)?;
    make(folder)
}

/// Removes a folder with everything in it, a file or a link; one that is not there is no error.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives a finished folder its name, and keeps all of it; a folder that has the name already
/// changes places with it.
///
/// # Errors
/// When that fails; what had the name has it still.
pub fn publish(finished: &Path, name: &Path) -> io::Result<()> {
    sync_all(finished)?;
    match fs::symlink_metadata(name) {
        Ok(_) => exchange(finished, name)?,
        Err(_) => fs::rename(finished, name)?,
    }
    sync(disk::folder_of(name))
}

/// Keeps all that is in a folder: with one call for a whole file system, since one for each of
/// thousands of files takes minutes.
#[cfg(target_os = "linux")]
fn sync_all(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Elsewhere each file was synced when it was written.
#[cfg(not(target_os = "linux"))]
fn sync_all(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Elsewhere there is a moment without either.
#[cfg(not(target_os = "linux"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let aside = one.with_extension("old");
    fs::rename(other, &aside)?;
    fs::rename(one, other)?;
    fs::rename(aside, one)
}

/// Makes a link.
///
/// # Errors
/// When it cannot be made, or the name is taken.
#[cfg(unix)]
pub(super) fn symlink(to: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, link)
}

#[cfg(not(unix))]
pub(super) fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets a link lead somewhere else in one step: nobody sees it missing. The folder above is made.
///
/// # Errors
/// When that fails, or something has the name that is no link.
pub fn point(link: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(link).is_ok_and(|data| !data.is_symlink()) {
        return Err(io::Error::other("it is there, and is no link"));
    }
    let folder = disk::folder_of(link);
    make(folder)?;
    let mut name = link.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    // One that somebody left who was killed.
    remove(&new)?;
    symlink(to, &new)?;
    fs::rename(&new, link)?;
    sync(folder)
}

/// Removes a link for certain; one that is not there is no error.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn unlink(link: &Path) -> io::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.and_then(|()| sync(disk::folder_of(link))),
    }
}

/// Where a link leads to, as it is written in it; none where there is no link.
///
/// # Errors
/// When it cannot be read.
pub fn leads_to(link: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(link) {
        Ok(to) => Ok(Some(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // What is no link is none.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes that may still be written into a folder.
///
/// # Errors
/// When the file system cannot be asked.
#[cfg(unix)]
pub fn room(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Elsewhere only trying tells.
///
/// # Errors
/// Never here.
#[cfg(not(unix))]
pub fn room(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// The first thing in a folder that is not as it should be; what is there besides does not matter.
///
/// # Errors
/// On a cancellation.
pub fn difference(folder: &Path, wanted: &Contents, cancel: &Cancel) -> io::Result<Option<String>> {
    for (name, item) in wanted {
        let path = folder.join(name);
        let seen = match item {
            Item::Link(_) => fs::read_link(&path).map(|to| Item::Link(to.display().to_string())),
            Item::File(_) => {
                open_plain(&path).and_then(|file| sha256_of(file, cancel)).map(Item::File)
            }
        };
        if cancel.reason().is_some() {
            return Err(io::Error::other("it was ended by the cancellation"));
        }
        match seen {
            Ok(seen) if seen == *item => {}
            Ok(_) => return Ok(Some(format!("{name} is not what was unpacked"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(format!("{name} is missing")));
            }
            Err(error) => return Ok(Some(format!("{name}: {error}"))),
        }
    }
    Ok(None)
}

/// Opens a file, and nothing else: a pipe would wait for ever.
fn open_plain(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a file any more")),
    }
}
