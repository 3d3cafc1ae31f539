//! How long to wait between two looks.

use std::time::Duration;

/// The pause between two attempts.
///
/// A refused connection says nothing but "not yet", so it is asked again quickly; back-off begins
/// when something answers, since then each question costs the service something.
#[derive(Debug, Clone, PartialEq)]
pub enum Interval {
    /// Always the same pause.
    Fixed(Duration),
    /// 50 ms while nothing listens, then × 1.5 with ± 20 % jitter up to 1 s.
    Adaptive,
}

/// The pause while nothing listens.
pub const QUICK: Duration = Duration::from_millis(50);
/// The longest pause of [`Interval::Adaptive`].
pub const CAP: Duration = Duration::from_secs(1);
const FACTOR: f64 = 1.5;
const JITTER: f64 = 0.2;

/// The state of a series of pauses.
#[derive(Debug, Clone)]
pub struct Backoff {
    interval: Interval,
    answers: i32,
    random: u64,
}

impl Backoff {
    /// Starts a series; `seed` makes its jitter reproducible.
    pub fn new(interval: Interval, seed: u64) -> Self {
        Self { interval, answers: 0, random: seed | 1 }
    }

    /// The pause after an attempt; `answered` tells whether anything at all answered it.
    pub fn pause(&mut self, answered: bool) -> Duration {
        match self.interval {
            Interval::Fixed(pause) => pause,
            Interval::Adaptive if !answered => {
                self.answers = 0;
                QUICK
            }
            Interval::Adaptive => {
                let grown = QUICK.as_secs_f64() * FACTOR.powi(self.answers.min(16));
                self.answers += 1;
                let capped = grown.min(CAP.as_secs_f64());
                Duration::from_secs_f64(capped * (1.0 + JITTER * self.jitter())).min(CAP)
            }
        }
    }

    /// A number in −1..1 (xorshift64).
    fn jitter(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_closed_port_is_polled_every_50_ms() {
        let mut backoff = Backoff::new(Interval::Adaptive, 7);
        assert!((0..100).all(|_| backoff.pause(false) == QUICK));
    }

    #[test]
    fn answers_slow_it_down_and_silence_speeds_it_up_again() {
        let mut backoff = Backoff::new(Interval::Adaptive, 7);
        let tenth = (0..10).map(|_| backoff.pause(true)).last().unwrap();
        assert!(tenth >= Duration::from_millis(800), "{tenth:?}");
        assert_eq!(backoff.pause(false), QUICK);
    }

    proptest! {
        #[test]
        fn pauses_stay_between_40_ms_and_1_s(seed: u64, answers in prop::collection::vec(any::<bool>(), 1..60)) {
            let mut backoff = Backoff::new(Interval::Adaptive, seed);
            for answered in answers {
                let pause = backoff.pause(answered);
                prop_assert!(pause >= Duration::from_millis(40) && pause <= CAP, "{pause:?}");
            }
        }
    }
}
