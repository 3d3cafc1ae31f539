//! Releases of a Compose project that are bad, or that cannot be had: the old one serves on.

use crate::compose_world::ComposeWorld;
use crate::deploy_world::World;
use crate::engines::{Engine, Kind};
use crate::harness::Ran;
use crate::images;
use crate::registry::Registry;

const CHECKS: &str = "\
checks:
  - path: /version
    within: 10s
    interval: 100ms
    expect: [{ status: 200 }, { version: { header: X-Version } }]
";

/// The shop in place, with v1 live and a setting that a deployment has from `.env`.
fn with_v1(name: &str, watch: &str) -> Option<ComposeWorld> {
    let shop = in_place(name, watch)?;
    let file = shop.read("compose.yml").replace("stop_grace_period: 5s", "stop_grace_period: 1s");
    let file = file.replace("{ DATA: /data }", "{ DATA: /data, GREETING: \"${GREETING}\" }");
    shop.world.write("compose.yml", &file);
    greet(&shop, "old");
    deploy(&shop, "v1").expect_code(0);
    Some(shop)
}

/// The shop in place; nothing is deployed yet.
pub(crate) fn in_place(name: &str, watch: &str) -> Option<ComposeWorld> {
    let shop = ComposeWorld::new(Engine::docker()?, name)?;
    shop.world.write(
        "waveoff.yml",
        &format!(
            "version: 1\nservice: shop\nenvironment: {name}\nplatform:\n  compose: \
             {{ restart: [web, worker], shared: [db, cache] }}\nstrategy:\n  rolling: \
             {{ watch: {watch}, interval: 100ms, failures: 2 }}\n{CHECKS}"
        ),
    );
    Some(shop)
}

/// Sets the setting for the deployments to come.
fn greet(shop: &ComposeWorld, greeting: &str) {
    let env = shop.read(".env");
    let kept = env.lines().filter(|line| !line.starts_with("GREETING=")).collect::<Vec<_>>();
    shop.world.write(".env", &format!("{}\nGREETING={greeting}\n", kept.join("\n")));
}

fn deploy(shop: &ComposeWorld, version: &str) -> Ran {
    let words = ["deploy", "--version", version, "--allow-downgrade", "--report", "report.json"];
    shop.waveoff(&words).run()
}

/// Of each container of the release: image and environment.
fn runs(shop: &ComposeWorld) -> [String; 2] {
    ["web", "worker"].map(|service| {
        let format = "{{.Image}} {{.Config.Image}} {{join .Config.Env \" \"}}";
        let told = shop.engine.tell(&["inspect", "--format", format, &shop.container(service)]);
        // Compose gives variables in any order.
        let mut words: Vec<&str> = told.split(' ').collect();
        words[2..].sort_unstable();
        words.join(" ")
    })
}

#[test]
fn d3_a_bad_release_leaves_the_old_one_with_its_images_and_environment() {
    let Some(shop) = with_v1("bad", "10s") else { return };
    let (before, names, shared) = (runs(&shop), shop.all_containers(), shop.container("db"));
    assert!(before[0].contains("GREETING=old") && before[0].contains("@sha256:"), "{before:?}");
    greet(&shop, "new");
    // What is told of it in the report, besides that it failed.
    let told = [
        ("crash", "the last lines of container bad-web"),
        ("worker-crashes", "the last lines of container bad-worker"),
        ("unhealthy", "unhealthy"),
        ("dies-late", "restart"),
    ];
    for (bad, words) in told {
        shop.publish(bad);
        let ran = deploy(&shop, bad).expect_code(20);
        let report = shop.world.report().to_string();
        let took = shop.world.report()["duration_ms"].as_u64().unwrap();
        assert!(took < 100_000, "{bad}: it was waited for in vain: {took} ms");
        assert!(report.contains(words), "{bad}: {words}: {report}\n{ran:?}");
        assert_eq!(shop.world.version().as_deref(), Some("v1"), "{bad}: {ran:?}");
        assert_eq!(runs(&shop), before, "{bad}");
        assert_eq!(shop.all_containers(), names, "{bad}");
    }
    assert_eq!(shop.container("db"), shared, "a shared service is never touched");
}

/// Compose as it is beside Podman now and then: what crashes in a loop runs again just when it is to
/// be removed. Once for each such container.
const IN_THE_WAY: &str = r#"#!/bin/sh
case " $* " in *" up "*)
    for id in $(docker ps -aq --filter label=com.docker.compose.project=LOOPS); do
        if [ "$(docker inspect --format '{{.RestartCount}}' "$id")" != 0 ] && [ ! -e "met-$id" ]; then
            touch "met-$id"
            echo "Error response from daemon: cannot remove container $id as it is running" >&2
            exit 1
        fi
    done ;;
esac
exec docker compose "$@"
"#;

#[test]
fn d11_a_crash_loop_that_is_in_the_way_of_the_old_release_is_taken_away() {
    let Some(shop) = in_place("loops", "10s") else { return };
    let folder = shop.world.folder.path().display().to_string();
    let script = IN_THE_WAY.replace("LOOPS", "loops").replace("met-", &format!("{folder}/met-"));
    shop.world.write("compose.sh", &script);
    let own = format!("compose: {{ command: [sh, {folder}/compose.sh], restart");
    let config = shop.read("waveoff.yml").replace("compose: { restart", &own);
    shop.world.write("waveoff.yml", &config);
    deploy(&shop, "v1").expect_code(0);
    let (before, names) = (runs(&shop), shop.all_containers());
    shop.publish("worker-crashes");
    let ran = deploy(&shop, "worker-crashes").expect_code(20);
    assert!(ran.stdout.contains("as it is running"), "it was not in the way: {ran:?}");
    assert_eq!(runs(&shop), before);
    assert_eq!(shop.all_containers(), names);
}

#[test]
fn d3_one_that_ignores_sigterm_is_killed_after_its_grace_both_ways() {
    let Some(shop) = with_v1("deaf", "0s") else { return };
    shop.publish("deaf");
    deploy(&shop, "deaf").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("deaf"));
    // It is what a failed release is taken back to, and what the next good one takes the place of.
    let before = runs(&shop);
    shop.publish("crash");
    deploy(&shop, "crash").expect_code(20);
    assert_eq!(shop.world.version().as_deref(), Some("deaf"));
    assert_eq!(runs(&shop), before);
    deploy(&shop, "v2").expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
    assert_eq!(shop.all_containers(), ["deaf-cache-1", "deaf-db-1", "deaf-web", "deaf-worker-1"]);
}

#[test]
fn d11_a_target_that_the_registry_lost_is_still_here_or_nothing_is_begun() {
    let Some(shop) = with_v1("lost", "0s") else { return };
    let old = "v1.7.3";
    images::load_another(shop.engine, old);
    shop.publish(old);
    deploy(&shop, old).expect_code(0);
    deploy(&shop, "v2").expect_code(0);
    for image in ["shop-web", "shop-worker"] {
        shop.registry.lose_tag(image, old);
        // Nobody but us has a name for it any more.
        shop.engine.tell(&["rmi", &format!("{image}:{old}")]);
    }
    shop.waveoff(&["rollback", "--to", old]).run().expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some(old));
    // Somebody removed what runs, and its images with it.
    let images = runs(&shop).map(|runs| runs.split(' ').next().unwrap().to_owned());
    for container in shop.held().iter().chain(&[shop.container("web"), shop.container("worker")]) {
        shop.engine.tell(&["rm", "--force", container]);
    }
    for image in &images {
        shop.engine.tell(&["rmi", "--force", image]);
    }
    let before = shop.all_containers();
    let ran = deploy(&shop, "v2").expect_code(12);
    assert!(ran.stderr.contains("has vanished"), "{ran:?}");
    assert!(ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!(shop.all_containers(), before);
    let words = ["deploy", "--version", "v2", "--force"];
    shop.waveoff(&words).run().expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
}

#[test]
fn d6_a_disk_that_a_pull_fills_is_told_of_and_nothing_was_touched() {
    let Some(shared) = Engine::docker() else { return };
    let Some(registry) = Registry::start() else { return };
    let Some(engine) = Engine::own(Kind::Docker, Some(60_000_000)) else { return };
    images::load_large(shared.with_shop(), "large", 60_000_000);
    registry.push(shared, "shop-web:large");
    registry.push(engine.with_shop(), "shop-web:v1");
    let world = World::with(&format!(
        "version: 1\nservice: shop\nplatform:\n  compose: {{ restart: [web] }}\n{CHECKS}"
    ));
    let file = format!(
        "name: filled\nservices:\n  web:\n    image: {}/shop-web:${{WAVEOFF_VERSION}}\n    \
         ports: [\"127.0.0.1:{}:8080\"]\n",
        registry.name(),
        world.port
    );
    world.write("compose.yml", &file);
    let deploy = |version| engine.surroundings(world.deploy(version)).run();
    deploy("v1").expect_code(0);
    let format = "{{.ID}} {{.Image}} {{.Names}}";
    let before = engine.tell(&["ps", "--all", "--format", format]);
    let ran = deploy("large").expect_code(12);
    for words in ["no space left on device", "nothing was touched", "shop-web:large"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    assert_eq!(engine.tell(&["ps", "--all", "--format", format]), before);
    assert_eq!(world.version().as_deref(), Some("v1"));
    // And it is not in the way of what fits.
    registry.push(&engine, "shop-web:v2");
    deploy("v2").expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v2"));
}

#[test]
fn d11_compose_of_version_1_is_refused_with_the_remedy() {
    let world = World::with(
        "version: 1\nservice: shop\nplatform:\n  compose: { engine: docker, command: [./old] }\n\
         checks: [{ path: /, attempts: 1 }]\npublic: http://localhost:1\n",
    );
    world.write("compose.yml", "services: { web: { image: \"web:${WAVEOFF_VERSION}\" } }\n");
    // As docker-compose 1.29 answers.
    let old = "#!/bin/sh\ncase \"$*\" in\n  *'version --short') echo 1.29.2 ;;\n  \
               *) echo 'Unknown option: --format' >&2; exit 1 ;;\nesac\n";
    world.write("old", old);
    let ran = world.deploy("v1").run().expect_code(12);
    for words in ["./old is version 1.29.2, and v2 is needed", "docker-compose-plugin"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    assert!(world.events().is_empty());
}
