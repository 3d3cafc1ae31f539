//! Where a release's archive is had from, and what its checksum must be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::artifact::SystemdSpec;
use crate::deploy::commands::Commands;
use crate::host::archive::Archive;
use crate::host::download::{self, Download};
use crate::host::files;

/// The limit of fetching an archive.
const FETCHING: Duration = Duration::from_secs(10 * 60);
/// The largest archive that is fetched.
const LARGEST: u64 = 16 << 30;
/// The largest file of checksums that is fetched.
const LARGEST_SUMS: u64 = 1 << 20;
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// Where an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// On this machine.
    Path(PathBuf),
    /// Behind an address.
    Url(String),
}

impl Source {
    pub(super) fn of(text: &str) -> Self {
        match is_url(text) {
            true => Self::Url(text.to_owned()),
            false => Self::Path(text.into()),
        }
    }

    /// Its own name, by which a file of checksums knows it.
    pub(super) fn name(&self) -> String {
        let path = self.to_string();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            // What is behind the question mark may be a secret.
            Self::Url(url) => f.write_str(url.split(['?', '#']).next().unwrap_or_default()),
        }
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// What `sha256:` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sums {
    /// The checksum itself.
    Literal(String),
    /// A file of them.
    File(Source),
}

impl Sums {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        if let Some(sha256) = sha256(text) {
            return Ok(Self::Literal(sha256));
        }
        match text.len() >= DIGITS - 8 && text.chars().all(|c| c.is_ascii_alphanumeric()) {
            true => Err(format!("{text:?} has not {DIGITS} hexadecimal digits")),
            false => Ok(Self::File(Source::of(text))),
        }
    }
}

/// A SHA-256 in lower-case hex, with or without its algorithm's name.
pub(super) fn sha256(text: &str) -> Option<String> {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = text.len() == DIGITS && text.chars().all(|c| c.is_ascii_hexdigit());
    is_hex.then(|| text.to_ascii_lowercase())
}

/// The checksum of a name in a file of them, as `sha256sum` writes it; a file with no more than a
/// checksum is about whatever was asked for.
pub(super) fn listed(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<(&str, &str)> =
        lines.map(|line| line.split_once([' ', '\t']).unwrap_or((line, ""))).collect();
    if let [(sum, "")] = lines.as_slice() {
        return sha256(sum);
    }
    lines.iter().find_map(|(sum, rest)| {
        let file = rest.trim_start().trim_start_matches('*');
        (file.rsplit('/').next() == Some(name)).then(|| sha256(sum)).flatten()
    })
}

/// How something is fetched.
pub(super) struct Fetcher<'a> {
    pub(super) spec: &'a SystemdSpec,
    pub(super) commands: &'a Commands<'a>,
}

impl Fetcher<'_> {
    /// The checksum that a file of them has for an archive. Without such a file in the
    /// configuration, one that is beside the archive.
    pub(super) fn listed(
        &self,
        sums: Option<&Source>,
        of: &Source,
        folder: &Path,
    ) -> Result<Option<String>, String> {
        let name = of.name();
        let text = match (sums, of) {
            (Some(sums @ Source::Path(path)), _) => {
                Some((sums.clone(), files::read_text(path).map_err(|e| format!("{sums}: {e}"))?))
            }
            (Some(sums @ Source::Url(url)), _) => {
                let file = folder.join("sums");
                self.download(url, &file, LARGEST_SUMS).map_err(|why| format!("{sums}: {why}"))?;
                Some((sums.clone(), files::read_text(&file).map_err(|e| format!("{sums}: {e}"))?))
            }
            (None, Source::Path(path)) => beside(path)?,
            (None, Source::Url(_)) => None,
        };
        let Some((sums, text)) = text else { return Ok(None) };
        match listed(&text, &name) {
            Some(sum) => Ok(Some(sum)),
            None => Err(format!("{sums} has no SHA-256 of {name}")),
        }
    }

    /// Opens an archive; one that is far away is fetched into the folder first.
    pub(super) fn open(&self, source: &Source, folder: &Path) -> Result<Archive, String> {
        let file = match source {
            Source::Path(path) => path.clone(),
            Source::Url(url) => {
                let file = folder.join("archive");
                self.download(url, &file, LARGEST).map_err(|why| format!("{source}: {why}"))?;
                file
            }
        };
        Archive::open(&file).map_err(|error| format!("{source}: {error}"))
    }

    fn download(&self, url: &str, into: &Path, most: u64) -> Result<(), String> {
        let session = self.commands.session;
        let timeout = self.spec.fetch_within.map_or(FETCHING, |within| within.0);
        let headers =
            self.spec.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let download = Download { url, headers, timeout, most };
        download::fetch(&download, into, &session.cancel, |read, told| {
            let of = told.map(|told| format!(" of {}", mebibytes(told))).unwrap_or_default();
            session.say(&format!("          | fetched {}{of}", mebibytes(read)));
        })
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// A file of checksums beside an archive, with its text.
fn beside(archive: &Path) -> Result<Option<(Source, String)>, String> {
    let mut own = archive.as_os_str().to_owned();
    own.push(".sha256");
    for file in [PathBuf::from(own), archive.with_file_name("SHA256SUMS")] {
        if files::exists(&file) {
            let text =
                files::read_text(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            return Ok(Some((Source::Path(file), text)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_a_checksum_is_found_by_the_archives_name() {
        let (one, two) = ("1".repeat(64), "A".repeat(64));
        let text = format!("{one}  dist/shop-v1.tar.gz\n{two} *shop-v2.tar.gz\nnonsense\n");
        assert_eq!(listed(&text, "shop-v1.tar.gz"), Some(one.clone()));
        assert_eq!(listed(&text, "shop-v2.tar.gz"), Some("a".repeat(64)));
        assert_eq!(listed(&text, "v2.tar.gz"), None);
        assert_eq!(listed(&format!("{one}\n"), "anything"), Some(one.clone()));
        assert_eq!(listed(&format!("{one}  other\n"), "shop-v1.tar.gz"), None);
        assert_eq!(listed("", "x"), None);
    }

    #[test]
    fn d11_what_is_no_checksum_is_not_taken_for_a_file() {
        assert_eq!(
            Sums::of(&format!("sha256:{}", "0".repeat(64))).unwrap(),
            Sums::Literal("0".repeat(64))
        );
        assert!(Sums::of(&"0".repeat(63)).is_err());
        assert!(Sums::of(&"g".repeat(64)).is_err());
        assert!(matches!(Sums::of("dist/SHA256SUMS"), Ok(Sums::File(Source::Path(_)))));
        assert!(matches!(Sums::of("https://x.test/s"), Ok(Sums::File(Source::Url(_)))));
    }

    #[test]
    fn d11_an_archives_name_is_the_last_part_of_where_it_is() {
        assert_eq!(Source::of("dist/shop-v1.tar.gz").name(), "shop-v1.tar.gz");
        assert_eq!(Source::of("https://x.test/a/shop.tgz?token=1#x").name(), "shop.tgz");
    }
}
