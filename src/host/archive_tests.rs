use std::os::unix::fs::PermissionsExt;

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// A member as it is written, whatever its name: the library would not write such names.
fn member(name: &str, kind: tar::EntryType, link: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    member(name, tar::EntryType::Regular, "", 0o644, content.as_bytes())
}

fn ended(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Unpacks an archive, and proves that nothing was written beside the folder.
fn unpack(bytes: &[u8]) -> (TempDir, io::Result<Contents>) {
    let world = tempfile::tempdir().unwrap();
    let (path, into) = (world.path().join("a.tar.gz"), world.path().join("in/to"));
    fs::write(&path, bytes).unwrap();
    fs::create_dir_all(&into).unwrap();
    let mut archive = Archive::open(&path).unwrap();
    let cancel = Cancel::default();
    let unpacked = archive.tree(0, 1 << 20, &cancel).and_then(|tree| {
        let sha256 = archive.sha256(&cancel)?;
        archive.unpack(&tree, &sha256, &into, 0, &cancel)
    });
    let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!((names(world.path()), names(&world.path().join("in"))), (2, 1), "{unpacked:?}");
    if unpacked.is_err() {
        assert_eq!(names(&into), 0, "nothing is written of an archive that is refused");
    }
    (world, unpacked)
}

#[test]
fn d11_an_archive_is_unpacked_with_checksums_links_and_permissions() {
    use tar::EntryType::{Directory, Link, Regular, Symlink, XGlobalHeader};
    let bytes = ended(&[
        member("pax_global_header", XGlobalHeader, "", 0o644, b"12 comment=x\n"),
        member("./bin/", Directory, "", 0o755, b""),
        member("./bin/shop", Regular, "", 0o4777, b"#!/bin/sh\n"),
        file("share/index.html", "hello"),
        member("bin/also", Link, "./bin/shop", 0o644, b""),
        member("web", Symlink, "share", 0o777, b""),
    ]);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let (world, contents) = unpack(&bytes);
        let into = world.path().join("in/to");
        let contents = contents.unwrap();
        assert_eq!(fs::read_to_string(into.join("web/index.html")).unwrap(), "hello");
        assert_eq!(fs::read_to_string(into.join("bin/also")).unwrap(), "#!/bin/sh\n");
        let mode = fs::metadata(into.join("bin/shop")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        // sha256sum of "hello".
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(contents["share/index.html"], Item::File(hello.into()));
        assert_eq!(contents["web"], Item::Link("share".into()));
        let difference = |wanted: &Contents| {
            crate::host::folders::difference(&into, wanted, &Cancel::default()).unwrap()
        };
        assert_eq!(difference(&contents), None);
        fs::write(into.join("besides"), "of the service").unwrap();
        assert_eq!(difference(&contents), None);
        fs::write(into.join("bin/shop"), "#!/bin/sh!").unwrap();
        assert!(difference(&contents).unwrap().contains("bin/"), "{:?}", difference(&contents));
        fs::remove_file(into.join("web")).unwrap();
        let only = Contents::from([("web".to_owned(), contents["web"].clone())]);
        assert_eq!(difference(&only).unwrap(), "web is missing");
    }
}

#[test]
fn d11_hostile_archives_are_refused_before_anything_is_written() {
    use tar::EntryType::{Block, Char, Fifo, Link, Symlink};
    for (what, members) in [
        ("absolute", vec![file("/tmp/waveoff-absolute", "x")]),
        ("above", vec![file("../above", "x")]),
        ("above in the middle", vec![file("a/../../above", "x")]),
        ("link out", vec![member("l", Symlink, "/etc", 0o777, b""), file("ok", "x")]),
        ("through a link", vec![member("l", Symlink, "..", 0o777, b""), file("l/above", "x")]),
        ("through a link inside", vec![member("l", Symlink, "d", 0o777, b""), file("l/x", "x")]),
        ("hard link out", vec![file("ok", "x"), member("l", Link, "/etc/passwd", 0o644, b"")]),
        ("hard link above", vec![file("ok", "x"), member("l", Link, "../../a.tar.gz", 0o644, b"")]),
        ("device", vec![file("ok", "x"), member("d", Char, "", 0o666, b"")]),
        ("block device", vec![file("ok", "x"), member("d", Block, "", 0o666, b"")]),
        ("pipe", vec![file("ok", "x"), member("d", Fifo, "", 0o666, b"")]),
        ("twice", vec![file("ok", "x"), file("ok", "y")]),
        ("ours", vec![file("ok", "x"), file(".waveoff.json", "{}")]),
        ("nothing", vec![]),
    ] {
        let bytes = ended(&members);
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let (_world, unpacked) = unpack(&bytes);
            assert!(unpacked.is_err(), "{what}");
        }
    }
    assert!(!Path::new("/tmp/waveoff-absolute").exists());
}

#[test]
fn d11_what_is_cut_or_no_archive_is_refused() {
    let bytes = gzip(&ended(&[file("one", &"1".repeat(3000)), file("two", "2")]));
    for cut in [1, 10, bytes.len() / 2, bytes.len() - 4] {
        assert!(unpack(&bytes[..cut]).1.is_err(), "{cut}");
    }
    assert!(unpack(b"<html>404</html>").1.is_err());
    assert!(unpack(&b"PK\x03\x04 a zip file ".repeat(100)).1.is_err());
    assert!(unpack(b"").1.is_err());
}

#[test]
fn d11_what_is_too_large_is_refused_before_it_is_written_or_kept_in_memory() {
    // 2 MiB of zeros in a few bytes, where 1 MiB is allowed.
    let large = gzip(&ended(&[file("zeros", &"\0".repeat(2 << 20))]));
    assert!(large.len() < 100 << 10);
    let why = unpack(&large).1.unwrap_err();
    assert_eq!(why.kind(), io::ErrorKind::StorageFull, "{why}");
    // A name of 8 MiB.
    let name = "n".repeat(8 << 20);
    let long = member("././@LongLink", tar::EntryType::GNULongName, "", 0o644, name.as_bytes());
    let why = unpack(&gzip(&ended(&[long, file("short", "x")]))).1.unwrap_err();
    assert!(why.to_string().contains("far too long"), "{why}");
}

#[test]
fn d11_an_archive_that_changes_while_it_is_unpacked_is_refused() {
    let world = tempfile::tempdir().unwrap();
    let (path, into) = (world.path().join("a.tar"), world.path().join("into"));
    fs::write(&path, ended(&[file("one", "1")])).unwrap();
    let mut archive = Archive::open(&path).unwrap();
    let cancel = Cancel::default();
    let tree = archive.tree(0, 1 << 20, &cancel).unwrap();
    let sha256 = archive.sha256(&cancel).unwrap();
    fs::write(&path, ended(&[file("one", "2")])).unwrap();
    fs::create_dir(&into).unwrap();
    let why = archive.unpack(&tree, &sha256, &into, 0, &cancel).unwrap_err();
    assert!(why.to_string().contains("changed while"), "{why}");
}

#[test]
fn d11_a_cancellation_ends_it() {
    let world = tempfile::tempdir().unwrap();
    let path = world.path().join("a.tar");
    fs::write(&path, ended(&[file("one", "1")])).unwrap();
    let cancel = Cancel::default();
    cancel.set("SIGTERM");
    assert!(Archive::open(&path).unwrap().tree(0, 1 << 20, &cancel).is_err());
    assert!(Archive::open(&path).unwrap().sha256(&cancel).is_err());
}
