use super::*;
use serde_json::json;

/// An image with this digest, and what a report is about when it would be deployed.
fn about(scan: &Scan, digest: &str) -> About {
    let name = "ghcr.io/acme/shop".to_owned();
    scan.about(&[Image { name, digests: vec![digest.to_owned()], is_whole: true }])
}

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
    assert_eq!(about(&scan, "sha256:aaaa"), About::Deployed);
    assert_eq!(about(&scan, "sha256:bbbb"), About::Another);
}

#[test]
fn a_report_that_looked_at_nothing_says_so() {
    for results in [Value::Null, json!([])] {
        let mut report = trivy();
        report["Results"] = results;
        assert_eq!(of(&report).looked_at, 0);
    }
}

#[test]
fn trivy_tells_what_it_scanned_by_the_images_id_and_by_its_kind() {
    let mut report = trivy();
    report["Metadata"] = Value::Null;
    assert_eq!(about(&of(&report), "sha256:aaaa"), About::Untold);
    report["ArtifactName"] = json!("shop.tar");
    report["Metadata"] = json!({"ImageID": "sha256:cccc", "RepoDigests": null});
    assert_eq!(about(&of(&report), "sha256:cccc"), About::Deployed, "before it was pushed");
    assert_eq!(about(&of(&report), "sha256:aaaa"), About::Another);
    report["ArtifactType"] = json!("cyclonedx");
    assert_eq!(about(&of(&report), "sha256:cccc"), About::Deployed, "by its bill of materials");
    report["Metadata"] = json!({"ImageID": ""});
    for (kind, wanted) in [("container_image", About::Untold), ("filesystem", About::Files)] {
        report["ArtifactType"] = json!(kind);
        assert_eq!(about(&of(&report), "sha256:aaaa"), wanted, "{kind}");
    }
}

#[test]
fn trivy_tells_that_a_distribution_is_past_its_end() {
    let mut report = trivy();
    for (os, wanted) in [
        (json!({"Family": "debian", "Name": "10", "EOSL": true}), true),
        (json!({"Family": "debian", "Name": "13"}), false),
        (Value::Null, false),
    ] {
        report["Metadata"]["OS"] = os;
        assert_eq!(of(&report).is_past_end, wanted);
    }
}

#[test]
fn sarif_of_code_is_about_no_image() {
    assert_eq!(about(&codeql(json!([])), "sha256:aaaa"), About::Files);
    let mut report = sarif(json!([]));
    report["runs"][0]["properties"] = json!({"imageName": "shop.tar", "imageID": "sha256:cccc"});
    assert_eq!(about(&of(&report), "sha256:cccc"), About::Deployed);
    report["runs"][0]["properties"] = json!({"imageName": "ghcr.io/acme/job:v1"});
    assert_eq!(about(&of(&report), "sha256:cccc"), About::Another);
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
    assert_eq!(about(&scan, "sha256:aaaa"), About::Deployed);
}

fn codeql(results: Value) -> Scan {
    of(&json!({"version": "2.1.0", "runs": [{"results": results, "tool": {
        "driver": {"name": "CodeQL", "rules": []},
        "extensions": [
            {"name": "other", "rules": [{"id": "py/other"}]},
            {"name": "queries", "guid": "g", "rules": [
                {"id": "js/xss", "properties": {"security-severity": "7.8"}},
                {"id": "js/sql", "properties": {"security-severity": "8.8"}},
                {"id": "js/style", "defaultConfiguration": {"level": "note"}}]}]}}]}))
}

#[test]
fn a_rule_is_found_in_the_extensions_of_a_tool_however_it_is_named() {
    for (result, level) in [
        (
            json!({"ruleId": "js/sql", "ruleIndex": 1, "rule": {"index": 1, "toolComponent": {"index": 1}}}),
            Level::High,
        ),
        (json!({"rule": {"index": 2, "toolComponent": {"index": 1}}}), Level::Low),
        (json!({"ruleIndex": 2, "rule": {"toolComponent": {"guid": "g"}}}), Level::Low),
        (json!({"rule": {"index": 2, "toolComponent": {"name": "queries"}}}), Level::Low),
        (json!({"ruleId": "js/xss"}), Level::High),
        (json!({"ruleId": "js/style/1"}), Level::Low),
        (
            json!({"ruleId": "js/style/1", "rule": {"index": 2, "toolComponent": {"index": 1}}}),
            Level::Low,
        ),
        // A number that leads to another rule is a mistake, and the name is right.
        (
            json!({"ruleId": "js/style", "rule": {"index": 0, "toolComponent": {"index": 1}}}),
            Level::Low,
        ),
        (json!({"ruleId": "py/other"}), Level::Medium),
        (json!({"ruleId": "js/unheard-of"}), Level::Critical),
        (json!({"rule": {"index": 9, "toolComponent": {"index": 9}}}), Level::Critical),
        (json!({"message": {"text": "oops"}}), Level::Critical),
        (json!({"ruleId": "js/unheard-of", "level": "warning"}), Level::Medium),
    ] {
        assert_eq!(codeql(json!([result])).found[0].level, level, "{result}");
    }
    let unnamed = codeql(json!([{"rule": {"index": 1, "toolComponent": {"index": 1}}}]));
    assert_eq!(unnamed.found[0].id, "js/sql");
}

#[test]
fn the_worst_of_score_tag_and_message_counts() {
    let level = |score: Value, tags: Value, text: &str| {
        let mut report =
            sarif(json!([{"ruleId": "CVE-1", "level": "note", "message": {"text": text}}]));
        report["runs"][0]["tool"]["driver"]["rules"][0]["properties"] =
            json!({"security-severity": score, "tags": tags});
        of(&report).found[0].level
    };
    for (score, tags, text, wanted) in [
        (json!("6.5"), json!(["HIGH"]), "", Level::High),
        (json!("0.0"), json!(["CRITICAL"]), "", Level::Critical),
        (json!("NaN"), json!(["HIGH"]), "", Level::High),
        (json!("inf"), json!([]), "", Level::Low),
        (json!(-1), json!([]), "", Level::Low),
        (json!(9.1), json!(["LOW"]), "", Level::Critical),
        (
            json!("2.0"),
            json!(["LOW"]),
            "Package: zlib\nSeverity: HIGH\nFixed Version:",
            Level::High,
        ),
        (json!("0.0"), json!(["UNKNOWN"]), "", Level::Unknown),
    ] {
        assert_eq!(level(score.clone(), tags.clone(), text), wanted, "{score} {tags} {text}");
    }
}

#[test]
fn licenses_are_found_too() {
    let mut report = trivy();
    report["Results"] = json!([{"Target": "OS Packages", "Class": "license", "Licenses": [
        {"Severity": "HIGH", "Category": "restricted", "PkgName": "bash", "Name": "GPL-3.0"},
        {"Severity": "LOW", "PkgName": "", "FilePath": "usr/LICENSE", "Name": "MIT"}]}]);
    let scan = of(&report);
    let all: Vec<String> = scan.over(Level::Low).iter().map(ToString::to_string).collect();
    assert_eq!(all, ["HIGH GPL-3.0 in bash", "LOW MIT in usr/LICENSE"]);
    report["Results"][0]["Licenses"][0]["Severity"] = Value::Null;
    assert!(read(report.to_string().as_bytes()).is_err(), "it may be the worst");
}

#[test]
fn a_scanner_that_did_not_succeed_has_no_report() {
    let told = |succeeded: bool| {
        let mut report = sarif(json!([]));
        report["runs"][0]["invocations"] =
            json!([{"executionSuccessful": true}, {"executionSuccessful": succeeded}]);
        read(report.to_string().as_bytes())
    };
    assert!(told(true).is_ok());
    assert!(told(false).unwrap_err().contains("did not succeed"));
}

#[test]
fn sarif_tells_its_age_by_its_oldest_run() {
    let created = |runs: &[Value]| {
        let run = |invocations: &Value| {
            let mut run = sarif(json!([]))["runs"][0].clone();
            run["invocations"] = invocations.clone();
            run
        };
        of(&json!({"runs": runs.iter().map(run).collect::<Vec<_>>()})).created
    };
    let end = |time: &str| json!([{"executionSuccessful": true, "endTimeUtc": time}]);
    let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00.123Z");
    assert_eq!(created(&[end(new), end(old)]).as_deref(), Some(old));
    assert_eq!(created(&[json!([{"startTimeUtc": old}])]).as_deref(), Some(old));
    assert_eq!(created(&[end(old), end("soon")]).as_deref(), Some("soon"), "it may be older");
    for silent in [Value::Null, json!([]), json!([{"executionSuccessful": true}])] {
        assert_eq!(created(&[end(new), silent]), None, "one of them may be of any age");
    }
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
