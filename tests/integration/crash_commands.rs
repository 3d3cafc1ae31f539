//! Engines that are killed by the very commands that they run, and commands that go on alone.

use crate::crash_kills::Victim as _;
use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop};

/// Ends the engine, whose child a command is. The run's own record of it goes with it.
const KILL: &str = "kill -KILL $PPID";
/// The same, and goes on as if nothing had been: what it writes later must never be written.
const ORPHAN: &str = "kill -KILL $PPID; sleep 1; echo later >>\"$SHOP_DIR/orphan\"";

/// Only once, so that the one who finishes the story is left alone.
fn once(what: &str) -> String {
    format!("if [ ! -e \"$SHOP_DIR/once\" ]; then touch \"$SHOP_DIR/once\"; {what}; fi")
}

/// Deploys v1 and then v3, in whose way is what the test has put there. The caller sees its engine
/// die and has another one finish; gives what is live then.
#[track_caller]
fn interrupted(shop: &Shop, script: &str, at: &str, what: &str) -> String {
    shop.deploy("v1").run().expect_code(0);
    shop.script(script, at, &once(what));
    let ran = shop.deploy("v3").run().expect_code(20);
    assert!(ran.stdout.contains("another engine finishes its story"), "{}", ran.stdout);
    assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
    if what == ORPHAN {
        assert!(ran.stdout.contains("the command that it left behind was ended"), "{}", ran.stdout);
    }
    let live = shop.proven();
    assert!(!shop.folder().join("orphan").exists(), "the orphan went on");
    // Trying again is all that there is to do.
    shop.deploy("v3").run().expect_code(0);
    assert_eq!(shop.proven(), "v3");
    live
}

#[test]
fn t064_a_deploy_command_that_loses_its_engine_is_ended_and_undone() {
    for (at, what) in [("before", KILL), ("after", KILL), ("before", ORPHAN), ("after", ORPHAN)] {
        let shop = Shop::rolling(Platform::Command);
        assert_eq!(interrupted(&shop, "ship.sh", at, what), "v1", "{at}: {what}");
    }
}

#[test]
fn t064_a_migration_that_loses_its_engine_is_ended_and_undone() {
    for (at, what) in [("before", ORPHAN), ("after", KILL), ("after", ORPHAN)] {
        let shop = Shop::rolling(Platform::Process);
        assert_eq!(interrupted(&shop, "migrate.sh", at, what), "v1", "{at}: {what}");
    }
}

#[test]
fn t064_a_switch_that_loses_its_engine_is_ended_and_undone() {
    for (at, what) in [("before", KILL), ("after", KILL), ("before", ORPHAN), ("after", ORPHAN)] {
        let shop = Shop::blue_green(Platform::Command, Balancer::Command).unwrap();
        assert_eq!(interrupted(&shop, "switch.sh", at, what), "v1", "{at}: {what}");
    }
}

#[test]
fn t064_a_restore_that_loses_its_engine_is_done_again() {
    let shop = Shop::rolling(Platform::Process);
    shop.deploy("v1").run().expect_code(0);
    shop.script("restore.sh", "before", &once(ORPHAN));
    // v2 is bad, and its migration is taken back.
    shop.deploy("v2").run().expect_code(20);
    assert_eq!(shop.proven(), "v1");
    assert!(!shop.folder().join("orphan").exists());
}

#[test]
fn t064_a_caller_that_is_killed_with_its_engine_leaves_the_rest_to_recover() {
    let shop = Shop::rolling(Platform::Command);
    shop.deploy("v1").run().expect_code(0);
    // The engine's parent is its caller.
    let both = "read -r _ _ _ caller _ </proc/$PPID/stat; kill -KILL \"$caller\"; kill -KILL $PPID";
    shop.script("ship.sh", "after", &once(both));
    assert_eq!(shop.deploy("v3").run().code, None);
    let before = shop.world.ledger_file();
    let before = std::fs::read_to_string(before).unwrap();
    let ran = shop.waveoff(&["recover"]).run().expect_code(20);
    assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
    assert_eq!(shop.proven(), "v1");
    // Of what was known before, not a line was changed.
    let after = std::fs::read_to_string(shop.world.ledger_file()).unwrap();
    assert!(after.starts_with(&before), "{after}");
    // What comes next finishes it, too, when nobody recovers.
    std::fs::remove_file(shop.folder().join("once")).unwrap();
    assert_eq!(shop.deploy("v3").run().code, None);
    let ran = shop.deploy("v5").run().expect_code(0);
    assert!(ran.stdout.contains("its story is finished first"), "{}", ran.stdout);
    assert_eq!(shop.proven(), "v5");
}
