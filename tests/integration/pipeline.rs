//! What a run of `pipeline.yml` is for: the script that decides it, and the workflow under act.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::act::{Production, Repository, SHIP};
use crate::harness::Ran;
use crate::parts::part;

/// Decides in a checkout with these files, for a push to the default branch but for what is named.
fn decide(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command = Command::new("sh");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/pipeline/decide.sh"));
    command.env_clear().env("PATH", std::env::var("PATH").unwrap()).current_dir(folder.path());
    for (name, value) in [
        ("EVENT", "push"),
        ("REF", "refs/heads/main"),
        ("DEFAULT_BRANCH", "main"),
        ("NEEDS", r#"{"lint":{"result":"success","outputs":{}},"test":{"result":"success"}}"#),
        ("PUSH_ENVIRONMENT", "staging"),
        ("CONFIG", "waveoff.yml"),
    ] {
        command.env(name, value);
    }
    command.envs(variables.iter().copied());
    Ran::of(command.output().unwrap())
}

/// Its outputs, in order: whether to push, whether to deploy, where to, by which file.
#[track_caller]
fn decided(variables: &[(&str, &str)]) -> String {
    let ran = decide(&[("waveoff.yml", "version: 1\n")], variables).expect_code(0);
    let values = ran.stdout.lines().map(|line| line.split_once('=').unwrap().1);
    values.collect::<Vec<_>>().join(" ")
}

const BY_HAND: (&str, &str) = ("EVENT", "workflow_dispatch");
const BRANCH: (&str, &str) = ("REF", "refs/heads/feature");

#[test]
fn what_begins_a_run_says_where_it_goes() {
    let Some(_) = part("jq") else { return };
    for (variables, wanted) in [
        (&[][..], "true true staging waveoff.yml"),
        (&[("PUSH_ENVIRONMENT", "preview")], "true true preview waveoff.yml"),
        (&[("ENVIRONMENT", "staging")], "true true staging waveoff.yml"),
        // Built and tested, and no more.
        (&[BRANCH], "false false  "),
        (&[("REF", "refs/tags/v1")], "false false  "),
        (&[("EVENT", "pull_request"), ("REF", "refs/pull/1/merge")], "false false  "),
        (&[("EVENT", "pull_request"), ("ENVIRONMENT", "production")], "false false  "),
        (&[("EVENT", "merge_group")], "false false  "),
        (&[("EVENT", "schedule")], "false false  "),
        (&[BY_HAND], "true true production waveoff.yml"),
        (&[BY_HAND, ("ENVIRONMENT", "production-eu")], "true true production-eu waveoff.yml"),
        (&[BY_HAND, ("ENVIRONMENT", "staging"), BRANCH], "true true staging waveoff.yml"),
    ] {
        assert_eq!(decided(variables), wanted, "{variables:?}");
    }
}

#[test]
fn what_must_not_be_deployed_is_refused() {
    let Some(_) = part("jq") else { return };
    for (variables, code, why) in [
        (&[BY_HAND, BRANCH][..], 10, "production is deployed from main only"),
        (&[BY_HAND, ("REF", "refs/tags/v1")], 10, "from main only"),
        (&[("ENVIRONMENT", "production")], 2, "production is deployed by hand only"),
        (&[("EVENT", "pull_request_target")], 2, "nothing is known of the event"),
        (&[("EVENT", "workflow_run")], 2, "nothing is known of the event"),
        (&[("EVENT", "")], 2, "there is no event"),
        (&[("DEFAULT_BRANCH", "")], 2, "there is no branch"),
        (&[("CONFIG", "../waveoff.yml")], 2, "../waveoff.yml is no file"),
        (&[("CONFIG", "/etc/waveoff.yml")], 2, "is no file"),
        (&[BY_HAND, ("ENVIRONMENT", "$(touch marker)")], 2, "is no environment"),
        (&[BY_HAND, ("STRATEGY", "../evil")], 2, "is no strategy"),
        (&[BY_HAND, ("ENVIRONMENT", "x\ndeploy=true")], 2, "is no environment"),
    ] {
        let files = [("waveoff.yml", "version: 1\n")];
        let ran = decide(&files, variables).expect_code(code);
        assert!(ran.stderr.contains(why), "{variables:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{variables:?}: {}", ran.stdout);
    }
    // It would fail on a machine that a person has just approved.
    let ran = decide(&[], &[]).expect_code(2);
    assert!(ran.stderr.contains("there is no waveoff.yml to deploy by"), "{}", ran.stderr);
    decide(&[], &[("EVENT", "pull_request")]).expect_code(0);
}

/// What `toJSON(needs)` gives for jobs that ended like this.
fn needs(results: &[&str]) -> String {
    let jobs = results.iter().enumerate().map(|(number, result)| {
        (format!("job-{number}"), json!({ "result": result, "outputs": { "result": "failure" } }))
    });
    serde_json::to_string_pretty(&jobs.collect::<BTreeMap<_, _>>()).unwrap()
}

#[test]
fn the_callers_own_jobs_are_waited_for() {
    let Some(_) = part("jq") else { return };
    let skipped = ("SKIP_TESTS", "true");
    let pull_request = ("EVENT", "pull_request");
    for (variables, results, why) in [
        (&[][..], &["success", "failure"][..], "job-1 ended with failure before the build"),
        (&[], &["cancelled", "success"], "job-0 ended with cancelled"),
        (&[], &["success", "skipped"], "job-1 was skipped"),
        (&[], &[], "no check ran"),
        (&[pull_request], &["failure"], "ended with failure"),
        (&[BY_HAND, skipped], &["skipped", "failure"], "job-1 ended with failure"),
    ] {
        let needs = needs(results);
        let variables = [variables, &[("NEEDS", &needs)]].concat();
        let ran = decide(&[("waveoff.yml", "")], &variables).expect_code(10);
        assert!(ran.stderr.contains(why), "{variables:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{variables:?}: {}", ran.stdout);
    }
    for results in [&["success", "skipped"][..], &["skipped"], &[]] {
        decided(&[BY_HAND, skipped, ("NEEDS", &needs(results))]);
    }
    for (name, value) in [
        ("NEEDS", ""),
        ("NEEDS", "success"),
        ("NEEDS", "[]"),
        ("NEEDS", r#"{"lint":"success"}"#),
        ("NEEDS", r#"{"lint":{"result":null}}"#),
        ("NEEDS", r#"{"lint":{"result":"*"}}"#),
        ("SKIP_TESTS", "yes"),
        skipped, // not by hand
    ] {
        let ran = decide(&[("waveoff.yml", "")], &[(name, value)]).expect_code(2);
        assert!(ran.stdout.is_empty(), "{name}={value}: {}", ran.stdout);
    }
}

#[test]
fn a_strategy_is_a_file_of_its_own_or_the_one_that_waveoff_yml_has() {
    let Some(_) = part("jq") else { return };
    let own = ("waveoff.rolling.yml", "version: 1\nstrategy: rolling\n");
    let slots = "version: 1\nstrategy:\n  blue-green: { slots: { blue: 1, green: 2 } }\nrouter:\n  rolling: 1\n";
    let file = |text, strategy| {
        let files = [("waveoff.yml", text), own];
        decide(&files, &[BY_HAND, ("STRATEGY", strategy)])
    };
    for (text, strategy, wanted) in [
        (slots, "", "waveoff.yml"),
        (slots, "blue-green", "waveoff.yml"),
        ("strategy: blue-green # two slots\n", "blue-green", "waveoff.yml"),
        ("strategy: { blue-green: {} }\n", "blue-green", "waveoff.yml"),
        (slots, "rolling", "waveoff.rolling.yml"),
    ] {
        let ran = file(text, strategy).expect_code(0);
        assert!(ran.stdout.ends_with(&format!("config={wanted}\n")), "{strategy}: {}", ran.stdout);
    }
    for text in ["version: 1\n", "strategy: rolling\n", "strategy: blue-greenish\nblue-green: 1\n"]
    {
        let ran = file(text, "blue-green").expect_code(2);
        assert!(ran.stderr.contains("there is no waveoff.blue-green.yml"), "{}", ran.stderr);
    }
}

const CALLER: &str = r"
name: ship
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: exit @CODE
        shell: sh
  pipeline:
    needs: test
    if: ${{ !cancelled() }}
    uses: waveoff/waveoff/.github/workflows/pipeline.yml@v1
    with:
      needs: ${{ toJSON(needs) }}
      images: '[]'
";

const CONFIG: &str = r"
version: 1
service: shop
deploy: [./ship.sh]
state: ${PRODUCTION}/state
public: ${SHOP}
checks:
  - path: /ready
    within: 5s
    expect: [{ status: 200 }, { version: { header: X-Version } }]
";

/// Pushes a repository whose own test ends with this code.
fn pushed(production: &Production, code: &str) -> Option<crate::act::Outcome> {
    let repository = Repository::new(&CALLER.replace("@CODE", code))?
        .file("waveoff.yml", CONFIG)
        .file("ship.sh", SHIP)
        .env("PRODUCTION", production.folder().display().to_string())
        .env("SAMPLE_SERVICE", Production::sample_service().display().to_string())
        .env("SHOP", production.url());
    Some(repository.push())
}

#[test]
fn a_push_is_deployed_to_staging_and_verified() {
    let Some(_) = part("jq") else { return };
    let production = Production::running("v1");
    let Some(run) = pushed(&production, "0") else { return };
    assert!(run.success, "{}", run.log);
    assert_eq!(run.output("decide", "decide", "environment"), "staging", "{}", run.log);
    assert_eq!(run.output("deploy", "preflight", "verdict"), "pass", "{}", run.log);
    assert_eq!(run.output("deploy", "deploy", "outcome"), "verified", "{}", run.log);
    assert_eq!(production.version(), *production.shipped().last().unwrap());
    assert_ne!(production.version(), "v1");
    assert!(production.folder().join("state/shop/staging/ledger.jsonl").is_file(), "{}", run.log);
}

#[test]
fn nothing_is_deployed_when_a_check_of_the_caller_failed() {
    let Some(_) = part("jq") else { return };
    let production = Production::running("v1");
    let Some(run) = pushed(&production, "1") else { return };
    assert!(!run.success, "{}", run.log);
    assert!(run.log.contains("test ended with failure before the build"), "{}", run.log);
    assert!(!run.jobs.contains_key("deploy"), "{}", run.log);
    assert_eq!(production.shipped(), ["v1"]);
}
