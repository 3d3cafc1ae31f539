use super::*;

fn at(name: &str, version: &str) -> Note {
    Note { version: version.into(), sha256: name.repeat(64), unpacked: String::new() }
}

fn releases() -> (tempfile::TempDir, Releases) {
    let world = tempfile::tempdir().unwrap();
    let releases = Releases::in_folder(world.path());
    for (digit, version) in [("1", "v1"), ("2", "v2"), ("3", "v3"), ("4", "v1")] {
        let note = at(digit, version);
        let text = serde_json::to_string(&note).unwrap();
        files::replace(releases.path(&note.name()).join(NOTE), text.as_bytes()).unwrap();
        releases.want(&note.name()).unwrap();
    }
    (world, releases)
}

#[test]
fn d11_a_release_is_found_by_version_and_checksum() {
    let (_world, releases) = releases();
    let found = |version: &str, sha256: Option<&str>| {
        let found = releases.find(version, sha256).into_iter();
        found.map(|note| note.sha256[..1].to_owned()).collect::<String>()
    };
    assert_eq!(found("v1", None), "41");
    releases.want(&at("1", "v1").name()).unwrap();
    assert_eq!(found("v1", None), "14", "that first which was wanted last");
    assert_eq!(found("v1", Some(&"4".repeat(64))), "4");
    assert_eq!(found("v2", Some(&"4".repeat(64))), "");
    // A note that is not about its folder says nothing.
    let note = files::read(releases.path(&at("2", "v2").name()).join(NOTE)).unwrap();
    files::remove_folder(releases.path(&at("2", "v2").name())).unwrap();
    files::replace(releases.path("v2-x").join(NOTE), &note).unwrap();
    assert_eq!(found("v2", None), "");
}

#[test]
fn d11_the_least_wanted_releases_go_first_and_spared_ones_stay() {
    let (_world, releases) = releases();
    let left = || files::names(releases.root()).unwrap().join(" ");
    let spares = |name: &str| name.starts_with("v1-1");
    assert_eq!(releases.prune(2, spares).unwrap(), [at("2", "v2").name()]);
    assert!(left().contains("v1-1111") && left().contains("v1-4444"), "{}", left());
    assert!(releases.prune(9, |_| false).unwrap().is_empty());
    releases.want(&at("1", "v1").name()).unwrap();
    assert_eq!(releases.prune(1, |_| false).unwrap().len(), 2);
    assert!(left().contains("v1-1111") && !left().contains("v1-4444"), "{}", left());
}

#[test]
fn d11_a_link_changes_in_one_step_and_what_is_no_link_is_left_alone() {
    let (world, releases) = releases();
    let link = world.path().join("slots/blue");
    assert_eq!(behind(&link).unwrap(), None);
    folders::point(&link, Path::new("../releases/v1-x")).unwrap();
    // Whoever was killed before the second step left this.
    std::os::unix::fs::symlink("nowhere", world.path().join("slots/blue.new")).unwrap();
    folders::point(&link, Path::new("../releases/v2-x")).unwrap();
    assert_eq!(behind(&link).unwrap().as_deref(), Some("v2-x"));
    folders::unlink(&link).unwrap();
    folders::unlink(&link).unwrap();
    assert_eq!(behind(&link).unwrap(), None);
    std::fs::create_dir(&link).unwrap();
    assert!(folders::point(&link, Path::new("../releases/v1-x")).is_err());
    assert!(link.is_dir() && releases.root().is_dir());
}
