//! A release as it was prepared: the rendered Compose model, its images, and the files that they
//! came from. What is started, and what comes back, is this and never the files of today.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::Kinds;
use crate::decide::history::Release;
use crate::host::{files, folders};
use crate::platforms::Trouble;

/// What stands before the digest of a snapshot among those of its release.
pub(super) const DIGEST: &str = "compose@sha256:";
/// Hexadecimal digits of it that are in names.
const DIGITS: usize = 12;
/// Starts that are remembered.
const STARTS: usize = 50;

/// A release, ready to be started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// Its version.
    pub version: String,
    /// Its name among all snapshots: the first digits of its digest.
    pub key: String,
    /// The digests of its images, and its own.
    pub digests: Vec<String>,
    /// The project, where there are no slots.
    pub project: String,
    /// The kinds of its services.
    pub kinds: Kinds,
    /// The images of its released services.
    pub images: BTreeMap<String, Image>,
    /// The service that serves, and its port in the container, where that is known.
    pub port: Option<(String, u16)>,
    /// The rendered model.
    #[serde(skip)]
    pub model: Value,
}

/// An image of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Image {
    /// As the Compose file calls it.
    pub name: String,
    /// Under which it is run: `repository@sha256:…`, or our own tag where no registry has it.
    pub run: String,
    /// Its id.
    pub id: String,
    /// Our own tag, which keeps it.
    pub tag: String,
}

/// The folder of all snapshots of one component.
#[derive(Debug, Clone)]
pub(super) struct Snapshots {
    folder: PathBuf,
    component: Option<String>,
}

impl Snapshots {
    /// Below the state folder of a service in an environment.
    pub(super) fn below(folder: &Path, component: Option<&str>) -> Self {
        Self { folder: folder.join("releases"), component: component.map(str::to_owned) }
    }

    /// The folder of one.
    pub(super) fn folder_of(&self, version: &str, key: &str) -> PathBuf {
        let folder = self.folder.join(format!("{version}-{key}"));
        self.component.iter().fold(folder, |folder, component| folder.join(component))
    }

    /// The one of a release.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(super) fn of(&self, release: &Release) -> Result<Snapshot, Trouble> {
        let version = &release.version;
        for digest in release.digests.iter().filter_map(|digest| digest.strip_prefix(DIGEST)) {
            let folder = self.folder_of(version, &key_of(digest));
            if is_whole(&folder) {
                return read(&folder).map_err(|why| {
                    Trouble::new(format!("what was kept of {version} cannot be read: {why}"))
                });
            }
        }
        let folder = self.folder.display();
        Err(Trouble::new(format!(
            "nothing was kept of {version} below {folder}: it was not deployed from here"
        )))
    }

    /// Keeps one, with copies of the files that it was made from. It is there when all of it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep(&self, snapshot: &Snapshot, sources: &[PathBuf]) -> std::io::Result<()> {
        let folder = self.folder_of(&snapshot.version, &snapshot.key);
        files::private_folder(&folder)?;
        for (index, source) in sources.iter().enumerate() {
            let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let copy = folder.join(format!("source-{index}-{}", name.trim_start_matches('.')));
            files::replace_private(copy, &files::read(source)?)?;
        }
        let text = |value: serde_json::Result<String>| value.map_err(std::io::Error::other);
        let model = text(serde_json::to_string_pretty(&snapshot.model))?;
        files::replace_private(folder.join("model.json"), model.as_bytes())?;
        let images = text(serde_json::to_string_pretty(snapshot))?;
        files::replace_private(folder.join("images.json"), images.as_bytes())
    }

    /// The project file that is run, written beside the model.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn project_file(
        &self,
        snapshot: &Snapshot,
        name: &str,
        project: &Value,
    ) -> std::io::Result<String> {
        let file = self.folder_of(&snapshot.version, &snapshot.key).join(name);
        files::replace_private(&file, project.to_string().as_bytes())?;
        Ok(file.display().to_string())
    }

    /// Notes that one is started.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) fn started(&self, snapshot: &Snapshot) -> std::io::Result<()> {
        let own = format!("{}-{}", snapshot.version, snapshot.key);
        let mut all = self.starts();
        if all.last() == Some(&own) {
            return Ok(());
        }
        all.retain(|name| *name != own);
        all.push(own);
        let from = all.len().saturating_sub(STARTS);
        files::replace_alone(self.starts_file(), (all[from..].join("\n") + "\n").as_bytes())
    }

    /// The folders of those that were started, the last one last.
    pub(super) fn starts(&self) -> Vec<String> {
        let text = files::read_text(self.starts_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The one that was started last; none when none ever was, or it is kept no more.
    ///
    /// # Errors
    /// When it is there, or may be, and cannot be read.
    pub(super) fn last(&self) -> Result<Option<Snapshot>, Trouble> {
        let file = self.starts_file();
        let unread = |path: &Path, why: &dyn std::fmt::Display| {
            let path = path.display();
            Trouble::new(format!("what was started last is not known: {path}: {why}"))
        };
        let text = match files::read_text(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| unread(&file, &error))?,
        };
        let Some(name) = text.lines().last() else { return Ok(None) };
        let Some((version, key)) = name.rsplit_once('-') else {
            return Err(unread(&file, &"it is damaged"));
        };
        let folder = self.folder_of(version, key);
        match files::read_text(folder.join("images.json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => read(&folder).map(Some).map_err(|why| unread(&folder, &why)),
        }
    }

    fn starts_file(&self) -> PathBuf {
        let component = self.component.as_ref().map(|name| format!("-{name}")).unwrap_or_default();
        self.folder.join(format!("started{component}"))
    }

    /// The keys of all that are kept.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        let names = files::names(&self.folder).unwrap_or_default();
        let all = names.iter().filter_map(|name| name.rsplit_once('-'));
        let own = all.filter(|(version, key)| is_whole(&self.folder_of(version, key)));
        own.map(|(_, key)| key.to_owned()).collect()
    }

    /// The images of the one with this key.
    pub(super) fn images_of(&self, key: &str) -> Vec<Image> {
        let names = files::names(&self.folder).unwrap_or_default();
        let own =
            names.iter().filter_map(|name| name.rsplit_once('-')).find(|(_, own)| *own == key);
        let kept = own.and_then(|(version, key)| read(&self.folder_of(version, key)).ok());
        kept.map(|kept| kept.images.into_values().collect()).unwrap_or_default()
    }

    /// Forgets those whose keys are not among `kept`, and those that were never written whole.
    ///
    /// # Errors
    /// When a folder is there and cannot be read or removed.
    pub(super) fn forget(&self, is_kept: impl Fn(&str) -> bool) -> std::io::Result<()> {
        for name in files::names(&self.folder)? {
            let Some((version, key)) = name.rsplit_once('-').filter(|(_, key)| is_key(key)) else {
                continue;
            };
            let folder = self.folder_of(version, key);
            let is_kept = if is_whole(&folder) { is_kept(key) } else { has_components(&folder)? };
            if !is_kept {
                folders::remove(&folder)?;
            }
            let of_all = self.folder.join(&name);
            if of_all != folder && files::names(&of_all)?.is_empty() {
                folders::remove(&of_all)?;
            }
        }
        Ok(())
    }
}

/// The part of a digest that is in names.
pub(super) fn key_of(digest: &str) -> String {
    digest.chars().take(DIGITS).filter(char::is_ascii_alphanumeric).collect()
}

fn is_key(text: &str) -> bool {
    text.len() == DIGITS && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Whether all of a snapshot is in a folder: what is written last is there.
fn is_whole(folder: &Path) -> bool {
    files::exists(folder.join("images.json"))
}

/// Whether a folder is that of several components, as it was when the service had them.
fn has_components(folder: &Path) -> std::io::Result<bool> {
    Ok(files::names(folder)?.iter().any(|name| is_whole(&folder.join(name))))
}

fn read(folder: &Path) -> Result<Snapshot, String> {
    let text = |name: &str| {
        files::read_text(folder.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let parse = |name: &str, error: serde_json::Error| format!("{name}: {error}");
    let images = serde_json::from_str::<Snapshot>(&text("images.json")?);
    let model = serde_json::from_str(&text("model.json")?);
    Ok(Snapshot {
        model: model.map_err(|error| parse("model.json", error))?,
        ..images.map_err(|error| parse("images.json", error))?
    })
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
