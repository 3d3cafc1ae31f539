//! `waveoff deploy`, `rollback`, `status`: real processes, started, judged and taken back.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use crate::deploy_world::{World, finish, process_config};
use crate::harness::{signal, signals};

/// A release that is bad is waited for, so that there is time to do something meanwhile.
pub(crate) fn patient() -> World {
    World::with(
        &process_config()
            .replace("path: /version", "path: /ready")
            .replace("within: 10s", "within: 60s"),
    )
}

fn incidents(world: &World) -> String {
    world.folder.path().join("state/shop/production/incidents").display().to_string()
}

#[test]
fn d8_a_good_release_stays_and_the_same_one_again_is_nothing_to_do() {
    let world = World::new();
    let ran = world.deploy("v1").run().expect_code(0);
    assert!(ran.stdout.contains("v1 is live and verified"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"));
    assert_eq!(world.events(), ["started", "mutating", "verified"]);
    let pid = world
        .tree()
        .remove(&format!("{}/state/shop/production/process.pid", world.folder.path().display()));

    let ran = world.deploy("v1").run().expect_code(0);
    assert!(ran.stdout.contains("nothing to do"), "{}", ran.stdout);
    assert_eq!(world.report()["deployment"]["outcome"], "nothing");
    assert_eq!(world.events().len(), 3);
    let again = world
        .tree()
        .remove(&format!("{}/state/shop/production/process.pid", world.folder.path().display()));
    assert_eq!(pid, again, "it was not started again");

    world.deploy("v1").args(["--force"]).run().expect_code(0);
    assert_eq!(world.events().len(), 6);
}

#[test]
fn r1_a_bad_release_is_taken_back() {
    let world = World::new();
    world.deploy("v1").args(["--sha", "0f3a9c1"]).run().expect_code(0);
    let ran = world.deploy("v2").run().expect_code(20);
    assert!(ran.stdout.contains("v2 failed, and v1 is back and verified"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"));
    let events = world.events();
    assert_eq!(events[3..], ["started", "mutating", "failed", "rolled-back"]);
    let report = world.report();
    assert_eq!(report["verdict"], "fail");
    assert_eq!(report["deployment"]["outcome"], "rolled-back");
    assert_eq!(report["outputs"]["live-version"], "v1");
    assert_eq!(report["outputs"]["previous-sha"], "0f3a9c1");
    assert_eq!(report["outputs"]["rolled-back"], "true");
    let key = report["outputs"]["incident-key"].as_str().unwrap();
    assert_eq!(report["outputs"]["incident"], format!("{}/{key}.md", incidents(&world)));
    let incident = std::fs::read_to_string(format!("{}/{key}.md", incidents(&world))).unwrap();
    assert!(incident.contains("v2 → v1") && incident.contains("postgres"), "{incident}");
    let id = report["deployment"]["id"].as_str().unwrap();
    let log = std::fs::read_to_string(format!("{}/{id}.log", incidents(&world))).unwrap();
    assert!(log.contains("listening on"), "{log}");
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(
        steps,
        [
            "capture",
            "record",
            "record",
            "save the previous tag v1",
            "start v2",
            "verify v2",
            "record",
            "undo: start v2",
            "verify v1",
            "compare v1 with what was captured",
            "note that there is no previous tag",
            "record",
            "notify"
        ]
    );

    // Deploying, going back and deploying again works, and ends the incident.
    world.deploy("v3").run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v3"));
    let incident = std::fs::read_to_string(format!("{}/{key}.md", incidents(&world))).unwrap();
    assert!(incident.contains("v3 was deployed and verified"), "{incident}");
}

#[test]
fn a_rollback_that_fails_calls_a_person() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    let ran = world.deploy("v2").env("BAD", "v1,v2").run().expect_code(21);
    assert!(ran.stdout.contains("a person is needed"), "{}", ran.stdout);
    assert_eq!(world.events().last().unwrap(), "rollback-failed");
    world.waveoff(&["status"]).run().expect_code(10);

    // Somebody mended it.
    let ran = world.waveoff(&["rollback", "--to", "v1", "--reason", "mended"]).run().expect_code(0);
    assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
    world.waveoff(&["status"]).run().expect_code(0);
}

#[test]
fn e2_a_first_release_that_is_bad_has_no_target_and_says_so() {
    let world = World::new();
    let ran = world.deploy("v2").run().expect_code(10);
    assert!(ran.stdout.contains("nothing to go back to"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v2"), "it is left to be looked at");
    assert_eq!(world.events(), ["started", "mutating", "failed"]);
    assert_eq!(world.report()["outputs"]["previous-version"], "");
    let key = world.report()["outputs"]["incident-key"].as_str().unwrap().to_owned();
    let incident = std::fs::read_to_string(format!("{}/{key}.md", incidents(&world))).unwrap();
    assert!(incident.contains("no verified release"), "{incident}");
    world.deploy("v1").run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1"));
}

#[test]
fn a_live_release_that_has_died_is_started_again() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    let file = world.folder.path().join("state/shop/production/process.pid");
    let pid = std::fs::read_to_string(file).unwrap();
    let pid = pid.split_whitespace().next().unwrap().to_owned();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    world.until("it is gone", |world| world.version().is_none());
    let ran = world.waveoff(&["status"]).run().expect_code(10);
    assert!(ran.stdout.contains("v1 should run, and nothing runs"), "{}", ran.stdout);
    world.deploy("v1").run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1"));
}

#[test]
fn a_cancelled_deployment_brings_the_old_release_back_however_often_it_is_cancelled() {
    for name in ["-INT", "-TERM"] {
        let world = patient();
        world.deploy("v1").run().expect_code(0);
        let (child, _) = world.deploy("v2").start();
        world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
        let started = Instant::now();
        signal(&child, name);
        signal(&child, name);
        let ran = finish(child).expect_code(20);
        assert!(started.elapsed() < Duration::from_secs(10), "it does not wait to the deadline");
        assert!(ran.stdout.contains("cancelled by SIG"), "{}", ran.stdout);
        assert_eq!(world.version().as_deref(), Some("v1"));
        assert_eq!(world.events()[5..], ["failed", "rolled-back"]);
    }
}

#[test]
fn d7_a_lost_connection_ends_nothing_and_one_can_come_back_to_it() {
    if !signals().contains(&"-HUP") {
        // Under nohup no connection is lost.
        return;
    }
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    let (child, _) = world.deploy("v2").start();
    world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
    signal(&child, "-HUP");
    let ran = finish(child).expect_code(12);
    assert!(ran.stderr.contains("the engine goes on"), "{}", ran.stderr);
    let (child, _) = world.waveoff(&["attach"]).start();
    let engine = std::process::Command::new("kill").args(["-TERM", &world.engine()]).status();
    assert!(engine.unwrap().success());
    let ran = finish(child).expect_code(20);
    assert!(ran.stdout.contains("v2 failed, and v1 is back and verified"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"));
    world.waveoff(&["attach"]).run().expect_code(20);
}

#[test]
fn what_is_cancelled_before_anything_is_touched_just_ends() {
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    // It is live and not well, so it is looked at for a while before it is deployed again.
    let fault = format!("http://127.0.0.1:{}/fault/not-ready", world.port);
    ureq::post(fault).send_empty().unwrap();
    let (mut child, _) = world.deploy("v1").start();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("is it well?"), "{line}");
    signal(&child, "-INT");
    let ran = finish(child).expect_code(12);
    assert!(ran.stdout.contains("nothing was touched: cancelled by SIGINT"), "{}", ran.stdout);
    assert_eq!(world.events()[3..], [""; 0]);
    world.waveoff(&["status"]).run().expect_code(0);
}

#[test]
fn a_second_deployer_learns_who_the_first_one_is() {
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    let (child, _) = world.deploy("v2").env("USER", "alice").start();
    world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
    let ran = world.deploy("v3").args(["--queue", "0s"]).run().expect_code(12);
    let owner = format!("`deploy v2` by alice, process {}", world.engine());
    assert!(ran.stderr.contains(&owner), "{}", ran.stderr);
    let ran = world.waveoff(&["status"]).run().expect_code(11);
    assert!(ran.stdout.contains(&owner) && ran.stdout.contains("on its way"), "{}", ran.stdout);
    signal(&child, "-TERM");
    finish(child).expect_code(20);
    world.deploy("v3").run().expect_code(0);
}

#[test]
fn a_deployer_that_was_killed_leaves_no_lock_and_no_doubt() {
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    let (child, _) = world.deploy("v2").start();
    world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
    signal(&child, "-KILL");
    assert_eq!(finish(child).code, None);
    let killed = std::process::Command::new("kill").args(["-KILL", &world.engine()]).status();
    assert!(killed.unwrap().success());
    let ran = world.waveoff(&["status"]).run().expect_code(11);
    assert!(ran.stdout.contains("was begun and not ended"), "{}", ran.stdout);
    world.waveoff(&["rollback"]).run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1"));
    world.waveoff(&["status"]).run().expect_code(0);
}

#[test]
fn r5_by_hand_only_verified_releases_come_back() {
    let world = World::new();
    for (version, code) in [("v1", 0), ("v2", 20), ("v3", 0), ("v4", 0)] {
        world.deploy(version).run().expect_code(code);
    }
    let ran = world.waveoff(&["rollback", "--list"]).run().expect_code(0);
    assert!(ran.stdout.contains("3 verified releases"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("v2"), "{}", ran.stdout);
    let before = world.tree();
    for (arguments, why) in [
        (["rollback", "--to", "v2"], "not a verified release"),
        (["rollback", "--to", "../../v1"], "not a verified release"),
        (["rollback", "--to", "v4"], "is what runs now"),
    ] {
        let ran = world.waveoff(&arguments).run().expect_code(2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    let ran = world.waveoff(&["rollback", "--dry-run"]).run().expect_code(0);
    assert!(ran.stdout.contains("v3 would be brought back"), "{}", ran.stdout);
    assert_eq!(world.tree(), before);

    world.waveoff(&["rollback", "--to", "v1", "--reason", "slow"]).run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1"));
    let ledger = std::fs::read_to_string(world.ledger_file()).unwrap();
    assert!(ledger.contains("slow (by hand: "), "{ledger}");
    let ran = world.waveoff(&["status"]).run().expect_code(0);
    assert!(ran.stdout.contains("v1 is live, verified"), "{}", ran.stdout);
}

const COMMAND: &str = include_str!("../../examples/command/waveoff.yml");

fn shipped() -> World {
    let world = World::with(COMMAND);
    world.write("ship.sh", include_str!("../../examples/command/ship.sh"));
    world.write("running.sh", include_str!("../../examples/command/running.sh"));
    world
}

#[test]
fn d11_your_own_command_deploys_and_takes_back() {
    let world = shipped();
    let ran = world.deploy("v1").run().expect_code(0);
    assert!(ran.stdout.contains("| shipping v1 (was nothing, forward)"), "{}", ran.stdout);
    let ran = world.deploy("v2").run().expect_code(20);
    assert!(ran.stdout.contains("| shipping v2 (was v1, forward)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("| shipping v1 (was v2, back)"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"));
    world.waveoff(&["status"]).run().expect_code(0);
}

#[test]
fn d11_one_command_and_one_address_are_enough() {
    let world = World::with(include_str!("../../examples/one-url/waveoff.yml"));
    world.write("ship.sh", include_str!("../../examples/command/ship.sh"));
    let url = format!("http://127.0.0.1:{}/version", world.port);
    world.deploy("v1").env("SHOP_URL", &url).run().expect_code(0);
    // What answers for another version is not the release that was deployed.
    let script = include_str!("../../examples/command/ship.sh");
    let lies = "if [ \"$WAVEOFF_VERSION\" = v3 ]; then exit 0; fi\nset -eu\n";
    world.write("ship.sh", &script.replace("set -eu\n", lies));
    world.write("waveoff.yml", &one_url_hurried());
    let ran = world.deploy("v3").env("SHOP_URL", &url).run().expect_code(20);
    assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
}

fn one_url_hurried() -> String {
    include_str!("../../examples/one-url/waveoff.yml").replace("within: 2m", "within: 1s")
}

#[test]
fn of_many_deployers_at_once_each_has_its_turn_or_is_told_to_wait() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    let children: Vec<_> = (3..9).map(|n| world.deploy(&format!("v{n}")).start().0).collect();
    let codes: Vec<_> = children.into_iter().map(|child| finish(child).code.unwrap()).collect();
    let won = codes.iter().filter(|code| **code == 0).count();
    assert!(won >= 1 && codes.iter().all(|code| [0, 12].contains(code)), "{codes:?}");
    assert_eq!(world.events().len(), 3 * (1 + won), "every turn is whole");
    let ran = world.waveoff(&["status"]).run().expect_code(0);
    assert!(
        ran.stdout.contains(&format!("{} is live", world.version().unwrap())),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_deploy_command_that_fails_is_taken_back_and_its_output_is_evidence() {
    let world = shipped();
    world.deploy("v1").run().expect_code(0);
    let script = include_str!("../../examples/command/ship.sh");
    let fails = "if [ \"$WAVEOFF_VERSION\" = v3 ]; then\n  echo '::set-output name=x::y'\n  printf '\\033[2J\\a\\n'\n  \
                 echo 'registry says no' >&2\n  exit 3\nfi\nset -eu\n";
    world.write("ship.sh", &script.replace("set -eu\n", fails));
    let ran = world.deploy("v3").env("GITHUB_ACTIONS", "true").run().expect_code(20);
    assert!(!ran.stdout.lines().any(|line| line.trim_start().starts_with("::set-output")));
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("[2J"), "{}", ran.stdout);
    let report = world.report();
    let check = &report["checks"][0];
    assert_eq!(check["last_response"]["status"], 3);
    assert!(check["last_response"]["body"].as_str().unwrap().contains("registry says no"));
    assert!(report["deployment"]["failure"].as_str().unwrap().contains("exit code 3"));
    assert_eq!(world.version().as_deref(), Some("v1"));
}

#[test]
fn a_deploy_command_that_takes_too_long_is_ended() {
    let world = shipped();
    world.deploy("v1").run().expect_code(0);
    // Long enough for the way back on a busy machine.
    world.write("waveoff.yml", &COMMAND.replace("timeout: 5m", "timeout: 10s"));
    let script = include_str!("../../examples/command/ship.sh");
    let hangs = "if [ \"$WAVEOFF_VERSION\" = v3 ]; then sleep 600; fi\nset -eu\n";
    world.write("ship.sh", &script.replace("set -eu\n", hangs));
    world.deploy("v3").run().expect_code(20);
    assert_eq!(world.version().as_deref(), Some("v1"));
}

#[test]
fn a_ledger_that_breaks_after_the_first_touch_stops_no_rollback() {
    let world = shipped();
    world.deploy("v1").run().expect_code(0);
    let script = include_str!("../../examples/command/ship.sh");
    let ledger = world.ledger_file().display().to_string();
    let breaks = format!("mv {ledger} {ledger}.old 2>/dev/null && mkdir {ledger}\nset -eu\n");
    world.write("ship.sh", &script.replace("set -eu\n", &breaks));
    let ran = world.deploy("v2").run().expect_code(20);
    assert!(ran.stdout.contains("the ledger does not know all of it"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"));
    std::fs::remove_dir(world.ledger_file()).unwrap();
    // A release that is well but that nobody remembers is no pass.
    let ran = world.deploy("v3").run().expect_code(12);
    assert!(ran.stdout.contains("the ledger does not know all of it"), "{}", ran.stdout);
}

#[test]
fn init_writes_a_beginning_once() {
    let world = World::with("");
    std::fs::remove_file(world.folder.path().join("waveoff.yml")).unwrap();
    world.waveoff(&["init"]).run().expect_code(0);
    let before = world.tree();
    let ran = world.waveoff(&["init"]).run().expect_code(2);
    assert!(ran.stderr.contains("waveoff.yml and .github/workflows/deploy.yml is there"));
    assert_eq!(world.tree(), before);
    world.waveoff(&["init", "--force"]).run().expect_code(0);
}
