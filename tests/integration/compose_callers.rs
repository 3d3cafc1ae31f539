//! Two machines that deploy the same Compose project on a third one, at once.

use std::path::PathBuf;
use std::process::Child;

use serde_json::Value;

use crate::compose_world::ComposeWorld;
use crate::deploy_world::World;
use crate::engines::Engine;
use crate::harness::{Program, Ran, signal};
use crate::images;
use crate::parts::part;
use crate::ssh_world::{Far, SSH};

const CONFIG: &str = "\
version: 1
service: shop
environment: NAME
upload: [shop.env]
platform:
  compose: { restart: [web, worker], shared: [db, cache] }
strategy:
  rolling: { watch: 0s }
checks:
  - path: /version
    within: 20s
    interval: 100ms
    expect: [{ status: 200 }, { version: { header: X-Version } }]
";

/// Starts nothing as long as somebody wants it to wait, and says that it does.
const GATE: &str = "#!/bin/sh
case \" $* \" in
  *\" up \"*)
    touch HOME/began
    turns=0
    # For a minute at most: what should have been refused must not wait for ever.
    while [ -e HOME/wait ] && [ $turns -lt 1200 ]; do
      sleep 0.05
      turns=$((turns + 1))
    done ;;
esac
exec DOCKER \"$@\"
";

/// The shop's host, with v1 live on it, and two who deploy there: each with a folder, a home and a
/// copy of the files of its own.
struct Callers {
    shop: ComposeWorld,
    far: Far,
}

impl Callers {
    fn new(name: &str) -> Option<Self> {
        let engine = Engine::docker()?;
        let shop = ComposeWorld::new(engine, name)?;
        let config = CONFIG.replace("NAME", name);
        let gate = shop.world.folder.path().join("gate").display().to_string();
        let path = format!("{gate}:{}", std::env::var("PATH").unwrap());
        let far = Far::with_engine(&config, engine, path)?;
        let docker = part("docker")?.display().to_string();
        let home = far.home("").display().to_string();
        let home = home.trim_end_matches('/');
        shop.world.write("gate/docker", &GATE.replace("HOME", home).replace("DOCKER", &docker));
        shop.world.write("waveoff.yml", &format!("{config}{SSH}"));
        let file = shop.read("compose.yml");
        shop.world.write("compose.yml", &file.replace("grace_period: 5s", "grace_period: 1s"));
        for file in ["compose.yml", ".env", "shop.env"] {
            far.world.write(file, &shop.read(file));
        }
        shop.publish("v3");
        let callers = Self { shop, far };
        let [one, other] = callers.both();
        callers.deploy(one, "v1", &[]).run().expect_code(0);
        assert_eq!(callers.status(other)["live-version"], "v1", "it is the host that knows");
        Some(callers)
    }

    fn both(&self) -> [&World; 2] {
        [&self.far.world, &self.shop.world]
    }

    fn deploy(&self, caller: &World, version: &str, more: &[&str]) -> Program {
        let words = ["deploy", "--version", version, "--report", "report.json"];
        self.far.called_by(caller, self.far.line.port, &[&words[..], more].concat())
    }

    /// Starts a deployment of the first one, which has the lock and begins to start containers.
    fn holding(&self, version: &str) -> Child {
        self.far.waiting(version)
    }

    /// Starts a deployment that waits for another one, as `place` in the line.
    fn in_line(&self, caller: &World, version: &str, place: usize) -> Child {
        let child = self.deploy(caller, version, &[]).start().0;
        let queue = self.state().join("queue");
        self.far.until("it waits in line", || {
            let names = std::fs::read_dir(&queue).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| !name.to_string_lossy().starts_with('.')).count() == place
        });
        child
    }

    /// Kills a caller, and its engine on the host.
    fn kill(&self, caller: Child, version: &str) {
        signal(&caller, "-KILL");
        drop(caller.wait_with_output());
        let runs = std::fs::read_dir(self.state().join("runs")).unwrap();
        let is_its = |run: &PathBuf| {
            let text = std::fs::read_to_string(run.join("commission.json")).unwrap_or_default();
            serde_json::from_str::<Value>(&text).unwrap()["task"]["deploy"]["version"] == version
        };
        let mut runs = runs.map(|run| run.unwrap().path());
        let run = runs.find(|run| is_its(run)).unwrap();
        let alive = std::fs::read_to_string(run.join("alive")).unwrap();
        let engine = alive.split(' ').next().unwrap();
        self.far.host.ran(&format!("kill -KILL {engine}")).expect_code(0);
    }

    fn state(&self) -> PathBuf {
        self.far.state().join("shop").join(&self.shop.name)
    }

    fn status(&self, caller: &World) -> Value {
        let words = ["status", "--json"];
        let ran = self.far.called_by(caller, self.far.line.port, &words).run();
        ran.expect_code(0).report()["outputs"].clone()
    }

    /// All of this release runs, and both of them know; the images of these are there to go back to.
    #[track_caller]
    fn proven(&self, live: &str, held: &[&str]) {
        assert_eq!(self.shop.world.version().as_deref(), Some(live));
        let containers = ["web", "worker"].map(|service| self.shop.container(service));
        for container in &containers {
            let env = self.shop.engine.tell(&["inspect", "--format", "{{.Config.Env}}", container]);
            assert!(env.contains(&format!("VERSION={live}")), "{live}: {env}");
        }
        for caller in self.both() {
            let status = self.status(caller);
            assert_eq!(status["live-version"], live, "{status}");
            assert_eq!(status["lock-owner"], "", "{status}");
        }
        let name = &self.shop.name;
        let all = ["cache-1", "db-1", "web", "worker-1"].map(|of| format!("{name}-{of}"));
        assert_eq!(self.shop.all_containers(), all);
        let wanted = held.iter().flat_map(|version| {
            [images::WEB, images::WORKER].map(|image| format!("{image}:{version}"))
        });
        let id = |image: String| {
            self.shop.engine.tell(&["image", "inspect", "--format", "{{.Id}}", &image])
        };
        let mut wanted: Vec<String> = wanted.map(id).collect();
        let held = self.shop.held();
        let mut words = vec!["inspect", "--format", "{{.Image}}"];
        words.extend(held.iter().map(String::as_str));
        let told = self.shop.engine.tell(&words);
        let mut held: Vec<&str> = told.lines().collect();
        wanted.sort();
        held.sort_unstable();
        assert_eq!(held, wanted);
    }
}

/// What became of a deployment, by its report.
fn told(caller: &World) -> [String; 3] {
    let report = caller.report();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [
        text(&report["deployment"]["version"]),
        text(&report["outputs"]["outcome"]),
        text(&report["outputs"]["live-version"]),
    ]
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn d9_of_two_machines_at_once_one_waits_and_the_end_is_that_of_the_last() {
    let Some(callers) = Callers::new("turns") else { return };
    let [one, other] = callers.both();
    let first = callers.holding("v2");
    // Who does not want to wait is told for whom, and nothing of it is left.
    let refused = callers.deploy(other, "v3", &["--queue", "0s"]).run().expect_code(12);
    assert!(refused.stderr.contains("deploy v2"), "{refused:?}");
    let second = callers.in_line(other, "v3", 1);
    callers.far.go_on();
    ended(first).expect_code(0);
    let ran = ended(second).expect_code(0);
    assert!(ran.stdout.contains("deploy v2"), "told for whom it waits: {ran:?}");
    assert_eq!(told(one), ["v2", "verified", "v2"]);
    assert_eq!(told(other), ["v3", "verified", "v3"]);
    callers.proven("v3", &["v1", "v2", "v3"]);
    // What the other one deployed is what this one goes back from, with its images.
    let back = ["rollback", "--json"];
    callers.far.called_by(one, callers.far.line.port, &back).run().expect_code(0);
    callers.proven("v2", &["v1", "v2", "v3"]);
}

#[test]
fn d8_of_two_machines_at_once_with_one_release_the_second_has_nothing_to_do() {
    let Some(callers) = Callers::new("twins") else { return };
    let [one, other] = callers.both();
    let first = callers.holding("v2");
    let second = callers.in_line(other, "v2", 1);
    callers.far.go_on();
    ended(first).expect_code(0);
    let ran = ended(second).expect_code(0);
    assert!(!ran.stdout.contains("Container"), "nothing is started again: {ran:?}");
    assert_eq!(told(one), ["v2", "verified", "v2"]);
    assert_eq!(told(other), ["v2", "nothing", "v2"]);
    callers.proven("v2", &["v1", "v2"]);
}

#[test]
fn d7_of_two_machines_at_once_one_is_killed_and_the_other_one_goes_on() {
    let Some(callers) = Callers::new("heirs") else { return };
    let [_, other] = callers.both();
    let first = callers.holding("v2");
    let dropped = callers.in_line(other, "v2.1", 1);
    let second = callers.in_line(other, "v3", 2);
    // The one in the middle is killed in line: nobody waits for it.
    callers.kill(dropped, "v2.1");
    callers.kill(first, "v2");
    callers.far.go_on();
    let ran = ended(second).expect_code(0);
    for words in ["was interrupted: its story is finished first", "it left behind was ended"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    assert_eq!(told(other), ["v3", "verified", "v3"]);
    callers.proven("v3", &["v1", "v2", "v3"]);
    let ledger = std::fs::read_to_string(callers.state().join("ledger.jsonl")).unwrap();
    let event = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].clone();
    let events: Vec<Value> = ledger.lines().skip(3).map(event).collect();
    let killed = ["started", "mutating", "failed", "rolled-back"];
    assert_eq!(events, [&killed[..], &["started", "mutating", "verified"]].concat());
}
