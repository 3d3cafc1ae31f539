//! A world of hosts and callers who die, hang, are cancelled and lose their lock at any moment.

use super::course::*;
use super::*;

pub(super) const HOSTS: [&str; 3] = ["a", "b", "c"];

/// xorshift64*, so that a story can be told again.
struct Dice(u64);

impl Dice {
    fn upto(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.upto(n) == 0
    }
}

/// How many releases there are; the first one was live before all stories.
const RELEASES: u64 = 4;

/// One of the releases, as it is known on a host: some have the same version, and each host has
/// digests of its own.
fn release(number: u64, host: &str) -> Release {
    let version = if number < 2 { "v".to_owned() } else { format!("v{number}") };
    Release { version, sha: None, digests: vec![format!("{host}@{number}")] }
}

/// What an engine on a host is about.
#[derive(Clone)]
enum Work {
    Deploy { id: String, number: u64 },
    Back { to: Release },
}

#[derive(Clone)]
struct Engine {
    caller: usize,
    turn: u64,
    work: Work,
    /// Whether it has begun, and cannot be refused any more.
    has_begun: bool,
}

#[derive(Default)]
struct Host {
    name: &'static str,
    live: Release,
    mark: Option<Mark>,
    over: Option<Mark>,
    turn: u64,
    /// In line for the host's own lock.
    engines: Vec<Engine>,
    /// How a caller's last engine ended.
    ended: Vec<(usize, Landed)>,
}

impl Host {
    fn hears(&mut self, turn: u64, is_fenced: bool) -> bool {
        let hears = turn >= self.turn || !is_fenced;
        self.turn = self.turn.max(turn);
        hears
    }

    /// Notes that a release is deployed here; gives what becomes of it when it is not.
    fn notes(&mut self, id: &str, number: u64) -> Option<Landed> {
        if self.mark.as_ref().is_some_and(|open| open.id != id) {
            return Some(Landed::Not);
        }
        let (hosts, release) = (HOSTS.map(str::to_owned).into(), release(number, self.name));
        self.mark = Some(Mark::new(id.to_owned(), hosts, &release, Some(&self.live)));
        self.live.is_same(&release).then_some(Landed::Already)
    }

    /// One step of the engine whose turn it is on this host.
    fn goes_on(&mut self, dice: &mut Dice, is_fenced: bool, is_quiet: bool) {
        let Some(mut engine) = self.engines.first().cloned() else { return };
        if !engine.has_begun {
            let refused = !self.hears(engine.turn, is_fenced);
            let landed = match &engine.work {
                _ if refused => Some(Landed::Not),
                Work::Deploy { id, number } => self.notes(id, *number),
                Work::Back { to } => self.live.is_same(to).then_some(Landed::Not),
            };
            if let Some(landed) = landed {
                self.engines.remove(0);
                self.ended.push((engine.caller, landed));
                return;
            }
            engine.has_begun = true;
            self.engines[0] = engine;
            return;
        }
        self.engines.remove(0);
        let landed = match engine.work {
            Work::Deploy { .. } if dice.once_in(5) => Landed::Not,
            Work::Deploy { number, .. } => {
                self.live = release(number, self.name);
                Landed::Changed
            }
            Work::Back { .. } if !is_quiet && dice.once_in(8) => Landed::Not,
            Work::Back { to } => {
                self.live = to;
                Landed::Changed
            }
        };
        self.ended.push((engine.caller, landed));
    }
}

struct Caller {
    course: Course,
    id: String,
    /// The release that he deploys.
    number: u64,
    is_alive: bool,
    /// Whether the lock is his, his turn, and how much of that he knows.
    holds: bool,
    turn: Option<u64>,
    knows_of_loss: bool,
    /// Within a step: how many hosts are done, and what they said.
    done: usize,
    members: Vec<Member>,
    asked: bool,
    landed: Vec<Landed>,
}

impl Caller {
    fn new(n: usize, deploys: bool, dice: &mut Dice) -> Self {
        let (id, number) = (format!("f{n}"), dice.upto(RELEASES));
        let batch = 1 + dice.upto(3) as usize;
        let release = deploys.then(|| Wanted { id: id.clone(), batch });
        let hosts = HOSTS.map(str::to_owned).to_vec();
        Self {
            course: Course::new(hosts, release),
            id,
            number,
            is_alive: true,
            holds: false,
            turn: None,
            knows_of_loss: false,
            done: 0,
            members: Vec::new(),
            asked: false,
            landed: Vec::new(),
        }
    }

    fn is_done(&self) -> bool {
        !self.is_alive || matches!(self.course.step(), Step::Done(_))
    }
}

pub(super) struct World {
    hosts: Vec<Host>,
    callers: Vec<Caller>,
    last_turn: u64,
    dice: Dice,
    /// Whether hosts refuse what belongs to an earlier turn.
    pub(super) is_fenced: bool,
    /// Whether one caller at a time has the lock.
    pub(super) is_locked: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let host = |name| Host { name, live: release(0, name), ..Host::default() };
        let hosts = HOSTS.map(host).into();
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { hosts, callers: Vec::new(), last_turn: 0, dice, is_fenced: true, is_locked: true }
    }

    fn is_free(&self) -> bool {
        !self.is_locked || self.callers.iter().all(|caller| !caller.holds)
    }

    /// Has the lock, or gets it when it is free.
    fn takes(&mut self, n: usize) -> bool {
        if self.callers[n].holds || self.is_free() {
            if !self.callers[n].holds {
                self.last_turn += 1;
                let caller = &mut self.callers[n];
                (caller.holds, caller.turn) = (true, Some(self.last_turn));
            }
            return true;
        }
        false
    }

    /// One small step of a caller; nothing when he must wait.
    fn steps(&mut self, n: usize) {
        if self.callers[n].turn.is_none() && !self.takes(n) {
            return;
        }
        let step = self.callers[n].course.step();
        match step {
            Step::Hold => self.holds(n),
            Step::Ask => self.asks(n),
            Step::Over(ending) => self.says(n, &ending),
            Step::Deploy(hosts) => self.deploys(n, &hosts),
            Step::Back(way) => self.brings_back(n, &way),
            Step::Done(_) => {}
        }
        if self.callers[n].is_done() {
            self.callers[n].holds = false;
        }
    }

    fn holds(&mut self, n: usize) {
        let caller = &mut self.callers[n];
        // A connection that was lost a moment ago may not be known to be.
        let is_again = !caller.holds && (caller.knows_of_loss || self.dice.once_in(2));
        if is_again {
            self.callers[n].knows_of_loss = true;
            if !self.takes(n) {
                return;
            }
            self.callers[n].knows_of_loss = false;
        }
        let cancelled = self.dice.once_in(20).then_some("SIGINT");
        self.callers[n].course.held(Some(is_again), cancelled);
    }

    fn asks(&mut self, n: usize) {
        let (host, turn) = (self.callers[n].done, self.callers[n].turn.unwrap());
        if !self.callers[n].asked {
            self.callers[n].asked = true;
            if !self.hosts[host].hears(turn, self.is_fenced) {
                self.callers[n].asked = false;
                return self.heard(n, None);
            }
        }
        if !self.hosts[host].engines.is_empty() {
            // What is on its way there is waited for.
            return;
        }
        let Host { live, mark, over, .. } = &self.hosts[host];
        let (live, mark, over) = (Some(live.clone()), mark.clone(), over.clone());
        let caller = &mut self.callers[n];
        caller.members.push(Member { host: HOSTS[host].into(), live, mark, over });
        (caller.done, caller.asked) = (host + 1, false);
        if caller.done == HOSTS.len() {
            let members = std::mem::take(&mut caller.members);
            self.heard(n, Some(members));
        }
    }

    fn heard(&mut self, n: usize, members: Option<Vec<Member>>) {
        let caller = &mut self.callers[n];
        caller.members.clear();
        caller.done = 0;
        caller.course.heard(members);
    }

    fn says(&mut self, n: usize, ending: &Ending) {
        let (host, turn) = (self.callers[n].done, self.callers[n].turn.unwrap());
        let (Ending::Own(id) | Ending::AllNew(Mark { id, .. }) | Ending::AllOld(Mark { id, .. })) =
            ending;
        if self.hosts[host].hears(turn, self.is_fenced) {
            let host = &mut self.hosts[host];
            if let Some(mark) = host.mark.take_if(|mark| mark.id == *id) {
                host.over = Some(mark);
            }
        } else if !matches!(ending, Ending::Own(_)) {
            // The caller ends with that error.
            self.callers[n].is_alive = false;
        }
        self.callers[n].done += 1;
        if self.callers[n].done == HOSTS.len() {
            self.callers[n].done = 0;
            self.callers[n].course.told();
        }
    }

    fn begins(&mut self, n: usize, host: &str, work: Work) {
        let turn = self.callers[n].turn.unwrap();
        let host = &mut self.hosts[index(host)];
        host.ended.retain(|(caller, _)| *caller != n);
        host.engines.push(Engine { caller: n, turn, work, has_begun: false });
    }

    fn ended(&self, n: usize, host: &str) -> Option<Landed> {
        let ended = &self.hosts[index(host)].ended;
        ended.iter().find(|(caller, _)| *caller == n).map(|(_, landed)| *landed)
    }

    fn deploys(&mut self, n: usize, hosts: &[String]) {
        let caller = &mut self.callers[n];
        if caller.done < hosts.len() {
            caller.done += 1;
            let (id, number) = (caller.id.clone(), caller.number);
            let host = hosts[caller.done - 1].clone();
            return self.begins(n, &host, Work::Deploy { id, number });
        }
        let next = &hosts[caller.landed.len()];
        // The connection may be lost for good.
        let lost = self.dice.once_in(30).then_some(Landed::Unknown);
        let Some(landed) = lost.or_else(|| self.ended(n, next)) else { return };
        let caller = &mut self.callers[n];
        caller.landed.push(landed);
        if caller.landed.len() == hosts.len() {
            caller.course.landed(&std::mem::take(&mut caller.landed));
            caller.done = 0;
        }
    }

    fn brings_back(&mut self, n: usize, way: &Way) {
        let done = self.callers[n].landed.len();
        let Some((host, to)) = way.hosts.get(done) else {
            let caller = &mut self.callers[n];
            let back = std::mem::take(&mut caller.landed);
            let back: Vec<bool> = back.iter().map(|landed| *landed == Landed::Changed).collect();
            return caller.course.back(&back);
        };
        if self.callers[n].done == done {
            self.callers[n].done += 1;
            self.begins(n, host, Work::Back { to: to.clone() });
        } else if let Some(landed) = self.ended(n, host) {
            self.callers[n].landed.push(landed);
        }
        if way.hosts.len() == self.callers[n].landed.len() {
            self.callers[n].done = 0;
        }
    }

    /// Something somewhere.
    fn happens(&mut self, is_quiet: bool) {
        let n = self.dice.upto(self.callers.len() as u64) as usize;
        if self.dice.once_in(3) {
            let host = self.dice.upto(HOSTS.len() as u64) as usize;
            let is_fenced = self.is_fenced;
            return self.hosts[host].goes_on(&mut self.dice, is_fenced, is_quiet);
        }
        if self.callers[n].is_done() {
            return;
        }
        match self.dice.upto(60) {
            0 if !is_quiet => (self.callers[n].is_alive, self.callers[n].holds) = (false, false),
            1 if !is_quiet => self.callers[n].holds = false,
            _ => self.steps(n),
        }
    }

    fn is_over(&self) -> bool {
        self.callers.iter().all(Caller::is_done) && self.hosts.iter().all(|h| h.engines.is_empty())
    }

    fn until_over(&mut self, is_quiet: bool) {
        let mut count = 0;
        while !self.is_over() {
            self.happens(is_quiet);
            count += 1;
            assert!(count < 200_000, "it comes to no end");
        }
    }

    /// Two or three callers at once, and then one alone who finishes what they left. Gives what every
    /// host has then, and whether anything is open.
    pub(super) fn story(&mut self) -> Result<(), String> {
        for n in 0..2 + self.dice.upto(2) as usize {
            let deploys = !self.dice.once_in(4);
            let caller = Caller::new(n, deploys, &mut self.dice);
            self.callers.push(caller);
        }
        self.until_over(false);
        let last = Caller::new(self.callers.len(), false, &mut self.dice);
        self.callers.push(last);
        self.until_over(true);
        let last = self.callers.last().unwrap();
        if last.course.step() != Step::Done(Done::Settled) {
            return Err(format!("{:?}", last.course));
        }
        // What stands before the number is the host's own.
        let number = |host: &Host| host.live.digests[0].split_once('@').unwrap().1.to_owned();
        let live: Vec<String> = self.hosts.iter().map(number).collect();
        match live.windows(2).all(|pair| pair[0] == pair[1])
            && self.hosts.iter().all(|host| host.mark.is_none())
        {
            true => Ok(()),
            false => Err(format!("{live:?}")),
        }
    }
}

fn index(host: &str) -> usize {
    HOSTS.iter().position(|name| *name == host).unwrap()
}
