//! Preflight of a Compose project: its images are found by themselves, and are those that are
//! deployed.

use crate::compose_failures::in_place;
use crate::compose_world::ComposeWorld;
use crate::harness::Ran;
use crate::images::{WEB, WORKER, load_another};
use crate::preflight::found;

/// Something must be signed; a program of the test says whether it is.
const SPEC: &str = "preflight:\n  platforms: [linux/amd64]\n  cosign: [./cosign]\n  \
                    signature: { key: cosign.pub }\n";

/// What Cosign says of a signature.
const SIGNED: &str = "echo '[{\"critical\": {\"type\": \"cosign container image signature\"}}]'\n";

fn shop(name: &str) -> Option<ComposeWorld> {
    let shop = in_place(name, "0s")?;
    let config = shop.read("waveoff.yml");
    shop.world.write("waveoff.yml", &format!("{config}{SPEC}"));
    shop.world.write("cosign", &format!("#!/bin/sh\n{SIGNED}"));
    Some(shop)
}

fn preflight(shop: &ComposeWorld, version: &str) -> Ran {
    shop.waveoff(&["preflight", "--json", "--version", version]).run()
}

#[test]
fn d2_what_was_looked_at_is_deployed_though_its_tag_moves_meanwhile() {
    let Some(shop) = shop("moved") else { return };
    let ran = preflight(&shop, "v2").expect_code(0);
    for image in [WEB, WORKER] {
        let name = format!("{}/{image}", shop.registry.name());
        assert!(found(&ran, &format!("image: {name}:v2")).1.contains("linux/amd64"));
        assert_eq!(found(&ran, &format!("signature: {name}")).0, "pass");
    }
    shop.waveoff(&["deploy", "--version", "v1"]).run().expect_code(0);
    let verified = shop.registry.digest(WEB, "v2").unwrap();
    let (link, other) = (shop.registry.link(WEB, "v2"), shop.registry.link(WEB, "v1"));
    let moving = format!("#!/bin/sh\ncp '{}' '{}'\n{SIGNED}", other.display(), link.display());
    shop.world.write("cosign", &moving);
    let words = ["deploy", "--version", "v2", "--report", "report.json"];
    shop.waveoff(&words).run().expect_code(0);
    assert_eq!(shop.world.version().as_deref(), Some("v2"), "what was verified, by its digest");
    let digests = shop.world.report()["deployment"]["digests"].to_string();
    assert!(digests.contains(&verified), "{digests}");
    let here: Vec<String> = serde_json::from_str(&digests).unwrap();
    let words = ["preflight", "--json", "--version", "v2", "--digest", &here.join(",")];
    let ran = shop.waveoff(&words).run().expect_code(0);
    for image in [WEB, WORKER] {
        let name = format!("signature: {}/{image}", shop.registry.name());
        assert_eq!(found(&ran, &name).0, "pass", "it is here, and the registry is asked even so");
    }
    let steps = shop.world.report()["steps"].to_string();
    assert!(steps.contains("signature: ") && steps.contains("the key cosign.pub"), "{steps}");
    shop.world.write("cosign", "#!/bin/sh\necho 'no signatures found' >&2\nexit 10\n");
    let ran = shop.waveoff(&["deploy", "--version", "v1", "--allow-downgrade"]).run();
    assert!(ran.expect_code(10).stdout.contains("it is not signed"));
    assert_eq!(shop.world.version().as_deref(), Some("v2"));
}

#[test]
fn d2_r1_a_way_back_whose_images_nobody_has_any_more_is_found() {
    let Some(shop) = shop("no-way-back") else { return };
    load_another(shop.engine, "way-back");
    shop.publish("way-back");
    shop.waveoff(&["deploy", "--version", "way-back"]).run().expect_code(0);
    assert_eq!(found(&preflight(&shop, "v2").expect_code(0), "rollback-target").0, "pass");
    let ours = ["--filter", "label=dev.waveoff.environment=no-way-back"];
    let all = shop.engine.tell(&[&["ps", "-aq"], &ours[..]].concat());
    let mut images = Vec::new();
    for container in all.split_whitespace() {
        images.push(shop.engine.tell(&["inspect", "--format", "{{.Image}}", container]));
        shop.engine.tell(&["rm", "--force", container]);
    }
    let before = preflight(&shop, "v2").expect_code(0);
    assert_eq!(found(&before, "rollback-target").0, "pass", "the registry has them");
    images.sort();
    images.dedup();
    for image in images {
        shop.engine.tell(&["rmi", "--force", image.trim()]);
    }
    assert_eq!(found(&preflight(&shop, "v2").expect_code(0), "rollback-target").0, "pass");
    shop.registry.lose_tag(WORKER, "way-back");
    let (verdict, why) = found(&preflight(&shop, "v2").expect_code(10), "rollback-target");
    assert!(verdict == "fail" && why.contains("is gone from here"), "{verdict}: {why}");
}
