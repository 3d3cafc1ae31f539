//! The shipped units, and the engine where systemd is the system's manager.

use std::path::Path;
use std::process::Command;

use crate::deploy_world::World;
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
