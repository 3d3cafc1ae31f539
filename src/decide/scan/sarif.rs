//! SARIF 2.1.0 (OASIS), as Trivy, Grype, CodeQL and Semgrep write it. How bad a finding is stands in
//! `security-severity`, a score, and in a rule's tags, and is else guessed from its `level`.

use serde_json::Value;

use super::{Found, Level, Scan, time};

pub(super) fn read(value: &Value) -> Result<Scan, String> {
    let runs = value["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut scan = Scan { created: created(runs), ..Scan::default() };
    for run in runs {
        if invocations(run).any(|one| one["executionSuccessful"] == false) {
            return Err("SARIF: the scanner itself says that it did not succeed".into());
        }
        let results = run["results"].as_array().ok_or("SARIF: a run has no `results`")?;
        scan.looked_at += 1;
        // Trivy's; a scanner of code has nothing of the kind.
        let properties = &run["properties"];
        let text =
            |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let name = text(&properties["imageName"]);
        let digests = properties["repoDigests"].as_array().into_iter().flatten();
        let digests = digests.chain([&properties["imageID"]]).filter_map(text);
        scan.digests.extend(digests);
        scan.is_of_image |= name.is_some() || !scan.digests.is_empty();
        scan.subject = scan.subject.or(name);
        scan.found.extend(results.iter().filter(|result| counts(result)).map(|r| found(run, r)));
    }
    match scan.looked_at {
        0 => Err("SARIF: it has no run".into()),
        _ => Ok(scan),
    }
}

fn invocations(run: &Value) -> impl Iterator<Item = &Value> {
    run["invocations"].as_array().into_iter().flatten()
}

/// When the oldest run was made; none when one of them does not tell.
fn created(runs: &[Value]) -> Option<String> {
    let of = |run| {
        let told = |one: &Value| {
            one["endTimeUtc"].as_str().or(one["startTimeUtc"].as_str()).map(str::to_owned)
        };
        invocations(run).filter_map(told).min_by_key(|text| time(text))
    };
    let all: Option<Vec<String>> = runs.iter().map(of).collect();
    all?.into_iter().min_by_key(|text| time(text))
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
    let rule = rule(&run["tool"], result, id);
    let id = id.or_else(|| rule?["id"].as_str()).filter(|id| !id.is_empty());
    let location = &result["locations"][0]["physicalLocation"];
    let place = location["artifactLocation"]["uri"].as_str().unwrap_or("an unnamed place");
    Found {
        level: level(rule, result),
        id: id.unwrap_or("a finding without a name").into(),
        place: place.into(),
        fixed: None,
    }
}

/// The rule that a result is about (§3.27.7, §3.52). It may be in an extension of the tool: that is
/// where CodeQL has them all.
fn rule<'a>(tool: &'a Value, result: &Value, id: Option<&str>) -> Option<&'a Value> {
    let reference = &result["rule"];
    let named = component(tool, &reference["toolComponent"]);
    let number = number(&reference["index"]).or_else(|| number(&result["ruleIndex"]));
    let is_it = |rule: &&Value| id.is_none_or(|id| lineage(id).any(|one| rule["id"] == one));
    let by_number = number.and_then(|number| named?["rules"].get(number)).filter(is_it);
    by_number.or_else(|| {
        let all: Vec<&Value> = named.into_iter().chain(components(tool)).collect();
        let rules = || all.iter().filter_map(|one| one["rules"].as_array()).flatten();
        lineage(id?).find_map(|one| rules().find(|rule| rule["id"] == one))
    })
}

/// An id and those above it: `X/1` may be told of the rule `X` (§3.27.5).
fn lineage(id: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(id), |id| id.rsplit_once('/').map(|(above, _)| above))
}

/// The part of a tool that a reference names (§3.54); the driver, where there is none.
fn component<'a>(tool: &'a Value, reference: &Value) -> Option<&'a Value> {
    if reference.is_null() {
        return Some(&tool["driver"]);
    }
    if let Some(number) = number(&reference["index"]) {
        return tool["extensions"].get(number);
    }
    let is_same = |one: &Value, key: &str| reference[key].is_string() && one[key] == reference[key];
    components(tool).find(|one| is_same(one, "guid") || is_same(one, "name"))
}

fn components(tool: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(&tool["driver"]).chain(tool["extensions"].as_array().into_iter().flatten())
}

/// An index; -1 is none.
fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

/// The worst of what is told. Trivy's scores are those of a vendor that may differ from its own
/// judgement, and its rules are those of the last package with a vulnerability; its message has what
/// its JSON has.
fn level(rule: Option<&Value>, result: &Value) -> Level {
    let of_rule = |key: &str| rule.map_or(&Value::Null, |rule| &rule[key]);
    let scored = score(&result["properties"]).or_else(|| score(of_rule("properties")));
    let tags = of_rule("properties")["tags"].as_array().into_iter().flatten();
    let tagged = tags.filter_map(|tag| Level::of(tag.as_str()?));
    let lines = result["message"]["text"].as_str().unwrap_or_default().lines();
    let said = lines.filter_map(|line| Level::of(line.strip_prefix("Severity: ")?.trim()));
    let usual = of_rule("defaultConfiguration")["level"].as_str();
    scored.into_iter().chain(tagged).chain(said).max().unwrap_or_else(|| {
        match (result["level"].as_str().or(usual), rule) {
            // What has no score may be as bad as its level can mean; what nobody knows, as anything.
            (Some("error"), _) | (None, None) => Level::Critical,
            (Some("warning"), _) | (None, Some(_)) => Level::Medium,
            (Some("note"), _) => Level::Low,
            (Some(_), _) => Level::Unknown,
        }
    })
}

/// By `security-severity`. Nothing and what is no number say nothing.
fn score(properties: &Value) -> Option<Level> {
    let score = match &properties["security-severity"] {
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    (score.is_finite() && score > 0.0).then(|| Level::of_score(score))
}
