use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::host::disk_model::{Model, Sync, randomly};

const FILE: &str = "/a/b/c/file";

/// One process that replaces a file, and what becomes of it.
#[derive(Debug, Clone)]
struct Round {
    content: Vec<u8>,
    steps: usize,
    torn: usize,
    /// The machine crashes with it; else only the process ends.
    power: Option<u64>,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let content = proptest::collection::vec(any::<u8>(), 0..6);
    let round = (content, 0..20_usize, 0..6_usize, proptest::option::of(any::<u64>()));
    let round =
        round.prop_map(|(content, steps, torn, power)| Round { content, steps, torn, power });
    proptest::collection::vec(round, 1..7)
}

/// What can be seen after each round must be what was acknowledged last, or something newer.
fn replaces(model: &Model, rounds: &[Round]) -> Result<(), String> {
    let path = Path::new(FILE);
    let mut possible = vec![None];
    for round in rounds {
        model.begin(round.steps, round.torn);
        let done = replace(model, path, &round.content, Readers::All);
        if model.acknowledges(&done) {
            possible.clear();
        }
        possible.push(Some(round.content.clone()));
        if let Some(seed) = round.power {
            model.crash(randomly(seed));
        }
        let seen = model.read(path);
        if !possible.contains(&seen) {
            return Err(format!("{seen:?} is none of {possible:?}"));
        }
        if round.power.is_some() {
            possible = vec![seen];
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn d12_a_replaced_file_is_the_old_one_or_the_new_one_whole(rounds in rounds()) {
        prop_assert_eq!(replaces(&Model::new(), &rounds), Ok(()));
    }
}

#[test]
fn a_sync_that_is_missing_is_noticed_when_a_file_is_replaced() {
    for sync in [Sync::File, Sync::Folder, Sync::Above] {
        let found = TestRunner::deterministic().run(&rounds(), |rounds| {
            replaces(&Model::without(sync), &rounds).map_err(TestCaseError::fail)
        });
        assert!(found.is_err(), "nobody notices that {sync:?} is missing");
    }
}

#[test]
fn each_step_is_crashed_at_and_there_are_not_more() {
    // With three folders to make: three more, and a sync of what each is in.
    let steps = |model: &Model| {
        (0..).find(|steps| {
            model.begin(*steps, 0);
            replace(model, Path::new(FILE), b"x", Readers::All).is_ok()
        })
    };
    let model = Model::new();
    model.begin(11, 0);
    assert!(replace(&model, Path::new(FILE), b"x", Readers::All).is_err());
    let model = Model::new();
    model.begin(12, 0);
    replace(&model, Path::new(FILE), b"x", Readers::All).unwrap();
    assert_eq!(steps(&model), Some(6), "create, write, mode, sync, rename, sync of the folder");
}

#[cfg(unix)]
#[test]
fn the_real_disk_does_what_the_model_does() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/b/file");
    replace(&Real, &path, b"one", Readers::All).unwrap();
    append(&Real, &path, b"+two").unwrap();
    extend(&Real, &path, 4, b"three").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one+three");
    replace(&Real, &path, b"four", Readers::All).unwrap();
    truncate(&Real, &path, 2).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"fo");
    extend(&Real, &root.path().join("c/new"), 0, b"x").unwrap();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing temporary");
    assert!(replace(&Real, &path.join("below/a/file"), b"", Readers::All).is_err());
    assert!(append(&Real, &path.join("below"), b"").is_err());
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&path), 0o644);
    replace(&Real, &path, b"secret", Readers::Owner).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[cfg(unix)]
#[test]
fn folders_above_that_are_others_are_no_obstacle() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let (outer, inner) = (root.path().join("outer"), root.path().join("outer/inner"));
    fs::create_dir_all(&inner).unwrap();
    // It can be passed through, and neither read nor synced.
    fs::set_permissions(&outer, fs::Permissions::from_mode(0o111)).unwrap();
    let done = replace(&Real, &inner.join("file"), b"x", Readers::All);
    fs::set_permissions(&outer, fs::Permissions::from_mode(0o755)).unwrap();
    done.unwrap();
}
