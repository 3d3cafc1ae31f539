//! `expect`, `fail-fast`, `warn`, `capture`: queries and predicates as YAML maps.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::forms::{CountSpec, HealthSpec, OneOrMany};
use super::parts::{HtmlSpec, OpenapiSpec, PrometheusSpec};
use super::values::{NonEmpty, Period};
use crate::decide::expect::Expect;
use crate::decide::jsonpath::{self, JsonPath};
use crate::decide::judge::Capture;
use crate::decide::predicate::{Comparison, JsonType, Predicate};
use crate::decide::source::Source;
use crate::decide::status_set::StatusSet;
use crate::decide::template::{Template, is_name};
use crate::report::mask::is_secret_name;

/// A struct with its own keys, and all predicates beside them.
macro_rules! query {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// The value equals this one; numbers compare as numbers.
            #[serde(default, deserialize_with = "present")]
            pub equals: Option<Value>,
            /// The value is one of these.
            pub r#in: Option<NonEmpty<Value>>,
            /// A text contains this text, or a list this element.
            #[serde(default, deserialize_with = "present")]
            pub contains: Option<Value>,
            /// A text starts with this.
            pub starts_with: Option<String>,
            /// A text ends with this.
            pub ends_with: Option<String>,
            /// A regular expression is found in the text.
            pub matches: Option<String>,
            /// The value is there (true) or is not (false).
            pub exists: Option<bool>,
            /// The number of elements: a number, or predicates on it.
            pub count: Option<CountSpec>,
            /// Less than.
            pub lt: Option<f64>,
            /// Less than or equal.
            pub lte: Option<f64>,
            /// Greater than.
            pub gt: Option<f64>,
            /// Greater than or equal.
            pub gte: Option<f64>,
            /// The JSON type.
            pub is_type: Option<JsonType>,
            /// These predicates do not hold.
            pub not: Option<Box<PredicateSpec>>,
            /// At least one of these holds.
            pub any_of: Option<NonEmpty<PredicateSpec>>,
            /// All of these hold.
            pub all_of: Option<NonEmpty<PredicateSpec>>,
        }

        impl $name {
            /// All predicates of the map together, which must all hold; none is an error.
            ///
            /// # Errors
            /// What is wrong with one of them, or that there is none.
            pub fn predicate(&self) -> Result<Predicate, String> {
                let compare = |comparison, limit: Option<f64>| {
                    limit.map(|limit| match limit.is_finite() {
                        true => Ok(Predicate::Compare(comparison, limit)),
                        false => Err(format!("{limit} is no limit; write a number")),
                    })
                };
                together([
                    self.equals.clone().map(|value| Ok(Predicate::Equals(value))),
                    self.r#in.clone().map(|list| Ok(Predicate::In(list.0))),
                    self.contains.clone().map(|value| match value.as_str() {
                        Some(text) => Ok(Predicate::Contains(said("contains", text)?.into())),
                        None => Ok(Predicate::Contains(value)),
                    }),
                    self.starts_with.as_deref().map(|text| Ok(Predicate::StartsWith(said("starts-with", text)?))),
                    self.ends_with.as_deref().map(|text| Ok(Predicate::EndsWith(said("ends-with", text)?))),
                    self.matches.as_deref().map(regex),
                    self.exists.map(|wanted| Ok(Predicate::Exists(wanted))),
                    self.count.as_ref().map(CountSpec::predicate),
                    compare(Comparison::Lt, self.lt),
                    compare(Comparison::Lte, self.lte),
                    compare(Comparison::Gt, self.gt),
                    compare(Comparison::Gte, self.gte),
                    self.is_type.map(|wanted| Ok(Predicate::IsType(wanted))),
                    self.not.as_ref().map(|p| Ok(Predicate::Not(Box::new(p.predicate()?)))),
                    self.any_of.as_ref().map(|all| Ok(Predicate::Any(each(all)?))),
                    self.all_of.as_ref().map(|all| Ok(Predicate::All(each(all)?))),
                ])
            }
        }
    };
}

query! {
    /// Predicates alone, inside `not`, `any-of`, `all-of` and `count`.
    PredicateSpec {}
}
query! {
    /// The value of something that has a name.
    NamedQuery {
        /// Its name: of a header or `meta` compared without case, of an element its id.
        name: String,
    }
}
query! {
    /// What an RFC 9535 path selects.
    JsonPathQuery {
        /// The path: `$.services[?@.critical].status`.
        path: String,
    }
}

query! {
    /// Samples of a Prometheus page.
    MetricQuery {
        /// The metric's name, with labels where it has several samples: `up{job="shop"}`.
        metric: Option<String>,
    }
}

/// One expectation: a map of one key.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ExpectSpec {
    /// The HTTP status: 200, 2xx, or a list of them.
    Status(StatusSet),
    /// A header's value.
    Header(NamedQuery),
    /// The body as text.
    Body(PredicateSpec),
    /// A program's standard output as text.
    Stdout(PredicateSpec),
    /// A program's standard error as text.
    Stderr(PredicateSpec),
    /// What a path selects in the JSON body, or in a program's output.
    Jsonpath(JsonPathQuery),
    /// The body is a Prometheus page with samples, and so are those of a metric.
    Prometheus(PrometheusSpec),
    /// The body is a valid OpenAPI description, of any version or of this one.
    Openapi(OpenapiSpec),
    /// A text of an HTML page.
    Html(HtmlSpec),
    /// The time of the attempt: `{ lt: 1s }`.
    Duration(DurationBounds),
    /// The number of redirects that were followed.
    Redirects(u32),
    /// The version that answers is the one being deployed, or the one given here.
    Version(VersionSpec),
    /// The body is a health document and all is well.
    Health(HealthSpec),
    /// A program's exit code, or a list of accepted ones.
    ExitCode(OneOrMany),
    /// At least one of these expectations holds.
    AnyOf(NonEmpty<ExpectSpec>),
    /// All of these expectations hold.
    AllOf(NonEmpty<ExpectSpec>),
    /// This expectation does not hold; what could not be read is no "no".
    Not(Box<ExpectSpec>),
}

/// Comparisons on a duration.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DurationBounds {
    /// Less than.
    pub lt: Option<Period>,
    /// Less than or equal.
    pub lte: Option<Period>,
    /// Greater than.
    pub gt: Option<Period>,
    /// Greater than or equal.
    pub gte: Option<Period>,
}

/// Where the version stands; the wanted one is the one being deployed unless `equals` says another.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VersionSpec {
    /// A path in the JSON body.
    pub jsonpath: Option<String>,
    /// A header.
    pub header: Option<String>,
    /// The whole body (or standard output) is the version.
    pub body: Option<bool>,
    /// The wanted version; `{{name}}` takes one that another check captured.
    pub equals: Option<String>,
}

/// A text to keep for later checks, used there as `{{name}}`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CaptureSpec {
    /// A path in the JSON body that selects one text, number or boolean.
    pub jsonpath: Option<String>,
    /// A header.
    pub header: Option<String>,
    /// The whole body (or standard output).
    pub body: Option<bool>,
    /// Never show it.
    #[serde(default)]
    pub secret: bool,
}

impl ExpectSpec {
    /// The expectation, checked.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn build(&self) -> Result<Expect, String> {
        let each = |all: &NonEmpty<ExpectSpec>| {
            all.0.iter().map(ExpectSpec::build).collect::<Result<Vec<_>, _>>()
        };
        Ok(match self {
            ExpectSpec::AnyOf(all) => Expect::Any(each(all)?),
            ExpectSpec::AllOf(all) => Expect::All(each(all)?),
            ExpectSpec::Not(inner) => Expect::Not(Box::new(inner.build()?)),
            ExpectSpec::Status(set) => Expect::Status(set.clone()),
            ExpectSpec::Header(query) => Expect::Header(query.name.clone(), query.predicate()?),
            ExpectSpec::Body(spec) | ExpectSpec::Stdout(spec) => Expect::Body(spec.predicate()?),
            ExpectSpec::Stderr(spec) => Expect::Stderr(spec.predicate()?),
            ExpectSpec::Jsonpath(query) => Expect::JsonPath(path(&query.path)?, query.predicate()?),
            ExpectSpec::Prometheus(spec) => spec.build()?,
            ExpectSpec::Html(spec) => spec.build()?,
            ExpectSpec::Openapi(spec) => spec.build(),
            ExpectSpec::Duration(bounds) => Expect::Duration(bounds.build()?),
            ExpectSpec::Redirects(count) => Expect::Redirects(Predicate::Equals((*count).into())),
            ExpectSpec::Version(spec) => Expect::Version(
                source(spec.jsonpath.as_deref(), spec.header.as_deref(), spec.body)?,
                spec.equals.as_deref().map(Template::new),
            ),
            ExpectSpec::Health(spec) => Expect::Health(spec.0.clone()),
            ExpectSpec::ExitCode(OneOrMany::One(code)) => {
                Expect::ExitCode(Predicate::Equals((*code).into()))
            }
            ExpectSpec::ExitCode(OneOrMany::Many(codes)) if codes.is_empty() => {
                return Err("exit-code: the list is empty and would accept nothing".into());
            }
            ExpectSpec::ExitCode(OneOrMany::Many(codes)) => {
                Expect::ExitCode(Predicate::In(codes.iter().map(|code| (*code).into()).collect()))
            }
        })
    }
}

impl DurationBounds {
    fn build(&self) -> Result<Vec<(Comparison, std::time::Duration)>, String> {
        let all = [
            (Comparison::Lt, self.lt),
            (Comparison::Lte, self.lte),
            (Comparison::Gt, self.gt),
            (Comparison::Gte, self.gte),
        ];
        let given: Vec<_> = all.into_iter().filter_map(|(b, p)| Some((b, p?.0))).collect();
        if given.is_empty() {
            return Err("duration has no bound; write { lt: 1s }".into());
        }
        Ok(given)
    }
}

/// The captures of a check, by name.
///
/// # Errors
/// What is wrong with one of them.
pub fn captures(specs: &BTreeMap<String, CaptureSpec>) -> Result<Vec<Capture>, String> {
    let build = |(name, spec): (&String, &CaptureSpec)| {
        if !is_name(name) {
            return Err(format!("capture `{name}`: a name has letters, digits, _ and - only"));
        }
        let source = source(spec.jsonpath.as_deref(), spec.header.as_deref(), spec.body)
            .map_err(|why| format!("capture `{name}`: {why}"))?;
        let told = is_secret_name(name) || spec.header.as_deref().is_some_and(is_secret_name);
        Ok(Capture { name: name.clone(), source, secret: spec.secret || told })
    };
    specs.iter().map(build).collect()
}

fn source(
    jsonpath: Option<&str>,
    header: Option<&str>,
    body: Option<bool>,
) -> Result<Source, String> {
    match (jsonpath, header, body) {
        (Some(text), None, None) => Ok(Source::JsonPath(path(text)?)),
        (None, Some(name), None) => Ok(Source::Header(name.into())),
        (None, None, Some(true)) => Ok(Source::Body),
        _ => Err("say where it stands by one of jsonpath, header, `body: true`".into()),
    }
}

fn path(text: &str) -> Result<Box<JsonPath>, String> {
    jsonpath::parse(text).map(Box::new)
}

/// A text that is looked for: every text has an empty one.
fn said(key: &str, text: &str) -> Result<String, String> {
    match text {
        "" => {
            Err(format!("{key} has an empty text, which everything has; write what is looked for"))
        }
        text => Ok(text.into()),
    }
}

fn regex(text: &str) -> Result<Predicate, String> {
    Regex::new(&said("matches", text)?)
        .map(Predicate::Matches)
        .map_err(|error| format!("`{text}` is not a regular expression: {error}"))
}

fn each(all: &NonEmpty<PredicateSpec>) -> Result<Vec<Predicate>, String> {
    all.0.iter().map(PredicateSpec::predicate).collect()
}

fn together<const N: usize>(
    all: [Option<Result<Predicate, String>>; N],
) -> Result<Predicate, String> {
    let mut given: Vec<Predicate> = all.into_iter().flatten().collect::<Result<_, _>>()?;
    match given.len() {
        0 => Err("there is no predicate, so nothing would be asserted; add one like equals, \
                  contains, matches, exists, count, lt, gte"
            .into()),
        1 => Ok(given.remove(0)),
        _ => Ok(Predicate::All(given)),
    }
}

/// Keeps a given `null` apart from a key that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_an_empty_text_is_not_looked_for() {
        for key in ["contains", "starts-with", "ends-with", "matches"] {
            for text in ["", "x"] {
                let spec = serde_json::json!({ "not": { key: text } });
                let spec: PredicateSpec = serde_json::from_value(spec).unwrap();
                let why = spec.predicate().err().unwrap_or_default();
                assert_eq!(why.contains("empty text"), text.is_empty(), "{key} {text:?}: {why}");
            }
        }
    }
}
