//! Parts of a body that no JSON path selects: samples of a Prometheus page, texts of an
//! HTML page, and whether it is an OpenAPI description.

use serde_json::{Number, Value};

use super::exposition;
use super::html::{self, Place};
use super::metric::Selector;
use super::observation::HttpResponse;
use super::openapi;
use super::predicate::{Predicate, Scope};
use super::seen::{Seen, quote, select};

/// What of a body is asked for.
#[derive(Debug, Clone)]
pub enum Part {
    /// The number of samples of a Prometheus page; one without any is none.
    Samples,
    /// The values of these samples of a Prometheus page.
    Metric(Selector),
    /// A text of an HTML page.
    Html(Place),
    /// The version of the specification that an OpenAPI description follows.
    OpenApi,
}

impl Part {
    /// Looks for it. A body that is not what it must be is unreadable.
    pub(super) fn look(&self, response: &HttpResponse, predicate: Option<&Predicate>) -> Seen {
        let seen = match self {
            Part::Samples => samples(response),
            Part::Metric(selector) => metric(selector, response, predicate),
            Part::Html(place) => text_at(place, response),
            Part::OpenApi => described(response),
        };
        seen.unwrap_or_else(Seen::Unreadable)
    }

    /// The query in words.
    pub(super) fn what(&self) -> String {
        match self {
            Part::Samples => "prometheus".into(),
            Part::Metric(selector) => format!("prometheus {selector}"),
            Part::Html(place) => format!("html {}", place.words()),
            Part::OpenApi => "openapi".into(),
        }
    }

    /// What is wanted where no predicate says it.
    pub(super) fn usual(&self) -> &'static str {
        match self {
            Part::Samples => "samples",
            Part::Metric(_) => "a sample",
            Part::Html(_) => "a text",
            Part::OpenApi => "a valid document",
        }
    }
}

fn samples(response: &HttpResponse) -> Result<Seen, String> {
    let mut count = 0_u64;
    page(response, &mut |_| count += 1)?;
    match count {
        0 => Err("the page has no samples".into()),
        1 => Ok(Seen::Value(1.into(), "1 sample".into())),
        count => Ok(Seen::Value(count.into(), format!("{count} samples"))),
    }
}

fn metric(
    selector: &Selector,
    response: &HttpResponse,
    predicate: Option<&Predicate>,
) -> Result<Seen, String> {
    let mut found = Vec::new();
    page(response, &mut |sample| {
        if selector.selects(&sample) {
            found.push(sample.value);
        }
    })?;
    let Some(predicate) = predicate else { return Err("there is no predicate on it".into()) };
    let compares = predicate.compares();
    let values: Vec<Value> = found.iter().map(|value| json(*value)).collect();
    match found.as_slice() {
        // A comparison of what cannot be compared must not become a pass by `not`.
        [value] if compares && value.is_nan() => Err("NaN, which compares with nothing".into()),
        [value] if value.is_infinite() => {
            let sign = if *value > 0.0 { "+Inf" } else { "-Inf" };
            Ok(Seen::Value(json(*value), sign.into()))
        }
        [_, _, ..] if predicate.means_one() => Err(format!(
            "{} samples, {}, of which none is meant alone; choose one by its labels",
            found.len(),
            Value::from(values)
        )),
        _ => select(predicate, Ok(values)),
    }
}

fn text_at(place: &Place, response: &HttpResponse) -> Result<Seen, String> {
    let kind = response.header("content-type").unwrap_or("text/html").trim();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(essence.as_str(), "text/html" | "application/xhtml+xml") {
        return Err(format!("the body is {kind}, not HTML"));
    }
    response.whole()?;
    let (page, is_whole) = response.text()?;
    Ok(match html::find(&page, place) {
        Some(text) => {
            let shown = quote(&text);
            let scope = if is_whole { Scope::Whole } else { Scope::Part };
            Seen::Scoped(text.into(), shown, scope)
        }
        None => Seen::Missing("not there".into()),
    })
}

fn described(response: &HttpResponse) -> Result<Seen, String> {
    let version = openapi::check(&response.json()?)?;
    let shown = format!("OpenAPI {version}");
    Ok(Seen::Value(version.into(), shown))
}

/// Reads the page whatever its content type, but for `OpenMetrics`' end.
fn page<'a>(
    response: &'a HttpResponse,
    each: &mut dyn FnMut(exposition::Sample<'a>),
) -> Result<(), String> {
    let body = std::str::from_utf8(response.whole()?)
        .map_err(|error| format!("the body is not UTF-8: {error}"))?;
    let kind = response.header("content-type").unwrap_or_default();
    let is_open =
        kind.trim_start().to_ascii_lowercase().starts_with("application/openmetrics-text");
    exposition::read(body, is_open, each)
        .map_err(|why| format!("the body is no Prometheus page: {why}"))
}

/// A value as JSON: whole numbers without a fraction, an infinite one as the largest there is, and
/// `NaN` as a text.
fn json(value: f64) -> Value {
    /// Whole numbers up to here are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Value::from(value as i64);
    }
    let finite = value.clamp(f64::MIN, f64::MAX);
    Number::from_f64(finite).map_or_else(|| Value::from("NaN"), Value::Number)
}

#[cfg(test)]
#[path = "part_tests.rs"]
mod tests;
