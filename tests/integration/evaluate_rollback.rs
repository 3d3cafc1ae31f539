//! `evaluate-rollback`: evidence from files, flags, a ledger and a real server.

use std::sync::Arc;

use serde_json::{Value, json};
use waveoff::config::parse;
use waveoff::decide::history::{Event, Release};
use waveoff::deploy::{Scope, State, ledger};

use crate::harness::{Program, Ran, Server, read};

/// Runs it and gives the outputs of its report; a decision that was reached exits with 0.
fn decided(program: Program, args: &[&str]) -> Value {
    let ran = program.args(args).args(["--json"]).run().expect_code(0);
    let report = ran.report();
    assert_eq!(report["verdict"], "pass");
    report["outputs"].clone()
}

fn evaluate(args: &[&str]) -> Value {
    decided(Program::new("evaluate-rollback"), args)
}

fn needs(jobs: &[(&str, &str)]) -> String {
    let job = |(name, result): &(&str, &str)| {
        ((*name).to_owned(), json!({ "result": result, "outputs": {} }))
    };
    Value::Object(jobs.iter().map(job).collect()).to_string()
}

const FAILED_SMOKE: &[(&str, &str)] = &[("deploy", "success"), ("smoke", "failure")];

/// Writes a ledger below `folder` in which v1 was verified and v2 has touched production.
fn write_ledger(folder: &std::path::Path) {
    let config = parse("none", "version: 1", |_| None).unwrap().config;
    let scope = Scope::new("shop", "production").unwrap();
    let ledger = ledger::open(&config, &scope, &State::at(folder)).unwrap();
    let started = |version: &str, sha: &str| Event::Started {
        release: Release {
            version: version.into(),
            sha: Some(sha.into()),
            digests: vec![format!("sha256:{sha}")],
        },
        by: None,
    };
    let events = [
        ("6", started("v1", "aaa")),
        ("6", Event::Mutating),
        ("6", Event::Verified),
        ("7", started("v2", "bbb")),
        ("7", Event::Mutating),
    ];
    for (id, event) in events {
        ledger.append(id, event).unwrap();
    }
}

#[test]
fn e1_a_failed_smoke_job_is_rolled_back_to_the_target_of_the_caller() {
    let jobs = needs(FAILED_SMOKE);
    let args = ["--needs", &jobs, "--failed-version", "v2", "--previous-version", "v1"];
    let outputs = evaluate(&args);
    assert_eq!(outputs["should-rollback"], "true");
    assert_eq!(outputs["failed-job"], "smoke");
    assert_eq!(outputs["target-source"], "input");
    assert_eq!(evaluate(&args), outputs, "the same evidence, the same decision");
}

#[test]
fn e2_the_target_comes_from_the_ledger() {
    let folder = Arc::new(tempfile::TempDir::new().unwrap());
    write_ledger(&folder.path().join("state"));
    let program = || Program::within("evaluate-rollback", &folder);
    let jobs = needs(FAILED_SMOKE);
    let with = ["--ledger", "folder", "--state", "state", "--service", "shop"];
    let outputs = decided(program().args(["--needs", &jobs]), &with);
    assert_eq!(outputs["decision"], "roll-back");
    assert_eq!(outputs["previous-version"], "v1");
    assert_eq!(outputs["previous-sha"], "aaa");
    assert_eq!(outputs["previous-digests"], "sha256:aaa");
    assert_eq!(outputs["failed-sha"], "bbb");
    assert_eq!(outputs["circuit-state"], "closed");
    assert_eq!(outputs["target-source"], "ledger");

    let file = "state/shop/production/ledger.jsonl";
    let damaged = read(folder.path(), file).replace("\"v1\"", "\"v0\"");
    let outputs = decided(program().file(file, &damaged).args(["--needs", &jobs]), &with);
    assert_eq!(outputs["reason-code"], "ledger-unreadable");
    assert_eq!(
        (&outputs["severity"], &outputs["should-rollback"]),
        (&json!("SEV-1"), &json!("false"))
    );
}

#[test]
fn e1_production_is_looked_at() {
    let server = Server::new(|request, _| match request.path() {
        "/well" => (200, "X-Version: v2\r\n".into(), r#"{"status":"ok"}"#.into()),
        "/old" => (200, "X-Version: v1\r\n".into(), r#"{"status":"ok"}"#.into()),
        _ => {
            (200, "X-Version: v2\r\n".into(), r#"{"status":"ok","redis":{"status":"down"}}"#.into())
        }
    });
    let seen = |path: &str, result: &str| {
        let jobs = needs(&[("deploy", result)]);
        let url = server.url(path);
        let outputs = evaluate(&[
            "--needs",
            &jobs,
            "--url",
            &url,
            "--critical",
            "redis",
            "--version-header",
            "X-Version",
            "--failed-version",
            "v2",
            "--previous-version",
            "v1",
            "--interval",
            "10ms",
        ]);
        (outputs["decision"].clone(), outputs["reason-code"].clone())
    };
    let roll_back = |code: &str| (json!("roll-back"), json!(code));
    assert_eq!(seen("/ill", "success"), roll_back("critical-service-unhealthy"));
    assert_eq!(seen("/ill", "cancelled"), roll_back("critical-service-unhealthy"));
    let plain = |path: &str, result: &str| {
        let (jobs, url) = (needs(&[("deploy", result)]), server.url(path));
        let outputs = evaluate(&[
            "--needs",
            &jobs,
            "--url",
            &url,
            "--version-header",
            "X-Version",
            "--failed-version",
            "v2",
            "--previous-version",
            "v1",
            "--interval",
            "10ms",
        ]);
        outputs["reason-code"].as_str().unwrap().to_owned()
    };
    assert_eq!(plain("/well", "success"), "healthy");
    assert_eq!(plain("/well", "cancelled"), "cancelled-healthy");
    assert_eq!(plain("/old", "cancelled"), "target-is-live");
    assert_eq!(plain("/old", "success"), "version-mismatch");
}

#[test]
fn e1_a_report_of_smoke_test_is_evidence() {
    let server = Server::new(|_, _| (500, String::new(), "no".into()));
    let folder = Arc::new(tempfile::TempDir::new().unwrap());
    Program::within("smoke-test", &folder)
        .args(["--url", &server.url("/"), "--attempts", "1", "--report", "smoke.json"])
        .run()
        .expect_code(10);
    let program = || Program::within("evaluate-rollback", &folder);
    let releases = ["--failed-version", "v2", "--previous-version", "v1"];
    let by_file = decided(program().args(["--reports", "smoke.json"]), &releases);
    assert_eq!(by_file["reason-code"], "verification-failed");
    assert!(by_file["reason"].as_str().unwrap().contains("500"), "{by_file}");

    // The job was allowed to fail, so its colour is green.
    let report: Value = serde_json::from_str(&read(folder.path(), "smoke.json")).unwrap();
    let outputs = json!({ "report": report.to_string() });
    let jobs = json!({
        "deploy": { "result": "success" }, "smoke": { "result": "success", "outputs": outputs }
    });
    let by_job = decided(program().args(["--needs", &jobs.to_string()]), &releases);
    assert_eq!(
        (&by_job["decision"], &by_job["failed-job"]),
        (&json!("roll-back"), &json!("smoke"))
    );
}

#[test]
fn e3_what_cannot_be_read_calls_a_person_and_exits_with_0() {
    let none = "/nowhere/needs.json";
    let cases: &[&[&str]] = &[
        &[],
        &["--needs", ""],
        &["--needs", "{}"],
        &["--needs", "{\"deploy\":{\"result\":\"timed_out\"}}"],
        &["--needs", "@/nowhere/needs.json"],
        &["--reports", none],
        &["--reports", "{\"version\":1"],
        &["--threshold", "errors=,1,2"],
        &["--needs", "{\"deploy\":{\"result\":\"success\"}}", "--verify-jobs", "smok"],
    ];
    for args in cases {
        for policy in ["keep", "roll-back", "escalate"] {
            let with = Program::new("evaluate-rollback").args(["--when-unsure", policy]);
            let outputs = decided(with, args);
            assert_eq!(outputs["decision"], "escalate", "{args:?}");
            assert_eq!(outputs["requires-human"], "true", "{args:?}");
        }
    }
}

#[test]
fn e3_wrong_usage_exits_with_2() {
    let cases: &[&[&str]] = &[
        &["--when-unsure", "maybe"],
        &["--ledger", "paper"],
        &["--ledger", "folder"],
        &["--failed-version", "../v2"],
        &["--previous-digests", "a b"],
        &["--window", "10"],
        &["--max-rollbacks", "-1"],
    ];
    for args in cases {
        let ran: Ran = Program::new("evaluate-rollback").args(*args).run();
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
    }
}

#[test]
fn e1_inputs_and_outputs_of_an_action() {
    let folder = Arc::new(tempfile::TempDir::new().unwrap());
    let inputs = json!({
        "needs": needs(&[("deploy", "skipped"), ("build", "failure")]), "reports": "", "service": "shop"
    });
    Program::within("evaluate-rollback", &folder)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_REPOSITORY", "acme/shop")
        .env("GITHUB_OUTPUT", folder.path().join("out").to_str().unwrap())
        .env("WAVEOFF_INPUTS", &inputs.to_string())
        .run()
        .expect_code(0);
    let written = read(folder.path(), "out");
    let value = |name: &str| {
        let mut lines = written.lines().skip_while(|line| !line.starts_with(&format!("{name}<<")));
        lines.nth(1).unwrap().to_owned()
    };
    assert_eq!(value("decision"), "keep");
    assert_eq!(value("should-rollback"), "false");
    assert_eq!(value("reason-code"), "deploy-skipped");
    assert_eq!(value("failed-job"), "build");
    assert_eq!(value("incident-key").len(), 16);
}

#[test]
fn e1_people_read_the_decision_the_reason_and_the_evidence() {
    let jobs = needs(FAILED_SMOKE);
    let ran = Program::new("evaluate-rollback")
        .args(["--needs", &jobs, "--failed-version", "v2", "--previous-version", "v1", "--explain"])
        .run()
        .expect_code(0);
    for text in [
        "job smoke (verifies): failure",
        "target: v1, from input",
        "is a newer deployment live? no",
        "roll-back (verification-failed): the verification of the release failed: the job smoke is red",
        "next: roll back to v1",
    ] {
        assert!(ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    }
}
