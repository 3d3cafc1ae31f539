//! The scenarios by their names, with a release of two parts and a database: T064 interruption,
//! T065 health check failure, T066 partial deployment, T067 retry; and the five of idempotency.

use std::collections::BTreeMap;
use std::fs;

use crate::crash_kills::Victim as _;
use crate::crash_world::Shop;

/// Kills the engine that runs a command.
const KILL: &str = "kill -KILL $PPID";

/// What every place of the release runs, and what the database is at.
#[track_caller]
fn all_run(shop: &Shop, version: &str) {
    shop.quiet();
    let seen: Vec<_> = shop.ports.iter().map(|port| shop.answers(*port)).collect();
    let wanted = vec![Some(version.to_owned()); shop.ports.len()];
    assert_eq!(seen, wanted, "both parts, or none");
    assert_eq!(shop.schema(), version, "the database fits the code");
    assert_eq!(shop.live(), version);
    assert_eq!(shop.running().services.len(), shop.ports.len());
    shop.no_residue();
}

fn live(version: &str) -> Shop {
    let shop = Shop::two_parts();
    shop.deploy(version).run().expect_code(0);
    all_run(&shop, version);
    shop
}

#[test]
fn t064_mid_deployment_interruption() {
    // In the migration, between the two parts, and behind both.
    for (script, at, when) in [
        ("migrate.sh", "before", ""),
        ("migrate.sh", "after", ""),
        ("ship.sh", "after", "api"),
        ("ship.sh", "before", "web"),
        ("ship.sh", "after", "web"),
    ] {
        let shop = live("v1");
        let once = format!(
            "if [ \"${{WAVEOFF_COMPONENT:-}}\" = \"{when}\" ] && [ ! -e \"$SHOP_DIR/once\" ]; then \
             touch \"$SHOP_DIR/once\"; {KILL}; fi"
        );
        shop.script(script, at, &once);
        let ran = shop.deploy("v3").run().expect_code(20);
        assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
        assert!(shop.folder().join("once").exists(), "{script} {at} {when}");
        all_run(&shop, "v1");
    }
}

#[test]
fn t065_health_check_failure() {
    let shop = live("v1");
    let ran = shop.deploy("v2").run().expect_code(20);
    assert!(ran.stdout.contains("v2 failed, and v1 is back and verified"), "{}", ran.stdout);
    assert!(ran.stdout.contains("postgres is unhealthy"), "{}", ran.stdout);
    all_run(&shop, "v1");
    assert_eq!(shop.world.events()[3..], ["started", "mutating", "failed", "rolled-back"]);
}

#[test]
fn t066_partial_deployment_prevention() {
    // The second part cannot be started: the first one does not stay.
    let shop = live("v1");
    let fails = "if [ \"$WAVEOFF_COMPONENT$WAVEOFF_VERSION\" = webv3 ]; then exit 7; fi";
    shop.script("ship.sh", "before", fails);
    let ran = shop.deploy("v3").run().expect_code(20);
    assert!(ran.stdout.contains("exit code 7"), "{}", ran.stdout);
    all_run(&shop, "v1");
    // Nor does the migration, when there is nothing behind it yet.
    let shop = live("v1");
    shop.script("migrate.sh", "after", "[ \"$WAVEOFF_VERSION\" != v3 ]");
    shop.deploy("v3").run().expect_code(20);
    all_run(&shop, "v1");
}

#[test]
fn t067_safe_retry() {
    let shop = live("v1");
    let fails = "if [ \"$WAVEOFF_COMPONENT$WAVEOFF_VERSION\" = webv3 ]; then exit 7; fi";
    shop.script("ship.sh", "before", fails);
    for _ in 0..3 {
        shop.deploy("v3").run().expect_code(20);
        all_run(&shop, "v1");
    }
    shop.script("ship.sh", "before", "");
    shop.deploy("v3").run().expect_code(0);
    all_run(&shop, "v3");
}

#[test]
fn d8_deploying_the_same_version_twice_is_a_no_op() {
    let shop = live("v1");
    let (processes, events) = (shop.running().services, shop.world.events());
    let ran = shop.deploy("v1").run().expect_code(0);
    assert!(ran.stdout.contains("there was nothing to do"), "{}", ran.stdout);
    all_run(&shop, "v1");
    assert_eq!(shop.running().services, processes, "nothing was started again");
    assert_eq!(shop.world.events(), events);
}

#[test]
fn d8_deploy_rollback_redeploy() {
    let shop = live("v1");
    shop.deploy("v3").run().expect_code(0);
    all_run(&shop, "v3");
    shop.waveoff(&["rollback"]).run().expect_code(0);
    all_run(&shop, "v1");
    shop.deploy("v3").run().expect_code(0);
    all_run(&shop, "v3");
}

#[test]
fn d8_an_interrupted_run_converges() {
    let shop = live("v1");
    // However often whoever finishes it is killed, too.
    let thrice = format!(
        "echo >>\"$SHOP_DIR/tries\"; if [ \"$(wc -l <\"$SHOP_DIR/tries\")\" -le 3 ]; then {KILL}; fi"
    );
    shop.script("ship.sh", "after", &thrice);
    let ran = shop.deploy("v3").run().expect_code(12);
    assert!(ran.stderr.contains("hint: finish it with `waveoff recover`"), "{}", ran.stderr);
    shop.waveoff(&["recover"]).run();
    shop.waveoff(&["recover"]).run();
    all_run(&shop, "v1");
    let ran = shop.waveoff(&["recover"]).run().expect_code(0);
    assert!(ran.stdout.contains("nothing was interrupted"), "{}", ran.stdout);
}

#[test]
fn d8_no_residue() {
    let shop = live("v1");
    let names = |shop: &Shop| -> Vec<String> {
        // Each run has a folder of its own, and each deployment what was captured before it.
        let of_runs = ["/runs/", "/captures/", "/incidents/", "/forensics/"];
        let is_kept = |name: &String| !of_runs.iter().any(|part| name.contains(part));
        let names = shop.world.tree().into_keys().map(|name| name + "/");
        names.filter(is_kept).filter(|name| !name.contains("/home/before-")).collect()
    };
    shop.deploy("v3").run().expect_code(0);
    let once = names(&shop);
    for version in ["v5", "v2", "v7", "v2", "v9"] {
        shop.deploy(version).run();
    }
    all_run(&shop, "v9");
    let left: Vec<_> = names(&shop).into_iter().filter(|name| !once.contains(name)).collect();
    let known = |name: &String| ["incidents/", "forensics/"].iter().any(|end| name.ends_with(end));
    assert!(left.iter().all(known), "{left:?}");
}

#[test]
fn d8_check_mode_changes_nothing() {
    let shop = live("v1");
    let snapshot = |shop: &Shop| -> BTreeMap<String, (Vec<u8>, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        let inode = |name: &String| fs::metadata(name).unwrap().ino();
        let tree = shop.world.tree().into_iter();
        tree.map(|(name, bytes)| (name.clone(), (bytes, inode(&name)))).collect()
    };
    let (before, processes) = (snapshot(&shop), shop.running().services);
    let dry = ["deploy", "--version", "v3", "--dry-run"];
    let ran = shop.waveoff(&dry).run().expect_code(0);
    for word in ["run ./migrate.sh", "run ./ship.sh", "if it fails", "nothing was changed"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    shop.deploy("v3").args(["--dry-run", "--json"]).run().expect_code(0);
    assert_eq!(snapshot(&shop), before);
    assert_eq!(shop.running().services, processes);
}
