//! Several hosts and more than one caller, or one that is cancelled or out of reach for a while.

use std::io::{BufRead, BufReader};
use std::process::Child;

use crate::fleet::Fleet;
use crate::harness::{Ran, signal};

/// Reads what it says, until it says this.
fn until_said(child: &mut Child, text: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said: Vec<String> =
        lines.by_ref().map_while(Result::ok).take_while(|l| !l.contains(text)).collect();
    // It goes on writing, and somebody must read it.
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).count());
    assert!(child.try_wait().unwrap().is_none(), "{said:?}");
    drop(rest);
}

/// A caller whose release is being deployed on the second host; the first one has it.
fn between(fleet: &Fleet, version: &str) -> Child {
    let _ = std::fs::remove_file(fleet.file(1, "began"));
    fleet.say(1, "wait");
    let caller = fleet.deploy(version).start().0;
    fleet.until("the second host began", || fleet.file(1, "began").exists());
    caller
}

fn go_on(fleet: &Fleet) {
    std::fs::remove_file(fleet.file(1, "wait")).unwrap();
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

fn ran(fleet: &Fleet) -> Vec<String> {
    (0..fleet.hosts.len()).map(|host| fleet.ran(host).join(" ")).collect()
}

#[test]
fn d6_d11_the_second_caller_waits_for_all_hosts_of_the_first_one() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    let first = between(&fleet, "v2");
    let hasty: [(&[&str], &str); 3] = [
        (&["deploy", "--version", "v3", "--queue", "1s"], "are still changed by"),
        (&["rollback", "--queue", "1s"], "are still changed by"),
        (&["recover", "--queue", "1s"], "are still changed by"),
    ];
    for (arguments, says) in hasty {
        let refused = fleet.waveoff(arguments).run().expect_code(12);
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    let mut second = fleet.deploy("v3").start().0;
    until_said(&mut second, "that is waited for");
    go_on(&fleet);
    ended(first).expect_code(0);
    ended(second).expect_code(0);
    assert_eq!(ran(&fleet), ["v1 v2 v3", "v1 v2 v3", "v1 v2 v3"]);
    assert_eq!(fleet.open(), 0);
}

#[test]
fn d7_d11_who_was_out_of_reach_and_is_taken_over_changes_nothing_more() {
    let Some(mut fleet) = Fleet::new(3, "") else { return };
    let first = between(&fleet, "v2");
    // It hangs, and its connections are cut.
    signal(&first, "-STOP");
    fleet.hosts.iter_mut().for_each(crate::sshd::Sshd::kill_sessions);
    let second = fleet.deploy("v3").start().0;
    go_on(&fleet);
    // What the first one has begun is finished, taken back, and the second one's release deployed.
    ended(second).expect_code(0);
    assert_eq!(ran(&fleet), ["v1 v2 v1 v3", "v1 v2 v1 v3", "v1 v3"]);
    signal(&first, "-CONT");
    let first = ended(first).expect_code(12);
    assert!(first.stderr.contains("nothing is brought back from here"), "{first:?}");
    assert_eq!(ran(&fleet), ["v1 v2 v1 v3", "v1 v2 v1 v3", "v1 v3"]);
    assert_eq!((fleet.live(), fleet.open()), (vec!["v3".to_owned(); 3], 0));
}

#[test]
fn d7_d11_who_was_out_of_reach_and_finds_all_as_it_was_goes_on() {
    let Some(mut fleet) = Fleet::new(3, "") else { return };
    let first = between(&fleet, "v2");
    fleet.hosts.iter_mut().for_each(crate::sshd::Sshd::kill_sessions);
    go_on(&fleet);
    ended(first).expect_code(0);
    assert_eq!(ran(&fleet), ["v1 v2", "v1 v2", "v1 v2"]);
    assert_eq!(fleet.open(), 0);
}

#[test]
fn d7_d11_a_cancelled_caller_brings_all_hosts_back() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    let first = between(&fleet, "v2");
    signal(&first, "-INT");
    let cancelled = ended(first).expect_code(20);
    assert_eq!(fleet.live(), ["v1", "v1", "v1"], "{cancelled:?}");
    assert_eq!(fleet.ran(2), ["v1"]);
    assert_eq!(fleet.open(), 0);
    go_on(&fleet);
    fleet.deploy("v3").run().expect_code(0);
}

#[test]
fn r1_d11_all_hosts_go_back_to_one_release_also_when_asked_again() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    fleet.deploy("v2").run().expect_code(0);
    fleet.deploy("v3").run().expect_code(0);
    // One was gone back on already, and then the caller was lost.
    let one = fleet.world.folder.path().join("one.yml");
    let text = std::fs::read_to_string(fleet.world.folder.path().join("waveoff.yml")).unwrap();
    let only = |line: &str| match line.starts_with("hosts:") {
        true => format!("host: {}\n", fleet.hosts[0].url()),
        false => format!("{line}\n"),
    };
    std::fs::write(&one, text.lines().map(only).collect::<String>()).unwrap();
    fleet.waveoff(&["rollback", "--config", "one.yml"]).run().expect_code(0);
    assert_eq!(fleet.live(), ["v2", "v3", "v3"]);
    let refused = fleet.waveoff(&["rollback"]).run().expect_code(2);
    assert!(refused.stderr.contains("the hosts have different releases"), "{refused:?}");
    assert!(refused.stderr.contains("--to"), "{refused:?}");
    fleet.waveoff(&["rollback", "--to", "v2"]).run().expect_code(0);
    assert_eq!(fleet.live(), ["v2", "v2", "v2"]);
    assert_eq!(fleet.ran(0).join(" "), "v1 v2 v3 v2");
    let back = fleet.waveoff(&["rollback", "--json"]).run().expect_code(0);
    assert_eq!(fleet.live(), ["v1", "v1", "v1"], "{back:?}");
}

#[test]
fn d11_attach_finds_the_run_beyond_a_host_that_is_down() {
    let Some(mut fleet) = Fleet::new(2, "") else { return };
    let runs = fleet.file(1, ".local/state/waveoff/shop/production/runs");
    let run = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap().file_name();
    fleet.hosts[0].stop();
    let attached = fleet.waveoff(&["attach", "--run", run.to_str().unwrap()]).run();
    assert!(attached.expect_code(0).stdout.contains("v1 is live"), "{run:?}");
    let unknown = fleet.waveoff(&["attach", "--run", "20200101-000000-000000"]).run();
    // It may be on the one that cannot tell.
    assert!(unknown.expect_code(12).stderr.contains(&fleet.hosts[0].url()));
}
