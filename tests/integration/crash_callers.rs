//! Callers that go away, are asked to end, or are many at once.

use std::process::Command;
use std::time::Duration;

use crate::crash_kills::Victim as _;
use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop, code_of, kill};
use crate::harness::{Ran, signal};

/// Milliseconds from the start of a deployment at which something happens to it: no rule in them.
const MOMENTS: [u64; 7] = [3, 40, 90, 170, 260, 390, 700];

#[test]
fn t064_a_cancellation_at_any_moment_ends_with_all_old_or_all_new() {
    let shops = [
        Some(Shop::rolling(Platform::Process)),
        Shop::blue_green(Platform::Process, Balancer::Haproxy),
    ];
    for shop in shops.into_iter().flatten() {
        let mut old = "v1".to_owned();
        shop.deploy(&old).run().expect_code(0);
        for (n, moment) in MOMENTS.into_iter().enumerate() {
            let new = format!("v{}", 3 + n);
            let (child, _) = shop.deploy(&new).start();
            std::thread::park_timeout(Duration::from_millis(moment));
            signal(&child, if n % 2 == 0 { "-TERM" } else { "-INT" });
            let ran = Ran::of(child.wait_with_output().unwrap());
            // Before it minds signals they end it, as they end everything.
            assert!(matches!(ran.code, None | Some(0 | 12 | 20)), "{ran:?}");
            let live = shop.recovered();
            assert!([&old, &new].contains(&&live), "{live} is neither {old} nor {new}");
            assert_eq!(ran.code == Some(0), live == new, "{ran:?}");
            old = live;
        }
    }
}

#[test]
fn t064_an_engine_whose_caller_was_killed_goes_on_and_tells_who_attaches() {
    for (version, code) in [("v3", 0), ("v2", 20)] {
        let shop = Shop::rolling(Platform::Command);
        shop.deploy("v1").run().expect_code(0);
        let waits =
            "touch \"$SHOP_DIR/began\"; while [ -e \"$SHOP_DIR/wait\" ]; do sleep 0.02; done";
        shop.script("ship.sh", "before", waits);
        shop.world.write("wait", "");
        let (child, _) = shop.deploy(version).start();
        shop.world.until("the deployment is on its way", |_| shop.folder().join("began").exists());
        signal(&child, "-KILL");
        assert_eq!(code_of(child), None);
        let (attached, _) = shop.waveoff(&["attach", "--json"]).start();
        let ran = shop.waveoff(&["status"]).run().expect_code(11);
        assert!(ran.stdout.contains("on its way"), "{}", ran.stdout);
        std::fs::remove_file(shop.folder().join("wait")).unwrap();
        let ran = Ran::of(attached.wait_with_output().unwrap()).expect_code(code);
        assert_eq!(ran.report()["deployment"]["version"], version);
        let live = if code == 0 { version } else { "v1" };
        assert_eq!(shop.proven(), live);
        // Whoever comes later learns the same.
        let later = shop.waveoff(&["attach", "--json"]).run().expect_code(code);
        assert_eq!(later.report()["outputs"]["live-version"], live);
    }
}

#[test]
fn t064_a_program_that_is_replaced_on_the_way_still_finishes_its_story() {
    let shop = Shop::rolling(Platform::Command);
    shop.deploy("v1").run().expect_code(0);
    let waits = "touch \"$SHOP_DIR/began\"; while [ -e \"$SHOP_DIR/wait\" ]; do sleep 0.02; done";
    shop.script("ship.sh", "before", waits);
    shop.world.write("wait", "");
    // As when a newer waveoff is installed while an older one deploys.
    let own = shop.folder().join("an-older-waveoff");
    std::fs::copy(env!("CARGO_BIN_EXE_waveoff"), &own).unwrap();
    let mut older = Command::new(&own);
    older.args(["deploy", "--version", "v3"]);
    let child = shop.waveoff(&[]).like(older).spawn().unwrap();
    shop.world.until("the deployment is on its way", |_| shop.folder().join("began").exists());
    std::fs::remove_file(&own).unwrap();
    kill(shop.world.engine().parse().unwrap());
    std::fs::remove_file(shop.folder().join("wait")).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(20);
    assert!(ran.stdout.contains("another engine finishes its story"), "{ran:?}");
    assert_eq!(shop.proven(), "v1");
}

#[test]
fn t064_many_deployers_wait_in_line_and_each_has_its_turn() {
    let shop = Shop::rolling(Platform::Process);
    shop.deploy("v1").run().expect_code(0);
    for many in [2, 5] {
        let versions: Vec<String> = (0..many).map(|n| format!("v{}", 10 * many + n)).collect();
        let children: Vec<_> = versions.iter().map(|v| shop.deploy(v).start().0).collect();
        for child in children {
            Ran::of(child.wait_with_output().unwrap()).expect_code(0);
        }
        let live = shop.proven();
        assert!(versions.contains(&live), "{live}");
        // One after the other: nobody's events are among somebody else's.
        let turn = ["started", "mutating", "verified"].map(str::to_owned);
        let events = shop.world.events();
        assert!(events.chunks(3).all(|events| events == turn), "{events:?}");
    }
    assert_eq!(shop.world.events().len(), 3 * (1 + 2 + 5));
}
