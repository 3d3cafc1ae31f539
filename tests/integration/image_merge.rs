//! `scripts/image`: what was built becomes one image, whose tags mean what they say. The registry and
//! buildx are real.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::act::Repository;
use crate::image_world::{SHA, World, scripts};

#[test]
fn what_was_built_for_each_platform_becomes_one_index_under_the_commit() {
    let Some(world) = World::new() else { return };
    let (amd64, arm64) = (world.push("amd64", "shop"), world.push("arm64", "shop"));
    let ran = world.run("merge", &[("DIGESTS", &format!("{amd64} {arm64}"))]).expect_code(0);
    let index = ran.stdout.trim().strip_prefix("digest=").unwrap().to_owned();
    assert_eq!(world.registry.digest("shop/web", SHA), Some(index.clone()));
    let manifest = world.manifest(SHA).unwrap();
    let parts: BTreeSet<_> = manifest["manifests"].as_array().unwrap().iter().map(part).collect();
    assert_eq!(
        parts,
        BTreeSet::from([("amd64".to_owned(), amd64.clone()), ("arm64".into(), arm64.clone())])
    );
    assert_eq!(world.tags(), [SHA]);

    // Once more, in another order, on lines of their own: nothing is pushed.
    let before = world.registry.log().matches("PUT").count();
    let again = world.run("merge", &[("DIGESTS", &format!("{arm64}\n{amd64}"))]).expect_code(0);
    assert_eq!(again.stdout, ran.stdout);
    assert_eq!(world.registry.log().matches("PUT").count(), before, "{}", world.registry.log());
}

fn part(manifest: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&manifest["platform"]["architecture"]), text(&manifest["digest"]))
}

#[test]
fn a_commit_is_one_image_for_ever() {
    let Some(world) = World::new() else { return };
    let index = world.merged("shop");
    let other = world.push_both("shop, built again");
    let ran = world.run("merge", &[("DIGESTS", &other)]).expect_code(10);
    assert!(ran.stderr.contains(&format!("is {index} already")), "{}", ran.stderr);
    assert_eq!(world.registry.digest("shop/web", SHA), Some(index));
}

#[test]
fn what_is_not_whole_is_not_merged() {
    let Some(mut world) = World::new() else { return };
    let (amd64, arm64) = (world.push("amd64", "shop"), world.push("arm64", "shop"));
    let nowhere = format!("sha256:{}", "0".repeat(64));
    for (digests, code, why) in [
        (String::new(), 2, "there are no digests"),
        (amd64.clone(), 10, "for linux/amd64, and not for linux/amd64 linux/arm64"),
        (format!("{amd64} {amd64}"), 10, "for linux/amd64, and not"),
        (format!("{amd64} {nowhere}"), 12, "not found"),
        (format!("{amd64} latest"), 2, "latest is no digest"),
    ] {
        let ran = world.run("merge", &[("DIGESTS", &digests)]).expect_code(code);
        assert!(ran.stderr.contains(why), "{digests}: {}", ran.stderr);
    }
    let both = format!("{amd64} {arm64}");
    world.run("merge", &[("DIGESTS", &both), ("PLATFORMS", "linux/amd64")]).expect_code(10);
    world.run("merge", &[("DIGESTS", &both), ("PLATFORMS", "")]).expect_code(2);
    world.run("merge", &[("DIGESTS", &both), ("SHA", "main")]).expect_code(2);
    assert!(world.tags().is_empty(), "{:?}", world.tags());

    world.registry.stop();
    let ran = world.run("merge", &[("DIGESTS", &both)]).expect_code(12);
    assert!(ran.stderr.contains("connection refused"), "{}", ran.stderr);
}

#[test]
fn a_registry_that_cannot_be_asked_is_not_one_that_has_nothing() {
    let Some(mut world) = World::new() else { return };
    let digest = world.merged("shop");
    world.registry.stop();
    for (script, code) in [("tag", 12), ("verify", 12), ("sign", 12)] {
        let key = world.path("good.key");
        let all = [
            ("DIGEST", digest.as_str()),
            ("TAGS", "latest"),
            ("PUBLIC_KEY", "good.pub"),
            ("KEY", &key),
        ];
        let ran = world.run(script, &all).expect_code(code);
        assert!(ran.stderr.contains("refused"), "{script}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{script}: {}", ran.stdout);
    }
}

#[test]
fn a_tag_that_cannot_be_asked_for_is_not_one_that_is_free() {
    let Some(world) = World::new() else { return };
    let docker = crate::parts::part("docker").unwrap();
    let refused = "echo 'ERROR: unexpected status: 503 Service Unavailable' >&2; exit 1";
    let script = "case $* in *'inspect --raw'*) @REFUSED ;; esac\nexec @DOCKER \"$@\"\n";
    let script = script.replace("@REFUSED", refused).replace("@DOCKER", docker.to_str().unwrap());
    world.program("docker", &script);
    let ran = world.run("merge", &[("DIGESTS", &world.push_both("shop"))]).expect_code(12);
    assert!(ran.stderr.contains("could not be asked"), "{}", ran.stderr);
    assert!(world.tags().is_empty(), "{:?}", world.tags());
}

#[test]
fn tags_move_and_commits_do_not() {
    let Some(world) = World::new() else { return };
    let first = world.merged("shop");
    let sha = "f".repeat(40);
    let digests = world.push_both("shop, later");
    let later = world.run("merge", &[("DIGESTS", &digests), ("SHA", &sha)]).expect_code(0);
    let later = later.stdout.trim().strip_prefix("digest=").unwrap().to_owned();
    for (digest, tags) in
        [(&first, "latest stable"), (&later, "latest"), (&later, "latest"), (&first, "")]
    {
        world.run("tag", &[("DIGEST", digest), ("TAGS", tags)]).expect_code(0);
    }
    let digest = |tag: &str| world.registry.digest("shop/web", tag);
    assert_eq!(digest("latest"), Some(later.clone()));
    assert_eq!(digest("stable"), Some(first.clone()));

    // All are looked at before one is moved.
    for tags in
        [&format!("latest {SHA}"), "latest sha256-0123", "latest -x", "latest a/b", "latest *"]
    {
        world.run("tag", &[("DIGEST", &first), ("TAGS", tags)]).expect_code(2);
    }
    assert_eq!(digest("latest"), Some(later));
    let nowhere = format!("sha256:{}", "0".repeat(64));
    world.run("tag", &[("DIGEST", &nowhere), ("TAGS", "latest")]).expect_code(12);
}

#[test]
fn what_comes_from_outside_is_never_part_of_a_command() {
    let Some(world) = World::new() else { return };
    let digest = world.merged("shop");
    let good = || -> Vec<(&'static str, String)> {
        let mut all = vec![("DIGESTS", digest.clone()), ("DIGEST", digest.clone())];
        all.extend([("TAGS", "latest".into()), ("TYPE", "spdxjson".into())]);
        all.extend([("NAME", "web".into()), ("NAMES", "web".into()), ("FOLDER", "folder".into())]);
        all.extend([("REGISTRY", "ghcr.io".into()), ("REPOSITORY", "acme/shop".into())]);
        all.extend([
            ("BAR", "HIGH".into()),
            ("REPORT", "report".into()),
            ("PLATFORM", "linux/amd64".into()),
        ]);
        all
    };
    let asked = [
        ("name", "NAME"),
        ("name", "REGISTRY"),
        ("name", "REPOSITORY"),
        ("merge", "IMAGE"),
        ("merge", "DIGESTS"),
        ("merge", "SHA"),
        ("tag", "IMAGE"),
        ("tag", "DIGEST"),
        ("tag", "TAGS"),
        ("sign", "IMAGE"),
        ("sign", "DIGEST"),
        ("verify", "DIGEST"),
        ("look", "SHA"),
        ("attest", "TYPE"),
        ("sbom", "DIGESTS"),
        ("scan", "BAR"),
        ("scan", "DIGEST"),
        ("scan", "PLATFORM"),
        ("digests", "NAMES"),
        ("pins", "DIGESTS"),
    ];
    let evil = [
        "$(touch marker)",
        "`touch marker`",
        "'; touch marker; '",
        "\"; touch marker #",
        "--help",
        "x\n::error::y",
    ];
    for name in ["syft", "trivy", "gitleaks"] {
        world.program(name, "exit 99\n");
    }
    for (script, variable) in asked {
        for value in evil {
            let mut variables = good();
            variables.retain(|(name, _)| *name != variable);
            variables.push((variable, value.to_owned()));
            let variables: Vec<_> =
                variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let ran = world.run(script, &variables);
            assert_eq!(ran.code, Some(2), "{script} {variable}={value}: {}", ran.stderr);
            assert_eq!(
                ran.stderr.lines().count(),
                1,
                "{script} {variable}={value}: {}",
                ran.stderr
            );
            assert!(ran.stdout.is_empty(), "{script} {variable}={value}: {}", ran.stdout);
        }
    }
    assert!(!world.folder.path().join("marker").exists());
    world.run("../../bootstrap/run", &[]).expect_code(2);
}

#[test]
fn the_action_runs_every_script_and_gives_it_all_it_reads() {
    let root = scripts();
    let run = fs::read_to_string(root.join("run.sh")).unwrap();
    let action = root.join("../../actions/image/action.yml");
    let action: Value = serde_saphyr::from_str(&fs::read_to_string(action).unwrap()).unwrap();
    let step = &action["runs"]["steps"][0];
    let given: BTreeSet<_> = step["env"].as_object().unwrap().keys().cloned().collect();
    for (name, value) in step["env"].as_object().unwrap() {
        let input = name.to_lowercase().replace('_', "-");
        assert_eq!(value.as_str(), Some(format!("${{{{ inputs.{input} }}}}").as_str()));
        assert!(action["inputs"].get(&input).is_some(), "{input}");
    }
    assert_eq!(action["inputs"].as_object().unwrap().len(), given.len());
    let own = ["FORMAT", "IDENTITY", "ISSUER", "REPOSITORY"];
    for entry in fs::read_dir(&root).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["run", "checked", "cosign"].contains(&name.as_str()) {
            continue;
        }
        assert!(run.contains(&format!("{name} |")) || run.contains(&format!("{name})")), "{name}");
        let text = fs::read_to_string(&file).unwrap();
        let mut read = text.split("${").skip(1).filter_map(|rest| rest.split_once(":-"));
        for (variable, _) in read.by_ref().filter(|(name, _)| is_variable(name)) {
            assert!(given.contains(variable), "{name} reads {variable}, which it is not given");
        }
    }
    assert!(own.iter().all(|name| given.contains(*name)));
}

fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn somebody_elses_workflow_reaches_the_scripts_by_the_action() {
    let workflow = r"
name: ship
on: push
jobs:
  release:
    runs-on: ubuntu-latest
    steps:
      - id: name
        uses: waveoff/waveoff/actions/image@v1
        with: { do: name, registry: '@REGISTRY', repository: Shop, name: web }
      - id: merge
        uses: waveoff/waveoff/actions/image@v1
        with:
          do: merge
          image: ${{ steps.name.outputs.image }}
          digests: '@DIGESTS'
          platforms: linux/amd64 linux/arm64
          sha: '@SHA'
      - uses: waveoff/waveoff/actions/image@v1
        with:
          do: tag
          image: ${{ steps.name.outputs.image }}
          digest: ${{ steps.merge.outputs.digest }}
          tags: latest
      - id: evil
        continue-on-error: true
        uses: waveoff/waveoff/actions/image@v1
        with: { do: name, registry: '@REGISTRY', repository: '$(touch @MARKER)', name: web }
";
    let Some(world) = World::new() else { return };
    let marker = world.path("marker");
    let workflow = workflow
        .replace("@REGISTRY", &world.registry.name())
        .replace("@DIGESTS", &world.push_both("shop"))
        .replace("@SHA", SHA)
        .replace("@MARKER", &marker);
    let Some(repository) = Repository::new(&workflow) else { return };
    let run = repository.env("DOCKER_CONFIG", world.path("docker")).push();
    assert!(run.success, "{}", run.log);
    assert_eq!(run.output("release", "name", "image"), world.image(), "{}", run.log);
    let digest = run.output("release", "merge", "digest");
    assert_eq!(world.registry.digest("shop/web", SHA).as_deref(), Some(digest), "{}", run.log);
    assert_eq!(world.registry.digest("shop/web", "latest").as_deref(), Some(digest));
    assert!(run.log.contains("is no image"), "{}", run.log);
    assert!(!fs::exists(marker).unwrap());
}
