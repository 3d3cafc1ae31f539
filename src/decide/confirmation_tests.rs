use super::*;
use serde_json::{Value, json};

const NOW: &str = "2026-11-21T10:00:00Z";

fn good() -> Value {
    let check = |name: &str, severity: &str| {
        json!({
            "name": name, "kind": "http", "target": "t", "severity": severity, "verdict": "pass",
            "reason": "", "duration_ms": 1, "latency_ms": 1.0, "attempts": 1,
            "findings": [{ "query": "version (header X-Version)", "expected": "\"v2\"",
                           "actual": "\"v2\"", "verdict": "pass" }],
        })
    };
    json!({
        "version": 1, "program": "smoke-test", "program_version": "0", "duration_ms": 1000,
        "started": "2026-11-21T09:59:00Z", "verdict": "pass", "exit_code": 0, "summary": "",
        "service": "shop", "environment": "production", "expected_version": "v2",
        "checks": [check("ready", "critical"), check("health", "critical"), check("disk", "warning")],
    })
}

/// Why a report is refused in which `change` changed something.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut report = good();
    change(&mut report);
    let suite = ["ready".to_owned(), "health".to_owned()];
    let claim = Claim {
        version: "v2",
        service: "shop",
        environment: "production",
        suite: &suite,
        changed: Some(humantime::parse_rfc3339("2026-11-21T09:50:00Z").unwrap()),
        now: humantime::parse_rfc3339(NOW).unwrap(),
    };
    refusals(&serde_json::from_value(report).unwrap(), &claim).join("; ")
}

#[test]
fn evidence_that_agrees_is_taken() {
    assert_eq!(refused(|_| {}), "");
    assert_eq!(refused(|report| report["expected_version"] = json!("2")), "");
    // What is not stated contradicts nothing.
    assert_eq!(refused(|report| report["environment"] = Value::Null), "");
    assert_eq!(refused(|report| report["checks"][2]["verdict"] = json!("fail")), "");
    assert_eq!(refused(|report| report["started"] = json!("2026-11-21T10:04:00Z")), "");
    assert!(saw_version(&serde_json::from_value(good()).unwrap()));
}

#[test]
fn evidence_that_disagrees_is_refused() {
    let told = |change: fn(&mut Value), words: &str| {
        let why = refused(change);
        assert!(why.contains(words), "{why:?} has no {words:?}");
    };
    told(|r| r["verdict"] = json!("inconclusive"), "its verdict is inconclusive");
    told(|r| r["exit_code"] = json!(10), "its exit code is 10");
    told(|r| r["checks"][1]["verdict"] = json!("fail"), "its verdict is fail");
    told(|r| r["checks"] = json!([]), "its verdict is inconclusive");
    told(|r| r["expected_version"] = json!("v1"), "about the version v1");
    told(|r| r["expected_version"] = Value::Null, "does not say which version");
    told(|r| r["service"] = json!("till"), "about the service till, not shop");
    told(|r| r["environment"] = json!("staging"), "about the environment staging");
    told(|r| r["checks"][0]["name"] = json!("other"), "not in it: ready");
    told(|r| r["checks"][0]["severity"] = json!("warning"), "not in it: ready");
    told(|r| r["started"] = json!("2026-11-21T08:59:00Z"), "old, and may be");
    told(|r| r["started"] = json!("2026-11-21T10:06:00Z"), "yet to come");
    told(|r| r["started"] = json!("yesterday"), "does not say when");
    told(|r| r["started"] = json!("2026-11-21T09:40:00Z"), "something was deployed at");
    told(|r| r["program"] = json!("deploy"), "by deploy, not by smoke-test");
}
