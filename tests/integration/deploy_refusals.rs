//! What `waveoff deploy` refuses, before anything is touched.

use crate::deploy_world::{World, process_config};

#[test]
fn d8_a_dry_run_prints_the_plan_and_changes_nothing() {
    let world = World::new();
    let before = world.tree();
    let dry = |version: &str| world.waveoff(&["deploy", "--dry-run", "--version", version]);
    let ran = dry("v1").run().expect_code(0);
    assert!(ran.stdout.contains("sample-service --port"), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing to go back to"), "{}", ran.stdout);
    assert_eq!(world.tree(), before);

    world.deploy("v1").run().expect_code(0);
    let before = world.tree();
    let ran = dry("v2").run().expect_code(0);
    assert!(ran.stdout.contains("stop v1, process"), "{}", ran.stdout);
    assert!(ran.stdout.contains("if it fails: start"), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing was changed"), "{}", ran.stdout);
    assert_eq!(world.tree(), before);
    assert_eq!(world.version().as_deref(), Some("v1"));
}

#[test]
fn a_damaged_ledger_stops_everything_and_nothing_is_touched() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    let text = std::fs::read_to_string(world.ledger_file()).unwrap();
    std::fs::write(world.ledger_file(), text.replacen("v1", "v7", 1)).unwrap();
    let before = world.tree();
    for arguments in [&["deploy", "--version", "v3"][..], &["rollback"], &["status"]] {
        let ran = world.waveoff(arguments).run().expect_code(12);
        assert!(ran.stderr.contains("ledger.jsonl:1: the ledger is damaged"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: nothing was touched; restore"), "{}", ran.stderr);
    }
    assert_eq!(world.tree(), before);
    assert_eq!(world.version().as_deref(), Some("v1"));
}

#[test]
fn a_torn_last_line_is_as_if_it_had_not_been_written() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    let text = std::fs::read(world.ledger_file()).unwrap();
    std::fs::write(world.ledger_file(), [&text[..], b"{\"format\":1,\"seq\":4,\"a"].concat())
        .unwrap();
    world.waveoff(&["status"]).run().expect_code(0);
    world.deploy("v3").run().expect_code(0);
    assert_eq!(world.events().len(), 6);
}

#[test]
fn a_ledger_of_a_newer_program_is_left_alone() {
    let world = World::new();
    world.write("state/shop/production/ledger.jsonl", "{\"format\":9,\"seq\":1}\n");
    let ran = world.deploy("v1").run().expect_code(12);
    assert!(ran.stderr.contains("newer waveoff"), "{}", ran.stderr);
}

#[test]
fn hostile_versions_are_refused() {
    let world = World::new();
    let long = "9".repeat(200);
    for version in ["../../etc/passwd", "-rf", "v1\nx", "$(reboot)", "a/b", "..", " ", "ä", &long]
    {
        let argument = format!("--version={version}");
        let ran = world.waveoff(&["deploy", &argument]).run().expect_code(2);
        assert!(ran.stderr.contains("--version: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("v1\nx"), "{}", ran.stderr);
    }
    let ran = world.waveoff(&["deploy"]).run().expect_code(2);
    assert!(ran.stderr.contains("no version was given"), "{}", ran.stderr);
    for wrong in [["--sha", "HEAD~1"], ["--digest", "a b"], ["--service", "../x"]] {
        world.deploy("v1").args(wrong).run().expect_code(2);
    }
    assert!(!world.folder.path().join("state").exists());
}

#[test]
fn a_state_folder_that_ends_with_the_job_is_refused() {
    let world = World::new();
    let folder = world.folder.path().display().to_string();
    let ci = |version: &str| world.deploy(version).env("GITHUB_ACTIONS", "true");
    let hosted = ci("v1").env("RUNNER_ENVIRONMENT", "github-hosted").run().expect_code(2);
    assert!(hosted.stderr.contains("this machine ends with the job"), "{}", hosted.stderr);
    assert!(hosted.stderr.contains("ledger: github"), "{}", hosted.stderr);
    for name in ["GITHUB_WORKSPACE", "RUNNER_TEMP"] {
        let ran = ci("v1").env(name, &folder).run().expect_code(2);
        assert!(ran.stderr.contains(&format!("below {name}")), "{}", ran.stderr);
        // A link is no way round.
        std::os::unix::fs::symlink(&folder, world.folder.path().join("link")).unwrap_or_default();
        let around = format!("{folder}/link/state");
        ci("v1").env(name, &folder).args(["--state", &around]).run().expect_code(2);
    }
    assert!(!world.folder.path().join("state").exists());
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().display().to_string();
    ci("v1").env("RUNNER_TEMP", &elsewhere).run().expect_code(0);
}

#[test]
fn what_could_not_be_verified_is_not_begun() {
    let lines: Vec<String> = process_config().lines().map(str::to_owned).collect();
    let until_checks: Vec<String> =
        lines.iter().take_while(|line| *line != "checks:").cloned().collect();
    let weak = format!("{}\nchecks:\n  - memory: {{}}\n", until_checks.join("\n"));
    for config in [until_checks.join("\n"), weak] {
        let world = World::with(&config);
        let ran = world.deploy("v1").run().expect_code(2);
        assert!(ran.stderr.contains("no critical check"), "{}", ran.stderr);
        assert!(!world.folder.path().join("state").exists());
    }
}

#[test]
fn what_could_not_be_started_is_not_begun() {
    let world = World::new();
    let ran = world.deploy("v1").env("SHOP", "./nowhere").run().expect_code(2);
    assert!(ran.stderr.contains("v1 cannot be started"), "{}", ran.stderr);
    assert!(world.events().is_empty());
}

#[test]
fn r1_a_target_that_is_gone_is_noticed_before_it_is_needed() {
    let config = process_config().replace("    port:", "    dir: releases/{{version}}\n    port:");
    let world = World::with(&config);
    for version in ["v1", "v3"] {
        std::fs::create_dir_all(world.folder.path().join("releases").join(version)).unwrap();
    }
    world.deploy("v1").run().expect_code(0);
    std::fs::remove_dir(world.folder.path().join("releases/v1")).unwrap();
    let ran = world.deploy("v3").run().expect_code(2);
    assert!(ran.stderr.contains("v3 could not be taken back"), "{}", ran.stderr);
    assert_eq!(world.version().as_deref(), Some("v1"));
    world.deploy("v3").args(["--force"]).run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v3"));
    world.waveoff(&["rollback", "--to", "v1"]).run().expect_code(2);
}

#[test]
fn a_port_that_somebody_else_has_is_noticed() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = world.deploy("v1").env("SHOP_PORT", &port).run().expect_code(2);
    assert!(ran.stderr.contains("is taken by a process"), "{}", ran.stderr);
    assert!(world.events().is_empty());
}
