//! What `container`, `unit` and `log` look at: containers of Docker and Podman, systemd's units,
//! and what they wrote.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::values::{NonEmpty, Period};

/// One container, or those of a Compose project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The name or id of one container; stands alone.
    pub name: Option<String>,
    /// A Compose project, whose containers are meant.
    pub project: Option<String>,
    /// Services of the project, each of which must have a container; all that there are, if empty.
    pub services: Vec<String>,
    /// So many containers of each service, all of them running; at least one, if absent.
    pub replicas: Option<u32>,
    /// Whose containers; whichever is installed, if absent, and Docker's if both are.
    pub engine: Option<Engine>,
    /// How often containers, by their ids, had been restarted when they were seen first, where a
    /// platform knows it: one more is a crash.
    pub restarts: BTreeMap<String, u32>,
}

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Engine {
    /// The program that speaks for it.
    pub fn program(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
        }
    }
}

impl ContainerSpec {
    /// One container by its name or id.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// What is meant, in words: `container shop-web-1`, `containers of web in shop`.
    pub fn show(&self) -> String {
        match (&self.name, &self.project) {
            (Some(name), _) => format!("container {name}"),
            (None, Some(project)) if self.services.is_empty() => {
                format!("containers of {project}")
            }
            (None, Some(project)) => {
                format!("containers of {} in {project}", self.services.join(", "))
            }
            (None, None) => "container".into(),
        }
    }

    /// What is wrong with it, if anything: names that no container can have are refused, since the
    /// engine would take them for something else.
    pub fn mistake(&self) -> Option<String> {
        match (&self.name, &self.project) {
            (Some(_), Some(_)) => {
                return Some("name and project stand side by side; keep one of them".into());
            }
            (None, None) => return Some("says not which; write a name or a project".into()),
            (Some(_), None) if !self.services.is_empty() || self.replicas.is_some() => {
                return Some("services and replicas need a project".into());
            }
            _ => {}
        }
        if self.replicas == Some(0) {
            return Some("replicas is 0; at least 1 is needed".into());
        }
        let mut names = self.name.iter().chain(&self.project).chain(&self.services);
        names.find(|name| !is_name(name)).map(|name| format!("`{name}` cannot be such a name"))
    }
}

/// Letters, digits, `_`, `.` and `-`, not at the beginning an `-`.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !name.starts_with('-') && !name.is_empty() && name.chars().all(plain)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerKeys {
    name: Option<String>,
    project: Option<String>,
    services: Option<NonEmpty<String>>,
    replicas: Option<u32>,
    engine: Option<Engine>,
}

impl<'de> Deserialize<'de> for ContainerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ContainerSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a container's name, or a map with `name` or `project`")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<ContainerSpec, E> {
                Ok(ContainerSpec::named(name))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ContainerSpec, A::Error> {
                let keys = ContainerKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ContainerSpec {
                    name: keys.name,
                    project: keys.project,
                    services: keys.services.map(|list| list.0).unwrap_or_default(),
                    replicas: keys.replicas,
                    engine: keys.engine,
                    restarts: BTreeMap::new(),
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for ContainerSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Container".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let engine = generator.subschema_for::<Engine>();
        schemars::json_schema!({
            "description": "a container's name or id, or the containers of a Compose project",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object", "additionalProperties": false,
                    "properties": {
                        "name": { "type": "string" },
                        "project": { "type": "string" },
                        "services": { "type": "array", "minItems": 1, "items": { "type": "string" } },
                        "replicas": { "type": "integer", "minimum": 1 },
                        "engine": engine
                    }
                }
            ]
        })
    }
}

/// The log of containers, of units, or in a file: exactly one of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LogSpec {
    /// Containers, each since its start.
    pub container: Option<ContainerSpec>,
    /// Units, each since its start.
    pub unit: Option<UnitSpec>,
    /// A file, all of it.
    pub file: Option<String>,
    /// Only the lines of a file that are not older than this, by the times that they begin with.
    pub last: Option<Period>,
    /// Regular expressions of lines that are errors; the usual ones if absent.
    pub errors: Option<NonEmpty<String>>,
    /// Regular expressions of lines that are no errors even so.
    pub except: Option<NonEmpty<String>>,
}

impl LogSpec {
    /// What is meant, in words: `log of container shop-web-1`.
    pub fn show(&self) -> String {
        let container = self.container.as_ref().map(ContainerSpec::show);
        let whose = container.or_else(|| self.unit.as_ref().map(UnitSpec::show));
        let whose = whose.or_else(|| self.file.clone());
        format!("log of {}", whose.unwrap_or_default())
    }

    /// What is wrong with it, if anything.
    pub fn mistake(&self) -> Option<String> {
        let named = [self.container.is_some(), self.unit.is_some(), self.file.is_some()];
        if named.iter().filter(|is_there| **is_there).count() != 1 {
            return Some("name exactly one of container, unit and file".into());
        }
        if self.last.is_some() && self.file.is_none() {
            return Some("last goes with a file; the others begin at their start".into());
        }
        let container = self.container.as_ref().and_then(ContainerSpec::mistake);
        container.or_else(|| self.unit.as_ref().and_then(UnitSpec::mistake))
    }
}

/// Units of systemd.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitSpec {
    /// Their names; a service's without its ending, too.
    pub names: Vec<String>,
    /// Of the caller's own manager instead of the system's.
    pub user: bool,
}

impl UnitSpec {
    /// One unit of the system's manager.
    pub fn named(name: &str) -> Self {
        Self { names: vec![name.into()], user: false }
    }

    /// What is meant, in words: `unit shop.service`.
    pub fn show(&self) -> String {
        let noun = if self.names.len() == 1 { "unit" } else { "units" };
        let user = if self.user { "user " } else { "" };
        format!("{user}{noun} {}", self.names.join(", "))
    }

    /// What is wrong with it, if anything: names that no unit can have, and patterns, which could
    /// match nothing.
    pub fn mistake(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ":_.@\\-".contains(c);
        let is_unit =
            |name: &String| !name.starts_with('-') && !name.is_empty() && name.chars().all(plain);
        if self.names.is_empty() {
            return Some("names no unit".into());
        }
        let wrong = self.names.iter().find(|name| !is_unit(name));
        wrong.map(|name| format!("`{name}` cannot be a unit's name"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitKeys {
    name: Names,
    user: Option<bool>,
}

/// A name, or a list of them.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of names")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.into()]))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for UnitSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = UnitSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a unit's name, or a map with `name`, which may be a list, and `user`")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<UnitSpec, E> {
                Ok(UnitSpec::named(name))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<UnitSpec, A::Error> {
                let keys = UnitKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(UnitSpec { names: keys.name.0, user: keys.user.unwrap_or_default() })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for UnitSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Unit".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = serde_json::json!({
            "type": "array", "minItems": 1, "items": { "type": "string" }
        });
        schemars::json_schema!({
            "description": "a systemd unit's name, or several of one manager",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object", "additionalProperties": false, "required": ["name"],
                    "properties": {
                        "name": { "oneOf": [{ "type": "string" }, names] },
                        "user": { "type": "boolean" }
                    }
                }
            ]
        })
    }
}
