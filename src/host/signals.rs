//! Cancelling: SIGINT, SIGTERM and SIGHUP become a flag that every sleeper wakes up for.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Moment;

/// A second signal ends the process.
const HASTY: u8 = 0;
/// The first signal cancels, further ones change nothing.
const PATIENT: u8 = 1;
/// No signal changes anything.
const SHIELDED: u8 = 2;

/// Whether to stop, shared by all threads.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    shared: Arc<(Mutex<Option<&'static str>>, Condvar)>,
    /// What came while the shield was up.
    missed: Arc<Mutex<Option<&'static str>>>,
    mode: Arc<AtomicU8>,
}

impl Cancel {
    /// One that SIGINT and SIGTERM set, and SIGHUP unless it is ignored (`nohup`). A second signal ends the process at once, as it would
    /// without us, until [`Cancel::stay`].
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    #[cfg(unix)]
    pub fn on_signals() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let cancel = Self::default();
        let hangup = (!ignores(SIGHUP)).then_some(SIGHUP);
        let all = hangup.into_iter().chain([SIGINT, SIGTERM]);
        let mut signals = signal_hook::iterator::Signals::new(all)?;
        let setter = cancel.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let mode = setter.mode.load(Ordering::SeqCst);
                if mode == HASTY && setter.reason().is_some() {
                    // The default action ends the process; if it cannot, it was asked once already.
                    signal_hook::low_level::emulate_default_handler(signal).unwrap_or_default();
                }
                setter.set(match signal {
                    SIGINT => "SIGINT",
                    SIGHUP => "SIGHUP",
                    _ => "SIGTERM",
                });
            }
        })?;
        Ok(cancel)
    }

    /// One that is only set by the program itself.
    ///
    /// # Errors
    /// Never here.
    #[cfg(not(unix))]
    pub fn on_signals() -> std::io::Result<Self> {
        Ok(Self::default())
    }

    /// Asks everybody to stop.
    pub fn set(&self, reason: &'static str) {
        if self.mode.load(Ordering::SeqCst) == SHIELDED {
            *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            return;
        }
        let (state, woken) = &*self.shared;
        *state.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        woken.notify_all();
    }

    /// From here on a second signal does not end the process either: something is half done, and
    /// whoever sleeps still wakes at the first one. Takes a shield down: what came meanwhile
    /// counts now.
    pub fn stay(&self) {
        self.mode.store(PATIENT, Ordering::SeqCst);
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner).take();
        missed.into_iter().for_each(|reason| self.set(reason));
    }

    /// Withdraws a cancellation and heeds no signal from here on: what runs now must come to its
    /// end, as a rollback must. SIGQUIT and SIGKILL still end the process.
    pub fn shield(&self) {
        self.mode.store(SHIELDED, Ordering::SeqCst);
        let cancelled = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if cancelled.is_some() {
            *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = cancelled;
        }
    }

    /// Why to stop, if so.
    pub fn reason(&self) -> Option<&'static str> {
        *self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, but not past a cancellation; tells whether there was one.
    pub fn sleep(&self, pause: Duration) -> bool {
        let started = Moment::now();
        let (state, woken) = &*self.shared;
        let mut reason = state.lock().unwrap_or_else(PoisonError::into_inner);
        while reason.is_none() {
            let left = pause.saturating_sub(started.elapsed());
            if left.is_zero() {
                return false;
            }
            reason = woken.wait_timeout(reason, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Whether our caller had a signal ignored, as the kernel tells (proc(5), `SigIgn`).
#[cfg(unix)]
fn ignores(signal: i32) -> bool {
    let status = super::files::read_text("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_wakes_when_it_is_cancelled() {
        let cancel = Cancel::default();
        let sleeper = cancel.clone();
        let thread = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(600)));
        cancel.set("SIGTERM");
        assert!(thread.join().unwrap());
        assert_eq!(cancel.reason(), Some("SIGTERM"));
        assert!(cancel.sleep(Duration::from_secs(600)));
    }

    #[test]
    fn behind_the_shield_nothing_is_cancelled() {
        let cancel = Cancel::default();
        cancel.set("SIGINT");
        cancel.shield();
        assert_eq!(cancel.reason(), None);
        cancel.set("SIGTERM");
        assert!(!cancel.sleep(Duration::from_millis(1)));
    }
}
