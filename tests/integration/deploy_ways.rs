//! What is a way back and what is none: the tag of the version before, migrations that stay, older
//! releases, and a state that is not as it was.

use std::fs;
use std::process::Command;

use crate::crash_kills::Victim as _;
use crate::crash_world::{Platform, Shop};
use crate::deploy::patient;
use crate::deploy_world::{World, finish, process_config};
use crate::harness::signal;
use crate::parts::part;

/// The version that the file has; none where there is no file.
fn tag(world: &World) -> Option<String> {
    let file = world.folder.path().join("state/shop/production/.deploy-previous-tag");
    fs::read_to_string(file).ok().map(|text| text.trim_end_matches('\n').to_owned())
}

/// Where `waveoff rollback` would go to.
fn would_go_to(world: &World) -> Option<String> {
    let ran = world.waveoff(&["rollback", "--dry-run", "--json"]).run();
    (ran.code == Some(0)).then(|| ran.report()["outputs"].clone())?;
    let version = ran.report()["expected_version"].as_str().unwrap().to_owned();
    Some(version)
}

#[test]
fn d3_the_previous_tag_is_the_version_that_a_rollback_brings_back() {
    let world = World::new();
    let agrees = |when: &str, wanted: Option<&str>| {
        assert_eq!(tag(&world).as_deref(), wanted, "{when}");
        assert_eq!(would_go_to(&world).as_deref(), wanted, "{when}: the rollback agrees");
    };
    world.deploy("v1").run().expect_code(0);
    agrees("the first one", None);
    world.deploy("v3").run().expect_code(0);
    agrees("a good one", Some("v1"));
    world.deploy("v2").run().expect_code(20);
    agrees("one that was taken back", Some("v1"));
    world.deploy("v3").args(["--force"]).run().expect_code(0);
    agrees("the same one again", Some("v1"));
    world.deploy("v4").run().expect_code(0);
    agrees("another good one", Some("v3"));
    world.waveoff(&["rollback"]).run().expect_code(0);
    agrees("a rollback", Some("v1"));
    // v3 cannot be brought back either: a person has to, and v2 that runs meanwhile is nothing to
    // go back to.
    world.deploy("v2").env("BAD", "v2,v3").run().expect_code(21);
    agrees("a rollback that failed", Some("v3"));
    world.deploy("v5").run().expect_code(0);
    agrees("the mend", Some("v3"));
    world.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    agrees("the way back to the first one", None);
}

#[test]
fn d6_a_migration_without_a_way_back_needs_a_word_and_a_person_when_it_fails() {
    let config = format!("{}\nmigrate:\n  command: [./migrate.sh]\n", process_config());
    let world = World::with(&config);
    world.write("migrate.sh", "#!/bin/sh\necho \"$WAVEOFF_VERSION\" >\"$SHOP_DIR/schema\"\n");
    let schema = || fs::read_to_string(world.folder.path().join("schema")).unwrap();
    world.deploy("v1").run().expect_code(0);
    let before = world.events();
    let ran = world.deploy("v3").run().expect_code(2);
    assert!(ran.stderr.contains("the migration for v3 cannot be taken back"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--irreversible"), "it says how: {}", ran.stderr);
    assert_eq!((world.events(), schema().as_str()), (before, "v1\n"));

    world.deploy("v3").args(["--irreversible"]).run().expect_code(0);
    assert_eq!((world.version().as_deref(), schema().as_str()), (Some("v3"), "v3\n"));
    let ran = world.deploy("v2").args(["--irreversible"]).run().expect_code(21);
    assert!(ran.stdout.contains("the migration for v2 cannot be taken back"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v2"), "it is left as it is");
    assert_eq!(world.events().last().unwrap(), "rollback-failed");
    // What is offered is not refused, as this is.
    let way = ["rollback", "--to", "v3", "--preserve-data"];
    let next = world.report()["next"].as_str().unwrap().to_owned();
    assert!(next.contains(&format!("`waveoff {}`", way.join(" "))), "{next}");
    let ran = world.waveoff(&way[..3]).run().expect_code(2);
    assert!(ran.stderr.contains("--preserve-data"), "{}", ran.stderr);
    world.waveoff(&way).run().expect_code(0);
    assert_eq!((world.version().as_deref(), schema().as_str()), (Some("v3"), "v2\n"));
    world.waveoff(&["status"]).run().expect_code(0);
}

#[test]
fn r7_a_rollback_leaves_the_data_as_it_is_when_it_is_told_to() {
    let shop = Shop::rolling(Platform::Command);
    for version in ["v1", "v3"] {
        shop.deploy(version).run().expect_code(0);
    }
    let ran = shop.waveoff(&["rollback", "--preserve-data"]).run().expect_code(0);
    assert!(!ran.stdout.contains("take the migration"), "{}", ran.stdout);
    assert_eq!((shop.answers(shop.public).as_deref(), shop.schema().as_str()), (Some("v1"), "v3"));
    // Else it is taken back with the code.
    shop.deploy("v5").run().expect_code(0);
    shop.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    assert_eq!((shop.answers(shop.public).as_deref(), shop.schema().as_str()), (Some("v1"), "v3"));
}

#[test]
fn r6_a_release_that_is_back_while_data_is_gone_calls_a_person() {
    let config = format!("{}\ncapture:\n  data:\n    orders: [cat, orders]\n", process_config());
    let world = World::with(&config);
    let orders = |count: u32| world.write("orders", &format!("{count}\n"));
    orders(10);
    for version in ["v1", "v3"] {
        world.deploy(version).run().expect_code(0);
    }
    orders(7);
    let back = || world.waveoff(&["rollback", "--to", "v1", "--report", "report.json"]).run();
    let ran = back().expect_code(21);
    assert!(ran.stdout.contains("it is not as it was before: data orders"), "{}", ran.stdout);
    assert_eq!(world.events().last().unwrap(), "rollback-failed");
    assert_eq!(world.report()["deployment"]["outcome"], "rollback-failed");
    assert!(world.folder.path().join("state/shop/production/critical-incident").exists());
    world.waveoff(&["status"]).run().expect_code(10);
    // Somebody found them.
    orders(12);
    back().expect_code(0);
    world.waveoff(&["status"]).run().expect_code(0);
    // So does a deployment that loses some on its way.
    let loses = "[sh, -c, 'echo 3 >orders; exec \"$0\" \"$@\"', \"${SHOP}\",";
    world.write("waveoff.yml", &config.replace("[\"${SHOP}\",", loses));
    let ran = world.deploy("v2").run().expect_code(21);
    assert!(ran.stdout.contains("it is not as it was before: data orders"), "{}", ran.stdout);
}

#[test]
fn d9_an_older_version_is_refused_unless_it_is_told() {
    let world = World::new();
    world.deploy("v1.10.0").run().expect_code(0);
    let before = world.events();
    for dry in [&["--dry-run"][..], &[]] {
        let ran = world.deploy("v1.9.0").args(dry).run().expect_code(2);
        let why = "v1.9.0 is older than v1.10.0, which is live: by their versions";
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(ran.stderr.contains("--allow-downgrade"), "{}", ran.stderr);
    }
    assert_eq!((world.events(), world.version().as_deref()), (before, Some("v1.10.0")));
    world.deploy("v1.9.0").args(["--allow-downgrade"]).run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1.9.0"));
}

#[test]
fn d9_an_older_commit_is_refused_unless_it_is_told() {
    let Some(git) = part("git") else { return };
    let world = World::new();
    let git = |arguments: &[&str]| {
        let mut command = Command::new(&git);
        command.current_dir(world.folder.path()).env("HOME", world.folder.path());
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    let commit = |message: &str| {
        git(&["commit", "-q", "--allow-empty", "-m", message]);
        git(&["rev-parse", "HEAD"])
    };
    let (old, new) = (commit("old"), commit("new"));
    world.deploy("second").args(["--sha", &new]).run().expect_code(0);
    let before = world.events();
    let ran = world.deploy("first").args(["--sha", &old]).run().expect_code(2);
    assert!(ran.stderr.contains(&format!("{old} is an ancestor of {new}")), "{}", ran.stderr);
    assert_eq!((world.events(), world.version().as_deref()), (before, Some("second")));
    world.deploy("first").args(["--sha", &old, "--allow-downgrade"]).run().expect_code(0);
    // Forward again is no downgrade.
    world.deploy("second").args(["--sha", &new]).run().expect_code(0);
}

#[test]
fn d7_the_job_summary_has_a_picture_of_the_steps() {
    let world = World::new();
    let job = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "summary.md")];
    let deploy = |version: &str| {
        job.iter().fold(world.deploy(version), |deploy, (name, value)| deploy.env(name, value))
    };
    deploy("v1").run().expect_code(0);
    let file = world.folder.path().join("summary.md");
    fs::remove_file(&file).unwrap();
    deploy("v2").run().expect_code(20);
    let text = fs::read_to_string(file).unwrap();
    let (_, rest) = text.split_once("```mermaid\ngantt\n").unwrap();
    let (picture, table) = rest.split_once("```\n").unwrap();
    for (name, tag) in [("start v2", "done"), ("verify v2", "crit"), ("undo  start v2", "done")] {
        assert!(picture.contains(&format!("\n  {name} :{tag}, ")), "{name}: {picture}");
    }
    assert!(table.contains("| ✅ verify v1 | "), "{table}");
}

#[test]
fn d7_a_runner_does_not_find_the_engine_by_its_mark() {
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    let mark = "RUNNER_TRACKING_ID=github_7f3a";
    let (child, _) = world.deploy("v2").env("RUNNER_TRACKING_ID", "github_7f3a").start();
    world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
    let has = |pid: &str, variable: &str| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap();
        environ.split(|byte| *byte == 0).any(|own| own == variable.as_bytes())
    };
    let file = world.folder.path().join("state/shop/production/process.pid");
    let service = fs::read_to_string(file).unwrap();
    let service = service.split_whitespace().next().unwrap();
    assert!(has(&child.id().to_string(), mark), "the caller is the runner's");
    let dir = format!("SHOP_DIR={}", world.folder.path().display());
    for pid in [world.engine().as_str(), service] {
        assert!(has(pid, &dir) && !has(pid, mark), "process {pid}");
    }
    signal(&child, "-TERM");
    finish(child).expect_code(20);
}
