//! The journal of one deployment: appended and synced before each act, read by whoever goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::{Chain, Damage, Kind, Numbered};
use crate::decide::journal::Entry;
use crate::exit::Fault;
use crate::host::{clock, files};

/// A line: an entry with its place and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1; order is by this and not by time.
    pub seq: u64,
    /// When: milliseconds since 1970 in UTC.
    pub at_ms: u64,
    /// The fencing token of the engine that wrote it.
    pub fence: u64,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Numbered for Line {
    fn number(&self) -> u64 {
        self.seq
    }
}

/// A journal file. Whoever appends holds the lock of its service and environment.
#[derive(Debug)]
pub struct Journal {
    file: PathBuf,
    chain: Chain<Line>,
    /// What happened and could not be written yet, with the fencing token of then.
    owed: Vec<(u64, Entry)>,
}

impl Journal {
    /// Reads the journal of a run's folder; one that is not there is empty. Nothing is made.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged: then nothing is guessed.
    pub fn open(run: &Path) -> anyhow::Result<Self> {
        let file = run.join("journal.jsonl");
        if !files::exists(&file) {
            return Ok(Self { file, chain: Chain::default(), owed: Vec::new() });
        }
        let bytes = files::read(&file).map_err(|error| {
            Fault::error(format!("cannot read the journal {}: {error}", file.display()))
        })?;
        let chain = Chain::read(&bytes).map_err(|damage| fault(&file, &damage))?;
        Ok(Self { file, chain, owed: Vec::new() })
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> &[Line] {
        &self.chain.records
    }

    /// Adds an entry; when this returns, it is kept.
    ///
    /// # Errors
    /// When it could not be kept for certain. What was written of it is cut off again, now or
    /// before the next entry.
    pub fn append(&mut self, fence: u64, entry: Entry) -> anyhow::Result<()> {
        while let Some((fence, entry)) = self.owed.first().cloned() {
            self.add(fence, entry)?;
            self.owed.remove(0);
        }
        self.add(fence, entry)
    }

    /// Keeps an entry that counts although it could not be written, for the next time that
    /// something is: without it, what follows would mean something else to who reads it.
    pub fn owe(&mut self, fence: u64, entry: Entry) {
        self.owed.push((fence, entry));
    }

    fn add(&mut self, fence: u64, entry: Entry) -> anyhow::Result<()> {
        let seq = self.chain.next_number();
        let line = Line { seq, at_ms: clock::unix_ms(), fence, entry };
        let text = self.chain.line(&line)?;
        let whole = self.chain.whole as u64;
        files::extend(&self.file, whole, text.as_bytes()).map_err(|error| {
            Fault::error(format!("cannot write the journal {}: {error}", self.file.display()))
                .hint("is the state folder writable, and is there space left?")
        })?;
        self.chain.push(line, &text);
        Ok(())
    }
}

fn fault(file: &Path, damage: &Damage) -> Fault {
    let hint = match damage.kind {
        Kind::Newer(_) => "use the waveoff that wrote it, or a newer one",
        _ => {
            "nothing was touched; look at what runs, bring it to a known state by hand, then move \
             the run's folder away"
        }
    };
    let place = format!("{}:{}", file.display(), damage.line);
    Fault::error(format!("{place}: the journal is damaged: {}", damage.kind)).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d7_what_could_not_be_written_is_written_before_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let reason = |reason: &str| Entry::Interrupted { reason: reason.into() };
        let mut journal = Journal::open(&run).unwrap();
        journal.append(1, reason("first")).unwrap();
        // A folder in its place: whatever is written fails.
        let file = run.join("journal.jsonl");
        let whole = files::read(&file).unwrap();
        files::remove(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        for entry in [reason("second"), reason("third")] {
            journal.append(1, entry.clone()).unwrap_err();
            journal.owe(1, entry);
        }
        files::remove_folder(&file).unwrap();
        files::append(&file, &whole).unwrap();
        journal.append(2, Entry::Ended).unwrap();
        let read = Journal::open(&run).unwrap();
        let entries: Vec<_> = read.lines().iter().map(|line| line.entry.clone()).collect();
        assert_eq!(entries, [reason("first"), reason("second"), reason("third"), Entry::Ended]);
        let fences: Vec<u64> = read.lines().iter().map(|line| line.fence).collect();
        assert_eq!(fences, [1, 1, 1, 2], "each under the number of then");
    }
}
