//! What cannot be done is refused with a clear word, and nothing is touched: not a file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use crate::crash_kills::Victim as _;
use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop};
use crate::harness::Ran;

/// Every file with its content and its number, so that one that was replaced by its like shows. Of
/// runs that were refused there is a folder, and of everybody in line a counter.
fn snapshot(shop: &Shop) -> BTreeMap<String, (Vec<u8>, u64)> {
    let is_of_runs = |name: &str| {
        let (_, state) = name.split_once("/state/shop/production").unwrap_or_default();
        ["/runs/", "/queue", "/lock", "/fence"].iter().any(|own| state.starts_with(own))
    };
    let tree = shop.world.tree().into_iter().filter(|(name, _)| !is_of_runs(name));
    let inode = |name: &str| std::fs::metadata(name).unwrap().ino();
    tree.map(|(name, bytes)| (name.clone(), (bytes, inode(&name)))).collect()
}

/// Runs it, and compares everything.
#[track_caller]
fn refused(shop: &Shop, arguments: &[&str], code: i32, says: &[&str]) -> Ran {
    let (before, services) = (snapshot(shop), shop.running().services);
    let ran = shop.waveoff(arguments).run().expect_code(code);
    for word in says {
        assert!(ran.stderr.contains(word), "{word:?}: {}", ran.stderr);
    }
    assert_eq!(snapshot(shop), before, "{arguments:?}");
    assert_eq!(shop.running().services, services);
    shop.no_residue();
    ran
}

#[test]
fn d8_a_release_that_does_not_exist_is_refused() {
    let shop = Shop::rolling(Platform::Process);
    let file = shop.folder().join("waveoff.yml");
    let config = std::fs::read_to_string(&file).unwrap();
    let own = "    dir: releases/{{version}}\n    grace";
    std::fs::write(&file, config.replacen("    grace", own, 1)).unwrap();
    shop.world.write("releases/v1/code", "v1");
    let script = std::fs::read_to_string(shop.folder().join("schema.sh")).unwrap();
    shop.world.write("releases/v1/schema.sh", &script);
    shop.deploy("v1").run().expect_code(0);
    let deploy = ["deploy", "--version", "v3"];
    refused(&shop, &deploy, 2, &["v3 cannot be started", "there is no folder releases/v3"]);
    refused(&shop, &["deploy", "--version", "v3", "--dry-run"], 2, &["v3 cannot be started"]);
    refused(&shop, &["rollback", "--to", "v3"], 2, &["is not a verified release"]);
    assert_eq!(shop.proven(), "v1");
}

#[test]
fn d12_a_slot_that_is_not_there_is_refused() {
    let shop = Shop::blue_green(Platform::Process, Balancer::Command).unwrap();
    shop.deploy("v1").run().expect_code(0);
    let to = |slot| ["deploy", "--version", "v3", "--to-slot", slot];
    refused(&shop, &to("red"), 2, &["there is no slot `red`", "the slots are blue and green"]);
    let active = ["blue", "green"].into_iter().zip(&shop.ports);
    let active = active.into_iter().find(|(_, port)| shop.answers(**port).is_some()).unwrap().0;
    refused(&shop, &to(active), 2, &["has the traffic", "they alternate"]);
    assert_eq!(shop.proven(), "v1");
    let shop = Shop::rolling(Platform::Process);
    shop.deploy("v1").run().expect_code(0);
    refused(&shop, &to("blue"), 2, &["there is no slot `blue`: the strategy is rolling"]);
}

#[test]
fn d8_a_ledger_that_is_newer_or_damaged_is_left_alone() {
    let shop = Shop::rolling(Platform::Process);
    shop.deploy("v1").run().expect_code(0);
    let whole = std::fs::read_to_string(shop.world.ledger_file()).unwrap();
    let newer = "{\"format\":9,\"seq\":1}\n".to_owned();
    for (text, says) in [
        (newer, "newer waveoff"),
        (whole.replacen("v1", "v7", 1), "the ledger is damaged"),
        (whole.lines().skip(1).map(|line| format!("{line}\n")).collect(), "the ledger is damaged"),
    ] {
        std::fs::write(shop.world.ledger_file(), text).unwrap();
        for arguments in [&["deploy", "--version", "v3"][..], &["rollback"], &["status"]] {
            refused(&shop, arguments, 12, &["ledger.jsonl:", says, "hint: "]);
        }
    }
    std::fs::write(shop.world.ledger_file(), whole).unwrap();
    assert_eq!(shop.proven(), "v1");
}

#[test]
fn d8_a_lock_that_somebody_holds_is_respected() {
    let shop = Shop::rolling(Platform::Command);
    shop.deploy("v1").run().expect_code(0);
    let waits = "touch \"$SHOP_DIR/began\"; while [ -e \"$SHOP_DIR/wait\" ]; do sleep 0.02; done";
    shop.script("ship.sh", "before", waits);
    shop.world.write("wait", "");
    let (first, _) = shop.deploy("v3").start();
    shop.world.until("the first one is at it", |_| shop.folder().join("began").exists());
    let ledger = shop.world.events();
    let started = Instant::now();
    for arguments in
        [&["deploy", "--version", "v5", "--queue", "0s"][..], &["rollback", "--queue", "0s"]]
    {
        let ran = shop.waveoff(arguments).run().expect_code(12);
        assert!(ran.stderr.contains("is being changed already: `deploy v3`"), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing was done"), "{}", ran.stderr);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "it did not wait");
    assert_eq!(shop.world.events(), ledger);
    std::fs::remove_file(shop.folder().join("wait")).unwrap();
    Ran::of(first.wait_with_output().unwrap()).expect_code(0);
    assert_eq!(shop.proven(), "v3");
}
