//! Whether to ask an API again, and when.

use std::time::Duration;

/// The pause after a refusal for asking too much that names none: GitHub wants at least a minute.
const UNNAMED: Duration = Duration::from_secs(60);
/// The first pause after no answer or a server's own failure; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest of those pauses.
const LONGEST: Duration = Duration::from_secs(15);
/// A limit's new beginning is told in whole seconds: one more is certainly past it.
const ROUNDING: Duration = Duration::from_secs(1);

/// What became of a request that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No answer came, or half of one.
    Silence,
    /// An answer that refuses.
    Refused {
        /// Its HTTP status.
        status: u16,
        /// What its `retry-after` says.
        retry_after: Option<Duration>,
        /// The time until its `x-ratelimit-reset`, when nothing remains of the limit.
        reset_in: Option<Duration>,
        /// Whether it says that too much was asked.
        limited: bool,
    },
}

impl Outcome {
    /// Whether the server may have done all the same what it was asked.
    pub fn may_be_done(self) -> bool {
        match self {
            Outcome::Silence => true,
            Outcome::Refused { status, .. } => status >= 500,
        }
    }

    /// The pause before try number `tries + 1`; none when it would not help, or when `left` is
    /// shorter: to sleep through the rest of one's time and then give up helps nobody.
    pub fn pause(self, tries: u32, left: Duration) -> Option<Duration> {
        let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST);
        let pause = match self {
            Outcome::Silence => doubled,
            Outcome::Refused { retry_after, reset_in, limited: true, .. } => {
                retry_after.or(reset_in.map(|reset| reset + ROUNDING)).unwrap_or(UNNAMED)
            }
            Outcome::Refused { status: 500..=599, retry_after, .. } => {
                retry_after.unwrap_or(doubled)
            }
            Outcome::Refused { .. } => return None,
        };
        (pause < left).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn refused(status: u16) -> Outcome {
        let limited = status == 429;
        Outcome::Refused { status, retry_after: None, reset_in: None, limited }
    }

    fn limited(retry_after: Option<u64>, reset_in: Option<u64>) -> Outcome {
        Outcome::Refused {
            status: 403,
            retry_after: retry_after.map(Duration::from_secs),
            reset_in: reset_in.map(Duration::from_secs),
            limited: true,
        }
    }

    #[test]
    fn a_limit_says_when_and_silence_means_a_minute() {
        let left = SECOND * 3600;
        assert_eq!(limited(Some(7), Some(90)).pause(1, left), Some(SECOND * 7));
        assert_eq!(limited(None, Some(90)).pause(1, left), Some(SECOND * 91));
        assert_eq!(limited(None, None).pause(1, left), Some(SECOND * 60));
        assert_eq!(
            limited(Some(7), None).pause(1, SECOND * 5),
            None,
            "not past the time that is left"
        );
    }

    #[test]
    fn what_is_wrong_is_not_asked_again() {
        for status in [400, 401, 403, 404, 409, 410, 422] {
            assert_eq!(refused(status).pause(1, SECOND * 600), None, "{status}");
            assert!(!refused(status).may_be_done(), "{status}");
        }
        assert!(refused(502).may_be_done() && Outcome::Silence.may_be_done());
        assert!(!refused(429).may_be_done());
    }

    proptest! {
        #[test]
        fn pauses_grow_and_never_pass_the_end(tries in 1u32..100, left in 0u64..600) {
            let left = SECOND * u32::try_from(left).unwrap();
            for outcome in [Outcome::Silence, refused(500), refused(429)] {
                let pause = outcome.pause(tries, left);
                prop_assert!(pause.is_none_or(|pause| pause < left));
            }
            let (one, next) = (Outcome::Silence.pause(tries, SECOND * 600), Outcome::Silence.pause(tries + 1, SECOND * 600));
            prop_assert!(one <= next && next <= Some(LONGEST));
        }
    }
}
