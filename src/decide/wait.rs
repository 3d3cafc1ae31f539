//! Waiting and supervising as a state machine over elapsed time.
//!
//! *Waiting* goes on until its deadline; failures only cost time. *Supervising* follows the
//! container health-check model: a number of consecutive failures decides, failures in the start
//! period do not count.

use std::time::Duration;

use super::backoff::{Backoff, Interval};
use super::verdict::Verdict;
use super::words::count;

/// How many failed name resolutions in a row end a wait.
pub const NAME_TRIES: u32 = 10;

/// What decides the end of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    /// Until it passes, or the deadline.
    Wait {
        /// The deadline, counted from the start.
        within: Duration,
    },
    /// For a time; consecutive failures decide.
    Supervise {
        /// How long to supervise.
        length: Duration,
        /// Consecutive failures that decide.
        failures: u32,
    },
    /// A smoke check: a number of tries.
    Attempts {
        /// Tries at most; at least one.
        attempts: u32,
    },
}

/// The timing of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What decides the end.
    pub mode: Mode,
    /// The pause between attempts.
    pub interval: Interval,
    /// The limit of one attempt.
    pub timeout: Duration,
    /// Consecutive passes wanted; at least one.
    pub passes: u32,
    /// The time in which failures do not count and conditions do not end a wait early.
    pub start_period: Duration,
}

/// What one attempt told, as far as timing is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The judgement of the attempt.
    pub verdict: Verdict,
    /// Whether anything answered; back-off depends on it.
    pub answered: bool,
    /// Whether the name did not resolve.
    pub unresolved: bool,
    /// Why going on cannot help, if so.
    pub terminal: Option<Terminal>,
}

/// Why going on cannot help.
#[derive(Debug, Clone, PartialEq)]
pub enum Terminal {
    /// The process that should answer is gone: true at any time.
    Gone(String),
    /// A condition of the configuration holds: not asked during the start period.
    Condition(String),
    /// What should run has crashed, which counts as a condition; whoever waits for what it serves
    /// waits in vain, too.
    Crashed(String),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Look, for at most this long.
    Probe {
        /// The limit of this attempt: never beyond the deadline.
        timeout: Duration,
    },
    /// Do nothing for this long.
    Sleep(Duration),
    /// It is over.
    Done(End),
}

/// The end, with its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The judgement.
    pub verdict: Verdict,
    /// Why it ended, in words.
    pub reason: String,
}

/// The state of one check's waiting.
#[derive(Debug, Clone)]
pub struct Wait {
    policy: Policy,
    backoff: Backoff,
    attempts: u32,
    passes: u32,
    failures: u32,
    unresolved: u32,
    last: Option<Verdict>,
    sleep_until: Option<Duration>,
    /// Whether the limit has left the attempt that goes on less than its time.
    shortened: bool,
    end: Option<End>,
}

impl Wait {
    /// Begins; `seed` makes the jitter reproducible.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let backoff = Backoff::new(policy.interval.clone(), seed);
        Self {
            policy,
            backoff,
            attempts: 0,
            passes: 0,
            failures: 0,
            unresolved: 0,
            last: None,
            sleep_until: None,
            shortened: false,
            end: None,
        }
    }

    /// What to do at `elapsed` since the start.
    pub fn next(&mut self, elapsed: Duration) -> Step {
        if let Some(end) = &self.end {
            return Step::Done(end.clone());
        }
        let limit = self.limit();
        if limit.is_some_and(|limit| elapsed >= limit) {
            return Step::Done(self.at_the_limit());
        }
        if let Some(until) = self.sleep_until.filter(|until| elapsed < *until) {
            let until = limit.map_or(until, |limit| until.min(limit));
            return Step::Sleep(until.saturating_sub(elapsed));
        }
        let left = limit.map_or(Duration::MAX, |limit| limit - elapsed);
        self.shortened = left < self.policy.timeout;
        Step::Probe { timeout: self.policy.timeout.min(left) }
    }

    /// Takes in what an attempt that ended at `elapsed` told; tells whether it counts. One that
    /// the limit cut off before it could find out anything does not, when there was one before.
    pub fn observe(&mut self, elapsed: Duration, outcome: &Outcome) -> bool {
        let at_the_limit = self.limit().is_some_and(|limit| elapsed >= limit);
        // Whoever is supervised had no fair chance to answer; whoever is waited for had all the
        // time before.
        let unfair = matches!(self.policy.mode, Mode::Supervise { .. })
            && self.shortened
            && !outcome.verdict.is_pass()
            && outcome.terminal.is_none();
        let cut_off = at_the_limit && (outcome.verdict == Verdict::Error || unfair);
        if cut_off && self.last.is_some() {
            return false;
        }
        self.attempts += 1;
        let counts = elapsed >= self.policy.start_period;
        self.last = Some(outcome.verdict);
        self.unresolved = if outcome.unresolved { self.unresolved + 1 } else { 0 };
        if outcome.verdict.is_pass() {
            self.passes += 1;
            self.failures = 0;
        } else {
            self.passes = 0;
            self.failures += u32::from(counts);
        }
        self.end = self.decide(counts, outcome);
        let pause = self.backoff.pause(outcome.answered);
        self.sleep_until = Some(elapsed + pause);
        true
    }

    fn decide(&self, counts: bool, outcome: &Outcome) -> Option<End> {
        let end = |verdict, reason: String| Some(End { verdict, reason });
        match &outcome.terminal {
            Some(Terminal::Gone(why)) => return end(Verdict::Fail, why.clone()),
            Some(Terminal::Condition(why) | Terminal::Crashed(why)) if counts => {
                return end(Verdict::Fail, why.clone());
            }
            _ => {}
        }
        match self.policy.mode {
            Mode::Wait { .. } if self.passes >= self.policy.passes => {
                end(Verdict::Pass, passed(self.passes))
            }
            Mode::Wait { .. } if counts && self.unresolved >= NAME_TRIES => end(
                Verdict::Error,
                format!("the name did not resolve in {NAME_TRIES} tries in a row"),
            ),
            Mode::Supervise { failures, .. } if self.failures >= failures => {
                end(outcome.verdict, format!("{failures} failures in a row"))
            }
            Mode::Attempts { .. } if self.passes >= self.policy.passes => {
                end(Verdict::Pass, passed(self.passes))
            }
            Mode::Attempts { attempts } if self.attempts >= attempts.max(self.policy.passes) => {
                let verdict = outcome.verdict.max(Verdict::Inconclusive);
                end(verdict, format!("not passed in {}", count(self.attempts as usize, "attempt")))
            }
            _ => None,
        }
    }

    fn limit(&self) -> Option<Duration> {
        match self.policy.mode {
            Mode::Wait { within } => Some(within),
            Mode::Supervise { length, .. } => Some(length),
            Mode::Attempts { .. } => None,
        }
    }

    fn at_the_limit(&self) -> End {
        let limit = readable(self.limit().unwrap_or_default());
        match (&self.policy.mode, self.last) {
            (_, None) => End {
                verdict: Verdict::Inconclusive,
                reason: format!("nothing was observed within {limit}"),
            },
            (Mode::Supervise { .. }, Some(Verdict::Pass)) => {
                End { verdict: Verdict::Pass, reason: format!("healthy for {limit}") }
            }
            // It began to fail too late for enough failures in a row, or never left the start period.
            (Mode::Supervise { .. }, Some(_)) => End {
                verdict: Verdict::Inconclusive,
                reason: format!("not healthy at the end of {limit}, but not failed often enough"),
            },
            (_, Some(Verdict::Pass)) => End {
                verdict: Verdict::Inconclusive,
                reason: format!(
                    "passed {} in a row within {limit}, {} wanted",
                    count(self.passes as usize, "time"),
                    self.policy.passes
                ),
            },
            (_, Some(last)) => End {
                verdict: last,
                reason: format!(
                    "not ready within {limit} ({})",
                    count(self.attempts as usize, "attempt")
                ),
            },
        }
    }
}

/// A length without what nobody reads of it: what is left of a deadline is any number of nanoseconds.
fn readable(limit: Duration) -> humantime::FormattedDuration {
    let millis = u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis))
}

fn passed(passes: u32) -> String {
    match passes {
        1 => "passed".into(),
        n => format!("passed {n} times in a row"),
    }
}

#[cfg(test)]
#[test]
fn p8_limits_are_told_in_milliseconds() {
    assert_eq!(readable(Duration::from_nanos(1_999_969_174)).to_string(), "2s");
    assert_eq!(readable(Duration::from_millis(1_500)).to_string(), "1s 500ms");
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
