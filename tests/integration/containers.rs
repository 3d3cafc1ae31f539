//! Container checks with the real engines.

use std::time::{Duration, Instant};

use crate::engines::{Engine, Kind};
use crate::harness::Program;
use crate::images::{JOB, WEB};

#[test]
fn p8_containers_of_docker() {
    Engine::docker().map(every_state).unwrap_or_default();
}

#[test]
fn p8_containers_of_podman() {
    Engine::podman().map(every_state).unwrap_or_default();
}

/// Containers of a test, removed at its end.
struct Containers<'a>(&'a Engine, Vec<String>);

impl Containers<'_> {
    fn run(&mut self, options: &[&str], image: &str, version: &str) -> String {
        let name = format!("checked-{image}-{version}-{}", self.1.len());
        let image = format!("{image}:{version}");
        let mut arguments = vec!["run", "--detach", "--name", &name];
        arguments.extend(options);
        arguments.push(&image);
        self.0.tell(&arguments);
        self.1.push(name.clone());
        name
    }

    fn wait_healthy(&self, name: &str) -> Program {
        let engine = self.0.kind.name();
        let config =
            format!("version: 1\nchecks:\n  - container: {{ name: {name}, engine: {engine} }}\n");
        let program = self.0.surroundings(Program::new("wait-healthy"));
        program.file("waveoff.yml", &config).args(["--json"])
    }
}

impl Drop for Containers<'_> {
    fn drop(&mut self) {
        self.1.iter().for_each(|name| drop(self.0.ran(&removal(self.0, name))));
    }
}

/// Podman waits for ten seconds for what does not heed SIGTERM, even when it is forced.
fn removal<'a>(engine: &Engine, name: &'a str) -> Vec<&'a str> {
    match engine.kind {
        Kind::Docker => vec!["rm", "--force", name],
        Kind::Podman => vec!["rm", "--force", "--time", "0", name],
    }
}

fn every_state(engine: &Engine) {
    let mut containers = Containers(engine.with_shop(), Vec::new());
    let well = containers.run(&[], WEB, "v1");
    let done = containers.run(&[], JOB, "v1");
    let crashed = containers.run(&[], WEB, "crash");
    let looping = containers.run(&["--restart", "always"], WEB, "crash");
    let sick = containers.run(&[], WEB, "unhealthy");

    let report = |name: &str, within: &str, code| {
        let ran = containers.wait_healthy(name).args(["--within", within]).run().expect_code(code);
        ran.report()["checks"][0].clone()
    };
    assert!(report(&well, "60s", 0)["reason"].as_str().unwrap().ends_with("is healthy"));
    assert!(report(&done, "60s", 0)["reason"].as_str().unwrap().ends_with("completed with 0"));
    let started = Instant::now();
    let crash = report(&crashed, "120s", 10);
    assert_eq!(crash["reason"], format!("container {crashed} exited with 1"), "{crash}");
    assert_eq!(crash["last_response"]["status"], 1);
    let body = crash["last_response"]["body"].as_str().unwrap();
    assert!(body.contains("the last lines of container"), "{body}");
    report(&looping, "120s", 10);
    assert!(started.elapsed() < Duration::from_secs(100), "it was waited for in vain");
    let sick = report(&sick, "8s", 10);
    assert!(sick["last_response"]["body"].is_string(), "{sick}");
}
