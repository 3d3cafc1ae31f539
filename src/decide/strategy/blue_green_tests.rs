use super::super::fixtures::*;
use super::super::{Migration, deploy, rollback};
use super::*;

fn lines(setup: &Setup, current: &Current) -> Vec<String> {
    show(&deploy(setup, current, &wanted("v2")).unwrap())
}

fn back(setup: &Setup, current: &Current, migrated: bool) -> Vec<String> {
    let (failed, target) = (release("v2"), release("v1"));
    let migrations = [migrated_for_v2()];
    let migrated = if migrated { &migrations[..] } else { &[] };
    let way = Return { migrated, ..way(&failed, &target) };
    let plan = rollback(setup, current, &way).unwrap();
    assert!(plan.forward.iter().all(|operation| operation.undo.is_none()), "{plan:?}");
    assert_eq!((plan.strategy.as_str(), plan.restored.len()), ("blue-green", 0));
    show(&plan)
}

/// v2 has the traffic in green, and v1 is or is not in blue.
fn v2_in_green(blue: Option<&str>) -> Current {
    Current {
        live: Some(release("v2")),
        active: Some("green".into()),
        in_slots: [("blue", blue), ("green", Some("v2"))]
            .map(|(name, version)| (name.to_owned(), version.map(release)))
            .into(),
        ..v1_runs()
    }
}

#[test]
fn d4_the_idle_slot_is_looked_at_before_it_gets_the_traffic() {
    assert_eq!(
        lines(&blue_green(), &v1_in_blue()),
        [
            "start v2 in green | place shop@green v2 over ? | clear shop@green v2",
            "verify v2 in green | verify v2 in green",
            "open green to requests | mark | drain green 30000",
            "switch traffic to green | switch green v2 | switch blue v1",
            "verify v2 through the router | verify v2 by router green",
            "watch v2 for 5m | watch v2 by router green 300000 10000 3",
            "restored: verify v1 through the router | verify v1 by router blue",
            "restored: compare v1 with what was captured | compare v1",
            "cleanup: let the requests in blue end | drain blue 30000",
            "cleanup: stop v1 in blue | clear shop@blue v1",
        ]
    );
    let plan = deploy(&blue_green(), &v1_in_blue(), &wanted("v2")).unwrap();
    assert_eq!((plan.strategy.as_str(), plan.back), ("blue-green", Some(release("v1"))));
}

#[test]
fn d4_slots_alternate() {
    let plan = deploy(&blue_green(), &v2_in_green(None), &wanted("v3")).unwrap();
    assert_eq!(
        show(&plan)[..1],
        ["start v3 in blue | place shop@blue v3 over ? | clear shop@blue v3"]
    );
    assert!(show(&plan).contains(&"cleanup: stop v2 in green | clear shop@green v2".to_owned()));
}

#[test]
fn d4_times_and_limits_are_those_of_the_configuration() {
    let setup = blue_green_with(|own| {
        own.watch = Duration::ZERO;
        own.traffic_switch_delay = Duration::from_secs(60);
        own.health_check_timeout = Some(Duration::from_secs(600));
        own.keep_old = Some(Duration::from_secs(3600));
        own.drain = Duration::ZERO;
    });
    assert_eq!(
        lines(&Setup { compare: false, ..setup }, &v1_in_blue())[1..],
        [
            "verify v2 in green | verify v2 in green within 600000",
            "wait 1m for the traffic switch | pause 60000",
            "switch traffic to green | switch green v2 | switch blue v1",
            "verify v2 through the router | verify v2 by router green",
            "restored: verify v1 through the router | verify v1 by router blue",
            "cleanup: keep v1 in blue for 1h | keep blue v1 3600000",
        ]
    );
}

#[test]
fn d4_two_parts_are_started_before_either_gets_requests() {
    assert_eq!(
        lines(&blue_green().of(&["api", "web"]), &v1_in_blue()),
        [
            "start v2 of api in green | place api@green v2 over ? | clear web,api@green v2",
            "start v2 of web in green | place web@green v2 over ?",
            "verify v2 in green | verify v2 in green",
            "open green to requests | mark | drain green 30000",
            "switch traffic to green | switch green v2 | switch blue v1",
            "verify v2 through the router | verify v2 by router green",
            "watch v2 for 5m | watch v2 by router green 300000 10000 3",
            "restored: verify v1 through the router | verify v1 by router blue",
            "restored: compare v1 with what was captured | compare v1",
            "cleanup: let the requests in blue end | drain blue 30000",
            "cleanup: stop v1 in blue | clear web,api@blue v1",
        ]
    );
}

#[test]
fn d4_the_first_release_goes_to_the_first_slot_and_is_taken_away_when_it_fails() {
    let nowhere = Current { saved: Some("nowhere".into()), ..Current::default() };
    assert_eq!(
        lines(&blue_green().migrating(ONE_WAY), &nowhere),
        [
            "migrate for v2 | migrate v2 from ?",
            "start v2 in blue | place shop@blue v2 over ? | clear shop@blue v2",
            "verify v2 in blue | verify v2 in blue",
            "open blue to requests | mark | drain blue 30000",
            "switch traffic to blue | switch blue v2 | switch 'nowhere' ?",
            "verify v2 through the router | verify v2 by router blue",
            "watch v2 for 5m | watch v2 by router blue 300000 10000 3",
        ]
    );
}

#[test]
fn d4_without_a_way_back_for_the_traffic_nothing_is_taken_away() {
    let refused = deploy(&blue_green(), &v1_runs(), &wanted("v2")).unwrap_err();
    assert_eq!(refused.reason, "the traffic could not be sent back to v1");
    let plan = deploy(&blue_green(), &Current::default(), &wanted("v2")).unwrap();
    assert!(plan.forward.iter().all(|operation| operation.undo.is_none()), "{plan:?}");
    assert!(!show(&plan).iter().any(|line| line.starts_with("open")), "{plan:?}");
}

#[test]
fn d4_traffic_of_something_else_comes_back_in_the_words_of_the_router() {
    let foreign = Current { saved: Some("10.0.0.1:80".into()), ..v1_runs() };
    let lines = lines(&blue_green(), &foreign);
    assert_eq!(
        lines[3..],
        [
            "switch traffic to blue | switch blue v2 | switch '10.0.0.1:80' v1",
            "verify v2 through the router | verify v2 by router blue",
            "watch v2 for 5m | watch v2 by router blue 300000 10000 3",
            "restored: verify v1 through the router | verify v1 by router ?",
            "restored: compare v1 with what was captured | compare v1",
        ],
        "nor is anything stopped that is not ours"
    );
    // A slot that is not in the configuration any more is something else, too.
    let renamed = Current { active: Some("red".into()), ..foreign };
    assert_eq!(lines, self::lines(&blue_green(), &renamed));
}

#[test]
fn d4_what_is_live_is_not_stopped_when_the_traffic_goes_to_no_slot_alone() {
    // As HAProxy says after a restart that forgot the weights, or nginx after an edit by hand.
    let both = Current { active: None, ..v1_in_blue() };
    let start = |current: &Current| lines(&blue_green(), current)[0].clone();
    assert_eq!(
        start(&both),
        "start v2 in green | place shop@green v2 over ? | clear shop@green v2"
    );
    let with = |blue: Option<&str>, green: Option<&str>| Current {
        in_slots: [("blue", blue), ("green", green)]
            .map(|(name, version)| (name.to_owned(), version.map(release)))
            .into(),
        ..both.clone()
    };
    assert!(start(&with(Some("v1"), Some("v0"))).starts_with("start v2 in green"));
    assert!(start(&with(Some("v0"), Some("v1"))).starts_with("start v2 in blue"));
    let untold =
        Current { in_slots: [("blue".into(), Some(release("v1")))].into(), ..both.clone() };
    assert!(start(&untold).starts_with("start v2 in green"));
    // What is live is not known, and either may be it.
    let lost = Current { live: None, ..with(Some("v1"), Some("v0")) };
    let refused = deploy(&blue_green(), &lost, &wanted("v2")).unwrap_err();
    assert!(refused.reason.contains("may be live"), "{refused:?}");
    let chosen = Wanted { to_slot: Some("green".into()), ..wanted("v2") };
    assert!(deploy(&blue_green(), &lost, &chosen).is_ok(), "a person may know");
    let (failed, target) = (release("v1"), release("v0"));
    let way = way(&failed, &target);
    let plan = rollback(&blue_green(), &both, &way).unwrap();
    assert!(show(&plan)[0].starts_with("start v0 in green"), "{plan:?}");
}

#[test]
fn d4_an_active_slot_with_an_unknown_release_comes_back_as_it_was() {
    let unknown = Current { live: None, target: None, in_slots: [].into(), ..v1_in_blue() };
    let lines = lines(&blue_green(), &unknown);
    assert_eq!(lines[3], "switch traffic to green | switch green v2 | switch 'as it was' ?");
    assert_eq!(
        lines[6..],
        [
            "cleanup: let the requests in blue end | drain blue 30000",
            "cleanup: stop what runs in blue | clear shop@blue ?",
        ]
    );
    let refused = deploy(&blue_green().migrating(ONE_WAY), &unknown, &wanted("v2")).unwrap_err();
    assert!(refused.reason.contains("cannot be taken back"), "{refused:?}");
    let unsaved = Current { saved: None, ..unknown };
    assert_eq!(
        self::lines(&blue_green(), &unsaved)[3],
        "switch traffic to green | switch green v2 | switch blue ?"
    );
}

#[test]
fn d4_the_release_of_the_slot_comes_back_whatever_the_ledger_would_go_back_to() {
    // v2 is live in blue, and is deployed again.
    let again = Current {
        live: Some(release("v2")),
        in_slots: [("blue".to_owned(), Some(release("v2")))].into(),
        ..v1_in_blue()
    };
    let plan = deploy(&blue_green(), &again, &wanted("v2")).unwrap();
    assert_eq!(plan.back, Some(release("v2")));
    assert_eq!(show(&plan)[6], "restored: verify v2 through the router | verify v2 by router blue");
    let told = Current { in_slots: [].into(), ..v1_in_blue() };
    assert_eq!(deploy(&blue_green(), &told, &wanted("v2")).unwrap().back, Some(release("v1")));
}

#[test]
fn d4_a_kept_release_gives_its_slot_to_the_next_one() {
    let plan = deploy(&blue_green(), &v2_in_green(Some("v1")), &wanted("v3")).unwrap();
    assert_eq!(
        show(&plan)[0],
        "start v3 in blue | place shop@blue v3 over v1 | clear shop@blue v3"
    );
}

#[test]
fn d4_a_slot_can_be_chosen_unless_it_has_the_traffic() {
    let to = |slot: &str| Wanted { to_slot: Some(slot.into()), ..wanted("v2") };
    let plan = deploy(&blue_green(), &v1_in_blue(), &to("green")).unwrap();
    assert_eq!(show(&plan), lines(&blue_green(), &v1_in_blue()));
    let refused = deploy(&blue_green(), &v1_in_blue(), &to("blue")).unwrap_err();
    assert_eq!(refused.reason, "the slot `blue` has the traffic");
    assert!(refused.hint.contains("deploy to green"), "{refused:?}");
    let refused = deploy(&blue_green(), &v1_in_blue(), &to("red")).unwrap_err();
    assert_eq!(refused.reason, "there is no slot `red`");
    assert_eq!(refused.hint, "the slots are blue and green");

    let first = Current { saved: Some("nowhere".into()), ..Current::default() };
    let plan = deploy(&blue_green(), &first, &to("green")).unwrap();
    assert!(show(&plan)[0].starts_with("start v2 in green"), "{plan:?}");
    let empty = Current { in_slots: [("blue".into(), None)].into(), ..v1_in_blue() };
    let plan = deploy(&blue_green(), &empty, &to("blue")).unwrap();
    assert!(show(&plan)[0].starts_with("start v2 in blue"), "{plan:?}");
    assert_eq!((plan.back, plan.restored, plan.cleanup), (None, vec![], vec![]));
}

#[test]
fn d6_the_database_is_taken_back_behind_the_traffic_and_nothing_waits_for_it() {
    let lines = lines(&blue_green().migrating(RESTORABLE), &v1_in_blue());
    assert_eq!(
        lines[..4],
        [
            "migrate for v2 | migrate v2 from 7 | restore v2 to 7",
            "start v2 in green | place shop@green v2 over ? | clear shop@green v2",
            "verify v2 in green | verify v2 in green",
            "switch traffic to green | switch green v2 | switch blue v1",
        ]
    );
    let lines = self::lines(&blue_green().migrating(COMPATIBLE), &v1_in_blue());
    assert_eq!(lines[0], "migrate for v2 | migrate v2 from 7");
    assert_eq!(lines[3], "open green to requests | mark | drain green 30000");
}

#[test]
fn d6_behind_a_migration_without_a_way_back_nothing_is_taken_back() {
    let refused = deploy(&blue_green().migrating(ONE_WAY), &v1_in_blue(), &wanted("v2"));
    assert!(refused.unwrap_err().reason.contains("cannot be taken back"));
    let allowed = Migration { allowed: true, ..ONE_WAY };
    let plan = deploy(&blue_green().migrating(allowed), &v1_in_blue(), &wanted("v2")).unwrap();
    assert!(plan.forward[0].no_way_back.is_some(), "{plan:?}");
    assert!(plan.forward.iter().all(|operation| operation.undo.is_none()), "{plan:?}");
    assert_eq!((plan.back, plan.restored), (None, vec![]));
    assert_eq!(plan.cleanup.len(), 2, "{:?}", plan.cleanup);
}

#[test]
fn r6_a_rollback_to_a_kept_release_is_a_switch() {
    assert_eq!(
        back(&blue_green(), &v2_in_green(Some("v1")), false),
        [
            "verify v1 in blue | verify v1 in blue",
            "switch traffic to blue | switch blue v1",
            "verify v1 through the router | verify v1 by router blue",
            "compare v1 with what was captured | compare v1",
            "cleanup: let the requests in green end | drain green 30000",
            "cleanup: stop v2 in green | clear shop@green v2",
        ]
    );
}

#[test]
fn r5_a_rollback_starts_the_target_when_it_does_not_run() {
    let lines = back(&blue_green().migrating(RESTORABLE), &v2_in_green(Some("v0")), true);
    assert_eq!(
        lines[..4],
        [
            "take the migration for v2 back | restore v2 to 7",
            "start v1 in blue | back shop@blue v1 over v0",
            "verify v1 in blue | verify v1 in blue",
            "switch traffic to blue | switch blue v1",
        ]
    );
    // The traffic goes to something else, which is left alone.
    let foreign = Current { active: None, in_slots: [].into(), ..v2_in_green(None) };
    assert_eq!(
        back(&blue_green(), &foreign, false)[..3],
        [
            "start v1 in blue | back shop@blue v1 over ?",
            "verify v1 in blue | verify v1 in blue",
            "switch traffic to blue | switch blue v1",
        ]
    );
}

#[test]
fn r5_a_target_that_has_the_traffic_already_is_only_verified() {
    let verify = "verify v1 through the router | verify v1 by router blue";
    let compare = "compare v1 with what was captured | compare v1";
    assert_eq!(back(&blue_green(), &v1_in_blue(), false), [verify, compare]);
    let mut beside = v1_in_blue();
    beside.in_slots.insert("green".into(), Some(release("v2")));
    assert_eq!(
        back(&blue_green(), &beside, false)[2..],
        [
            "cleanup: let the requests in green end | drain green 30000",
            "cleanup: stop v2 in green | clear shop@green v2",
        ]
    );
}
