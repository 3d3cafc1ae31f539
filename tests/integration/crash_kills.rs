//! Deployments that are killed one after the other, and what each of them left: all of the old
//! release or all of the new one.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deploy_world::World;
use crate::harness::{Program, Ran};
use crate::parts::part;

/// A service whose deployments are killed.
pub(crate) trait Victim {
    /// Its folder, with what it runs from.
    fn world(&self) -> &World;

    /// Below the state folder, where its deployments are written down.
    fn state(&self) -> PathBuf;

    /// `waveoff` with these arguments, where the service is.
    fn waveoff(&self, arguments: &[&str]) -> Program;

    /// Makes the release with this number ready, and gives its version.
    fn release(&self, number: usize) -> String {
        format!("v{number}")
    }

    /// Proves that nothing is half done and nothing left over. Gives the version that is live.
    fn proven(&self) -> String;

    /// Finishes what was interrupted, and proves that nothing is half done and nothing left over.
    /// Gives the version that is live.
    #[track_caller]
    fn recovered(&self) -> String {
        let ran = self.waveoff(&["recover"]).run();
        assert!(matches!(ran.code, Some(0 | 12 | 20)), "{ran:?}");
        let ran = self.waveoff(&["recover"]).run().expect_code(0);
        assert!(ran.stdout.contains("nothing was interrupted"), "{}", ran.stdout);
        self.proven()
    }

    /// The folders of the runs, oldest first.
    fn runs(&self) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.state().join("runs"));
        let mut runs: Vec<PathBuf> =
            runs.into_iter().flatten().map(|run| run.unwrap().path()).collect();
        runs.sort();
        runs
    }

    /// What the last run said.
    fn said(&self) -> String {
        let last = self.runs().pop().unwrap_or_default();
        fs::read_to_string(last.join("output.log")).unwrap_or_default()
    }

    /// Deploys it, with nobody in the way.
    fn deploy(&self, version: &str) -> Program {
        self.waveoff(&["deploy", "--version", version, "--allow-downgrade"])
    }

    /// The version that `waveoff status` has for live; nobody is at work.
    #[track_caller]
    fn live(&self) -> String {
        let status = self.waveoff(&["status", "--json"]).run().expect_code(0).report();
        assert_eq!(status["outputs"]["lock-owner"], "", "{status}");
        status["outputs"]["live-version"].as_str().unwrap().to_owned()
    }

    /// The ledger has nothing that was begun and did not end.
    #[track_caller]
    fn ledger_ends_with(&self, live: &str) {
        let text = fs::read_to_string(self.state().join("ledger.jsonl")).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        match last["event"].as_str().unwrap() {
            "verified" | "failed" => {}
            "rolled-back" => assert_eq!(last["to"]["version"], live),
            other => panic!("the ledger ends with {other}"),
        }
    }

    /// Nothing that only a deployment on its way needs is there any more.
    #[track_caller]
    fn no_residue(&self) {
        for file in self.world().tree().keys() {
            let name = file.rsplit('/').next().unwrap_or_default();
            // What was to be a release the next deployment clears away: nothing had begun yet.
            if file.contains("/opt/releases/.") {
                continue;
            }
            assert!(!name.starts_with(".waveoff-"), "a temporary file: {file}");
            assert!(name != ".new" && !(name == "command" && file.contains("/runs/")), "{file}");
            assert!(!file.contains("/queue/") || name == ".counter", "a ticket: {file}");
        }
    }
}

/// What runs of a world.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// Programs of ours, by process id.
    pub(crate) ours: Vec<u32>,
    /// Everything that they started.
    pub(crate) services: Vec<u32>,
}

impl Running {
    /// By the environment that everything there was started with.
    pub(crate) fn in_world(world: &World) -> Self {
        let mark = format!("SHOP_DIR={}", world.folder.path().display());
        let mut running = Self::default();
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|pid| pid.parse().ok()) else {
                continue;
            };
            let environ = fs::read(process.path().join("environ")).unwrap_or_default();
            if !environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
                continue;
            }
            let program = fs::read_link(process.path().join("exe")).unwrap_or_default();
            let name = program.file_name().unwrap_or_default().as_bytes();
            let list = match name {
                b"waveoff" | b"strace" => &mut running.ours,
                _ => &mut running.services,
            };
            list.push(pid);
        }
        running
    }
}

/// Waits until no program of ours runs in a world any more.
pub(crate) fn quiet(world: &World) {
    let started = Instant::now();
    loop {
        let ours = Running::in_world(world).ours;
        if ours.is_empty() {
            return;
        }
        let is_late = started.elapsed() > Duration::from_secs(90);
        assert!(!is_late, "{ours:?} should end by themselves");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Kills of one world.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) kills: usize,
    pub(crate) old: usize,
    pub(crate) new: usize,
    /// Kills on the way back.
    pub(crate) late: usize,
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The deployment of a release that is well.
    Deploy,
    /// The deployment of v2, which is not, and is taken back.
    TakeBack,
    /// A rollback by hand, from a release that was just deployed.
    Rollback,
}

/// The deployments of a service, each of which goes on from what the one before it left.
pub(crate) struct Kills<'a, V> {
    pub(crate) victim: &'a V,
    pub(crate) sum: Sum,
    deed: Deed,
    strace: PathBuf,
    commission: Value,
    number: usize,
    old: String,
}

impl<'a, V: Victim> Kills<'a, V> {
    /// Deploys the first release; none where there is no strace.
    pub(crate) fn of(victim: &'a V) -> Option<Self> {
        Self::doing(victim, Deed::Deploy)
    }

    /// As [`of`](Self::of), where something else is killed than a deployment that would end well.
    pub(crate) fn doing(victim: &'a V, deed: Deed) -> Option<Self> {
        let strace = part("strace")?;
        let old = victim.release(1);
        victim.deploy(&old).run().expect_code(0);
        if deed == Deed::Rollback {
            victim.deploy(&victim.release(2)).run().expect_code(20);
            victim.deploy(&victim.release(3)).run().expect_code(0);
            victim.waveoff(&["rollback"]).run().expect_code(0);
        }
        let last = victim.runs().pop().unwrap().join("commission.json");
        let commission = serde_json::from_str(&fs::read_to_string(last).unwrap()).unwrap();
        Some(Self { victim, sum: Sum::default(), deed, strace, commission, number: 3, old })
    }

    /// Deploys the next release with an engine that is killed before the Nth such call of one of
    /// its threads. Gives whether it was, or else had ended before.
    #[track_caller]
    pub(crate) fn at_call(&mut self, call: &str, n: usize) -> bool {
        let inject = format!("inject={call}:signal=KILL:when={n}");
        let trace = format!("trace={call}");
        let engine = self.traced(&["-o", "/dev/null", "-e", &trace, "-e", &inject]);
        self.is_killed(self.victim.waveoff(&[]).like(engine), &format!("{call} {n}"))
    }

    /// Deploys the next release with an engine that somebody else may kill. Gives whether it was.
    #[track_caller]
    pub(crate) fn by_others(&mut self, surroundings: &Program, what: &str) -> bool {
        let mut engine = Command::new(env!("CARGO_BIN_EXE_waveoff"));
        engine.arg("engine");
        self.is_killed(surroundings.like(engine), what)
    }

    /// Deploys the next release, and gives how many such calls its busiest thread did, for each of
    /// these kinds.
    #[track_caller]
    pub(crate) fn count(&mut self, calls: &[&str]) -> Vec<usize> {
        let file = self.victim.world().folder.path().join("calls.strace");
        let mut counts = Vec::new();
        let trace = format!("trace={}", calls.join(","));
        let traced = self.traced(&["-o", file.to_str().unwrap(), "-e", &trace]);
        assert!(!self.is_killed(self.victim.waveoff(&[]).like(traced), "counted"));
        let text = fs::read_to_string(&file).unwrap();
        for call in calls {
            let mut by_thread = std::collections::BTreeMap::<&str, usize>::new();
            for line in text.lines() {
                let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
                let name = rest.trim_start().split('(').next().unwrap_or_default();
                if is_of(call, name) {
                    *by_thread.entry(thread).or_default() += 1;
                }
            }
            counts.push(by_thread.into_values().max().unwrap_or_default());
        }
        counts
    }

    /// Deploys one more, with nobody in the way, and gives what there was.
    #[track_caller]
    pub(crate) fn end(self) -> Sum {
        // What comes next is not hindered by any of that.
        let last = self.victim.release(100_000);
        self.victim.deploy(&last).run().expect_code(0);
        assert_eq!(self.victim.proven(), last);
        eprintln!("{:?}", self.sum);
        assert!(self.sum.kills > 0 && self.sum.old > 0, "{:?}", self.sum);
        assert!(self.sum.late > 0 || self.deed == Deed::Deploy, "{:?}", self.sum);
        self.sum
    }

    fn traced(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.strace);
        // What the engine starts is not traced any more once it is executed.
        command.args(["-f", "-qq", "-b", "execve"]).args(arguments);
        command.args([env!("CARGO_BIN_EXE_waveoff"), "engine"]);
        command
    }

    #[track_caller]
    fn is_killed(&mut self, engine: Command, what: &str) -> bool {
        self.number += 2;
        let new = self.victim.release(if self.deed == Deed::TakeBack { 2 } else { self.number });
        if self.deed == Deed::Rollback {
            self.victim.deploy(&new).run().expect_code(0);
        }
        let ran = self.commissioned(engine, &new);
        if ran.code == Some(0) {
            let end = if self.deed == Deed::Deploy { &new } else { &self.old };
            assert_eq!(&self.victim.proven(), end, "{}", self.victim.said());
            self.old = end.clone();
            return false;
        }
        assert_eq!(ran.code, None, "{what}: {ran:?}");
        self.sum.late += usize::from(self.is_late());
        let live = self.victim.recovered();
        let is_whole = live == self.old || (live == new && self.deed != Deed::TakeBack);
        assert!(
            is_whole,
            "{what}: {live} is neither {} nor {new}: {}",
            self.old,
            self.victim.said()
        );
        self.sum.kills += 1;
        if full() {
            eprintln!("{what}: {live} of {} and {new}", self.old);
        }
        if live == new {
            self.sum.new += 1
        } else {
            self.sum.old += 1
        }
        self.old = live;
        true
    }

    /// Whether the run that was killed had begun to bring a release back.
    fn is_late(&self) -> bool {
        let last = self.victim.runs().pop().unwrap_or_default();
        let text = fs::read_to_string(last.join("journal.jsonl")).unwrap_or_default();
        let begun = match self.deed {
            Deed::Rollback => "\"entry\":\"intent\"",
            Deed::Deploy | Deed::TakeBack => "\"part\":\"undo\"",
        };
        text.contains(begun)
    }

    /// An engine with the commission of the last one that was not killed, but for the version.
    fn commissioned(&self, mut engine: Command, version: &str) -> Ran {
        let (runs, mut commission) = (self.victim.runs(), self.commission.clone());
        let last = runs.last().and_then(|run| run.file_name()).unwrap().to_str().unwrap();
        // Behind the last one, and before those that are begun later; never longer than a name may be.
        let last: Vec<&str> = last.split('-').take(3).collect();
        commission["run"] = format!("{}-{:0>7}", last.join("-"), self.number).into();
        if self.deed == Deed::Rollback {
            commission["task"]["rollback"]["to"] = self.old.clone().into();
        } else {
            commission["task"]["deploy"]["version"] = version.into();
        }
        let mut child = engine.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(commission.to_string().as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
}

/// Whether a call belongs to a kind, as strace is told of it: a name, or expressions behind a `/`.
fn is_of(kind: &str, name: &str) -> bool {
    let Some(expression) = kind.strip_prefix('/') else { return kind == name };
    expression.split('|').any(|one| match (one.strip_prefix('^'), one.strip_suffix('$')) {
        (Some(start), _) => name.starts_with(start),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => name.contains(one),
    })
}

/// Whether each place to kill something at is wanted, and not some of them.
pub(crate) fn full() -> bool {
    std::env::var("CRASH_MATRIX").is_ok_and(|wanted| wanted == "full")
}
