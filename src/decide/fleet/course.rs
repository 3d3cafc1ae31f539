//! The course of a caller over several hosts: what he does next, as a sum over what he has heard.
//!
//! First what others left open is finished: made all new or all old. Then the release goes from batch
//! to batch, and back from all of them when one fails. Whoever may have lost the hosts to others
//! meanwhile looks first whether they are as he left them.
//!
//! That others change nothing behind his back is not seen to here: each turn at the hosts has a
//! number, and a host that has heard of a later turn does nothing for an earlier one.

use super::{Finish, Mark, Member, finish, is_own_still};
use crate::decide::history::Release;

/// What is to be on all hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The deployment's id.
    pub id: String,
    /// On how many hosts at once; one at least.
    pub batch: usize,
}

/// What became of the release on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// It is live there, because of this.
    Changed,
    /// It was live there before.
    Already,
    /// It is not live there: what was there before is, or nothing was touched.
    Not,
    /// Nobody knows.
    Unknown,
}

/// Why hosts are not come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Another host failed.
    Failed,
    /// By this signal.
    Cancelled(&'static str),
    /// Others changed the hosts, or may have.
    TakenOver,
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask every host what it has; then [`Course::heard`].
    Ask,
    /// Tell every host that this one is over; then [`Course::told`].
    Over(Ending),
    /// See to it that the hosts are held; then [`Course::held`].
    Hold,
    /// Deploy to these hosts at once; then [`Course::landed`].
    Deploy(Vec<String>),
    /// Bring back what each of these hosts had, in this order; then [`Course::back`].
    Back(Way),
    /// No more.
    Done(Done),
}

/// A deployment that is over everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// This caller's own, with its id: it is over whether the hosts hear it or not.
    Own(String),
    /// One that was interrupted, and is live everywhere.
    AllNew(Mark),
    /// One that was interrupted, and is live nowhere any more.
    AllOld(Mark),
}

/// A way back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The deployment, when it was interrupted; else it is this caller's own.
    pub of: Option<Mark>,
    /// The hosts, each with the release that it had.
    pub hosts: Vec<(String, Release)>,
    /// Hosts that had nothing before, so that nothing can come back.
    pub stuck: Vec<String>,
    /// Hosts that have neither it nor what they had, and are left to a person.
    pub strays: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Nothing is open any more, and nothing else was wanted.
    Settled,
    /// What was left open could not be finished.
    Unsettled,
    /// What the hosts have is not known.
    Unheard,
    /// The release is live everywhere.
    Live,
    /// It is not, and was taken back where that could be done.
    TakenBack,
    /// Others took it over.
    TakenOver,
}

#[derive(Debug, Clone)]
enum At {
    Asking,
    Ending(Ending),
    Returning(Way),
    Holding,
    Checking,
    Deploying(Vec<String>),
    Done(Done),
}

/// The course of one caller.
#[derive(Debug, Clone)]
pub struct Course {
    hosts: Vec<String>,
    release: Option<Wanted>,
    /// How the hosts were when nothing was open.
    before: Vec<Member>,
    landed: Vec<(String, Landed)>,
    obstacle: Option<Obstacle>,
    /// Whether what others left could be finished.
    is_settled: bool,
    rounds: usize,
    at: At,
}

impl Course {
    /// Over these hosts, in their order; without a release it only finishes what others left.
    pub fn new(hosts: Vec<String>, release: Option<Wanted>) -> Self {
        Self {
            hosts,
            release,
            before: Vec::new(),
            landed: Vec::new(),
            obstacle: None,
            is_settled: true,
            rounds: 0,
            at: At::Asking,
        }
    }

    /// What is done next.
    pub fn step(&self) -> Step {
        match &self.at {
            At::Asking | At::Checking => Step::Ask,
            At::Ending(ending) => Step::Over(ending.clone()),
            At::Holding => Step::Hold,
            At::Deploying(hosts) => Step::Deploy(hosts.clone()),
            At::Returning(way) => Step::Back(way.clone()),
            At::Done(done) => Step::Done(done.clone()),
        }
    }

    /// How the hosts were when nothing was open on them.
    pub fn before(&self) -> &[Member] {
        &self.before
    }

    /// Why the hosts that were not come to were not.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }

    /// What every host has; none when one of them could not be asked.
    pub fn heard(&mut self, members: Option<Vec<Member>>) {
        let Some(members) = members else {
            let is_own = matches!(self.at, At::Checking);
            self.at = if is_own { self.taken_over() } else { At::Done(Done::Unheard) };
            return;
        };
        self.at = match self.at {
            At::Checking => self.checked(&members),
            _ => self.settle(members),
        };
    }

    fn settle(&mut self, members: Vec<Member>) -> At {
        self.rounds += 1;
        let Some(found) = finish(&members) else {
            self.before = members;
            return match (&self.release, self.is_settled) {
                (_, false) => At::Done(Done::Unsettled),
                (Some(_), true) => At::Holding,
                (None, true) => At::Done(Done::Settled),
            };
        };
        // Each round ends one of them.
        if self.rounds > members.len() + 1 {
            return At::Done(Done::Unsettled);
        }
        match found {
            Finish::AllNew { mark } => At::Ending(Ending::AllNew(mark)),
            Finish::BringBack { mark, hosts, stuck, strays } => {
                At::Returning(Way { of: Some(mark), hosts, stuck, strays })
            }
        }
    }

    fn checked(&mut self, members: &[Member]) -> At {
        let id = self.release.as_ref().map_or("", |release| release.id.as_str());
        let done: Vec<&str> = self.changed().collect();
        match is_own_still(members, id, &done, &self.before) {
            true => self.go_on(),
            false => self.taken_over(),
        }
    }

    fn taken_over(&mut self) -> At {
        self.obstacle = Some(Obstacle::TakenOver);
        At::Done(Done::TakenOver)
    }

    /// Every host has been told.
    pub fn told(&mut self) {
        self.at = match &self.at {
            At::Ending(Ending::Own(_)) if self.obstacle.is_none() => At::Done(Done::Live),
            At::Ending(Ending::Own(_)) => At::Done(Done::TakenBack),
            _ => At::Asking,
        };
    }

    /// The hosts are held; `again` when they were not all the time since this was said last, and
    /// others may have changed them. None when they cannot be held any more. With the signal by which
    /// this was cancelled.
    pub fn held(&mut self, again: Option<bool>, cancelled: Option<&'static str>) {
        // Where nothing is left to be done there is nothing to cancel.
        let is_on_its_way = self.landed.len() < self.hosts.len() && self.obstacle.is_none();
        if let (true, Some(signal)) = (is_on_its_way, cancelled) {
            self.obstacle = Some(Obstacle::Cancelled(signal));
        }
        self.at = match again {
            None => self.taken_over(),
            Some(true) => At::Checking,
            Some(false) => self.go_on(),
        };
    }

    fn go_on(&mut self) -> At {
        let Some(release) = &self.release else { return At::Done(Done::Settled) };
        if self.obstacle.is_some() {
            return At::Returning(self.way_back());
        }
        let rest = self.hosts.iter().skip(self.landed.len());
        let batch: Vec<String> = rest.take(release.batch.max(1)).cloned().collect();
        match batch.is_empty() {
            true => At::Ending(Ending::Own(release.id.clone())),
            false => At::Deploying(batch),
        }
    }

    fn changed(&self) -> impl DoubleEndedIterator<Item = &str> {
        let changed = self.landed.iter().filter(|(_, landed)| *landed == Landed::Changed);
        changed.map(|(host, _)| host.as_str())
    }

    fn way_back(&self) -> Way {
        let before = |host: &str| self.before.iter().find(|member| member.host == host);
        let (mut hosts, mut stuck) = (Vec::new(), Vec::new());
        for host in self.changed().rev() {
            match before(host).and_then(|member| member.live.clone()) {
                Some(live) => hosts.push((host.to_owned(), live)),
                None => stuck.push(host.to_owned()),
            }
        }
        Way { of: None, hosts, stuck, strays: Vec::new() }
    }

    /// What became of the release on the hosts of the batch, in their order.
    pub fn landed(&mut self, landed: &[Landed]) {
        let At::Deploying(batch) = &self.at else { return };
        self.landed.extend(batch.iter().cloned().zip(landed.iter().copied()));
        let is_live = |landed: &Landed| matches!(landed, Landed::Changed | Landed::Already);
        if landed.len() < batch.len() || !landed.iter().all(is_live) {
            self.obstacle = Some(Obstacle::Failed);
        }
        self.at = At::Holding;
    }

    /// Whether each host of the way back has what it had.
    pub fn back(&mut self, back: &[bool]) {
        let At::Returning(way) = &self.at else { return };
        let is_whole = back.len() == way.hosts.len() && back.iter().all(|back| *back);
        self.at = match &way.of {
            Some(mark) if is_whole => {
                self.is_settled &= way.stuck.is_empty() && way.strays.is_empty();
                At::Ending(Ending::AllOld(mark.clone()))
            }
            Some(_) => At::Done(Done::Unsettled),
            None => {
                // What one of them ended with is not known: whoever comes next asks it.
                let is_known = self.landed.iter().all(|(_, landed)| *landed != Landed::Unknown);
                match &self.release {
                    Some(release) if is_whole && is_known && way.stuck.is_empty() => {
                        At::Ending(Ending::Own(release.id.clone()))
                    }
                    _ => At::Done(Done::TakenBack),
                }
            }
        };
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
