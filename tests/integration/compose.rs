//! Deployments of a Compose project with a real Docker: in place and in slots.

use std::collections::BTreeSet;

use crate::crash_router::{Balancer, Router};
use crate::deploy_world::World;
use crate::engines::{Engine, Kind};
use crate::harness::{Program, Ran, closed_port};
use crate::parts::part;
use crate::registry::{PASSWORD, Registry, USER};

/// A web, a worker, and a shared store with a volume.
const FILE: &str = "\
name: PROJECT
services:
  web:
    image: REGISTRYshop-web:${WAVEOFF_VERSION}
    container_name: the-PROJECT
    ports: [\"127.0.0.1:PORT:8080\"]
    depends_on: { store: { condition: service_healthy } }
    volumes: [\"data:/data\"]
    env_file: [shop.env]
    stop_grace_period: 2s
  worker:
    image: REGISTRYshop-worker:${WAVEOFF_VERSION}
    stop_grace_period: 2s
  store:
    image: STOREshop-web:v1
    volumes: [\"data:/data\"]
    stop_grace_period: 2s
volumes: { data: {} }
";

/// The checks are those of whoever asks the service: the version that answers, and its health.
const CHECKS: &str = "\
checks:
  - path: /version
    within: 20s
    expect: [{ status: 200 }, { version: { header: X-Version } }]
  - { path: /health/full, health: auto, attempts: 1 }
";

/// A project of its own in the Docker of all tests, taken down when the test ends.
pub(crate) struct Shop {
    pub(crate) world: World,
    engine: &'static Engine,
    project: String,
}

impl Shop {
    fn new(project: &str, platform: &str, rest: &str) -> Option<Self> {
        Self::on(Engine::docker()?, project, platform, rest)
    }

    fn on(engine: &'static Engine, project: &str, platform: &str, rest: &str) -> Option<Self> {
        let config = format!(
            "version: 1\nservice: shop\nenvironment: {project}\nplatform:\n  compose: {platform}\n{rest}"
        );
        let shop = Self {
            world: World::with(&config),
            engine: engine.with_shop(),
            project: project.into(),
        };
        // What Podman has built itself has no other registry.
        shop.file(if engine.kind == Kind::Podman { "localhost/" } else { "" });
        shop.world.write("shop.env", "COLOUR=red\n");
        Some(shop)
    }

    /// Writes the Compose file, with images from a registry.
    fn file(&self, registry: &str) {
        let text = FILE
            .replace("PROJECT", &self.project)
            .replace("PORT", &self.world.port.to_string())
            .replace("STORE", if registry == "localhost/" { registry } else { "" })
            .replace("REGISTRY", registry);
        self.world.write("compose.yml", &text);
    }

    fn waveoff(&self, arguments: &[&str]) -> Program {
        let program = self.engine.surroundings(self.world.waveoff(arguments));
        self.engine
            .socket()
            .into_iter()
            .fold(program, |program, (name, value)| program.env(name, &value))
    }

    fn deploy(&self, version: &str) -> Ran {
        self.waveoff(&["deploy", "--version", version, "--report", "report.json"]).run()
    }

    /// The id of the container of a shared service.
    fn store(&self) -> String {
        let name = format!("{}-store-1", self.project);
        self.engine.tell(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", &name])
    }

    /// The images that containers of this project run, or ran.
    fn images(&self, project: &str) -> BTreeSet<String> {
        let filter = format!("label=com.docker.compose.project={project}");
        let ids = self.engine.tell(&["ps", "-aq", "--filter", &filter]);
        let image = |id: &str| self.engine.tell(&["inspect", "--format", "{{.Config.Image}}", id]);
        ids.lines().map(image).collect()
    }

    /// The names of the containers that run.
    fn running(&self) -> Vec<String> {
        let filter = format!("name={}", self.project);
        let listed = self.engine.tell(&["ps", "--filter", &filter, "--format", "{{.Names}}"]);
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    fn releases(&self) -> Vec<String> {
        let folder = self.world.folder.path().join(format!("state/shop/{}/releases", self.project));
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let engine = self.engine;
        let ids = |filter: String| engine.ran(&["ps", "-aq", "--filter", &filter]).stdout;
        let of = [
            ids(format!("label=dev.waveoff.environment={}", self.project)),
            ids(format!("label=com.docker.compose.project={}", self.project)),
        ];
        for id in of.concat().lines() {
            engine.ran(&["rm", "-f", "-v", id]);
        }
        for what in ["network", "volume"] {
            let filter = format!("name={}", self.project);
            for name in engine.ran(&[what, "ls", "-q", "--filter", &filter]).stdout.lines() {
                engine.ran(&[what, "rm", name]);
            }
        }
    }
}

#[test]
fn d3_a_project_is_exchanged_in_place_and_comes_back_as_it_was() {
    let platform = "{ restart: [web, worker], shared: [store] }";
    let Some(shop) = Shop::new("rolled", platform, CHECKS) else { return };
    shop.deploy("v1").expect_code(0);
    let (store, url) = (shop.store(), format!("http://127.0.0.1:{}/version", shop.world.port));
    assert_eq!(shop.world.version().as_deref(), Some("v1"), "{url}");
    shop.deploy("v2").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    // What comes back is the environment of then, and not the file of today.
    shop.world.write("shop.env", "COLOUR=blue\n");
    for bad in ["critical-down", "crash", "wrong-version"] {
        let ran = shop.deploy(bad).expect_code(20);
        assert_eq!(shop.world.version().as_deref(), Some("v2"), "{ran:?}");
    }
    let colour = shop.engine.tell(&["inspect", "--format", "{{.Config.Env}}", "the-rolled"]);
    assert!(colour.contains("COLOUR=red"), "{colour}");
    shop.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    assert_eq!(shop.store(), store, "a shared service is never touched");
    assert_eq!(shop.running(), ["rolled-store-1", "rolled-worker-1", "the-rolled"]);
    let status = shop.waveoff(&["status"]).run().expect_code(0);
    assert!(status.stdout.contains("v1"), "{status:?}");
}

#[test]
fn d3_the_same_release_is_nothing_to_do_and_another_environment_is_another_release() {
    let platform = "{ restart: [web, worker], shared: [store] }";
    let Some(shop) = Shop::new("again", platform, CHECKS) else { return };
    shop.deploy("v1").expect_code(0);
    let id = shop.engine.tell(&["inspect", "--format", "{{.Id}}", "the-again"]);
    let ran = shop.deploy("v1").expect_code(0);
    assert!(
        ran.stdout.contains("nothing to do") || ran.stderr.contains("nothing to do"),
        "{ran:?}"
    );
    assert_eq!(shop.engine.tell(&["inspect", "--format", "{{.Id}}", "the-again"]), id);
    shop.world.write("shop.env", "COLOUR=blue\n");
    shop.deploy("v1").expect_code(0);
    assert_ne!(shop.engine.tell(&["inspect", "--format", "{{.Id}}", "the-again"]), id);
}

#[test]
fn d4_slots_take_turns_and_share_the_store_behind_nginx_and_haproxy() {
    let all_in_slots = "{ switch: [web, worker], port: { web: 8080 }, shared: [store] }";
    in_turns(Balancer::Nginx, "turned", all_in_slots);
    let worker_outside = "{ switch: [web], restart: [worker], shared: [store] }";
    in_turns(Balancer::Haproxy, "spun", worker_outside);
}

fn in_turns(balancer: Balancer, project: &str, platform: &str) {
    let (ports, public) = ([closed_port(), closed_port()], closed_port());
    let Some(router) = Router::new(balancer, &ports, public) else { return };
    let rest = format!(
        "strategy:\n  blue-green:\n    slots: {{ blue: {}, green: {} }}\n    watch: 0s\n    drain: 0s\n\
         public: http://127.0.0.1:{public}\n{}{CHECKS}",
        ports[0],
        ports[1],
        router.config()
    );
    let Some(mut shop) = Shop::new(project, platform, &rest) else { return };
    let own = shop.world.port;
    shop.world.port = public;
    shop.deploy("v1").expect_code(0);
    let store = shop.store();
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    shop.deploy("v2").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    shop.deploy("critical-down").expect_code(20);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    shop.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    assert_eq!(shop.store(), store, "a shared service is never touched");
    let running = shop.running();
    assert_eq!(running.len(), 3, "one slot, and the store: {running:?}");
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", own)).is_err(),
        "the file's own port is free"
    );
    let volumes = shop.engine.tell(&["volume", "ls", "-q", "--filter", &format!("name={project}")]);
    assert_eq!(volumes, format!("{project}_data"), "one volume for all");
    shop.world.port = own;
}

#[test]
fn d12_what_plain_compose_started_is_taken_over() {
    let platform = "{ restart: [web, worker], shared: [store] }";
    let Some(shop) = Shop::new("taken", platform, CHECKS) else { return };
    let mut up = std::process::Command::new("docker");
    up.args(["compose", "up", "-d"]).current_dir(shop.world.folder.path());
    up.envs(shop.engine.variables()).env("WAVEOFF_VERSION", "v1");
    assert!(up.status().unwrap().success());
    let store = shop.store();
    shop.deploy("v2").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    assert_eq!(shop.store(), store);
    assert_eq!(shop.running().len(), 3);
}

#[test]
fn d6_what_would_lose_data_or_run_twice_is_refused_before_anything() {
    let platform = "{ restart: [web, worker], shared: [store] }";
    let Some(shop) = Shop::new("renamed", platform, CHECKS) else { return };
    shop.deploy("v1").expect_code(0);
    let before = shop.running();
    let file = shop.world.folder.path().join("compose.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    shop.world.write("compose.yml", &text.replace("name: renamed", "name: moved"));
    let ran = shop.deploy("v2").expect_code(2);
    for words in ["renamed_data", "moved_data", "project: renamed", "nothing was touched"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    shop.world.write("compose.yml", &text.replace("  worker:", "  extra: { image: x }\n  worker:"));
    let ran = shop.deploy("v2").expect_code(2);
    assert!(ran.stderr.contains("the service extra"), "{ran:?}");
    shop.world.write("compose.yml", "services: [");
    let ran = shop.deploy("v2").expect_code(2);
    assert!(ran.stderr.contains("compose.yml"), "{ran:?}");
    shop.world.write("compose.yml", &text);
    let ran = shop.deploy("v99").expect_code(12);
    assert!(ran.stderr.contains("v99 cannot be had"), "{ran:?}");
    assert_eq!(shop.running(), before);
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
}

#[test]
fn d11_what_keeps_a_first_release_from_being_started_is_told_and_not_what_follows_from_it() {
    let platform = "{ restart: [web, worker], shared: [store] }";
    let Some(shop) = Shop::new("fresh", platform, CHECKS) else { return };
    // Where the service answers is not known either then.
    let told = |program: Program, code: i32, words: &str| {
        let ran = program.run().expect_code(code);
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("check #1"), "{ran:?}");
    };
    let deploy = || shop.waveoff(&["deploy", "--version", "v1"]);
    let nowhere = format!("unix://{}/none.sock", shop.world.folder.path().display());
    told(deploy().env("DOCKER_HOST", &nowhere), 12, "systemctl enable --now docker");
    let config = crate::harness::read(shop.world.folder.path(), "waveoff.yml");
    let other = config.replace("compose: {", "compose: { command: [podman-compose],");
    shop.world.write("waveoff.yml", &other);
    told(deploy(), 2, "podman-compose exchanges shared services");
    shop.world.write("waveoff.yml", &config);
    std::fs::remove_file(shop.world.folder.path().join("shop.env")).unwrap();
    told(deploy(), 2, "has to be in `upload`");
    shop.world.write("shop.env", "COLOUR=${SHADE}\n");
    let ran = deploy().run().expect_code(0);
    assert!(ran.stdout.contains("the variable SHADE of the Compose file is not set"), "{ran:?}");
}

#[test]
fn d3_a_service_that_becomes_shared_goes_on_running() {
    let platform = "{ restart: [web, worker], shared: [store] }";
    let Some(shop) = Shop::new("handed", platform, CHECKS) else { return };
    shop.deploy("v1").expect_code(0);
    let file = shop.world.folder.path().join("waveoff.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    let now = "{ restart: [web], shared: [store, worker] }";
    shop.world.write("waveoff.yml", &text.replace(platform, now));
    shop.deploy("v2").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    let running = shop.running();
    assert!(running.iter().any(|one| one.contains("worker")), "{running:?}");
    assert_eq!(running.len(), 3);
}

#[test]
fn d11_images_come_by_digest_with_a_login_that_nobody_finds_again() {
    let platform = "{ restart: [web, worker], shared: [store], registry: \
                    { server: \"${SERVER}\", user: shop, password: \"${REGISTRY_TOKEN}\" } }";
    let Some(shop) = Shop::new("drawn", platform, CHECKS) else { return };
    let Some(registry) = Registry::with_login() else { return };
    let conf = shop.world.folder.path().join("login");
    shop.engine.config(&conf);
    let conf = conf.display().to_string();
    let own = ["--config", &conf];
    shop.engine
        .tell(&[&own[..], &["login", "-u", USER, "-p", PASSWORD, &registry.name()]].concat());
    for image in ["shop-web:v1", "shop-web:v2", "shop-worker:v1", "shop-worker:v2"] {
        let name = format!("{}/{image}", registry.name());
        shop.engine.tell(&["tag", image, &name]);
        shop.engine.tell(&[&own[..], &["push", "--quiet", &name]].concat());
        shop.engine.tell(&["rmi", &name]);
    }
    shop.file(&format!("{}/", registry.name()));
    // What the engine is called with, everybody on the machine can read.
    let docker = part("docker").unwrap();
    let noting = "#!/bin/sh\necho \"$@\" >>\"$SHOP_DIR/called\"\nexec DOCKER \"$@\"\n";
    shop.world.write("noting/docker", &noting.replace("DOCKER", &docker.display().to_string()));
    let noting = shop.world.folder.path().join("noting").display().to_string();
    let path = format!("{noting}:{}", std::env::var("PATH").unwrap());
    let with = |version: &str, password: &str| {
        let program = shop.waveoff(&["deploy", "--version", version, "--report", "report.json"]);
        let program = program.env("PATH", &path).env("SERVER", &registry.name());
        program.env("REGISTRY_TOKEN", password).run()
    };
    let refused = with("v1", "wrong").expect_code(12);
    assert!(refused.stderr.contains("nothing was touched"), "{refused:?}");
    with("v1", PASSWORD).expect_code(0);
    let images = shop.images("drawn");
    let by_digest = images.iter().filter(|image| image.contains("@sha256:")).count();
    assert_eq!(by_digest, 2, "{images:?}");
    with("v2", PASSWORD).expect_code(0);
    let called = crate::harness::read(shop.world.folder.path(), "called");
    assert!(called.contains("pull --quiet"), "{called}");
    let encoded = "c2hvcDpjb3JyZWN0LWhvcnNl";
    assert!(!called.contains(PASSWORD) && !called.contains(encoded), "{called}");
    for (name, bytes) in shop.world.tree() {
        let text = String::from_utf8_lossy(&bytes);
        let is_secret = text.contains(PASSWORD) || text.contains(encoded);
        assert!(!is_secret || name.contains("/login/"), "{name}");
        assert!(!name.contains("registry-login"), "{name}");
    }
    // Images that nobody runs are those that a way back needs.
    shop.engine.tell(&["image", "ls", "--filter", "reference=waveoff/shop-drawn/*"]);
    shop.waveoff(&["rollback", "--to", "v1"])
        .env("SERVER", &registry.name())
        .env("REGISTRY_TOKEN", PASSWORD)
        .run()
        .expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    assert_eq!(shop.releases().iter().filter(|name| name.starts_with('v')).count(), 2);
}

#[test]
fn d11_podman_does_the_same_over_its_socket() {
    let platform = "{ engine: podman, restart: [web, worker], shared: [store] }";
    let Some(engine) = Engine::podman() else { return };
    if Engine::docker().is_none() {
        return;
    }
    let Some(shop) = Shop::on(engine, "poddy", platform, CHECKS) else { return };
    shop.deploy("v1").expect_code(0);
    let store = shop.store();
    shop.deploy("v2").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    shop.deploy("critical-down").expect_code(20);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    shop.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    assert_eq!(shop.store(), store, "a shared service is never touched");
}
