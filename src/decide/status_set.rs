//! A set of acceptable HTTP status codes: `200`, `[200, 204]`, `2xx`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// One accepted status or class of statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMatch {
    /// Exactly this code, 100 to 599.
    Exact(u16),
    /// A class, written `2xx`: its first digit.
    Class(u16),
}

/// The accepted statuses; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<StatusMatch>);

impl StatusSet {
    /// Any 2xx: what a check expects when it says nothing.
    pub fn success() -> Self {
        Self(vec![StatusMatch::Class(2)])
    }

    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|accepted| match accepted {
            StatusMatch::Exact(code) => *code == status,
            StatusMatch::Class(class) => status / 100 == *class,
        })
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, accepted) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match accepted {
                StatusMatch::Exact(code) => write!(f, "{code}")?,
                StatusMatch::Class(class) => write!(f, "{class}xx")?,
            }
        }
        Ok(())
    }
}

const WANTED: &str = "write a status like 200, a class like 2xx, or a list of them";

impl FromStr for StatusMatch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            return match class.parse() {
                Ok(class @ 1..=5) => Ok(StatusMatch::Class(class)),
                _ => Err(format!("`{text}` is not a class of HTTP statuses; {WANTED}")),
            };
        }
        match text.parse() {
            Ok(code @ 100..=599) => Ok(StatusMatch::Exact(code)),
            _ => Err(format!("`{text}` is not an HTTP status; {WANTED}")),
        }
    }
}

impl FromStr for StatusSet {
    type Err = String;

    /// Reads a comma-separated list, as flags and inputs have it.
    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::parse).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = StatusSet;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status (200), a class (2xx) or a list of them")
            }
            fn visit_u64<E: de::Error>(self, code: u64) -> Result<StatusSet, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_i64<E: de::Error>(self, code: i64) -> Result<StatusSet, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusSet, E> {
                text.parse().map(|one| StatusSet(vec![one])).map_err(E::custom)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<StatusSet, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element::<StatusSet>()? {
                    all.extend(one.0);
                }
                if all.is_empty() {
                    return Err(de::Error::custom(format!(
                        "the list of statuses is empty and would accept nothing; {WANTED}"
                    )));
                }
                Ok(StatusSet(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for StatusSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusSet".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = serde_json::json!({
            "oneOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^([1-5][xX][xX]|[1-5][0-9][0-9])$" }
            ]
        });
        schemars::json_schema!({
            "description": "a status (200), a class (2xx) or a list of them",
            "oneOf": [one, { "type": "array", "minItems": 1, "items": one }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_forms() {
        for (text, yes, no) in
            [("200", 200, 201), ("2xx", 299, 300), ("200,404", 404, 500), ("2xx, 301", 301, 302)]
        {
            let set: StatusSet = text.parse().unwrap();
            assert!(set.contains(yes) && !set.contains(no), "{text}");
        }
        let list: StatusSet = serde_json::from_str(r#"[200, "3xx"]"#).unwrap();
        assert_eq!(list.to_string(), "200, 3xx");
    }

    #[test]
    fn refuses_what_is_no_status() {
        for text in ["20", "600", "9xx", "", "ok", "200 204", "-200", "xx"] {
            assert!(text.parse::<StatusSet>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<StatusSet>("[]").unwrap_err().to_string().contains("empty"));
    }
}
