//! What the tests with containers stand on: engines, images, a registry, and nothing of it after.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::deploy_world::sample_service;
use crate::engines::{Engine, Kind};
use crate::harness::{Program, Ran, closed_port};
use crate::images::{self, WEB};
use crate::registry::{PASSWORD, Registry, USER};
use crate::shared_images::{CACHE, DB};

#[test]
fn an_engine_runs_a_container_and_leaves_nothing_behind() {
    for kind in [Kind::Docker, Kind::Podman] {
        let Some(engine) = Engine::own(kind, None) else { continue };
        let folder = engine.folder.clone();
        serves(engine.with_shop());
        let number = folder.display().to_string();
        let number = number.rsplit('-').next().unwrap();
        drop(engine);
        assert!(!folder.exists());
        let addresses = Command::new("ip").args(["-o", "-4", "address"]).output().unwrap();
        let addresses = String::from_utf8(addresses.stdout).unwrap();
        assert!(!addresses.contains(&format!(" 10.{number}.")), "{addresses}");
        for table in ["filter", "nat"] {
            let rules = Command::new("iptables").args(["-t", table, "-S"]).output().unwrap();
            let rules = String::from_utf8(rules.stdout).unwrap();
            assert!(!rules.contains(&format!(" 10.{number}.")), "{rules}");
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
        assert_eq!(processes_with(&folder), "");
    }
}

/// A container on a network of its own, whose port is the machine's.
fn serves(engine: &Engine) {
    let (port, name) = (closed_port(), "harness");
    engine.tell(&["network", "create", name]);
    let publish = format!("127.0.0.1:{port}:{}", images::PORT);
    let image = format!("{WEB}:v2");
    engine.tell(&["run", "-d", "--name", name, "--network", name, "-p", &publish, &image]);
    until("the container answers", || version(port).as_deref() == Some("v2"));
    let other = ["--entrypoint", "/sample-service", &image, "--worker"];
    let worker = [&["run", "-d", "--name", "other", "--network", name][..], &other].concat();
    engine.tell(&worker);
    until("the worker works", || engine.tell(&["logs", "other"]).contains("works as v2"));
    engine.tell(&["stop", "--time", "20", name]);
    assert_eq!(engine.tell(&["inspect", "--format", "{{.State.ExitCode}}", name]), "0");
}

#[test]
fn programs_find_an_engine_and_no_other() {
    let Some(docker) = Engine::docker() else { return };
    for engine in [Some(docker), Engine::podman()].into_iter().flatten() {
        engine.with_shop();
        let program = engine.surroundings(Program::new("waveoff"));
        let mut listed = Command::new(engine.kind.name());
        listed.args(["images", "--quiet", "--no-trunc", "shop-web:v1"]);
        let listed = Ran::of(program.like(listed).output().unwrap()).expect_code(0);
        assert!(listed.stdout.starts_with("sha256:"), "{listed:?}");
        // Compose asks a socket, which both have.
        let mut compose = Command::new("docker");
        compose.args(["compose", "ls"]).envs(engine.socket());
        let listed = Ran::of(compose.output().unwrap()).expect_code(0);
        assert!(listed.stdout.starts_with("NAME"), "{listed:?}");
    }
}

#[test]
fn the_example_of_an_image_is_built_from_nothing() {
    let Some(engine) = Engine::docker() else { return };
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::copy(sample_service(), folder.path().join("sample-service")).unwrap();
    let dockerfile = include_str!("../../examples/compose/Dockerfile");
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let context = folder.path().display().to_string();
    // The builder that every Docker has.
    let mut build = engine.command(&["build", "--build-arg", "VERSION=v9", "-t", "built:v9"]);
    let built = build.arg(&context).env("DOCKER_BUILDKIT", "0").output().unwrap();
    Ran::of(built).expect_code(0);
    let config = engine.tell(&["inspect", "--format", "{{json .Config}}", "built:v9"]);
    for part in ["VERSION=v9", "PORT=8080", "--probe", "65534:65534", "8080/tcp"] {
        assert!(config.contains(part), "{part}: {config}");
    }
    engine.tell(&["rmi", "built:v9"]);
}

#[test]
fn shared_services_keep_what_they_are_given() {
    let engines = [Engine::docker(), Engine::podman()].into_iter().flatten();
    for engine in engines.filter_map(Engine::with_services) {
        for (name, image) in [("pg", DB), ("kv", CACHE)] {
            let volume = format!("{name}:/data");
            engine.tell(&["run", "-d", "--name", name, "-v", &volume, image]);
        }
        let sql = |text: &str| {
            engine.ran(&["exec", "pg", "psql", "-h", "/tmp", "-U", "shop", "-Atc", text])
        };
        until("the database answers", || sql("SELECT 1").stdout == "1\n");
        sql("CREATE TABLE orders AS SELECT 7 AS id").expect_code(0);
        let redis =
            |arguments: &[&str]| engine.ran(&[&["exec", "kv", "redis-cli"], arguments].concat());
        until("the cache answers", || redis(&["set", "order", "7"]).stdout == "OK\n");
        for name in ["pg", "kv"] {
            engine.tell(&["kill", name]);
            engine.tell(&["start", name]);
        }
        until("the order is there", || sql("SELECT id FROM orders").stdout == "7\n");
        until("the order is there", || redis(&["get", "order"]).stdout == "7\n");
        engine.tell(&["rm", "--force", "--volumes", "pg", "kv"]);
        engine.tell(&["volume", "rm", "pg", "kv"]);
    }
}

#[test]
fn a_disk_can_be_full() {
    let Some(engine) = Engine::own(Kind::Docker, Some(60_000_000)) else { return };
    images::load_large(engine.with_shop(), "large", 20_000_000);
    let Some(registry) = Registry::start() else { return };
    registry.push(&engine, "shop-web:large");
    let Some(small) = Engine::own(Kind::Docker, Some(20_000_000)) else { return };
    let name = format!("{}/shop-web:large", registry.name());
    let pulled = small.ran(&["pull", &name]);
    assert_ne!(pulled.code, Some(0));
    assert!(pulled.stderr.contains("no space left on device"), "{pulled:?}");
}

#[test]
fn a_registry_gives_and_loses_images() {
    for engine in [Engine::docker(), Engine::podman()].into_iter().flatten() {
        let Some(mut registry) = Registry::start() else { return };
        let name = registry.push(engine.with_shop(), "shop-web:v1");
        engine.tell(&["pull", &name]);
        engine.tell(&["rmi", &name]);
        registry.stop();
        assert_ne!(engine.ran(&["pull", &name]).code, Some(0));
        registry.again();
        engine.tell(&["pull", &name]);
        engine.tell(&["rmi", &name]);
        // One that was pulled before is had again without its manifest: Docker keeps that.
        let other = registry.push(engine, "shop-web:v2");
        registry.lose_tag("shop-web", "v2");
        let lost = engine.ran(&["pull", &other]);
        assert!(lost.stderr.contains("manifest unknown"), "{lost:?}");
        registry.lose("shop-web");
        assert_eq!(registry.digest("shop-web", "v1"), None);
        assert!(registry.log().contains("GET /v2/"), "{}", registry.log());
    }
}

#[test]
fn a_registry_can_want_a_login() {
    let Some(engine) = Engine::docker() else { return };
    let Some(registry) = Registry::with_login() else { return };
    let config = TempDir::new().unwrap();
    engine.config(&config.path().join("own"));
    let own = config.path().join("own").display().to_string();
    let name = format!("{}/shop-web:v1", registry.name());
    let refused = engine.ran(&["pull", &name]);
    assert!(refused.stderr.contains("no basic auth credentials"), "{refused:?}");
    let login = ["--config", &own, "login", "-u", USER, "-p", PASSWORD, &registry.name()];
    engine.tell(&login);
    let unknown = engine.ran(&["--config", &own, "pull", &name]);
    assert!(unknown.stderr.contains("manifest unknown"), "{unknown:?}");
}

fn version(port: u16) -> Option<String> {
    let answer = ureq::get(format!("http://127.0.0.1:{port}/version")).call().ok()?;
    Some(answer.headers().get("X-Version")?.to_str().unwrap().to_owned())
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what} within 30 s");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// What runs with this folder among its arguments.
fn processes_with(folder: &Path) -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}
