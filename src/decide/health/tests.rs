use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn judged(document: Value, status: u16) -> HealthJudgement {
    judge(&HealthDocument::read(&document), Some(status), &HealthOptions::default())
}

fn judged_with(document: Value, critical: &[&str], except: &[&str]) -> HealthJudgement {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let options = HealthOptions { critical: own(critical), except_circuits: own(except) };
    judge(&HealthDocument::read(&document), Some(200), &options)
}

fn full() -> Value {
    json!({
        "status": "healthy", "ready": true,
        "postgres": { "status": "healthy", "message": "database operational" },
        "redis": { "status": "healthy" },
        "ai_services": [{ "name": "rtdetr", "status": "healthy", "circuit_state": "closed" }],
        "circuit_breakers": { "total": 5, "open": 0, "half_open": 0, "closed": 5 },
        "workers": [{ "name": "file_watcher", "running": true, "critical": true }]
    })
}

#[test]
fn p3_every_healthy_shape_passes() {
    for document in [
        json!({ "status": "alive" }),
        json!({ "ready": true, "checks": { "database": { "status": "healthy", "latency_ms": 2.5 } } }),
        full(),
        json!({ "status": "UP" }),
        json!({ "status": "UP", "components": { "db": { "status": "UP" }, "diskSpace": { "status": "UP" } } }),
        json!({ "status": "healthy", "aiAvailability": "ENABLED" }),
        json!({ "status": "pass", "checks": { "cpu:utilization": [{ "status": "pass" }] } }),
        json!("ok"),
    ] {
        let judgement = judged(document.clone(), 200);
        assert_eq!(judgement.verdict, Verdict::Pass, "{document}: {judgement:?}");
        assert!(judgement.warnings.is_empty(), "{document}: {judgement:?}");
    }
}

#[test]
fn p3_every_unhealthy_shape_fails() {
    for document in [
        json!({ "ready": false }),
        json!({ "status": "OUT_OF_SERVICE" }),
        json!({ "status": "DOWN", "components": { "db": { "status": "DOWN" } } }),
        json!({ "ready": true, "checks": { "database": { "status": "unhealthy" } }, "status": "fail" }),
        json!({ "status": "healthy", "aiAvailability": "None" }),
        json!({ "status": "healthy", "aiAvailability": null }),
        json!({ "status": "ok", "ready": false }),
        json!({ "checks": { "db": { "status": "down" } } }),
    ] {
        assert_eq!(judged(document.clone(), 200).verdict, Verdict::Fail, "{document}");
    }
}

#[test]
fn p3_an_unknown_word_or_no_word_is_never_healthy() {
    for document in [
        json!({ "status": "starting" }),
        json!({}),
        json!([]),
        json!(null),
        json!(42),
        json!({ "hello": "world" }),
        json!({ "status": "" }),
        json!({ "status": 1 }),
        json!({ "components": { "db": { "status": "warming" } } }),
    ] {
        assert_eq!(judged(document.clone(), 200).verdict, Verdict::Inconclusive, "{document}");
    }
}

#[test]
fn p3_an_engine_on_its_way_is_degraded() {
    let judgement = judged(json!({ "status": "healthy", "aiAvailability": "CONVERTING" }), 200);
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert_eq!(judgement.warnings.len(), 1);
}

#[test]
fn p3_healthy_with_a_503_is_a_contradiction() {
    let judgement = judged(full(), 503);
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert!(judgement.failures[0].contains("contradiction"), "{judgement:?}");
}

#[test]
fn p4_a_non_critical_service_degrades_and_a_critical_one_fails() {
    let mut document = full();
    document["status"] = json!("degraded");
    document["ai_services"][0]["status"] = json!("unhealthy");
    let judgement = judged_with(document.clone(), &["postgres", "Redis"], &[]);
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert!(judgement.warnings.iter().any(|w| w.contains("rtdetr")), "{judgement:?}");
    document["redis"]["status"] = json!("unhealthy");
    let judgement = judged_with(document, &["postgres", "redis"], &[]);
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert_eq!(judgement.failures, ["critical service redis is unhealthy"]);
}

#[test]
fn p4_a_critical_service_that_is_not_in_the_document_fails() {
    let judgement = judged_with(json!({ "status": "healthy" }), &["postgres"], &[]);
    assert_eq!(judgement.failures, ["critical service postgres is not in the document"]);
}

#[test]
fn p3_a_long_name_is_not_kept_for_each_part() {
    let long = "n".repeat(10_000);
    let parts = json!({ "components": { "a": { "status": "down" } } });
    let document = json!({ "checks": { long.clone(): ["up", "up"] }, "services": { long: parts } });
    let read = HealthDocument::read(&document);
    assert_eq!(read.components.len(), 4);
    assert!(read.components.iter().all(|part| part.name.len() < 300), "{read:?}");
    assert_eq!(judged(document, 200).verdict, Verdict::Fail);
}

#[test]
fn p3_counts_that_no_number_holds_are_not_none() {
    let most = json!({ "open": u64::MAX, "half_open": 1 });
    let document = json!({ "status": "ok", "circuits": most, "circuit_breakers": { "open": 1 } });
    assert_eq!(judged(document, 200).verdict, Verdict::Fail);
}

#[test]
fn p4_every_circuit_must_be_closed_and_half_open_is_not() {
    for (state, half, open) in [("open", 0, 1), ("half_open", 1, 0)] {
        let mut document = full();
        document["ai_services"][0]["circuit_state"] = json!(state);
        document["circuit_breakers"] = json!({ "total": 5, "open": open, "half_open": half });
        assert_eq!(judged_with(document.clone(), &[], &[]).verdict, Verdict::Fail, "{state}");
        assert_eq!(judged_with(document, &[], &["rtdetr"]).verdict, Verdict::Pass, "{state}");
    }
    let counted = json!({ "status": "ok", "circuit_breakers": { "open": 2, "half_open": 0 } });
    let judgement = judged_with(counted, &[], &["rtdetr"]);
    assert_eq!(judgement.failures, ["2 circuits are not closed"]);
    for named in [json!({ "db": "open" }), json!([{ "name": "db", "state": "OPEN" }])] {
        let judgement = judged_with(json!({ "status": "ok", "circuits": named }), &[], &[]);
        assert_eq!(judgement.failures, ["circuit db is open"]);
    }
}

#[test]
fn p4_a_critical_worker_that_does_not_run_fails() {
    let mut document = full();
    document["workers"][0]["running"] = json!(false);
    assert_eq!(judged_with(document.clone(), &[], &[]).verdict, Verdict::Fail);
    assert_eq!(judged_with(document.clone(), &["postgres"], &[]).verdict, Verdict::Fail);
    document["workers"][0]["critical"] = json!(false);
    assert_eq!(judged_with(document, &[], &[]).verdict, Verdict::Pass);
}

#[test]
fn p3_a_part_says_with_truth_values_how_it_is() {
    for flag in ["healthy", "ready", "alive", "ok", "up", "available", "running", "connected"] {
        let part = json!({ "name": "pg", flag: false, "critical": true });
        let named = json!({ "status": "healthy", "services": { "pg": part.clone() } });
        let listed = json!({ "status": "healthy", "services": [part] });
        for document in [named, listed] {
            assert_eq!(judged(document.clone(), 200).verdict, Verdict::Fail, "{document}");
            let judgement = judged_with(document, &["pg"], &[]);
            assert_eq!(judgement.failures, ["critical service pg is unhealthy"]);
        }
        let well = json!({ "status": "healthy", "services": { "pg": { flag: true } } });
        assert_eq!(judged_with(well, &["pg"], &[]).verdict, Verdict::Pass, "{flag}");
    }
}

#[test]
fn p3_a_part_that_is_not_understood_is_not_healthy() {
    for part in [json!({}), json!(1), json!(null), json!([]), json!({ "healthy": "yes" })] {
        let document = json!({ "status": "healthy", "services": { "pg": part } });
        let judgement = judged_with(document.clone(), &["pg"], &[]);
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{document}: {judgement:?}");
        let judgement = judged(document.clone(), 200);
        assert_eq!(judgement.verdict, Verdict::Pass, "{document}: {judgement:?}");
        assert_eq!(judgement.warnings.len(), 1, "{document}: {judgement:?}");
    }
    let marked = json!({ "status": "healthy", "services": { "pg": { "critical": "true" } } });
    assert_eq!(judged(marked, 200).verdict, Verdict::Inconclusive);
    let whole = json!({ "status": "healthy", "ready": "false" });
    assert_eq!(judged(whole, 200).verdict, Verdict::Inconclusive);
}

#[test]
fn p4_workers_are_a_list_or_have_names() {
    let state = |running: Value| json!({ "running": running, "critical": true });
    for (running, wanted) in [
        (json!(true), Verdict::Pass),
        (json!(false), Verdict::Fail),
        (json!("false"), Verdict::Inconclusive),
        (json!("true"), Verdict::Inconclusive),
        (json!(null), Verdict::Inconclusive),
        (json!(0), Verdict::Inconclusive),
    ] {
        let mut named = state(running.clone());
        named["name"] = json!("w");
        for workers in
            [json!({ "w": state(running.clone()) }), json!([named]), json!([state(running)])]
        {
            let document = json!({ "status": "healthy", "pg": "up", "workers": workers });
            assert_eq!(judged(document.clone(), 200).verdict, wanted, "{document}");
        }
    }
    let down =
        json!({ "status": "ok", "services": { "pg": "up" }, "workers": state(json!(false)) });
    assert_eq!(judged_with(down, &["pg"], &[]).verdict, Verdict::Fail);
}

#[test]
fn p4_circuits_in_every_shape_are_read() {
    let spring =
        |part: Value| json!({ "circuitBreakers": { "status": "UP", "details": { "a": part } } });
    for document in [
        json!({ "circuit_breakers": { "open": ["a"], "closed": [] } }),
        json!({ "circuit_breakers": { "summary": { "open": 1 }, "breakers": { "a": "open" } } }),
        json!({ "circuit_breakers": { "breakers": [{ "name": "a", "state": "OPEN" }] } }),
        json!({ "circuit_breakers": { "a": { "open": true } } }),
        json!({ "components": spring(json!({ "details": { "state": "OPEN" } })) }),
        json!({ "components": spring(json!({ "state": "OPEN" })) }),
        json!({ "details": spring(json!({ "status": "CIRCUIT_OPEN" })) }),
    ] {
        let mut document = document;
        document["status"] = json!("UP");
        let judgement = judged(document.clone(), 200);
        assert_eq!(judgement.verdict, Verdict::Fail, "{document}: {judgement:?}");
        let judgement = judged_with(document.clone(), &[], &["a"]);
        assert_eq!(judgement.verdict, Verdict::Pass, "{document}: {judgement:?}");
    }
    for circuits in [
        json!({ "a": "closed", "b": { "state": "CLOSED", "failures": 0 } }),
        json!({ "open": 0, "half_open": 0, "closed": 2, "total": 2, "failures": 7 }),
        json!({ "open": [], "closed": ["a"], "since": "2026-01-01" }),
        json!({ "state": "closed", "failures": 0, "name": "a" }),
        json!({ "summary": { "open": 0 }, "breakers": { "a": "closed" } }),
        json!([]),
    ] {
        let document = json!({ "status": "UP", "circuit_breakers": circuits });
        let judgement = judged(document.clone(), 200);
        assert_eq!(judgement.verdict, Verdict::Pass, "{document}: {judgement:?}");
    }
    let closed = spring(json!({ "status": "UP", "details": { "state": "CLOSED" } }));
    let judgement = judged(json!({ "status": "UP", "components": closed }), 200);
    assert_eq!((judgement.verdict, judgement.warnings.len()), (Verdict::Pass, 0), "{judgement:?}");
}

#[test]
fn p4_circuits_that_are_not_understood_are_not_closed() {
    for circuits in [
        json!({ "total": 2, "open": 0, "half_open": 0, "closed": 1 }),
        json!({ "total": 2 }),
        json!({ "closed": 2 }),
        json!({ "open": "0" }),
        json!({ "open": -1 }),
        json!({ "total": 2, "open": 0, "forced_open": 1 }),
        json!({ "open": 0, "isolated": 1 }),
        json!({ "a": { "failures": 3 } }),
        json!({ "a": true }),
        json!([{ "name": "a" }]),
        json!([1]),
        json!(3),
        json!("ok"),
    ] {
        let document = json!({ "status": "UP", "circuit_breakers": circuits });
        let judgement = judged(document.clone(), 200);
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{document}: {judgement:?}");
    }
}

#[test]
fn p3_the_entries_of_asp_net_and_the_details_of_spring_are_parts() {
    for key in ["entries", "results", "details"] {
        let document = json!({ "status": "Healthy", key: { "db": { "status": "Unhealthy" } } });
        let judgement = judged(document.clone(), 200);
        assert_eq!(judgement.warnings, ["service db is unhealthy"], "{document}");
        assert_eq!(judged_with(document, &["db"], &[]).verdict, Verdict::Fail);
    }
    let facts = json!({ "status": "UP", "details": { "version": "1.2", "free": 3 } });
    let judgement = judged(facts, 200);
    assert_eq!((judgement.verdict, judgement.warnings.len()), (Verdict::Pass, 0), "{judgement:?}");
}

#[test]
fn p3_without_anything_healthy_nothing_passes() {
    let down = json!({ "status": "down", "critical": false });
    let document = json!({ "services": { "redis": down.clone() } });
    assert_eq!(judged(document, 200).verdict, Verdict::Inconclusive);
    let document = json!({ "services": { "redis": down, "pg": "up" } });
    assert_eq!(judged(document, 200).verdict, Verdict::Pass);
}

#[test]
fn p4_a_measurement_belongs_to_its_part() {
    let document = |status: &str| {
        json!({ "status": "pass", "checks": {
            "db:responseTime": [{ "status": "pass" }, { "status": "pass" }],
            "db:connections": [{ "status": "pass" }, { "status": status }],
        } })
    };
    assert_eq!(judged_with(document("pass"), &["DB"], &[]).verdict, Verdict::Pass);
    assert_eq!(judged_with(document("fail"), &["db"], &[]).verdict, Verdict::Fail);
    let judgement = judged_with(document("pass"), &["d"], &[]);
    let wanted =
        "critical service d is not in the document, which has db:responseTime, db:connections";
    assert_eq!(judgement.failures, [wanted]);
    let many: Map<_, _> =
        (0..1000).map(|n| (format!("{n}{}", "x".repeat(100)), json!("up"))).collect();
    let judgement = judged_with(json!({ "services": many }), &["d"], &[]);
    assert!(judgement.failures[0].len() < 800, "{judgement:?}");
    assert!(judgement.failures[0].ends_with(" and others"), "{judgement:?}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("status"),
        Just("ready"),
        Just("checks"),
        Just("components"),
        Just("name"),
        Just("circuit_breakers"),
        Just("open"),
        Just("workers"),
        Just("running"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop_oneof![Just("healthy"), Just("open"), Just("down"), Just("?")].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_panics_and_a_pass_always_has_a_good_word(document in any_json()) {
        let text = document.to_string();
        let judgement = judged(document, 200);
        if judgement.verdict == Verdict::Pass {
            prop_assert!(text.contains("healthy") || text.contains("true"), "{text}");
        } else {
            prop_assert!(!judgement.failures.is_empty(), "no reason given for {text}");
        }
    }
}
