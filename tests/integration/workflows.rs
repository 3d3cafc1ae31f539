//! The actions and workflows as somebody else's repository uses them.

use crate::act::{Outcome, Production, Repository, SHIP, until};

#[test]
fn an_action_takes_inputs_and_gives_outputs_and_jobs_share_nothing_else() {
    let workflow = r#"
name: ship
on: push
jobs:
  good:
    runs-on: ubuntu-latest
    outputs:
      verdict: ${{ steps.wait.outputs.verdict }}
    steps:
      - id: wait
        uses: waveoff/waveoff/actions/wait-healthy@v1
        with:
          url: |
            ${{ env.SHOP }}/health
            ${{ env.SHOP }}/version
          expect-version: v1
          version-jsonpath: $.version
      - run: touch left-over "$HOME/left-over" "$RUNNER_TEMP/left-over"
        shell: sh
  bad:
    needs: good
    runs-on: ubuntu-latest
    steps:
      - run: |
          test "$BEFORE" = pass
          test -z "$(ls -A "$HOME" "$RUNNER_TEMP" . | grep left-over)"
        shell: sh
        env:
          BEFORE: ${{ needs.good.outputs.verdict }}
      - id: smoke
        continue-on-error: true
        uses: waveoff/waveoff/actions/smoke-test@v1
        with:
          url: ${{ env.SHOP }}/version
          expect-version: v2
          version-jsonpath: $.version
          attempts: '1'
      - id: typo
        continue-on-error: true
        uses: waveoff/waveoff/actions/wait-healthy@v1
        with:
          within: soon
"#;
    let production = Production::running("v1");
    let Some(repository) = Repository::new(workflow) else { return };
    let run = repository.env("SHOP", production.url()).push();
    assert!(run.success, "{}", run.log);
    assert_eq!(run.machines, 2, "{}", run.log);
    assert_eq!(run.output("good", "wait", "verdict"), "pass");
    assert_eq!(run.output("bad", "smoke", "verdict"), "fail");
    assert_eq!(run.output("bad", "smoke", "exit-code"), "10");
    assert!(run.output("bad", "smoke", "report").contains("\"verdict\":\"fail\""), "{}", run.log);
    assert!(run.summaries.contains("v2"), "{}", run.log);
    assert!(run.log.contains("soon"), "{}", run.log);
}

#[test]
fn the_programs_are_put_on_disk_for_later_steps() {
    let workflow = r#"
name: ship
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - id: waveoff
        uses: waveoff/waveoff@v1
        with:
          programs: wait-healthy smoke-test
      - run: |
          "$PROGRAMS/wait-healthy" --help
          "$PROGRAMS/smoke-test" --help
          test -z "$(command -v smoke-test)"
        shell: sh
        env:
          PROGRAMS: ${{ steps.waveoff.outputs.path }}
      - id: hostile
        continue-on-error: true
        uses: waveoff/waveoff@v1
        with:
          programs: "* $(touch owned) ; touch owned"
      - run: test ! -e owned
        shell: sh
"#;
    let Some(repository) = Repository::new(workflow) else { return };
    let run = repository.push();
    assert!(run.success, "{}", run.log);
    assert!(run.log.contains("there is no program \"*\""), "{}", run.log);
}

#[test]
fn what_is_cancelled_before_deploying_deploys_nothing() {
    let workflow = r#"
name: ship
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - id: wait
        uses: waveoff/waveoff/actions/wait-healthy@v1
        with:
          command: '["sh", "-c", "touch ${{ env.PRODUCTION }}/began; exit 1"]'
          within: 10m
      - run: WAVEOFF_VERSION=v2 ./ship.sh
        shell: sh
      - if: always()
        run: touch "$PRODUCTION/ended"
        shell: sh
"#;
    let production = Production::running("v1");
    let Some(repository) = Repository::new(workflow) else { return };
    let repository = repository
        .file("ship.sh", SHIP)
        .env("PRODUCTION", production.folder().to_str().unwrap())
        .env("SAMPLE_SERVICE", Production::sample_service().to_str().unwrap());
    let pushed = repository.start();
    until("the wait has begun", || production.folder().join("began").exists());
    pushed.cancel();
    let run = pushed.finish();
    assert!(!run.success, "{}", run.log);
    assert!(production.folder().join("ended").exists(), "{}", run.log);
    assert_eq!(production.shipped(), ["v1"]);
    assert_eq!(production.version(), "v1");
}

/// The recommended form: one job with the one action `deploy`, on the machine that keeps the state.
const DEPLOY: &str = r#"
name: ship
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - id: deploy
        uses: waveoff/waveoff/actions/deploy@v1
        with:
          version: ${{ env.VERSION_TO_DEPLOY }}
          state: ${{ env.PRODUCTION }}/state
"#;

const CONFIG: &str = r"
version: 1
service: shop
deploy: [./ship.sh]
public: ${SHOP}
checks:
  - path: /ready
    within: 5s
    expect: [{ status: 200 }, { version: { header: X-Version } }]
  - path: /health/full
    within: 5s
    expect: [{ health: auto }]
";

/// Deploys by a workflow of somebody's.
fn deploy(production: &Production, version: &str) -> Option<Outcome> {
    let repository = Repository::new(DEPLOY)?
        .file("waveoff.yml", CONFIG)
        .file("ship.sh", SHIP)
        .env("SHOP", production.url())
        .env("PRODUCTION", production.folder().to_str().unwrap())
        .env("SAMPLE_SERVICE", Production::sample_service().to_str().unwrap())
        .env("VERSION_TO_DEPLOY", version);
    Some(repository.push())
}

#[test]
fn a_good_release_stays_and_a_bad_one_is_taken_back() {
    let production = Production::running("v0");
    let Some(run) = deploy(&production, "v1") else { return };
    assert!(run.success, "{}", run.log);
    assert_eq!(run.output("deploy", "deploy", "outcome"), "verified", "{}", run.log);
    assert_eq!(production.version(), "v1");

    let run = deploy(&production, "v2").unwrap();
    assert!(!run.success, "{}", run.log);
    assert_eq!(run.output("deploy", "deploy", "outcome"), "rolled-back", "{}", run.log);
    assert_eq!(run.output("deploy", "deploy", "exit-code"), "20", "{}", run.log);
    assert_eq!(run.output("deploy", "deploy", "live-version"), "v1", "{}", run.log);
    assert!(!run.output("deploy", "deploy", "incident-key").is_empty(), "{}", run.log);
    assert_eq!(production.version(), "v1");
    assert_eq!(production.shipped(), ["v0", "v1", "v2", "v1"]);
}

/// The same, with the step that keeps the machine until what was begun has ended.
fn with_recover() -> String {
    let recover = "      - id: recover\n        if: always()\n        \
                   uses: waveoff/waveoff/actions/recover@v1\n        \
                   with:\n          state: ${{ env.PRODUCTION }}/state\n";
    format!("{DEPLOY}{recover}")
}

#[test]
fn d7_a_cancelled_workflow_waits_until_the_old_release_is_back() {
    let production = Production::running("v0");
    let Some(run) = deploy(&production, "v1") else { return };
    assert!(run.success, "{}", run.log);
    // It is cancelled while v2, which is bad, is waited for.
    let repository = Repository::new(&with_recover())
        .unwrap()
        .file("waveoff.yml", &CONFIG.replace("within: 5s", "within: 8s"))
        .file("ship.sh", SHIP)
        .env("SHOP", production.url())
        .env("PRODUCTION", production.folder().to_str().unwrap())
        .env("SAMPLE_SERVICE", Production::sample_service().to_str().unwrap())
        .env("VERSION_TO_DEPLOY", "v2");
    let pushed = repository.start();
    let journals = || std::fs::read_dir(production.folder().join("state/shop/production/runs"));
    let waits = || {
        let runs = journals().unwrap().map(|run| run.unwrap().path().join("journal.jsonl"));
        let last = runs.max().map(|file| std::fs::read_to_string(file).unwrap_or_default());
        last.is_some_and(|text| text.contains("verify v2") && text.contains("v2 is started"))
    };
    until("v2 is waited for", waits);
    pushed.cancel();
    let run = pushed.finish();
    assert!(!run.success, "{}", run.log);
    // When the job ends, everything has ended.
    assert_eq!(production.version(), "v1", "{}", run.log);
    assert_eq!(production.shipped(), ["v0", "v1", "v2", "v1"]);
    assert_eq!(run.output("deploy", "recover", "outcome"), "rolled-back", "{}", run.log);
    assert_eq!(run.output("deploy", "recover", "live-version"), "v1", "{}", run.log);
}

#[test]
fn recover_has_nothing_to_do_behind_a_good_release() {
    let production = Production::running("v0");
    let Some(repository) = Repository::new(&with_recover()) else { return };
    let repository = repository
        .file("waveoff.yml", CONFIG)
        .file("ship.sh", SHIP)
        .env("SHOP", production.url())
        .env("PRODUCTION", production.folder().to_str().unwrap())
        .env("SAMPLE_SERVICE", Production::sample_service().to_str().unwrap())
        .env("VERSION_TO_DEPLOY", "v1");
    let run = repository.push();
    assert!(run.success, "{}", run.log);
    assert_eq!(run.output("deploy", "deploy", "outcome"), "verified", "{}", run.log);
    assert_eq!(run.output("deploy", "recover", "verdict"), "pass", "{}", run.log);
}
