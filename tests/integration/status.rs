//! `waveoff status`: what it says of what goes on, of what is broken, and of what a person must do.

use std::process::{Child, Command};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::deploy_world::{World, finish, process_config};
use crate::harness::{closed_port, signal};

/// A release that is bad is waited for, so that there is time to look meanwhile.
fn patient() -> World {
    World::with(
        &process_config()
            .replace("path: /version", "path: /ready")
            .replace("within: 10s", "within: 60s"),
    )
}

impl World {
    /// What `status` ends with and shows, and its outputs.
    fn status(&self) -> (Option<i32>, String, Value) {
        let ran = self.waveoff(&["status", "--json"]).run();
        let outputs = ran.report()["outputs"].clone();
        (ran.code, ran.stderr, outputs)
    }

    /// A deployment of v2 that waits until it is well, which it never is.
    fn deploying(&self) -> (Child, Arc<TempDir>) {
        let child = self.deploy("v2").env("USER", "alice").start();
        self.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
        child
    }
}

/// The text of a line, by its name.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(name));
    found.map_or("", |line| line[name.len()..].trim())
}

#[test]
fn d5_who_is_at_it_how_far_that_is_and_who_waits() {
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    let (_, text, outputs) = world.status();
    assert_eq!(line(&text, "being changed"), "no", "{text}");
    assert_eq!((&outputs["run"], &outputs["progress"]), (&"".into(), &"".into()));
    assert_eq!((&outputs["queue"], &outputs["stale"]), (&"".into(), &"false".into()));

    let (child, _) = world.deploying();
    let (second, _) = world.deploy("v3").env("USER", "bob").start();
    world.until("bob waits", |world| world.status().2["queue"] != "");
    let (code, text, outputs) = world.status();
    assert_eq!(code, Some(11), "{text}");
    assert!(line(&text, "being changed").contains("`deploy v2` by alice"), "{text}");
    assert!(line(&text, "progress").contains("` since 20"), "{text}");
    assert!(line(&text, "progress").contains("done"), "{text}");
    assert!(line(&text, "in line").starts_with("1. `deploy v3` by bob"), "{text}");
    assert_eq!(line(&text, "interrupted"), "", "{text}");
    assert!(outputs["queue"].as_str().unwrap().contains("`deploy v3` by bob"), "{outputs}");
    let run = outputs["run"].as_str().unwrap();
    assert!(outputs["lock-owner"].as_str().unwrap().contains(run), "{outputs}");
    assert!(outputs["progress"].as_str().unwrap().contains(" done)"), "{outputs}");

    signal(&child, "-TERM");
    finish(child).expect_code(20);
    finish(second).expect_code(0);
}

#[test]
fn d6_what_was_interrupted_waits_for_recover() {
    let world = patient();
    world.deploy("v1").run().expect_code(0);
    let (child, _) = world.deploying();
    signal(&child, "-KILL");
    finish(child);
    let run = world.status().2["run"].as_str().unwrap().to_owned();
    assert!(Command::new("kill").args(["-KILL", &world.engine()]).status().unwrap().success());
    world.until("the engine is gone", |world| world.status().2["interrupted"] == *run);
    let (code, text, outputs) = world.status();
    assert_eq!(code, Some(11), "{text}");
    let words = line(&text, "interrupted");
    assert!(words.contains(&run) && words.ends_with("`waveoff recover`"), "{text}");
    assert!(text.contains("next: `waveoff recover`"), "{text}");
    assert_eq!((&outputs["run"], &outputs["lock-owner"]), (&"".into(), &"".into()));

    world.waveoff(&["recover"]).run().expect_code(20);
    let (code, text, outputs) = world.status();
    assert_eq!((code, &outputs["interrupted"]), (Some(0), &"".into()), "{text}");
}

#[test]
fn d6_a_run_that_gets_nowhere_is_stale() {
    let world = patient();
    let config = std::fs::read_to_string(world.folder.path().join("waveoff.yml")).unwrap();
    world.deploy("v1").run().expect_code(0);
    // Its engine hangs longer than it declared, and cannot end itself in time either.
    world.write("waveoff.yml", &format!("{config}\ndeploy-within: 1s\n"));
    let (child, _) = world.deploying();
    let engine = world.engine();
    assert!(Command::new("kill").args(["-STOP", &engine]).status().unwrap().success());
    world.until("it is stale", |world| world.status().2["stale"] == "true");
    let (code, text, outputs) = world.status();
    let run = outputs["run"].as_str().unwrap();
    assert_eq!(code, Some(11), "{text}");
    assert!(line(&text, "stale").contains(&format!("`waveoff unlock --run {run}`")), "{text}");
    assert!(Command::new("kill").args(["-CONT", &engine]).status().unwrap().success());
    finish(child).expect_code(20);
    assert_eq!(world.status().2["stale"], "false");
}

/// Two slots of which files tell everything.
fn slots() -> World {
    let config = format!(
        r"
version: 1
service: shop
platform:
  command:
    deploy: ['true']
    stop: ['true']
    running: [sh, -c, 'cat runs-$WAVEOFF_SLOT']
strategy:
  blue-green: {{ slots: {{ blue: {}, green: {} }} }}
router:
  command: {{ switch: ['true'], active: [cat, active] }}
public: http://127.0.0.1:1
checks:
  - path: /version
    expect: [{{ version: {{ header: X-Version }} }}]
",
        closed_port(),
        closed_port()
    );
    let world = World::with(&config);
    world.write("runs-blue", "v2\n");
    world.write("runs-green", "v1\n");
    world.write("active", "blue\n");
    world
}

#[test]
fn d13_the_slots_and_the_traffic_are_asked_and_what_cannot_be_asked_is_said() {
    let world = slots();
    world.write(
        "state/shop/production/slots.json",
        r#"{"green":{"release":{"version":"v1"},"until_ms":4102444800000}}"#,
    );
    let (code, text, outputs) = world.status();
    assert_eq!((code, &outputs["active-slot"]), (Some(0), &"blue".into()), "{text}");
    assert_eq!(line(&text, "traffic"), "goes to blue");
    assert_eq!(line(&text, "slot blue"), "v2, has the traffic");
    assert_eq!(line(&text, "slot green"), "v1, kept until 2100-01-01T00:00:00.000Z");
    assert_eq!(line(&text, "runs"), "v2");

    // The notes are damaged, and the router cannot be asked: the rest is told all the same.
    world.write("state/shop/production/slots.json", "{");
    std::fs::remove_file(world.folder.path().join("active")).unwrap();
    let (code, text, outputs) = world.status();
    assert_eq!((code, &outputs["active-slot"]), (Some(11), &"".into()), "{text}");
    assert!(line(&text, "traffic").starts_with("not known: "), "{text}");
    assert!(line(&text, "slots").contains("slots.json"), "{text}");
    assert_eq!((line(&text, "slot blue"), line(&text, "runs")), ("v2", "not known"));

    world.write("active", "purple\n");
    let (_, text, _) = world.status();
    assert!(line(&text, "traffic").starts_with("goes to none of the slots"), "{text}");
}

#[test]
fn a_damaged_journal_disturbs_nothing_but_is_said() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    let runs = world.folder.path().join("state/shop/production/runs");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let file = run.join("journal.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("v1", "v9", 1)).unwrap();
    let (code, text, outputs) = world.status();
    assert_eq!((code, &outputs["live-version"]), (Some(11), &"v1".into()), "{text}");
    assert!(line(&text, "damaged").contains("journal.jsonl:1"), "{text}");
    assert_eq!(line(&text, "being changed"), "no");
}

#[test]
fn r4_a_rollback_that_failed_is_a_critical_incident_until_a_release_is_verified() {
    let world = World::new();
    let marker = world.folder.path().join("state/shop/production/critical-incident");
    world.deploy("v1").run().expect_code(0);
    world.deploy("v2").env("BAD", "v1,v2").run().expect_code(21);
    let read =
        || -> Value { serde_json::from_str(&std::fs::read_to_string(&marker).unwrap()).unwrap() };
    let found = read();
    assert_eq!((&found["failed_version"], &found["target"]), (&"v2".into(), &"v1".into()));
    assert_eq!(found["deployment"], world.report()["deployment"]["id"]);
    for name in ["when", "reason", "rollback_reason", "run", "what_to_do"] {
        assert!(!found[name].as_str().unwrap().is_empty(), "{name}: {found}");
    }
    let places = found["forensics"].as_array().unwrap();
    assert!(places.len() >= 2, "{found}");
    assert!(places.iter().all(|place| std::path::Path::new(place.as_str().unwrap()).exists()));

    let (code, text, outputs) = world.status();
    assert_eq!((code, &outputs["critical-incident"]), (Some(10), &found["deployment"]), "{text}");
    assert!(text.starts_with("CRITICAL"), "{text}");
    assert!(text.contains("`waveoff rollback --to v1`"), "{text}");
    assert!(!text.contains("was not verified"), "it is said once: {text}");

    // The ledger knows as well, and a marker that cannot be read is one all the same.
    std::fs::remove_file(&marker).unwrap();
    assert_eq!(world.status().0, Some(10));
    std::fs::write(&marker, "{").unwrap();
    let (code, text, _) = world.status();
    assert!(code == Some(10) && text.contains("cannot read"), "{text}");

    // Another release that is bad mends nothing; a good one does, and either is told.
    let ran = world.deploy("v2").env("BAD", "v1,v2").run().expect_code(21);
    assert!(ran.stdout.contains("critical"), "{}", ran.stdout);
    assert_ne!(read()["deployment"], found["deployment"]);
    let ran = world.deploy("v3").run().expect_code(0);
    assert!(ran.stdout.contains("it may be the mend"), "{}", ran.stdout);
    assert!(!marker.exists());
    let (code, text, outputs) = world.status();
    assert_eq!((code, &outputs["critical-incident"]), (Some(0), &"".into()), "{text}");
}

#[test]
fn r4_a_rollback_by_hand_ends_a_critical_incident_too() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    world.deploy("v2").env("BAD", "v1,v2").run().expect_code(21);
    world.waveoff(&["rollback", "--to", "v1", "--reason", "mended"]).run().expect_code(0);
    assert_eq!(world.status().0, Some(0));
    assert!(!world.folder.path().join("state/shop/production/critical-incident").exists());
}

#[test]
fn delays_and_limits_may_be_plain_seconds() {
    let world = World::new();
    let plan = |flag: &str, value: &str| {
        world.waveoff(&["deploy", "--version", "v1", "--dry-run", flag, value]).run()
    };
    for value in ["600", "10m"] {
        plan("--health-check-timeout", value).expect_code(0);
        plan("--traffic-switch-delay", value).expect_code(0);
    }
    let ran = plan("--traffic-switch-delay", "1.5").expect_code(2);
    assert!(ran.stderr.contains("no unit"), "{}", ran.stderr);
    plan("--watch", "600").expect_code(2);
    let help = world.waveoff(&["deploy", "--help"]).run().stdout;
    assert!(help.contains("--health-check-timeout <SECONDS|DURATION>"), "{help}");
}
