//! `scripts/release`, with small programs instead of ours: what it packs is what the bootstrap takes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::bootstrap_world::{sha256, stderr, stdout};
use crate::parts::part;

const TARGETS: [&str; 4] = [
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-unknown-linux-musl",
    "x86_64-pc-windows-msvc",
];
const PROGRAMS: [&str; 5] =
    ["evaluate-rollback", "notify-incident", "smoke-test", "wait-healthy", "waveoff"];

/// A checkout with what `scripts/release` needs, and programs that were "built".
pub(crate) struct Checkout(TempDir);

impl Checkout {
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::Builder::new().prefix("a b ").tempdir().unwrap();
        let checkout = Self(folder);
        let files = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "Cargo.toml", "scripts/release"];
        let bootstrap = fs::read_dir(root.join("bootstrap")).unwrap().map(|entry| {
            format!("bootstrap/{}", entry.unwrap().file_name().into_string().unwrap())
        });
        let programs = PROGRAMS.map(|name| format!("src/bin/{name}.rs"));
        let all = files.map(str::to_owned).into_iter().chain(bootstrap).chain(programs);
        for name in all {
            let to = checkout.path(&name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root.join(&name), to).unwrap();
        }
        for target in TARGETS {
            for (name, file) in built(target) {
                let file = checkout.path(&format!("dist/programs/{target}/{file}"));
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, program(target, name)).unwrap();
            }
        }
        checkout
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn release(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.path("scripts/release"));
        command.args(arguments).env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap()
    }

    /// Makes a repository of it.
    pub(crate) fn commit_all(&self) {
        let commands =
            "git init -q && git add . && git -c user.name=a -c user.email=a@b.c commit -qm one";
        let mut git = Command::new("sh");
        assert!(git.args(["-c", commands]).current_dir(self.0.path()).status().unwrap().success());
    }

    /// All that is published, by name.
    fn assets(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.path("dist/assets")).unwrap().map(|entry| entry.unwrap());
        let mut all: Vec<_> = entries
            .map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap()))
            .collect();
        all.sort();
        all
    }
}

/// The programs that there are for a platform, and their files.
fn built(target: &str) -> Vec<(&'static str, String)> {
    let windows = target.contains("windows");
    let names = PROGRAMS.into_iter().filter(|name| !windows || *name != "waveoff");
    names.map(|name| (name, format!("{name}{}", if windows { ".exe" } else { "" }))).collect()
}

fn program(target: &str, name: &str) -> String {
    format!("#!/bin/sh\n# {target}\necho {name} 1.2.3\n")
}

/// Whether what packing needs is here.
pub(crate) fn can_pack() -> bool {
    part("xz").is_some() && part("gzip").is_some() && part("python3").is_some()
}

#[test]
fn c4_the_same_programs_make_the_same_release() {
    if !can_pack() {
        return;
    }
    let (one, other) = (Checkout::new(), Checkout::new());
    stdout(&one.release(&["pack", "dist"]));
    // Other times, and other permissions.
    let file = other.path(&format!("dist/programs/{}/waveoff", TARGETS[2]));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    stdout(&other.release(&["pack", "dist"]));
    let (one, other) = (one.assets(), other.assets());
    assert_eq!(one.len(), 3 * (5 * 2 + 1) + (4 + 1) + 1);
    for (one, other) in one.iter().zip(&other) {
        assert!(one == other, "{} differs", one.0);
    }
}

#[test]
fn c4_a_bundle_tells_nothing_of_who_packed_it() {
    if !can_pack() {
        return;
    }
    let checkout = Checkout::new();
    stdout(&checkout.release(&["pack", "dist"]));
    let bundle = checkout.path(&format!("dist/assets/waveoff-{}.tar.gz", TARGETS[0]));
    let mut bundle =
        tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(bundle).unwrap()));
    let mut names = Vec::new();
    for entry in bundle.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.username().unwrap());
        assert_eq!(owner, (0, 0, Some("")));
        assert_eq!(header.mtime().unwrap(), 1_700_000_000);
        let mode = header.mode().unwrap() & 0o777;
        let name = entry.path().unwrap().display().to_string();
        let runs = name.contains("apple-darwin") || name == "." || name == "./";
        assert_eq!(mode, if runs { 0o755 } else { 0o644 }, "{name}");
        names.push(name);
    }
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn c4_the_manifest_has_the_digest_of_every_program_and_archive() {
    if !can_pack() {
        return;
    }
    let checkout = Checkout::new();
    stdout(&checkout.release(&["pack", "dist"]));
    stdout(&checkout.release(&["sums", "dist"]));
    let manifest = checkout.read("dist/assets/MANIFEST");
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), 3 * 5 * 3 + 4 * 2);
    let asset = |name: &str| fs::read(checkout.path(&format!("dist/assets/{name}"))).unwrap();
    for target in &TARGETS[..3] {
        let line = format!("{}  {target}/waveoff\n", sha256(program(target, "waveoff").as_bytes()));
        assert!(manifest.contains(&line), "{line} is not in {manifest}");
        for kind in ["xz", "gz"] {
            let archive = sha256(&asset(&format!("waveoff-{target}.{kind}")));
            let line = format!("{archive}  {target}/waveoff.{kind}\n");
            assert!(manifest.contains(&line), "{line} is not in {manifest}");
        }
    }
    let sums = String::from_utf8(asset("SHA256SUMS")).unwrap();
    for (name, content) in checkout.assets().iter().filter(|(name, _)| name != "SHA256SUMS") {
        assert!(sums.contains(&format!("{}  {name}\n", sha256(content))), "{name}");
    }
}

#[test]
fn c4_what_is_packed_is_what_the_bootstrap_installs() {
    if !can_pack() {
        return;
    }
    let checkout = Checkout::new();
    stdout(&checkout.release(&["pack", "dist"]));
    stdout(&checkout.release(&["stamp", "1.2.3", "somebody/fork", "dist"]));
    assert_eq!(checkout.read("bootstrap/VERSION"), "1.2.3\n");
    assert_eq!(checkout.read("bootstrap/REPOSITORY"), "somebody/fork\n");
    for (arch, target) in [("X64", TARGETS[2]), ("ARM64", TARGETS[1])] {
        let mut command = Command::new(checkout.path("scripts/release"));
        command.args(["serve", "dist", "1.2.3", "sh", "bootstrap/install.sh", "smoke-test"]);
        command.env("RUNNER_TOOL_CACHE", checkout.path("tools")).env("RUNNER_OS", "Linux");
        command.env("RUNNER_ARCH", arch).env_remove("WAVEOFF_BIN_DIR");
        let found = stdout(&command.output().unwrap());
        assert!(found.ends_with(&format!("tools/waveoff/1.2.3/{target}/smoke-test")), "{found}");
        assert_eq!(fs::read_to_string(found).unwrap(), program(target, "smoke-test"));
    }
    // What people download, as the folder that they name.
    let bundle = checkout.path(&format!("dist/assets/waveoff-{}.tar.gz", TARGETS[2]));
    let gap = checkout.path("gap");
    fs::create_dir(&gap).unwrap();
    let unpacked = Command::new("tar").arg("-xzf").arg(bundle).arg("-C").arg(&gap).status();
    assert!(unpacked.unwrap().success());
    let mut command = Command::new("sh");
    command.arg(checkout.path("bootstrap/install.sh")).arg("waveoff").env("RUNNER_OS", "Linux");
    command.env("RUNNER_ARCH", "X64").env("WAVEOFF_BIN_DIR", &gap);
    let found = stdout(&command.output().unwrap());
    assert!(found.ends_with(&format!("gap/{}/waveoff", TARGETS[2])), "{found}");
}

/// PowerShell may not be here: the names that its scripts make of their variables are read there.
#[test]
fn c4_what_is_packed_for_windows_has_the_names_that_its_bootstrap_asks_for() {
    if !can_pack() {
        return;
    }
    let checkout = Checkout::new();
    stdout(&checkout.release(&["pack", "dist"]));
    let target = TARGETS[3];
    let names = stdout(&checkout.release(&["programs", target]));
    assert_eq!(names.lines().collect::<Vec<_>>(), PROGRAMS[..4]);
    let scripts = checkout.read("bootstrap/install.ps1") + &checkout.read("bootstrap/obtain.ps1");
    assert!(scripts.contains(&format!("$platform = '{target}'\n")));
    let said = |template: &str, name: &str| {
        assert!(scripts.contains(&format!("\"{template}\"")), "{template}");
        template.replace("$platform", target).replace("$Name", name).replace("$version", "1.2.3")
    };
    let manifest = checkout.read("dist/assets/MANIFEST");
    for name in names.lines() {
        let asset = said("v$version/$Name-$platform.exe.gz", name);
        let asset = asset.strip_prefix("v1.2.3/").unwrap();
        let packed = fs::read(checkout.path(&format!("dist/assets/{asset}"))).unwrap();
        let program = program(target, name);
        for (content, entry) in [
            (program.as_bytes(), said("$platform/$Name.exe", name)),
            (&packed, said("$platform/$Name.exe.gz", name)),
        ] {
            let line = format!("{}  {entry}\n", sha256(content));
            assert!(manifest.contains(&line), "{line} is not in {manifest}");
        }
        let mut opened = String::new();
        let mut archive = flate2::read::GzDecoder::new(packed.as_slice());
        std::io::Read::read_to_string(&mut archive, &mut opened).unwrap();
        assert_eq!(opened, program);
    }
}

/// A release says what it is in what people copy, and in what its own workflows use.
#[test]
fn c4_a_release_is_what_its_own_files_name() {
    let checkout = Checkout::new();
    let steps = "- uses: some-body/fork.x/actions/deploy@v1\n- uses: a/b@v7\n- uses: some-body/fork.x/actions/deploy@0123\n";
    let calls = "  uses: some-body/fork.x/.github/workflows/deploy.yml@v1\n";
    let files = [
        (".github/workflows/deploy.yml", steps),
        ("examples/one/deploy.yml", calls),
        ("src/commands/init/deploy.yml", steps),
        ("README.md", "- uses: some-body/fork.x@v1\nSee a/actions/x and `b/c@v3`.\n"),
        ("docs/workflows.md", calls),
    ];
    for (name, text) in files {
        checkout.write(name, text);
    }
    let check = |version: &str| {
        checkout.write("Cargo.toml", &format!("version = \"{version}\"\n"));
        checkout.write("CHANGELOG.md", &format!("# Changelog\n\n## {version}\n"));
        checkout.release(&["check", version, "some-body/fork.x"])
    };
    stdout(&check("1.2.3"));
    for version in ["0.1.0", "11.0.0", "2.0.0"] {
        let output = check(version);
        assert_eq!(output.status.code(), Some(1));
        for (name, _) in files {
            let wanted = format!(" {name}:some-body/fork.x@v1 ");
            assert!(stderr(&output).contains(&wanted), "{wanted}: {}", stderr(&output));
        }
    }
    for (name, text) in files {
        for (from, to) in
            [("@v1", "@v2"), ("@v1", "@v1.2"), ("some-body/fork.x", "some-body/forkyx")]
        {
            // The root action of somebody else is one like any other.
            if name == "README.md" && to.contains('y') {
                continue;
            }
            checkout.write(name, &text.replace(from, to));
            let output = check("1.2.3");
            assert_eq!(output.status.code(), Some(1), "{name} {to}");
            assert!(stderr(&output).contains(&format!(" {name}:")), "{}", stderr(&output));
        }
        checkout.write(name, text);
    }
}

#[test]
fn c4_half_a_release_is_none() {
    if !can_pack() {
        return;
    }
    let checkout = Checkout::new();
    fs::remove_file(checkout.path(&format!("dist/programs/{}/waveoff", TARGETS[0]))).unwrap();
    let output = checkout.release(&["pack", "dist"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("was not built"), "{}", stderr(&output));
    let before = checkout.read("bootstrap/MANIFEST");
    let some = format!("{}  x/waveoff\n", "0".repeat(64));
    for (version, slug, manifest) in [
        ("1.2.3", "a/b", "# none\n"),
        ("1.2", "a/b", &some),
        ("v1.2.3", "a/b", &some),
        ("1.2.3", "a/b\nc", &some),
        ("1.2.3", "a", &some),
    ] {
        fs::write(checkout.path("dist/assets/MANIFEST"), manifest).unwrap();
        let output = checkout.release(&["stamp", version, slug, "dist"]);
        assert_eq!(output.status.code(), Some(1), "{version} {slug}");
    }
    assert_eq!(checkout.read("bootstrap/MANIFEST"), before);
}

#[test]
fn c4_the_bill_of_materials_has_what_is_shipped_and_no_folder() {
    let tests = Path::new(env!("CARGO_BIN_EXE_waveoff")).with_file_name("examples").join("sbom");
    let metadata = r#"{
        "packages": [
            {"id": "path+file:///secret/folder#1", "name": "ours", "version": "1.0.0", "license": "MIT/Apache-2.0"},
            {"id": "b", "name": "shipped", "version": "2.0.0"},
            {"id": "c", "name": "tests-only", "version": "3.0.0"}
        ],
        "resolve": {"root": "path+file:///secret/folder#1", "nodes": [
            {"id": "path+file:///secret/folder#1", "deps": [
                {"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b", "deps": []}, {"id": "c", "deps": []}
        ]}
    }"#;
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("metadata"), metadata).unwrap();
    let input = fs::File::open(folder.path().join("metadata")).unwrap();
    let text = stdout(&Command::new(tests).stdin(input).output().unwrap());
    assert!(!text.contains("secret"), "{text}");
    let bill: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bill["metadata"]["component"]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert_eq!(bill["components"][0]["purl"], "pkg:cargo/shipped@2.0.0");
    assert_eq!(bill["components"].as_array().unwrap().len(), 1);
}
