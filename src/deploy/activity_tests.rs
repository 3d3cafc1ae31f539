use super::*;
use crate::decide::history::{Event, Release};
use crate::decide::journal::{Begun, Keeping, Part, Place, Way};
use crate::decide::plan::{Act, Operation, Plan};
use crate::deploy::lock::{Claim, Held};
use crate::host::clock::Moment;
use crate::host::files;
use crate::host::signals::Cancel;

struct World {
    _folder: tempfile::TempDir,
    scope: Scope,
    state: State,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(folder.path());
        Self { _folder: folder, scope: Scope::new("shop", "production").unwrap(), state }
    }

    fn look(&self) -> Activity {
        look(&self.scope, &self.state)
    }

    fn take(&self, run: &str, deadline: Duration) -> Held {
        let (doing, by) = ("deploy v2".into(), "alice".into());
        let claim = Claim { run: run.into(), doing, by, deadline };
        let cancel = Cancel::default();
        lock::wait_in_line(&self.scope, &self.state, claim, Duration::ZERO, &cancel, |_| {})
            .unwrap()
    }

    /// A run that has begun to start v2.
    fn begin(&self, run: &str, fence: u64) -> Run {
        let run = runs::of(&self.scope, &self.state, run);
        let mut journal = Journal::open(&run.folder).unwrap();
        let release = Release { version: "v2".into(), ..Release::default() };
        let forward = vec![Operation::new("start v2", Act::Mark).undo(Act::Mark)];
        let begun = Begun {
            deployment: "d".into(),
            way: Way::Deploy,
            release: release.clone(),
            target: None,
            live: None,
            by: None,
            reason: String::new(),
            plan: Plan { forward, ..Plan::default() },
            keeping: Keeping::default(),
        };
        for entry in [
            Entry::Begun(Box::new(begun)),
            Entry::Recorded(Event::Started { release, by: None }),
            Entry::Recorded(Event::Mutating),
            Entry::Intent(Place { part: Part::Forward, index: 0 }),
        ] {
            journal.append(fence, entry).unwrap();
        }
        run
    }
}

#[test]
fn nothing_goes_on_where_nothing_ever_was_and_nothing_is_made() {
    let world = World::new();
    let seen = world.look();
    assert_eq!((seen.owner, seen.queue), (Ok(None), Ok(Vec::new())));
    assert!(seen.interrupted.is_empty() && seen.damaged.is_empty());
    assert!(!files::exists(world.state.folder(&world.scope)));
}

#[test]
fn what_the_owner_does_is_its_progress_and_what_nobody_does_was_interrupted() {
    let world = World::new();
    let held = world.take("r-1", Duration::from_secs(60));
    assert_eq!(world.look().progress, None, "it has not begun");
    let run = world.begin("r-1", held.fence());
    let seen = world.look();
    assert_eq!(seen.owner.unwrap().unwrap().run, "r-1");
    let open = seen.progress.unwrap();
    assert_eq!((open.run.as_str(), open.progress.doing.as_str()), ("r-1", "start v2"));
    assert!(seen.interrupted.is_empty() && seen.stale.is_none());

    drop(held);
    let seen = world.look();
    assert_eq!(seen.interrupted.len(), 1);
    assert_eq!((seen.interrupted[0].run.as_str(), seen.progress), ("r-1", None));

    // Its engine lives: it has only just left the lock.
    let alive = run.engage().unwrap();
    assert!(world.look().interrupted.is_empty());
    drop(alive);

    // Another one finishes it, and writes under its own number.
    let held = world.take("r-2", Duration::from_secs(60));
    let seen = world.look();
    assert!(seen.interrupted.is_empty() && seen.progress.is_none(), "it will be finished");
    let reason = "its engine was ended".to_owned();
    let mut journal = Journal::open(&run.folder).unwrap();
    journal.append(held.fence(), Entry::Interrupted { reason }).unwrap();
    assert_eq!(world.look().progress.unwrap().run, "r-1");
}

#[test]
fn only_the_time_without_an_entry_makes_an_owner_stale() {
    let world = World::new();
    let held = world.take("r-1", Duration::from_millis(1));
    let started = Moment::now();
    while world.look().stale.is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "it is stale after a millisecond");
    }
    drop(held);
    assert_eq!(world.look().stale, None);
    let held = world.take("r-2", Duration::from_secs(60));
    world.begin("r-2", held.fence());
    assert_eq!(world.look().stale, None);
}

#[test]
fn a_damaged_journal_hides_no_other_and_a_torn_line_is_one_that_is_being_written() {
    let world = World::new();
    let run = world.begin("r-1", 1);
    let file = run.folder.join("journal.jsonl");
    files::append(&file, b"{\"format\":1,\"seq\":5,").unwrap();
    let seen = world.look();
    assert_eq!((seen.interrupted.len(), seen.damaged.len()), (1, 0));

    let other = world.begin("r-2", 2);
    files::append(&file, b"\n").unwrap();
    let seen = world.look();
    assert_eq!(seen.interrupted.len(), 1);
    assert_eq!(seen.interrupted[0].run, other.id);
    assert!(seen.damaged[0].contains("r-1/journal.jsonl:5"), "{:?}", seen.damaged);
}
