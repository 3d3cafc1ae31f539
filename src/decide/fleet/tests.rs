use super::course::{Course, Done, Step};
use super::*;

/// `v2` is a version, and `v2 a,b` one with digests.
fn release(name: &str) -> Release {
    let (version, digests) = name.split_once(' ').unwrap_or((name, ""));
    let digests = digests.split(',').filter(|digest| !digest.is_empty()).map(str::to_owned);
    Release { version: version.into(), sha: None, digests: digests.collect() }
}

fn mark_of(id: &str, new: &str, before: Option<&str>) -> Mark {
    let hosts = ["a", "b", "c"].map(str::to_owned).into();
    Mark::new(id.into(), hosts, &release(new), before.map(release).as_ref())
}

fn mark(before: Option<&str>) -> Mark {
    mark_of("f1", "v2", before)
}

fn member(host: &str, live: &str, mark: Option<Mark>) -> Member {
    Member { host: host.into(), live: Some(release(live)), mark, over: None }
}

/// The same, where that deployment is known to be over.
fn told(host: &str, live: &str, over: Mark) -> Member {
    Member { over: Some(over), ..member(host, live, None) }
}

/// The hosts that get something back.
fn back(members: &[Member]) -> Vec<String> {
    match finish(members) {
        Some(Finish::BringBack { hosts, .. }) => {
            let name = |release: Release| [vec![release.version], release.digests].concat();
            hosts.into_iter().map(|(host, was)| format!("{host} {}", name(was).join(" "))).collect()
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
        // It had it before.
        member("b", "v2", Some(mark(Some("v2")))),
        // It has heard that it is over.
        told("c", "v2", mark(Some("v1"))),
    ];
    assert_eq!(finish(&all), Some(Finish::AllNew { mark: mark(Some("v1")) }));
}

#[test]
fn d11_the_same_version_with_other_digests_is_another_release() {
    let again = |before| mark_of("f1", "v2 x", Some(before));
    let all = [
        member("a", "v2 x", Some(again("v2 o"))),
        member("b", "v2 x", Some(again("v2 o"))),
        // Never come to.
        member("c", "v2 o", None),
    ];
    assert_eq!(back(&all), ["b v2 o", "a v2 o"]);
    // Come to, and failed there.
    let failed = member("c", "v2 o", Some(again("v2 o")));
    assert_eq!(back(&[all[0].clone(), all[1].clone(), failed]), ["b v2 o", "a v2 o"]);
    // Each host has digests of its own.
    let own = mark_of("f1", "v2 y", Some("v2 p"));
    let all = [all[0].clone(), all[1].clone(), member("c", "v2 y", Some(own.clone()))];
    assert!(matches!(finish(&all), Some(Finish::AllNew { .. })));
    // Whoever was told that it is over, and has something else since, has it no more.
    let since = told("c", "v2 z", own);
    assert_eq!(back(&[all[0].clone(), all[1].clone(), since]), ["b v2 o", "a v2 o"]);
}

#[test]
fn d7_d11_a_host_with_neither_is_left_to_a_person() {
    let again = mark_of("f1", "v2", Some("v2"));
    let all = [
        member("a", "v2", Some(again.clone())),
        // The same once more failed there, and an older one came back.
        member("b", "v1", Some(again.clone())),
        // Its way back failed, too.
        Member { live: None, ..member("c", "", Some(again)) },
    ];
    let Some(Finish::BringBack { hosts, stuck, strays, .. }) = finish(&all) else { panic!() };
    assert_eq!((hosts.len(), stuck.len()), (0, 0));
    assert_eq!(strays, ["c", "b"]);
    let mut course = Course::new(["a", "b", "c"].map(str::to_owned).into(), None);
    course.heard(Some(all.into()));
    course.back(&[]);
    course.told();
    course.heard(Some(vec![member("a", "v2", None), member("b", "v1", None)]));
    assert_eq!(course.step(), Step::Done(Done::Unsettled));
}

#[test]
fn d11_marks_of_older_programs_go_by_versions() {
    let old = Mark { digests: None, ..mark(Some("v1")) };
    let all = [
        member("a", "v2 x", Some(old.clone())),
        member("b", "v2 y", None),
        member("c", "v2 z", Some(old.clone())),
    ];
    assert_eq!(finish(&all), Some(Finish::AllNew { mark: old.clone() }));
    let all = [member("a", "v2 x", Some(old)), member("b", "v1", None), member("c", "v1", None)];
    assert_eq!(back(&all), ["a v1"]);
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
    let other = mark_of("f2", "v3", Some("v2"));
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
