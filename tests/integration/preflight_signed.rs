//! Signatures and attestations, verified by both Cosigns in both formats, with a key and offline.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::deploy_world::World;
use crate::oci;
use crate::parts::{part, part_of};
use crate::preflight::{found, preflight, world};
use crate::registry::Registry;

/// How a signature is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// As Cosign 2 does, by itself.
    Old,
    /// The same by Cosign 3, when it is told to.
    OldByNewer,
    /// As a bundle.
    Bundle,
}

/// Cosign with key pairs: the one that counts, and somebody else's.
struct Signer {
    cosign: PathBuf,
    format: Format,
    folder: Arc<TempDir>,
}

impl Signer {
    fn new(cosign: &Path, format: Format) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let signer = Self { cosign: cosign.to_owned(), format, folder };
        for name in ["ours", "others"] {
            signer.tell(&["generate-key-pair", "--output-key-prefix", name]);
        }
        signer
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    #[track_caller]
    fn tell(&self, words: &[&str]) {
        let mut command = Command::new(&self.cosign);
        command.args(words).current_dir(self.folder.path()).env("COSIGN_PASSWORD", "");
        command.env("HOME", self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The words that sign without asking anybody on a network.
    fn offline(&self) -> Vec<&'static str> {
        let log = "--tlog-upload=false";
        let own: &[&str] = match self.format {
            Format::Old => &[],
            Format::OldByNewer => &["--use-signing-config=false", "--new-bundle-format=false"],
            Format::Bundle => &["--use-signing-config=false"],
        };
        [&["--yes", log, "--allow-http-registry"], own].concat()
    }

    fn sign(&self, image: &str, key: &str) {
        let key = self.file(&format!("{key}.key"));
        self.tell(&[&["sign", "--key", &key], &self.offline()[..], &[image]].concat());
    }

    fn attest(&self, image: &str, key: &str) {
        let predicate = r#"{"buildDefinition": {"buildType": "https://example.com/build", "externalParameters": {}}, "runDetails": {"builder": {"id": "https://example.com/builder"}}}"#;
        std::fs::write(self.folder.path().join("predicate.json"), predicate).unwrap();
        let key = self.file(&format!("{key}.key"));
        let words = ["attest", "--type", "slsaprovenance1", "--predicate", "predicate.json"];
        self.tell(&[&words[..], &["--key", &key], &self.offline()[..], &[image]].concat());
    }

    fn world(&self, registry: &Registry, verifier: &Path) -> World {
        world(&format!(
            "  images: [{}/acme/shop]\n  cosign: ['{}']\n  \
             signature: {{ key: '{}', transparency-log: false }}\n  provenance: {{}}\n",
            registry.name(),
            verifier.display(),
            self.file("ours.pub"),
        ))
    }
}

fn verifiers() -> Option<[PathBuf; 2]> {
    Some([part("cosign")?, part_of("cosign3", "cosign3")?])
}

/// Each way to sign with each Cosign that can read it.
fn each(test: impl Fn(&Signer, &Registry, &str, &Path)) {
    let Some([older, newer]) = verifiers() else { return };
    let pairs = [
        (&older, Format::Old, &older),
        (&older, Format::Old, &newer),
        (&newer, Format::OldByNewer, &older),
        (&newer, Format::Bundle, &newer),
    ];
    for (signer, format, verifier) in pairs {
        let signer = Signer::new(signer, format);
        let Some((registry, image)) = image() else { return };
        test(&signer, &registry, &image, verifier);
    }
}

fn image() -> Option<(Registry, String)> {
    let registry = Registry::start()?;
    let image = oci::push(&registry, "acme/shop", "v1", &["linux/amd64", "linux/arm64"]);
    let image = format!("{}/acme/shop@{}", registry.name(), image.digest);
    Some((registry, image))
}

#[test]
fn d2_what_this_cosign_cannot_read_is_no_signature_and_the_remedy_says_why() {
    let Some([older, newer]) = verifiers() else { return };
    let Some((registry, image)) = image() else { return };
    let signer = Signer::new(&newer, Format::Bundle);
    signer.sign(&image, "ours");
    let ran = preflight(&signer.world(&registry, &older), &[]).expect_code(10);
    assert_eq!(found(&ran, "signature").0, "fail");
    assert!(ran.stdout.contains("only Cosign 3 finds"), "{}", ran.stdout);
}

#[test]
fn d2_a_signed_and_attested_image_is_ready_whichever_cosign_did_it() {
    each(|signer, registry, image, verifier| {
        signer.sign(image, "ours");
        signer.attest(image, "ours");
        let ran = preflight(&signer.world(registry, verifier), &[]).expect_code(0);
        for kind in ["signature", "provenance"] {
            let (_, why) = found(&ran, kind);
            assert!(why.contains("ours.pub"), "{why}");
        }
    });
}

#[test]
fn d2_an_image_that_is_unsigned_or_signed_by_others_is_not_ready() {
    each(|signer, registry, image, verifier| {
        let world = signer.world(registry, verifier);
        let ran = preflight(&world, &[]).expect_code(10);
        for kind in ["signature", "provenance"] {
            let (verdict, why) = found(&ran, kind);
            assert!(verdict == "fail" && why.contains("it is not "), "{kind}: {verdict}: {why}");
        }
        signer.sign(image, "others");
        signer.attest(image, "others");
        let ran = preflight(&world, &[]).expect_code(10);
        for kind in ["signature", "provenance"] {
            let (verdict, why) = found(&ran, kind);
            assert!(
                verdict == "fail" && why.contains("not by the key"),
                "{kind}: {verdict}: {why}"
            );
        }
        assert_eq!(world.deploy("v1").run().code, Some(10), "and is not deployed");
        assert_eq!(world.version(), None);
    });
}

#[test]
fn d2_an_image_that_is_only_attested_is_not_signed() {
    each(|signer, registry, image, verifier| {
        signer.attest(image, "ours");
        let ran = preflight(&signer.world(registry, verifier), &[]).expect_code(10);
        assert_eq!(found(&ran, "provenance").0, "pass");
        let (verdict, why) = found(&ran, "signature");
        assert!(verdict == "fail" && why.contains("not signed"), "{verdict}: {why}");
    });
}

/// A world with something in the place of Cosign that finds everything signed, and does this first.
fn with_stand_in(spec: &str, first: &str) -> World {
    let world =
        world(&format!("{spec}  cosign: [sh, cosign.sh]\n  signature: {{ key: any.pub }}\n"));
    let signed = r#"[{"critical": {"type": "cosign container image signature"}}]"#;
    world.write("cosign.sh", &format!("{first}\necho '{signed}'\n"));
    world
}

#[test]
fn d2_cosign_gets_the_login_for_the_registry_of_the_image_and_for_no_other() {
    let Some(registry) = Registry::start() else { return };
    oci::push(&registry, "acme/shop", "v1", &["linux/amd64"]);
    let tell = "cat \"$DOCKER_CONFIG/config.json\" >>told || echo none >>told";
    let told = |server: &str| {
        let login = format!("  registry: {{ server: '{server}', user: a, password: b }}\n");
        let images = format!("  images: [{}/acme/shop]\n", registry.name());
        let world = with_stand_in(&format!("{images}{login}"), tell);
        preflight(&world, &[]).expect_code(0);
        std::fs::read_to_string(world.folder.path().join("told")).unwrap()
    };
    let name = registry.name();
    let own = format!(r#"{{"auths":{{"{name}":{{"auth":"YTpi"}}}}}}"#);
    assert_eq!(told(&name), own);
    assert_eq!(told(&format!("https://{name}/")), own);
    assert_eq!(told("ghcr.io"), "none\n", "what Cosign finds by itself stays in its place");
}

#[test]
fn d2_no_two_of_cosign_run_at_the_same_time() {
    let Some(registry) = Registry::start() else { return };
    let images = ["one", "two", "three"].map(|name| {
        oci::push(&registry, name, "v1", &["linux/amd64"]);
        format!("{}/{name}", registry.name())
    });
    // It takes its time, so that another one could get in its way.
    let alone = "mkdir busy || touch disturbed; sleep 0.2; rmdir busy; echo >>ran";
    let spec = format!("  images: [{}]\n  provenance: {{}}\n", images.join(", "));
    let world = with_stand_in(&spec, alone);
    preflight(&world, &[]).expect_code(0);
    let kept = |name: &str| std::fs::read_to_string(world.folder.path().join(name));
    assert_eq!(kept("ran").unwrap().lines().count(), 6, "a signature and a provenance of each");
    assert!(kept("disturbed").is_err());
}

#[test]
fn d2_without_cosign_nothing_is_known() {
    let Some(registry) = Registry::start() else { return };
    oci::push(&registry, "acme/shop", "v1", &["linux/amd64"]);
    let spec = "  cosign: [no-such-cosign]\n  signature: { identity: a, issuer: https://b }\n";
    let world = world(&format!("  images: [{}/acme/shop]\n{spec}", registry.name()));
    let (verdict, why) = found(&preflight(&world, &[]).expect_code(12), "signature");
    assert!(verdict == "error" && why.contains("no-such-cosign"), "{why}");
}
