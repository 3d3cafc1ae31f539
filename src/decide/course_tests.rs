use super::*;
use crate::decide::history::{History, Live, Record};
use proptest::prelude::*;

fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

/// Walks a course; `answers` says which steps go wrong. Gives the steps and the outcome.
fn walk(mut course: Course, mut answers: impl FnMut(&Next) -> bool) -> (Vec<Next>, Outcome) {
    let (mut steps, mut last) = (Vec::new(), Ok(()));
    loop {
        let next = course.next(last);
        if let Next::Done(outcome) = next {
            return (steps, outcome);
        }
        last = if answers(&next) { Ok(()) } else { Err(format!("{next:?} went wrong")) };
        steps.push(next);
    }
}

fn deploy(target: bool) -> Course {
    Course::deploy(release("v2"), target.then(|| release("v1")), Some("me".into()))
}

#[test]
fn a_good_release_is_recorded_as_verified() {
    let (steps, outcome) = walk(deploy(true), |_| true);
    assert_eq!(outcome, Outcome::Verified);
    assert_eq!(
        steps[1..],
        [
            Next::Record(Event::Mutating),
            Next::Act(Direction::Forward),
            Next::Verify(Direction::Forward),
            Next::Record(Event::Verified)
        ]
    );
}

#[test]
fn e2_without_a_target_it_fails_and_says_so() {
    let (steps, outcome) = walk(deploy(false), |next| *next != Next::Verify(Direction::Forward));
    assert!(matches!(outcome, Outcome::Failed(_)));
    assert!(!steps.contains(&Next::Act(Direction::Back)));
}

#[test]
fn a_ledger_that_cannot_be_written_stops_it_before_anything_is_touched() {
    for wrong in 0..2 {
        let mut number = 0;
        let (steps, outcome) = walk(deploy(true), |_| {
            number += 1;
            number != wrong + 1
        });
        assert!(matches!(outcome, Outcome::Untouched(_)), "{outcome:?}");
        assert!(!steps.iter().any(|step| matches!(step, Next::Act(_))), "{steps:?}");
    }
}

#[test]
fn r4_a_rollback_that_goes_wrong_is_never_called_one_and_never_rolled_back() {
    for wrong in [Next::Act(Direction::Back), Next::Verify(Direction::Back)] {
        let bad = |next: &Next| *next == wrong || *next == Next::Verify(Direction::Forward);
        let by_hand = Course::back(release("v2"), release("v1"), "too slow".into());
        for course in [deploy(true), by_hand] {
            let (steps, outcome) = walk(course, |next| !bad(next));
            assert!(matches!(outcome, Outcome::RollbackFailed { .. }), "{wrong:?}: {outcome:?}");
            let back = steps.iter().filter(|step| **step == Next::Act(Direction::Back)).count();
            assert_eq!(back, 1, "{steps:?}");
            let last = steps.last().unwrap();
            assert!(matches!(last, Next::Record(Event::RollbackFailed { .. })), "{steps:?}");
        }
    }
}

#[test]
fn r5_a_rollback_by_hand_begins_with_its_intent() {
    let course = Course::back(release("v2"), release("v1"), "too slow".into());
    let (steps, outcome) = walk(course, |_| true);
    assert_eq!(outcome, Outcome::RolledBack("too slow".into()));
    assert_eq!(
        steps,
        [
            Next::Record(Event::Mutating),
            Next::Act(Direction::Back),
            Next::Verify(Direction::Back),
            Next::Record(Event::RolledBack { to: release("v1"), reason: "too slow".into() })
        ]
    );
}

#[test]
fn what_others_deployed_is_recorded_and_not_started() {
    let (steps, outcome) = walk(Course::confirmed(release("v2"), None), |_| true);
    assert_eq!(outcome, Outcome::Verified);
    assert_eq!(steps[1..], [Next::Record(Event::Mutating), Next::Record(Event::Verified)]);
    // One that could not begin to be written leaves nothing that looks like a deployment.
    let (steps, outcome) =
        walk(Course::confirmed(release("v2"), None), |next| *next != Next::Record(Event::Mutating));
    assert!(matches!(outcome, Outcome::Untouched(_)), "{outcome:?}");
    assert!(!steps.contains(&Next::Record(Event::Verified)), "{steps:?}");
}

#[test]
fn what_others_deployed_and_failed_is_recorded_and_taken_back() {
    let course =
        Course::failed_elsewhere(release("v2"), release("v1"), None, "redis is down".into());
    let (steps, outcome) = walk(course.clone(), |_| true);
    assert_eq!(outcome, Outcome::RolledBack("redis is down".into()));
    assert_eq!(
        steps[1..],
        [
            Next::Record(Event::Mutating),
            Next::Record(Event::Failed { reason: "redis is down".into() }),
            Next::Act(Direction::Back),
            Next::Verify(Direction::Back),
            Next::Record(Event::RolledBack { to: release("v1"), reason: "redis is down".into() })
        ]
    );
    // What cannot be written of the failure keeps nobody from going back.
    let (steps, _) = walk(course, |next| !matches!(next, Next::Record(Event::Failed { .. })));
    assert!(steps.contains(&Next::Act(Direction::Back)), "{steps:?}");
}

proptest! {
    /// Whatever goes wrong: it ends; it goes back at most once and exactly when the way forward
    /// failed and there is a target; nothing failed is ever called verified.
    #[test]
    fn every_course_ends_all_new_all_old_or_with_a_person(
        target: bool,
        answers in prop::collection::vec(prop::bool::weighted(0.7), 12),
    ) {
        let mut answers = answers.into_iter();
        let mut wrong_forward = false;
        let (steps, outcome) = walk(deploy(target), |next| {
            let right = answers.next().unwrap();
            let forward = Next::Act(Direction::Forward) == *next
                || Next::Verify(Direction::Forward) == *next;
            wrong_forward |= forward && !right;
            right
        });
        let count = |wanted: Next| steps.iter().filter(|step| **step == wanted).count();
        let back = count(Next::Act(Direction::Back));
        prop_assert_eq!(back, usize::from(wrong_forward && target));
        prop_assert!(count(Next::Act(Direction::Forward)) <= 1);
        prop_assert_eq!(outcome == Outcome::Verified, count(Next::Record(Event::Verified)) == 1);
        prop_assert!(!(wrong_forward && outcome == Outcome::Verified));
    }

    /// What the ledger adds up to afterwards is how it ended.
    #[test]
    fn the_ledger_says_how_it_ended(answers in prop::collection::vec(any::<bool>(), 6)) {
        let mut answers = answers.into_iter();
        let acts = |next: &Next| matches!(next, Next::Act(_) | Next::Verify(_));
        let (steps, outcome) = walk(deploy(true), |next| !acts(next) || answers.next().unwrap());
        let events = steps.into_iter().filter_map(|step| match step {
            Next::Record(event) => Some(event),
            _ => None,
        });
        let records: Vec<Record> = events.zip(1..).map(|(event, seq)| Record {
            seq, at: String::new(), service: "s".into(), environment: "e".into(),
            deployment: "d".into(), event,
        }).collect();
        let live = History::of(&records, "s", "e").live();
        match outcome {
            Outcome::Verified => prop_assert_eq!(live, Live::Verified(release("v2"), String::new())),
            Outcome::RolledBack(_) => prop_assert_eq!(live, Live::Verified(release("v1"), String::new())),
            _ => prop_assert!(matches!(live, Live::Unknown(_))),
        }
    }
}
