//! One attempt that asks several times: "twenty requests at once, all of them answered".

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
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
    worst: Option<(Observation, Judgement)>,
}

impl Seen {
    fn add(&mut self, observation: Observation, judgement: Judgement) {
        self.asked += 1;
        self.passed += u32::from(judgement.verdict.is_pass());
        let known = self.worst.as_ref().map(|(_, known)| known.verdict);
        // The first of several that are as bad is where it began.
        let is_worse = known.is_none_or(|known| judgement.verdict > known);
        if is_worse || self.passed == self.asked {
            self.worst = Some((observation, judgement));
        }
    }
}

impl Check {
    /// One attempt: what was seen, and what that means. Of several questions the worst answer is
    /// what was seen.
    pub(super) fn look(
        &self,
        attempt: &Attempt<'_>,
        context: &Context,
        room: &Room,
    ) -> (Observation, Judgement) {
        let Burst { repeat, concurrency } = self.burst;
        if repeat == 1 {
            let observation = self.probe.look(attempt);
            let judgement = self.judge.judge(&observation, context);
            return (observation, judgement);
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
                let observation = self.probe.look(&one);
                let judgement = self.judge.judge(&observation, context);
                seen.lock().unwrap_or_else(PoisonError::into_inner).add(observation, judgement);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..concurrency {
                scope.spawn(ask);
            }
            ask();
        });
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        conclude(seen, repeat, began.elapsed())
    }
}

/// What all answers together mean: not having come to ask is no pass.
fn conclude(seen: Seen, repeat: u32, took: Duration) -> (Observation, Judgement) {
    let Seen { passed, asked, worst } = seen;
    let Some((observation, judgement)) = worst else {
        let failure = crate::decide::observation::ProbeFailure {
            kind: crate::decide::observation::FailureKind::Timeout,
            message: format!("none of {repeat} was asked in time"),
            elapsed: took,
        };
        let judgement = unseen(Verdict::Fail, failure.message.clone());
        return (Observation::Failed(failure), judgement);
    };
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
    };
    let captured = if verdict.is_pass() { judgement.captured } else { Vec::new() };
    let findings = std::iter::once(finding).chain(judgement.findings).collect();
    (observation, Judgement { verdict, findings, captured, ..judgement })
}
