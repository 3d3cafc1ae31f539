//! The page about Podman.

use std::path::Path;
use std::process::Command;

use crate::deploy_world::World;
use crate::engines::{Engine, Kind};
use crate::harness::{Program, Ran};
use crate::one_machine_guide::registry;
use crate::shared_images::CACHE;
use crate::systemd_guide::commands;

const PAGE: &str = include_str!("../../docs/podman.md");

#[test]
fn d11_the_commands_of_the_page_do_what_it_says() {
    let Some(builder) = Engine::docker() else { return };
    let Some(registry) = registry(builder) else { return };
    // Nothing is in it, and nobody else's names are.
    let Some(engine) = Engine::own(Kind::Podman, None) else { return };
    let world = World::with("");
    let programs = Path::new(env!("CARGO_BIN_EXE_waveoff")).parent().unwrap().display();
    let mut program = Program::within("waveoff", &world.folder);
    for (name, value) in engine.socket().into_iter().chain(engine.variables()) {
        let value = if name == "PATH" { format!("{programs}:{value}") } else { value };
        program = program.env(name, &value);
    }
    let program = program
        .env("REGISTRY", &registry.name())
        .env("CACHE_IMAGE", &format!("{}/{CACHE}", registry.name()))
        .env("SHOP_PORT", &world.port.to_string());
    let script = commands(PAGE, "A first verified");
    assert!(script.matches("waveoff ").count() >= 5, "{script}");
    let mut shell = program.like(Command::new("sh"));
    let ran = Ran::of(shell.args(["-eu", "-c", &script]).output().unwrap()).expect_code(0);
    for said in [
        "1.0.0 is live and verified",
        "(healthy)",
        "1.1.0 is live and verified",
        "the last lines of container shop-web-1",
        "1.1.0 is back and verified",
        "1.0.0 is live, verified",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    assert_eq!(world.version().as_deref(), Some("1.0.0"));
    let shared = engine.tell(&["inspect", "--format", "{{.State.Health.Status}}", "shop-cache-1"]);
    assert_eq!(shared, "healthy");
}
