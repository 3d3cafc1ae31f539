//! Archives: looked at before anything is written, then unpacked with every file's checksum.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::signals::Cancel;
use crate::decide::archive::{Kind, Tree, allowed};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Bytes that may stand between two members: names and padding are smaller.
const BETWEEN: u64 = 1 << 20;

/// What an archive put into a folder, by name.
pub type Contents = BTreeMap<String, Item>;

/// One thing that an archive put into a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A file, by its SHA-256.
    File(String),
    /// A link, by where it leads to.
    Link(String),
}

/// An archive that is open: what is unpacked is what was looked at.
pub struct Archive {
    file: File,
}

impl Archive {
    /// Opens one.
    ///
    /// # Errors
    /// When it is no file or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(Self { file }),
            false => Err(io::Error::other("it is not a file")),
        }
    }

    /// Its SHA-256.
    ///
    /// # Errors
    /// When it cannot be read, or on a cancellation.
    pub fn sha256(&mut self, cancel: &Cancel) -> io::Result<String> {
        self.file.rewind()?;
        sha256_of(&self.file, cancel)
    }

    /// What is in it, without `strip` leading parts of each name; no more than `most` bytes.
    ///
    /// # Errors
    /// When it cannot be read, is no archive, is larger, or holds what must not be unpacked.
    pub fn tree(&mut self, strip: usize, most: u64, cancel: &Cancel) -> io::Result<Tree> {
        let mut tree = Tree::default();
        self.each(cancel, |_, name, kind, _| {
            tree.take(name, kind, strip).map_err(io::Error::other)?;
            match tree.bytes > most {
                true => Err(io::Error::new(
                    io::ErrorKind::StorageFull,
                    format!("it holds more than {most} bytes, and there is no room for them"),
                )),
                false => Ok(()),
            }
        })?;
        tree.check().map_err(io::Error::other)?;
        Ok(tree)
    }

    /// Unpacks it into an empty folder of ours. Links are made last, so that nothing is written
    /// through one.
    ///
    /// # Errors
    /// When that fails, or it is not what was looked at any more.
    pub fn unpack(
        &mut self,
        looked_at: &Tree,
        sha256: &str,
        into: &Path,
        strip: usize,
        cancel: &Cancel,
    ) -> io::Result<Contents> {
        let (mut tree, mut contents) = (Tree::default(), Contents::new());
        let read = self.each(cancel, |member, name, kind, modified| {
            let Some(place) = tree.take(name, kind, strip).map_err(io::Error::other)? else {
                return Ok(());
            };
            let path = into.join(&place);
            match tree.members.get(&place) {
                Some(Kind::Folder) => fs::create_dir_all(path),
                Some(Kind::File { mode, .. }) => {
                    let sha256 = write(member, &path, allowed(*mode), modified, cancel)?;
                    contents.insert(place, Item::File(sha256));
                    Ok(())
                }
                _ => Ok(()),
            }
        })?;
        if tree != *looked_at || read != sha256 {
            return Err(io::Error::other("it was changed while it was unpacked"));
        }
        link(&tree, into, &mut contents)?;
        Ok(contents)
    }

    /// Goes over its members; gives the SHA-256 of all of it.
    fn each(
        &mut self,
        cancel: &Cancel,
        mut take: impl FnMut(&mut dyn Read, &str, Kind, u64) -> io::Result<()>,
    ) -> io::Result<String> {
        self.file.rewind()?;
        let mut magic = [0; 2];
        let is_gzip = (&self.file).read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
        self.file.rewind()?;
        let hash = Rc::new(Cell::new(Sha256::new()));
        let hashing = Hashing { inner: &self.file, hash: hash.clone() };
        let mut plain: Box<dyn Read + '_> = Box::new(BufReader::with_capacity(CHUNK, hashing));
        if is_gzip {
            plain = Box::new(MultiGzDecoder::new(plain));
        }
        let left = Rc::new(Cell::new(BETWEEN));
        let mut archive = tar::Archive::new(Bounded { inner: plain, left: left.clone() });
        for member in archive.entries()? {
            let mut member = member?;
            if cancel.reason().is_some() {
                return Err(cancelled());
            }
            // A global header is a comment, as of `git archive`.
            if member.header().entry_type().is_pax_global_extensions() {
                left.set(BETWEEN + member.size());
                continue;
            }
            let name = text(&member.path_bytes())?;
            let kind = kind(&member)?;
            let modified = member.header().mtime().unwrap_or_default();
            left.set(BETWEEN.saturating_add(member.size()));
            take(&mut member, &name, kind, modified)?;
        }
        let mut rest = archive.into_inner();
        rest.left.set(u64::MAX);
        io::copy(&mut rest, &mut io::sink())?;
        drop(rest);
        Ok(hex(&hash.take().finalize()))
    }
}

fn kind<R: Read>(member: &tar::Entry<'_, R>) -> io::Result<Kind> {
    use tar::EntryType;
    let to = || match member.link_name_bytes() {
        Some(name) => text(&name),
        None => Ok(String::new()),
    };
    Ok(match member.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            Kind::File { size: member.size(), mode: member.header().mode()? }
        }
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Link(to()?),
        EntryType::Link => Kind::Same(to()?),
        _ => Kind::Special,
    })
}

fn write(
    member: &mut dyn Read,
    path: &Path,
    mode: u32,
    modified: u64,
    cancel: &Cancel,
) -> io::Result<String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let sha256 = copy(member, &file, cancel)?;
    permit(&file, mode)?;
    let modified = std::time::Duration::from_secs(modified);
    if let Some(time) = std::time::UNIX_EPOCH.checked_add(modified) {
        file.set_modified(time)?;
    }
    #[cfg(not(target_os = "linux"))]
    file.sync_all()?;
    Ok(sha256)
}

/// Copies, and gives the SHA-256 of what was copied.
pub(super) fn copy(from: &mut dyn Read, mut to: impl Write, cancel: &Cancel) -> io::Result<String> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&chunk[..count]);
        to.write_all(&chunk[..count])?;
        if cancel.reason().is_some() {
            return Err(cancelled());
        }
    }
}

fn cancelled() -> io::Error {
    io::Error::other("it was ended by the cancellation")
}

/// The SHA-256 of what is read to its end.
pub(super) fn sha256_of(mut from: impl Read, cancel: &Cancel) -> io::Result<String> {
    copy(&mut from, io::sink(), cancel)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names that are no text could not be written down.
fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_| io::Error::other("there is a name in it that is not UTF-8 text"))
}

#[cfg(unix)]
fn permit(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permit(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// Makes the links of a tree, hard ones first: their targets are files.
fn link(tree: &Tree, into: &Path, contents: &mut Contents) -> io::Result<()> {
    for (place, kind) in &tree.members {
        if let (Kind::Same(of), Some(path)) = (kind, Some(into.join(place))) {
            above(&path)?;
            fs::hard_link(into.join(of), path)?;
            let item = contents.get(of).cloned();
            item.and_then(|item| contents.insert(place.clone(), item));
        }
    }
    for (place, kind) in &tree.members {
        if let Kind::Link(to) = kind {
            let path = into.join(place);
            above(&path)?;
            super::folders::symlink(Path::new(to), &path)?;
            contents.insert(place.clone(), Item::Link(to.clone()));
        }
    }
    Ok(())
}

fn above(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Adds up what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Rc<Cell<Sha256>>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        let hash = self.hash.take().chain_update(&into[..count]);
        self.hash.set(hash);
        Ok(count)
    }
}

/// Ends where more stands between two members than names need: it would all be kept in memory.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 && !into.is_empty() {
            return Err(io::Error::other("there is a name in it that is far too long"));
        }
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(into.len());
        let count = self.inner.read(&mut into[..most])?;
        self.left.set(self.left.get() - count as u64);
        Ok(count)
    }
}

#[cfg(test)]
#[cfg(unix)]
#[path = "archive_tests.rs"]
mod tests;
