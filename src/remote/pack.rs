//! Files on their way to a host: a tar whose bytes depend on names, modes and contents alone, so that
//! its digest names what is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::decide::archive::{Kind, Tree};
use crate::exit::Fault;
use crate::host::files::Digester;
use crate::host::folders;
use crate::host::tree::{self, Entry};

/// Files and folders of a folder, each by its path there, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pack {
    folder: PathBuf,
    names: BTreeSet<PathBuf>,
}

/// Where a path leads inside of a folder; none when it could lead out of it, or says nothing.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

impl Pack {
    /// Of what is named, with all that is below it.
    ///
    /// # Errors
    /// When something is not there, is outside of the folder, or is no file and no folder.
    pub(super) fn of(folder: &Path, named: &[String]) -> anyhow::Result<Self> {
        let mut names = BTreeSet::new();
        for name in named {
            let wrong = |why: String| {
                Fault::usage(format!("upload: {name}: {why}"))
                    .hint("name files and folders beside waveoff.yml")
            };
            let inner = inside(Path::new(name))
                .ok_or_else(|| wrong("it is not below the folder of the configuration".into()))?;
            let found = tree::below(folder, &inner).map_err(|error| wrong(error.to_string()))?;
            names.extend(found);
        }
        names.remove(Path::new(""));
        let wrong = |why: String| {
            Fault::usage(format!("upload: {why}")).hint("only what is sent can be found there")
        };
        let mut links = BTreeMap::new();
        for name in &names {
            let to = folders::leads_to(&folder.join(name));
            let to = to.map_err(|error| wrong(format!("{}: {error}", name.display())))?;
            links.extend(to.map(|to| (name.clone(), to)));
        }
        stay(&links).map_err(wrong)?;
        Ok(Self { folder: folder.to_owned(), names })
    }

    /// Of what was listed once.
    pub(super) fn listed(folder: &Path, names: &[String]) -> Self {
        let names = names.iter().filter_map(|name| inside(Path::new(name))).collect();
        Self { folder: folder.to_owned(), names }
    }

    /// The names of all that is in a folder.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(super) fn names_of(folder: &Path) -> io::Result<Vec<String>> {
        let found = tree::below(folder, Path::new(""))?;
        let found = found.into_iter().filter(|name| *name != Path::new(""));
        found
            .map(|name| name.into_os_string().into_string())
            .collect::<Result<_, _>>()
            .map_err(|name| io::Error::other(format!("{} is no name in UTF-8", name.display())))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut builder = tar::Builder::new(to);
        for name in &self.names {
            let mut header = tar::Header::new_gnu();
            match tree::open(&self.folder.join(name))? {
                Entry::File { content, size, is_program } => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_size(size);
                    header.set_mode(if is_program { 0o755 } else { 0o644 });
                    // A file that grows meanwhile must not grow into the next one.
                    builder.append_data(&mut header, name, content.take(size))?;
                }
                Entry::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_size(0);
                    header.set_mode(0o755);
                    builder.append_data(&mut header, name, io::empty())?;
                }
                Entry::Link(to) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    header.set_mode(0o777);
                    builder.append_link(&mut header, name, to)?;
                }
            }
        }
        builder.into_inner()?.flush()
    }

    /// Its digest and its size.
    ///
    /// # Errors
    /// When something cannot be read.
    pub(super) fn digest(&self) -> io::Result<(String, u64)> {
        let mut counted = Counted::default();
        self.write(&mut counted)?;
        Ok((counted.digest.hex(), counted.size))
    }
}

#[derive(Default)]
struct Counted {
    digest: Digester,
    size: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len() as u64;
        self.digest.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads while it takes the digest of what was read.
struct Digested<R> {
    from: R,
    digest: Digester,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.digest.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// Unpacks into a folder that is there, and reads to the end whatever happens; the digest of what
/// was read. Nothing is written outside of the folder: neither by a name nor through a link.
///
/// # Errors
/// When something in it leads out of the folder, is no file, folder or link, or cannot be written.
pub(super) fn unpack(from: impl Read, folder: &Path) -> io::Result<String> {
    let mut from = Digested { from, digest: Digester::default() };
    let unpacked = unpack_all(&mut from, folder);
    io::copy(&mut from, &mut io::sink())?;
    unpacked.map(|()| from.digest.hex())
}

fn unpack_all(from: &mut impl Read, folder: &Path) -> io::Result<()> {
    // Links come last, so that nothing can be written through one of them.
    let mut links = BTreeMap::new();
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let wrong = |what: &str| io::Error::other(format!("{}: {what}", name.display()));
        let inner = inside(&name).filter(|inner| *inner != Path::new(""));
        let inner = inner.ok_or_else(|| wrong("it leads out of the folder"))?;
        match entry.header().entry_type() {
            tar::EntryType::Regular => {
                let is_program = entry.header().mode()? & 0o100 != 0;
                tree::write(&folder.join(inner), &mut entry, is_program)?;
            }
            tar::EntryType::Directory => tree::make(&folder.join(inner))?,
            tar::EntryType::Symlink => {
                let to = entry.link_name()?.ok_or_else(|| wrong("it leads nowhere"))?;
                links.insert(inner, to.into_owned());
            }
            _ => return Err(wrong("it is no file, no folder and no link")),
        }
    }
    stay(&links).map_err(io::Error::other)?;
    links.iter().try_for_each(|(name, to)| tree::link(&folder.join(name), to))
}

/// Looks whether links, by their names and where each leads, stay in their folder: by way of
/// whatever other links, and with none of them behind another one.
fn stay(links: &BTreeMap<PathBuf, PathBuf>) -> Result<(), String> {
    let text = |path: &Path| path.to_str().map(str::to_owned);
    let mut tree = Tree::default();
    for (name, to) in links {
        let wrong = |what: &str| Err(format!("{}: {what}", name.display()));
        let (Some(place), Some(to)) = (text(name), text(to)) else {
            return wrong("it is a link whose name is not UTF-8");
        };
        if name.ancestors().skip(1).any(|above| links.contains_key(above)) {
            return wrong("it is behind a link");
        }
        tree.members.insert(place, Kind::Link(to));
    }
    for (name, kind) in &tree.members {
        if matches!(kind, Kind::Link(to) if !tree.stays_inside(name, to)) {
            return Err(format!("{name}: it is a link that leads out of the folder"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
