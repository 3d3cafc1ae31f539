//! Releases of a Compose project in slots that are bad: whoever asks through the router all the time
//! is answered by the old one.

use serde_json::json;

use crate::compose_rounds::in_slots;
use crate::compose_world::ComposeWorld;
use crate::crash_router::Router;
use crate::engines::Engine;
use crate::harness::Ran;
use crate::take_back::{Asking, failures};

/// Requests a second that are sent while a release is deployed.
const RATE: u32 = 40;
/// The longest time that a slot which had the traffic, and died, may still have it, in milliseconds.
const OUTAGE: f64 = 3_000.0;

/// The shop in slots with v1 live, and a watch that sees a release which dies after six seconds.
fn with_v1(name: &str) -> Option<(ComposeWorld, [u16; 2], Router)> {
    let (shop, ports, router) = in_slots(Engine::docker()?, name, "10s")?;
    let file = shop.read("compose.yml").replace("stop_grace_period: 5s", "stop_grace_period: 1s");
    shop.world.write("compose.yml", &file);
    // The first one needs no watching.
    deploy(&shop, "v1", &["--watch", "0s"]).expect_code(0);
    shop.world.until("it serves", |world| world.version().as_deref() == Some("v1"));
    Some((shop, ports, router))
}

fn deploy(shop: &ComposeWorld, version: &str, more: &[&str]) -> Ran {
    let words = ["deploy", "--version", version, "--allow-downgrade", "--report", "report.json"];
    shop.waveoff(&[&words[..], more].concat()).run()
}

/// Of both services: the container, its image, and the port that leads to it.
fn serving(shop: &ComposeWorld) -> Vec<String> {
    let ours = format!("label=dev.waveoff.environment={}", shop.name);
    let format = "{{.ID}} {{.Image}} {{.Ports}} {{.Names}}";
    let told = shop.engine.tell(&["ps", "--filter", &ours, "--format", format]);
    let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| line.rsplit_once(' ').map(|(_, name)| name.to_owned()));
    lines
}

#[test]
fn d4_a_bad_release_in_a_slot_leaves_the_old_one_serving_all_the_time() {
    let Some((shop, ports, _router)) = with_v1("wary") else { return };
    let shared = [shop.container("db"), shop.container("cache")];
    let before = (serving(&shop), shop.all_containers(), shop.networks(), shop.volumes());
    // What is told of each in the report, and whether it is switched to at all.
    let told = [
        ("crash", "the last lines of container wary-green-web", false),
        ("unhealthy", "unhealthy", false),
        ("deaf-unhealthy", "unhealthy", false),
        ("worker-crashes", "the last lines of container wary-worker", true),
        ("dies-late", "restart", true),
    ];
    for (bad, words, is_switched) in told {
        shop.publish(bad);
        let asking = Asking::start(shop.world.port, RATE, &["v1", bad]);
        let ran = deploy(&shop, bad, &[]).expect_code(20);
        let (seen, report) = (asking.end(), shop.world.report().to_string());
        assert!(report.contains(words), "{bad}: {words}: {report}\n{ran:?}");
        let of_bad = seen["versions"][bad]["count"].as_u64().unwrap();
        assert!(is_switched || of_bad == 0, "{bad}: it was never well, and had traffic: {seen}");
        if bad == "dies-late" {
            let at: Vec<f64> = seen["failed"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|f| f["ms"].as_f64())
                .collect();
            let lasted = at.last().zip(at.first()).map_or(0.0, |(last, first)| last - first);
            assert!(lasted < OUTAGE && of_bad > 0, "{bad}: {lasted} ms: {seen}");
        } else {
            assert_eq!(failures(&seen), 0, "{bad}: {seen}");
        }
        assert!(seen["versions"]["v1"]["count"].as_u64().unwrap() > 40, "{bad}: {seen}");
        // nginx's old workers may answer for another moment.
        shop.world.until("v1 serves", |world| world.version().as_deref() == Some("v1"));
        // The worker is another one of the same release.
        let (now, was) = (serving(&shop), &before.0);
        let web = |all: &[String]| all.iter().find(|line| line.contains("web")).cloned();
        assert_eq!(web(&now), web(was), "{bad}: the one that serves was never touched");
        assert_eq!(now.len(), 2, "{bad}: {now:?}");
        let worker = shop.container("worker");
        let worker = shop.engine.tell(&["inspect", "--format", "{{.Config.Env}}", &worker]);
        assert!(worker.contains("VERSION=v1"), "{bad}: {worker}");
        assert_eq!(shop.all_containers(), before.1, "{bad}: nothing of it is left");
        assert_eq!(
            (shop.networks(), shop.volumes()),
            (before.2.clone(), before.3.clone()),
            "{bad}"
        );
        let open =
            ports.iter().filter(|port| std::net::TcpStream::connect(("127.0.0.1", **port)).is_ok());
        assert_eq!(open.count(), 1, "{bad}: nobody listens for it");
    }
    assert_eq!([shop.container("db"), shop.container("cache")], shared);
}

#[test]
fn d4_a_slot_that_ignores_sigterm_is_cleared_and_nobody_waits_for_it() {
    let Some((shop, _, _router)) = with_v1("stubborn") else { return };
    shop.publish("deaf");
    let asking = Asking::start(shop.world.port, RATE, &["v1", "v2", "deaf"]);
    deploy(&shop, "deaf", &["--watch", "0s"]).expect_code(0);
    let (before, all) = (serving(&shop), shop.all_containers());
    shop.publish("crash");
    deploy(&shop, "crash", &[]).expect_code(20);
    assert_eq!(serving(&shop)[0], before[0], "the deaf one is that which serves on");
    assert_eq!(shop.all_containers(), all);
    deploy(&shop, "v2", &["--watch", "0s"]).expect_code(0);
    let seen = asking.end();
    assert_eq!(failures(&seen), 0, "{seen}");
    assert_eq!(seen["failures"]["cut"], json!(0));
    let blue_to_green =
        ["stubborn-blue-web-blue-1", "stubborn-cache-1", "stubborn-db-1", "stubborn-worker-1"];
    assert_eq!(shop.all_containers(), blue_to_green, "and then it is gone, by SIGKILL");
}
