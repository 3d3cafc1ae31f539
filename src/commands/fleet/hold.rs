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
use crate::host::clock::{Moment, unix_ms};
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
    let turn = fleet::next_turn(scope, state, Duration::from_millis(unix_ms()));
    session.holds(turn.map_err(Fault::error)?);
    while !session.cancel.sleep(PATIENCE) {}
    Ok(session.report(Verdict::Pass, "the hosts are free again"))
}

/// That the hosts are the caller's to change.
#[derive(Debug)]
pub(super) struct Hold {
    now: Arc<Mutex<Now>>,
    /// The turn that was known when it was asked last.
    known: Cell<u64>,
}

/// How it stands.
#[derive(Debug)]
enum Now {
    /// They are asked for.
    Asking,
    /// They are held, in this turn.
    Held(u64),
    /// Why that is given up.
    GivenUp(Option<anyhow::Error>),
}

/// Whether they have been held all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// Since it was asked last.
    Ever,
    /// Only now again: others may have changed them.
    Again,
}

/// Does something while the hosts are this caller's to change.
///
/// # Errors
/// When they do not become so, and as what is done.
pub(super) fn holding(
    order: &Order<'_>,
    what: impl FnOnce(&Hold) -> anyhow::Result<Report>,
) -> anyhow::Result<Report> {
    let now = Arc::new(Mutex::new(Now::Asking));
    let hold = Hold { now: now.clone(), known: Cell::new(0) };
    let release = Cancel::default();
    std::thread::scope(|scope| {
        scope.spawn(|| ask_for(order, &now, &release));
        let first = hold.until_held(Some(&order.session.cancel));
        let result = first.and_then(|turn| {
            hold.known.set(turn);
            what(&hold)
        });
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
        let notify: Notify = Arc::new(move |turn| *lock(&held) = Now::Held(turn));
        let error = match order.hold(notify, release.clone()) {
            Ok(report) => Fault::error(report.summary).into(),
            Err(error) => error,
        };
        let mut now = lock(now);
        match *now {
            Now::Held(_) => {
                (pause, lost) = (PAUSES.0, Some(Moment::now()));
                *now = Now::Asking;
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
    /// The turn that was known when it was asked last.
    pub(super) fn turn(&self) -> u64 {
        self.known.get()
    }

    /// Waits until they are held, and tells in which turn, and whether they were all the time.
    ///
    /// # Errors
    /// When they cannot be had any more.
    pub(super) fn since(&self) -> anyhow::Result<(u64, Since)> {
        let turn = self.until_held(None)?;
        match self.known.replace(turn) == turn {
            true => Ok((turn, Since::Ever)),
            false => Ok((turn, Since::Again)),
        }
    }

    fn until_held(&self, cancel: Option<&Cancel>) -> anyhow::Result<u64> {
        let nobody = Cancel::default();
        loop {
            match &mut *lock(&self.now) {
                Now::Held(turn) => return Ok(*turn),
                Now::GivenUp(why) => {
                    let gone = || Fault::error("the hosts cannot be held any more").into();
                    return Err(why.take().unwrap_or_else(gone));
                }
                Now::Asking => {}
            }
            if let Some(signal) = cancel.and_then(Cancel::reason) {
                return Err(Fault::error(format!("left by {signal}; nothing was begun")).into());
            }
            nobody.sleep(TICK);
        }
    }
}
