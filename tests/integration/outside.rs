//! Slots, and a worker beside them that must not run twice.

use std::fs;

use serde_json::Value;

use crate::crash_kills::Victim as _;
use crate::crash_world::Shop;

/// Writes down what is done in which order.
fn shop() -> Shop {
    let shop = Shop::with_worker();
    shop.script("switch.sh", "after", "echo \"traffic $WAVEOFF_SLOT\" >>\"$SHOP_DIR/order\"");
    worker(&shop, "");
    shop
}

/// `more` is what the worker does before it works.
fn worker(shop: &Shop, more: &str) {
    let text = format!(
        "#!/bin/sh\necho \"worker $4\" >>\"$SHOP_DIR/order\"\n{more}\nexec \"$SHOP\" \"$@\"\n"
    );
    shop.world.write("worker.sh", &text);
}

/// What was done since the last time.
fn order(shop: &Shop) -> Vec<String> {
    let file = shop.folder().join("order");
    let text = fs::read_to_string(&file).unwrap_or_default();
    fs::write(file, "").unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The steps of a report: their names.
fn steps(report: &Value) -> Vec<String> {
    let all = report["steps"].as_array().unwrap();
    all.iter().map(|step| step["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn d4_a_worker_stays_outside_of_the_slots_and_goes_and_comes_with_the_traffic() {
    let shop = shop();
    shop.deploy("v1").run().expect_code(0);
    assert_eq!(order(&shop), ["worker v1", "traffic blue"]);
    assert_eq!(shop.proven(), "v1");

    shop.deploy("v3").run().expect_code(0);
    assert_eq!(order(&shop), ["worker v3", "traffic green"]);
    assert_eq!(shop.proven(), "v3");
    let said = shop.waveoff(&["status"]).run().expect_code(0).stdout;
    assert!(said.contains("component      worker: v3"), "{said}");

    // Not well in its slot: nobody touches the worker.
    shop.deploy("v2").run().expect_code(20);
    assert!(order(&shop).is_empty());
    assert_eq!(shop.proven(), "v3");

    // The worker dies when it has traffic: that is seen, and the traffic goes back before it.
    let dies = r#"[ $4 != v4 ] || {
      run=$(ls -d "$SHOP_DIR"/state/shop/production/runs/* | tail -n 1)
      # The watch.
      until tail -n 1 "$run/journal.jsonl" | grep -q '"intent".*"index":6'; do sleep 0.01; done
      echo out of orders
      exit 1
    }"#;
    worker(&shop, dies);
    let ran = shop.deploy("v4").args(["--json"]).run().expect_code(20);
    assert_eq!(order(&shop), ["worker v4", "traffic blue", "traffic green", "worker v3"]);
    assert_eq!(shop.proven(), "v3");
    let report = ran.report();
    let summary = report["summary"].as_str().unwrap();
    assert!(summary.contains("2 failures in a row: all checks passed, but nothing of worker runs"));
    let steps = steps(&report);
    let at = |name: &str| steps.iter().position(|step| step == name).unwrap();
    assert!(at("verify v4 in blue") < at("start v4 of worker"), "{steps:?}");
    let mut kept = shop.world.tree().into_iter();
    let log = kept.find(|(file, _)| file.contains("forensics/v4-") && file.ends_with("worker.log"));
    assert!(String::from_utf8(log.unwrap().1).unwrap().contains("out of orders"));

    // By hand: the traffic, then the worker.
    worker(&shop, "");
    shop.waveoff(&["rollback", "--reason", "by a test"]).run().expect_code(0);
    assert_eq!(order(&shop), ["traffic blue", "worker v1"]);
    assert_eq!(shop.proven(), "v1");
}

#[test]
fn d4_a_worker_that_crashed_since_is_no_live_release() {
    let shop = shop();
    shop.deploy("v1").run().expect_code(0);
    let pid = fs::read_to_string(shop.folder().join("state/shop/production/process-worker.pid"));
    crate::crash_world::kill(pid.unwrap().split_whitespace().next().unwrap().parse().unwrap());
    shop.world.until("the worker is gone", |_| shop.answers(shop.worker.unwrap()).is_none());
    let said = shop.waveoff(&["status"]).run().expect_code(10).stdout;
    assert!(said.contains("nothing of worker runs"), "{said}");
    // Not nothing to do.
    shop.deploy("v1").run().expect_code(0);
    assert_eq!(shop.proven(), "v1");
}
