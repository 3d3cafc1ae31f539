//! SARIF 2.1.0 (OASIS), as Trivy, Grype, CodeQL and Semgrep write it. How bad a finding is stands in
//! `security-severity`, a score, where a rule has one, and is else guessed from its `level`.

use serde_json::Value;

use super::{Found, Level, Scan};

pub(super) fn read(value: &Value) -> Result<Scan, String> {
    let mut scan = Scan::default();
    for run in value["runs"].as_array().into_iter().flatten() {
        let results = run["results"].as_array().ok_or("SARIF: a run has no `results`")?;
        scan.looked_at += 1;
        let texts = |value: &Value| -> Vec<String> {
            let all = value.as_array().into_iter().flatten();
            all.filter_map(|text| Some(text.as_str()?.to_owned())).collect()
        };
        scan.digests.extend(texts(&run["properties"]["repoDigests"]));
        let name = run["properties"]["imageName"].as_str().map(str::to_owned);
        scan.subject = scan.subject.or(name);
        scan.found.extend(results.iter().filter(|result| counts(result)).map(|r| found(run, r)));
    }
    match scan.looked_at {
        0 => Err("SARIF: it has no run".into()),
        _ => Ok(scan),
    }
}

/// Not what was looked at and is well, and not what somebody has accepted (SARIF §3.27.9, §3.35).
fn counts(result: &Value) -> bool {
    let kind = result["kind"].as_str().unwrap_or("fail");
    let accepted = |one: &Value| matches!(one["status"].as_str(), None | Some("accepted"));
    let suppressions = result["suppressions"].as_array();
    let is_accepted = suppressions.is_some_and(|all| !all.is_empty() && all.iter().all(accepted));
    !matches!(kind, "pass" | "notApplicable" | "informational") && !is_accepted
}

fn found(run: &Value, result: &Value) -> Found {
    let id = result["ruleId"].as_str().or_else(|| result["rule"]["id"].as_str());
    let id = id.unwrap_or_default();
    let rules = run["tool"]["driver"]["rules"].as_array();
    let index = result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok());
    let by_id = || rules?.iter().find(|rule| rule["id"] == id);
    let rule = index.and_then(|index| rules?.get(index)).filter(|rule| rule["id"] == id);
    let rule = rule.or_else(by_id).unwrap_or(&Value::Null);
    let location = &result["locations"][0]["physicalLocation"];
    let place = location["artifactLocation"]["uri"].as_str().unwrap_or("an unnamed place");
    Found {
        level: level(rule, result),
        id: if id.is_empty() { "a finding without a name".into() } else { id.into() },
        place: place.into(),
        fixed: None,
    }
}

fn level(rule: &Value, result: &Value) -> Level {
    let score = |of: &Value| match &of["properties"]["security-severity"] {
        Value::String(text) => text.parse::<f64>().ok(),
        other => other.as_f64(),
    };
    if let Some(score) = score(result).or_else(|| score(rule)) {
        return Level::of_score(score);
    }
    let named = rule["properties"]["tags"].as_array().into_iter().flatten();
    let named = named.filter_map(|tag| Level::of(tag.as_str()?)).max();
    let own = result["level"].as_str();
    let word = own.or_else(|| rule["defaultConfiguration"]["level"].as_str()).unwrap_or("warning");
    named.unwrap_or(match word {
        // What has no score may be as bad as its level can mean.
        "error" => Level::Critical,
        "warning" => Level::Medium,
        "note" => Level::Low,
        _ => Level::Unknown,
    })
}
