//! The runner: a thread per check at a time, one channel, one main thread that owns progress, cancellation
//! and the results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use super::burst::Looked;
use super::cookies::shown;
use super::crew::{AT_ONCE, Crew};
use super::order::provider;
use super::progress::Progress;
use super::record::{Record, Told, response};
use super::{Attempt, Check};
use crate::commands::Session;
use crate::decide::expect::Context;
use crate::decide::judge::{Captured, unseen};
use crate::decide::observation::{FailureKind, Observation};
use crate::decide::state::Hopeless;
use crate::decide::verdict::{Severity, Verdict, of_suite};
use crate::decide::wait::{End, Mode, Outcome, Policy, Step, Terminal, Wait};
use crate::host::clock::{self, Moment};
use crate::host::process::{self, Started};
use crate::host::room::Room;
use crate::host::signals::Cancel;
use crate::report::v1;

/// How long the main thread sleeps at most before it looks for a cancellation.
const TICK: Duration = Duration::from_millis(50);
/// How long what a failed check can tell besides is waited for.
const EVIDENCE: Duration = Duration::from_secs(5);

/// What the checks are run for; it chooses their timing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// Until each passes, or its deadline, or the one over all.
    Wait {
        /// The deadline over all.
        deadline: Option<Duration>,
    },
    /// A number of tries each.
    Smoke,
    /// For a time; consecutive failures decide.
    Supervise {
        /// The time.
        length: Duration,
    },
}

/// What became of a run.
#[derive(Debug)]
pub struct Run {
    /// The checks in their order.
    pub checks: Vec<v1::Check>,
    /// The worst of the critical ones.
    pub verdict: Verdict,
    /// The signal that ended it early.
    pub cancelled: Option<&'static str>,
}

enum Event {
    Attempt(usize, Box<Told>),
    Done(Box<Ended>),
}

/// The end of a check's thread.
struct Ended {
    index: usize,
    end: End,
    captured: Vec<Captured>,
    /// That what should run has crashed, if so.
    crash: Option<String>,
    /// What it can tell besides, when it did not pass.
    evidence: Option<String>,
}

/// What every check's thread may use.
#[derive(Clone)]
struct Shared {
    started: Moment,
    /// Set when nobody waits for the thread any more.
    cancel: Cancel,
    room: Arc<Room>,
    version: Option<String>,
    process: Option<Started>,
    sender: Sender<Event>,
}

/// Runs all checks: those that need nothing from each other at the same time.
pub fn run(
    checks: &[Arc<Check>],
    expected_version: Option<&str>,
    process: Option<Started>,
    purpose: Purpose,
    session: &Session,
) -> Run {
    let (sender, receiver) = mpsc::channel();
    let shared = Shared {
        started: Moment::now(),
        cancel: Cancel::default(),
        room: Arc::default(),
        version: expected_version.map(str::to_owned),
        process,
        sender,
    };
    let progress = Progress::new(checks, session);
    let mut state = State::new(checks, purpose, session, shared, progress);
    state.start_what_can();
    while !state.is_over() {
        if session.cancel.reason().is_some() {
            break;
        }
        match receiver.recv_timeout(TICK) {
            Ok(event) => state.take(event),
            Err(RecvTimeoutError::Timeout) => state.progress.tick(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // Whoever still looks looks for nobody, and has a moment to end the programs that it runs: we
    // may be about to leave.
    state.shared.cancel.set("the end of the run");
    if state.running > 0 {
        Cancel::default().sleep(TICK);
    }
    state.finish(session.cancel.reason())
}

struct State<'a> {
    checks: &'a [Arc<Check>],
    purpose: Purpose,
    session: &'a Session,
    shared: Shared,
    progress: Progress<'a>,
    waiting: BTreeSet<usize>,
    crew: Crew,
    /// Checks whose threads have not come to their end.
    running: usize,
    records: Vec<Record>,
    results: Vec<Option<v1::Check>>,
    variables: BTreeMap<String, String>,
}

impl<'a> State<'a> {
    fn new(
        checks: &'a [Arc<Check>],
        purpose: Purpose,
        session: &'a Session,
        shared: Shared,
        progress: Progress<'a>,
    ) -> Self {
        Self {
            checks,
            purpose,
            session,
            shared,
            progress,
            waiting: (0..checks.len()).collect(),
            crew: Crew::default(),
            running: 0,
            records: checks.iter().map(|_| Record::default()).collect(),
            results: checks.iter().map(|_| None).collect(),
            variables: BTreeMap::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.results.iter().all(Option::is_some)
    }

    /// Starts every check whose needs are there, and ends those whose needs will never be.
    fn start_what_can(&mut self) {
        let mut next = 0;
        while let Some(index) = self.waiting.range(next..).next().copied() {
            // Whoever comes to the end has them all looked at again.
            if self.running >= AT_ONCE {
                return;
            }
            next = index + 1;
            let check = &self.checks[index];
            let missing = check.needs.iter().find(|name| !self.variables.contains_key(*name));
            let Some(name) = missing else {
                self.start(index);
                continue;
            };
            let source = provider(self.checks, name);
            if source.is_some_and(|source| self.results[source].is_some()) {
                let source = source.map_or("", |source| self.checks[source].name.as_str());
                let reason = format!("not run: check {source} did not capture {}", shown(name));
                self.waiting.remove(&index);
                self.settle(index, &End { verdict: Verdict::Inconclusive, reason }, None);
            }
        }
    }

    fn start(&mut self, index: usize) {
        self.waiting.remove(&index);
        let check = self.checks[index].clone();
        let began = self.shared.started.elapsed();
        self.records[index].began = began;
        let policy = self.policy(&check, began);
        let context =
            Context { version: self.shared.version.clone(), variables: self.variables.clone() };
        let shared = self.shared.clone();
        let job = Box::new(move || watch(index, &check, policy, &context, &shared));
        match self.crew.give(self.running, job) {
            Ok(()) => self.running += 1,
            Err(error) => {
                let reason = format!("cannot start a thread: {error}");
                self.settle(index, &End { verdict: Verdict::Error, reason }, None);
            }
        }
    }

    fn policy(&self, check: &Check, began: Duration) -> Policy {
        match self.purpose {
            Purpose::Smoke => check.smoke(),
            Purpose::Supervise { length } => check.supervising(length),
            Purpose::Wait { deadline } => {
                let mut policy = check.waiting();
                if let (Mode::Wait { within }, Some(deadline)) = (&mut policy.mode, deadline) {
                    *within = (*within).min(deadline.saturating_sub(began));
                }
                policy
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            // It was given up.
            Event::Attempt(index, _) if self.results[index].is_some() => {}
            Event::Attempt(index, told) => {
                self.records[index].hide(&told.secrets, self.session);
                self.progress.attempt(index, &told);
                self.records[index].add(*told, self.session);
            }
            Event::Done(ended) => {
                let Ended { index, end, captured, crash, evidence } = *ended;
                self.running -= 1;
                for value in captured {
                    if value.secret {
                        self.session.hide(&value.value);
                    }
                    self.variables.insert(value.name, value.value);
                }
                let critical = self.checks[index].severity == Severity::Critical;
                self.settle(index, &end, evidence);
                match crash {
                    Some(why) if critical && matches!(self.purpose, Purpose::Wait { .. }) => {
                        self.give_up(&why);
                    }
                    _ => self.start_what_can(),
                }
            }
        }
    }

    /// Ends whatever is still waited for: what should answer has crashed.
    fn give_up(&mut self, why: &str) {
        self.waiting.clear();
        let reason = format!("not waited for any longer: {why}");
        let end = End { verdict: Verdict::Fail, reason };
        for index in 0..self.checks.len() {
            if self.results[index].is_none() {
                self.settle(index, &end, None);
            }
        }
    }

    fn settle(&mut self, index: usize, end: &End, evidence: Option<String>) {
        let record = std::mem::take(&mut self.records[index]);
        let at = self.shared.started.elapsed();
        let published = record.publish(&self.checks[index], end, at, evidence);
        self.progress.done(index, &published);
        self.results[index] = Some(published);
        // What needed this one may never run now.
        if !end.verdict.is_pass() {
            self.start_what_can();
        }
    }

    fn finish(mut self, cancelled: Option<&'static str>) -> Run {
        for index in 0..self.checks.len() {
            if self.results[index].is_none() {
                let reason = match cancelled {
                    Some(signal) => format!("cancelled by {signal}"),
                    None => "the check's thread was lost".into(),
                };
                let record = std::mem::take(&mut self.records[index]);
                let end = End { verdict: Verdict::Inconclusive, reason };
                let at = self.shared.started.elapsed();
                self.results[index] = Some(record.publish(&self.checks[index], &end, at, None));
            }
        }
        self.progress.end();
        let checks: Vec<v1::Check> = self.results.into_iter().flatten().collect();
        let verdict = of_suite(checks.iter().map(|check| (check.severity, check.verdict)));
        Run { checks, verdict, cancelled }
    }
}

/// The life of a check's thread: the one loop that sleeps.
fn watch(index: usize, check: &Check, policy: Policy, context: &Context, shared: &Shared) {
    let mut wait = Wait::new(policy, clock::seed());
    let began = Moment::now();
    let (mut captured, mut crash) = (Vec::new(), None);
    let end = loop {
        match wait.next(began.elapsed()) {
            Step::Done(end) => break end,
            Step::Sleep(pause) => {
                if shared.cancel.sleep(pause) {
                    return;
                }
            }
            Step::Probe { timeout } => {
                let place = shared.room.place();
                let (variables, cancel) = (&context.variables, &shared.cancel);
                let attempt = Attempt { timeout, variables, cancel, place: &place };
                let looked = check.look(&attempt, context, &shared.room);
                let Looked { observation, mut judgement, secrets } = looked;
                let terminal = gone(check, shared).map(Terminal::Gone);
                if let (Some(Terminal::Gone(why)), false) = (&terminal, judgement.verdict.is_pass())
                {
                    judgement = unseen(Verdict::Fail, why.clone());
                }
                let outcome = outcome(&observation, &judgement, terminal);
                if !wait.observe(began.elapsed(), &outcome) {
                    continue;
                }
                crash = match outcome.terminal {
                    Some(Terminal::Crashed(why)) => Some(why),
                    _ => None,
                };
                captured = std::mem::take(&mut judgement.captured);
                let told = Box::new(Told {
                    at: shared.started.elapsed(),
                    latency: observation.elapsed(),
                    response: response(&observation, judgement.verdict),
                    secrets,
                    judgement,
                });
                if shared.sender.send(Event::Attempt(index, told)).is_err() {
                    return;
                }
            }
        }
    };
    let mut evidence = None;
    if !end.verdict.is_pass() {
        captured.clear();
        let (place, cancel) = (shared.room.place(), &shared.cancel);
        let variables = &context.variables;
        let attempt = Attempt { timeout: EVIDENCE, variables, cancel, place: &place };
        evidence = check.probe.evidence(&attempt);
    }
    // It is one only if it ended the wait, and not in the start period.
    let crash = crash.filter(|why| *why == end.reason);
    let ended = Ended { index, end, captured, crash, evidence };
    // The main thread may have left after a cancellation.
    shared.sender.send(Event::Done(Box::new(ended))).unwrap_or_default();
}

fn outcome(
    observation: &Observation,
    judgement: &crate::decide::judge::Judgement,
    gone: Option<Terminal>,
) -> Outcome {
    let unresolved =
        matches!(observation, Observation::Failed(f) if f.kind == FailureKind::NameNotFound);
    // A pass is a pass, though another process gave it: the version tells them apart.
    let gone = gone.filter(|_| !judgement.verdict.is_pass());
    Outcome {
        verdict: judgement.verdict,
        answered: observation.answered(),
        unresolved,
        terminal: gone
            .or_else(|| judgement.terminal.clone().map(Terminal::Condition))
            .or_else(|| hopeless(observation)),
    }
}

/// Why going on cannot help, as its keeper tells.
fn hopeless(observation: &Observation) -> Option<Terminal> {
    let Observation::State(state) = observation else { return None };
    state.terminal.clone().map(|hopeless| match hopeless {
        Hopeless::Crashed(why) => Terminal::Crashed(why),
        Hopeless::Settled(why) => Terminal::Condition(why),
    })
}

/// Why the process that should be serving is gone, if it is.
fn gone(check: &Check, shared: &Shared) -> Option<String> {
    let process = match (&check.pid_file, shared.process) {
        (Some(file), _) => process::read_pid_file(file)?,
        (None, Some(process)) => process,
        (None, None) => return None,
    };
    (!process::is_alive(process)).then(|| format!("process {} is gone", process.pid))
}
