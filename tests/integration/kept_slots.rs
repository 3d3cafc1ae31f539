//! Old releases that stay in their slot for a while: they come back at once, or their time is over.
//! And what else somebody says of slots on the command line.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::crash_kills::Victim as _;
use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop};
use crate::harness::Ran;

fn shop() -> Shop {
    Shop::blue_green(Platform::Process, Balancer::Command).unwrap()
}

/// Deploys with a report, and these flags.
#[track_caller]
fn deploy(shop: &Shop, version: &str, flags: &[&str], code: i32) -> Ran {
    shop.deploy(version).args(["--report", "report.json"]).args(flags).run().expect_code(code)
}

/// What is noted of the slots.
fn slots(shop: &Shop) -> Value {
    let text = fs::read_to_string(shop.state().join("slots.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// For how long the old release in blue is kept from now on.
#[track_caller]
fn kept(shop: &Shop) -> Duration {
    let until = slots(shop)["blue"]["until_ms"].as_u64().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_millis(until).saturating_sub(now)
}

/// Lets the time of what is in blue be over.
fn expire(shop: &Shop) {
    let mut noted = slots(shop);
    noted["blue"]["until_ms"] = 1.into();
    fs::write(shop.state().join("slots.json"), noted.to_string()).unwrap();
}

/// There is nothing to recover, and nobody tries.
#[track_caller]
fn nothing_to_do(shop: &Shop) {
    let runs = shop.runs();
    let ran = shop.waveoff(&["recover"]).run().expect_code(0);
    assert!(ran.stdout.contains("nothing was interrupted"), "{}", ran.stdout);
    assert_eq!(shop.runs(), runs, "no run was begun for nothing");
}

/// The names of the steps in a report, but for those of the ledger and of what is told.
fn steps(shop: &Shop) -> Vec<String> {
    let report = shop.world.report();
    let names = report["steps"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap());
    let known = ["record", "capture", "notify", "critical"];
    names.filter(|name| !known.contains(name)).map(str::to_owned).collect()
}

#[test]
fn d4_a_kept_release_comes_back_without_being_started_and_is_kept_no_longer() {
    let shop = shop();
    deploy(&shop, "v1", &[], 0);
    let old = shop.running().services;
    deploy(&shop, "v3", &["--keep-old"], 0);
    assert!((3500..=3600).contains(&kept(&shop).as_secs()), "an hour: {:?}", kept(&shop));
    let serving: Vec<_> = shop.ports.iter().filter_map(|port| shop.answers(*port)).collect();
    assert_eq!(
        (serving.join(" ").as_str(), shop.answers(shop.public)),
        ("v1 v3", Some("v3".into()))
    );
    nothing_to_do(&shop);

    // Its time is over, and nobody has stopped it yet.
    expire(&shop);
    shop.waveoff(&["rollback", "--report", "report.json"]).run().expect_code(0);
    assert_eq!(shop.proven(), "v1");
    assert_eq!(shop.running().services, old, "the very process that served before");
    assert_eq!(
        steps(&shop),
        [
            "verify v1 in blue",
            "switch traffic to blue",
            "verify v1 through the router",
            "compare v1 with what was captured",
            "let the requests in green end",
            "stop v3 in green",
        ]
    );
    assert_eq!(slots(&shop)["blue"]["until_ms"], Value::Null, "who serves is not kept");
    nothing_to_do(&shop);

    // As it was noted by who did not know that yet.
    expire(&shop);
    shop.waveoff(&["recover"]).run().expect_code(0);
    nothing_to_do(&shop);
    assert_eq!((shop.proven(), shop.running().services), ("v1".into(), old));
}

#[test]
fn d4_a_kept_release_is_stopped_when_its_time_is_over() {
    let shop = shop();
    deploy(&shop, "v1", &[], 0);
    deploy(&shop, "v3", &["--keep-old=10m"], 0);
    assert!((500..=600).contains(&kept(&shop).as_secs()), "{:?}", kept(&shop));
    expire(&shop);
    let ran = shop.waveoff(&["recover"]).run().expect_code(0);
    assert!(ran.stdout.contains("v1 was stopped in blue: its time was over"), "{}", ran.stdout);
    assert_eq!(shop.proven(), "v3");
    assert_eq!(slots(&shop)["blue"], Value::Null);
    nothing_to_do(&shop);
    // It can be had again all the same.
    shop.waveoff(&["rollback", "--report", "report.json"]).run().expect_code(0);
    assert_eq!(steps(&shop)[0], "start v1 in blue");
    assert_eq!(shop.proven(), "v1");
}

#[test]
fn d4_a_slot_is_chosen_by_hand_and_the_switch_waits_as_long_as_is_said() {
    let shop = shop();
    deploy(&shop, "v1", &["--to-slot", "green"], 0);
    // Usually it is the first one.
    assert_eq!(shop.answers(shop.ports[1]).as_deref(), Some("v1"));
    assert_eq!(shop.proven(), "v1");
    let ran = deploy(&shop, "v3", &["--to-slot", "green"], 2);
    assert!(ran.stderr.contains("the slot `green` has the traffic"), "{}", ran.stderr);
    deploy(&shop, "v3", &["--to-slot", "blue", "--traffic-switch-delay", "1"], 0);
    assert_eq!(shop.proven(), "v3");
    let steps = steps(&shop);
    let (wait, switch) = ("wait 1s for the traffic switch", "switch traffic to blue");
    let at = |wanted: &str| steps.iter().position(|step| step == wanted);
    let checks = at("verify v3 in blue");
    assert!(checks < at(wait) && at(wait) < at(switch) && checks.is_some(), "{steps:?}");
    assert!(took(&shop, wait) >= Duration::from_secs(1), "{:?}", took(&shop, wait));
}

#[test]
fn d4_one_limit_over_all_checks_of_the_idle_slot_ends_them() {
    let shop = Shop::blue_green(Platform::Command, Balancer::Command).unwrap();
    deploy(&shop, "v1", &[], 0);
    // Nothing will ever answer, and the checks themselves would wait for half a minute.
    shop.script("ship.sh", "before", "[ \"$WAVEOFF_VERSION\" != v3 ] || exit 0");
    deploy(&shop, "v3", &["--health-check-timeout", "1"], 20);
    let took = took(&shop, "verify v3 in green");
    assert!((1..15).contains(&took.as_secs()), "{took:?}");
    assert_eq!(shop.proven(), "v1");
}

/// How long a step took.
#[track_caller]
fn took(shop: &Shop, name: &str) -> Duration {
    let report = shop.world.report();
    let step = report["steps"].as_array().unwrap().iter().find(|step| step["name"] == name);
    Duration::from_millis(step.unwrap()["duration_ms"].as_u64().unwrap())
}
