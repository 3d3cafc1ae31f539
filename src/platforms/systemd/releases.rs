//! The folders of the releases: unpacked once, whole or not there, and kept for a way back.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::archive::{Archive, Contents};
use crate::host::signals::Cancel;
use crate::host::{clock, files, folders};

/// Digits of the checksum in a folder's name.
const SHORT: usize = 12;
/// Room that is left for others.
const SPARE: u64 = 16 << 20;
/// What is on its way.
const INCOMING: &str = ".incoming";
/// The releases by when they were wanted last, the newest one last.
const ORDER: &str = ".order";
/// What a release is.
const NOTE: &str = ".waveoff.json";
/// What its archive held.
const CONTENTS: &str = ".waveoff.contents.json";
/// Its version, for people and for other programs; an archive may bring one of its own.
const VERSION: &str = "version.txt";

/// The releases of one component.
#[derive(Debug, Clone)]
pub(super) struct Releases {
    root: PathBuf,
}

/// What a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Its version.
    pub(super) version: String,
    /// The checksum of its archive.
    pub(super) sha256: String,
    /// When it was unpacked.
    pub(super) unpacked: String,
}

impl Note {
    /// The name of its folder.
    pub(super) fn name(&self) -> String {
        name(&self.version, &self.sha256)
    }
}

/// The name of a release's folder.
pub(super) fn name(version: &str, sha256: &str) -> String {
    format!("{version}-{}", &sha256[..sha256.len().min(SHORT)])
}

impl Releases {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { root: folder.join("releases") }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What a folder is said to hold.
    pub(super) fn note(&self, name: &str) -> Result<Note, String> {
        let file = self.path(name).join(NOTE);
        let wrong = |why: String| format!("{}: {why}", file.display());
        let text = files::read_text(&file).map_err(|error| wrong(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    /// The releases of a version, and with this checksum if one is given; that first which was
    /// wanted last.
    pub(super) fn find(&self, version: &str, sha256: Option<&str>) -> Vec<Note> {
        let names = self.by_order().unwrap_or_default().into_iter().rev();
        let notes = names.filter_map(|name| self.note(&name).ok().filter(|n| n.name() == name));
        let fits = |note: &Note| {
            note.version == version && sha256.is_none_or(|sha256| note.sha256 == sha256)
        };
        notes.filter(fits).collect()
    }

    /// Looks whether a release is as it was unpacked.
    pub(super) fn look(&self, note: &Note, cancel: &Cancel) -> Result<(), String> {
        let folder = self.path(&note.name());
        let wrong = |why: String| format!("{} is not whole: {why}", folder.display());
        let file = folder.join(CONTENTS);
        let text =
            files::read_text(&file).map_err(|error| wrong(format!("{CONTENTS}: {error}")))?;
        let contents: Contents = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        match folders::difference(&folder, &contents, cancel) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(wrong(why)),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// An empty folder for what is on its way; what somebody left there who was killed is removed.
    pub(super) fn incoming(&self) -> io::Result<PathBuf> {
        let folder = self.root.join(INCOMING);
        folders::make_anew(&folder)?;
        Ok(folder)
    }

    /// Removes what is on its way.
    pub(super) fn give_up(&self) {
        // What cannot be removed now is removed by the next one.
        folders::remove(&self.root.join(INCOMING)).unwrap_or_default();
    }

    /// Unpacks an archive whose checksum is this one. It has its name only when all of it is kept.
    pub(super) fn unpack(
        &self,
        archive: &mut Archive,
        note: &Note,
        strip: usize,
        cancel: &Cancel,
    ) -> io::Result<()> {
        let room = folders::room(&self.root)?.saturating_sub(SPARE);
        let tree = archive.tree(strip, room, cancel)?;
        let folder = self.root.join(INCOMING).join("tree");
        folders::make_anew(&folder)?;
        let contents = archive.unpack(&tree, &note.sha256, &folder, strip, cancel)?;
        if !contents.contains_key(VERSION) {
            let text = format!("{}\n", note.version);
            files::replace(folder.join(VERSION), text.as_bytes())?;
        }
        // They name every file, and a web server may serve this folder.
        files::replace_private(folder.join(CONTENTS), &serde_json::to_vec(&contents)?)?;
        files::replace_private(folder.join(NOTE), &serde_json::to_vec_pretty(note)?)?;
        folders::publish(&folder, &self.path(&note.name()))
    }

    /// Notes that a release is wanted.
    pub(super) fn want(&self, name: &str) -> io::Result<()> {
        let mut order = self.by_order()?;
        order.retain(|known| known != name);
        order.push(name.to_owned());
        let text: String = order.iter().map(|name| format!("{name}\n")).collect();
        files::replace_alone(self.root.join(ORDER), text.as_bytes())
    }

    /// All releases; that last which was wanted last.
    fn by_order(&self) -> io::Result<Vec<String>> {
        let names = files::names(&self.root)?;
        let text = files::read_text(self.root.join(ORDER)).unwrap_or_default();
        let place = |name: &String| text.lines().position(|line| line == name);
        let mut names: Vec<String> =
            names.into_iter().filter(|name| !name.starts_with('.')).collect();
        names.sort_by_key(|name| place(name).map_or(0, |place| place + 1));
        Ok(names)
    }

    /// Removes the releases that are wanted least, and leaves `keep` of them and those that are
    /// spared. Gives the names of those that are gone.
    pub(super) fn prune(
        &self,
        keep: usize,
        is_spared: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<String>> {
        let names = self.by_order()?;
        let surplus = names.len().saturating_sub(keep);
        let gone = surplus_of(&names, surplus, is_spared);
        for name in &gone {
            // First it is no release any more, so that half of one is never taken for one.
            files::remove(self.path(name).join(NOTE))?;
            folders::remove(&self.path(name))?;
        }
        Ok(gone)
    }
}

/// The first ones that are not spared, no more than the surplus.
fn surplus_of(names: &[String], surplus: usize, is_spared: impl Fn(&str) -> bool) -> Vec<String> {
    let gone = names.iter().take(surplus).filter(|name| !is_spared(name));
    gone.cloned().collect()
}

/// A note of what is unpacked now.
pub(super) fn note_of(version: &str, sha256: &str) -> Note {
    Note {
        version: version.to_owned(),
        sha256: sha256.to_owned(),
        unpacked: clock::rfc3339(clock::wall()),
    }
}

/// The name of the release that a link leads to.
pub(super) fn behind(link: &Path) -> io::Result<Option<String>> {
    let to = folders::leads_to(link)?;
    let name = to.and_then(|to| Some(to.file_name()?.to_str()?.to_owned()));
    Ok(name)
}

#[cfg(test)]
#[cfg(unix)]
#[path = "releases_tests.rs"]
mod tests;
