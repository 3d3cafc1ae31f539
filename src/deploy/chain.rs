//! The lines of a ledger or a journal: JSON objects, each chained to the one before by a checksum.
//!
//! The last member of a line is `"sha256"`: the hash, in hex, of the hash of the line before
//! (nothing for the first) followed by the line's own bytes up to that member. So a line that was
//! changed, lost, doubled or moved is noticed; a last line without its line break was torn while
//! it was written, was never acknowledged, and counts as not written.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of this format.
const FORMAT: u32 = 1;
/// What stands between a line's content and its hash.
const SEAL: &str = ",\"sha256\":\"";
/// What stands after the hash.
const END: &str = "\"}";
/// A SHA-256 in hex.
const HEX: usize = 64;

/// What stands on a line.
pub(super) trait Numbered: Serialize + DeserializeOwned {
    /// Its number, from 1.
    fn number(&self) -> u64;
}

/// The lines, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain<R> {
    /// The records.
    pub records: Vec<R>,
    /// The bytes that are whole lines; what follows is torn.
    pub whole: usize,
    /// The hash of the last line; empty before the first.
    hash: String,
}

impl<R> Default for Chain<R> {
    fn default() -> Self {
        Self { records: Vec::new(), whole: 0, hash: String::new() }
    }
}

/// A file that cannot be trusted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: Kind,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has no checksum where one should be, or another one than its content.
    Checksum,
    /// It is whole and says something that a ledger does not say.
    Content(String),
    /// Its number does not follow.
    Number {
        /// What it should be.
        wanted: u64,
        /// What it is.
        found: u64,
    },
    /// It was written by a newer program.
    Newer(u32),
}

#[derive(Serialize)]
struct Line<'a, R> {
    format: u32,
    #[serde(flatten)]
    record: &'a R,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

impl<R: Numbered> Chain<R> {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first line that is damaged.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let mut chain = Self::default();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let damage = |kind| Damage { line: chain.records.len() + 1, kind };
            let (record, hash) = chain.open(&rest[..end]).map_err(damage)?;
            chain.records.push(record);
            chain.hash = hash;
            chain.whole += end + 1;
            rest = &rest[end + 1..];
        }
        // A sealed line with something behind it was not torn: its line break was damaged.
        if sealed_inside(rest) {
            return Err(Damage { line: chain.records.len() + 1, kind: Kind::Checksum });
        }
        Ok(chain)
    }

    /// Checks one line.
    fn open(&self, line: &[u8]) -> Result<(R, String), Kind> {
        let text = std::str::from_utf8(line).map_err(|_| Kind::Checksum)?;
        // A newer format may be sealed in another way, so this comes first.
        if let Ok(Head { format }) = serde_json::from_str(text)
            && format > FORMAT
        {
            return Err(Kind::Newer(format));
        }
        let (content, seal) = text.rsplit_once(SEAL).ok_or(Kind::Checksum)?;
        let hash = hash(&self.hash, content);
        if seal.strip_suffix(END) != Some(&hash) {
            return Err(Kind::Checksum);
        }
        let record: R = serde_json::from_str(&format!("{content}}}"))
            .map_err(|error| Kind::Content(error.to_string()))?;
        let wanted = self.next_number();
        if record.number() != wanted {
            return Err(Kind::Number { wanted, found: record.number() });
        }
        Ok((record, hash))
    }

    /// The number of the next record.
    pub(super) fn next_number(&self) -> u64 {
        self.records.last().map_or(1, |record| record.number() + 1)
    }

    /// Takes a record as written, with the line that [`line`](Chain::line) gave.
    pub(super) fn push(&mut self, record: R, line: &str) {
        let (content, _) = line.rsplit_once(SEAL).unwrap_or((line, ""));
        self.hash = hash(&self.hash, content);
        self.whole += line.len();
        self.records.push(record);
    }

    /// The line of a record that follows, with its line break.
    ///
    /// # Errors
    /// When the record cannot be written as JSON.
    pub(super) fn line(&self, record: &R) -> serde_json::Result<String> {
        let object = serde_json::to_string(&Line { format: FORMAT, record })?;
        let content = object.strip_suffix('}').unwrap_or(&object);
        Ok(format!("{content}{SEAL}{}{END}\n", hash(&self.hash, content)))
    }
}

fn sealed_inside(torn: &[u8]) -> bool {
    let sealed = SEAL.len() + HEX + END.len();
    let starts = torn.windows(SEAL.len()).position(|window| window == SEAL.as_bytes());
    starts.is_some_and(|start| torn.len() > start + sealed)
}

fn hash(before: &str, content: &str) -> String {
    let digest = Sha256::new().chain_update(before).chain_update(content).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Checksum => f.write_str("its checksum does not fit its content"),
            Kind::Content(why) => write!(f, "it cannot be understood: {why}"),
            Kind::Number { wanted, found } => write!(f, "it has number {found}, not {wanted}"),
            Kind::Newer(format) => write!(f, "it has format {format}, which a newer waveoff wrote"),
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "chain_crash_tests.rs"]
mod crash_tests;
