//! Time, and the one sleep.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

/// A moment on the clock that only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// The time since this moment.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// For how long this machine runs, without the time it slept: the clock of systemd's
/// `…TimestampMonotonic`. Zero where there is none.
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::try_from(now).unwrap_or_default()
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// The time of day.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The time of day in milliseconds since 1970 in UTC.
pub fn unix_ms() -> u64 {
    let since = wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// A time of day as RFC 3339 in UTC, to the millisecond.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// A number that differs from run to run.
pub fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
