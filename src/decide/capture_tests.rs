use super::*;
use crate::decide::history::{Deployment, Release};

#[test]
fn d1_the_published_schema_is_the_one_of_the_types() {
    let schema = schemars::schema_for!(Capture);
    crate::report::contract::compare("schemas/capture.schema.json", &schema);
}

fn capture() -> Capture {
    let mut capture = Capture { format: FORMAT, ..Capture::default() };
    let data = [("orders", "100"), ("currency", "EUR")];
    capture.data = data.map(|(name, value)| (name.into(), Some(value.into()))).into();
    capture.schema(Ok(Some("V7".into())));
    capture.checks = Some(vec![
        Answer { name: "health".into(), verdict: Verdict::Pass, latency_ms: 100.0 },
        Answer { name: "old trouble".into(), verdict: Verdict::Fail, latency_ms: 1.0 },
    ]);
    capture
}

fn set(capture: &mut Capture, name: &str, value: Option<&str>) {
    capture.data.insert(name.into(), value.map(str::to_owned));
}

/// What is not as it must be: the thing, the verdict, and whether it decides.
fn wrong(after: &Capture, terms: Terms) -> Vec<(String, Verdict, bool)> {
    let findings = compare(&capture(), after, terms).into_iter();
    let wrong = findings.filter(|finding| !finding.verdict.is_pass());
    wrong.map(|f| (f.what, f.verdict, f.severity == Severity::Critical)).collect()
}

fn only(what: &str, verdict: Verdict, decides: bool) -> Vec<(String, Verdict, bool)> {
    vec![(what.to_owned(), verdict, decides)]
}

#[test]
fn r7_the_same_state_is_all_well() {
    let findings = compare(&capture(), &capture(), Terms::default());
    let names: Vec<_> = findings.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(names, ["data currency", "data orders", "database schema", "check health"]);
    assert!(findings.iter().all(|finding| finding.verdict.is_pass()), "{findings:?}");
}

#[test]
fn r7_a_number_must_not_be_smaller_and_a_text_must_be_the_same() {
    for (name, value, is_well) in [
        ("orders", "101", true),
        ("orders", "100.0", true),
        ("orders", "99", false),
        ("orders", "99.999", false),
        ("orders", "many", false),
        ("orders", "NaN", false),
        ("currency", "USD", false),
    ] {
        let mut after = capture();
        set(&mut after, name, Some(value));
        let wanted = format!("data {name}");
        let wanted = if is_well { Vec::new() } else { only(&wanted, Verdict::Fail, true) };
        assert_eq!(wrong(&after, Terms::default()), wanted, "{value}");
    }
    let row_count = |text| Number::of(text).unwrap();
    assert!(row_count("9007199254740992").is_less(row_count("9007199254740993")));
}

#[test]
fn r7_what_was_known_and_is_not_any_more_is_an_error() {
    let mut after = capture();
    set(&mut after, "orders", None);
    assert_eq!(wrong(&after, Terms::default()), only("data orders", Verdict::Error, true));
    let mut after = capture();
    after.checks = None;
    assert_eq!(wrong(&after, Terms::default()), only("check health", Verdict::Error, true));
    let mut after = capture();
    after.versions.insert("database".into(), None);
    assert_eq!(wrong(&after, Terms::default()), only("database schema", Verdict::Error, true));
}

#[test]
fn r7_the_schema_must_be_the_same_unless_the_data_is_preserved() {
    let mut after = capture();
    after.schema(Ok(Some("V8".into())));
    after.versions.insert("database".into(), Some("V8".into()));
    assert_eq!(wrong(&after, Terms::default()), only("database schema", Verdict::Fail, true));
    assert_eq!(wrong(&after, Terms { preserve_data: true, ..Terms::default() }), []);
}

#[test]
fn r7_a_slower_check_is_told_and_decides_nothing() {
    for (latency_ms, slower, is_slow) in [
        (200.0, 1.0, false),
        (201.0, 1.0, true),
        (149.0, 0.1, false),
        (151.0, 0.1, true),
        (151.0, 0.6, false),
    ] {
        let mut after = capture();
        after.checks.as_mut().unwrap()[0].latency_ms = latency_ms;
        let terms = Terms { slower, ..Terms::default() };
        let wanted = if is_slow { only("check health", Verdict::Fail, false) } else { Vec::new() };
        assert_eq!(wrong(&after, terms), wanted, "{latency_ms} ms, {slower}");
    }
}

#[test]
fn r7_a_check_that_passed_must_pass_and_one_that_did_not_decides_nothing() {
    for verdict in [Verdict::Fail, Verdict::Error, Verdict::Inconclusive] {
        let mut after = capture();
        after.checks.as_mut().unwrap()[0].verdict = verdict;
        assert_eq!(wrong(&after, Terms::default()), only("check health", Verdict::Fail, true));
    }
}

#[test]
fn r7_what_was_not_captured_before_decides_nothing() {
    let mut before = capture();
    set(&mut before, "orders", None);
    before.versions.clear();
    before.checks = None;
    let mut after = capture();
    set(&mut after, "orders", Some("1"));
    set(&mut after, "new", Some("1"));
    let findings = compare(&before, &after, Terms::default());
    assert!(findings.iter().all(|f| f.verdict.is_pass() && f.what == "data currency"));
    assert_eq!(findings.len(), 1);
}

#[test]
fn d1_what_is_not_known_is_null_and_told() {
    let mut capture = Capture::default();
    capture.component("api", &State::Active("v2".into()), Some("v1"));
    capture.component("web", &State::Unknown, Some("v1"));
    capture.component("jobs", &State::Inactive, Some("v1"));
    capture.component("mail", &State::Unknown, None);
    capture.schema(Err("no route".into()));
    let json = serde_json::to_value(&capture).unwrap();
    let versions = r#"{"api":"v2","database":null,"jobs":null,"mail":null,"web":"v1"}"#;
    assert_eq!(json["versions"].to_string(), versions);
    let services = r#"{"api":"active","jobs":"inactive","mail":"unknown","web":"unknown"}"#;
    assert_eq!(json["services"].to_string(), services);
    let told: Vec<_> = capture.unknown.iter().map(|unknown| unknown.what.as_str()).collect();
    let wanted =
        ["services.web", "versions.jobs", "versions.mail", "services.mail", "versions.database"];
    assert_eq!(told, wanted);
    assert_eq!(capture.unknown[4].why, "no route");
}

#[test]
fn d1_a_component_called_database_keeps_its_place() {
    let mut capture = Capture::default();
    capture.component("database", &State::Active("15.2".into()), None);
    capture.schema(Ok(Some("V7".into())));
    assert_eq!(capture.versions["database"].as_deref(), Some("15.2"));
    assert_eq!(capture.schema_version(), Some("V7"));
    let mut without = Capture::default();
    without.schema(Ok(None));
    assert!(without.versions.is_empty() && without.unknown.is_empty());
}

#[test]
fn d1_the_last_three_deployments_are_kept_the_newest_first() {
    let deployment = |id: &u32| Deployment {
        id: id.to_string(),
        release: Release { version: format!("v{id}"), ..Release::default() },
        phase: Phase::Verified,
        mutated: true,
        started: String::new(),
        changed: String::new(),
        rolled_back_to: None,
        brought_back: Vec::new(),
        reason: None,
        by: Some("ada".into()),
    };
    let mut capture = Capture::default();
    capture.past(&History { deployments: [1, 2, 3, 4].iter().map(deployment).collect() });
    let past = capture.history.unwrap();
    let versions: Vec<_> = past.iter().map(|past| past.version.as_str()).collect();
    assert_eq!(versions, ["v4", "v3", "v2"]);
    assert_eq!((past[0].outcome.as_str(), past[0].by.as_deref()), ("verified", Some("ada")));
}
