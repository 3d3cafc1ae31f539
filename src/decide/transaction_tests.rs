use super::*;
use crate::decide::history::{History, Live, Record};
use crate::decide::plan::Plan;
use proptest::prelude::*;

fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

fn act(name: &str) -> Act {
    Act::Pause { ms: 0, reason: name.into() }
}

fn operation(name: &str, undone: bool) -> Operation {
    let operation = Operation::new(name, act(name));
    if undone { operation.undo(act(&format!("undo {name}"))) } else { operation }
}

/// Two operations that can be taken back, a look, what proves the way back, and a cleanup.
fn plan(back: Option<&str>) -> Plan {
    Plan {
        strategy: "rolling".into(),
        back: back.map(release),
        forward: vec![operation("a", true), operation("b", true), operation("look", false)],
        restored: back.map(|_| operation("proof", false)).into_iter().collect(),
        cleanup: vec![operation("sweep", false), operation("rest", false)],
    }
}

fn begun(way: Way, back: Option<&str>) -> Begun {
    Begun {
        deployment: "d".into(),
        way,
        release: release("v2"),
        target: back.map(release),
        live: back.map(release),
        by: Some("me".into()),
        reason: "too slow".into(),
        plan: plan(back),
        keeping: crate::decide::journal::Keeping::default(),
    }
}

/// Walks to the end; `wrong` names what goes wrong. Gives what was done, in words, and the entries.
fn walk(begun: Begun, wrong: impl Fn(&str) -> bool) -> (Vec<String>, Vec<Entry>, Outcome) {
    let mut transaction = Transaction::new(begun.clone());
    let mut entries = vec![Entry::Begun(Box::new(begun))];
    let mut told = Vec::new();
    loop {
        let entry = match transaction.next() {
            Next::Over(outcome) => return (told, entries, outcome),
            next => step(next, &mut told, &wrong),
        };
        transaction.apply(&entry);
        entries.push(entry);
    }
}

fn step(next: Next<'_>, told: &mut Vec<String>, wrong: &impl Fn(&str) -> bool) -> Entry {
    match next {
        Next::Record(event) => {
            let word = serde_json::to_value(&event).unwrap()["event"].as_str().unwrap().to_owned();
            told.push(word.clone());
            if wrong(&word) {
                let reason = format!("{word} went wrong");
                return match event {
                    Event::Started { .. } | Event::Mutating => Entry::Interrupted { reason },
                    event => Entry::Unrecorded { event, reason },
                };
            }
            Entry::Recorded(event)
        }
        Next::Intend(place, _) => Entry::Intent(place),
        Next::Do(place, Act::Pause { reason, .. }) => {
            told.push(reason.clone());
            match wrong(reason) {
                true => Entry::Failed { place, reason: format!("{reason} went wrong") },
                false => Entry::Done { place, detail: String::new() },
            }
        }
        Next::Do(..) | Next::Over(_) => unreachable!("no such act here"),
        Next::Commit => Entry::Committed,
        Next::End => Entry::Ended,
    }
}

#[test]
fn d6_a_good_release_is_committed_then_recorded_then_swept_behind() {
    let (told, entries, outcome) = walk(begun(Way::Deploy, Some("v1")), |_| false);
    assert_eq!(outcome, Outcome::Verified);
    assert_eq!(told, ["started", "mutating", "a", "b", "look", "verified", "sweep", "rest"]);
    let at = |wanted: &Entry| entries.iter().position(|entry| entry == wanted).unwrap();
    assert!(at(&Entry::Committed) < at(&Entry::Recorded(Event::Verified)));
    assert_eq!(entries.last(), Some(&Entry::Ended));
}

#[test]
fn d7_every_act_is_intended_before_it_is_done() {
    let (_, entries, _) = walk(begun(Way::Deploy, Some("v1")), |name| name == "look");
    for (at, entry) in entries.iter().enumerate() {
        if let Entry::Done { place, .. } | Entry::Failed { place, .. } = entry {
            assert_eq!(entries[at - 1], Entry::Intent(*place));
        }
    }
}

#[test]
fn d6_what_fails_is_taken_back_in_reverse_with_what_came_before_it() {
    let (told, _, outcome) = walk(begun(Way::Deploy, Some("v1")), |name| name == "look");
    assert_eq!(outcome, Outcome::RolledBack("look went wrong".into()));
    let back = ["failed", "undo b", "undo a", "proof", "rolled-back"];
    assert_eq!(told[5..], back, "{told:?}");
    // What failed may have been done by half.
    let (told, _, _) = walk(begun(Way::Deploy, Some("v1")), |name| name == "a");
    assert_eq!(told[2..], ["a", "failed", "undo a", "proof", "rolled-back"]);
}

#[test]
fn r4_a_rollback_that_goes_wrong_is_never_called_one_and_never_rolled_back() {
    for wrong in ["undo b", "undo a", "proof"] {
        let (told, _, outcome) =
            walk(begun(Way::Deploy, Some("v1")), |name| name == wrong || name == "look");
        assert!(matches!(outcome, Outcome::RollbackFailed { .. }), "{outcome:?}");
        let last = told.len() - 1;
        assert_eq!(told[last - 1..], [wrong, "rollback-failed"], "nothing is touched after it");
    }
    for wrong in ["a", "b", "look"] {
        let (told, _, outcome) = walk(begun(Way::Rollback, Some("v1")), |name| name == wrong);
        assert!(matches!(outcome, Outcome::RollbackFailed { .. }), "{outcome:?}");
        assert_eq!(told[told.len() - 2..], [wrong, "rollback-failed"]);
    }
}

#[test]
fn behind_a_point_of_no_return_a_person_is_called_and_nothing_is_touched() {
    let mut begun = begun(Way::Deploy, Some("v1"));
    begun.plan.forward[1].no_way_back = Some("it cannot be taken back".into());
    let (told, _, outcome) = walk(begun.clone(), |name| name == "look");
    assert!(matches!(outcome, Outcome::RollbackFailed { .. }), "{outcome:?}");
    assert_eq!(told[5..], ["failed", "rollback-failed"]);
    // Before it was begun there is a way back.
    let (told, _, _) = walk(begun, |name| name == "a");
    assert_eq!(told[2..], ["a", "failed", "undo a", "proof", "rolled-back"]);
}

#[test]
fn e2_without_a_target_it_fails_and_says_so() {
    let (told, _, outcome) = walk(begun(Way::Deploy, None), |name| name == "look");
    assert_eq!(outcome, Outcome::Failed("look went wrong".into()));
    assert_eq!(told[5..], ["failed", "undo b", "undo a"]);
}

#[test]
fn a_ledger_that_cannot_be_written_stops_it_before_anything_is_touched() {
    for (wrong, tried) in
        [("started", vec!["started"]), ("mutating", vec!["started", "mutating", "failed"])]
    {
        let (told, _, outcome) = walk(begun(Way::Deploy, Some("v1")), |name| name == wrong);
        assert!(matches!(outcome, Outcome::Untouched(_)), "{outcome:?}");
        assert_eq!(told, tried);
    }
}

#[test]
fn r5_a_rollback_by_hand_begins_with_its_intent() {
    let (told, _, outcome) = walk(begun(Way::Rollback, Some("v1")), |_| false);
    assert_eq!(outcome, Outcome::RolledBack("too slow".into()));
    assert_eq!(told, ["mutating", "a", "b", "look", "rolled-back", "sweep", "rest"]);
}

#[test]
fn what_others_deployed_is_recorded_and_not_started() {
    let nothing = Begun { plan: Plan::default(), ..begun(Way::Confirmed, Some("v1")) };
    let (told, _, outcome) = walk(nothing, |_| false);
    assert_eq!(outcome, Outcome::Verified);
    assert_eq!(told, ["started", "mutating", "verified"]);
    // What cannot be written of a failure keeps nobody from going back.
    let (told, _, _) = walk(begun(Way::FailedElsewhere, Some("v1")), |name| name == "failed");
    assert_eq!(told[..4], ["started", "mutating", "failed", "a"]);
}

#[test]
fn a_cleanup_that_fails_leaves_the_release_verified() {
    let (told, _, outcome) = walk(begun(Way::Deploy, Some("v1")), |name| name == "sweep");
    assert_eq!(outcome, Outcome::Verified);
    assert_eq!(told.last().unwrap(), "rest");
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Deploy), Just(Way::Rollback), Just(Way::FailedElsewhere)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Killed after any entry and gone on with: it ends, and as the ledger says; before the commit
    /// a deployment goes back, behind it never.
    #[test]
    fn d7_an_interrupted_transaction_converges(way in ways(), cuts in prop::collection::vec(1_usize..24, 1..4)) {
        let begun = begun(way, Some("v1"));
        let mut entries = walk(begun, |_| false).1;
        let mut told = Vec::new();
        for cut in cuts {
            entries.truncate(cut);
            let mut transaction = Transaction::of(&entries).unwrap();
            if transaction.is_over() {
                break;
            }
            let killed = Entry::Interrupted { reason: "killed".into() };
            transaction.apply(&killed);
            entries.push(killed);
            while !matches!(transaction.next(), Next::Over(_)) {
                let entry = step(transaction.next(), &mut told, &|_| false);
                transaction.apply(&entry);
                entries.push(entry);
            }
        }
        let transaction = Transaction::of(&entries).unwrap();
        prop_assert!(transaction.is_over());
        let committed = entries.contains(&Entry::Committed);
        let records: Vec<Record> = entries.iter().filter_map(|entry| match entry {
            Entry::Recorded(event) => Some(event.clone()),
            _ => None,
        }).zip(1..).map(|(event, seq)| Record {
            seq, at: String::new(), service: "s".into(), environment: "e".into(),
            deployment: "d".into(), event,
        }).collect();
        let live = History::of(&records, "s", "e").live();
        match transaction.outcome() {
            Outcome::Verified => {
                prop_assert!(committed && way == Way::Deploy);
                prop_assert_eq!(live, Live::Verified(release("v2"), String::new()));
            }
            Outcome::RolledBack(_) if way == Way::Deploy => {
                prop_assert!(!committed);
                prop_assert_eq!(live, Live::Verified(release("v1"), String::new()));
            }
            Outcome::RolledBack(_) => prop_assert!(committed),
            Outcome::Untouched(_) => prop_assert!(!committed),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// Whatever goes wrong, it ends, and nothing failed is ever called verified.
    #[test]
    fn every_transaction_ends_all_new_all_old_or_with_a_person(
        way in ways(),
        target: bool,
        wrong in prop::collection::btree_set("(a|b|look|undo a|undo b|proof|sweep|failed|verified)", 0..4),
    ) {
        let (told, _, outcome) = walk(begun(way, target.then_some("v1")), |name| wrong.contains(name));
        let bad = ["a", "b", "look"].iter().any(|name| wrong.contains(*name));
        let verified = told.iter().any(|name| name == "verified");
        prop_assert_eq!(outcome == Outcome::Verified, verified);
        prop_assert!(!(bad && verified));
    }
}
