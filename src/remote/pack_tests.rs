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
    let stay = |name: &str, to: &str| stays(Path::new(name), Path::new(to));
    assert!(stay("a", "b") && stay("a/b", "../c") && stay("a/b/c", "../../d/./e"));
    assert!(
        !stay("a", "..") && !stay("a/b", "../../c") && !stay("a", "/b") && !stay("a", "b/../..")
    );
}
