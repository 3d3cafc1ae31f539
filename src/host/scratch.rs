//! A folder for us alone that is gone when it is not needed any more.

use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::{env, files};

/// The folder.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// A new one, where a CI runner removes what a killed job left, if there is such a place.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("waveoff-");
        match env::var("RUNNER_TEMP") {
            Some(folder) if files::exists(&folder) => builder.tempdir_in(folder).map(Self),
            _ => builder.tempdir().map(Self),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that only its owner may read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        files::replace_private(self.0.path().join(name), content)
    }
}
