//! What `redis` and its like look at: an address alone, or a map with more.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, de};

use super::values::Secret;

/// Something by its address alone, or by a map of which the address is a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Short<T>(pub T);

impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + From<String>> de::Visitor<'de> for Visitor<T> {
            type Value = Short<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address, or a map with it")
            }
            fn visit_str<E: de::Error>(self, address: &str) -> Result<Short<T>, E> {
                Ok(Short(T::from(address.to_owned())))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Short<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Short)
            }
        }
        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Short<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Short{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let map = generator.subschema_for::<T>();
        schemars::json_schema!({ "oneOf": [{ "type": "string" }, map] })
    }
}

/// A Redis server, or one that speaks its protocol.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RedisSpec {
    /// Its `host:port`.
    pub address: String,
    /// Whose password it is; the default user's, if absent.
    pub user: Option<String>,
    /// The password; never shown.
    pub password: Option<Secret>,
    /// Speak TLS.
    pub tls: Option<bool>,
    /// Ask for INFO as well, whose fields `jsonpath` finds by their names.
    pub info: Option<bool>,
}

impl From<String> for RedisSpec {
    fn from(address: String) -> Self {
        Self { address, ..Self::default() }
    }
}
