use serde_json::json;

use super::*;

const KEYS: [&str; 3] = ["0123456789ab", "123456789abc", "23456789abcd"];

fn snapshot(version: &str, key: &str) -> Snapshot {
    Snapshot {
        version: version.into(),
        key: key.into(),
        digests: vec![format!("{DIGEST}{key}")],
        project: "shop".into(),
        kinds: Kinds::default(),
        images: BTreeMap::new(),
        port: None,
        model: json!({}),
    }
}

#[test]
fn d7_what_was_never_written_whole_is_forgotten_with_what_nobody_wants() {
    for component in [None, Some("web")] {
        let root = tempfile::tempdir().unwrap();
        let all = Snapshots::below(root.path(), component);
        for (version, key) in [("v1", KEYS[0]), ("v2-rc", KEYS[1])] {
            all.keep(&snapshot(version, key), &[]).unwrap();
            all.started(&snapshot(version, key)).unwrap();
        }
        // As it is when the program was killed while it wrote.
        let torn = all.folder_of("v3", KEYS[2]);
        files::private_folder(&torn).unwrap();
        files::replace_private(torn.join("model.json"), b"{}").unwrap();
        all.forget(|key| key == KEYS[1]).unwrap();
        let left = files::names(&all.folder).unwrap();
        let list = all.starts_file().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(left, [list, format!("v2-rc-{}", KEYS[1])]);
        assert_eq!(all.keys(), BTreeSet::from([KEYS[1].to_owned()]));
    }
}

#[test]
fn d7_what_belongs_to_another_component_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let [web, worker] = ["web", "worker"].map(|name| Snapshots::below(root.path(), Some(name)));
    let whole = Snapshots::below(root.path(), None);
    worker.keep(&snapshot("v1", KEYS[0]), &[]).unwrap();
    for other in [web, whole] {
        other.forget(|_| false).unwrap();
        assert_eq!(worker.keys(), BTreeSet::from([KEYS[0].to_owned()]));
    }
}

#[test]
fn d11_what_was_started_last_is_known_or_an_error() {
    let root = tempfile::tempdir().unwrap();
    let all = Snapshots::below(root.path(), None);
    let known = || all.last().map(|last| last.map(|last| last.version));
    assert_eq!(known().unwrap(), None, "none ever was");
    all.keep(&snapshot("v1", KEYS[0]), &[]).unwrap();
    all.started(&snapshot("v1", KEYS[0])).unwrap();
    assert_eq!(known().unwrap().as_deref(), Some("v1"));
    let folder = all.folder_of("v1", KEYS[0]);
    for (name, text) in [("model.json", "{"), ("images.json", "{"), ("images.json", "[]")] {
        let good = files::read(folder.join(name)).unwrap();
        files::replace_private(folder.join(name), text.as_bytes()).unwrap();
        let why = known().unwrap_err().reason;
        assert!(why.contains("what was started last is not known"), "{why}");
        files::replace_private(folder.join(name), &good).unwrap();
    }
    files::remove(folder.join("model.json")).unwrap();
    assert!(known().is_err(), "half of it is there");
    folders::remove(&folder).unwrap();
    assert_eq!(known().unwrap(), None, "it was let go of");
    files::replace_private(all.starts_file(), b"v1\n").unwrap();
    assert!(known().unwrap_err().reason.contains("damaged"));
    files::replace_private(all.starts_file(), b"\xff").unwrap();
    assert!(known().is_err());
}
