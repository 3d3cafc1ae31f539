//! Whether somebody who holds a lock has stopped getting anywhere.

use std::time::Duration;

/// How long an owner may go on without progress when he has declared nothing else.
pub const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Whether an owner is stale. How long he has held the lock says nothing: a long deployment that
/// gets on is well.
///
/// `progress_age` is the time since the last entry of his journal, or since he took the lock when
/// there is none; `deadline` is how long he declared that one step may take.
pub fn is_stale(progress_age: Duration, deadline: Duration) -> bool {
    progress_age > deadline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_without_progress_past_the_deadline_counts() {
        assert!(!is_stale(Duration::ZERO, DEADLINE));
        assert!(!is_stale(DEADLINE, DEADLINE));
        assert!(is_stale(DEADLINE + Duration::from_millis(1), DEADLINE));
        assert!(!is_stale(DEADLINE * 2, DEADLINE * 3));
    }
}
