//! The lock between real processes: this test binary, run again as one that waits or holds.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use waveoff::deploy::lock::{self, Claim, Owner};
use waveoff::deploy::{Scope, State};
use waveoff::host::signals::Cancel;

use crate::harness::{Program, signal};

const LONG: Duration = Duration::from_secs(60);

/// What another process does: waits, says that it holds the lock, and for each line that it reads
/// whether it still does; ends when there are no more lines.
#[test]
#[ignore = "a process of the other tests"]
fn process() {
    let Some(root) = std::env::var_os("LOCK_STATE") else { return };
    let run = std::env::var("LOCK_RUN").unwrap();
    let (scope, state) = (scope(), State::at(root));
    let claim = Claim { doing: format!("deploy {run}"), run, by: "alice".into(), deadline: LONG };
    let cancel = Cancel::default();
    let held = lock::wait_in_line(&scope, &state, claim, LONG, &cancel, |waiting| {
        eprintln!("LOCK {waiting}");
    });
    let held = held.unwrap();
    eprintln!("LOCK held {}", held.fence());
    for _ in std::io::stdin().lines() {
        eprintln!(
            "LOCK {}",
            held.check().map_or_else(|error| error.to_string(), |()| "ours".into())
        );
    }
}

fn scope() -> Scope {
    Scope::new("shop", "production").unwrap()
}

struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Other {
    /// A process for a run; `deaf` is one that ignores SIGTERM.
    fn start(root: &TempDir, run: &str, deaf: bool) -> Self {
        let trap = if deaf { "trap '' TERM; " } else { "" };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("{trap}exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "lock::process", "--ignored", "--nocapture", "--test-threads=1"])
            .env("LOCK_STATE", root.path())
            .env("LOCK_RUN", run)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing that it says.
    #[track_caller]
    fn says(&mut self) -> String {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        let line = lines.find_map(|line| Some(line.split_once("LOCK ")?.1.to_owned()));
        line.unwrap_or_else(|| panic!("it has ended"))
    }

    fn ask(&mut self) -> String {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.says()
    }

    /// Lets it end by itself.
    fn leave(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn owner(root: &TempDir) -> Option<Owner> {
    lock::owner(&scope(), &State::at(root.path())).unwrap()
}

fn runs_in_line(root: &TempDir) -> Vec<String> {
    let line = lock::queue(&scope(), &State::at(root.path())).unwrap();
    line.into_iter().map(|waiter| waiter.run).collect()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LONG, "{what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn unlock(root: &TempDir, arguments: &[&str]) -> Program {
    Program::new("waveoff")
        .args(["unlock", "--service", "shop", "--state", &root.path().display().to_string()])
        .args(arguments)
}

#[test]
fn d4_of_two_at_once_one_waits_for_the_other() {
    let root = TempDir::new().unwrap();
    let both = ["r1", "r2"].map(|run| Other::start(&root, run, false));
    // Before one of them has it, both may be in line.
    let settled = |said: &str| said.starts_with("held") || said.contains("`deploy r");
    let mut both = both.map(|mut other| {
        let said = std::iter::repeat_with(|| other.says()).find(|said| settled(said));
        (said.unwrap(), other)
    });
    both.sort_by_key(|(said, _)| !said.starts_with("held"));
    let [(first, one), (second, mut two)] = both;
    assert_eq!(first, "held 1");
    assert!(second.starts_with("waits in line: 1st; "), "{second}");
    assert_eq!(runs_in_line(&root).len(), 1);
    one.leave();
    while two.says() != "held 2" {}
    assert_eq!(two.ask(), "ours");
    two.leave();
    assert!(owner(&root).is_none() && runs_in_line(&root).is_empty());
}

#[test]
fn d4_five_get_their_turn_in_the_order_of_coming_though_one_is_killed() {
    let root = TempDir::new().unwrap();
    let mut first = Other::start(&root, "r0", false);
    assert_eq!(first.says(), "held 1");
    let mut line = Vec::new();
    for n in 1..=5 {
        let mut other = Other::start(&root, &format!("r{n}"), false);
        let said = other.says();
        let place = ["1st", "2nd", "3rd", "4th", "5th"][n - 1];
        assert!(said.starts_with(&format!("waits in line: {place}; `deploy r0`")), "{said}");
        line.push(other);
    }
    // The third one dies while it waits: those behind it move up, and it holds up nobody.
    let mut third = line.remove(2);
    signal(&third.child, "-KILL");
    third.child.wait().unwrap();
    assert_eq!(runs_in_line(&root), ["r1", "r2", "r4", "r5"]);
    let said = line[2].says();
    assert!(said.starts_with("waits in line: 3rd; "), "{said}");
    // The owner is killed: the next one has it at once.
    signal(&first.child, "-KILL");
    first.child.wait().unwrap();
    for (index, mut other) in line.into_iter().enumerate() {
        let started = Instant::now();
        while !other.says().starts_with("held") {}
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let run = ["r1", "r2", "r4", "r5"][index];
        assert_eq!(owner(&root).unwrap().run, run);
        other.leave();
    }
    let left = std::fs::read_dir(root.path().join("shop/production/queue")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".counter"], "tickets of the dead are swept away");
}

#[test]
fn an_owner_that_hangs_is_ended_by_unlock_and_no_other() {
    let root = TempDir::new().unwrap();
    unlock(&root, &["--run", "r1"]).run().expect_code(2);
    let mut hung = Other::start(&root, "r1", true);
    assert_eq!(hung.says(), "held 1");
    let ran = unlock(&root, &["--run", "r7"]).run().expect_code(2);
    assert!(ran.stderr.contains("its owner is `deploy r1` by alice"), "{}", ran.stderr);
    assert_eq!(hung.ask(), "ours");
    let mut next = Other::start(&root, "r2", false);
    assert!(next.says().contains("1st"));
    let ran = unlock(&root, &["--run", "r1", "--grace", "200ms"]).run().expect_code(0);
    assert!(ran.stdout.contains("had to be killed"), "{}", ran.stdout);
    while next.says() != "held 3" {}
    assert_eq!(next.ask(), "ours");
    assert_eq!(hung.child.wait().unwrap().code(), None, "killed");
    let ran = unlock(&root, &["--run", "r1"]).run().expect_code(2);
    assert!(ran.stderr.contains("run r2"), "{}", ran.stderr);
    next.leave();
}

#[test]
fn an_owner_that_wakes_up_after_unlock_may_do_nothing_more() {
    let root = TempDir::new().unwrap();
    let mut hung = Other::start(&root, "r1", true);
    assert_eq!(hung.says(), "held 1");
    signal(&hung.child, "-STOP");
    let (child, _) = unlock(&root, &["--run", "r1", "--grace", "1m"]).start();
    let fence = root.path().join("shop/production/fence");
    until("the fence is raised first", || std::fs::read_to_string(&fence).unwrap() == "2\n");
    signal(&hung.child, "-CONT");
    let said = hung.ask();
    assert!(said.contains("not ours any more: the fence had 1 and is 2 now"), "{said}");
    hung.leave();
    let ran = crate::deploy_world::finish(child).expect_code(0);
    assert!(ran.stdout.contains("has ended"), "{}", ran.stdout);
    let mut next = Other::start(&root, "r2", false);
    assert_eq!(next.says(), "held 3");
}
