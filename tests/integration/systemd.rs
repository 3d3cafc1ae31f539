//! The shipped units, and the engine where systemd is the system's manager.

use std::path::Path;
use std::process::Command;

use crate::deploy_world::{World, finish, process_config};
use crate::harness::{Program, signal};
use crate::parts::{part, skip};

const UNITS: [(&str, &str); 2] = [
    ("waveoff-recover.service", include_str!("../../examples/systemd/waveoff-recover.service")),
    ("waveoff-recover.timer", include_str!("../../examples/systemd/waveoff-recover.timer")),
];

#[test]
fn d7_systemd_has_nothing_to_say_of_the_shipped_units() {
    let Some(analyze) = part("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(analyze);
    command.args(["verify", "--man=no"]);
    for (name, text) in UNITS {
        let file = folder.path().join(name);
        // It looks whether the program is there.
        let program = env!("CARGO_BIN_EXE_waveoff");
        std::fs::write(&file, text.replace("/usr/local/bin/waveoff", program)).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn d7_the_units_let_what_they_start_live_on() {
    let service = UNITS[0].1;
    let key = |name: &str| service.lines().any(|line| line.starts_with(name));
    assert!(key("KillMode=process"), "releases in the unit's group would be killed with it");
    for inherited in ["PrivateTmp", "ProtectSystem", "ProtectHome", "NoNewPrivileges", "SystemCall"]
    {
        assert!(!key(inherited), "{inherited} would be every release's that is started");
    }
    // Whatever was written for systemd to do is a command that there is.
    let line = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<&str> = line.split(' ').skip(1).chain(["--help"]).collect();
    World::new().waveoff(&words).run().expect_code(0);
}

#[test]
fn d7_at_boot_every_service_of_a_state_folder_is_finished() {
    let config = process_config()
        .replace("path: /version", "path: /ready")
        .replace("within: 10s", "within: 60s");
    let world = World::with(&config);
    let state = world.folder.path().join(".local/state/waveoff");
    let folder = world.folder.path().display().to_string();
    // In the home of whoever deploys.
    let deploy = |version: &str| {
        let program = Program::within("waveoff", &world.folder);
        world.surroundings(program).args(["deploy", "--version", version])
    };
    deploy("v1").run().expect_code(0);
    let (child, _) = deploy("v2").start();
    world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
    signal(&child, "-KILL");
    finish(child);
    let lock = std::fs::read_to_string(state.join("shop/production/lock")).unwrap();
    let owner: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let engine = owner["pid"].to_string();
    assert!(Command::new("kill").args(["-KILL", &engine]).status().unwrap().success());
    // Another service cannot be finished: that is told, and keeps no other from it.
    let broken = state.join("broken/production/runs/r/journal.jsonl");
    std::fs::create_dir_all(broken.parent().unwrap()).unwrap();
    std::fs::write(broken, "{}\n").unwrap();

    // Somewhere else, with another home and without a configuration.
    let recover = world.surroundings(Program::new("waveoff"));
    let ran = recover.args(["recover", "--state", &format!("{folder}/.local/state/waveoff")]).run();
    let ran = ran.expect_code(20);
    assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
    assert!(ran.stdout.contains("broken in production"), "{}", ran.stdout);
    assert!(ran.stdout.contains("the journal is damaged"), "{}", ran.stdout);
    assert_eq!(world.version().as_deref(), Some("v1"));
    let pid = std::fs::read_to_string(state.join("shop/production/process.pid")).unwrap();
    let pid = pid.split_whitespace().next().unwrap();
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
}

/// Runs a shell script in which `/run/systemd/system` is there, as where systemd has booted.
fn with_systemd(world: &World, script: &str) -> Option<String> {
    let unshare = part("unshare")?;
    let may = Command::new(&unshare).args(["--mount", "true"]).output().unwrap();
    if !may.status.success() {
        skip("unshare", "not allowed here");
        return None;
    }
    let begin = "set -e; mount -t tmpfs none /run; mkdir -p /run/systemd/system\n";
    let output = Command::new(unshare)
        .args(["--mount", "sh", "-c", &format!("{begin}{script}")])
        .current_dir(world.folder.path())
        .env("WAVEOFF", env!("CARGO_BIN_EXE_waveoff"))
        .env("WAVEOFF_STATE", world.folder.path().join("state"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn d7_an_engine_gets_a_scope_where_one_is_given_and_runs_where_none_is() {
    let world = World::with(
        "version: 1\nservice: shop\ndeploy: [touch, well]\nchecks: [{ command: [test, -e, well] }]\n",
    );
    let deploy = |version: &str| {
        format!("PATH=\"$PWD/bin:$PATH\" \"$WAVEOFF\" deploy --version {version}\n")
    };
    // As for the user of a runner's service: there is no manager to ask.
    world.write("bin/systemd-run", "#!/bin/sh\necho 'no medium found' >&2\nexit 1\n");
    let Some(said) = with_systemd(&world, &deploy("v1")) else { return };
    assert!(said.contains("v1 is live and verified"), "{said}");
    let scope = "#!/bin/sh\necho \"$@\" >>scopes\n\
                 while [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";
    world.write("bin/systemd-run", scope);
    let said = with_systemd(&world, &deploy("v2")).unwrap();
    assert!(said.contains("v2 is live and verified"), "{said}");
    let scopes = std::fs::read_to_string(Path::new(world.folder.path()).join("scopes")).unwrap();
    assert!(scopes.lines().any(|line| line.ends_with("waveoff engine")), "{scopes}");
}
