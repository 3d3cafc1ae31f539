use super::*;

fn file() -> Kind {
    Kind::File { size: 1, mode: 0o644 }
}

fn link(to: &str) -> Kind {
    Kind::Link(to.into())
}

fn same(of: &str) -> Kind {
    Kind::Same(of.into())
}

/// What is wrong with an archive of these members and a file.
fn wrong(members: &[(&str, Kind)]) -> Option<String> {
    let mut tree = Tree::default();
    for (name, kind) in members.iter().chain([&("file", file())]) {
        if let Err(why) = tree.take(name, kind.clone(), 0) {
            return Some(why);
        }
    }
    tree.check().err()
}

#[test]
fn d11_usual_archives_are_unpacked() {
    let usual = [
        ("./", Kind::Folder),
        ("./bin/", Kind::Folder),
        ("./bin/shop", file()),
        ("lib/libshop.so.1.2", file()),
        ("lib/libshop.so.1", link("libshop.so.1.2")),
        ("lib/libshop.so", link("./libshop.so.1")),
        ("bin/also", same("./bin/shop")),
        ("latest", link("lib")),
        ("up", link("bin/../lib/.")),
        ("later", link("made/by/the/service")),
        ("bin/", Kind::Folder),
    ];
    assert_eq!(wrong(&usual), None);
}

#[test]
fn d11_nothing_leads_out_of_the_folder() {
    for hostile in [
        vec![("/etc/passwd", file())],
        vec![("../outside", file())],
        vec![("a/../../outside", file())],
        vec![("a/..", file())],
        vec![("out", link("/etc"))],
        vec![("out", link(".."))],
        vec![("a/out", link("../.."))],
        vec![("a/b/out", link("../../../x"))],
        // By way of another link, in whatever order.
        vec![("d/up", link("..")), ("out", link("d/up/.."))],
        vec![("a/b/up", link("../..")), ("out", link("a/b/up/../x"))],
        vec![("1", link("2")), ("2", link("3/..")), ("3", link("."))],
        vec![("loop", link("loop"))],
        vec![("one", link("two")), ("two", link("one"))],
        // What would be written through a link.
        vec![("a", link("b")), ("a/file", file())],
        vec![("a", file()), ("a/file", file())],
        vec![("a/file", file()), ("a", link("/etc"))],
        vec![("a", same("file")), ("a/x", file())],
        vec![("hard", same("/etc/passwd"))],
        vec![("hard", same("../x"))],
        vec![("hard", same("nothing"))],
        vec![("l", link("file")), ("hard", same("l"))],
        vec![("device", Kind::Special)],
        vec![("twice", file()), ("./twice", file())],
        vec![("twice", file()), ("twice", link("x"))],
        vec![("nul\0", file())],
        vec![("empty", link(""))],
        vec![("", file())],
        vec![(".waveoff.json", file())],
    ] {
        assert!(wrong(&hostile).is_some(), "{hostile:?}");
    }
    assert!(wrong(&[(&"x".repeat(5000), file())]).is_some());
}

#[test]
fn d11_leading_parts_are_left_out_and_cannot_lead_out_either() {
    let mut tree = Tree::default();
    assert_eq!(tree.take("shop-1/", Kind::Folder, 1), Ok(None));
    assert_eq!(tree.take("README", file(), 1), Ok(None));
    assert_eq!(tree.take("shop-1/bin/shop", file(), 1), Ok(Some("bin/shop".into())));
    assert_eq!(tree.take("shop-1/also", same("shop-1/bin/shop"), 1), Ok(Some("also".into())));
    assert_eq!(tree.check(), Ok(()));
    assert_eq!(tree.bytes, 1);
    assert!(tree.take("../x", file(), 1).is_err());
    assert!(tree.take("shop-1/y", same("README"), 1).is_err());
    // A link's target is not stripped: it is seen from where the link is.
    assert!(tree.take("shop-1/out", link("../x"), 1).is_ok());
    assert!(tree.check().unwrap_err().contains("leads out"));
}

#[test]
fn d11_an_archive_without_a_file_is_no_release() {
    let mut tree = Tree::default();
    tree.take("bin", Kind::Folder, 0).unwrap();
    assert!(tree.check().is_err());
}

#[test]
fn d11_nobody_gets_rights_from_an_archive() {
    assert_eq!(allowed(0o4755), 0o755);
    assert_eq!(allowed(0o777), 0o755);
    assert_eq!(allowed(0o000), 0o600);
    assert_eq!(allowed(0o640), 0o640);
}
