//! The reusable workflow `deploy.yml`, around a deployment that somebody else's script does.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::act::{Outcome, Production, Repository, SHIP, until};
use crate::github::{Fault, Github, REPOSITORY};
use crate::harness::Program;
use crate::parts::{github_description, part};

const CALLER: &str = r#"
name: ship
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - run: |
          touch "$PRODUCTION/began"
          while [ -e "$PRODUCTION/wait" ]; do sleep 0.1; done
        shell: sh
      - run: WAVEOFF_VERSION=@VERSION ./ship.sh
        shell: sh
  safeguard:
    needs: deploy
    if: always()
    permissions:
      contents: read
      deployments: write
      issues: write
    uses: waveoff/waveoff/.github/workflows/deploy.yml@v1
    with:
      environment: production
      version: @VERSION
      needs: ${{ toJSON(needs) }}
"#;

const CONFIG: &str = r"
version: 1
service: shop
deploy: [./ship.sh]
public: ${SHOP}
ledger: github
checks:
  - path: /ready
    within: 2s
    interval: 200ms
    expect: [{ status: 200 }, { version: { header: X-Version } }]
  - path: /health/full
    within: 2s
    interval: 200ms
    expect: [{ health: auto }]
";

/// A machine that serves v1, and a GitHub that knows that v1 was verified.
struct Shop {
    production: Production,
    github: Github,
}

impl Shop {
    /// None where there is no act.
    fn new() -> Option<Self> {
        part("act")?;
        let github = Github::start(github_description().as_deref());
        let shop = Self { production: Production::running("v1"), github };
        let folder = Arc::new(TempDir::new().unwrap());
        let report = ["--expect-version", "v1", "--report", "smoke.json"];
        shop.program("smoke-test", &folder).args(report).run().expect_code(0);
        let confirm = ["deploy", "--version", "v1", "--confirm", "smoke.json"];
        shop.program("waveoff", &folder).args(confirm).run().expect_code(0);
        Some(shop)
    }

    /// A program of ours on a machine beside those of the jobs.
    fn program(&self, name: &str, folder: &Arc<TempDir>) -> Program {
        Program::within(name, folder)
            .file("waveoff.yml", CONFIG)
            .env("SHOP", &self.production.url())
            .env("GITHUB_API_URL", &self.github.url())
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_TOKEN", "ghs_a_token_of_the_test")
    }

    /// Somebody's repository, whose workflow deploys `version`.
    fn repository(&self, version: &str) -> Repository {
        Repository::new(&CALLER.replace("@VERSION", version))
            .unwrap()
            .file("waveoff.yml", CONFIG)
            .file("ship.sh", SHIP)
            .env("SHOP", self.production.url())
            .env("PRODUCTION", self.production.folder().to_str().unwrap())
            .env("SAMPLE_SERVICE", Production::sample_service().to_str().unwrap())
            .env("GITHUB_API_URL", self.github.url())
    }

    /// What the ledger says: what runs, and which releases were verified.
    fn ledger(&self) -> (String, String) {
        let folder = Arc::new(TempDir::new().unwrap());
        let outputs = |args: &[&str]| {
            let ran = self.program("waveoff", &folder).args(args).args(["--json"]).run();
            ran.report()["outputs"].clone()
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let live = text(&outputs(&["status"])["live-version"]);
        (live, text(&outputs(&["rollback", "--list"])["candidates"]))
    }

    fn issues(&self) -> Vec<Value> {
        self.github.state().issues.clone()
    }

    fn deployments(&self) -> usize {
        self.github.state().deployments.len()
    }
}

/// Checks how a run ended, as its gate says.
#[track_caller]
fn ended(run: &Outcome, verdict: &str, outcome: &str, told: &str) {
    let gate = |name: &str| run.output("gate", "gate", name);
    let said = (gate("verdict"), gate("outcome"), gate("told"));
    assert_eq!(said, (verdict, outcome, told), "{}", run.log);
}

#[test]
fn c4_a_good_release_is_kept_and_recorded_as_verified() {
    let Some(shop) = Shop::new() else { return };
    let run = shop.repository("v3").push();
    ended(&run, "pass", "verified", "");
    assert!(run.success, "{}", run.log);
    // deploy, smoke, evaluate, record, gate: each on a machine of its own.
    assert_eq!(run.machines, 5, "{}", run.log);
    assert_eq!(shop.production.version(), "v3");
    assert_eq!(shop.ledger(), ("v3".into(), "v3\nv1".into()));
    assert!(shop.issues().is_empty());
}

#[test]
fn c4_a_bad_release_is_taken_back_and_told_once_until_a_good_one_ends_it() {
    let Some(shop) = Shop::new() else { return };
    let run = shop.repository("v2").push();
    ended(&run, "fail", "rolled-back", "true");
    assert!(!run.success, "{}", run.log);
    assert_eq!(run.output("evaluate", "evaluate", "decision"), "roll-back", "{}", run.log);
    assert_eq!(run.machines, 7, "{}", run.log);
    assert_eq!(shop.production.version(), "v1");
    assert_eq!(shop.production.shipped(), ["v1", "v2", "v1"]);
    assert_eq!(shop.ledger(), ("v1".into(), "v1".into()));
    let issues = shop.issues();
    assert_eq!(issues.len(), 1, "{issues:?}");
    assert_eq!(issues[0]["state"], "open");
    let title = issues[0]["title"].as_str().unwrap();
    assert!(title.contains("v2"), "{title}");
    let body = issues[0]["body"].as_str().unwrap();
    assert!(body.contains("postgres") && body.contains("v1"), "{body}");

    let run = shop.repository("v3").push();
    ended(&run, "pass", "verified", "");
    assert_eq!(shop.ledger(), ("v3".into(), "v3\nv1".into()));
    let issues = shop.issues();
    assert_eq!((issues.len(), &issues[0]["state"]), (1, &"closed".into()), "{issues:?}");
}

#[test]
fn c4_what_is_cancelled_before_deploying_touches_nothing_and_is_no_incident() {
    let Some(shop) = Shop::new() else { return };
    std::fs::write(shop.production.folder().join("wait"), "").unwrap();
    let before = shop.deployments();
    let repository = shop.repository("v3");
    let pushed = repository.start();
    until("the first step", || shop.production.folder().join("began").exists());
    pushed.cancel();
    let run = pushed.finish();
    assert!(!run.success, "{}", run.log);
    assert_eq!(shop.production.shipped(), ["v1"]);
    assert_eq!(shop.production.version(), "v1");
    assert!(shop.issues().is_empty());
    assert_eq!(shop.deployments(), before);
    ended(&run, "pass", "untouched", "");
}

#[test]
fn c4_a_deployment_that_fails_before_it_touches_anything_is_no_incident() {
    let Some(shop) = Shop::new() else { return };
    let run = shop.repository("v3").file("ship.sh", "#!/bin/sh\nexit 1\n").push();
    ended(&run, "pass", "untouched", "");
    assert!(!run.success, "{}", run.log);
    assert_eq!(shop.production.version(), "v1");
    assert_eq!(shop.ledger(), ("v1".into(), "v1".into()));
    assert!(shop.issues().is_empty());
}

#[test]
fn c4_a_github_that_is_down_while_telling_undoes_no_rollback_and_the_gate_says_so() {
    let Some(shop) = Shop::new() else { return };
    shop.github.fail(Fault::status("", "/issues", 503).times(1000));
    // Telling is tried for two minutes; a test has no such time.
    let run = shop.repository("v2").env("WAVEOFF_WITHIN", "3s").push();
    ended(&run, "fail", "rolled-back", "false");
    assert!(!run.success, "{}", run.log);
    assert!(run.log.contains("back and verified; not everybody was told"), "{}", run.log);
    assert_eq!(run.output("notify", "notify", "failed-channels"), "github-issue", "{}", run.log);
    assert_eq!(shop.production.version(), "v1");
    assert_eq!(shop.ledger(), ("v1".into(), "v1".into()));
    assert!(shop.issues().is_empty());
}

#[test]
fn c4_a_rollback_that_fails_is_told_once_and_calls_a_person() {
    let Some(shop) = Shop::new() else { return };
    let ship = SHIP.replacen("set -eu", "set -eu\n[ \"$WAVEOFF_VERSION\" != v1 ]", 1);
    let run = shop.repository("v2").file("ship.sh", &ship).push();
    ended(&run, "fail", "rollback-failed", "true");
    assert!(run.log.contains("a person is needed"), "{}", run.log);
    assert_eq!(shop.issues().len(), 1, "{:?}", shop.issues());
}
