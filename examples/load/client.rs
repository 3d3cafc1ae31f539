//! The connections, a thread each, until there is enough.

use std::io::BufRead as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::exchange::{Connection, Failure, Reply};
use crate::options::Options;

/// Before somebody who was refused tries again.
const PAUSE: Duration = Duration::from_millis(5);

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer of one of the versions, whole.
    Right(u8),
    /// An answer that is no success.
    Status(u16),
    /// A success with the wrong content.
    Wrong,
    /// No answer.
    Failed(Failure),
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// When it was over, from the start.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
    /// Whether it was asked again, because the connection had been closed before the first byte.
    pub(crate) again: bool,
}

/// Everything that was seen.
pub(crate) struct Run {
    /// In the order of their ends.
    pub(crate) samples: Vec<Sample>,
    /// When each phase began, and its name.
    pub(crate) phases: Vec<(Duration, String)>,
    pub(crate) took: Duration,
    /// Connections that were opened.
    pub(crate) opened: u64,
}

struct Shared<'a> {
    options: &'a Options,
    started: Instant,
    stop: AtomicBool,
    /// Requests that have begun.
    begun: AtomicU64,
    opened: AtomicU64,
}

pub(crate) fn run(options: &Options) -> Run {
    // Threads of the marks outlive the run, when nobody closes standard input.
    let shared: &Shared<'_> = &Shared {
        options,
        started: Instant::now(),
        stop: AtomicBool::new(false),
        begun: AtomicU64::new(0),
        opened: AtomicU64::new(0),
    };
    let marks = Marks::listen(shared.started);
    let mut samples = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.connections)
            .map(|number| scope.spawn(move || shared.connection(number)))
            .collect();
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            if marks.stopped() {
                shared.stop.store(true, Ordering::Relaxed);
            }
            thread::sleep(Duration::from_millis(5));
        }
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    samples.sort_by_key(|sample| sample.at);
    let opened = shared.opened.load(Ordering::Relaxed);
    Run { samples, phases: marks.phases(), took: shared.started.elapsed(), opened }
}

impl Shared<'_> {
    fn connection(&self, number: usize) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(1 << 14);
        let mut connection = None;
        let pace = self.options.rate.map(|rate| self.options.connections as f64 / rate);
        for turn in 0_u64.. {
            let late = self.options.time.is_some_and(|time| self.started.elapsed() >= time);
            let enough = self.begun.fetch_add(1, Ordering::Relaxed) >= self.options.requests;
            if late || enough || self.stop.load(Ordering::Relaxed) {
                break;
            }
            let due = pace.map(|pace| {
                let first = pace * number as f64 / self.options.connections as f64;
                Duration::from_secs_f64(first + pace * turn as f64)
            });
            let begins = self.wait(due);
            let (outcome, again) = self.request(&mut connection);
            let at = self.started.elapsed();
            samples.push(Sample { at, took: at.saturating_sub(begins), outcome, again });
            if matches!(outcome, Outcome::Failed(Failure::Refused)) {
                thread::sleep(PAUSE);
            }
        }
        samples
    }

    /// Until a request is due; gives from when its time counts. One that could not be sent in time
    /// waited too: otherwise a stall would be one slow request and not all that stood behind it.
    fn wait(&self, due: Option<Duration>) -> Duration {
        let now = self.started.elapsed();
        match due {
            None => now,
            Some(due) => {
                thread::sleep(due.saturating_sub(now));
                due
            }
        }
    }

    fn request(&self, connection: &mut Option<Connection>) -> (Outcome, bool) {
        match self.attempt(connection) {
            Err(Failure::ClosedIdle) => (self.outcome(self.attempt(connection)), true),
            other => (self.outcome(other), false),
        }
    }

    /// Leaves a connection behind that can be used again, or none.
    fn attempt(&self, connection: &mut Option<Connection>) -> Result<Reply, Failure> {
        let Options { address, timeout, request, header, .. } = self.options;
        let mut current = match connection.take() {
            Some(open) => open,
            None => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                Connection::open(*address, *timeout)?
            }
        };
        let reply = current.exchange(request, header)?;
        if reply.keep_alive {
            *connection = Some(current);
        }
        Ok(reply)
    }

    fn outcome(&self, reply: Result<Reply, Failure>) -> Outcome {
        match reply {
            Err(failure) => Outcome::Failed(failure),
            Ok(reply) if !(200..300).contains(&reply.status) => Outcome::Status(reply.status),
            Ok(reply) => self
                .options
                .version(reply.said.as_deref(), &reply.body)
                .map_or(Outcome::Wrong, Outcome::Right),
        }
    }
}

/// What is said on standard input.
struct Marks(&'static Mutex<(Vec<(Duration, String)>, bool)>);

impl Marks {
    fn listen(started: Instant) -> Self {
        // The thread that reads lives until the process ends.
        let shared: &'static Mutex<_> =
            Box::leak(Box::new(Mutex::new((vec![(Duration::ZERO, "start".to_owned())], false))));
        thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let at = started.elapsed();
                let mut marks = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match line.trim().split_once(' ') {
                    Some(("phase", name)) => marks.0.push((at, name.to_owned())),
                    None if line.trim() == "stop" => marks.1 = true,
                    _ => eprintln!("load: {line:?} is neither `phase NAME` nor `stop`"),
                }
            }
        });
        Self(shared)
    }

    fn stopped(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn phases(&self) -> Vec<(Duration, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
