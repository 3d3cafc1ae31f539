//! One attempt that asks several times: "twenty requests at once, all of them answered".

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use super::{Attempt, Check};
use crate::config::CheckSpec;
use crate::decide::expect::{Context, Finding};
use crate::decide::judge::{Judgement, unseen};
use crate::decide::observation::Observation;
use crate::decide::verdict::Verdict;
use crate::host::clock::Moment;
use crate::host::room::Room;

/// Questions that one attempt may ask.
const MOST: u32 = 10_000;
/// Questions that may be asked at once.
const AT_ONCE: u32 = 64;
/// Different warnings that are kept of all answers.
const WARNINGS: usize = 20;

/// How often one attempt asks, and how many of that at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Burst {
    repeat: u32,
    concurrency: u32,
}

impl Burst {
    /// As a check says; once where it says nothing.
    pub(super) fn of(spec: &CheckSpec) -> Result<Self, String> {
        let (repeat, concurrency) = (spec.repeat.unwrap_or(1), spec.concurrency.unwrap_or(1));
        if repeat == 0 || repeat > MOST {
            return Err(format!("repeat is {repeat}; 1 to {MOST} are possible"));
        }
        if concurrency == 0 || concurrency > AT_ONCE {
            return Err(format!("concurrency is {concurrency}; 1 to {AT_ONCE} are possible"));
        }
        if concurrency > repeat {
            return Err(format!(
                "concurrency is {concurrency}, and repeat {repeat}: so many are never asked at once; \
                 write `repeat: {concurrency}`"
            ));
        }
        Ok(Self { repeat, concurrency })
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    passed: u32,
    asked: u32,
    /// The answer that is worst, or the last one where all passed.
    worst: Option<Looked>,
    /// The first condition that ends a wait, whichever answer it is of.
    terminal: Option<String>,
    /// What all answers warn of, each of it once.
    warnings: Vec<String>,
    /// What came with the answers that these words are of, and must not be shown.
    secrets: Vec<String>,
}

/// What one attempt has seen.
pub(super) struct Looked {
    pub observation: Observation,
    pub judgement: Judgement,
    /// What came with it and must not be shown.
    pub secrets: Vec<String>,
}

impl Seen {
    fn add(&mut self, mut one: Looked) {
        let Looked { judgement, .. } = &mut one;
        self.asked += 1;
        let before = self.warnings.len();
        for warning in std::mem::take(&mut judgement.warnings) {
            if self.warnings.len() < WARNINGS && !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        let terminal = judgement.terminal.take().filter(|_| self.terminal.is_none());
        let is_told = terminal.is_some() || self.warnings.len() > before;
        self.terminal = self.terminal.take().or(terminal);
        self.passed += u32::from(judgement.verdict.is_pass());
        let known = self.worst.as_ref().map(|known| known.judgement.verdict);
        // The first of several that are as bad is where it began.
        let is_worse = known.is_none_or(|known| judgement.verdict > known);
        if is_told {
            self.secrets.extend_from_slice(&one.secrets);
        }
        if is_worse || self.passed == self.asked {
            self.worst = Some(one);
        }
    }
}

impl Check {
    /// One attempt: what was seen, and what that means. Of several questions the worst answer is
    /// what was seen.
    pub(super) fn look(&self, attempt: &Attempt<'_>, context: &Context, room: &Room) -> Looked {
        let Burst { repeat, concurrency } = self.burst;
        let once = |attempt: &Attempt<'_>| {
            let observation = self.probe.look(attempt);
            let judgement = self.judge.judge(&observation, context);
            let secrets = self.judge.secrets(&observation, &judgement);
            Looked { observation, judgement, secrets }
        };
        if repeat == 1 {
            return once(attempt);
        }
        let (began, next, seen) = (Moment::now(), AtomicU32::new(0), Mutex::new(Seen::default()));
        let (variables, cancel, limit) = (attempt.variables, attempt.cancel, attempt.timeout);
        let ask = || {
            while next.fetch_add(1, Ordering::SeqCst) < repeat {
                // All of them together are one attempt, with one limit.
                let timeout = limit.saturating_sub(began.elapsed());
                if timeout.is_zero() || cancel.reason().is_some() {
                    return;
                }
                let place = room.place();
                let one = Attempt { timeout, variables, cancel, place: &place };
                let one = once(&one);
                seen.lock().unwrap_or_else(PoisonError::into_inner).add(one);
            }
        };
        thread::scope(|scope| {
            // With no more threads fewer are asked at once; this one is there in any case.
            let more = |_: &u32| Builder::new().spawn_scoped(scope, ask).is_ok();
            let threads = 1 + (1..concurrency).take_while(more).count();
            if threads < concurrency as usize {
                let warning = format!("no more than {threads} threads to ask at once");
                seen.lock().unwrap_or_else(PoisonError::into_inner).warnings.push(warning);
            }
            ask();
        });
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        conclude(seen, repeat, began.elapsed())
    }
}

/// What all answers together mean: not having come to ask is no pass.
fn conclude(seen: Seen, repeat: u32, took: Duration) -> Looked {
    let Seen { passed, asked, worst, terminal, warnings, mut secrets } = seen;
    let Some(Looked { observation, judgement, secrets: own }) = worst else {
        let failure = crate::decide::observation::ProbeFailure {
            kind: crate::decide::observation::FailureKind::Timeout,
            message: format!("none of {repeat} was asked in time"),
            elapsed: took,
        };
        let judgement = unseen(Verdict::Fail, failure.message.clone());
        return Looked { observation: Observation::Failed(failure), judgement, secrets };
    };
    secrets.extend(own);
    let missing = if asked < repeat { Verdict::Fail } else { Verdict::Pass };
    let verdict = judgement.verdict.max(missing);
    let found = match (judgement.verdict.is_pass(), asked < repeat) {
        (true, false) => format!("{passed} of {repeat} passed"),
        (true, true) => {
            format!("{passed} of {repeat} passed, and {} were not asked in time", repeat - asked)
        }
        (false, _) => format!("{passed} of {repeat} passed; {}", judgement.reason()),
    };
    let finding = Finding {
        what: if verdict.is_pass() { "repeat".into() } else { String::new() },
        wanted: format!("all of {repeat}"),
        found,
        verdict,
        warnings: Vec::new(),
        circuits: Vec::new(),
        is_nothing: false,
    };
    let captured = if verdict.is_pass() { judgement.captured } else { Vec::new() };
    let findings = std::iter::once(finding).chain(judgement.findings).collect();
    let judgement = Judgement { verdict, findings, warnings, terminal, captured };
    Looked { observation, judgement, secrets }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(verdict: Verdict, terminal: Option<&str>, warnings: &[&str], secret: &str) -> Looked {
        let failure = crate::decide::observation::ProbeFailure {
            kind: crate::decide::observation::FailureKind::Broken,
            message: String::new(),
            elapsed: Duration::ZERO,
        };
        let judgement = Judgement {
            terminal: terminal.map(str::to_owned),
            warnings: warnings.iter().map(|&warning| warning.to_owned()).collect(),
            ..unseen(verdict, secret.into())
        };
        let (observation, secrets) = (Observation::Failed(failure), vec![secret.to_owned()]);
        Looked { observation, judgement, secrets }
    }

    #[test]
    fn p6_what_ends_a_wait_and_what_is_warned_of_is_kept_of_every_answer() {
        let mut seen = Seen::default();
        for answer in [
            one(Verdict::Pass, None, &["old"], "a"),
            one(Verdict::Fail, None, &["slow", "old"], "b"),
            one(Verdict::Fail, Some("crashed"), &[], "c"),
            one(Verdict::Fail, Some("also"), &["old"], "d"),
            one(Verdict::Pass, None, &["weak"], "e"),
        ] {
            seen.add(answer);
        }
        let Looked { judgement, secrets, .. } = conclude(seen, 5, Duration::ZERO);
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.findings[0].found, "2 of 5 passed; b", "the first that is worst");
        assert_eq!(judgement.terminal.as_deref(), Some("crashed"));
        assert_eq!(judgement.warnings, ["old", "slow", "weak"]);
        assert_eq!(secrets, ["a", "b", "c", "e", "b"], "of all whose words are told");
        let mut seen = Seen::default();
        for number in 0..1000 {
            seen.add(one(Verdict::Pass, None, &[&format!("warning {number}")], ""));
        }
        assert_eq!((seen.warnings.len(), seen.secrets.len()), (WARNINGS, WARNINGS));
    }
}
