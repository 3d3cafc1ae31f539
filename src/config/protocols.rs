//! What is asked in protocols other than HTTP: an address as a text, or a map with more.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// Declares such a value once: the type, both of its forms, and its schema.
macro_rules! text_or_map {
    (
        $(#[$meta:meta])* $name:ident, $keys:ident, $expected:literal;
        $(#[$main_meta:meta])* $main:ident,
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $(#[$main_meta])* pub $main: String,
            $($(#[$field_meta])* pub $field: Option<$type>,)*
        }

        #[derive(Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        struct $keys {
            $(#[$main_meta])* $main: String,
            $($(#[$field_meta])* $field: Option<$type>,)*
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> de::Visitor<'de> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        Ok($name { $main: text.into(), ..$name::default() })
                    }
                    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        let map = de::value::MapAccessDeserializer::new(map);
                        let keys = $keys::deserialize(map)?;
                        Ok($name { $main: keys.$main, $($field: keys.$field,)* })
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let keys = generator.subschema_for::<$keys>();
                schemars::json_schema!({
                    "description": $expected,
                    "oneOf": [{ "type": "string" }, keys]
                })
            }
        }
    };
}

text_or_map! {
    /// A WebSocket (RFC 6455).
    WebsocketSpec, WebsocketKeys,
    "a ws:// or wss:// address, or a map with `url`, `subprotocol`, `send` and `until`";
    /// A `ws://` or `wss://` address.
    url,
    /// The subprotocol that must be agreed to.
    subprotocol: String,
    /// A text message, sent when the ping is answered; the first message that comes then is the answer.
    send: String,
    /// A text that the answer has in it; messages without it are passed over.
    until: String,
}

text_or_map! {
    /// An event stream (WHATWG HTML, "Server-sent events").
    SseSpec, SseKeys,
    "an http:// or https:// address, or a map with `url` and `event`";
    /// An `http://` or `https://` address.
    url,
    /// The type of the event to wait for; any if absent.
    event: String,
}

text_or_map! {
    /// A gRPC server, by its health service (grpc.health.v1).
    GrpcSpec, GrpcKeys,
    "a host:port, or a map with `address`, `service` and `tls`";
    /// A `host:port`.
    address,
    /// The service that is asked for; the whole server if absent.
    service: String,
    /// Whether to speak TLS; not if absent.
    tls: bool,
}
