//! The shop of `examples/compose` on an engine: with PostgreSQL and Redis, images from a registry,
//! and names and ports of its own, so that several of them are there at once.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::deploy_world::World;
use crate::engines::{Engine, Kind};
use crate::harness::{Program, Ran};
use crate::images::{WEB, WORKER};
use crate::parts::part;
use crate::registry::Registry;

const COMPOSE: &str = include_str!("../../examples/compose/compose.yml");
const ENV: &str = include_str!("../../examples/compose/shop.env");

pub(crate) struct ComposeWorld {
    /// The folder with `compose.yml`, `.env` and `shop.env`, and the port on which `web` is there.
    pub(crate) world: World,
    pub(crate) engine: &'static Engine,
    pub(crate) registry: Registry,
    /// The project's name, with which its containers', volumes' and networks' names begin.
    pub(crate) name: String,
}

impl ComposeWorld {
    /// A shop that nobody started yet, with v1 and v2 in its registry. No two of an engine may have
    /// the same name. None where a part is missing.
    pub(crate) fn new(engine: &'static Engine, name: &str) -> Option<Self> {
        let engine = engine.with_shop().with_services()?;
        let registry = Registry::start()?;
        let world = World::with("");
        // What Podman has of no registry is called so there.
        let own =
            if engine.kind == Kind::Podman { "image: localhost/shop-" } else { "image: shop-" };
        world.write("compose.yml", &COMPOSE.replace("image: shop-", own));
        world.write("shop.env", ENV);
        let shop = Self { world, engine, registry, name: name.to_owned() };
        let own = format!(
            "SHOP_NAME={name}\nSHOP_PORT={}\nREGISTRY={}\n",
            shop.world.port,
            shop.registry.name()
        );
        shop.world.write(".env", &own);
        for version in ["v1", "v2"] {
            shop.publish(version);
        }
        Some(shop)
    }

    /// Puts a version of [`crate::images::VERSIONS`] into the registry; what its images are called
    /// by digest, by service.
    pub(crate) fn publish(&self, version: &str) -> BTreeMap<&'static str, String> {
        let push = |image: &str| self.registry.push(self.engine, &format!("{image}:{version}"));
        BTreeMap::from([("web", push(WEB)), ("worker", push(WORKER))])
    }

    /// A file of the folder.
    pub(crate) fn read(&self, name: &str) -> String {
        crate::harness::read(self.world.folder.path(), name)
    }

    /// `waveoff` with these arguments, in the folder, with the engine and Compose for it.
    pub(crate) fn waveoff(&self, arguments: &[&str]) -> Program {
        let program = self.engine.surroundings(self.world.waveoff(arguments));
        let socket = self.engine.socket().into_iter();
        socket.fold(program, |program, (name, value)| program.env(name, &value))
    }

    /// Plain Compose with these arguments, over the engine's socket, as somebody would use it
    /// without `waveoff`.
    pub(crate) fn compose(&self, version: &str, arguments: &[&str]) -> Ran {
        let mut compose = Command::new("docker");
        compose.arg("compose").args(arguments).current_dir(self.world.folder.path());
        compose.env("WAVEOFF_VERSION", version).envs(self.engine.socket());
        Ran::of(compose.stdin(Stdio::null()).output().unwrap())
    }

    /// The container of a service of the project in place, whatever Compose calls it.
    #[track_caller]
    pub(crate) fn container(&self, service: &str) -> String {
        let [project, service] = [("project", self.name.as_str()), ("service", service)]
            .map(|(what, name)| format!("label=com.docker.compose.{what}={name}"));
        let listed = ["ps", "--quiet", "--filter", &project, "--filter", &service];
        let listed = self.engine.tell(&listed);
        assert_eq!(listed.lines().count(), 1, "{service}: {listed}");
        listed
    }

    /// What the database answers, as `psql` prints it without names and frames.
    pub(crate) fn sql(&self, text: &str) -> String {
        let database = self.container("db");
        let psql = ["exec", &database, "psql", "-h", "/tmp", "-U", "shop", "-Atqc", text];
        self.engine.tell(&psql)
    }

    /// What the cache answers.
    pub(crate) fn redis(&self, arguments: &[&str]) -> String {
        let cache = self.container("cache");
        self.engine.tell(&[&["exec", &cache, "redis-cli"], arguments].concat())
    }

    /// The versions of `web` that ran on the volume of all of them, oldest first.
    pub(crate) fn starts(&self) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}/starts", self.world.port);
        let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The names of the containers that run, sorted; those of slots too.
    pub(crate) fn running(&self) -> Vec<String> {
        self.listed(&["ps"], "{{.Names}}")
    }

    /// The names of the volumes that there are, sorted.
    pub(crate) fn volumes(&self) -> Vec<String> {
        self.listed(&["volume", "ls"], "{{.Name}}")
    }

    /// The names of the containers that there are, running or not, sorted; but for those that only
    /// keep an image, whose names are any.
    pub(crate) fn all_containers(&self) -> Vec<String> {
        self.listed(&["ps", "--all"], "{{.Names}}")
    }

    /// The names of the networks that there are, sorted.
    pub(crate) fn networks(&self) -> Vec<String> {
        self.listed(&["network", "ls"], "{{.Name}}")
    }

    /// The containers that only keep an image.
    pub(crate) fn held(&self) -> Vec<String> {
        let ours = format!("label=dev.waveoff.environment={}", self.name);
        let words = ["ps", "-aq", "--filter", &ours, "--filter", "label=dev.waveoff.held"];
        self.engine.ran(&words).stdout.lines().map(str::to_owned).collect()
    }

    fn listed(&self, what: &[&str], format: &str) -> Vec<String> {
        let listed = self.engine.tell(&[what, &["--format", format]].concat());
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.retain(|name| name.starts_with(&self.name));
        names.sort();
        names
    }
}

impl Drop for ComposeWorld {
    /// Whatever its name is on goes: containers first, and then what they used.
    fn drop(&mut self) {
        let remove = |what: &[&str], format: &str, remove: &[&str]| {
            let listed = self.engine.ran(&[what, &["--format", format]].concat()).stdout;
            for name in listed.lines().filter(|name| name.starts_with(&self.name)) {
                self.engine.ran(&[remove, &[name]].concat());
            }
        };
        for held in self.held() {
            self.engine.ran(&["rm", &held]);
        }
        remove(&["ps", "--all"], "{{.Names}}", &["rm", "--force", "--volumes"]);
        remove(&["network", "ls"], "{{.Name}}", &["network", "rm"]);
        remove(&["volume", "ls"], "{{.Name}}", &["volume", "rm"]);
    }
}

#[test]
fn plain_compose_starts_the_shop_and_its_data_survive() {
    let Some(engine) = Engine::docker() else { return };
    let Some(shop) = ComposeWorld::new(engine, "plain") else { return };
    shop.compose("v1", &["up", "--detach", "--wait"]).expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    assert_eq!(shop.running(), ["plain-cache-1", "plain-db-1", "plain-web", "plain-worker-1"]);
    shop.sql("CREATE TABLE orders AS SELECT 7 AS id");
    assert_eq!(shop.redis(&["set", "order", "7"]), "OK");
    shop.compose("v2", &["up", "--detach", "--wait", "--force-recreate"]).expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    assert_eq!(shop.sql("SELECT id FROM orders"), "7");
    assert_eq!(shop.redis(&["get", "order"]), "7");
    assert_eq!(shop.starts(), ["v1", "v2"]);
    assert_eq!(shop.volumes(), ["plain_cache", "plain_db", "plain_uploads"]);
    // One that is not well is told from one that is.
    shop.publish("unhealthy");
    let ran = shop.compose("unhealthy", &["up", "--detach", "--wait"]);
    assert!(ran.stderr.contains("plain-web is unhealthy"), "{ran:?}");
    let name = shop.waveoff(&["--version"]).run().expect_code(0).stdout;
    assert!(name.starts_with("waveoff "), "{name}");
}

#[test]
fn podman_compose_starts_the_shop_too() {
    let (Some(program), Some(engine)) = (part("podman-compose"), Engine::podman()) else { return };
    let Some(shop) = ComposeWorld::new(engine, "pods") else { return };
    let mut up = Command::new(program);
    // It does not read the file's own name.
    up.args(["-p", &shop.name, "up", "--detach"]).current_dir(shop.world.folder.path());
    up.env("WAVEOFF_VERSION", "v1").envs(engine.variables());
    Ran::of(up.stdin(Stdio::null()).output().unwrap()).expect_code(0);
    shop.world.until("it answers", |world| world.version().as_deref() == Some("v1"));
    // Nobody runs Podman's health checks where there is no systemd.
    for service in ["web", "db", "cache"] {
        let container = shop.container(service);
        let healthy = |_: &World| engine.ran(&["healthcheck", "run", &container]).code == Some(0);
        shop.world.until(&format!("{service} is healthy"), healthy);
    }
    assert_eq!(shop.sql("SELECT 7"), "7");
    assert_eq!(shop.redis(&["ping"]), "PONG");
    assert_eq!(shop.running().len(), 4);
}
