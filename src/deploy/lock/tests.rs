use std::cell::RefCell;

use super::*;
use crate::exit::{Exit, classify};
use crate::host::clock::Moment;
use crate::host::pid::End;
use crate::host::signals::Cancel;

const NO: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

struct Place {
    scope: Scope,
    state: State,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope::new("shop", "production").unwrap();
        Self { scope, state: State::at(folder.path()), _folder: folder }
    }

    fn wait(&self, run: &str, limit: Duration, cancel: &Cancel) -> anyhow::Result<Held> {
        let claim = Claim {
            run: run.into(),
            doing: format!("deploy {run}"),
            by: "alice".into(),
            deadline: LONG,
        };
        wait_in_line(&self.scope, &self.state, claim, limit, cancel, |_| ())
    }

    fn take(&self, run: &str) -> anyhow::Result<Held> {
        self.wait(run, NO, &Cancel::default())
    }

    fn owner(&self) -> Option<Owner> {
        owner(&self.scope, &self.state).unwrap()
    }

    fn runs_in_line(&self) -> Vec<String> {
        queue(&self.scope, &self.state).unwrap().into_iter().map(|waiter| waiter.run).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.state.folder(&self.scope).join(name)
    }

    fn tickets(&self) -> Vec<String> {
        crate::host::lock::names(&self.file("queue")).unwrap()
    }

    /// Until so many wait.
    fn until_in_line(&self, count: usize) {
        let started = Moment::now();
        while self.runs_in_line().len() != count {
            assert!(started.elapsed() < LONG, "{:?}", self.runs_in_line());
            std::thread::yield_now();
        }
    }
}

#[test]
fn d4_the_one_who_holds_it_is_told_to_the_next_one() {
    let place = Place::new();
    assert_eq!(place.owner(), None);
    assert!(place.runs_in_line().is_empty());
    assert!(!place.file("").exists(), "asking makes nothing");
    let held = place.take("r1").unwrap();
    let owner = place.owner().unwrap();
    assert_eq!((owner.run.as_str(), owner.fence), ("r1", held.fence()));
    assert_eq!((owner.pid, owner.deadline_ms), (std::process::id(), 60_000));
    let error = place.take("r2").unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("shop in production is being changed already: `deploy r1` by alice, ")
    );
    assert!(text.contains(&format!("process {}", owner.pid)) && text.ends_with("run r1"), "{text}");
    let (exit, hint) = classify(&error);
    assert!(exit == Exit::Error && hint.unwrap().contains("waveoff unlock --run r1"), "{hint:?}");
    assert!(place.tickets().is_empty(), "who has given up is not in line");
    held.check().unwrap();
    drop(held);
    assert_eq!(place.owner(), None);
    place.take("r2").unwrap();
}

#[test]
fn each_owner_has_a_larger_number_even_when_a_file_is_lost() {
    let place = Place::new();
    let numbers: Vec<u64> = (1..4).map(|n| place.take(&format!("r{n}")).unwrap().fence()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    files::remove(place.file("fence")).unwrap();
    assert_eq!(place.take("r4").unwrap().fence(), 4);
    files::replace(place.file("fence"), b"four").unwrap();
    let error = place.take("r5").unwrap_err().to_string();
    assert!(error.contains("fence has no number in it: \"four\""), "{error}");
    assert_eq!(place.owner(), None, "who may not own it does not hold it");
}

#[test]
fn an_owner_without_its_number_or_its_file_does_nothing_more() {
    let place = Place::new();
    let held = place.take("r1").unwrap();
    for (content, why) in [(&b"9"[..], "had 1 and is 9 now"), (b"1", ""), (b"x", "no number")] {
        files::replace(place.file("fence"), content).unwrap();
        match held.check() {
            Ok(()) => assert!(why.is_empty()),
            Err(error) => assert!(!why.is_empty() && error.to_string().contains(why), "{error}"),
        }
    }
    files::remove(place.file("fence")).unwrap();
    assert!(held.check().unwrap_err().to_string().contains("had 1 and is gone"));
    files::replace(place.file("fence"), b"1").unwrap();
    files::replace(place.file("lock"), b"").unwrap();
    assert!(held.check().unwrap_err().to_string().contains("is another one now"));
}

#[test]
fn a_half_written_owner_is_somebody() {
    let place = Place::new();
    let held = place.take("r1").unwrap();
    for text in ["", "{\"run\":\"r1\",\"pi", "null", "\0\0"] {
        held.lock.write(text).unwrap();
        let owner = place.owner().unwrap();
        assert_eq!(owner.to_string(), "by somebody who has not said who", "{text:?}");
        let error = break_lock(&place.scope, &place.state, "", NO).unwrap_err();
        assert!(error.to_string().contains("has not said who"), "{error}");
        assert!(place.take("r2").unwrap_err().to_string().contains("has not said who"));
    }
    held.check().unwrap();
}

#[test]
fn while_the_owner_changes_nobody_is_taken_for_it_who_is_not() {
    let place = Place::new();
    drop(place.take("r1").unwrap());
    // Between locking the file and writing himself into it.
    let _moment = Files::of(&place.scope, &place.state).hold().unwrap();
    let _locked = lock::try_take(&place.file("lock")).unwrap().unwrap();
    assert_eq!(place.owner(), Some(Owner::default()), "r1 is not the owner any more");
}

#[test]
fn who_waits_hears_of_every_change() {
    let place = Place::new();
    let first = RefCell::new(Some(place.take("r1").unwrap()));
    let told = RefCell::new(Vec::new());
    let claim = |run: &str| Claim {
        run: run.into(),
        doing: "deploy v2".into(),
        by: "bob".into(),
        deadline: LONG,
    };
    let held = wait_in_line(
        &place.scope,
        &place.state,
        claim("r2"),
        LONG,
        &Cancel::default(),
        |waiting| {
            told.borrow_mut().push(waiting.to_string());
            first.borrow_mut().take();
        },
    );
    assert_eq!(place.owner().unwrap().run, "r2");
    drop(held.unwrap());
    let told = told.into_inner();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("waits in line: 1st; `deploy r1` by alice, process "), "{told:?}");
    let numbers = [1, 2, 3, 4, 11, 12, 13, 21, 101, 111].map(super::queue::ordinal);
    assert_eq!(
        numbers,
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th"]
    );
}

#[test]
fn d4_nobody_overtakes_and_nobody_is_sent_away() {
    let place = Place::new();
    let first = place.take("r0").unwrap();
    let order = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for n in 1..=5 {
            let (place, order) = (&place, &order);
            scope.spawn(move || {
                let held = place.wait(&format!("r{n}"), LONG, &Cancel::default()).unwrap();
                order.lock().unwrap().push((n, held.fence()));
            });
            place.until_in_line(n);
        }
        assert_eq!(place.runs_in_line(), ["r1", "r2", "r3", "r4", "r5"]);
        let error = place.take("r6").unwrap_err().to_string();
        assert!(
            error.contains("by alice") && error.ends_with("; 5 others wait in line"),
            "{error}"
        );
        drop(first);
    });
    assert_eq!(*order.lock().unwrap(), [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]);
    assert!(place.tickets().is_empty());
}

#[test]
fn tickets_of_the_dead_are_swept_and_a_lost_counter_is_no_matter() {
    let place = Place::new();
    drop(place.take("r1").unwrap());
    files::replace(place.file("queue/00000007-dead"), b"{}").unwrap();
    files::replace(place.file("queue/.counter"), b"torn").unwrap();
    assert!(place.runs_in_line().is_empty());
    assert_eq!(place.tickets().len(), 1, "asking sweeps nothing");
    drop(place.take("r2").unwrap());
    assert!(place.tickets().is_empty());
    assert_eq!(files::read_text(place.file("queue/.counter")).unwrap(), "8");
}

#[test]
fn d4_a_cancelled_waiter_leaves_the_line() {
    let place = Place::new();
    let held = place.take("r1").unwrap();
    let cancel = Cancel::default();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| place.wait("r2", LONG, &cancel));
        place.until_in_line(1);
        cancel.set("SIGTERM");
        let error = waiter.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cancelled by SIGTERM while waiting in line");
        assert_eq!(classify(&error).0, Exit::Error);
    });
    assert!(place.tickets().is_empty());
    held.check().unwrap();
}

#[test]
fn only_the_owner_s_own_lock_is_broken() {
    let place = Place::new();
    let error = break_lock(&place.scope, &place.state, "r1", NO).unwrap_err();
    assert_eq!(error.to_string(), "nobody holds the lock of shop in production");
    assert!(!place.file("").exists(), "nothing is made");
    let held = place.take("r1").unwrap();
    let error = break_lock(&place.scope, &place.state, "r2", NO).unwrap_err();
    let (exit, hint) = classify(&error);
    assert!(exit == Exit::Usage && hint.unwrap().contains("run r1"), "{hint:?}");
    held.check().unwrap();
    drop(held);
    assert!(break_lock(&place.scope, &place.state, "r1", NO).is_err());
}

#[test]
fn a_lock_of_another_machine_is_broken_by_the_fence_alone() {
    let place = Place::new();
    let held = place.take("r1").unwrap();
    let there = Owner { host: "elsewhere".into(), ..place.owner().unwrap() };
    held.lock.write(&serde_json::to_string(&there).unwrap()).unwrap();
    let broken = break_lock(&place.scope, &place.state, "r1", NO).unwrap();
    assert_eq!(broken.owner, there);
    assert!(matches!(broken.ended, Ended::Unknown(why) if why.contains("it is on elsewhere")));
    assert!(held.check().is_err(), "the old one finds out");
    let next = place.take("r2").unwrap();
    next.check().unwrap();
    assert_eq!(next.fence(), held.fence() + 2);
    drop(held);
    next.check().unwrap();
    assert_eq!(place.owner().unwrap().run, "r2");
}

#[test]
fn an_owner_whose_process_is_another_one_now_is_not_killed() {
    let place = Place::new();
    let held = place.take("r1").unwrap();
    let owner = place.owner().unwrap();
    let other = Owner { ticks: owner.ticks.map(|ticks| ticks + 1), ..owner };
    held.lock.write(&serde_json::to_string(&other).unwrap()).unwrap();
    let broken = break_lock(&place.scope, &place.state, "r1", NO).unwrap();
    assert_eq!(broken.ended, Ended::Gone(End::WasGone), "and we still live");
    assert!(held.check().is_err());
}
