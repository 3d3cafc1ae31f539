//! Folders with what is in them: listed, read entry by entry, made again elsewhere.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something in a folder.
#[derive(Debug)]
pub enum Entry {
    /// A file.
    File {
        /// To read it.
        content: File,
        /// Its size when it was opened.
        size: u64,
        /// Whether its owner may run it.
        is_program: bool,
    },
    /// A folder.
    Folder,
    /// A link, and where it leads.
    Link(PathBuf),
}

/// A path in a folder with everything below it, and the folders above it, each as it is named from
/// there. Links are not followed, wherever they lead.
///
/// # Errors
/// When something cannot be read, is no file, folder or link, or is behind a link.
pub fn below(folder: &Path, path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
    if let Some(link) = found.iter().find(|above| folder.join(above).is_symlink()) {
        let what = format!("{} is a link; name what is behind it by its own path", link.display());
        return Err(io::Error::other(what));
    }
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let whole = folder.join(&path);
        let kind = fs::symlink_metadata(&whole)?.file_type();
        let wrong = |what: &str| io::Error::other(format!("{} {what}", path.display()));
        if kind.is_dir() {
            for entry in fs::read_dir(&whole)? {
                open.push(path.join(entry?.file_name()));
            }
        } else if !kind.is_file() && !kind.is_symlink() {
            return Err(wrong("is no file, no folder and no link"));
        }
        found.push(path);
    }
    Ok(found)
}

/// Opens what is at a path.
///
/// # Errors
/// When it cannot be read.
pub fn open(path: &Path) -> io::Result<Entry> {
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() {
        return Ok(Entry::Folder);
    }
    if found.is_symlink() {
        return Ok(Entry::Link(fs::read_link(path)?));
    }
    let content = File::open(path)?;
    let found = content.metadata()?;
    let is_program = is_program(&found);
    Ok(Entry::File { size: found.len(), content, is_program })
}

#[cfg(unix)]
fn is_program(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o100 != 0
}

/// Elsewhere no file says that of itself, and the scripts of a release should run.
#[cfg(not(unix))]
fn is_program(_: &fs::Metadata) -> bool {
    true
}

/// Writes a new file that only its owner can change, with the folders above it.
///
/// # Errors
/// When it is there already, or cannot be written.
pub fn write(path: &Path, content: &mut impl Read, is_program: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    for_owner(&mut options, is_program);
    let mut file = options.open(path)?;
    io::copy(content, &mut file)?;
    // What a deployment goes on with after the power was lost must be there then.
    file.sync_all()
}

#[cfg(unix)]
fn for_owner(options: &mut OpenOptions, is_program: bool) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(if is_program { 0o755 } else { 0o644 });
}

#[cfg(not(unix))]
fn for_owner(_: &mut OpenOptions, _: bool) {}

/// Makes a folder with those above it.
///
/// # Errors
/// When it cannot be made.
pub fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Makes a folder of its own below another one, with a name that begins so.
///
/// # Errors
/// When it cannot be made.
pub fn make_in(folder: &Path, prefix: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(folder)?.keep())
}

/// Gives a folder another name, for good.
///
/// # Errors
/// When there is something of that name that is in use, or it cannot be done.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Puts everything of one folder into another one that has the rest already, under the same names;
/// each name stands behind the folder that it is in. What the other one has besides is not touched.
///
/// # Errors
/// When something else stands where a folder or a file must be, or it cannot be done.
pub fn put_into(folder: &Path, from: &Path, names: &[String]) -> io::Result<()> {
    for name in names {
        let (from, to) = (from.join(name), folder.join(name));
        let there = match fs::symlink_metadata(&to) {
            Ok(there) => Some(there.is_dir()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match (fs::symlink_metadata(&from)?.is_dir(), there) {
            (true, Some(true)) => {}
            (true, None) => fs::create_dir(&to)?,
            (false, None | Some(false)) => fs::rename(from, &to)?,
            (is_folder, _) => {
                let was = if is_folder { "a folder" } else { "no folder" };
                let what = format!("{} was {was} when it was sent; move it away", to.display());
                return Err(io::Error::other(what));
            }
        }
    }
    let places = names.iter().filter_map(|name| Path::new(name).parent());
    let places: BTreeSet<PathBuf> = places.map(|place| folder.join(place)).collect();
    places.iter().try_for_each(|place| File::open(place)?.sync_all())
}

/// Removes what is named of a folder, and the folders that are empty then; what is there besides
/// stays, with the folders that it is in. Nothing is removed through a link.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_of(folder: &Path, names: &[String]) -> io::Result<()> {
    let deepest_first: BTreeSet<&Path> = names.iter().map(Path::new).collect();
    for name in deepest_first.into_iter().rev() {
        if is_below_link(folder, name) {
            continue;
        }
        let path = folder.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => remove_empty(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        removed.or_else(is_gone)?;
    }
    remove_empty(folder).or_else(is_gone)
}

/// Whether a name leads through something that is no folder of its own.
fn is_below_link(folder: &Path, name: &Path) -> bool {
    let above = name.ancestors().skip(1).filter(|above| *above != Path::new(""));
    let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    !is_folder(folder) || above.map(|above| folder.join(above)).any(|path| !is_folder(&path))
}

fn remove_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        // Somebody else has something in it.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other,
    }
}

fn is_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Makes a link.
///
/// # Errors
/// When it cannot be made.
#[cfg(unix)]
pub fn link(path: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    std::os::unix::fs::symlink(to, path)
}

/// Elsewhere not everybody may make them.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn link(path: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::other(format!("{} is a link", path.display())))
}

/// Says that a folder was used now.
///
/// # Errors
/// When that cannot be said.
pub fn touch(path: &Path) -> io::Result<()> {
    File::open(path)?.set_modified(super::clock::wall())
}

/// How long ago something was changed or used last; nothing for what is not there.
pub fn age(path: &Path) -> Option<Duration> {
    let changed = fs::metadata(path).ok()?.modified().ok()?;
    Some(super::clock::wall().duration_since(changed).unwrap_or_default())
}
