//! Waiting for the lock, in the order of coming.
//!
//! A ticket is a file `queue/<number>-<run>` that the kernel has locked for who waits. The ticket of
//! a dead one is free, counts for nothing and is swept away. Only the first living one may take
//! the lock, and nobody loses a place to somebody who comes later.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Claim, Files, Held, Owner, PATIENCE, Scope, State};
use crate::decide::naming::Name;
use crate::decide::words::count;
use crate::exit::Fault;
use crate::host::clock::Moment;
use crate::host::signals::Cancel;
use crate::host::{files, lock};

/// How often one who waits looks whether it is his turn.
const TURN: Duration = Duration::from_millis(50);

/// Somebody who waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// The number of the ticket. Those who came before have smaller ones.
    #[serde(skip)]
    pub number: u64,
    /// The id of the run.
    pub run: String,
    /// The process.
    pub pid: u32,
    /// The machine that it is on.
    pub host: String,
    /// The user or the CI run that it works for.
    pub by: String,
    /// What it will do: `deploy v3`.
    pub doing: String,
    /// Since when it waits: RFC 3339 in UTC.
    pub since: String,
}

impl fmt::Display for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waiter { run, pid, host, by, doing, since, .. } = self;
        write!(f, "`{doing}` by {by}, process {pid} on {host}, since {since}, run {run}")
    }
}

/// Where one who waits stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The place in the line, from 1: the first one is next.
    pub position: usize,
    /// Who holds the lock; none when the first one is about to take it.
    pub owner: Option<Owner>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waits in line: {}", ordinal(self.position))?;
        match &self.owner {
            Some(owner) => write!(f, "; {owner}"),
            None => f.write_str("; nobody holds the lock this moment"),
        }
    }
}

pub(super) fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// Waits in line for the lock and takes it. `tell` is called at once when there is something to
/// wait for, and whenever the place in the line or the owner changes. A lock that is only held for
/// a moment is waited for in any case, also with a limit of zero.
///
/// # Errors
/// When the limit is over, with the owner and the number of those who wait; when it is cancelled;
/// when the lock cannot be taken at all. Nothing was touched then.
pub fn wait_in_line(
    scope: &Scope,
    state: &State,
    owner: Claim,
    limit: Duration,
    cancel: &Cancel,
    mut tell: impl FnMut(&Waiting),
) -> anyhow::Result<Held> {
    let files = Files::of(scope, state);
    let started = Moment::now();
    let ticket = Ticket::take(&files, &owner)?;
    let mut told = None;
    loop {
        let ahead = living_before(&files, ticket.number)?;
        if ahead.is_empty()
            && let Some(held) = files.try_take(&owner)?
        {
            return Ok(held);
        }
        let waiting = Waiting { position: ahead.len() + 1, owner: files.owner()? };
        if started.elapsed() >= limit.max(PATIENCE) {
            return Err(over(&files, &waiting, ahead.first(), ticket.number)?.into());
        }
        // Somebody who holds it for a moment is no news.
        if waiting.position > 1 || waiting.owner.is_some() {
            if told.as_ref() != Some(&waiting) {
                tell(&waiting);
            }
            told = Some(waiting);
        }
        if cancel.sleep(TURN) {
            let signal = cancel.reason().unwrap_or_default();
            return Err(Fault::error(format!("cancelled by {signal} while waiting in line"))
                .hint("nothing was touched")
                .into());
        }
    }
}

/// Who waits, the next one first. Nothing is made or changed.
///
/// # Errors
/// When it cannot be found out.
pub fn queue(scope: &Scope, state: &State) -> anyhow::Result<Vec<Waiter>> {
    let files = Files::of(scope, state);
    let tickets = tickets(&files)?.into_iter();
    tickets.filter_map(|(number, file)| living(number, &file).transpose()).collect()
}

/// Whether somebody who was killed in line left something there, which the next one in line sweeps
/// away. Nothing is made or changed.
///
/// # Errors
/// When it cannot be found out.
pub fn is_littered(scope: &Scope, state: &State) -> anyhow::Result<bool> {
    let files = Files::of(scope, state);
    for (number, file) in tickets(&files)? {
        if living(number, &file)?.is_none() {
            return Ok(true);
        }
    }
    Ok(lock::has_unfinished(&files.queue))
}

/// A place in the line; it is given up when this is dropped, or the process ends.
struct Ticket {
    number: u64,
    file: lock::Held,
}

impl Ticket {
    fn take(files: &Files, claim: &Claim) -> anyhow::Result<Self> {
        let run: Name =
            claim.run.parse().map_err(|why| Fault::usage(format!("the run's id: {why}")))?;
        let counter = files.hold()?;
        let fault = |error: std::io::Error| files.fault(&error);
        // A counter that was lost or torn: those who wait have their numbers in their names.
        let last = counter.read().map_err(fault)?.trim().parse().unwrap_or(0);
        let number = tickets(files)?.iter().fold(last, |last, (number, _)| last.max(*number)) + 1;
        counter.write(&number.to_string()).map_err(fault)?;
        let Owner { pid, host, since, .. } = Owner::here(claim, 0);
        let (by, doing) = (claim.by.clone(), claim.doing.clone());
        let waiter = Waiter { number, run: run.to_string(), pid, host, by, doing, since };
        let text = serde_json::to_string(&waiter)?;
        let name = format!("{number:08}-{run}");
        let file = lock::make(&files.queue, &name, &text).map_err(fault)?;
        Ok(Self { number, file })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Without its lock it counts for nothing; the next one sweeps it away.
        self.file.remove().unwrap_or_default();
    }
}

/// The tickets that there are, of the living and the dead, in their order.
fn tickets(files: &Files) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let names = lock::names(&files.queue).map_err(|error| {
        Fault::error(format!("cannot read the folder {}: {error}", files.queue.display()))
    })?;
    let number = |name: &String| name.split_once('-')?.0.parse().ok();
    let ticket = |name: String| Some((number(&name)?, files.queue.join(name)));
    let mut tickets: Vec<_> = names.into_iter().filter_map(ticket).collect();
    tickets.sort();
    Ok(tickets)
}

/// Who waits with a ticket; none when nobody does any more.
fn living(number: u64, file: &Path) -> anyhow::Result<Option<Waiter>> {
    let text = lock::text_of_holder(file).map_err(|error| {
        Fault::error(format!("cannot look at the ticket {}: {error}", file.display()))
    })?;
    let waiter = |text: String| serde_json::from_str(&text).unwrap_or_default();
    Ok(text.map(|text| Waiter { number, ..waiter(text) }))
}

/// The living before a number. The dead are swept away.
fn living_before(files: &Files, number: u64) -> anyhow::Result<Vec<Waiter>> {
    let mut before = Vec::new();
    for (other, file) in tickets(files)?.into_iter().filter(|(other, _)| *other < number) {
        match living(other, &file)? {
            Some(waiter) => before.push(waiter),
            // A number is given once: what is removed here is nobody's.
            None => files::remove(&file).unwrap_or_default(),
        }
    }
    Ok(before)
}

/// The error of who has waited long enough.
fn over(
    files: &Files,
    waiting: &Waiting,
    next: Option<&Waiter>,
    own: u64,
) -> anyhow::Result<Fault> {
    let scope = &files.scope;
    let mut others = 0;
    for (number, file) in tickets(files)? {
        others += usize::from(number != own && living(number, &file)?.is_some());
    }
    let who = match (&waiting.owner, next) {
        (Some(owner), _) => owner.to_string(),
        (None, Some(next)) => format!("next is {next}"),
        (None, None) => Owner::default().to_string(),
    };
    let others = match others {
        0 => String::new(),
        1 => "; 1 other waits in line".to_owned(),
        n => format!("; {} wait in line", count(n, "other")),
    };
    let hint = match &waiting.owner {
        Some(owner) if !owner.run.is_empty() => format!(
            "nothing was done; wait until that has ended, and try again. If it hangs: `waveoff \
             unlock --run {}`",
            owner.run
        ),
        _ => "nothing was done; wait until that has ended, and try again".into(),
    };
    Ok(Fault::error(format!("{scope} is being changed already: {who}{others}")).hint(hint))
}
