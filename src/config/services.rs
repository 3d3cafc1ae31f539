//! What `redis`, `postgres`, `tls` and `dns` look at: an address alone, or a map with more.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, de};

use super::expectation::PredicateSpec;
use super::values::Secret;
use crate::decide::dns::Kind;

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

/// A PostgreSQL server, or one that speaks its protocol.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PostgresSpec {
    /// Its `host:port`.
    pub address: String,
    /// As whom to log in; without one, only whether it takes clients is looked at.
    pub user: Option<String>,
    /// The user's password; never shown.
    pub password: Option<Secret>,
    /// The database; the one with the user's name, if absent.
    pub database: Option<String>,
    /// Whether TLS is spoken; if absent, `require` beside `ca` or `client-cert`, else `prefer`.
    pub tls: Option<TlsMode>,
    /// A statement of SQL that is run in a read-only session; `jsonpath` finds `$.rows` and `$.value`.
    pub query: Option<String>,
    /// The number of tables, those of the system left out.
    pub tables: Option<Box<PredicateSpec>>,
    /// The version of the last migration by Flyway that succeeded.
    pub flyway: Option<String>,
    /// The revision of Alembic; several heads with commas between them, sorted.
    pub alembic: Option<String>,
}

impl From<String> for PostgresSpec {
    fn from(address: String) -> Self {
        Self { address, ..Self::default() }
    }
}

/// Whether a protocol that begins without TLS goes on by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Always, and the certificate is verified.
    Require,
    /// If the server can; the certificate is not verified.
    #[default]
    Prefer,
    /// Never.
    Disable,
}

/// Whoever answers by TLS.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TlsSpec {
    /// Its `host:port`.
    pub address: String,
    /// Whom the certificate must be for; the host, if absent.
    pub name: Option<String>,
    /// Its certificate is valid for so many days more; 14 if absent.
    pub days: Option<u32>,
}

impl From<String> for TlsSpec {
    fn from(address: String) -> Self {
        Self { address, ..Self::default() }
    }
}

/// A name that resolves.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DnsSpec {
    /// The name.
    pub name: String,
    /// The type of its records; an address of either kind, if absent.
    pub r#type: Option<Kind>,
    /// Which server is asked, as an address with or without a port; the system's, if absent.
    pub server: Option<String>,
}

impl From<String> for DnsSpec {
    fn from(name: String) -> Self {
        Self { name, ..Self::default() }
    }
}
