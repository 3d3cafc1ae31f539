use std::time::Duration;

use super::*;
use crate::decide::judge::Judge;
use crate::decide::observation::{FailureKind, HttpResponse, ProbeFailure};
use crate::decide::predicate::Predicate;
use serde_json::json;

fn response(status: u16, body: &str) -> Observation {
    Observation::Http(HttpResponse { status, body: body.into(), ..HttpResponse::default() })
}

fn status(set: &str) -> Expect {
    Expect::Status(set.parse().unwrap())
}

fn path(text: &str, predicate: Predicate) -> Expect {
    Expect::JsonPath(Box::new(crate::decide::jsonpath::parse(text).unwrap()), predicate)
}

fn not(inner: Expect) -> Expect {
    Expect::Not(Box::new(inner))
}

fn verdict(expect: &Expect, observation: &Observation) -> Verdict {
    expect.evaluate(observation, &Context::default()).verdict
}

/// A "no", a "yes", and two that are neither.
fn four() -> [Expect; 4] {
    let unreadable = path("$.a", Predicate::Exists(true));
    [status("404"), status("200"), unreadable, Expect::ExitCode(Predicate::Equals(json!(0)))]
}

#[test]
fn p6_expectations_combine() {
    use Verdict::{Error, Fail, Pass};
    let seen = response(200, "no JSON");
    let [no, yes, unreadable, error] = four();
    for (parts, any, all) in [
        (vec![&no, &yes], Pass, Fail),
        (vec![&no, &no], Fail, Fail),
        (vec![&yes, &yes], Pass, Pass),
        (vec![&error, &yes], Pass, Error),
        // What could not be asked may have held.
        (vec![&error, &no], Error, Fail),
        (vec![&unreadable, &no], Fail, Fail),
        (vec![&unreadable, &yes], Pass, Fail),
        (vec![], Verdict::Inconclusive, Verdict::Inconclusive),
    ] {
        let parts: Vec<Expect> = parts.into_iter().cloned().collect();
        assert_eq!(verdict(&Expect::Any(parts.clone()), &seen), any, "any of {parts:?}");
        assert_eq!(verdict(&Expect::All(parts.clone()), &seen), all, "all of {parts:?}");
    }
}

#[test]
fn p6_not_of_what_is_no_answer_is_no_pass() {
    use Verdict::{Error, Fail, Pass};
    let seen = response(200, "no JSON");
    let [no, yes, unreadable, error] = four();
    let any = |a: &Expect, b: &Expect| Expect::Any(vec![a.clone(), b.clone()]);
    let all = |a: &Expect, b: &Expect| Expect::All(vec![a.clone(), b.clone()]);
    for (inner, wanted) in [
        (no.clone(), Pass),
        (yes.clone(), Fail),
        (unreadable.clone(), Fail),
        (not(unreadable.clone()), Fail),
        (error.clone(), Error),
        (not(error.clone()), Error),
        (any(&no, &error), Error),
        (all(&no, &error), Error),
        (any(&no, &unreadable), Fail),
        (all(&no, &unreadable), Fail),
        (any(&no, &no), Pass),
        (all(&no, &yes), Pass),
        (any(&error, &yes), Fail),
        (not(no.clone()), Fail),
        (not(yes.clone()), Pass),
    ] {
        assert_eq!(verdict(&not(inner.clone()), &seen), wanted, "not {inner:?}");
    }
    let silence = Observation::Failed(ProbeFailure {
        kind: FailureKind::Timeout,
        message: "timed out".into(),
        elapsed: Duration::ZERO,
    });
    assert_eq!(verdict(&not(status("500")), &silence), Fail);
}

#[test]
fn p6_not_of_what_is_absent_or_cut_off_is_no_pass() {
    let seen = response(200, "{}");
    let down = path("$.status", Predicate::Equals(json!("down")));
    assert_eq!(verdict(&not(down), &seen), Verdict::Fail);
    let there = path("$.error", Predicate::Exists(true));
    assert_eq!(verdict(&not(there), &seen), Verdict::Pass);
    let error = not(Expect::Body(Predicate::Contains(json!("error"))));
    assert_eq!(verdict(&error, &seen), Verdict::Pass);
    let Observation::Http(whole) = seen else { return };
    let cut = Observation::Http(HttpResponse { truncated: true, ..whole });
    assert_eq!(verdict(&error, &cut), Verdict::Fail);
}

#[test]
fn p6_findings_say_what_was_wanted_and_found() {
    let header = Expect::Header("location".into(), Predicate::Exists(true));
    let any = Expect::Any(vec![status("404"), Expect::All(vec![status("302"), header])]);
    let said = |expect: &Expect, code| {
        let judge = Judge { expect: vec![expect.clone()], ..Judge::default() };
        judge.judge(&response(code, ""), &Context::default()).reason()
    };
    assert_eq!(
        said(&any, 302),
        "any-of is status 302; header location the header is not there, wanted status 404 or \
         (status 302 and header location exists)"
    );
    assert_eq!(said(&any, 404), "any-of status 404");
    assert_eq!(said(&not(status("5xx")), 503), "status is 503, wanted not (5xx)");
    assert_eq!(said(&not(status("5xx")), 200), "status 200");
}

#[test]
fn p5_fail_fast_takes_combinations() {
    let gone = Expect::All(vec![status("503"), Expect::Body(Predicate::Contains(json!("moved")))]);
    let judge = Judge { expect: vec![status("200")], fail_fast: vec![gone], ..Judge::default() };
    let judged = |body| judge.judge(&response(503, body), &Context::default()).terminal;
    assert!(judged("moved away").is_some() && judged("busy").is_none());
    let unreadable =
        Judge { fail_fast: vec![not(path("$.a", Predicate::Exists(true)))], ..judge.clone() };
    assert_eq!(unreadable.judge(&response(503, "<p>"), &Context::default()).terminal, None);
}

#[test]
fn p8_not_of_one_among_several_is_no_pass() {
    let seen = response(200, r#"{"p":[{"s":"Running"},{"s":"Failed"}]}"#);
    let equals = |value| Predicate::Equals(value);
    let no = |inner| Predicate::Not(Box::new(inner));
    let failed = || path("$.p[*].s", equals(json!("Failed")));
    let one_of = path("$.p[*].s", no(Predicate::In(vec![json!("Failed")])));
    for wrong in [path("$.p[*].s", no(equals(json!("Failed")))), one_of, failed(), not(failed())] {
        let finding = wrong.evaluate(&seen, &Context::default());
        assert_eq!(finding.verdict, Verdict::Fail, "{wrong:?}");
        assert!(finding.found.contains("`count`"), "{}", finding.found);
    }
    let list = path("$.p[*].s", equals(json!(["Running", "Failed"])));
    assert_eq!(verdict(&list, &seen), Verdict::Pass);
    assert_eq!(verdict(&path("$.p[1].s", no(equals(json!("Running")))), &seen), Verdict::Pass);
}

fn sent(headers: &[(&str, &str)], body: &[u8]) -> Observation {
    let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    Observation::Http(HttpResponse {
        status: 200,
        headers,
        body: body.into(),
        ..Default::default()
    })
}

#[test]
fn p8_not_of_a_body_that_was_not_decoded_is_no_pass() {
    let body = |predicate| Expect::Body(predicate);
    let part = |text: &str| Predicate::Contains(json!(text));
    let no = |inner| Predicate::Not(Box::new(inner));
    let both = || [not(body(part("ERR"))), body(no(part("ERR")))];
    let brotli = sent(&[("Content-Encoding", "br")], b"fine");
    let utf16 = sent(&[("content-type", "text/plain; charset=UTF-16")], b"f\0i\0n\0e\0");
    let broken = sent(&[], b"fine \xff");
    for seen in [&brotli, &utf16, &broken] {
        for one in both() {
            assert_eq!(verdict(&one, seen), Verdict::Fail, "{one:?} {seen:?}");
        }
    }
    assert_eq!(verdict(&body(part("fine")), &broken), Verdict::Pass);
    for one in [path("$.a", Predicate::Exists(false)), not(path("$.a", Predicate::Exists(true)))] {
        let seen = sent(&[("content-encoding", "identity, zstd")], b"{}");
        assert_eq!(verdict(&one, &seen), Verdict::Fail, "{one:?}");
        let plain = sent(&[("content-encoding", "identity")], b"{}");
        assert_eq!(verdict(&one, &plain), Verdict::Pass, "{one:?}");
    }
    let latin = sent(&[("content-type", "text/html; Charset=\"ISO-8859-1\"")], b"caf\xe9 \x80");
    assert_eq!(verdict(&body(part("café €")), &latin), Verdict::Pass);
    for one in both() {
        assert_eq!(verdict(&one, &latin), Verdict::Pass, "{one:?}");
    }
}

#[test]
fn p8_not_in_the_predicate_of_what_is_cut_off_is_no_pass() {
    let Observation::Http(whole) = sent(&[], b"fine") else { return };
    let cut = Observation::Http(HttpResponse { truncated: true, ..whole });
    let no = Predicate::Not(Box::new(Predicate::Contains(json!("ERR"))));
    assert_eq!(verdict(&Expect::Body(no), &cut), Verdict::Fail);
    assert_eq!(verdict(&Expect::Body(Predicate::Contains(json!("fine"))), &cut), Verdict::Pass);
}
