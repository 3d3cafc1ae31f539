//! The ledger as a file in the state folder.

use std::path::PathBuf;

use super::{Ledger, Scope, State};
use crate::decide::history::{Event, Record};
use crate::deploy::chain::{Chain, Damage, Kind};
use crate::exit::Fault;
use crate::host::{clock, files};

/// A ledger file. Whoever appends holds the lock of its folder.
pub(super) struct Folder {
    scope: Scope,
    file: PathBuf,
}

impl Folder {
    pub(super) fn new(scope: &Scope, state: &State) -> Self {
        Self { scope: scope.clone(), file: state.folder(scope).join("ledger.jsonl") }
    }

    fn chain(&self) -> anyhow::Result<Chain<Record>> {
        if !files::exists(&self.file) {
            return Ok(Chain::default());
        }
        let bytes = files::read(&self.file).map_err(|error| {
            Fault::error(format!("cannot read the ledger {}: {error}", self.describe()))
        })?;
        Ok(Chain::read(&bytes).map_err(|damage| self.fault(&damage))?)
    }

    fn fault(&self, damage: &Damage) -> Fault {
        let hint = match damage.kind {
            Kind::Newer(_) => "use the waveoff that wrote it, or a newer one",
            _ => {
                "nothing was touched; restore the file from a backup, or move it away to begin a \
                 new history (then there is no rollback target until a release is verified)"
            }
        };
        let place = format!("{}:{}", self.describe(), damage.line);
        Fault::error(format!("{place}: the ledger is damaged: {}", damage.kind)).hint(hint)
    }
}

impl Ledger for Folder {
    fn read(&self) -> anyhow::Result<Vec<Record>> {
        Ok(self.chain()?.records)
    }

    fn append(&self, deployment: &str, event: Event) -> anyhow::Result<Record> {
        let chain = self.chain()?;
        let record = Record {
            seq: chain.next_number(),
            at: clock::rfc3339(clock::wall()),
            service: self.scope.service.to_string(),
            environment: self.scope.environment.to_string(),
            deployment: deployment.into(),
            event,
        };
        let line = chain.line(&record)?;
        files::extend(&self.file, chain.whole as u64, line.as_bytes()).map_err(|error| {
            Fault::error(format!("cannot write the ledger {}: {error}", self.describe()))
                .hint("is the state folder writable, and is there space left?")
        })?;
        Ok(record)
    }

    fn describe(&self) -> String {
        self.file.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(root: &std::path::Path) -> Folder {
        let scope = Scope::new("shop", "production").unwrap();
        Folder::new(&scope, &State::at(root))
    }

    #[test]
    fn events_are_numbered_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let ledger = ledger(root.path());
        assert!(ledger.read().unwrap().is_empty());
        assert!(!files::exists(&ledger.file), "reading makes nothing");
        ledger.append("d-1", Event::Mutating).unwrap();
        ledger.append("d-1", Event::Verified).unwrap();
        let numbers: Vec<u64> = ledger.read().unwrap().iter().map(|record| record.seq).collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn a_torn_end_is_cut_off_before_the_next_event() {
        let root = tempfile::tempdir().unwrap();
        let ledger = ledger(root.path());
        ledger.append("d-1", Event::Mutating).unwrap();
        files::append(&ledger.file, b"{\"format\":1,\"seq\":2,\"at").unwrap();
        assert_eq!(ledger.read().unwrap().len(), 1);
        assert_eq!(ledger.append("d-1", Event::Verified).unwrap().seq, 2);
        assert_eq!(ledger.read().unwrap().len(), 2);
    }

    #[test]
    fn damage_names_file_and_line_and_is_never_appended_to() {
        let root = tempfile::tempdir().unwrap();
        let ledger = ledger(root.path());
        ledger.append("d-1", Event::Mutating).unwrap();
        let text = files::read_text(&ledger.file).unwrap().replace("d-1", "d-2");
        files::replace(&ledger.file, text.as_bytes()).unwrap();
        let error = ledger.append("d-1", Event::Verified).unwrap_err();
        assert!(error.to_string().contains("ledger.jsonl:1: the ledger is damaged"), "{error}");
        assert_eq!(files::read_text(&ledger.file).unwrap(), text);
    }
}
