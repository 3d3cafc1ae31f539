//! Room on the disk for the way back. A release that fills the disk must not be the one that
//! stays: what was set aside before it began is given free before anything is taken back.

use std::path::{Path, PathBuf};

use crate::exit::Fault;
use crate::host::files;

/// A way back writes a few lines into the journal and the ledger, process ids and the beginning of
/// a log: far less than these bytes.
const SIZE: usize = 256 << 10;

fn file(run: &Path) -> PathBuf {
    run.join("reserve")
}

/// Sets room aside in the folder of a run.
///
/// # Errors
/// When there is none: then nothing should begin that could need it.
pub(super) fn take(run: &Path) -> anyhow::Result<()> {
    let file = file(run);
    files::fill(&file, SIZE).map_err(|error| {
        free(run);
        Fault::error(format!(
            "no room can be set aside for a way back: {}: {error}",
            file.display()
        ))
        .hint("nothing was touched; is there space left for the state folder?")
        .into()
    })
}

/// Whether room is set aside there.
pub(super) fn is_held(run: &Path) -> bool {
    files::exists(file(run))
}

/// Gives it free. What is not there is free already.
pub(super) fn free(run: &Path) {
    // Where even this fails, all that could be done is to go on.
    files::remove(file(run)).unwrap_or_default();
}
