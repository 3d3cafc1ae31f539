#![cfg(target_os = "linux")]

use super::*;
use crate::config::values::Argv;
use crate::host::clock::Moment;

/// A deployment whose command is under way: its folder, and the command's process.
struct World {
    folder: tempfile::TempDir,
    process: Option<Started>,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), process: None }
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("command")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn spec(&self, script: &str) -> CommandSpec {
        let mut spec = CommandSpec::new(Argv(["sh", "-c", script].map(Into::into).into()));
        spec.dir = Some(self.folder.path().display().to_string());
        spec
    }

    /// Begins a command as one that outlives its deployment, whose output goes nowhere then.
    fn begin(&mut self, script: &str) -> Started {
        let (record, log) = (self.record(), self.path("log"));
        let spec = self.spec(script).kept_in(&record.display().to_string());
        let keep = |started: Started| {
            let line = format!("{} {}\n", started.pid, started.ticks.unwrap());
            files::replace(&record, line.as_bytes())
        };
        let process = process::start(&spec, &log, keep).unwrap();
        self.process = Some(process);
        process
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Moment::now();
        while !holds() {
            assert!(started.elapsed() < Duration::from_secs(20), "{what} within 20 s");
            std::thread::yield_now();
        }
    }

    /// The process that a script wrote down, once it has.
    fn written(&self, name: &str) -> u32 {
        let read = || files::read_text(self.path(name)).ok()?.trim().parse::<u32>().ok();
        self.until(name, || read().is_some());
        read().unwrap()
    }

    fn end(&self) -> Option<u32> {
        end_orphan(&self.record()).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(process) = self.process {
            process::stop(process, Duration::ZERO).unwrap();
        }
    }
}

fn lives(pid: u32) -> bool {
    process::is_alive(Started { pid, ticks: None })
}

#[test]
fn d12_an_orphan_is_ended_with_its_whole_group_and_a_daemon_goes_on() {
    let mut world = World::new();
    let script = "sleep 600 & echo $! >child; setsid sleep 600 & echo $! >daemon; wait";
    let orphan = world.begin(script);
    let (child, daemon) = (world.written("child"), world.written("daemon"));
    // `setsid` must have happened: the daemon is in a group of its own then.
    world.until("a group", || {
        let stat = files::read_text(format!("/proc/{daemon}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(2) == Some(&daemon.to_string())
    });
    assert_eq!(world.end(), Some(orphan.pid));
    assert!(!process::is_alive(orphan) && !lives(child), "the group is gone");
    assert!(lives(daemon), "a daemon goes on");
    assert!(!files::exists(world.record()));
    assert_eq!(world.end(), None, "ending it twice is no error");
    world.process = Some(Started { pid: daemon, ticks: None });
}

#[test]
fn d12_what_is_left_of_an_orphan_that_died_is_ended_too() {
    let mut world = World::new();
    let orphan = world.begin("sleep 600 & echo $! >child");
    let child = world.written("child");
    world.until("its end", || !process::is_alive(orphan));
    assert!(lives(child));
    assert_eq!(world.end(), Some(orphan.pid));
    assert!(!lives(child));
}

#[test]
fn d12_an_orphan_that_ignores_sigterm_is_killed() {
    let mut world = World::new();
    let orphan = world.begin("trap '' TERM; echo $$ >ready; while :; do sleep 1; done");
    world.written("ready");
    assert_eq!(world.end(), Some(orphan.pid));
    assert!(!process::is_alive(orphan));
}

#[test]
fn d12_a_process_that_only_has_the_number_is_left_alone() {
    let mut world = World::new();
    let other = world.begin("exec sleep 600");
    let ticks = other.ticks.unwrap();
    for record in [
        format!("{} {}\n", other.pid, ticks - 1),
        format!("{} -\n", other.pid),
        format!("{}\n", other.pid),
    ] {
        files::replace(world.record(), record.as_bytes()).unwrap();
        assert_eq!(world.end(), None, "{record}");
        assert!(lives(other.pid), "{record}");
        assert!(!files::exists(world.record()), "{record}");
    }
}

#[test]
fn d12_a_group_whose_leader_is_gone_and_that_is_not_ours_is_left_alone() {
    let mut world = World::new();
    let leader = world.begin("sleep 600 & echo $! >child");
    let child = world.written("child");
    world.until("its end", || !process::is_alive(leader));
    let other = world.folder.path().join("another-record");
    let line = format!("{} {}\n", leader.pid, leader.ticks.unwrap());
    files::replace(&other, line.as_bytes()).unwrap();
    assert_eq!(end_orphan(&other).unwrap(), None);
    assert!(lives(child));
    assert_eq!(world.end(), Some(leader.pid));
}

#[test]
fn d12_a_torn_record_is_of_a_command_that_never_began() {
    let mut world = World::new();
    let process = world.begin("exec sleep 600");
    let whole = format!("{} {}", process.pid, process.ticks.unwrap());
    for torn in [whole.as_str(), "", "4", "garbage\n", "\0\0\0\0\n"] {
        files::replace(world.record(), torn.as_bytes()).unwrap();
        assert_eq!(world.end(), None, "{torn:?}");
        assert!(process::is_alive(process), "{torn:?}");
    }
    std::fs::create_dir(world.record()).unwrap();
    end_orphan(&world.record()).expect_err("what cannot be read is not nothing");
}

#[test]
fn d12_a_command_is_on_record_exactly_while_it_runs() {
    let world = World::new();
    let record = world.record();
    let session = Session::silent();
    let commands = Commands::new(&session, record.clone());
    let spec = world.spec("cp command kept; echo $$; sleep 600 & echo $! >left");
    commands.run(&spec, Duration::from_secs(60)).unwrap();
    let kept = files::read_text(world.path("kept")).unwrap();
    let pid = kept.split(' ').next().unwrap().to_owned();
    assert_eq!(commands.tail(), [&*pid], "it was written down before it began");
    assert!(!files::exists(&record));
    let left = world.written("left");
    assert_eq!(world.end(), None);
    assert!(lives(left), "what a command left when it ended well goes on");
    // Had we been killed just before, nobody could tell that it ended well.
    files::replace(&record, kept.as_bytes()).unwrap();
    assert_eq!(world.end().map(|pid| pid.to_string()), Some(pid));
    assert!(!lives(left));
}

#[test]
fn d12_a_command_that_cannot_be_put_on_record_never_runs() {
    let world = World::new();
    files::replace(world.path("file"), b"").unwrap();
    let below_a_file = world.folder.path().join("file/command");
    let session = Session::silent();
    let commands = Commands::new(&session, below_a_file);
    let spec = world.spec("echo ran >proof");
    commands.run(&spec, Duration::from_secs(60)).unwrap_err();
    assert!(!files::exists(world.path("proof")));
}
