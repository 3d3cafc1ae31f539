//! Deployments that somebody interferes with: locks that are broken on the way, folders that are
//! left or gone, secrets in what is written down.

use std::process::Command;

use crate::deploy_world::{World, finish};

/// A release in a file, and a check that waits until the test lets it go on.
const GATED: &str = r#"
version: 1
service: shop
deploy: [sh, -c, 'echo "$WAVEOFF_VERSION" >"$SHOP_DIR/live"']
checks:
  - name: waits
    command: [sh, -c, 'cd "$SHOP_DIR"; [ -e live ] || exit 0; until [ -e go ]; do sleep 0.02; done']
    timeout: 60s
    attempts: 1
"#;

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

fn journals(world: &World) -> Vec<(std::path::PathBuf, String)> {
    let runs = world.folder.path().join("state/shop/production/runs");
    let all = std::fs::read_dir(runs).into_iter().flatten();
    let all = all.map(|run| run.unwrap().path().join("journal.jsonl"));
    all.filter_map(|file| Some((file.clone(), std::fs::read_to_string(file).ok()?))).collect()
}

#[test]
fn d13_who_lost_the_lock_during_an_act_writes_nothing_any_more() {
    let world = World::with(GATED);
    let (child, _folder) = world.deploy("v1").start();
    world
        .until("it looks", |world| world.folder.path().join("state/shop/production/lock").exists());
    world.until("it touched something", |world| world.events().contains(&"mutating".to_owned()));
    world.until("it verifies", |world| {
        journals(world).iter().any(|(_, text)| text.matches("\"entry\":\"intent\"").count() == 3)
    });
    // As `unlock` does from another machine, where its process cannot be ended.
    world.write("state/shop/production/fence", "7\n");
    let (before, events) = (journals(&world), world.events());
    world.write("go", "");
    let ran = finish(child).expect_code(12);
    assert!(ran.stdout.contains("took the lock"), "{}", ran.stdout);
    assert_eq!((journals(&world), world.events()), (before, events));
}

#[test]
fn d7_an_interrupted_deployment_is_found_from_another_folder() {
    let world = World::with(GATED);
    for folder in ["a", "b/c"] {
        world.write(&format!("{folder}/x"), "");
    }
    let within = |folder: &str, state: &str, version: &str| {
        let config = world.folder.path().join("waveoff.yml");
        let config = config.display().to_string();
        let arguments = ["deploy", "--version", version, "--config", &config];
        let script = format!("cd {folder} && exec \"$0\" \"$@\"");
        let waveoff = env!("CARGO_BIN_EXE_waveoff");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, waveoff])
            .args(arguments)
            .current_dir(world.folder.path())
            .env("SHOP_DIR", world.folder.path())
            .env("WAVEOFF_STATE", state)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let child = within("a", "../state", "v1");
    world.until("it looks", |world| {
        journals(world).iter().any(|(_, text)| text.matches("\"entry\":\"intent\"").count() == 3)
    });
    // Its caller first: it would have another engine finish the story.
    kill("-KILL", &child.id().to_string());
    finish(child);
    kill("-KILL", &world.engine());
    world.write("go", "");
    let ran = finish(within("b/c", "../../state", "v2")).expect_code(0);
    assert!(ran.stdout.contains("its story is finished first"), "{}", ran.stdout);
    assert_eq!(
        world.events(),
        ["started", "mutating", "failed", "started", "mutating", "verified"],
        "{}",
        ran.stdout
    );
}

#[test]
fn d7_recovery_does_without_the_folder_of_who_was_interrupted() {
    let world = World::with(GATED);
    world.write("job/x", "");
    let config = world.folder.path().join("waveoff.yml").display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_waveoff"));
    let state = world.folder.path().join("state");
    command
        .args(["deploy", "--version", "v1", "--config", &config])
        .current_dir(world.folder.path().join("job"))
        .env("SHOP_DIR", world.folder.path())
        .env("WAVEOFF_STATE", &state)
        .stdout(std::process::Stdio::null());
    let child = command.spawn().unwrap();
    world.until("it looks", |world| {
        journals(world).iter().any(|(_, text)| text.matches("\"entry\":\"intent\"").count() == 3)
    });
    kill("-KILL", &child.id().to_string());
    finish(child);
    kill("-KILL", &world.engine());
    std::fs::remove_dir_all(world.folder.path().join("job")).unwrap();
    std::fs::rename(world.folder.path().join("waveoff.yml"), world.folder.path().join("gone.yml"))
        .unwrap();
    world.write("go", "");
    let ran = world.waveoff(&["recover"]).run();
    assert_eq!(world.events(), ["started", "mutating", "failed"], "{}{}", ran.stdout, ran.stderr);
    ran.expect_code(10);
}

#[test]
fn x4_secrets_are_not_written_down() {
    let world = World::with(
        r#"
version: 1
service: shop
deploy: [sh, -c, 'true']
checks:
  - name: tells a secret
    command: [echo, no]
    attempts: 1
    expect:
      - stdout: { equals: "${SHOP_TOKEN}" }
"#,
    );
    let secret = "s3cr3t-0123456789";
    world.deploy("v1").env("SHOP_TOKEN", secret).run().expect_code(10);
    let told: Vec<String> = world
        .tree()
        .into_iter()
        .filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains(secret))
        .map(|(file, _)| file)
        .collect();
    assert_eq!(told, [] as [String; 0]);
    assert!(
        std::fs::read_to_string(world.ledger_file()).unwrap().contains("***"),
        "it was about it"
    );
}

#[test]
fn d8_one_failure_at_the_end_of_a_watch_is_looked_at_again() {
    let world = World::with(
        r#"
version: 1
service: shop
deploy: [sh, -c, 'echo "$WAVEOFF_VERSION" >"$SHOP_DIR/live"']
strategy:
  rolling: { watch: 200ms, interval: 200ms, failures: 2 }
checks:
  - name: fails in the last look
    command: [sh, -c, 'cd "$SHOP_DIR"; [ -e live ] || exit 0; echo >>looks; [ $(wc -l <looks) != 2 ]']
    attempts: 1
"#,
    );
    let ran = world.deploy("v1").run().expect_code(0);
    assert!(ran.stdout.contains("failure 1 of 2"), "{}", ran.stdout);
    assert!(ran.stdout.contains("v1 stayed well"), "{}", ran.stdout);
}

#[test]
fn r5_a_rollback_over_two_releases_takes_both_migrations_back() {
    let world = World::with(
        r#"
version: 1
service: shop
deploy: [sh, -c, 'echo "$WAVEOFF_VERSION" >"$SHOP_DIR/live"']
migrate:
  command: [sh, -c, 'echo "$WAVEOFF_VERSION" >>"$SHOP_DIR/schema"']
  restore: [sh, -c, 'sed -i "/^$WAVEOFF_VERSION$/d" "$SHOP_DIR/schema"']
  version: [sh, -c, 'echo base; cat "$SHOP_DIR/schema"']
checks:
  - command: [test, -e, "${SHOP_DIR}/live"]
    attempts: 1
"#,
    );
    world.write("schema", "");
    // Nothing answers before the first one.
    world.write("live", "v0");
    for version in ["v1", "v2", "v3"] {
        world.deploy(version).run().expect_code(0);
    }
    let ran = world.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    let file = |name: &str| std::fs::read_to_string(world.folder.path().join(name)).unwrap();
    assert_eq!((file("live").trim(), file("schema").as_str()), ("v1", "v1\n"), "{}", ran.stdout);
}

#[test]
fn d9_the_ledger_says_that_the_limit_of_the_deployment_was_over() {
    let world = World::with(&GATED.replace("service: shop", "service: shop\ndeploy-within: 1s"));
    let ran = world.deploy("v1").run().expect_code(10);
    let ledger = std::fs::read_to_string(world.ledger_file()).unwrap();
    assert!(ledger.contains("longer than `deploy-within` allows"), "{ledger}{}", ran.stdout);
}
