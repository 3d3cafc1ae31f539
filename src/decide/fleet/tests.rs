use super::*;

fn mark(before: Option<&str>) -> Mark {
    Mark {
        id: "f1".into(),
        version: "v2".into(),
        hosts: vec!["a".into(), "b".into(), "c".into()],
        before: before.map(str::to_owned),
    }
}

fn member(host: &str, live: &str, mark: Option<Mark>) -> Member {
    Member { host: host.into(), live: Some(live.into()), mark }
}

/// The hosts that get something back.
fn back(members: &[Member]) -> Vec<String> {
    match finish(members) {
        Some(Finish::BringBack { hosts, .. }) => {
            hosts.into_iter().map(|(host, version)| format!("{host} {version}")).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn d11_without_a_mark_there_is_nothing_to_finish() {
    assert_eq!(finish(&[]), None);
    assert_eq!(finish(&[member("a", "v2", None), member("b", "v1", None)]), None);
}

#[test]
fn d11_what_every_host_has_stays() {
    let all = [
        member("a", "v2", Some(mark(Some("v1")))),
        member("b", "v2", None),
        member("c", "v2", Some(mark(Some("v1")))),
    ];
    assert_eq!(finish(&all), Some(Finish::AllNew { mark: mark(Some("v1")) }));
}

#[test]
fn d11_what_one_host_has_not_goes_from_the_others_the_last_one_first() {
    let all = [
        member("a", "v2", Some(mark(Some("v1")))),
        member("b", "v2", Some(mark(Some("v0")))),
        member("c", "v1", None),
    ];
    assert_eq!(back(&all), ["b v0", "a v1"]);
    // Whoever is back already is left alone.
    let all = [
        member("a", "v2", Some(mark(Some("v1")))),
        member("b", "v0", Some(mark(Some("v0")))),
        member("c", "v1", Some(mark(Some("v1")))),
    ];
    assert_eq!(back(&all), ["a v1"]);
}

#[test]
fn d11_a_host_that_had_it_before_keeps_it() {
    let all = [
        member("a", "v2", Some(mark(Some("v2")))),
        member("b", "v2", None),
        member("c", "v1", Some(mark(Some("v1")))),
    ];
    assert_eq!(back(&all), Vec::<String>::new());
}

#[test]
fn d11_a_first_deployment_has_nothing_to_come_back() {
    let nothing = Member { live: None, ..member("b", "", Some(mark(None))) };
    let all = [member("a", "v2", Some(mark(None))), nothing, member("c", "v2", None)];
    let Some(Finish::BringBack { hosts, stuck, .. }) = finish(&all) else { panic!() };
    assert_eq!((hosts.len(), stuck), (0, vec!["a".to_owned()]));
}

#[test]
fn d11_a_host_that_is_not_named_any_more_decides_against_it() {
    // The configuration has lost c: whether it has the release is not known, so it is not all new.
    let all =
        [member("a", "v2", Some(mark(Some("v1")))), member("b", "v2", Some(mark(Some("v1"))))];
    assert_eq!(back(&all), ["b v1", "a v1"]);
}

#[test]
fn d11_marks_of_different_deployments_are_finished_one_after_the_other() {
    let other = Mark { id: "f2".into(), version: "v3".into(), ..mark(Some("v2")) };
    let all = [
        member("a", "v2", Some(mark(Some("v1")))),
        member("b", "v3", Some(other)),
        member("c", "v1", None),
    ];
    assert_eq!(back(&all), ["a v1"]);
}

#[test]
fn d11_whoever_was_out_of_reach_goes_on_only_when_all_is_as_he_left_it() {
    let before = [member("a", "v1", None), member("b", "v1", None)];
    let done = member("a", "v2", Some(mark(Some("v1"))));
    let still = |members: &[Member]| is_own_still(members, "f1", &["a"], &before);
    assert!(still(&[done.clone(), member("b", "v1", None)]));
    assert!(still(std::slice::from_ref(&done)));
    // One that has failed is back, and has its mark.
    assert!(still(&[done.clone(), member("b", "v1", Some(mark(Some("v1"))))]));
    assert!(!still(&[member("a", "v1", Some(mark(Some("v1")))), member("b", "v1", None)]));
    assert!(!still(&[member("a", "v2", None), member("b", "v1", None)]));
    assert!(!still(&[done.clone(), member("b", "v3", None)]));
    let other = Mark { id: "f2".into(), ..mark(Some("v1")) };
    assert!(!still(&[done.clone(), member("b", "v1", Some(other))]));
    assert!(!still(&[done, member("c", "v1", None)]));
}
