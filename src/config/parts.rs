//! `prometheus: true` and its like: questions about the body that are a word or a map.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::expectation::{MetricQuery, NamedQuery, PredicateSpec};
use crate::decide::expect::Expect;
use crate::decide::html::Place;
use crate::decide::metric::Selector;
use crate::decide::part::Part;
use crate::decide::predicate::Predicate;

/// `prometheus: true`, or a metric with predicates.
#[derive(Debug, Clone, Default)]
pub struct PrometheusSpec(Option<Box<MetricQuery>>);

impl PrometheusSpec {
    /// The expectation, checked.
    ///
    /// # Errors
    /// What is wrong with the selector or the predicates.
    pub(super) fn build(&self) -> Result<Expect, String> {
        let Some(query) = &self.0 else { return Ok(Expect::Part(Part::Samples, None)) };
        let wrong = |why| format!("prometheus: {why}");
        match (&query.metric, query.predicate()) {
            (None, Ok(_)) => Err(wrong("predicates need a `metric` to hold of".into())),
            (None, Err(_)) => Ok(Expect::Part(Part::Samples, None)),
            (Some(metric), predicate) => {
                let metric = Selector::parse(metric).map_err(wrong)?;
                Ok(Expect::Part(Part::Metric(metric), Some(predicate.map_err(wrong)?)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for PrometheusSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = PrometheusSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, or a map with `metric` and predicates")
            }
            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<PrometheusSpec, E> {
                if yes { Ok(PrometheusSpec(None)) } else { Err(no("prometheus")) }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<PrometheusSpec, A::Error> {
                MetricQuery::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|query| PrometheusSpec(Some(Box::new(query))))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `openapi: true`, or the version that the description follows.
#[derive(Debug, Clone)]
pub struct OpenapiSpec(Option<&'static str>);

impl OpenapiSpec {
    /// The expectation.
    pub(super) fn build(&self) -> Expect {
        let predicate = self.0.map(|version| Predicate::StartsWith(format!("{version}.")));
        Expect::Part(Part::OpenApi, predicate)
    }
}

impl<'de> Deserialize<'de> for OpenapiSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = OpenapiSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, or the version that is followed: \"3.0\" or \"3.1\"")
            }
            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<OpenapiSpec, E> {
                if yes { Ok(OpenapiSpec(None)) } else { Err(no("openapi")) }
            }
            fn visit_f64<E: de::Error>(self, version: f64) -> Result<OpenapiSpec, E> {
                self.visit_str(&format!("{version:.1}"))
            }
            fn visit_str<E: de::Error>(self, version: &str) -> Result<OpenapiSpec, E> {
                let known = ["3.0", "3.1"].into_iter().find(|known| *known == version);
                let wrong = || E::invalid_value(de::Unexpected::Str(version), &self);
                known.map(|known| OpenapiSpec(Some(known))).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for OpenapiSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Openapi".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": [true, "3.0", "3.1", 3.0, 3.1] })
    }
}

/// A text of an HTML page, with predicates on it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HtmlSpec {
    /// The page's title.
    Title(PredicateSpec),
    /// The first `h1`.
    Heading(PredicateSpec),
    /// All visible text, white space collapsed.
    Text(PredicateSpec),
    /// The content of the `meta` with this `name` or `property`.
    Meta(NamedQuery),
    /// The text of the element with this id.
    Id(NamedQuery),
}

impl HtmlSpec {
    /// The expectation, checked.
    ///
    /// # Errors
    /// What is wrong with the predicates.
    pub(super) fn build(&self) -> Result<Expect, String> {
        let (place, predicate) = match self {
            HtmlSpec::Title(spec) => (Place::Title, spec.predicate()),
            HtmlSpec::Heading(spec) => (Place::Heading, spec.predicate()),
            HtmlSpec::Text(spec) => (Place::Text, spec.predicate()),
            HtmlSpec::Meta(query) => (Place::Meta(query.name.clone()), query.predicate()),
            HtmlSpec::Id(query) => (Place::Id(query.name.clone()), query.predicate()),
        };
        let predicate = predicate.map_err(|why| format!("html: {why}"))?;
        Ok(Expect::Part(Part::Html(place), Some(predicate)))
    }
}

/// Of `false`, which asks for nothing.
fn no<E: de::Error>(key: &str) -> E {
    E::custom(format!("`{key}: false` would assert nothing; leave it out, or write {key}: true"))
}

#[cfg(test)]
impl schemars::JsonSchema for PrometheusSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Prometheus".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let query = generator.subschema_for::<MetricQuery>();
        schemars::json_schema!({ "oneOf": [{ "const": true }, query] })
    }
}

#[cfg(test)]
mod tests {
    use super::super::expectation::ExpectSpec;
    use crate::decide::expect::{Context, Expect};
    use crate::decide::observation::{HttpResponse, Observation};

    fn built(text: &str) -> Result<Expect, String> {
        let spec: ExpectSpec = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        spec.build()
    }

    /// What is asked and wanted.
    fn asked(text: &str) -> String {
        let nothing = Observation::Http(HttpResponse::default());
        let finding = built(text).unwrap().evaluate(&nothing, &Context::default());
        format!("{}: {}", finding.what, finding.wanted)
    }

    #[test]
    fn p6_parts_are_a_word_or_a_map_with_predicates() {
        for text in ["prometheus: true", "prometheus: {}"] {
            assert_eq!(asked(text), "prometheus: samples");
        }
        assert_eq!(
            asked("prometheus: { metric: 'hits{s=\"200\"}', gte: 1 }"),
            "prometheus hits{s=\"200\"}: ≥ 1"
        );
        assert_eq!(asked("html: { title: { contains: Shop } }"), "html title: contains \"Shop\"");
        assert_eq!(asked("html: { id: { name: app, exists: true } }"), "html id app: exists");
        assert_eq!(asked("openapi: true"), "openapi: a valid document");
        for text in ["openapi: 3.1", "openapi: '3.1'"] {
            assert_eq!(asked(text), "openapi: starts with \"3.1.\"");
        }
        for (text, part) in [
            ("openapi: 2.0", "3.0"),
            ("openapi: false", "would assert nothing"),
            ("openapi: []", "true, or the version"),
            ("html: { title: {} }", "no predicate"),
            ("html: { h1: { equals: x } }", "h1"),
            ("html: { title: { equals: x }, text: { equals: x } }", "html"),
            ("prometheus: false", "would assert nothing"),
            ("prometheus: yes please", "true, or a map"),
            ("prometheus: { gte: 1 }", "need a `metric`"),
            ("prometheus: { metric: up }", "no predicate"),
            ("prometheus: { metric: 'up{', gte: 1 }", "prometheus: `up{`"),
            ("prometheus: { metric: up, above: 1 }", "above"),
        ] {
            let why = built(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
