use super::*;
use serde_json::json;

const DIGEST: &str = "sha256:aaaa";

fn trivy() -> Value {
    json!({
        "SchemaVersion": 2, "CreatedAt": "2026-01-02T03:04:05Z", "ArtifactName": "ghcr.io/acme/shop:v1",
        "Metadata": {"RepoDigests": ["ghcr.io/acme/shop@sha256:aaaa"]},
        "Results": [
            {"Target": "debian", "Vulnerabilities": [
                {"VulnerabilityID": "CVE-1", "PkgName": "zlib", "InstalledVersion": "1.2",
                 "FixedVersion": "1.3", "Severity": "HIGH"},
                {"VulnerabilityID": "CVE-2", "PkgName": "curl", "InstalledVersion": "7", "Severity": "LOW"}]},
            {"Target": "Dockerfile", "Misconfigurations": [
                {"ID": "DS002", "Severity": "CRITICAL", "Status": "FAIL"},
                {"ID": "DS003", "Severity": "CRITICAL", "Status": "PASS"}]},
            {"Target": "app/key.pem", "Secrets": [
                {"RuleID": "private-key", "Severity": "HIGH", "StartLine": 3, "Match": "BEGIN"}]}
        ]
    })
}

fn sarif(results: Value) -> Value {
    json!({"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "Trivy", "rules": [
            {"id": "CVE-1", "properties": {"security-severity": "9.8", "tags": ["CRITICAL"]}},
            {"id": "CVE-2", "properties": {"tags": ["vulnerability", "LOW"]}},
            {"id": "lint", "defaultConfiguration": {"level": "note"}}]}},
        "properties": {"imageName": "shop", "repoDigests": ["ghcr.io/acme/shop@sha256:aaaa"]},
        "results": results}]})
}

fn of(value: &Value) -> Scan {
    read(value.to_string().as_bytes()).unwrap()
}

#[test]
fn trivy_tells_vulnerabilities_misconfigurations_and_secrets() {
    let scan = of(&trivy());
    assert_eq!(scan.counts(), "1 CRITICAL, 2 HIGH, 1 LOW");
    let over: Vec<String> = scan.over(Level::High).iter().map(ToString::to_string).collect();
    assert_eq!(
        over,
        [
            "CRITICAL DS002 in Dockerfile",
            "HIGH CVE-1 in zlib 1.2, mended in 1.3",
            "HIGH private-key in app/key.pem:3"
        ]
    );
    assert_eq!(scan.is_of(DIGEST), Some(true));
    assert_eq!(scan.is_of("sha256:bbbb"), Some(false));
}

#[test]
fn a_report_that_looked_at_nothing_says_so() {
    for results in [Value::Null, json!([])] {
        let mut report = trivy();
        report["Results"] = results;
        assert_eq!(of(&report).looked_at, 0);
    }
    let mut report = trivy();
    report["Metadata"] = Value::Null;
    assert_eq!(of(&report).is_of(DIGEST), None, "nothing tells what was scanned");
}

#[test]
fn a_severity_that_nobody_knows_is_an_error_and_no_harmless_finding() {
    let mut report = trivy();
    report["Results"][0]["Vulnerabilities"][0]["Severity"] = json!("CATASTROPHIC");
    assert!(read(report.to_string().as_bytes()).unwrap_err().contains("CATASTROPHIC"));
    report["SchemaVersion"] = json!(3);
    assert!(read(report.to_string().as_bytes()).unwrap_err().contains("schema 3"));
}

#[test]
fn sarif_tells_by_score_by_tag_and_by_level() {
    let at = json!([{"physicalLocation": {"artifactLocation": {"uri": "usr/lib"}}}]);
    let scan = of(&sarif(json!([
        {"ruleId": "CVE-1", "ruleIndex": 0, "level": "error", "locations": at},
        {"ruleId": "CVE-2", "ruleIndex": 0, "level": "error"},
        {"ruleId": "lint"},
        {"ruleId": "unknown", "level": "error"},
        {"ruleId": "CVE-1", "kind": "pass"},
        {"ruleId": "CVE-1", "suppressions": [{"kind": "external", "status": "accepted"}]},
        {"ruleId": "CVE-1", "suppressions": [{"kind": "external", "status": "underReview"}]}
    ])));
    assert_eq!(scan.counts(), "3 CRITICAL, 2 LOW");
    assert_eq!(scan.over(Level::Medium)[0].place, "usr/lib");
    assert_eq!(scan.is_of(DIGEST), Some(true));
}

#[test]
fn what_is_no_report_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"runs": []}"#,
        r#"{"runs": [{}]}"#,
        r#"{"SchemaVersion": 2, "Results": 1}"#,
    ] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn the_scale_of_scores_is_that_of_cvss() {
    for (score, level) in [
        (10.0, Level::Critical),
        (9.0, Level::Critical),
        (8.9, Level::High),
        (7.0, Level::High),
        (6.9, Level::Medium),
        (4.0, Level::Medium),
        (3.9, Level::Low),
        (0.1, Level::Low),
        (0.0, Level::Unknown),
    ] {
        assert_eq!(Level::of_score(score), level, "{score}");
    }
    assert_eq!("high".parse::<Level>(), Ok(Level::High));
    assert!("worst".parse::<Level>().unwrap_err().contains("critical, high, medium, low, unknown"));
}

#[test]
fn times_are_read_with_any_offset() {
    let utc = time("2024-05-01T10:00:00Z");
    assert!(utc.is_some());
    for same in
        ["2024-05-01T12:00:00+02:00", "2024-05-01T08:30:00-01:30", "2024-05-01T10:00:00.000+00:00"]
    {
        assert_eq!(time(same), utc, "{same}");
    }
    for wrong in ["", "yesterday", "2024-05-01", "2024-05-01T12:00:00*02:00", "ü+02:00"] {
        assert_eq!(time(wrong), None, "{wrong}");
    }
}
