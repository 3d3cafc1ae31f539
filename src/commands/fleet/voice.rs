//! One of several parts of a run, under a name of its own.

use std::sync::{Mutex, PoisonError};

use crate::commands::Session;
use crate::host::signals::Cancel;

impl Session {
    /// One of several parts of this run: with its secrets, under a name of its own, and with this
    /// cancellation.
    pub(super) fn part(&self, voice: String, cancel: Cancel) -> Self {
        Self {
            entry: self.entry,
            common: self.common.clone(),
            mask: Mutex::new(self.mask.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            started: self.started,
            wall: self.wall,
            cancel,
            detached: None,
            voice: Some(voice),
        }
    }

    /// Keeps the secrets that a part came to know.
    pub(super) fn learn(&self, part: &Session) {
        let known = part.mask.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.hide_all(&known);
    }
}
