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
