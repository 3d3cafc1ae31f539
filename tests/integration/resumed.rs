//! What an engine that goes on with the story of another one knows of it, and tells of it.

use crate::crash_kills::Victim as _;
use crate::crash_world::{Platform, Shop};

/// Ends the engine, whose child the deploy command is, once: the caller has another one go on.
const KILL: &str =
    "if [ ! -e \"$SHOP_DIR/once\" ]; then touch \"$SHOP_DIR/once\"; kill -KILL $PPID; fi";

#[test]
fn r5_an_interrupted_rollback_is_gone_on_with_as_it_was_asked_for() {
    let shop = Shop::rolling(Platform::Command);
    for version in ["v1", "v3"] {
        shop.deploy(version).run().expect_code(0);
    }
    shop.script("ship.sh", "before", KILL);
    let words = ["rollback", "--preserve-data", "--no-forensics"];
    let ran = shop.waveoff(&words).run().expect_code(0);
    assert!(ran.stdout.contains("another engine finishes its story"), "{ran:?}");
    assert_eq!(shop.world.version().as_deref(), Some("v1"));
    let schema = std::fs::read_to_string(shop.folder().join("home/schema")).unwrap();
    assert_eq!(schema.trim(), "v3", "the data was to stay as it is");
    let state = shop.world.ledger_file();
    let state = state.parent().unwrap();
    assert!(!state.join("forensics").exists(), "no evidence was wanted");
    assert!(!state.join("critical-incident").exists());
}

#[test]
fn r3_the_report_of_a_story_has_what_the_engine_did_that_is_gone() {
    let shop = Shop::rolling(Platform::Command);
    shop.deploy("v1").run().expect_code(0);
    shop.script("ship.sh", "after", KILL);
    let words = ["deploy", "--version", "v3", "--report", "report.json"];
    shop.waveoff(&words).run().expect_code(20);
    let report = shop.world.report();
    let steps = report["steps"].as_array().unwrap();
    let place = |name: &str, detail: &str| {
        let is_it = |step: &serde_json::Value| {
            step["name"] == name && step["detail"].as_str().unwrap().contains(detail)
        };
        steps.iter().position(is_it).unwrap_or_else(|| panic!("no {name}: {detail}: {report:#}"))
    };
    let story = [
        place("record", "started"),
        place("migrate for v3", ""),
        place("start v3", "how far it came is not known"),
        place("abort", ""),
        place("undo: migrate for v3", ""),
        place("record", "rolled back"),
    ];
    assert!(story.is_sorted(), "{story:?}: {report:#}");
    let times: Vec<u64> = steps.iter().map(|step| step["from_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "one clock for all of it: {times:?}");
}
