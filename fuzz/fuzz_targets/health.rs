//! Health documents: one that says that it is down is never healthy, whatever else it says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use waveoff_fuzz::decide::health::{Condition, HealthDocument, HealthOptions, judge};
use waveoff_fuzz::decide::verdict::Verdict;

fn verdict(document: &Value, status: u16, options: &HealthOptions) -> Verdict {
    judge(&HealthDocument::read(document), Some(status), options).verdict
}

/// The document with one more entry, in front of all others or behind them.
fn with(map: &Map<String, Value>, key: &str, value: Value, first: bool) -> Value {
    let rest = map.iter().filter(|(known, _)| *known != key);
    let mut rest: Vec<_> = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    rest.insert(if first { 0 } else { rest.len() }, (key.into(), value));
    Value::Object(rest.into_iter().collect())
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    let usual = HealthOptions::default();
    let own = verdict(&document, 200, &usual);
    assert_eq!(verdict(&document, 503, &usual), Verdict::Fail);
    let critical = HealthOptions { critical: vec!["nobody's name".into()], ..usual.clone() };
    assert_eq!(verdict(&document, 200, &critical), Verdict::Fail);

    let Value::Object(map) = &document else {
        let word = document.as_str().map(Condition::of_word);
        let is_well = matches!(word, Some(Condition::Healthy | Condition::Degraded));
        assert_eq!(is_well, own == Verdict::Pass);
        return;
    };
    for key in ["status", "health", "state"] {
        let word = map.get(key).and_then(Value::as_str).map(Condition::of_word);
        assert!(word != Some(Condition::Unhealthy) || own == Verdict::Fail);
        assert!(!matches!(word, Some(Condition::Unknown(_))) || own != Verdict::Pass);
    }
    let bad = [
        ("status", json!("down")),
        ("ready", json!(false)),
        ("aiAvailability", json!(null)),
        ("circuits", json!({ "open": 1 })),
        ("circuit_breakers", json!([{ "name": "a", "state": "half_open" }])),
    ];
    for (key, value) in bad {
        // The parts that are there may have been what was bad, so that only the new one counts.
        for first in [true, false] {
            let document = with(map, key, value.clone(), first);
            // A document with a word of its own for the whole has weighed its parts.
            if key != "aiAvailability" || HealthDocument::read(&document).overall.is_none() {
                assert_eq!(verdict(&document, 200, &usual), Verdict::Fail, "{document}");
            }
        }
    }
    // The same facts as parts, workers and circuits in each shape: never a pass.
    let spring = json!({ "details": { "a": { "details": { "state": "OPEN" } } } });
    let bad = [
        ("services", json!({ "a": { "healthy": false, "critical": true } })),
        ("services", json!([{ "name": "a", "available": false, "critical": true }])),
        ("workers", json!({ "a": { "running": false, "critical": true } })),
        ("workers", json!([{ "running": "false", "critical": true }])),
        ("circuits", json!({ "open": ["a"], "closed": [] })),
        ("circuits", json!({ "summary": { "open": 1 }, "breakers": { "a": "open" } })),
        ("circuits", json!({ "total": 2, "open": 0, "half_open": 0, "closed": 1 })),
        ("components", json!({ "circuitBreakers": spring })),
    ];
    for (key, value) in bad {
        for first in [true, false] {
            let document = with(map, key, value.clone(), first);
            assert_ne!(verdict(&document, 200, &usual), Verdict::Pass, "{document}");
        }
    }
    let named = HealthOptions { critical: vec!["a".into()], ..usual.clone() };
    for key in ["entries", "services", "checks"] {
        let document = with(map, key, json!({ "a:time": { "status": "Unhealthy" } }), true);
        assert_eq!(verdict(&document, 200, &named), Verdict::Fail, "{document}");
    }
    let reversed: Map<_, _> = map.iter().rev().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(verdict(&Value::Object(reversed), 200, &usual), own, "the order means nothing");
});
