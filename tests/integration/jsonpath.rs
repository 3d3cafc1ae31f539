//! RFC 9535, by the compliance test suite of jsonpath-standard (703 cases).

use serde_json::Value;
use waveoff::decide::jsonpath::parse;

use crate::parts::data;

#[test]
fn p6_every_case_of_the_compliance_suite() {
    let Some(text) = data("jsonpath/cts.json") else { return };
    let suite: Value = serde_json::from_str(&text).unwrap();
    let cases = suite["tests"].as_array().unwrap();
    let wrong: Vec<&str> = cases
        .iter()
        .filter(|case| !holds(case))
        .map(|case| case["name"].as_str().unwrap())
        .collect();
    assert!(cases.len() >= 703 && wrong.is_empty(), "of {}: {wrong:#?}", cases.len());
}

fn holds(case: &Value) -> bool {
    let path = parse(case["selector"].as_str().unwrap());
    if case["invalid_selector"] == true {
        return path.is_err();
    }
    let Ok(path) = path else { return false };
    let found: Value = path.query(&case["document"]).into();
    match case.get("results") {
        Some(any) => any.as_array().unwrap().contains(&found),
        None => case["result"] == found,
    }
}
