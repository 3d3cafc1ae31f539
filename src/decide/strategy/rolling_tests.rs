use super::super::fixtures::*;
use super::super::{Migrated, deploy, rollback};
use super::*;

fn lines(setup: &Setup, current: &Current) -> Vec<String> {
    show(&deploy(setup, current, &wanted("v2")).unwrap())
}

fn back(
    setup: &Setup,
    current: &Current,
    migrated: &[Migrated],
    preserve_data: bool,
) -> Vec<String> {
    let (failed, target) = (release("v2"), release("v1"));
    let way = Return { migrated, preserve_data, ..way(&failed, &target) };
    let plan = rollback(setup, current, &way).unwrap();
    assert!(plan.forward.iter().all(|operation| operation.undo.is_none()), "{plan:?}");
    assert_eq!((plan.strategy.as_str(), plan.back.as_ref()), ("rolling", None));
    show(&plan)
}

#[test]
fn d3_a_release_takes_the_place_of_another_one() {
    assert_eq!(
        lines(&rolling(), &v1_runs()),
        [
            "save the previous tag v1 | tag v1",
            "start v2 | place shop@place v2 over v1 | back shop@place v1 over v2",
            "verify v2 | verify v2 in place",
            "watch v2 for 30s | watch v2 in place 30000 10000 3",
            "restored: verify v1 | verify v1 in place",
            "restored: compare v1 with what was captured | compare v1",
            "restored: save the previous tag v0 | tag v0",
        ]
    );
    let plan = deploy(&rolling(), &v1_runs(), &wanted("v2")).unwrap();
    assert_eq!((plan.strategy.as_str(), plan.back), ("rolling", Some(release("v1"))));
}

#[test]
fn d3_without_a_watch_and_without_a_capture_nothing_is_watched_and_compared() {
    let quiet = Rolling {
        watch: Duration::ZERO,
        interval: Duration::ZERO,
        failures: 3,
        settle: Duration::from_secs(10),
    };
    let strategy = super::super::Strategy::Rolling(quiet);
    let setup = Setup { strategy, compare: false, ..rolling() };
    assert_eq!(
        lines(&setup, &v1_runs())[2..],
        [
            "verify v2 | verify v2 in place",
            "restored: wait 10s for the release to settle | pause 10000",
            "restored: verify v1 | verify v1 in place",
            "restored: save the previous tag v0 | tag v0",
        ]
    );
}

#[test]
fn d3_the_first_release_is_left_to_be_looked_at() {
    let setup = rolling().migrating(ONE_WAY);
    let first = Current::default();
    assert_eq!(
        lines(&setup, &first)[..4],
        [
            "note that there is no previous tag | tag -",
            "migrate for v2 | migrate v2 from ?",
            "start v2 | place shop@place v2 over ?",
            "verify v2 | verify v2 in place",
        ]
    );
    assert_eq!(deploy(&setup, &first, &wanted("v2")).unwrap().restored, []);
}

#[test]
fn d6_parts_come_back_in_reverse_and_only_those_that_were_replaced() {
    assert_eq!(
        lines(&rolling().of(&["api", "web"]), &v1_runs())[1..3],
        [
            "start v2 of api | place api@place v2 over v1 | back api@place v1 over v2",
            "start v2 of web | place web@place v2 over v1 | back web@place v1 over v2",
        ]
    );
}

#[test]
fn d6_what_runs_in_any_part_is_replaced_when_the_last_one_is_not_what_comes_back() {
    let drifted = Current { live: None, ..v1_runs() };
    assert_eq!(
        lines(&rolling().of(&["api", "web"]), &drifted)[1..],
        [
            "start v2 of api | place api@place v2 over ?",
            "start v2 of web | place web@place v2 over ?",
            "verify v2 | verify v2 in place",
            "watch v2 for 30s | watch v2 in place 30000 10000 3",
            "restored: start v1 of web | back web@place v1 over v2",
            "restored: start v1 of api | back api@place v1 over v2",
            "restored: verify v1 | verify v1 in place",
            "restored: compare v1 with what was captured | compare v1",
            "restored: save the previous tag v0 | tag v0",
        ]
    );
}

#[test]
fn d6_a_database_that_can_be_taken_back_is_so_before_the_old_code_starts() {
    let setup = rolling().migrating(RESTORABLE);
    assert_eq!(
        lines(&setup, &v1_runs())[1..],
        [
            "migrate for v2 | migrate v2 from 7 | restore v2 to 7",
            "start v2 | place shop@place v2 over v1",
            "verify v2 | verify v2 in place",
            "watch v2 for 30s | watch v2 in place 30000 10000 3",
            "restored: start v1 | back shop@place v1 over v2",
            "restored: verify v1 | verify v1 in place",
            "restored: compare v1 with what was captured | compare v1",
            "restored: save the previous tag v0 | tag v0",
        ]
    );
}

#[test]
fn d6_a_database_that_the_old_code_works_with_stays() {
    for restorable in [false, true] {
        let setup = rolling().migrating(super::super::Migration { restorable, ..COMPATIBLE });
        assert_eq!(
            lines(&setup, &v1_runs())[1..3],
            [
                "migrate for v2 | migrate v2 from 7",
                "start v2 | place shop@place v2 over v1 | back shop@place v1 over v2",
            ]
        );
    }
}

#[test]
fn d6_a_migration_without_a_way_back_is_refused_unless_it_is_allowed() {
    let refused = deploy(&rolling().migrating(ONE_WAY), &v1_runs(), &wanted("v2")).unwrap_err();
    assert!(refused.reason.contains("cannot be taken back"), "{refused:?}");
    assert!(refused.hint.contains("old-code-compatible: true"), "{refused:?}");
    let allowed = super::super::Migration { allowed: true, ..ONE_WAY };
    let plan = deploy(&rolling().migrating(allowed), &v1_runs(), &wanted("v2")).unwrap();
    assert_eq!(
        show(&plan),
        [
            "save the previous tag v1 | tag v1 | tag v0",
            "migrate for v2 | migrate v2 from 7 | !the migration for v2 cannot be taken back",
            "start v2 | place shop@place v2 over v1",
            "verify v2 | verify v2 in place",
            "watch v2 for 30s | watch v2 in place 30000 10000 3",
        ]
    );
    assert_eq!(plan.back, None, "nothing comes back behind it");
}

#[test]
fn d3_the_same_release_again_goes_back_to_the_one_before_it() {
    let again = Current { live: Some(release("v2")), ..v1_runs() };
    assert_eq!(
        lines(&rolling(), &again)[..5],
        [
            "save the previous tag v1 | tag v1",
            "start v2 | place shop@place v2 over v2",
            "verify v2 | verify v2 in place",
            "watch v2 for 30s | watch v2 in place 30000 10000 3",
            "restored: start v1 | back shop@place v1 over v2",
        ]
    );
}

#[test]
fn d3_there_is_no_slot_to_choose() {
    let chosen = Wanted { to_slot: Some("green".into()), ..wanted("v2") };
    let refused = deploy(&rolling(), &v1_runs(), &chosen).unwrap_err();
    assert!(refused.reason.contains("there is no slot `green`"), "{refused:?}");
}

#[test]
fn r5_a_rollback_brings_each_part_back_the_last_one_first() {
    let setup = rolling().of(&["api", "web"]);
    assert_eq!(
        back(&setup, &v1_runs(), &[], false),
        [
            "start v1 of web | back web@place v1 over v2",
            "start v1 of api | back api@place v1 over v2",
            "verify v1 | verify v1 in place",
            "compare v1 with what was captured | compare v1",
            "cleanup: note that there is no previous tag | tag -",
        ]
    );
    let (failed, target, older) = (release("v2"), release("v1"), release("v0"));
    let way = Return { before: Some(&older), ..way(&failed, &target) };
    let plan = rollback(&setup, &v1_runs(), &way).unwrap();
    assert_eq!(show(&plan).pop().unwrap(), "cleanup: save the previous tag v0 | tag v0");
}

#[test]
fn r7_a_rollback_takes_the_database_back_first_unless_it_may_stay() {
    let setup = rolling().migrating(RESTORABLE);
    let migrated = [migrated_for_v2()];
    let restored = back(&setup, &v1_runs(), &migrated, false);
    assert_eq!(
        restored[..2],
        [
            "take the migration for v2 back | restore v2 to 7",
            "start v1 | back shop@place v1 over v2",
        ]
    );
    for kept in [
        back(&setup, &v1_runs(), &[], false),
        back(&setup, &v1_runs(), &migrated, true),
        back(&rolling().migrating(ONE_WAY), &v1_runs(), &migrated, true),
        back(&rolling().migrating(COMPATIBLE), &v1_runs(), &migrated, false),
    ] {
        assert_eq!(kept[0], "start v1 | back shop@place v1 over v2");
    }
}

#[test]
fn r7_a_rollback_that_would_need_a_database_that_is_gone_is_refused() {
    let (failed, target) = (release("v2"), release("v1"));
    let migrated = [migrated_for_v2()];
    let way = Return { migrated: &migrated, ..way(&failed, &target) };
    // What migrated it may not be in the configuration any more.
    for setup in [rolling().migrating(ONE_WAY), rolling()] {
        let refused = rollback(&setup, &v1_runs(), &way).unwrap_err();
        assert!(refused.reason.contains("nothing says that v1 works with it"), "{refused:?}");
        assert!(refused.hint.contains("--preserve-data"), "{refused:?}");
    }
}

#[test]
fn d6_a_rollback_over_several_releases_takes_each_migration_back_the_last_one_first() {
    let before = Migrated { release: release("v1.5"), schema: Some("6".into()) };
    let lines =
        back(&rolling().migrating(RESTORABLE), &v1_runs(), &[migrated_for_v2(), before], false);
    assert_eq!(
        lines[..3],
        [
            "take the migration for v2 back | restore v2 to 7",
            "take the migration for v1.5 back | restore v1.5 to 6",
            "start v1 | back shop@place v1 over v2",
        ]
    );
}

#[test]
fn d6_not_to_know_whether_the_database_was_migrated_is_not_that_it_was_not() {
    let (failed, target) = (release("v2"), release("v1"));
    let way = Return { untold: Some("v1.5"), ..way(&failed, &target) };
    let setup = rolling().migrating(RESTORABLE);
    let refused = rollback(&setup, &v1_runs(), &way).unwrap_err();
    assert!(refused.reason.contains("v1.5 is not known"), "{refused:?}");
    assert!(refused.hint.contains("--preserve-data"), "{refused:?}");
    let told = Return { preserve_data: true, ..way };
    assert!(rollback(&setup, &v1_runs(), &told).is_ok());
    assert!(rollback(&rolling(), &v1_runs(), &way).is_ok(), "nothing migrates");
}
