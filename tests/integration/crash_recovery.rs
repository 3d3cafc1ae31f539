//! Recovery that is killed itself, again and again: it converges.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::crash_kills::{Victim as _, full};
use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop, kill};
use crate::parts::part;

/// A caller with its engines, all of them killed at the Nth such call of each. What they start goes
/// on untraced when they are gone.
fn killed_at(shop: &Shop, strace: &Path, verb: &[&str], call: &str, n: usize) -> Option<i32> {
    let mut command = Command::new(strace);
    // The tracer is the caller's grandchild: a service that is traced must not be waited for.
    command.args(["-D", "-f", "-qq", "-I", "1", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:signal=KILL:when={n}")]);
    command.arg(env!("CARGO_BIN_EXE_waveoff")).args(verb);
    // It would hold a pipe, too.
    let mut command = shop.waveoff(&[]).like(command);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    for tracer in shop.tracers() {
        kill(tracer);
    }
    status.code()
}

#[track_caller]
fn again_and_again(shop: Option<Shop>, stride: usize) {
    let (Some(strace), Some(shop)) = (part("strace"), shop) else { return };
    shop.deploy("v1").run().expect_code(0);
    let both = "read -r _ _ _ caller _ </proc/$PPID/stat; kill -KILL \"$caller\"; kill -KILL $PPID";
    let once = format!("if [ ! -e \"$SHOP_DIR/once\" ]; then touch \"$SHOP_DIR/once\"; {both}; fi");
    shop.script("ship.sh", "after", &once);
    assert_eq!(shop.deploy("v3").run().code, None);
    shop.quiet();
    let (mut kills, mut n, step) = (0, 1, if full() { 1 } else { stride });
    // Each one gets a little further than the one before, from where that one was killed.
    while shop.is_unfinished() {
        killed_at(&shop, &strace, &["recover"], "/sync$", n);
        shop.quiet();
        kills += 1;
        n += step;
        assert!(kills < 200, "it does not converge");
    }
    eprintln!("{kills} recoveries, the last one with {n} syncs, finished it");
    assert!(kills > 2, "{kills}");
    assert_eq!(shop.recovered(), "v1");
    shop.deploy("v3").run().expect_code(0);
    assert_eq!(shop.proven(), "v3");
}

#[test]
fn t064_a_recovery_that_is_killed_again_and_again_converges_rolling() {
    again_and_again(Some(Shop::rolling(Platform::Command)), 3);
}

#[test]
fn t064_a_recovery_that_is_killed_again_and_again_converges_blue_green() {
    again_and_again(Shop::blue_green(Platform::Command, Balancer::Haproxy), 3);
}

/// Callers and whoever they start to finish it: killed alike.
#[track_caller]
fn with_all_engines(shop: Option<Shop>, stride: usize) {
    let (Some(strace), Some(shop)) = (part("strace"), shop) else { return };
    let (mut old, mut kills) = ("v1".to_owned(), 0);
    shop.deploy(&old).run().expect_code(0);
    for (number, n) in (1..).step_by(if full() { 1 } else { stride }).enumerate() {
        let new = format!("v{}", number + 2001);
        let code = killed_at(&shop, &strace, &["deploy", "--version", &new], "/sync$", n);
        if code == Some(0) {
            assert_eq!(shop.proven(), new);
            break;
        }
        kills += 1;
        let live = shop.recovered();
        assert!([&old, &new].contains(&&live), "{live} is neither {old} nor {new}: {code:?}");
        old = live;
    }
    eprintln!("{kills} deployments whose engines were all killed");
    assert!(kills > 2, "{kills}");
}

#[test]
fn t064_every_engine_of_a_deployment_is_killed_rolling() {
    with_all_engines(Some(Shop::rolling(Platform::Process)), 8);
}

#[test]
fn t064_every_engine_of_a_deployment_is_killed_blue_green() {
    with_all_engines(Shop::blue_green(Platform::Process, Balancer::Nginx), 11);
}
