//! Deployments on another machine, over a real sshd and a line that is in trouble.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use crate::harness::{Ran, signal};
use crate::ssh_world::{FILE, Far, SECRET, command_lines, holding};

#[test]
fn d11_a_release_is_deployed_rolled_back_and_told_of_on_the_host() {
    let config = include_str!("../../examples/process/waveoff.yml");
    let Some(far) = Far::new(config) else { return };
    far.deploy("v1").run().expect_code(0);
    assert_eq!(far.world.version().as_deref(), Some("v1"));
    assert!(far.state().join("shop/production/ledger.jsonl").exists(), "the state is the host's");
    assert!(!far.world.folder.path().join("state").exists());
    let bad = far.deploy("v2").run().expect_code(20);
    assert!(bad.stdout.contains("v1 is back and verified"), "{}", bad.stdout);
    assert_eq!(far.world.report()["outputs"]["report-file"], "report.json");
    far.deploy("v3").run().expect_code(0);
    let status = far.waveoff(&["status", "--json"]).run().expect_code(0);
    assert_eq!(status.report()["outputs"]["live-version"], "v3");
    far.waveoff(&["rollback", "--dry-run"]).run().expect_code(0);
    far.waveoff(&["rollback"]).run().expect_code(0);
    assert_eq!(far.world.version().as_deref(), Some("v1"));
    let captured = far.waveoff(&["capture", "--output", "before.json"]).run().expect_code(0);
    assert!(captured.stdout.contains("version"), "{}", captured.stdout);
    assert!(far.world.folder.path().join("before.json").exists(), "it is written here");
    far.waveoff(&["recover"]).run().expect_code(0);
    assert!(far.kits().is_empty(), "no key is left: {:?}", far.kits());
    far.host.ran("kill $(cut -d' ' -f1 state/shop/production/process.pid)").expect_code(0);
}

#[test]
fn d11_the_program_is_sent_once_and_again_when_it_was_changed() {
    let own = tempfile::tempdir().unwrap();
    let Some(far) = Far::with_cache(FILE, own.path().to_owned(), &[]) else { return };
    let first: Vec<_> = ["v1", "v1"].map(|version| far.deploy(version).start().0).into();
    for child in first {
        let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(0);
        assert!(ran.stdout.contains("waveoff was sent to"), "two at once: {}", ran.stdout);
    }
    let before = far.line.sent();
    let again = far.deploy("v2").run().expect_code(0);
    assert!(!again.stdout.contains("was sent"), "{}", again.stdout);
    assert!(far.line.sent() - before < 100_000, "{}", far.line.sent() - before);
    let [program] = &far.programs()[..] else { panic!("{:?}", far.programs()) };
    assert_eq!(std::fs::read_dir(program).unwrap().count(), 1, "nothing else is left there");
    let file = program.join("waveoff");
    let size = std::fs::metadata(&file).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(size - 1).unwrap();
    let mended = far.deploy("v3").run().expect_code(0);
    assert!(mended.stdout.contains("was sent"), "{}", mended.stdout);
    assert_eq!(std::fs::metadata(&file).unwrap().len(), size);
    for name in ["a", "b", "c", "d"] {
        std::fs::create_dir_all(own.path().join("waveoff/bin").join(name)).unwrap();
    }
    std::fs::remove_dir_all(program).unwrap();
    far.deploy("v4").run().expect_code(0);
    assert_eq!(far.programs().len(), 3, "the last three are kept");
    assert!(file.exists());
}

#[test]
fn d11_who_sends_the_program_hears_signals_and_keeps_no_key() {
    let own = tempfile::tempdir().unwrap();
    let Some(far) = Far::with_cache(FILE, own.path().to_owned(), &[]) else { return };
    // The program takes minutes.
    far.line.slow(500_000);
    let child = far.deploy("v1").start().0;
    far.until("it is being sent", || far.line.sent() > 300_000);
    assert!(far.kits().is_empty(), "whoever is let in needs no key any more: {:?}", far.kits());
    let signalled = Instant::now();
    signal(&child, "-INT");
    let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(12);
    assert!(signalled.elapsed() < Duration::from_secs(20), "{:?}", signalled.elapsed());
    assert!(ran.stderr.contains("left by SIGINT; nothing was begun"), "{}", ran.stderr);
}

#[test]
fn d7_who_tries_another_connection_hears_signals() {
    let Some(far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    let child = far.waiting("v2");
    let kits = far.kits().len();
    far.line.freeze();
    far.line.cut();
    far.until("another connection is tried", || far.kits().len() > kits);
    let signalled = Instant::now();
    signal(&child, "-HUP");
    let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(12);
    // ssh itself gives up after ten seconds.
    assert!(signalled.elapsed() < Duration::from_secs(6), "{:?}", signalled.elapsed());
    assert!(ran.stderr.contains("left by SIGHUP; the engine goes on there"), "{}", ran.stderr);
    far.line.open();
    far.go_on();
    far.until("it ended there", || far.live() == "v2");
}

#[test]
fn d7_a_line_that_is_cut_is_no_cancellation_and_the_caller_goes_on() {
    let Some(mut far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    for how in ["v-cut", "v-sessions", "v-frozen"] {
        let child = far.waiting(how);
        match how {
            "v-cut" => far.line.cut(),
            "v-sessions" => far.host.kill_sessions(),
            _ => {
                far.line.freeze();
                // ssh notices by itself, after 15 s.
                std::thread::park_timeout(Duration::from_secs(1));
                far.line.cut();
                far.line.open();
            }
        }
        let state = far.state().join("shop/production/runs");
        far.until("it is gone with again", || {
            let last = std::fs::read_dir(&state).unwrap().map(|run| run.unwrap().path()).max();
            last.is_some_and(|run| run.join("caller").exists())
        });
        far.go_on();
        let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(0);
        for line in [format!("began {how}"), format!("ended {how}")] {
            assert_eq!(ran.stdout.matches(&line).count(), 1, "{line} once: {}", ran.stdout);
        }
        // What was shown before the line was lost is not shown again.
        let told = ran.stdout.lines().filter(|line| line.starts_with(char::is_numeric));
        let mut told: Vec<&str> = told.collect();
        let all = told.len();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), all, "{}", ran.stdout);
        assert!(ran.stdout.contains("another connection is tried"), "{}", ran.stdout);
        assert_eq!((far.live().as_str(), far.kits().len()), (how, 0));
    }
}

#[test]
fn d7_a_host_that_is_gone_for_good_finishes_alone_and_tells_later() {
    let Some(mut far) = Far::new(&format!("{FILE}deploy-within: 4s\n")) else { return };
    far.deploy("v1").run().expect_code(0);
    let child = far.waiting("v3");
    far.host.stop();
    far.line.refuse();
    far.go_on();
    let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(12);
    assert!(ran.stderr.contains("the engine goes on there with the run"), "{}", ran.stderr);
    assert!(ran.stderr.contains("waveoff attach --run"), "{}", ran.stderr);
    far.until("it ended there", || far.live() == "v3");
    far.host.again();
    far.line.open();
    let attached = far.waveoff(&["attach", "--json"]).run().expect_code(0);
    assert_eq!(attached.report()["deployment"]["version"], "v3");
    let status = far.waveoff(&["status"]).run().expect_code(0);
    assert!(status.stdout.contains("v3 is live, verified"), "{}", status.stdout);
}

/// The run of a release, which has an engine.
fn run_of(far: &Far, version: &str) -> Option<std::path::PathBuf> {
    let named = holding(&far.state().join("shop/production/runs"), &format!("\"{version}\""));
    let mut runs = named.into_iter().filter(|file| file.ends_with("commission.json"));
    runs.next().map(|file| file.with_file_name("alive"))
}

#[test]
fn d7_d11_a_run_that_was_killed_is_no_pass_though_the_one_that_buries_it_is() {
    let Some(far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    let first = far.waiting("v3");
    let mut second = far.deploy("v4").start().0;
    let mut lines = BufReader::new(second.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = |text: &str| assert!(lines.any(|line| line.contains(text)), "{text}");
    // It waits in line, and has begun nothing.
    said("waits in line");
    let owner = std::fs::read_to_string(run_of(&far, "v4").unwrap()).unwrap();
    far.host.ran(&format!("kill -KILL {}", owner.split(' ').next().unwrap())).expect_code(0);
    said("another engine finishes its story");
    said("waits in line");
    far.line.cut();
    said("another connection is tried");
    far.go_on();
    let rest: Vec<String> = lines.collect();
    let ran = Ran::of(second.wait_with_output().unwrap()).expect_code(12);
    assert!(ran.stderr.contains("nothing had begun"), "{ran:?} {rest:?}");
    drop(first.wait_with_output());
    assert_eq!(far.live(), "v3");
}

#[test]
fn d6_a_cancellation_here_takes_it_back_there() {
    for sent in ["-INT", "-TERM"] {
        let Some(far) = Far::new(FILE) else { return };
        far.deploy("v1").run().expect_code(0);
        let child = far.waiting("v3");
        signal(&child, sent);
        far.until("the old one comes back", || far.home("began").exists());
        far.go_on();
        let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(20);
        assert!(ran.stdout.contains("cancelled by SIG"), "{}", ran.stdout);
        assert_eq!(far.live(), "v1");
    }
}

#[test]
fn d9_two_callers_wait_in_line_and_are_told_for_whom() {
    let Some(far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    let first = far.waiting("v3");
    let second = far.waveoff(&["deploy", "--version", "v4"]).env("USER", "second").start().0;
    let queue = far.state().join("shop/production/queue");
    far.until("the second one waits", || {
        let names = std::fs::read_dir(&queue).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| !name.to_string_lossy().starts_with('.')).count() == 1
    });
    far.go_on();
    Ran::of(first.wait_with_output().unwrap()).expect_code(0);
    let ran = Ran::of(second.wait_with_output().unwrap()).expect_code(0);
    assert!(ran.stdout.contains("deploy v3"), "told who has it: {}", ran.stdout);
    assert_eq!(far.live(), "v4");
}

#[test]
fn d11_secrets_are_in_no_argument_and_in_no_file_of_a_run_that_is_over() {
    let Some(far) = Far::new(FILE) else { return };
    let child = far.waiting("v1");
    let key = far.host.private_key();
    let line_of_key = key.lines().nth(1).unwrap();
    for line in command_lines() {
        assert!(!line.contains(SECRET) && !line.contains(line_of_key), "{line}");
    }
    assert!(far.kits().is_empty(), "the key is gone as soon as the host let us in");
    let kept = holding(&far.state(), SECRET);
    assert!(kept.iter().all(|file| file.ends_with("commission.json")), "{kept:?}");
    for file in &kept {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o077, 0);
    }
    far.go_on();
    Ran::of(child.wait_with_output().unwrap()).expect_code(0);
    assert_eq!(holding(&far.host.home(), SECRET), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(holding(&far.host.home(), line_of_key), [""; 0].map(std::path::PathBuf::from));
    assert!(!far.host.log().contains(SECRET));
}

#[test]
fn d11_secrets_of_engines_that_were_killed_are_gone_when_their_story_is_over() {
    let Some(far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    // One is at work, and the other one waits in line and has not begun anything.
    let callers = [far.waiting("v3"), far.deploy("v4").start().0];
    let kept = || holding(&far.state(), SECRET);
    let runs = || kept().into_iter().map(|file| file.with_file_name("alive"));
    far.until("both have their commission", || runs().filter(|alive| alive.exists()).count() == 2);
    // Nobody is there who would have it finished at once.
    for caller in callers {
        signal(&caller, "-KILL");
        drop(caller.wait_with_output());
    }
    for alive in runs() {
        let owner = std::fs::read_to_string(alive).unwrap();
        far.host.ran(&format!("kill -KILL {}", owner.split(' ').next().unwrap())).expect_code(0);
    }
    far.go_on();
    assert_eq!(kept().len(), 2);
    far.waveoff(&["recover"]).run();
    assert_eq!(kept(), [""; 0].map(std::path::PathBuf::from));
    let again = far.waveoff(&["recover"]).run().expect_code(0);
    assert!(again.stdout.contains("nothing was interrupted"), "{}", again.stdout);
    assert_eq!(far.live(), "v1");
}

#[test]
fn d11_what_a_killed_caller_left_is_removed_by_the_next() {
    let Some(far) = Far::new(FILE) else { return };
    far.line.freeze();
    let child = far.deploy("v1").start().0;
    far.until("the key is there", || !far.kits().is_empty());
    signal(&child, "-KILL");
    drop(child.wait_with_output());
    assert_eq!(far.kits().len(), 1);
    far.line.cut();
    far.line.open();
    far.deploy("v1").run().expect_code(0);
    assert!(far.kits().is_empty());
}

#[test]
fn d11_a_slow_line_only_takes_longer() {
    let Some(far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    far.line.slow(20_000);
    let started = Instant::now();
    far.deploy("v2").run().expect_code(0);
    assert!(started.elapsed() > Duration::from_millis(300));
    assert_eq!(far.live(), "v2");
}

#[test]
fn d11_files_are_sent_once_and_what_was_changed_there_is_sent_again() {
    let Some(far) = Far::new(FILE) else { return };
    far.world.write("big", &"0123456789abcdef\n".repeat(60_000));
    let config = FILE.replace("[ship.sh]", "[ship.sh, big]");
    far.world.write("waveoff.yml", &format!("{config}{}", crate::ssh_world::SSH));
    let sent = |version: &str| {
        let before = far.line.sent();
        far.deploy(version).run().expect_code(0);
        far.line.sent() - before
    };
    assert!(sent("v1") > 1_000_000);
    assert!(sent("v2") < 100_000);
    let uploads = far.state().join("shop/production/uploads");
    let names = || std::fs::read_dir(&uploads).unwrap().map(|entry| entry.unwrap().path());
    let folder = names().find(|path| path.is_dir()).unwrap();
    std::fs::write(folder.join("big"), "other").unwrap();
    assert!(sent("v3") > 1_000_000);
    assert_eq!(names().count(), 2, "one folder, one list");
}

#[test]
fn d11_a_machine_in_between_is_gone_through_with_the_same_keys() {
    let Some(far) = Far::new(FILE) else { return };
    let config =
        crate::ssh_world::SSH.replace("ssh:\n", "ssh:\n  jump: ssh://root@localhost:${LINE}\n");
    far.world.write("waveoff.yml", &format!("{FILE}{config}"));
    let keys = far.host.known_hosts(far.line.port);
    let keys = format!("{keys}{}", keys.replace("127.0.0.1", "localhost"));
    far.deploy("v1").env("HOST_KEYS", &keys).run().expect_code(0);
    assert_eq!(far.live(), "v1");
    assert!(far.host.log().matches("Accepted publickey").count() >= 2, "{}", far.host.log());
}
