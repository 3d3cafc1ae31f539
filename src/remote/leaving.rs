//! When to leave a run that goes on elsewhere.

use std::cell::Cell;
use std::time::Duration;

use crate::host::clock::Moment;
use crate::host::signals::Cancel;

/// How long another connection is tried to pass a cancellation on.
const CANCELLING: Duration = Duration::from_secs(10);

/// Whether to leave a run that goes on there: a signal that is to be passed on needs a connection,
/// which is tried for a while.
pub(super) struct Leaving<'a> {
    cancel: &'a Cancel,
    passes_on: bool,
    since: Cell<Option<Moment>>,
}

impl<'a> Leaving<'a> {
    pub(super) fn of(cancel: &'a Cancel, passes_on: bool) -> Self {
        Self { cancel, passes_on, since: Cell::new(None) }
    }

    /// The signal by which to leave.
    pub(super) fn by(&self) -> Option<&'static str> {
        let signal = self.cancel.reason()?;
        let since = self.since.get().unwrap_or_else(Moment::now);
        self.since.set(Some(since));
        let is_over = !self.passes_on || signal == "SIGHUP" || since.elapsed() > CANCELLING;
        is_over.then_some(signal)
    }
}
