//! Many releases of a Compose project with a real Docker, whose database and cache outlive them all.

use crate::compose_world::ComposeWorld;
use crate::crash_router::{Balancer, Router};
use crate::engines::Engine;
use crate::harness::closed_port;
use crate::parts::part_of;

const CHECKS: &str = "\
checks:
  - path: /version
    within: 20s
    interval: 100ms
    expect: [{ status: 200 }, { version: { header: X-Version } }]
";

/// The shop in slots behind nginx, with its worker in place, and the slots' ports; nothing is
/// deployed yet.
pub(crate) fn in_slots(
    engine: &'static Engine,
    name: &str,
    watch: &str,
) -> Option<(ComposeWorld, [u16; 2], Router)> {
    let (ports, public) = ([closed_port(), closed_port()], closed_port());
    let router = Router::new(Balancer::Nginx, &ports, public)?;
    let mut shop = ComposeWorld::new(engine, name)?;
    let config = format!(
        "version: 1\nservice: shop\nenvironment: {name}\nplatform:\n  compose: {{ engine: {}, \
         switch: [web], restart: [worker], shared: [db, cache] }}\nstrategy:\n  blue-green: \
         {{ slots: {{ blue: {}, green: {} }}, watch: {watch}, interval: 100ms, \
         failures: 2, drain: 0s }}\n{}\
         public: http://127.0.0.1:{public}\n{CHECKS}",
        engine.kind.name(),
        ports[0],
        ports[1],
        router.config()
    );
    shop.world.write("waveoff.yml", &config);
    shop.world.port = public;
    Some((shop, ports, router))
}

fn deploy(shop: &ComposeWorld, version: &str) {
    let words = ["deploy", "--version", version, "--allow-downgrade"];
    shop.waveoff(&words).run().expect_code(0);
    // nginx takes a configuration a moment after it was told to.
    shop.world.until("the new version serves", |world| world.version().as_deref() == Some(version));
}

#[test]
fn d4_data_survive_ten_rounds_and_nothing_is_left_of_them() {
    let Some(engine) = Engine::docker() else { return };
    let Some((shop, _, _router)) = in_slots(engine, "rounds", "0s") else { return };
    deploy(&shop, "v1");
    shop.publish("v3");
    shop.sql("CREATE TABLE orders (id int)");
    let shared = [shop.container("db"), shop.container("cache")];
    let before = (shop.volumes(), shop.networks());
    let mut versions = vec!["v1"];
    for round in 1..=10 {
        let version = ["v1", "v2", "v3"][round % 3];
        shop.sql(&format!("INSERT INTO orders VALUES ({round})"));
        shop.redis(&["rpush", "orders", &round.to_string()]);
        deploy(&shop, version);
        versions.push(version);
        let worker = shop.container("worker");
        let worker = shop.engine.tell(&["inspect", "--format", "{{.Config.Env}}", &worker]);
        assert!(worker.contains(&format!("VERSION={version}")), "{round}: {worker}");
    }
    assert_eq!(shop.sql("SELECT count(*), sum(id) FROM orders"), "10|55");
    assert_eq!(shop.redis(&["llen", "orders"]), "10");
    assert_eq!(shop.starts(), versions, "all of them kept what they were given in one volume");
    assert_eq!([shop.container("db"), shop.container("cache")], shared, "never touched");
    assert_eq!((shop.volumes(), shop.networks()), before);
    // Ten rounds after blue, it is blue again; no container is left of any other.
    let all = ["rounds-blue-web-blue-1", "rounds-cache-1", "rounds-db-1", "rounds-worker-1"];
    assert_eq!(shop.all_containers(), all);
    // Each image that somebody may go back to is kept once, however often it came.
    assert_eq!(shop.held().len(), 6);
}

#[test]
fn d11_podman_takes_turns_in_slots_and_takes_a_bad_one_back() {
    let Some(engine) = Engine::podman().filter(|_| part_of("docker", "docker").is_some()) else {
        return;
    };
    let Some((shop, _, _router)) = in_slots(engine, "podslots", "0s") else { return };
    deploy(&shop, "v1");
    shop.sql("CREATE TABLE orders AS SELECT 7 AS id");
    assert_eq!(shop.redis(&["set", "order", "7"]), "OK");
    let shared = [shop.container("db"), shop.container("cache")];
    let before = (shop.volumes(), shop.networks());
    let worker = || {
        let worker = shop.container("worker");
        shop.engine.tell(&["inspect", "--format", "{{.Config.Env}}", &worker])
    };
    for version in ["v2", "v3"] {
        shop.publish(version);
        deploy(&shop, version);
        assert!(worker().contains(&format!("VERSION={version}")), "{}", worker());
    }
    let left = shop.all_containers();
    for bad in ["crash", "worker-crashes"] {
        shop.publish(bad);
        let ran = shop.waveoff(&["deploy", "--version", bad]).run().expect_code(20);
        // nginx's old workers may answer for another moment.
        shop.world.until(&format!("v3 serves after {bad}"), |world| {
            world.version().as_deref() == Some("v3")
        });
        assert_eq!(shop.all_containers(), left, "{bad}: {ran:?}");
        assert!(worker().contains("VERSION=v3"), "{bad}: {}", worker());
    }
    shop.waveoff(&["rollback", "--to", "v1"]).run().expect_code(0);
    shop.world.until("v1 serves", |world| world.version().as_deref() == Some("v1"));
    assert_eq!(shop.sql("SELECT id FROM orders"), "7");
    assert_eq!(shop.redis(&["get", "order"]), "7");
    assert_eq!([shop.container("db"), shop.container("cache")], shared, "never touched");
    assert_eq!((shop.volumes(), shop.networks()), before);
}
