//! `scripts/image`: signatures and attestations, made and read by both Cosigns against a real registry,
//! with keys and without any network.

use std::fs;

use crate::harness::Ran;
use crate::image_world::{Cosign, SHA, World};

impl World {
    /// Signs, attests or verifies with the key that is good.
    fn keyed(&self, script: &str, digest: &str, more: &[(&str, &str)]) -> Ran {
        let (key, public) = (self.path("good.key"), self.path("good.pub"));
        let mut all = vec![("DIGEST", digest), ("KEY", &key), ("PUBLIC_KEY", &public)];
        all.extend_from_slice(more);
        self.run(script, &all)
    }

    fn statement(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

const SBOM: &str = r#"{"spdxVersion":"SPDX-2.3","name":"shop"}"#;
const PROVENANCE: &str = r#"{"buildDefinition":{"buildType":"https://example.com/build","externalParameters":{}},
"runDetails":{"builder":{"id":"https://example.com/builder"}}}"#;

#[test]
fn a_signature_verifies_with_its_own_key_only_in_every_format() {
    for (cosign, format) in
        [(Cosign::Three, "bundle"), (Cosign::Three, "tag"), (Cosign::Two, "tag")]
    {
        let Some(world) = World::with(cosign) else { return };
        let digest = world.merged("shop");
        let format = [("FORMAT", format)];
        let why = |ran: Ran| ran.expect_code(10).stderr;
        let unsigned = why(world.keyed("verify", &digest, &format));
        assert!(unsigned.contains("no signatures found"), "{cosign:?} {format:?}: {unsigned}");

        world.keyed("sign", &digest, &format).expect_code(0);
        world.keyed("verify", &digest, &format).expect_code(0);
        let other = world.path("other.pub");
        let wrong = [("PUBLIC_KEY", other.as_str()), format[0]];
        let wrong = why(world.keyed("verify", &digest, &wrong));
        assert!(wrong.contains("no matching"), "{cosign:?} {format:?}: {wrong}");

        let hex = digest.strip_prefix("sha256:").unwrap();
        let ending = if format[0].1 == "tag" { ".sig" } else { "" };
        assert_eq!(world.tags(), [SHA.to_owned(), format!("sha256-{hex}{ending}")]);
        // Another image of the same repository is as unsigned as before.
        let other = world.push("amd64", "another");
        why(world.keyed("verify", &other, &format));
    }
}

#[test]
fn an_attestation_is_no_signature() {
    let Some(world) = World::new() else { return };
    let digest = world.merged("shop");
    let file = world.statement("provenance.json", PROVENANCE);
    let attested = [("TYPE", "slsaprovenance1"), ("PREDICATE", &file)];
    world.keyed("attest", &digest, &attested).expect_code(0);
    // Cosign 3 itself says that it verifies.
    let ran = world.keyed("verify", &digest, &[]).expect_code(10);
    assert!(ran.stderr.contains("an attestation, and no signature"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_verified_at_once_is_not_signed() {
    let Some(world) = World::new() else { return };
    let digest = world.merged("shop");
    let other = world.path("other.pub");
    world.keyed("sign", &digest, &[("PUBLIC_KEY", &other)]).expect_code(10);
    world.keyed("sign", &digest, &[("KEY", "nowhere.key")]).expect_code(12);
    world.keyed("sign", &digest, &[("FORMAT", "pgp")]).expect_code(2);
    // Without a key there has to be somebody to trust, and a repository that he signed for.
    for more in [[("IDENTITY", ""), ("REPOSITORY", "")], [("IDENTITY", "^x"), ("REPOSITORY", "")]] {
        let variables = [("DIGEST", digest.as_str()), more[0], more[1]];
        world.run("verify", &variables).expect_code(2);
    }
}

#[test]
fn statements_are_attached_and_read_back() {
    for (cosign, format) in [(Cosign::Three, "bundle"), (Cosign::Two, "tag")] {
        let Some(world) = World::with(cosign) else { return };
        let digest = world.merged("shop");
        let format = ("FORMAT", format);
        world.keyed("sign", &digest, &[format]).expect_code(0);
        // One for each platform, as Syft's folder has them.
        fs::create_dir(world.path("sboms")).unwrap();
        world.statement("sboms/amd64.spdx.json", SBOM);
        world.statement("sboms/arm64.spdx.json", SBOM);
        let provenance = world.statement("provenance.json", PROVENANCE);
        let sboms = world.path("sboms");
        let types = |types| [format, ("TYPES", types)];
        let ran = world.keyed("verify", &digest, &types("spdxjson")).expect_code(10);
        assert!(ran.stderr.contains("has no spdxjson"), "{}", ran.stderr);

        let ran = world
            .keyed("attest", &digest, &[format, ("TYPE", "spdxjson"), ("PREDICATE", &sboms)])
            .expect_code(0);
        assert_eq!(ran.stdout, "attached=2\n");
        let slsa = [format, ("TYPE", "slsaprovenance1"), ("PREDICATE", &provenance)];
        world.keyed("attest", &digest, &slsa).expect_code(0);
        world.keyed("verify", &digest, &types("spdxjson slsaprovenance1")).expect_code(0);
        world.keyed("verify", &digest, &types("spdxjson cyclonedx")).expect_code(10);

        let other = world.path("other.pub");
        let wrong = [format, ("TYPES", "spdxjson"), ("PUBLIC_KEY", &other)];
        world.keyed("verify", &digest, &wrong).expect_code(10);
        // Nothing is not attached.
        let empty = world.statement("empty.json", "");
        for file in [empty.as_str(), "nowhere.json", ""] {
            let nothing = [format, ("TYPE", "spdxjson"), ("PREDICATE", file)];
            let ran = world.keyed("attest", &digest, &nothing).expect_code(12);
            assert!(ran.stderr.contains("there is nothing in"), "{file}: {}", ran.stderr);
        }
        // What cannot be read back is not attached.
        let vuln = [format, ("TYPE", "vuln"), ("PREDICATE", &provenance), ("PUBLIC_KEY", &other)];
        let ran = world.keyed("attest", &digest, &vuln).expect_code(12);
        assert!(ran.stderr.contains("does not verify"), "{}", ran.stderr);
    }
}

#[test]
fn what_is_there_and_signed_is_not_built_again() {
    let Some(mut world) = World::new() else { return };
    let found = |ran: Ran| ran.expect_code(0).stdout;
    assert_eq!(found(world.keyed("look", "", &[])), "digest=\n", "nothing was ever pushed");
    let digest = world.merged("shop");
    assert_eq!(found(world.keyed("look", "", &[])), "digest=\n", "not signed");
    world.keyed("sign", &digest, &[]).expect_code(0);
    assert_eq!(found(world.keyed("look", "", &[])), format!("digest={digest}\n"));
    let other = world.path("other.pub");
    assert_eq!(found(world.keyed("look", "", &[("PUBLIC_KEY", &other)])), "digest=\n");
    assert_eq!(found(world.keyed("look", "", &[("SHA", &"f".repeat(40))])), "digest=\n");
    let ran = world.keyed("look", "", &[("PUBLIC_KEY", "nowhere.pub")]).expect_code(12);
    assert!(ran.stderr.contains("could not be found out"), "{}", ran.stderr);
    world.registry.stop();
    assert_eq!(found(world.keyed("look", "", &[])), "digest=\n", "it cannot be seen");
}

#[test]
fn without_a_key_the_workflow_the_repository_and_the_commit_are_asked_for() {
    let Some(world) = World::new() else { return };
    let digest = world.merged("shop");
    // What a certificate says can be had from the public authority only.
    fs::remove_file(world.path("bin/cosign")).unwrap();
    world.program(
        "cosign",
        "case $* in *--help*) echo --use-signing-config; exit ;; esac\necho \"$*\" >>asked\nexit 12\n",
    );
    let variables = [
        ("DIGEST", digest.as_str()),
        ("IDENTITY", "^https://github\\.com/waveoff/"),
        ("REPOSITORY", "acme/shop"),
    ];
    world.run("verify", &variables).expect_code(10);
    world.run("sign", &variables).expect_code(12);
    let asked = fs::read_to_string(world.path("asked")).unwrap();
    let asked: Vec<_> = asked.lines().collect();
    let image = format!("{}@{digest}", world.image());
    assert_eq!(
        asked,
        [
            format!(
                "verify --allow-http-registry --certificate-github-workflow-sha {SHA} \
                 --certificate-identity-regexp ^https://github\\.com/waveoff/ \
                 --certificate-oidc-issuer https://token.actions.githubusercontent.com \
                 --certificate-github-workflow-repository acme/shop {image}"
            ),
            format!("sign --allow-http-registry --yes {image}"),
        ]
    );
}
