//! Several hosts and more than one caller, or one that is cancelled or out of reach for a while.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::Value;

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

/// A configuration that names one of the hosts alone.
fn only(fleet: &Fleet, host: usize) {
    let folder = fleet.world.folder.path();
    let text = std::fs::read_to_string(folder.join("waveoff.yml")).unwrap();
    let only = |line: &str| match line.starts_with("hosts:") {
        true => format!("host: {}\n", fleet.hosts[host].url()),
        false => format!("{line}\n"),
    };
    std::fs::write(folder.join("one.yml"), text.lines().map(only).collect::<String>()).unwrap();
}

#[test]
fn d7_d11_a_host_that_refuses_has_begun_nothing() {
    let Some(fleet) = Fleet::new(2, "") else { return };
    only(&fleet, 1);
    let newer = ["deploy", "--version", "v3.0.0", "--config", "one.yml"];
    fleet.waveoff(&newer).run().expect_code(0);
    let refused = fleet.deploy("v2.0.0").run().expect_code(20);
    let summary = refused.report()["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("1 other host was brought back"), "{summary}");
    assert_eq!((fleet.live(), fleet.open()), (vec!["v1".to_owned(), "v3.0.0".to_owned()], 0));
    assert_eq!(ran(&fleet), ["v1 v2.0.0 v1", "v1 v3.0.0"]);
}

#[test]
fn d7_d11_a_host_that_lets_nobody_in_for_a_moment_is_brought_back_all_the_same() {
    let Some(mut fleet) = Fleet::new(2, "") else { return };
    let mut caller = between(&fleet, "v2");
    fleet.say(1, "bad");
    fleet.hosts[0].stop();
    go_on(&fleet);
    until_said(&mut caller, "that is tried again for");
    fleet.hosts[0].again();
    ended(caller).expect_code(20);
    assert_eq!((ran(&fleet), fleet.open()), (vec!["v1 v2 v1".to_owned(), "v1 v1".to_owned()], 0));
}

#[test]
fn d7_d11_a_host_that_lets_nobody_in_has_begun_nothing_and_hears_the_end() {
    let Some(mut fleet) = Fleet::new(2, "") else { return };
    fleet.say(0, "wait");
    std::fs::remove_file(fleet.file(0, "began")).unwrap();
    let mut caller = fleet.deploy("v2").start().0;
    fleet.until("the first host began", || fleet.file(0, "began").exists());
    fleet.hosts[1].stop();
    std::fs::remove_file(fleet.file(0, "wait")).unwrap();
    until_said(&mut caller, "that is tried again for");
    fleet.hosts[1].again();
    ended(caller).expect_code(20);
    assert_eq!((ran(&fleet), fleet.open()), (vec!["v1 v2 v1".to_owned(), "v1".to_owned()], 0));
}

#[test]
fn d7_d11_a_line_that_is_cut_while_a_host_is_asked_decides_nothing() {
    let Some(mut fleet) = Fleet::new(3, "") else { return };
    let mut first = between(&fleet, "v2");
    first.kill().unwrap();
    first.wait().unwrap();
    let mut second = fleet.waveoff(&["recover", "--json"]).start().0;
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = |text: &str| assert!(lines.any(|line| line.contains(text)), "{text}");
    said("waits in line");
    fleet.hosts[1].kill_sessions();
    said("another connection is tried");
    go_on(&fleet);
    let rest: Vec<String> = lines.collect();
    let recovered = second.wait_with_output().unwrap();
    assert_eq!(recovered.status.code(), Some(0), "{rest:?} {recovered:?}");
    assert_eq!((fleet.live(), fleet.open()), (vec!["v1".to_owned(); 3], 0));
}

#[test]
fn r1_d11_all_hosts_go_back_to_one_release_also_when_asked_again() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    fleet.deploy("v2").run().expect_code(0);
    fleet.deploy("v3").run().expect_code(0);
    // One was gone back on already, and then the caller was lost.
    only(&fleet, 0);
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

/// The digests of the releases that a host has recorded as brought back, in order.
fn brought_back(fleet: &Fleet, host: usize) -> Vec<String> {
    let file = fleet.file(host, ".local/state/waveoff/shop/production/ledger.jsonl");
    let ledger = std::fs::read_to_string(file).unwrap();
    let events = ledger.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let back = events.filter(|line| line.to_string().contains("\"rolled-back\""));
    let named = |line: Value| line["to"]["digests"][0].as_str().map(str::to_owned);
    back.filter_map(named).collect()
}

#[test]
fn d7_d11_the_same_version_with_other_digests_is_all_new_or_all_old_too() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    let deploy = |digest| fleet.waveoff(&["deploy", "--version", "v2", "--digest", digest]);
    deploy("sha256:aa").run().expect_code(0);
    let _ = std::fs::remove_file(fleet.file(1, "began"));
    fleet.say(1, "wait");
    let mut caller = deploy("sha256:bb").start().0;
    fleet.until("the second host began", || fleet.file(1, "began").exists());
    caller.kill().unwrap();
    caller.wait().unwrap();
    go_on(&fleet);
    // Two hosts have the new one in the end, and the third one was never come to.
    let recovered = fleet.waveoff(&["recover"]).run().expect_code(0);
    assert!(recovered.stdout.contains("not every host has it"), "{recovered:?}");
    assert_eq!(ran(&fleet), ["v1 v2 v2 v2", "v1 v2 v2 v2", "v1 v2"]);
    assert_eq!(
        (brought_back(&fleet, 0), brought_back(&fleet, 2).len()),
        (vec!["sha256:aa".into()], 0)
    );
    assert_eq!(fleet.open(), 0);
    // A rollback by hand is one on every host, too.
    deploy("sha256:bb").run().expect_code(0);
    fleet.waveoff(&["rollback"]).run().expect_code(0);
    for host in 0..3 {
        assert_eq!(brought_back(&fleet, host).last().unwrap(), "sha256:aa", "{host}");
    }
    // The same by force is no other release: there is nothing to come back, and where it fails an older
    // one does.
    fleet.say(1, "bad");
    let force = ["deploy", "--version", "v2", "--digest", "sha256:aa", "--force"];
    let failed = fleet.waveoff(&force).run().expect_code(21);
    assert!(failed.stdout.contains("the hosts have different releases now"), "{failed:?}");
    assert_eq!((fleet.live(), fleet.open()), (["v2", "v1", "v2"].map(str::to_owned).into(), 0));
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
