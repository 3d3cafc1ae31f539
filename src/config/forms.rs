//! `health: auto` and `exit-code: [0, 3]`: values that are written in two forms.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::values::NonEmpty;
use crate::decide::health::HealthOptions;

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
