//! Blue-green with parts that stay outside of the slots.

use super::super::fixtures::*;
use super::super::{Migration, deploy, rollback};
use super::*;

fn setup() -> Setup {
    blue_green().beside(&["worker", "beat"])
}

fn lines(setup: &Setup, current: &Current) -> Vec<String> {
    show(&deploy(setup, current, &wanted("v2")).unwrap())
}

#[test]
fn d4_what_stays_outside_is_restarted_behind_the_slots_checks_and_comes_back_behind_the_traffic() {
    let setup = Setup { compare: false, ..setup() };
    assert_eq!(
        lines(&setup, &v1_in_blue()),
        [
            "start v2 of shop in green | place shop@green v2 over ? | clear shop@green v2",
            "verify v2 in green | verify v2 in green",
            "open green to requests | mark | drain green 30000",
            "start v2 of worker | place worker@place v2 over v1 | back worker@place v1 over v2",
            "start v2 of beat | place beat@place v2 over v1 | back beat@place v1 over v2",
            "switch traffic to green | switch green v2 | switch blue v1",
            "verify v2 through the router | verify v2 by router green",
            "watch v2 for 5m | watch v2 by router green 300000 10000 3",
            "restored: verify v1 through the router | verify v1 by router blue",
            "cleanup: let the requests in blue end | drain blue 30000",
            "cleanup: stop v1 in blue | clear shop@blue v1",
        ]
    );
}

#[test]
fn d6_what_stays_outside_comes_back_behind_the_database() {
    let lines = lines(&setup().migrating(RESTORABLE), &v1_in_blue());
    assert_eq!(
        lines[3..5],
        [
            "start v2 of worker | place worker@place v2 over v1",
            "start v2 of beat | place beat@place v2 over v1",
        ]
    );
    assert_eq!(
        lines[8..12],
        [
            "restored: start v1 of beat | back beat@place v1 over v2",
            "restored: start v1 of worker | back worker@place v1 over v2",
            "restored: verify v1 through the router | verify v1 by router blue",
            "restored: compare v1 with what was captured | compare v1",
        ]
    );
    let compatible = self::lines(&setup().migrating(COMPATIBLE), &v1_in_blue());
    assert!(compatible[4].ends_with("| back worker@place v1 over v2"), "{compatible:?}");
}

#[test]
fn d6_all_that_stays_outside_comes_back_when_what_ran_there_is_not_known() {
    // The ledger does not know what is live; the slot with the traffic does.
    let current = Current { live: None, ..v1_in_blue() };
    let lines = lines(&setup(), &current);
    assert_eq!(lines[3], "start v2 of worker | place worker@place v2 over ?");
    assert_eq!(lines[8], "restored: start v1 of beat | back beat@place v1 over v2");
    // What has the traffic is not known, and the target is the best guess.
    let current = Current { in_slots: [].into(), ..current };
    assert_eq!(self::lines(&setup(), &current)[8], lines[8]);
}

#[test]
fn d6_without_a_way_back_what_was_started_outside_is_left() {
    let started = ["start v2 of worker | place worker@place v2 over ?", "start v2 of beat | place"];
    let nothing = Current { saved: Some("nowhere".into()), ..Current::default() };
    let unknown = Current { live: None, target: None, in_slots: [].into(), ..v1_in_blue() };
    for current in [Current::default(), nothing, unknown] {
        let all = lines(&setup(), &current);
        let at = all.iter().position(|line| line == started[0]).unwrap();
        assert!(all[at + 1].starts_with(started[1]) && !all[at + 1].contains("back"), "{all:?}");
        assert!(!all.iter().any(|line| line.contains("back worker")), "{all:?}");
    }
    let allowed = setup().migrating(Migration { allowed: true, ..ONE_WAY });
    let all = lines(&allowed, &v1_in_blue());
    assert!(!all.iter().any(|line| line.contains("back worker")), "{all:?}");
}

#[test]
fn d6_what_is_live_comes_back_outside_though_nothing_is_left_in_the_slot_with_the_traffic() {
    let mut crashed = v1_in_blue();
    crashed.in_slots.insert("blue".into(), None);
    let plan = deploy(&setup(), &crashed, &wanted("v2")).unwrap();
    assert_eq!(plan.back, None);
    let start = "start v2 of worker | place worker@place v2 over v1";
    assert_eq!(show(&plan)[3], format!("{start} | back worker@place v1 over v2"));
    // The database is not taken back for what is gone, so nothing old is started with it.
    assert_eq!(lines(&setup().migrating(RESTORABLE), &crashed)[4], start);
}

#[test]
fn r5_in_a_rollback_the_traffic_goes_first() {
    let (failed, target) = (release("v2"), release("v1"));
    let mut current = v1_in_blue();
    current.live = Some(release("v2"));
    current.active = Some("green".into());
    current.in_slots.insert("green".into(), Some(release("v2")));
    let migrated = [migrated_for_v2()];
    let way = Return { migrated: &migrated, ..way(&failed, &target) };
    let plan = rollback(&setup().migrating(RESTORABLE), &current, &way).unwrap();
    assert!(plan.forward.iter().all(|operation| operation.undo.is_none()), "{plan:?}");
    let all = [
        "take the migration for v2 back | restore v2 to 7",
        "verify v1 in blue | verify v1 in blue",
        "switch traffic to blue | switch blue v1",
        "start v1 of beat | back beat@place v1 over v2",
        "start v1 of worker | back worker@place v1 over v2",
        "verify v1 through the router | verify v1 by router blue",
        "compare v1 with what was captured | compare v1",
        "cleanup: let the requests in green end | drain green 30000",
        "cleanup: stop v2 in green | clear shop@green v2",
    ];
    assert_eq!(show(&plan), all);
    // The traffic may be there already; what stays outside may not.
    let way = Return { migrated: &[], ..way };
    let plan = rollback(&setup(), &v1_in_blue(), &way).unwrap();
    assert_eq!(show(&plan), all[3..7]);
}
