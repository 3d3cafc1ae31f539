use super::*;
use crate::host::files;

fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("ship.sh", "#!/bin/sh\n"), ("conf/a.env", "A=1\n"), ("conf/deep/b", "b")]
    {
        files::replace(folder.path().join(name), text.as_bytes()).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("deep/b", folder.path().join("conf/link")).unwrap();
    folder
}

fn pack(folder: &Path, named: &[&str]) -> anyhow::Result<Pack> {
    Pack::of(folder, &named.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

#[test]
fn d11_files_arrive_as_they_were_and_their_digest_is_their_content() {
    let (from, to) = (world(), tempfile::tempdir().unwrap());
    let whole = pack(from.path(), &["ship.sh", "./conf"]).unwrap();
    let (digest, size) = whole.digest().unwrap();
    let mut bytes = Vec::new();
    whole.write(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, size);
    assert_eq!(unpack(bytes.as_slice(), to.path()).unwrap(), digest);
    assert_eq!(files::read_text(to.path().join("conf/link")).unwrap(), "b");
    let again = pack(to.path(), &["conf", "ship.sh"]).unwrap();
    assert_eq!(again.digest().unwrap().0, digest, "what arrived is what was sent");
    files::replace(to.path().join("conf/a.env"), b"A=2\n").unwrap();
    assert_ne!(again.digest().unwrap().0, digest);
}

#[test]
fn d11_what_is_not_beside_the_configuration_does_not_travel() {
    let from = world();
    for name in ["/etc/passwd", "../x", "conf/../../x", "no-such-file"] {
        assert!(pack(from.path(), &[name]).is_err(), "{name}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../../etc", from.path().join("conf/out")).unwrap();
        let error = pack(from.path(), &["conf"]).unwrap_err().to_string();
        assert!(error.contains("leads out"), "{error}");
    }
}

fn hostile(kind: tar::EntryType, name: &str, to: Option<&str>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    if let Some(to) = to {
        header.set_link_name_literal(to).unwrap();
    }
    header.set_cksum();
    builder.append(&header, io::empty()).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn d11_what_leads_out_of_its_folder_is_not_unpacked() {
    use tar::EntryType;
    for (kind, name, to) in [
        (EntryType::Regular, "../out", None),
        (EntryType::Regular, "/tmp/waveoff-out", None),
        (EntryType::Regular, "a/../../out", None),
        (EntryType::Symlink, "link", Some("/etc")),
        (EntryType::Symlink, "a/link", Some("../../etc")),
        (EntryType::Link, "hard", Some("/etc/passwd")),
        (EntryType::Fifo, "pipe", None),
        (EntryType::Char, "device", None),
    ] {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("inner");
        tree::make(&folder).unwrap();
        let error = unpack(hostile(kind, name, to).as_slice(), &folder);
        assert!(error.is_err(), "{name}");
        assert_eq!(files::names(outer.path()).unwrap(), ["inner"]);
        assert!(files::names(&folder).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn d11_links_stay_or_are_refused() {
    let stays = |links: &[(&str, &str)]| {
        stay(&links.iter().map(|(name, to)| (PathBuf::from(name), PathBuf::from(to))).collect())
            .is_ok()
    };
    for (name, to) in [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d/./e"), ("a", ".")] {
        assert!(stays(&[(name, to)]), "{name} -> {to}");
    }
    for (name, to) in [("a", ".."), ("a/b", "../../c"), ("a", "/b"), ("a", "b/../..")] {
        assert!(!stays(&[(name, to)]), "{name} -> {to}");
    }
    // Each of them stays by its words alone.
    assert!(!stays(&[("d/up", ".."), ("out", "d/up/..")]), "out by way of another link");
    assert!(!stays(&[("here", "."), ("here/x", "..")]), "behind another link");
    assert!(stays(&[("d/up", ".."), ("in", "d/up/d")]));
    assert!(!stays(&[("a", "b"), ("b", "a")]), "round and round");
}

#[test]
#[cfg(unix)]
fn d11_what_is_behind_a_link_is_not_sent_by_that_name() {
    use std::os::unix::fs::symlink;
    let (from, other) = (world(), tempfile::tempdir().unwrap());
    files::replace(other.path().join("inner"), b"of somebody").unwrap();
    symlink(other.path(), from.path().join("away")).unwrap();
    symlink("conf", from.path().join("near")).unwrap();
    for name in ["away/inner", "near/a.env", "near/deep/b"] {
        let error = pack(from.path(), &[name]).unwrap_err().to_string();
        assert!(error.contains("is a link; name what is behind it"), "{name}: {error}");
    }
    let error = pack(from.path(), &["away"]).unwrap_err().to_string();
    assert!(error.contains("away: it is a link that leads out of the folder"), "{error}");
    pack(from.path(), &["near", "conf"]).unwrap();
    symlink("..", from.path().join("conf/up")).unwrap();
    symlink("conf/up/..", from.path().join("out")).unwrap();
    let error = pack(from.path(), &["conf", "out"]).unwrap_err().to_string();
    assert!(error.contains("out: it is a link that leads out"), "{error}");
}
