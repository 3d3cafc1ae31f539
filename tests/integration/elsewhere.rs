//! Releases that somebody else deployed: confirmed by a report, or taken back.

use serde_json::{Value, json};

use crate::deploy_world::World;
use crate::harness::{Program, Ran};

const CONFIG: &str = r"
version: 1
service: shop
environment: production
deploy: [./ship.sh]
checks:
  - name: answers
    command: [sh, -c, test -s serving]
  - name: well
    command: [sh, -c, '! grep -q bad serving']
  - name: tidy
    severity: warning
    command: [sh, -c, test -e tidied]
";

const SHIP: &str = "#!/bin/sh\necho \"$WAVEOFF_VERSION\" >serving\necho shipped >>shipped\n";

/// A machine on which somebody else's script says what serves.
fn world() -> World {
    let world = World::with(CONFIG);
    world.write("ship.sh", SHIP);
    world
}

/// Somebody deploys `serving`, and smoke-tests it as `version`; the report is `report.json`.
fn smoke(world: &World, serving: &str, version: &str) -> Ran {
    world.write("serving", serving);
    let program = Program::within("smoke-test", &world.folder);
    let args = ["--expect-version", version, "--attempts", "1", "--report", "report.json"];
    program.args(args).run()
}

fn confirm(world: &World, version: &str) -> Ran {
    world.waveoff(&["deploy", "--version", version, "--confirm", "report.json", "--json"]).run()
}

fn shipped(world: &World) -> bool {
    world.folder.path().join("shipped").exists()
}

#[test]
fn what_others_deployed_is_verified_by_a_report_and_nothing_is_started() {
    let world = world();
    smoke(&world, "v1", "v1").expect_code(0);
    let plan = ["deploy", "--version", "v1", "--confirm", "report.json", "--dry-run"];
    world.waveoff(&plan).run().expect_code(0);
    assert!(world.events().is_empty());

    let report = confirm(&world, "v1").expect_code(0).report();
    assert_eq!(report["outputs"]["outcome"], "verified");
    assert_eq!(report["checks"][0]["name"], "answers");
    assert_eq!(world.events(), ["started", "mutating", "verified"]);
    assert!(!shipped(&world));
    let status = world.waveoff(&["status"]).run().expect_code(0);
    assert!(status.stdout.contains("v1"), "{}", status.stdout);

    // Once more is once: from the file, and as a later job has it.
    let report = confirm(&world, "v1").expect_code(0).report();
    assert_eq!(report["outputs"]["outcome"], "nothing");
    assert_eq!(report["outputs"]["live-version"], "v1");
    let inline = world.report().to_string();
    let ran = world.waveoff(&["deploy", "--version", "v1"]).env("WAVEOFF_CONFIRM", &inline).run();
    ran.expect_code(0);
    assert_eq!(world.events().len(), 3);
}

#[test]
fn evidence_that_disagrees_records_nothing() {
    let world = world();
    smoke(&world, "v1", "v1").expect_code(0);
    let good = world.report();
    let refused = |change: &dyn Fn(&mut Value), words: &str| {
        let mut report = good.clone();
        change(&mut report);
        world.write("report.json", &report.to_string());
        let ran = confirm(&world, "v1").expect_code(2);
        assert!(ran.stderr.contains(words), "{words:?}: {}", ran.stderr);
    };
    refused(&|report| report["expected_version"] = json!("v2"), "about the version v2");
    refused(&|report| report["environment"] = json!("staging"), "the environment staging");
    refused(&|report| report["service"] = json!("till"), "the service till");
    refused(&|report| report["verdict"] = json!("fail"), "its verdict is fail");
    refused(&|report| report["checks"][1]["name"] = json!("other"), "are not in it: well");
    refused(&|report| report["started"] = json!("2020-01-01T00:00:00Z"), "old, and may be");
    refused(&|report| report["version"] = json!(2), "the version 2");
    world.write("report.json", "{");
    confirm(&world, "v1").expect_code(2);
    world.write("report.json", "");
    confirm(&world, "v1").expect_code(2);
    // The suite has grown since.
    world.write("report.json", &good.to_string());
    world.write("waveoff.yml", &format!("{CONFIG}  - command: [\"true\"]\n    name: more\n"));
    let ran = confirm(&world, "v1").expect_code(2);
    assert!(ran.stderr.contains("are not in it: more"), "{}", ran.stderr);
    world.waveoff(&["deploy", "--version", "v1", "--confirm", "none.json"]).run().expect_code(2);
    assert!(world.events().is_empty());
    assert!(!world.folder.path().join("state").exists(), "nothing is made, no lock either");
}

#[test]
fn a_report_says_which_environment_it_is_about() {
    let world = world();
    world.write("tidied", "");
    smoke(&world, "v1", "v1").expect_code(0);
    assert_eq!(world.report()["environment"], "production");
    let wait = |args: &[&str]| {
        let program = Program::within("wait-healthy", &world.folder).args(["--json"]).args(args);
        program.run().expect_code(0).report()
    };
    assert_eq!(wait(&["--environment", "staging", "--service", "till"])["environment"], "staging");
    assert_eq!(wait(&["--service", "till"])["service"], "till");
    world.write("waveoff.yml", &CONFIG.replace("environment: production\n", ""));
    assert_eq!(wait(&[])["environment"], Value::Null);
}

#[test]
fn what_others_deployed_and_failed_is_taken_back() {
    let world = world();
    smoke(&world, "v1", "v1").expect_code(0);
    confirm(&world, "v1").expect_code(0);
    smoke(&world, "v2-bad", "v2").expect_code(10);
    confirm(&world, "v2").expect_code(2);

    // The ledger knows of no v2: without being told, v1 is what runs.
    let ran = world.waveoff(&["rollback", "--to", "v1"]).run().expect_code(2);
    assert!(ran.stderr.contains("v1 is what runs now"), "{}", ran.stderr);
    let back = |more: &[&str]| {
        let ran = world.waveoff(&["rollback", "--failed-version", "v2", "--json"]).args(more);
        ran.args(["--reason", "redis is down", "--failed-sha", "0f3a9c1"]).run()
    };
    back(&["--dry-run"]).expect_code(0);
    assert_eq!(world.events().len(), 3);
    assert!(!shipped(&world));

    let report = back(&[]).expect_code(0).report();
    assert_eq!(report["outputs"]["live-version"], "v1");
    assert_eq!(report["deployment"]["sha"], "0f3a9c1");
    assert_ne!(report["outputs"]["incident-key"], "");
    assert_eq!(report["outputs"]["incident"], "", "whoever deployed it tells of it");
    assert_eq!(world.events()[3..], ["started", "mutating", "failed", "rolled-back"]);
    let ledger = std::fs::read_to_string(world.ledger_file()).unwrap();
    assert!(ledger.contains("redis is down"), "{ledger}");

    // They deploy it again: that is another deployment. Its rollback is one, too.
    world.write("serving", "v2-bad");
    back(&[]).expect_code(0);
    assert_eq!(world.events().len(), 11);
    // What runs by the ledger and fails now is taken back as that, and not written anew.
    smoke(&world, "v3", "v3").expect_code(0);
    confirm(&world, "v3").expect_code(0);
    world.waveoff(&["rollback", "--failed-version", "v3"]).run().expect_code(0);
    assert_eq!(world.events()[14..], ["mutating", "rolled-back"]);

    for wrong in [["--failed-version", "v1", "--to", "v1"], ["--failed-version", "", "--to", "v1"]]
    {
        world.waveoff(&["rollback"]).args(wrong).run().expect_code(2);
    }
    world.waveoff(&["rollback", "--failed-sha", "0f3a9c1"]).run().expect_code(2);
}

#[test]
fn a_good_release_ends_the_incident_of_one_that_failed_elsewhere() {
    let world = world();
    smoke(&world, "v1", "v1").expect_code(0);
    confirm(&world, "v1").expect_code(0);
    world.write("ship.sh", "#!/bin/sh\nexit 1\n");
    // Nobody else knows of a rollback that fails: that is told at once.
    let ran = world.waveoff(&["rollback", "--failed-version", "v2", "--json"]).run();
    let report = ran.expect_code(21).report();
    let file = report["outputs"]["incident"].as_str().unwrap().to_owned();
    assert!(file.ends_with(&format!("{}.md", report["outputs"]["incident-key"].as_str().unwrap())));
    smoke(&world, "v3", "v3").expect_code(0);
    confirm(&world, "v3").expect_code(0);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("v3 was deployed and verified"), "{text}");
}
