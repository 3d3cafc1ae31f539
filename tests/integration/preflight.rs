//! `waveoff preflight`, and as the first step of `deploy`: everything that is missing, at once.

use std::time::Duration;

use serde_json::{Value, json};
use waveoff::deploy::lock::{self, Claim};
use waveoff::deploy::{Scope, State};
use waveoff::host::signals::Cancel;

use crate::deploy_world::{World, process_config};
use crate::harness::{Ran, Server};
use crate::oci::{self, Image};
use crate::registry::Registry;
use crate::ssh_world::{FILE, Far};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// The process of the example, and what must be in place before.
pub(crate) fn world(preflight: &str) -> World {
    World::with(&format!("{}preflight:\n{preflight}", process_config()))
}

/// What was looked at, by its name: the verdict, and why.
#[track_caller]
pub(crate) fn found(ran: &Ran, name: &str) -> (String, String) {
    let report = ran.report();
    let checks = report["checks"].as_array().unwrap();
    let one = checks.iter().find(|check| check["name"].as_str().unwrap().starts_with(name));
    let one = one.unwrap_or_else(|| panic!("nothing is called {name}: {report:#}"));
    let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    if one["verdict"] != "pass" {
        assert!(!word("remedy").is_empty(), "{name} has no remedy");
    }
    (word("verdict"), word("reason"))
}

pub(crate) fn preflight(world: &World, arguments: &[&str]) -> Ran {
    world.waveoff(&[&["preflight", "--json", "--version", "v1"], arguments].concat()).run()
}

fn scan(image: &Image, repository: &str, severity: &str) -> String {
    json!({
        "SchemaVersion": 2, "CreatedAt": "2026-01-01T00:00:00Z", "ArtifactName": repository,
        "Metadata": { "RepoDigests": [format!("{repository}@{}", image.digest)] },
        "Results": [{ "Target": "debian", "Vulnerabilities": [{
            "VulnerabilityID": "CVE-1", "PkgName": "zlib", "InstalledVersion": "1",
            "FixedVersion": "2", "Severity": severity }] }]
    })
    .to_string()
}

/// Everything that can be asked for, but signatures.
fn everything(registry: &Registry, answers: &Server) -> World {
    let world = world(&format!(
        "  images: [{0}/acme/shop]\n  platforms: [linux/amd64, linux/arm64]\n  blobs: true\n  \
         commit-tag: \"{{{{sha}}}}\"\n  scan: {{ reports: [trivy.json] }}\n  \
         variables: [DATABASE_URL]\n  files: [shop.env]\n  \
         dependencies: [{{ name: database, url: '{1}', attempts: 1 }}]\n  \
         sign-offs: [review, on-call]\n  room: 1MB\n",
        registry.name(),
        answers.url("/")
    ));
    world.write("shop.env", "A=1\n");
    world
}

#[test]
fn d2_a_release_with_everything_in_place_is_ready_and_deployed() {
    let Some(registry) = Registry::start() else { return };
    let image = oci::push(&registry, "acme/shop", "v1", &BOTH);
    registry.tag("acme/shop", "v1", SHA);
    let answers = Server::new(|_, _| (200, String::new(), "ok".into()));
    let world = everything(&registry, &answers);
    let repository = format!("{}/acme/shop", registry.name());
    world.write("trivy.json", &scan(&image, &repository, "MEDIUM"));
    let given = ["--sha", SHA, "--sign-off", "review=anna", "--sign-off", "on-call=ben"];
    let before = world.tree();
    let program =
        world.waveoff(&[&["preflight", "--json", "--version", "v1"], &given[..]].concat());
    let ran = program.env("DATABASE_URL", "postgres://u:secret-word@db/x").run().expect_code(0);
    assert_eq!(world.tree(), before, "looking changes nothing");
    assert!(!format!("{ran:?}").contains("secret-word"), "{ran:?}");
    for (name, reason) in [
        ("artifacts", "is there"),
        ("image: ", "linux/amd64, linux/arm64, 4 blobs"),
        ("platforms", "linux/amd64, linux/arm64"),
        ("blobs", "4 blobs read"),
        ("commit-tag", &image.digest),
        ("scan", "1 MEDIUM, none of them HIGH or worse"),
        ("variables: DATABASE_URL", "is set"),
        ("sign-offs: review", "by anna"),
        ("sign-offs: on-call", "by ben"),
        ("dependencies: database", "200"),
        ("files: shop.env", "is there"),
        ("lock", "nobody"),
        ("room", "free"),
    ] {
        let (verdict, why) = found(&ran, name);
        assert!(verdict == "pass" && why.contains(reason), "{name}: {verdict}: {why}");
    }
    let first = found(&ran, "rollback-target");
    assert_eq!(first.0, "inconclusive", "there is nothing to go back to yet, and that is told");
    assert_eq!(ran.report()["outputs"]["digests"], format!("{repository}@{}", image.digest));
    let deploy = world.deploy("v1").args(given).env("DATABASE_URL", "x").run().expect_code(0);
    assert!(
        deploy.stdout.contains("preflight  ready: 12 of 13 in place, 1 warning"),
        "{}",
        deploy.stdout
    );
    assert_eq!(world.version().as_deref(), Some("v1"));
    let again = preflight(&world, &["--version", "v3"]);
    assert_eq!(again.code, Some(2), "a version is given once: {again:?}");
    let ran = world.waveoff(&["preflight", "--json", "--version", "v3"]).run();
    assert_eq!(found(&ran, "rollback-target: v1"), ("pass".into(), "can come back".into()));
}

#[test]
fn d2_all_that_is_missing_is_told_at_once_each_with_its_remedy_and_nothing_is_deployed() {
    let Some(registry) = Registry::start() else { return };
    let image = oci::push(&registry, "acme/shop", "v1", &BOTH[..1]);
    oci::push(&registry, "acme/shop", SHA, &BOTH);
    let answers = Server::new(|_, _| (503, String::new(), "down".into()));
    let world = everything(&registry, &answers);
    world.write("trivy.json", &scan(&image, "x", "CRITICAL"));
    world.write("shop.env", "");
    let ran = preflight(&world, &["--sha", SHA, "--sign-off", "review=anna"]).expect_code(10);
    for (name, reason) in [
        ("platforms", "not for linux/arm64"),
        ("commit-tag", "is what would be deployed"),
        ("scan", "CRITICAL CVE-1 in zlib 1, mended in 2"),
        ("variables: DATABASE_URL", "is not set"),
        ("sign-offs: on-call", "nobody has said so"),
        ("dependencies: database", "503"),
        ("files: shop.env", "is empty"),
    ] {
        let (verdict, why) = found(&ran, name);
        assert!(verdict == "fail" && why.contains(reason), "{name}: {verdict}: {why}");
    }
    assert_eq!(ran.report()["outputs"]["checks-failed"], "7");
    let shown = world.waveoff(&["preflight", "--version", "v1", "--sha", SHA]).run();
    for words in
        ["not ready: 8 of 14 missing", "remedy: set DATABASE_URL", "next: mend what is missing"]
    {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
    let before = world.tree();
    let deploy = world.waveoff(&["deploy", "--version", "v1", "--sha", SHA]).run().expect_code(10);
    assert!(deploy.stdout.contains("nothing was changed"), "{}", deploy.stdout);
    assert_eq!((world.tree(), world.version()), (before, None));
    world.deploy("v1").args(["--no-preflight"]).run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v1"), "in an emergency, somebody decides");
}

#[test]
fn d2_what_cannot_be_looked_at_is_no_pass() {
    let world =
        world("  platforms: [linux/amd64]\n  blobs: true\n  commit-tag: \"{{sha}}\"\n  scan: {}\n");
    let ran = preflight(&world, &[]).expect_code(11);
    for name in ["platforms", "blobs", "commit-tag", "scan"] {
        assert_eq!(found(&ran, name).0, "inconclusive", "{name}");
    }
    let config = process_config() + "preflight:\n  severity: { room: warning }\n  room: 900TB\n";
    let world = World::with(&config);
    let ran = preflight(&world, &[]).expect_code(0);
    assert_eq!(found(&ran, "room").0, "fail", "told, and not deciding");
    let world = World::with(&config.replace("warning", "critical"));
    preflight(&world, &[]).expect_code(10);
}

#[test]
fn d2_a_deployment_on_its_way_is_told_with_its_owner() {
    let world = World::new();
    let state = State::at(world.folder.path().join("state"));
    let scope = Scope::new("shop", "production").unwrap();
    let (run, by) = ("run-7".to_owned(), "alice".to_owned());
    let claim = Claim { doing: "deploy v9".into(), run, by, deadline: Duration::from_secs(60) };
    let cancel = Cancel::default();
    let held = lock::wait_in_line(&scope, &state, claim, Duration::from_secs(9), &cancel, |_| {});
    let held = held.unwrap();
    let ran = preflight(&world, &[]).expect_code(10);
    let (verdict, why) = found(&ran, "lock");
    assert!(verdict == "fail" && why.contains("run-7") && why.contains("alice"), "{why}");
    drop(held);
    assert_eq!(found(&preflight(&world, &[]).expect_code(0), "lock").0, "pass");
}

#[test]
fn d2_what_is_given_for_nothing_is_a_mistake() {
    let world = World::new();
    for (arguments, words) in [
        (&["--sign-off", "review=anna"][..], "nobody asks for \"review\""),
        (&["--sign-off", "review"], "there is no name"),
        (&["--sha", "zzz"], "is not a commit"),
    ] {
        let ran = preflight(&world, arguments).expect_code(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let ran = world.waveoff(&["preflight"]).run().expect_code(2);
    assert!(ran.stderr.contains("no version was given"), "{}", ran.stderr);
    let ran = world.deploy("v1").args(["--sign-off", "review=anna"]).run().expect_code(2);
    assert!(ran.stderr.contains("no `preflight`"), "{}", ran.stderr);
    for (text, words) in [
        ("  signature: {}\n", "preflight.signature"),
        ("  severity: { disk: warning }\n", "known are: artifacts, image"),
        ("  room: 5\n", "is not a size"),
        ("  scan: { bar: bad }\n", "known are critical, high"),
        ("  images: [\"a b\"]\n", "preflight.images"),
    ] {
        let ran = preflight(&self::world(text), &[]).expect_code(2);
        assert!(ran.stderr.contains(words), "{text}: {}", ran.stderr);
    }
}

#[test]
fn d2_with_a_host_each_side_looks_at_what_it_alone_can() {
    let preflight = "preflight:\n  images: [\"${REGISTRY}/acme/shop\"]\n  variables: [HERE]\n  \
                     files: [\"${SHOP_HOME}/there\"]\n  sign-offs: [review]\n";
    let Some(registry) = Registry::start() else { return };
    let image = oci::push(&registry, "acme/shop", "v1", &BOTH);
    let Some(far) = Far::new(&format!("{FILE}{preflight}")) else { return };
    let ask = |words: &[&str]| {
        let program = far.waveoff(&[words, &["--version", "v1", "--json"]].concat());
        program.env("REGISTRY", &registry.name())
    };
    let names = |report: &Value| -> Vec<String> {
        let all = report["outputs"]["failed-checks"].as_str().unwrap_or_default().lines();
        all.map(str::to_owned).collect()
    };
    let ran = ask(&["preflight"]).run().expect_code(10);
    let missing = names(&ran.report());
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert!(missing[0].starts_with("variables: HERE"), "{missing:?}");
    assert!(missing[1].starts_with("sign-offs: review") && missing[2].starts_with("files: "));
    let digests = ran.report()["outputs"]["digests"].as_str().unwrap().to_owned();
    assert!(digests.ends_with(&image.digest), "{digests}");
    let deploy = ask(&["deploy"]).run().expect_code(10);
    for words in ["variables: HERE", "sign-offs: review", "files: ", "nothing was changed"] {
        assert!(deploy.stdout.contains(words), "both halves at once: {}", deploy.stdout);
    }
    let here = ["--sign-off", "review=anna"];
    let deploy = ask(&[&["deploy"], &here[..]].concat()).env("HERE", "x").run().expect_code(10);
    assert!(deploy.stdout.contains("files: "), "{}", deploy.stdout);
    assert_eq!(far.live(), "");
    std::fs::write(far.home("there"), "x").unwrap();
    ask(&[&["preflight"], &here[..]].concat()).env("HERE", "x").run().expect_code(0);
    ask(&[&["deploy"], &here[..]].concat()).env("HERE", "x").run().expect_code(0);
    assert_eq!(far.live(), "v1");
}

#[test]
fn d2_by_force_it_is_deployed_without_a_way_back_and_with_everything_else() {
    let world =
        world("  room: 1MB\n  severity: { rollback-target: critical }\n  sign-offs: [review]\n");
    let (version, given) = (["--version", "v1"], ["--sign-off", "review=anna"]);
    let deploy = |more: &[&str]| world.waveoff(&[&["deploy"], &version[..], more].concat()).run();
    assert_eq!(deploy(&given).code, Some(11), "a way back was asked for");
    let config = process_config().replace("\"${SHOP}\", --port", "\"./{{version}}\", --port");
    let world = World::with(&(config + "preflight: { sign-offs: [review] }\n"));
    for version in ["v1", "v3"] {
        world.write(version, "#!/bin/sh\nexec \"$SHOP\" \"$@\"\n");
    }
    world.deploy("v1").args(given).run().expect_code(0);
    assert!(world.report()["steps"].to_string().contains("sign-offs: review: by anna"));
    let ran = world.deploy("v3").args(["--no-preflight"]).args(given).run().expect_code(2);
    assert!(ran.stderr.contains("--no-preflight"), "{}", ran.stderr);
    // Nothing starts what is to come back.
    std::fs::remove_file(world.folder.path().join("v1")).unwrap();
    let ran = world.deploy("v3").args(given).run().expect_code(10);
    assert!(ran.stdout.contains("fail    rollback-target: v1"), "{}", ran.stdout);
    let ran = world.deploy("v3").args(["--force"]).run().expect_code(10);
    for words in ["fail    sign-offs: review", "warning rollback-target: v1"] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert_eq!(world.version().as_deref(), Some("v1"));
    world.deploy("v3").args(["--force"]).args(given).run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v3"));
}

#[test]
fn d2_of_images_that_others_built_only_what_they_are_is_looked_at() {
    let Some(registry) = Registry::start() else { return };
    let image = oci::push(&registry, "acme/shop", "v1", &BOTH);
    oci::push(&registry, "others/proxy", "v1", &BOTH[..1]);
    registry.tag("acme/shop", "v1", SHA);
    let name = registry.name();
    let spec = format!(
        "  images: [{name}/acme/shop, {name}/others/proxy]\n  commit-tag: \"{{{{sha}}}}\"\n  \
         scan: {{ reports: [trivy.json] }}\n  platforms: [linux/amd64, linux/arm64]\n"
    );
    let look = |more: &str| {
        let world = world(&format!("{spec}{more}"));
        world.write("trivy.json", &scan(&image, &format!("{name}/acme/shop"), "LOW"));
        let ran = preflight(&world, &["--sha", SHA]).expect_code(10);
        let failed = ran.report()["outputs"]["failed-checks"].as_str().unwrap().to_owned();
        let kinds = failed.lines().map(|line| line.split(':').next().unwrap().to_owned());
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(look(""), ["platforms", "commit-tag", "scan"]);
    assert_eq!(look(&format!("  own: ['{name}/acme/*']\n")), ["platforms"]);
}
