//! Whoever comes last finds all hosts alike, or makes them so, whatever callers before did.

use super::super::simulation::{HOSTS, World};
use super::*;

const STORIES: u64 = if cfg!(debug_assertions) { 5_000 } else { 400_000 };

fn broken(stories: u64, change: impl Fn(&mut World)) -> Vec<String> {
    let tell = |seed| {
        let mut world = World::new(seed);
        change(&mut world);
        world.story().err().map(|why| format!("story {seed}: {why}"))
    };
    (1..=stories).filter_map(tell).collect()
}

#[test]
fn d7_d11_whatever_callers_do_the_last_one_finds_all_hosts_alike() {
    let broken = broken(STORIES, |_| ());
    assert!(broken.is_empty(), "{} of {STORIES}: {:?}", broken.len(), &broken[..1]);
}

#[test]
fn d7_d11_without_turns_they_would_not_be_alike() {
    assert!(!broken(STORIES, |world| world.is_fenced = false).is_empty());
}

#[test]
fn d7_d11_the_turns_alone_keep_them_alike_where_the_lock_fails() {
    let broken = broken(STORIES, |world| world.is_locked = false);
    assert!(broken.is_empty(), "{} of {STORIES}: {:?}", broken.len(), &broken[..1]);
}

#[test]
fn d11_a_release_goes_from_batch_to_batch() {
    let hosts = HOSTS.map(str::to_owned).to_vec();
    let known = Release { version: "v".into(), ..Release::default() };
    let live = Some(known.clone());
    let member = |host: &str| Member { host: host.into(), live: live.clone(), ..Member::default() };
    let mut course = Course::new(hosts, Some(Wanted { id: "f".into(), batch: 2 }));
    course.heard(Some(HOSTS.map(member).into()));
    course.held(Some(false), None);
    assert_eq!(course.step(), Step::Deploy(vec!["a".into(), "b".into()]));
    course.landed(&[Landed::Changed, Landed::Already]);
    course.held(Some(false), None);
    assert_eq!(course.step(), Step::Deploy(vec!["c".into()]));
    let mut failed = course.clone();
    course.landed(&[Landed::Changed]);
    // There is nothing to cancel any more.
    course.held(Some(false), Some("SIGINT"));
    assert_eq!(course.step(), Step::Over(Ending::Own("f".into())));
    course.told();
    assert_eq!(course.step(), Step::Done(Done::Live));
    failed.landed(&[Landed::Not]);
    failed.held(Some(false), None);
    let hosts = vec![("a".to_owned(), known)];
    assert_eq!(failed.step(), Step::Back(Way { of: None, hosts, ..Way::default() }));
    failed.back(&[true]);
    failed.told();
    assert_eq!(failed.step(), Step::Done(Done::TakenBack));
    assert_eq!(failed.obstacle(), Some(&Obstacle::Failed));
}
