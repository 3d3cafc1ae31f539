//! A deployment that is killed at every call by which it changes anything: afterwards all is old or
//! all is new.
//!
//! `CRASH_MATRIX=full` kills at each of them; without it, at some.

use crate::crash_kills::{Deed, Kills, full};
use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop};

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

/// No deployment has so many calls of a kind, and those that grow with the kills before it stop
/// growing with the fiftieth run that is kept.
const MOST: usize = 400;

#[track_caller]
fn matrix(shop: Option<Shop>, offset: usize) {
    every(shop, offset, 1);
}

/// As [`matrix`], but where only some kills are wanted, no more than one in `coarse` of those.
#[track_caller]
fn every(shop: Option<Shop>, offset: usize, coarse: usize) {
    each(Deed::Deploy, shop, offset, coarse);
}

#[track_caller]
fn each(deed: Deed, shop: Option<Shop>, offset: usize, coarse: usize) {
    let Some(shop) = shop else { return };
    let Some(mut kills) = Kills::doing(&shop, deed) else { return };
    for (call, stride) in CALLS {
        let stride = stride * coarse;
        let (first, step) = if full() { (1, 1) } else { (1 + offset % stride, stride) };
        // Each run that was killed is locked for a moment by the next ones, to ask after it.
        for n in (first..).step_by(step) {
            if !kills.at_call(call, n) {
                break;
            }
            assert!(n < MOST, "there is no end of {call}: {n} are not all of them");
        }
    }
    kills.end();
}

/// As [`each`], but where only some kills are wanted, one for two in three kinds of calls: on the way
/// back, where that is what is killed.
#[track_caller]
fn few(deed: Deed, shop: Option<Shop>, offset: usize) {
    if full() {
        return each(deed, shop, 0, 1);
    }
    let Some(shop) = shop else { return };
    let Some(mut kills) = Kills::doing(&shop, deed) else { return };
    let counts = kills.count(&CALLS.map(|(call, _)| call));
    let from = match deed {
        Deed::TakeBack => 50,
        Deed::Rollback => 30,
        Deed::Deploy => 0,
    };
    for (index, ((call, _), count)) in CALLS.into_iter().zip(counts).enumerate() {
        if (index + offset).is_multiple_of(3) || count == 0 {
            continue;
        }
        let percent = from + (100 - from) * ((4 * index + offset) % 9) / 9;
        kills.at_call(call, 1 + (count - 1) * percent / 100);
    }
    kills.end();
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
    every(Shop::blue_green(Platform::Process, Balancer::Command), 4, 2);
}

#[test]
fn t064_blue_green_with_a_worker_in_place_is_all_old_or_all_new() {
    matrix(Some(Shop::with_worker()), 8);
}

#[test]
fn t064_blue_green_command_behind_nginx_is_all_old_or_all_new() {
    every(Shop::blue_green(Platform::Command, Balancer::Nginx), 5, 2);
}

#[test]
fn t064_blue_green_command_behind_haproxy_is_all_old_or_all_new() {
    every(Shop::blue_green(Platform::Command, Balancer::Haproxy), 6, 2);
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

#[test]
fn t064_a_bad_release_that_is_taken_back_in_place_leaves_all_old() {
    few(Deed::TakeBack, Some(Shop::rolling(Platform::Process)), 10);
}

#[test]
fn t064_a_bad_release_that_is_taken_back_from_its_slot_leaves_all_old() {
    let shop = Shop::blue_green(Platform::Command, Balancer::Command);
    few(Deed::TakeBack, shop.map(Shop::migrating), 11);
}

#[test]
fn t064_a_rollback_by_hand_in_place_is_all_old_or_all_new() {
    few(Deed::Rollback, Some(Shop::rolling(Platform::Command)), 12);
}

#[test]
fn t064_a_rollback_by_hand_to_the_other_slot_is_all_old_or_all_new() {
    few(Deed::Rollback, Shop::blue_green(Platform::Process, Balancer::Nginx), 13);
}

#[test]
fn t064_blue_green_with_a_migration_is_all_old_or_all_new() {
    let shop = Shop::blue_green(Platform::Process, Balancer::Haproxy);
    few(Deed::Deploy, shop.map(Shop::migrating), 14);
}
