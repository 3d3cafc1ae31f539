//! A deployment that is killed at every call by which it changes anything: afterwards all is old or
//! all is new.
//!
//! `CRASH_MATRIX=full` kills at each of them; without it, at some.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop, full};
use crate::harness::Ran;
use crate::parts::part;

/// The calls, and how many are passed over from one kill to the next when only some are wanted.
const CALLS: [(&str, usize); 9] = [
    ("/sync$", 17),
    ("/^rename", 4),
    ("write", 37),
    ("/^unlink", 5),
    ("ftruncate", 5),
    ("kill", 2),
    ("/^clone|^vfork", 5),
    ("connect", 11),
    ("flock", 13),
];

/// No deployment has so many calls of a kind but for those that grow with the kills before it.
const MOST: usize = 200;

/// Kills of one world.
#[derive(Debug, Default)]
struct Sum {
    kills: usize,
    old: usize,
    new: usize,
}

/// Where a deployment is killed: before the engine's Nth such call.
struct At<'a> {
    call: &'a str,
    n: usize,
}

/// The engine of a deployment as `commission` says, but with this version; it is killed, unless it
/// has ended before.
fn engine(shop: &Shop, strace: &Path, commission: &Value, version: &str, at: &At<'_>) -> Ran {
    let At { call, n } = at;
    let (runs, mut commission) = (shop.runs(), commission.clone());
    let last = runs.last().and_then(|run| run.file_name()).unwrap().to_str().unwrap();
    // Behind the last one, and before those that are begun later; never longer than a name may be.
    let last: Vec<&str> = last.split('-').take(3).collect();
    commission["run"] = format!("{}-{version:0>7}", last.join("-")).into();
    commission["task"]["deploy"]["version"] = version.into();
    let mut command = Command::new(strace);
    let inject = format!("inject={call}:signal=KILL:when={n}");
    // What the engine starts is not traced any more once it is executed.
    command.args(["-f", "-qq", "-b", "execve", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &inject, env!("CARGO_BIN_EXE_waveoff"), "engine"]);
    let mut child = shop.waveoff(&[]).like(command).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(commission.to_string().as_bytes()).unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

#[track_caller]
fn matrix(shop: Option<Shop>, offset: usize) {
    every(shop, offset, 1);
}

/// As [`matrix`], but where only some kills are wanted, no more than one in `coarse` of those.
#[track_caller]
fn every(shop: Option<Shop>, offset: usize, coarse: usize) {
    let Some(strace) = part("strace") else { return };
    let Some(shop) = shop else { return };
    let (mut sum, mut number) = (Sum::default(), 1);
    let mut old = "v1".to_owned();
    shop.deploy(&old).run().expect_code(0);
    let first = shop.runs()[0].join("commission.json");
    let commission = serde_json::from_str(&std::fs::read_to_string(first).unwrap()).unwrap();
    for (call, stride) in CALLS {
        let stride = stride * coarse;
        let (mut n, step) = if full() { (1, 1) } else { (1 + offset % stride, stride) };
        loop {
            number += 2;
            let new = format!("v{number}");
            let ran = engine(&shop, &strace, &commission, &new, &At { call, n });
            if ran.code == Some(0) {
                assert_eq!(shop.proven(), new, "{}", shop.said());
                old = new;
                break;
            }
            assert_eq!(ran.code, None, "{ran:?}");
            let live = shop.recovered();
            assert!([&old, &new].contains(&&live), "{live} is neither {old} nor {new}");
            sum.kills += 1;
            if full() {
                eprintln!("{call} {n}: {live} of {old} and {new}");
            }
            if live == new {
                sum.new += 1
            } else {
                sum.old += 1
            }
            old = live;
            n += step;
            // Each run that was killed is locked for a moment by the next ones, to ask after it.
            if n > MOST {
                break;
            }
        }
    }
    // What comes next is not hindered by any of that.
    shop.deploy("v100000").run().expect_code(0);
    assert_eq!(shop.proven(), "v100000");
    eprintln!("{sum:?}");
    assert!(sum.kills > 0 && sum.old > 0, "{sum:?}");
}

#[test]
fn t064_rolling_process_is_all_old_or_all_new() {
    matrix(Some(Shop::rolling(Platform::Process)), 0);
}

#[test]
fn t064_rolling_command_is_all_old_or_all_new() {
    matrix(Some(Shop::rolling(Platform::Command)), 1);
}

#[test]
fn t064_blue_green_process_behind_nginx_is_all_old_or_all_new() {
    matrix(Shop::blue_green(Platform::Process, Balancer::Nginx), 2);
}

#[test]
fn t064_blue_green_process_behind_haproxy_is_all_old_or_all_new() {
    matrix(Shop::blue_green(Platform::Process, Balancer::Haproxy), 3);
}

#[test]
fn t064_blue_green_process_behind_a_command_is_all_old_or_all_new() {
    matrix(Shop::blue_green(Platform::Process, Balancer::Command), 4);
}

#[test]
fn t064_blue_green_with_a_worker_in_place_is_all_old_or_all_new() {
    matrix(Some(Shop::with_worker()), 8);
}

#[test]
fn t064_blue_green_command_behind_nginx_is_all_old_or_all_new() {
    matrix(Shop::blue_green(Platform::Command, Balancer::Nginx), 5);
}

#[test]
fn t064_blue_green_command_behind_haproxy_is_all_old_or_all_new() {
    matrix(Shop::blue_green(Platform::Command, Balancer::Haproxy), 6);
}

#[test]
fn t064_blue_green_command_behind_a_command_is_all_old_or_all_new() {
    matrix(Shop::blue_green(Platform::Command, Balancer::Command), 7);
}

#[test]
fn t064_rolling_systemd_is_all_old_or_all_new() {
    every(Shop::rolling(Platform::Systemd).under_systemd(), 8, 3);
}

#[test]
fn t064_blue_green_systemd_is_all_old_or_all_new() {
    let shop = Shop::blue_green(Platform::Systemd, Balancer::Command);
    every(shop.and_then(Shop::under_systemd), 9, 4);
}
