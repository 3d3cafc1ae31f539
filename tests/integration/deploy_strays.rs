//! Processes that are not the one that should answer: left behind, in the background, or somebody
//! else's. Without a check of the version nothing but the process itself tells them apart.

use std::process::Command;

use crate::deploy_world::World;

/// A service started by a shell script, `$0` and `$@` being the program with its arguments.
fn started_by(script: &str) -> World {
    World::with(&format!(
        r#"
version: 1
service: shop
platform:
  process:
    start: [sh, -c, '{script}', "${{SHOP}}", --port, "{{{{port}}}}", --version, "{{{{version}}}}"]
    port: ${{SHOP_PORT}}
    grace: 500ms
checks:
  - path: /version
    within: 10s
    attempts: 1
"#
    ))
}

fn kill(target: &str) {
    Command::new("kill").args(["-KILL", "--", target]).status().unwrap();
}

fn pid(world: &World, file: &str) -> String {
    let text = std::fs::read_to_string(world.folder.path().join(file)).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn d11_a_child_that_outlives_its_leader_is_stopped_too() {
    let world = started_by(r#"(trap "" TERM; exec "$0" "$@") & wait"#);
    world.deploy("v1").run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1"));
    world.deploy("v2").run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v2"), "v1 did not go on answering for v2");
    kill(&format!("-{}", pid(&world, "state/shop/production/process.pid")));
}

#[test]
fn d11_what_answers_is_not_verified_when_the_process_is_gone() {
    let world = started_by(r#""$0" "$@" & echo $! >stray; wait"#);
    // The leader ends while everything that is looked at passes.
    let ends = r#"
  - name: ends the leader
    command:
      - sh
      - -c
      - |
        read -r leader _ <state/shop/production/process.pid
        kill -KILL "$leader"
        until grep -q "^State:.Z" "/proc/$leader/status"; do sleep 0.01; done
"#;
    let config = std::fs::read_to_string(world.folder.path().join("waveoff.yml")).unwrap();
    world.write("waveoff.yml", &(config.trim_end().to_owned() + ends));
    let ran = world.deploy("v1").run().expect_code(10);
    assert!(ran.stdout.contains("another process"), "{}", ran.stdout);
    assert!(!world.events().contains(&"verified".to_owned()), "{:?}", world.events());
    kill(&pid(&world, "stray"));
}

#[test]
fn d11_a_port_that_is_not_given_back_is_found_before_the_next_start() {
    let world = started_by(r#"setsid "$0" "$@" & echo $! >stray; exec sleep 600"#);
    world.deploy("v1").run().expect_code(0);
    let stray = pid(&world, "stray");
    let ran = world.deploy("v2").run().expect_code(21);
    assert!(ran.stdout.contains("is taken"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"), "nothing else was started over it");
    kill(&stray);
}

#[test]
fn n1_what_an_engine_did_not_come_to_tell_is_told_by_the_next_one() {
    let world = World::new();
    world.deploy("v1").run().expect_code(0);
    world.deploy("v2").run().expect_code(20);
    // As if it had been killed behind its last entry: nobody was told, and no end was written.
    let state = world.folder.path().join("state/shop/production");
    std::fs::remove_dir_all(state.join("incidents")).unwrap();
    let runs = std::fs::read_dir(state.join("runs")).unwrap();
    let last = runs.map(|run| run.unwrap().path()).max().unwrap();
    std::fs::remove_file(last.join("end.json")).unwrap();
    let events = world.events();
    world.waveoff(&["recover"]).run().expect_code(20);
    assert_eq!(world.events(), events, "nothing is done again");
    let told = std::fs::read_dir(state.join("incidents")).unwrap();
    assert!(
        told.map(|file| file.unwrap().path()).any(|file| file.extension() == Some("md".as_ref()))
    );
    world.waveoff(&["recover"]).run().expect_code(0);
}

#[test]
fn d4_a_strategy_without_slots_is_refused_while_something_is_in_one() {
    let world = World::new();
    let slots = r#"{ "green": { "release": { "version": "v3" } } }"#;
    world.write("state/shop/production/slots.json", slots);
    let ran = world.deploy("v1").run().expect_code(2);
    assert!(ran.stderr.contains("v3 is in the slot green"), "{}", ran.stderr);
    assert!(ran.stderr.contains("slots.json"), "{}", ran.stderr);
    assert_eq!(world.version(), None, "nothing was started");
}
