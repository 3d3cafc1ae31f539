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

/// What an engine on a host is about.
#[derive(Clone)]
enum Work {
    Deploy { mark: Mark },
    Back { to: String },
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
    live: String,
    mark: Option<Mark>,
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

    /// One step of the engine whose turn it is on this host.
    fn goes_on(&mut self, dice: &mut Dice, is_fenced: bool, is_quiet: bool) {
        let Some(mut engine) = self.engines.first().cloned() else { return };
        if !engine.has_begun {
            let refused = !self.hears(engine.turn, is_fenced);
            let landed = match &engine.work {
                _ if refused => Some(Landed::Not),
                Work::Deploy { mark } if self.live == mark.version => Some(Landed::Already),
                Work::Deploy { mark } => match &self.mark {
                    Some(open) if open.id != mark.id => Some(Landed::Not),
                    _ => None,
                },
                Work::Back { to } => (self.live == *to).then_some(Landed::Not),
            };
            if let Some(landed) = landed {
                self.engines.remove(0);
                self.ended.push((engine.caller, landed));
                return;
            }
            if let Work::Deploy { mark } = &mut engine.work {
                mark.before = Some(self.live.clone());
                self.mark = Some(mark.clone());
            }
            engine.has_begun = true;
            self.engines[0] = engine;
            return;
        }
        self.engines.remove(0);
        let landed = match engine.work {
            Work::Deploy { .. } if dice.once_in(5) => Landed::Not,
            Work::Deploy { mark } => {
                self.live = mark.version;
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
    version: String,
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
        let (id, version) = (format!("f{n}"), format!("v{n}"));
        let batch = 1 + dice.upto(3) as usize;
        let release = deploys.then(|| Release { id: id.clone(), batch });
        let hosts = HOSTS.map(str::to_owned).to_vec();
        Self {
            course: Course::new(hosts, release),
            id,
            version,
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
        let host = || Host { live: "v".into(), ..Host::default() };
        let hosts = HOSTS.map(|_| host()).into();
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
        let (live, mark) = (Some(self.hosts[host].live.clone()), self.hosts[host].mark.clone());
        let caller = &mut self.callers[n];
        caller.members.push(Member { host: HOSTS[host].into(), live, mark });
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
            let mark = &mut self.hosts[host].mark;
            *mark = mark.take().filter(|mark| mark.id != *id);
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
            let (id, version) = (caller.id.clone(), caller.version.clone());
            let mark = Mark { id, version, hosts: HOSTS.map(str::to_owned).into(), before: None };
            let host = hosts[caller.done - 1].clone();
            return self.begins(n, &host, Work::Deploy { mark });
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
        let live: Vec<&str> = self.hosts.iter().map(|host| host.live.as_str()).collect();
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
