//! One caller at a time changes several hosts: the first of them by name keeps a lock for it, for as
//! long as the connection lasts. When the caller dies, so does the lock.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::across::Order;
use crate::commands::Session;
use crate::commands::follow::QUEUE;
use crate::decide::verdict::Verdict;
use crate::deploy::{Scope, State, fleet};
use crate::exit::Fault;
use crate::host::clock::Moment;
use crate::host::signals::Cancel;
use crate::remote::Notify;
use crate::report::v1::Report;

/// How often a cancellation is looked for.
const TICK: Duration = Duration::from_millis(20);
/// The first pause before the lock is asked for again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a caller who lost the connection tries to have it again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The host's side: takes the lock, says so, and keeps it until the connection ends.
pub(super) fn keep(
    session: &Session,
    scope: &Scope,
    state: &State,
    queue: Option<Duration>,
) -> anyhow::Result<Report> {
    let say = |holder: &str| {
        session.say(&format!("          | the hosts are changed by {holder}: that is waited for"));
    };
    let limit = queue.unwrap_or(QUEUE);
    let held = fleet::hold((scope, state), &session.by(), limit, &session.cancel, say);
    let _held = held.map_err(|why| {
        let hint = "try again when it is over, or wait longer with --queue; nothing was touched";
        Fault::error(why).hint(hint)
    })?;
    session.holds();
    while !session.cancel.sleep(PATIENCE) {}
    Ok(session.report(Verdict::Pass, "the hosts are free again"))
}

/// That the hosts are the caller's to change.
#[derive(Debug)]
pub(super) struct Hold {
    now: Arc<Mutex<Now>>,
    /// How often they had become so, when it was last known that nobody else had changed them.
    trusted: Cell<u32>,
}

/// How it stands.
#[derive(Debug)]
enum Now {
    /// They are asked for, after they were held so many times.
    Asking(u32),
    /// They are held, and have been so many times.
    Held(u32),
    /// Why that is given up.
    GivenUp(Option<anyhow::Error>),
}

/// Whether they have been held all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// Since it was last known that nobody else had changed them.
    Ever,
    /// Only now again, this many times in all: others may have changed them.
    Again(u32),
}

/// Does something while the hosts are this caller's to change.
///
/// # Errors
/// When they do not become so, and as what is done.
pub(super) fn holding(
    order: &Order<'_>,
    what: impl FnOnce(&Hold) -> anyhow::Result<Report>,
) -> anyhow::Result<Report> {
    let now = Arc::new(Mutex::new(Now::Asking(0)));
    let hold = Hold { now: now.clone(), trusted: Cell::new(1) };
    let release = Cancel::default();
    std::thread::scope(|scope| {
        scope.spawn(|| ask_for(order, &now, &release));
        let first = hold.until_held(Some(&order.session.cancel));
        let result = first.and_then(|_| what(&hold));
        release.set("SIGTERM");
        result
    })
}

/// Holds them over as many connections as it takes, until it is told to let go.
fn ask_for(order: &Order<'_>, now: &Arc<Mutex<Now>>, release: &Cancel) {
    let (mut pause, longest) = PAUSES;
    let mut lost: Option<Moment> = None;
    loop {
        let held = now.clone();
        let notify: Notify = Arc::new(move || {
            let mut now = lock(&held);
            if let Now::Asking(times) = *now {
                *now = Now::Held(times + 1);
            }
        });
        let error = match order.hold(notify, release.clone()) {
            Ok(report) => Fault::error(report.summary).into(),
            Err(error) => error,
        };
        let mut now = lock(now);
        match *now {
            Now::Held(times) => {
                (pause, lost) = (PAUSES.0, Some(Moment::now()));
                *now = Now::Asking(times);
            }
            _ if lost.is_some_and(|lost| lost.elapsed() < PATIENCE) => {
                pause = (pause * 2).min(longest);
            }
            _ => {
                *now = Now::GivenUp(Some(error));
                return;
            }
        }
        drop(now);
        if release.sleep(pause) {
            return;
        }
    }
}

fn lock(now: &Mutex<Now>) -> MutexGuard<'_, Now> {
    now.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hold {
    /// Waits until they are held, and tells whether they were all the time.
    ///
    /// # Errors
    /// When they cannot be had any more.
    pub(super) fn since(&self) -> anyhow::Result<Since> {
        let times = self.until_held(None)?;
        match self.trusted.get() == times {
            true => Ok(Since::Ever),
            false => Ok(Since::Again(times)),
        }
    }

    /// Says that nobody else had changed them until they were held this many times.
    pub(super) fn trust(&self, times: u32) {
        self.trusted.set(times);
    }

    fn until_held(&self, cancel: Option<&Cancel>) -> anyhow::Result<u32> {
        let nobody = Cancel::default();
        loop {
            match &mut *lock(&self.now) {
                Now::Held(times) => return Ok(*times),
                Now::GivenUp(why) => {
                    let gone = || Fault::error("the hosts cannot be held any more").into();
                    return Err(why.take().unwrap_or_else(gone));
                }
                Now::Asking(_) => {}
            }
            if let Some(signal) = cancel.and_then(Cancel::reason) {
                return Err(Fault::error(format!("left by {signal}; nothing was begun")).into());
            }
            nobody.sleep(TICK);
        }
    }
}
