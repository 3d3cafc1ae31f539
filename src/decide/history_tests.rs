use super::*;

fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

fn started(version: &str) -> Event {
    Event::Started { release: release(version), by: None }
}

fn rolled_back(to: &str) -> Event {
    Event::RolledBack { to: release(to), reason: "bad".into() }
}

/// A history of (deployment, event), in order.
fn history(events: Vec<(&str, Event)>) -> History {
    let records: Vec<Record> = events
        .into_iter()
        .enumerate()
        .map(|(index, (id, event))| Record {
            seq: index as u64 + 1,
            at: format!("2026-01-01T00:00:{index:02}Z"),
            service: "shop".into(),
            environment: "production".into(),
            deployment: id.into(),
            event,
        })
        .collect();
    History::of(&records, "shop", "production")
}

fn good<'a>(id: &'a str, version: &str) -> Vec<(&'a str, Event)> {
    vec![(id, started(version)), (id, Event::Mutating), (id, Event::Verified)]
}

#[test]
fn e2_a_first_deployment_has_no_target() {
    let first = history(vec![("a", started("v1")), ("a", Event::Mutating)]);
    assert_eq!(first.target(&release("v1")), None);
    assert_eq!(history(vec![]).live(), Live::Nothing);
}

#[test]
fn e2_only_verified_releases_are_targets_and_never_simply_the_one_before() {
    let mut events = good("a", "v1");
    events.extend([("b", started("v2")), ("b", Event::Mutating)]);
    events.push(("b", Event::Failed { reason: "x".into() }));
    events.extend([("c", started("v3")), ("c", Event::Mutating)]);
    let history = history(events);
    assert_eq!(history.target(&release("v3")), Some(&release("v1")));
    assert!(matches!(history.live(), Live::Unknown(d) if d.id == "c"));
}

#[test]
fn e2_the_target_is_what_a_rollback_left_running() {
    let mut events = good("a", "v1");
    events.extend(good("b", "v2"));
    events.extend([("c", started("v2")), ("c", rolled_back("v1"))]);
    events.extend([("d", started("v3"))]);
    let history = history(events);
    assert!(matches!(history.live(), Live::Verified(live, _) if live == release("v1")));
    assert_eq!(history.target(&release("v3")), Some(&release("v1")));
}

#[test]
fn a_deployment_that_touched_nothing_changes_nothing() {
    let mut events = good("a", "v1");
    events.extend([("b", started("v2")), ("b", Event::Failed { reason: "x".into() })]);
    assert!(matches!(history(events).live(), Live::Verified(live, _) if live == release("v1")));
}

#[test]
fn the_same_artifacts_are_no_target_of_themselves() {
    let digests = |d: &str| Release { digests: vec![d.into()], ..release("latest") };
    assert!(!digests("sha256:a").is_same(&digests("sha256:b")));
    assert!(digests("sha256:a").is_same(&release("latest")));
    let again = history(good("a", "v1"));
    assert_eq!(again.target(&release("v1")), None);
}

#[test]
fn other_services_and_environments_do_not_count() {
    let record = Record {
        seq: 1,
        at: String::new(),
        service: "other".into(),
        environment: "production".into(),
        deployment: "a".into(),
        event: started("v1"),
    };
    assert_eq!(History::of([&record], "shop", "production"), History::default());
}

#[test]
fn e2_behind_what_a_rollback_brought_back_is_not_what_it_went_over() {
    let mut events: Vec<_> = [("a", "v1"), ("b", "v2"), ("c", "v3")]
        .into_iter()
        .flat_map(|(id, version)| good(id, version))
        .collect();
    assert_eq!(history(events.clone()).before(&release("v3")), Some(&release("v2")));
    events.extend([("c", Event::Mutating), ("c", rolled_back("v1"))]);
    let over = history(events.clone());
    assert!(matches!(over.live(), Live::Verified(live, _) if live == release("v1")));
    assert_eq!(over.before(&release("v1")), None);
    events.extend(good("d", "v1"));
    assert_eq!(history(events).before(&release("v1")), Some(&release("v2")), "deployed again");
    assert_eq!(history(vec![]).before(&release("v1")), None);
}

#[test]
fn e2_behind_a_rollback_that_failed_is_what_it_was_to_bring_back() {
    let mut events: Vec<_> =
        [("a", "v2"), ("b", "v1"), ("c", "v3")].into_iter().flat_map(|(i, v)| good(i, v)).collect();
    // By hand from v3 over v1 to v2; then v4 failed, and v2 could not be seen to be back.
    events.extend([("c", Event::Mutating), ("c", rolled_back("v2"))]);
    events.extend([("d", started("v4")), ("d", Event::Mutating)]);
    assert_eq!(history(events.clone()).target(&release("v4")), Some(&release("v2")));
    let lost = Event::RollbackFailed { to: release("v2"), reason: "the router is down".into() };
    events.extend([("d", Event::Failed { reason: "bad".into() }), ("d", lost)]);
    let lost = history(events);
    assert!(matches!(lost.live(), Live::Unknown(_)));
    assert_eq!(lost.target(&release("v4")), Some(&release("v2")));
    assert_eq!(lost.target(&release("v5")), Some(&release("v2")), "for the next one, too");
    assert_eq!(lost.target(&release("v2")), Some(&release("v1")));
}

#[test]
fn r1_a_rollback_by_hand_is_told_besides_the_one_before_it() {
    let mut events = good("a", "v1");
    events.extend(good("b", "v2"));
    events.extend([("c", started("v3")), ("c", Event::Mutating)]);
    events.extend([("c", Event::Failed { reason: "x".into() }), ("c", rolled_back("v2"))]);
    events.extend([("c", Event::Mutating), ("c", rolled_back("v1"))]);
    let history = history(events);
    let back = &history.deployments[2].brought_back;
    let versions: Vec<&str> = back.iter().map(|(to, _)| to.version.as_str()).collect();
    assert_eq!(versions, ["v2", "v1"]);
    assert!(history.deployments[1].brought_back.is_empty());
}
