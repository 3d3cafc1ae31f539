//! `health: auto`, `strategy: rolling` and `exit-code: [0, 3]`: values that are written in two forms.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::expectation::PredicateSpec;
use super::transaction::{BlueGreenSpec, RollingSpec, StrategySpec};
use super::values::NonEmpty;
use crate::decide::health::HealthOptions;
use crate::decide::predicate::Predicate;

/// `health: auto`, or with options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthSpec(pub HealthOptions);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct HealthKeys {
    critical: Option<NonEmpty<String>>,
    except_circuits: Option<NonEmpty<String>>,
}

impl<'de> Deserialize<'de> for HealthSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = HealthSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto`, or a map with `critical` and `except-circuits`")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<HealthSpec, E> {
                match word {
                    "auto" => Ok(HealthSpec::default()),
                    other => {
                        Err(E::custom(format!("`{other}` is no way to read health; write auto")))
                    }
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<HealthSpec, A::Error> {
                let keys = HealthKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let list = |list: Option<NonEmpty<String>>| list.map(|l| l.0).unwrap_or_default();
                Ok(HealthSpec(HealthOptions {
                    critical: list(keys.critical),
                    except_circuits: list(keys.except_circuits),
                }))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for HealthSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Health".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = serde_json::json!({
            "type": "array", "minItems": 1, "items": { "type": "string" }
        });
        schemars::json_schema!({
            "description": "read the body as a health document",
            "oneOf": [
                { "const": "auto" },
                {
                    "type": "object", "additionalProperties": false,
                    "properties": { "critical": names, "except-circuits": names }
                }
            ]
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StrategyKeys {
    rolling: Option<RollingSpec>,
    blue_green: Option<BlueGreenSpec>,
}

impl<'de> Deserialize<'de> for StrategySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = StrategySpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`rolling`, or a map with `rolling` or `blue-green`")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<StrategySpec, E> {
                match word {
                    "rolling" => Ok(StrategySpec::Rolling(RollingSpec::default())),
                    "blue-green" => Err(E::custom(
                        "blue-green needs slots; write \
                         `blue-green: { slots: { blue: 8001, green: 8002 } }`",
                    )),
                    other => Err(E::unknown_variant(other, &["rolling", "blue-green"])),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<StrategySpec, A::Error> {
                let keys = StrategyKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match (keys.rolling, keys.blue_green) {
                    (Some(rolling), None) => Ok(StrategySpec::Rolling(rolling)),
                    (None, Some(blue_green)) => Ok(StrategySpec::BlueGreen(blue_green)),
                    (Some(_), Some(_)) => Err(de::Error::custom(
                        "rolling and blue-green stand side by side; keep one of them",
                    )),
                    (None, None) => Err(de::Error::custom(
                        "the map is empty; write `rolling` or `blue-green` into it",
                    )),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for StrategySpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StrategySpec".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let map = |key: &str, of: schemars::Schema| {
            serde_json::json!({
                "type": "object", "additionalProperties": false,
                "properties": { key: of }, "required": [key]
            })
        };
        let rolling = map("rolling", generator.subschema_for::<RollingSpec>());
        let blue_green = map("blue-green", generator.subschema_for::<BlueGreenSpec>());
        schemars::json_schema!({
            "description": "how a release takes the place of another one",
            "oneOf": [{ "const": "rolling" }, rolling, blue_green]
        })
    }
}

/// A number of a condition, or predicates on it.
#[derive(Debug, Clone)]
pub enum CountSpec {
    /// Exactly so many.
    Exactly(u64),
    /// Predicates on the number.
    Where(Box<PredicateSpec>),
}

impl CountSpec {
    pub(super) fn predicate(&self) -> Result<Predicate, String> {
        let inner = match self {
            CountSpec::Exactly(count) => Predicate::Equals((*count).into()),
            CountSpec::Where(spec) => spec.predicate()?,
        };
        Ok(Predicate::Count(Box::new(inner)))
    }
}

impl<'de> Deserialize<'de> for CountSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = CountSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or predicates on it like { gte: 10 }")
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<CountSpec, E> {
                Ok(CountSpec::Exactly(count))
            }
            // In quotes stands what comes from a variable.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CountSpec, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Str(text), &self);
                text.parse().map(CountSpec::Exactly).map_err(wrong)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<CountSpec, A::Error> {
                PredicateSpec::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|spec| CountSpec::Where(Box::new(spec)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for CountSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let spec = generator.subschema_for::<PredicateSpec>();
        schemars::json_schema!({ "oneOf": [{ "type": "integer", "minimum": 0 }, spec] })
    }
}

/// A number, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "is neither an exit code, like 0, nor a list of them")]
pub enum OneOrMany {
    /// One.
    One(i32),
    /// Several.
    Many(Vec<i32>),
}
