//! Deployments of a Compose project that are killed wherever they change anything: afterwards all is
//! old or all is new, and what all releases share was never touched.
//!
//! `CRASH_MATRIX=full` kills at each of those places; without it, at some of every kind.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::compose_failures::in_place;
use crate::compose_rounds::in_slots;
use crate::compose_world::ComposeWorld;
use crate::crash_kills::{Kills, Victim, full, quiet};
use crate::crash_router::Router;
use crate::deploy_world::{World, version_at};
use crate::engines::Engine;
use crate::harness::Program;
use crate::images::{WEB, WORKER};
use crate::parts::part;
use crate::ssh_world::{SECRET, holding};

/// The calls, at how many of a kind a deployment is killed when only some are wanted, and where in
/// its share of them the first one is, in hundredths: no rule in them.
const CALLS: [(&str, usize, usize); 6] = [
    ("/sync$", 2, 96),
    ("/^rename", 2, 60),
    ("/^unlink", 1, 30),
    // Of threads, and of each program that is started.
    ("/^clone|^vfork", 3, 80),
    ("flock", 1, 45),
    // While a program runs, which then goes on alone.
    ("wait4", 1, 70),
];

/// One in so many of them is enough: while a program runs, it is waited for again and again.
const WAITED: usize = 15;

/// At how many calls of Docker a deployment is killed when only some are wanted.
const SOME: usize = 3;

/// Counts the calls of Docker that change something, and kills its caller at one of them; Docker
/// then goes on without it, or never hears of it.
const KILLER: &str = r#"#!/bin/sh
case " $* " in
  *" config "*|*" inspect "*) ;;
  *" up "*|*" stop "*|*" rm "*|*" down "*|*" pull "*|*" create "*|*" tag "*|*" rmi "*)
    echo "$*" >>"$SHOP_DIR/calls"
    if [ "$(wc -l <"$SHOP_DIR/calls")" -eq "$(cat "$SHOP_DIR/at")" ]; then
      kill -KILL "$PPID"
      [ -e "$SHOP_DIR/goes-on" ] || exit 1
    fi ;;
esac
exec DOCKER "$@"
"#;

/// Releases that are kept, of each component: those that were started last.
const KEPT: usize = 10;
/// The shop, and how it was when its first release was live.
struct Killed {
    shop: ComposeWorld,
    /// The ports of its slots, where it has some.
    slots: Vec<u16>,
    /// What sends requests to them.
    _router: Option<Router>,
    first: OnceCell<Around>,
    path: String,
}

/// What a deployment leaves as it is, but for the slot in a name.
#[derive(Debug, PartialEq, Eq)]
struct Around {
    /// The shared containers: their ids, and when they were started.
    shared: String,
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl Killed {
    fn new(shop: ComposeWorld, slots: &[u16], router: Option<Router>) -> Self {
        // Any number is a release of its own; its images are one of two.
        let file =
            shop.read("compose.yml").replace("stop_grace_period: 5s", "stop_grace_period: 1s");
        let named = "environment: { VERSION: \"${WAVEOFF_VERSION}\", DATA: /data, GREETING: \"${GREETING}\" }";
        let file = file.replace("environment: { DATA: /data }", named);
        let worker = format!("  worker:\n    {named}\n");
        shop.world.write("compose.yml", &file.replace("  worker:\n", &worker));
        // Pulling needs a password, for the time that it takes and no longer.
        let config = shop.read("waveoff.yml");
        let login = format!(
            "shared: [db, cache], registry: {{ server: \"{}\", user: shop, password: \
             \"${{REGISTRY_TOKEN}}\" }}",
            shop.registry.name()
        );
        shop.world.write("waveoff.yml", &config.replace("shared: [db, cache]", &login));
        let docker = part("docker").unwrap().display().to_string();
        shop.world.write("killer/docker", &KILLER.replace("DOCKER", &docker));
        shop.world.write("at", "0");
        let killer = shop.world.folder.path().join("killer").display().to_string();
        let path = format!("{killer}:{}", std::env::var("PATH").unwrap());
        Self { shop, slots: slots.to_vec(), _router: router, first: OnceCell::new(), path }
    }

    /// How it is now, without the slot in names.
    fn around(&self) -> Around {
        let plain = |names: Vec<String>| {
            let mut names: Vec<_> =
                names.iter().map(|name| name.replace("green", "blue")).collect();
            names.sort();
            names
        };
        let shared = [self.shop.container("db"), self.shop.container("cache")];
        let format = "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}";
        let words = ["inspect", "--format", format, &shared[0], &shared[1]];
        Around {
            shared: self.shop.engine.tell(&words),
            containers: plain(self.shop.all_containers()),
            networks: plain(self.shop.networks()),
            volumes: plain(self.shop.volumes()),
        }
    }

    /// What the shared services keep is what they were given: another order is written down.
    #[track_caller]
    fn data_are_there(&self) {
        let insert = "CREATE TABLE IF NOT EXISTS orders (id serial); INSERT INTO orders DEFAULT \
                      VALUES; SELECT count(*) || ' of ' || max(id) FROM orders";
        let orders = self.shop.redis(&["incr", "orders"]);
        assert_eq!(self.shop.sql(insert), format!("{orders} of {orders}"));
    }

    /// The containers of releases: those that run, and those that only keep an image.
    fn containers(&self) -> (Vec<Value>, Vec<Value>) {
        let ours = format!("label=dev.waveoff.environment={}", self.shop.name);
        let ids = self.shop.engine.tell(&["ps", "-aq", "--filter", &ours]);
        let words: Vec<&str> = std::iter::once("inspect").chain(ids.lines()).collect();
        let all: Vec<Value> = serde_json::from_str(&self.shop.engine.tell(&words)).unwrap();
        all.into_iter().partition(|one| label(one, "held").is_empty())
    }

    /// One release runs, whole: its images, its environment, all of its services.
    #[track_caller]
    fn is_whole(&self, live: &str, running: &[Value]) {
        let number = live.trim_start_matches('v').parse().unwrap();
        let services: BTreeMap<&str, &Value> =
            running.iter().map(|one| (label(one, "compose-service"), one)).collect();
        assert_eq!((running.len(), services.len()), (2, 2), "{services:?}");
        for (service, repository) in [("web", WEB), ("worker", WORKER)] {
            let one = services[service];
            let digest = self.shop.registry.digest(repository, tag_of(number)).unwrap();
            let image = format!("{}/{repository}@{digest}", self.shop.registry.name());
            assert_eq!(one["Config"]["Image"], image.as_str(), "{service} of {live}");
            let version = Value::from(format!("VERSION={live}"));
            let env = one["Config"]["Env"].as_array().unwrap();
            assert!(env.contains(&version), "{service} of {live}: {env:?}");
            assert_eq!(one["State"]["Running"], true, "{service} of {live}: {}", one["State"]);
        }
    }

    /// Each release that somebody may go back to has its images, and nothing else is kept.
    #[track_caller]
    fn images_are_held(&self, held: &[Value]) {
        let releases = self.state().join("releases");
        let kept: BTreeMap<String, Value> = texts(&releases, "images.json")
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).unwrap())
            .map(|kept| (kept["key"].as_str().unwrap().to_owned(), kept))
            .collect();
        let held: BTreeSet<(&str, &str)> =
            held.iter().map(|one| (label(one, "held"), label(one, "image"))).collect();
        assert!(held.iter().all(|(key, _)| kept.contains_key(*key)), "{held:?} of {kept:?}");
        let tags = format!("reference=waveoff/shop-{}/*", self.shop.name);
        let tags = ["images", "--filter", &tags, "--format", "{{.Repository}}:{{.Tag}}"];
        let tags = self.shop.engine.tell(&tags);
        let tags: BTreeSet<&str> = tags.lines().collect();
        assert!(tags.iter().all(|tag| kept.contains_key(last(tag, ':'))), "{tags:?} of {kept:?}");
        for name in
            texts(&releases, "started").iter().flat_map(|list| list.lines().rev().take(KEPT))
        {
            let key = last(name, '-');
            for image in kept[key]["images"].as_object().unwrap().values() {
                let [id, tag] = ["id", "tag"].map(|what| image[what].as_str().unwrap());
                assert!(held.contains(&(key, id)), "{name}: {image}: {held:?}");
                assert!(tags.contains(tag), "{name}: {image}: {tags:?}");
            }
        }
    }

    /// After a deployment that nobody killed, nothing is left of all those that were.
    #[track_caller]
    fn is_tidy(&self) {
        let releases = self.state().join("releases");
        let lists = texts(&releases, "started");
        let most: usize = lists.iter().map(|list| list.lines().count().min(KEPT + 1)).sum();
        let folders = std::fs::read_dir(&releases).unwrap().map(|entry| entry.unwrap().path());
        let folders: Vec<_> = folders.filter(|folder| folder.is_dir()).collect();
        let whole = folders.iter().map(|folder| texts(folder, "images.json").len());
        assert!(whole.clone().sum::<usize>() <= most, "{most} and no more: {folders:?}");
        assert!(whole.clone().all(|count| count > 0), "what is not whole: {folders:?}");
    }
}

impl Victim for Killed {
    fn world(&self) -> &World {
        &self.shop.world
    }

    fn state(&self) -> PathBuf {
        self.shop.world.folder.path().join("state/shop").join(&self.shop.name)
    }

    fn waveoff(&self, arguments: &[&str]) -> Program {
        self.shop.waveoff(arguments).env("PATH", &self.path).env("REGISTRY_TOKEN", SECRET)
    }

    fn release(&self, number: usize) -> String {
        let version = format!("v{number}");
        let env = self.shop.read(".env");
        let kept: Vec<&str> = env.lines().filter(|line| !line.starts_with("GREETING=")).collect();
        self.shop.world.write(".env", &format!("{}\nGREETING={version}\n", kept.join("\n")));
        for image in [WEB, WORKER] {
            self.shop.registry.tag(image, tag_of(number), &version);
        }
        version
    }

    #[track_caller]
    fn proven(&self) -> String {
        quiet(&self.shop.world);
        let live = self.live();
        // nginx takes a configuration a moment after it was told to.
        self.shop.world.until("the live version answers", |world| {
            world.version().as_deref() == Some(live.as_str())
        });
        let serving: Vec<_> = self.slots.iter().filter_map(|port| version_at(*port)).collect();
        assert!(self.slots.is_empty() || serving == [live.as_str()], "{serving:?} and not {live}");
        let (running, held) = self.containers();
        self.is_whole(&live, &running);
        self.images_are_held(&held);
        self.data_are_there();
        let around = self.around();
        assert_eq!(self.first.get_or_init(|| self.around()), &around);
        self.no_residue();
        assert_eq!(holding(self.shop.world.folder.path(), SECRET), Vec::<PathBuf>::new());
        let login = STANDARD.encode(format!("shop:{SECRET}"));
        assert_eq!(holding(self.shop.world.folder.path(), &login), Vec::<PathBuf>::new());
        self.ledger_ends_with(&live);
        live
    }
}

/// The tag of the images of the release with this number.
fn tag_of(number: usize) -> &'static str {
    ["v1", "v2"][number / 2 % 2]
}

/// A label of ours; empty where there is none.
fn label<'a>(container: &'a Value, name: &str) -> &'a str {
    container["Config"]["Labels"][format!("dev.waveoff.{name}")].as_str().unwrap_or_default()
}

/// The files below a folder whose names begin so.
fn texts(folder: &Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(texts(&entry.path(), name));
        } else if entry.file_name().to_string_lossy().starts_with(name) {
            found.push(std::fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

/// What stands behind the last mark of a name.
fn last(name: &str, mark: char) -> &str {
    name.rsplit_once(mark).unwrap().1
}

/// So many of those from 1 to `count`, as far from each other as they can be; the first one is where
/// `from` hundredths of its share are over.
fn spread(count: usize, some: usize, from: usize) -> BTreeSet<usize> {
    (0..some).map(|index| (1 + count * (100 * index + from) / (100 * some)).min(count)).collect()
}

fn matrix(shop: &Killed) {
    let Some(mut kills) = Kills::of(shop) else { return };
    let calls = shop.shop.world.folder.path().join("calls");
    std::fs::remove_file(&calls).unwrap();
    let counts = kills.count(&CALLS.map(|(call, ..)| call));
    let docker = std::fs::read_to_string(&calls).unwrap().lines().count();
    eprintln!("{docker} calls of docker that change something, {CALLS:?}: {counts:?}");
    for ((call, some, from), count) in CALLS.into_iter().zip(counts) {
        let step = if call == "wait4" { WAITED } else { 1 };
        let all = (1..=count).step_by(step).collect();
        for n in if full() { all } else { spread(count, some, from) } {
            kills.at_call(call, n);
        }
    }
    let steps = if full() { docker } else { SOME };
    for step in 0..steps {
        // The first one, the last one, and those between them.
        let n = 1 + (docker - 1) * step / (steps - 1);
        for goes_on in if full() { vec![true, false] } else { vec![step % 2 == 0] } {
            std::fs::remove_file(&calls).unwrap();
            shop.shop.world.write("at", &n.to_string());
            let file = shop.shop.world.folder.path().join("goes-on");
            let _ = if goes_on { std::fs::write(file, "") } else { std::fs::remove_file(file) };
            let what = format!("docker {n}, which goes on: {goes_on}");
            kills.by_others(&shop.waveoff(&[]), &what);
            shop.shop.world.write("at", "0");
        }
    }
    kills.end();
    shop.is_tidy();
}

#[test]
fn t064_rolling_compose_is_all_old_or_all_new() {
    let Some(shop) = in_place("killed", "0s") else { return };
    matrix(&Killed::new(shop, &[], None));
}

#[test]
fn t064_blue_green_compose_is_all_old_or_all_new() {
    let Some(engine) = Engine::docker() else { return };
    let Some((shop, slots, router)) = in_slots(engine, "slain", "0s") else { return };
    matrix(&Killed::new(shop, &slots, Some(router)));
}
