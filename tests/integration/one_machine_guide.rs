//! The page about one machine with Compose that is reached over ssh, and the workflow on it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::deploy_world::World;
use crate::engines::{Engine, Kind};
use crate::harness::{Program, Ran};
use crate::images::{self, WEB};
use crate::registry::Registry;
use crate::shared_images::CACHE;
use crate::sshd::{Sshd, USER};
use crate::systemd_guide::commands;

const PAGE: &str = include_str!("../../docs/one-machine.md");
const WORKFLOW: &str = include_str!("../../examples/one-machine/deploy.yml");

/// A registry, filled by an engine, with the page's releases, of which 1.2.0 ends at its start, and with the cache.
pub(crate) fn registry(engine: &Engine) -> Option<Registry> {
    let registry = Registry::start()?;
    for (version, faults) in [("1.0.0", ""), ("1.1.0", ""), ("1.2.0", "exit-at-start")] {
        images::load_release(engine.with_shop(), version, faults);
        registry.push(engine, &format!("{WEB}:{version}"));
    }
    registry.push(engine.with_services()?, CACHE);
    Some(registry)
}

#[test]
fn d11_the_commands_of_the_page_do_what_it_says() {
    let Some(builder) = Engine::docker() else { return };
    let Some(registry) = registry(builder) else { return };
    // The machine has an engine with nothing in it, and a home with nothing in it.
    let Some(engine) = Engine::own(Kind::Docker, None) else { return };
    let Some(machine) = Sshd::with(&engine.variables()) else { return };
    let world = World::with("");
    let key = world.folder.path().join(".ssh/id_ed25519");
    world.write(".ssh/id_ed25519", &machine.private_key());
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_waveoff")).parent().unwrap().display();
    let program = Program::within("waveoff", &world.folder)
        .env("PATH", &format!("{programs}:{}", std::env::var("PATH").unwrap()))
        .env("VM", "127.0.0.1")
        .env("VM_USER", USER)
        .env("VM_PORT", &machine.port.to_string())
        .env("REGISTRY", &registry.name())
        .env("CACHE_IMAGE", &format!("{}/{CACHE}", registry.name()))
        .env("SHOP_PORT", &world.port.to_string());
    let mut shell = program.like(Command::new("sh"));
    let script = commands(PAGE, "From nothing");
    assert!(script.matches("waveoff ").count() >= 8, "{script}");
    let ran = Ran::of(shell.args(["-eu", "-c", &script]).output().unwrap()).expect_code(0);
    for said in [
        "wrote waveoff.yml",
        "waveoff was sent to",
        "1.0.0 is live and verified",
        "1.1.0 is live and verified",
        "the last lines of container shop-web-1",
        "1.1.0 is back and verified",
        "; then to 1.0.0: orders are lost",
        "1.0.0 is live, verified",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    assert_eq!(world.version().as_deref(), Some("1.0.0"));
    let running = engine.tell(&["ps", "--format", "{{.Names}}"]);
    let mut running: Vec<&str> = running.lines().collect();
    running.sort_unstable();
    assert_eq!(running, ["shop-cache-1", "shop-web-1"]);
    assert!(machine.home().join(".local/state/waveoff/shop").exists());
}

#[test]
fn the_workflow_of_the_page_is_the_example() {
    assert!(PAGE.contains(&format!("```yaml\n{WORKFLOW}```")));
}
