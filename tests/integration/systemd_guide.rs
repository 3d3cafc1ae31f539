//! The page about releases under systemd, and the examples that go with it.

use std::path::Path;
use std::process::Command;

use crate::deploy_world::World;
use crate::harness::{Program, Ran, closed_port};
use crate::manager::Manager;
use crate::parts::part;

const PAGE: &str = include_str!("../../docs/systemd.md");

/// The commands of a part of a page, in order.
pub(crate) fn commands(page: &str, heading: &str) -> String {
    let part = page.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
    let blocks = part.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect()
}

#[test]
fn d11_the_commands_of_the_page_do_what_it_says() {
    let Some(_) = part("python3") else { return };
    let mut world = World::with("");
    world.port = closed_port();
    let Some(manager) = Manager::new() else { return };
    let home = manager.home();
    let path = format!(
        "{}:{}/bin:{}",
        Path::new(env!("CARGO_BIN_EXE_waveoff")).parent().unwrap().display(),
        home.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let program = manager.env(Program::within("waveoff", &world.folder));
    let program = program.env("HOME", &home.display().to_string()).env("PATH", &path);
    let mut shell = program.env("SHOP_PORT", &world.port.to_string()).like(Command::new("sh"));
    let script = commands(PAGE, "From nothing");
    assert!(script.matches("waveoff ").count() >= 5, "{script}");
    shell.args(["-eu", "-c", &script]).current_dir(&home);
    let ran = Ran::of(shell.output().unwrap()).expect_code(0);
    for said in [
        "1.0.0 is live and verified",
        "1.1.0 is live and verified",
        "shop-worker.service ended",
        "1.1.0 is back and verified",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    // It ends with a person going back to the first one.
    let url = format!("http://127.0.0.1:{}/version.txt", world.port);
    let answer = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    assert_eq!(answer, "1.0.0\n");
    let link = std::fs::read_link(home.join("shop/current")).unwrap();
    assert!(link.display().to_string().starts_with("releases/1.0.0-"), "{link:?}");
}

#[test]
fn d11_the_example_fits_its_units_and_systemd_has_nothing_to_say_of_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd");
    let text = std::fs::read_to_string(root.join("waveoff.yml")).unwrap();
    let loaded = waveoff::config::parse("examples/systemd/waveoff.yml", &text, |_| None).unwrap();
    let spec = loaded.transaction().unwrap();
    waveoff::config::exchange::validate(&loaded, &spec, "shop").unwrap();
    let Some(waveoff::config::pipeline::PlatformSpec::Systemd(own)) = spec.platform else {
        panic!("{text}")
    };
    let Some(analyze) = part("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(analyze);
    command.args(["verify", "--man=no"]);
    for name in own.units.0.iter().map(String::as_str).chain(["shop@blue.service"]) {
        let unit = std::fs::read_to_string(root.join(name.replace("@blue", "@"))).unwrap();
        let place = if name.contains('@') { "slots/%i" } else { "current" };
        assert!(unit.contains(&format!("{}/{place}/", own.folder)), "{unit}");
        // It looks whether the program is there.
        let lines = unit.lines().map(|line| match line.starts_with("ExecStart=") {
            true => "ExecStart=/bin/true",
            false => line,
        });
        let lines: Vec<&str> = lines.filter(|line| !line.starts_with("User=")).collect();
        let file = folder.path().join(name);
        std::fs::write(&file, lines.join("\n")).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
