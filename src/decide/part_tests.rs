use serde_json::json;

use super::*;
use crate::decide::expect::{Context, Expect, Finding};
use crate::decide::observation::Observation;
use crate::decide::predicate::Comparison;
use crate::decide::verdict::Verdict::{self, Fail, Pass};

fn response(kind: &str, body: &str) -> Observation {
    Observation::Http(HttpResponse {
        status: 200,
        headers: vec![("content-type".into(), kind.into())],
        body: body.into(),
        ..HttpResponse::default()
    })
}

fn finding(part: Part, predicate: Option<Predicate>, observation: &Observation) -> Finding {
    Expect::Part(part, predicate).evaluate(observation, &Context::default())
}

const PAGE: &str = "up 1\nhits{s=\"200\"} 1027\nhits{s=\"500\"} 0.5\nidle NaN\nlate +Inf\n";

fn metric(selector: &str, predicate: Predicate) -> Finding {
    let part = Part::Metric(Selector::parse(selector).unwrap());
    finding(part, Some(predicate), &response("text/plain", PAGE))
}

fn not(inner: Predicate) -> Predicate {
    Predicate::Not(Box::new(inner))
}

#[test]
fn p6_one_sample_is_its_number_and_several_are_a_list() {
    let equals = |value| Predicate::Equals(value);
    let count = |n: u64| Predicate::Count(Box::new(Predicate::Equals(n.into())));
    let gt = |limit| Predicate::Compare(Comparison::Gt, limit);
    for (selector, predicate, wanted) in [
        ("up", equals(json!(1)), Pass),
        ("up", equals(json!("1")), Fail),
        ("hits{s=\"200\"}", gt(1000.0), Pass),
        ("hits{s=\"200\"}", gt(1027.0), Fail),
        ("hits", count(2), Pass),
        ("hits", equals(json!([1027, 0.5])), Pass),
        ("hits", gt(0.0), Fail),
        ("hits", not(gt(5000.0)), Fail),
        ("down", count(0), Pass),
        ("down", Predicate::Exists(false), Pass),
        ("down", not(gt(1.0)), Fail),
        ("idle", Predicate::Exists(true), Pass),
        ("idle", gt(0.0), Fail),
        ("idle", not(gt(0.0)), Fail),
        ("idle", not(equals(json!(0))), Pass),
        ("late", gt(1e300), Pass),
        ("late", not(gt(5.0)), Fail),
    ] {
        let found = metric(selector, predicate.clone());
        assert_eq!(found.verdict, wanted, "{selector} {predicate}: {found:?}");
    }
    assert_eq!(metric("late", gt(5.0)).found, "+Inf");
    assert_eq!(metric("hits{s=\"200\"}", gt(5.0)).found, "1027");
    let several = metric("hits", gt(5.0));
    assert!(several.found.starts_with("2 samples, [1027,0.5]"), "{}", several.found);
    assert_eq!(several.what, "prometheus hits");
    // None of several is meant alone, whatever is asked of it.
    for wanted in [equals(json!(0)), not(equals(json!(0))), not(gt(5.0))] {
        assert_eq!(metric("hits", wanted).verdict, Fail);
    }
}

#[test]
fn p6_a_page_is_one_and_has_samples() {
    let verdict = |kind: &str, body: &str| -> (Verdict, String) {
        let found = finding(Part::Samples, None, &response(kind, body));
        (found.verdict, found.found)
    };
    assert_eq!(verdict("text/plain; version=0.0.4", PAGE), (Pass, "5 samples".into()));
    assert_eq!(verdict("text/plain", "# HELP a b\n"), (Fail, "the page has no samples".into()));
    assert_eq!(verdict("text/plain", ""), (Fail, "the body is empty".into()));
    let open = "application/openmetrics-text; version=1.0.0";
    assert_eq!(verdict(open, "a 1\n# EOF\n").0, Pass);
    assert!(verdict(open, "a 1\n").1.contains("cut"));
    let html = verdict("text/html", "<!doctype html>\n");
    assert_eq!(
        html,
        (Fail, "the body is no Prometheus page: line 1 begins with no metric's name".into())
    );
    // No condition holds of such a page, not even that a metric is not there.
    let part = Part::Metric(Selector::parse("errors").unwrap());
    let absent = Some(Predicate::Exists(false));
    assert_eq!(finding(part, absent, &response("text/html", "<p>")).verdict, Fail);
}

#[test]
fn p6_a_description_is_valid_and_of_its_version() {
    let good = r#"{"openapi":"3.0.3","info":{"title":"a","version":"1"},"paths":{}}"#;
    let ask = |predicate: Option<&str>, body: &str| {
        let predicate = predicate.map(|start| Predicate::StartsWith(start.into()));
        finding(Part::OpenApi, predicate, &response("application/json", body))
    };
    assert_eq!(ask(None, good).verdict, Pass);
    assert_eq!(ask(Some("3.0."), good).verdict, Pass);
    let other = ask(Some("3.1."), good);
    assert_eq!((other.verdict, other.found.as_str()), (Fail, "OpenAPI 3.0.3"));
    for (body, part) in [("openapi: 3.0.3", "not JSON"), ("{}", "/openapi: the version is missing")]
    {
        let found = ask(None, body);
        assert!(found.verdict == Fail && found.found.contains(part), "{found:?}");
    }
}

#[test]
fn p6_a_text_of_a_page_is_asked_for_and_only_of_a_page() {
    let page = "<!doctype html><title>Shop</title><h1>Welcome</h1>";
    let contains = |text: &str| Predicate::Contains(text.into());
    let ask = |place: &Place, predicate: &Predicate, kind: &str| {
        finding(Part::Html(place.clone()), Some(predicate.clone()), &response(kind, page))
    };
    let html = "text/html; charset=utf-8";
    for (place, predicate, kind, wanted) in [
        (Place::Title, contains("Shop"), html, Pass),
        (Place::Heading, contains("Shop"), html, Fail),
        (Place::Id("app".into()), Predicate::Exists(false), html, Pass),
        (Place::Id("app".into()), not(contains("error")), html, Fail),
        (Place::Text, not(contains("error")), "TEXT/HTML", Pass),
        (Place::Text, not(contains("error")), "application/json", Fail),
    ] {
        assert_eq!(ask(&place, &predicate, kind).verdict, wanted, "{place:?} {predicate}");
    }
    let json = ask(&Place::Text, &contains("x"), "application/json");
    assert_eq!(
        (json.what.as_str(), json.found.as_str()),
        ("html text", "the body is application/json, not HTML")
    );
    // A page on which nothing is seen says nothing, not even that it shows no error.
    let blank = response(html, "<script>go()</script>");
    assert_eq!(
        finding(Part::Html(Place::Text), Some(not(contains("error"))), &blank).verdict,
        Fail
    );
}
