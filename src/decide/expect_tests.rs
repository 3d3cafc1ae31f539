use super::*;
use crate::decide::judge::{Capture, Judge};
use crate::decide::observation::{CommandOutput, HttpResponse, ProbeFailure};
use serde_json::json;

fn path(text: &str) -> Box<JsonPath> {
    Box::new(crate::decide::jsonpath::parse(text).unwrap())
}

fn response(status: u16, body: &str) -> Observation {
    Observation::Http(HttpResponse {
        status,
        headers: vec![("X-Version".into(), "v2".into())],
        body: body.into(),
        elapsed: Duration::from_millis(120),
        ..HttpResponse::default()
    })
}

fn verdict(expect: &Expect, observation: &Observation) -> Verdict {
    let context = Context { version: Some("2".into()), ..Context::default() };
    expect.evaluate(observation, &context).verdict
}

#[test]
fn p6_status_header_body_and_duration() {
    let seen = response(204, "all good");
    let cases = [
        (Expect::Status("2xx".parse().unwrap()), Verdict::Pass),
        (Expect::Status("200,503".parse().unwrap()), Verdict::Fail),
        (Expect::Header("x-version".into(), Predicate::Equals(json!("v2"))), Verdict::Pass),
        (Expect::Header("x-none".into(), Predicate::Exists(false)), Verdict::Pass),
        (Expect::Header("x-none".into(), Predicate::Exists(true)), Verdict::Fail),
        (Expect::Body(Predicate::Contains(json!("good"))), Verdict::Pass),
        (Expect::Duration(vec![(Comparison::Lt, Duration::from_secs(1))]), Verdict::Pass),
        (Expect::Duration(vec![(Comparison::Lt, Duration::from_millis(100))]), Verdict::Fail),
        (Expect::Redirects(Predicate::Equals(json!(0))), Verdict::Pass),
    ];
    for (expect, wanted) in cases {
        assert_eq!(verdict(&expect, &seen), wanted, "{expect:?}");
    }
}

#[test]
fn p6_jsonpath_of_one_several_and_no_nodes() {
    let seen = response(200, r#"{"items":[{"n":1,"ok":true},{"n":2,"ok":false}]}"#);
    let count = |n: u64| Predicate::Count(Box::new(Predicate::Equals(json!(n))));
    for (source, predicate, wanted) in [
        ("$.items[0].n", Predicate::Equals(json!(1)), Verdict::Pass),
        ("$.items[*].n", Predicate::Equals(json!([1, 2])), Verdict::Pass),
        ("$.items", count(2), Verdict::Pass),
        ("$.items[?@.ok == false]", count(1), Verdict::Fail), // one object with two members
        ("$.items[?@.n > 5]", count(0), Verdict::Pass),
        ("$.nope", Predicate::Exists(false), Verdict::Pass),
        ("$.nope", Predicate::Not(Box::new(Predicate::Equals(json!(1)))), Verdict::Fail),
    ] {
        assert_eq!(verdict(&Expect::JsonPath(path(source), predicate), &seen), wanted, "{source}");
    }
}

#[test]
fn a_body_that_is_not_json_meets_no_condition_at_all() {
    for body in ["<html>502</html>", "", "{\"a\":", "\u{fffd}"] {
        let expect = Expect::JsonPath(path("$.error"), Predicate::Exists(false));
        assert_eq!(verdict(&expect, &response(200, body)), Verdict::Fail, "{body:?}");
        let count = Predicate::Count(Box::new(Predicate::Equals(json!(0))));
        let expect = Expect::JsonPath(path("$.error"), count);
        assert_eq!(verdict(&expect, &response(200, body)), Verdict::Fail, "{body:?}");
        let health = Expect::Health(HealthOptions::default());
        assert_eq!(verdict(&health, &response(200, body)), Verdict::Fail, "{body:?}");
    }
}

#[test]
fn p9_versions_are_equal_but_for_a_leading_v() {
    for (a, b, same) in [
        ("v1.2.3", "1.2.3", true),
        (" 1.2.3\n", "1.2.3", true),
        ("1.2.3", "1.2.30", false),
        ("", "", false),
        ("v", "", false),
        ("vnext", "next", false),
    ] {
        assert_eq!(same_version(a, b), same, "{a:?} {b:?}");
    }
    let in_header = Expect::Version(Source::Header("x-version".into()), None);
    assert_eq!(verdict(&in_header, &response(200, "")), Verdict::Pass);
    let nobody_said = in_header.evaluate(&response(200, ""), &Context::default());
    assert_eq!(nobody_said.verdict, Verdict::Fail);
    let fixed = Expect::Version(Source::Header("x-version".into()), Some(Template::new("v3")));
    assert_eq!(verdict(&fixed, &response(200, "")), Verdict::Fail);
}

#[test]
fn p8_exit_codes_and_signals() {
    let zero = Expect::ExitCode(Predicate::Equals(json!(0)));
    let exit =
        |code, signal| Observation::Exit(CommandOutput { code, signal, ..Default::default() });
    assert_eq!(verdict(&zero, &exit(Some(0), None)), Verdict::Pass);
    assert_eq!(verdict(&zero, &exit(Some(3), None)), Verdict::Fail);
    let absent = Expect::ExitCode(Predicate::Exists(false));
    assert_eq!(verdict(&absent, &exit(None, Some(9))), Verdict::Fail);
}

#[test]
fn a_question_that_does_not_fit_is_an_error_and_not_a_no() {
    let zero = Expect::ExitCode(Predicate::Equals(json!(0)));
    assert_eq!(verdict(&zero, &response(200, "")), Verdict::Error);
}

#[test]
fn e3_silence_fails_and_not_being_able_to_ask_is_an_error() {
    for (kind, wanted) in [
        (FailureKind::Refused, Verdict::Fail),
        (FailureKind::Timeout, Verdict::Fail),
        (FailureKind::Tls, Verdict::Fail),
        (FailureKind::Broken, Verdict::Fail),
        (FailureKind::NameNotFound, Verdict::Error),
        (FailureKind::NotAsked, Verdict::Error),
    ] {
        let unseen = Observation::Failed(ProbeFailure {
            kind,
            message: "why".into(),
            elapsed: Duration::ZERO,
        });
        let judge =
            Judge { expect: vec![Expect::Status(StatusSet::success())], ..Judge::default() };
        assert_eq!(judge.judge(&unseen, &Context::default()).verdict, wanted, "{kind:?}");
    }
}

#[test]
fn a_judge_without_expectations_is_inconclusive() {
    let judgement = Judge::default().judge(&response(200, "ok"), &Context::default());
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
}

#[test]
fn p5_fail_fast_ends_and_a_warning_only_tells() {
    let judge = Judge {
        expect: vec![Expect::Status(StatusSet::success())],
        fail_fast: vec![Expect::Status("404,410".parse().unwrap())],
        warn: vec![Expect::Duration(vec![(Comparison::Lt, Duration::from_millis(1))])],
        capture: Vec::new(),
    };
    let gone = judge.judge(&response(410, ""), &Context::default());
    assert_eq!(gone.terminal.as_deref(), Some("fail-fast: status is 410"));
    let slow = judge.judge(&response(200, ""), &Context::default());
    assert_eq!((slow.verdict, slow.terminal, slow.warnings.len()), (Verdict::Pass, None, 1));
}

#[test]
fn p12_captures_are_kept_only_of_a_pass_and_must_be_there() {
    let judge = |source: &str| Judge {
        expect: vec![Expect::Status(StatusSet::success())],
        capture: vec![Capture {
            name: "token".into(),
            source: Source::JsonPath(path(source)),
            secret: true,
        }],
        ..Judge::default()
    };
    let seen = response(200, r#"{"t":"abc","n":5,"o":{}}"#);
    let captured = |source| judge(source).judge(&seen, &Context::default());
    assert_eq!(captured("$.t").captured[0].value, "abc");
    assert_eq!(captured("$.n").captured[0].value, "5");
    for missing in ["$.x", "$.o", "$[*]"] {
        let judgement = captured(missing);
        assert_eq!((judgement.verdict, judgement.captured.len()), (Verdict::Fail, 0), "{missing}");
    }
    let failed = judge("$.t").judge(&response(500, r#"{"t":"abc"}"#), &Context::default());
    assert!(failed.captured.is_empty());
}

#[test]
fn long_findings_are_shortened_between_characters() {
    let seen = response(200, &"é".repeat(5000));
    let finding =
        Expect::Body(Predicate::Contains(json!("x"))).evaluate(&seen, &Context::default());
    assert!(finding.found.chars().count() <= SHOWN + 1 && finding.found.ends_with('…'));
}

#[test]
fn p8_where_nothing_was_found_only_the_reason_is_told() {
    let missing = Expect::JsonPath(path("$.x"), Predicate::Exists(true));
    let judge = Judge { expect: vec![missing], ..Judge::default() };
    let said = |body| judge.judge(&response(200, body), &Context::default()).reason();
    assert_eq!(said("{}"), "jsonpath $.x: selects nothing, wanted exists");
    assert!(said("<p>").starts_with("jsonpath $.x: the body is not JSON"), "{}", said("<p>"));
    let reply = crate::decide::observation::Reply {
        not_ready: Some("shop.invalid does not resolve".into()),
        ..Default::default()
    };
    let ready = Judge { expect: vec![Expect::Ready], ..Judge::default() };
    let reason = ready.judge(&Observation::Reply(reply), &Context::default()).reason();
    assert_eq!(reason, "shop.invalid does not resolve");
}
