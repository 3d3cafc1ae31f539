//! What a scanner found in an image, and whether that is under the bar: Trivy's JSON, and SARIF.

mod about;
mod age;
mod sarif;
mod trivy;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

pub use self::about::{About, Image};
pub use self::age::time;
use super::words::count;

/// How bad a finding is, by the word that scanners use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nobody has judged it.
    Unknown,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// All, worst first.
pub const LEVELS: [(Level, &str); 5] = [
    (Level::Critical, "CRITICAL"),
    (Level::High, "HIGH"),
    (Level::Medium, "MEDIUM"),
    (Level::Low, "LOW"),
    (Level::Unknown, "UNKNOWN"),
];

impl Level {
    fn of(word: &str) -> Option<Self> {
        LEVELS.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(level, _)| *level)
    }

    /// By a score of 0 to 10 (CVSS v3 qualitative scale).
    fn of_score(score: f64) -> Self {
        match score {
            score if score >= 9.0 => Level::Critical,
            score if score >= 7.0 => Level::High,
            score if score >= 4.0 => Level::Medium,
            score if score > 0.0 => Level::Low,
            _ => Level::Unknown,
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = LEVELS.map(|(_, name)| name.to_lowercase()).join(", ");
        Self::of(text).ok_or_else(|| format!("{text:?} is no level; known are {known}"))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LEVELS.iter().find(|(level, _)| level == self).map_or("", |(_, name)| name))
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How bad it is.
    pub level: Level,
    /// What it is called: `CVE-2024-3094`.
    pub id: String,
    /// Where: a package with its version, or a file.
    pub place: String,
    /// The version in which it is mended, where there is one.
    pub fixed: Option<String>,
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// What was scanned, by its name.
    pub subject: Option<String>,
    /// Whether that is an image, or may be one; else files.
    pub is_of_image: bool,
    /// The digests of what was scanned, `repository@sha256:…` or `sha256:…`.
    pub digests: Vec<String>,
    /// When, as the report writes it.
    pub created: Option<String>,
    /// Whether nobody tells of new vulnerabilities in its distribution any more.
    pub is_past_end: bool,
    /// How many things were looked through; nothing may have been.
    pub looked_at: usize,
    /// What was found.
    pub found: Vec<Found>,
}

/// Reads a report of either kind.
///
/// # Errors
/// When it is neither, or part of it cannot be understood.
pub fn read(bytes: &[u8]) -> Result<Scan, String> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    if value["runs"].is_array() {
        return sarif::read(&value);
    }
    if value.get("ArtifactName").is_some() || value.get("SchemaVersion").is_some() {
        return trivy::read(&value);
    }
    Err("it is neither Trivy's JSON nor SARIF".into())
}

impl Scan {
    /// What is at the bar or above it, worst first.
    pub fn over(&self, bar: Level) -> Vec<&Found> {
        let mut over: Vec<&Found> = self.found.iter().filter(|one| one.level >= bar).collect();
        over.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.id.cmp(&b.id)));
        over
    }

    /// How many of each level, in words: `2 CRITICAL, 1 HIGH`.
    pub fn counts(&self) -> String {
        let mut counts: BTreeMap<Level, usize> = BTreeMap::new();
        self.found.iter().for_each(|one| *counts.entry(one.level).or_default() += 1);
        let words: Vec<String> =
            counts.iter().rev().map(|(level, number)| format!("{number} {level}")).collect();
        match words.is_empty() {
            true => format!("nothing found in {}", count(self.looked_at, "target")),
            false => words.join(", "),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.level, self.id, self.place)?;
        self.fixed.iter().try_for_each(|fixed| write!(f, ", mended in {fixed}"))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
