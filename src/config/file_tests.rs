use super::*;
use crate::exit::classify;

const HEAD: &str = "version: 1\nchecks:\n  - url: http://localhost/health\n";

/// The error of a text, as a program would print it.
fn refused(text: &str) -> String {
    let error = parse("waveoff.yml", text, |_| None).map(|_| ()).unwrap_err();
    let (exit, hint) = classify(&error);
    assert_eq!(exit, crate::exit::Exit::Usage);
    format!("{error:#}\n{}", hint.unwrap_or_default())
}

#[test]
fn reads_the_example_of_the_readme() {
    let text = r#"
version: 1
service: shop
deploy: [./ship.sh]
ledger: github
checks:
  - url: https://shop.example.com/health
    within: 2m
    expect:
      - status: 200
      - version: { jsonpath: $.version }
notify: [github-issue]
"#;
    let loaded = parse("waveoff.yml", text, |_| None).unwrap();
    let checks = loaded.config.checks.unwrap().0;
    assert_eq!(checks[0].line, 7);
    assert_eq!(checks[0].value.present(), ["url", "within", "expect"]);
    assert_eq!(loaded.config.ledger, Some(LedgerSpec::Github));
}

#[test]
fn every_mistake_names_its_place_and_what_would_be_right() {
    for (text, parts) in [
        (
            "version: 1\nservise: x\n",
            &["waveoff.yml:2:1", "`servise`", "did you mean `service`?"][..],
        ),
        ("version: 1\nversion: 1\n", &["waveoff.yml:2", "`version` stands twice"]),
        ("service: x\n", &["`version` is missing"]),
        ("version: 2\n", &["version 2 is not known"]),
        ("version: 1\nchecks: []\n", &["waveoff.yml:2", "empty"]),
        ("version: 1\nledger: gitlab\n", &["waveoff.yml:2", "`gitlab`", "github"]),
        ("version: 1\ndeploy: ./ship.sh\n", &["waveoff.yml:2", "[./ship.sh, --now]"]),
        ("version: 1\ndeploy: []\n", &["waveoff.yml:2", "empty"]),
        ("version: 1\na: [\n", &["waveoff.yml:"]),
        ("", &["waveoff.yml:1", "begin with `version: 1`"]),
        ("version: 1\n---\nversion: 1\n", &["waveoff.yml:3", "another document"]),
        ("version: 1\nchecks:\n", &["waveoff.yml:2", "checks: there is no value"]),
        ("version: 1\nservice: ${EMPTY:-}\n", &["waveoff.yml:2", "service: there is no value"]),
        ("- 1\n", &["waveoff.yml:1", "not a map"]),
        ("version: 1\ndeploy: 5\n", &["waveoff.yml:2:9", "deploy: invalid type: integer `5`"]),
        ("version: 1\nstate: ${NOPE}\n", &["waveoff.yml:2", "NOPE is not set", "${NOPE:-value}"]),
    ] {
        let error = refused(text);
        for part in parts {
            assert!(error.contains(part), "{text:?}: no {part:?} in {error:?}");
        }
    }
}

#[test]
fn every_mistake_in_a_check_names_its_line() {
    for (lines, parts) in [
        ("    within: 120\n", &["waveoff.yml:4", "has no unit", "30s"][..]),
        ("    within: 2 minuets\n", &["waveoff.yml:4", "not a duration"]),
        ("    expect: []\n", &["waveoff.yml:4", "empty"]),
        ("    expect:\n      - status: 2000\n", &["waveoff.yml:5", "not an HTTP status"]),
        ("    expect:\n      - status: []\n", &["waveoff.yml:5", "empty"]),
        ("    expect:\n      - statsu: 200\n", &["waveoff.yml:5", "did you mean `status`?"]),
        (
            "    expect:\n      - body: { contain: x }\n",
            &["waveoff.yml:5", "did you mean `contains`?"],
        ),
        ("    health: maybe\n", &["waveoff.yml:4", "write auto"]),
        ("    severity: fatal\n", &["waveoff.yml:4", "critical"]),
        ("    retries: 3\n", &["waveoff.yml:4", "`retries`"]),
        ("    passes: -1\n", &["waveoff.yml:4"]),
        ("    url: again\n", &["waveoff.yml:4", "stands twice"]),
        ("    passes: many\n", &["waveoff.yml:4:13", "checks[0].passes", "whole number"]),
        ("    redirects: maybe\n", &["waveoff.yml:4", "checks[0].redirects", "true nor false"]),
        ("    name: {a: b}\n", &["waveoff.yml:4", "checks[0].name", "not a text"]),
        ("    expect: 200\n", &["waveoff.yml:4", "checks[0].expect", "not a list"]),
        ("    headers: [a]\n", &["waveoff.yml:4", "checks[0].headers", "not a map"]),
        ("    expect:\n", &["waveoff.yml:4", "checks[0].expect", "no value"]),
        ("    auth:\n", &["waveoff.yml:4", "checks[0].auth", "no value"]),
        ("    pid-file: ~\n", &["waveoff.yml:4", "checks[0].pid-file", "no value"]),
        ("    expect: [{ status: 200, redirects: 1 }]\n", &["waveoff.yml:4", "second key"]),
        ("    expect: [~]\n", &["waveoff.yml:4:14", "checks[0].expect[0]", "no value"]),
        ("    expect: [[status]]\n", &["waveoff.yml:4:14", "checks[0].expect[0]", "a list"]),
        ("    expect: [{ header: {} }]\n", &["waveoff.yml:4:24", "`name` is missing"]),
        ("    expect: [{}]\n", &["waveoff.yml:4:14", "checks[0].expect[0]", "the map is empty"]),
        ("    expect: [status]\n", &["waveoff.yml:4", "`key: value`"]),
        (
            "    expect: [{ exit-code: zero }]\n",
            &["waveoff.yml:4", "exit-code", "exit code, like 0"],
        ),
    ] {
        let error = refused(&format!("{HEAD}{lines}"));
        for part in parts {
            assert!(error.contains(part), "{lines:?}: no {part:?} in {error:?}");
        }
    }
}

#[test]
fn a_secret_in_a_wrong_place_is_not_quoted_back() {
    let look_up = |name: &str| (name == "API_TOKEN").then(|| "hunter2hunter2".to_owned());
    let text = format!("{HEAD}    within: ${{API_TOKEN}}\n");
    let error = parse("waveoff.yml", &text, look_up).unwrap_err();
    let shown = format!("{error:#} {error:?}");
    assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
}
