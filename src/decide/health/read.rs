//! Reading a health document of any shape.

use serde_json::{Map, Value};

use super::circuits::names_circuits;
use super::{Component, Condition, HealthDocument};
use crate::decide::words::shorten;

/// Characters of a name that are kept.
const LONGEST: usize = 200;
/// Keys whose text is a word for how something is.
const WORDS: [&str; 3] = ["status", "state", "health"];
/// Keys that say with a truth value whether something is as it should be.
const FLAGS: [&str; 5] = ["ready", "alive", "healthy", "ok", "running"];
/// The same, where another type may mean something else: `available: 10GB`, `up: 3 days`.
const LOOSE_FLAGS: [&str; 7] =
    ["available", "connected", "reachable", "online", "operational", "live", "up"];
/// Keys under which a part has its circuit.
const CIRCUIT: [&str; 4] = ["circuit_state", "circuitState", "circuit_breaker", "circuitBreaker"];
/// Keys that hold parts by name, or a list of them.
const PARTS: [&str; 7] =
    ["checks", "components", "services", "dependencies", "entries", "results", "workers"];

impl HealthDocument {
    /// Reads a document. Keys that mean nothing here are passed over.
    pub fn read(document: &Value) -> HealthDocument {
        let mut read = HealthDocument::default();
        match document {
            Value::Object(map) => read.read_object(map),
            Value::String(word) => read.overall = Some(Condition::of_word(word)),
            _ => {}
        }
        read
    }

    fn read_object(&mut self, map: &Map<String, Value>) {
        for (key, value) in map {
            match (key.as_str(), value) {
                ("aiAvailability", engine) => self.components.push(engine_component(engine)),
                (key, value) if names_circuits(key) => self.read_circuits(key, value),
                (key, Value::Object(parts)) if PARTS.contains(&key) => self.read_parts(key, parts),
                ("details", Value::Object(parts)) => self.read_details("", parts),
                (key, Value::Array(list)) => self.read_list(key, list),
                (name, Value::Object(part)) if says(part) => {
                    self.read_component(name, value);
                }
                // Of another type these may be of another matter: `state: 3`.
                ("state" | "health", Value::Number(_) | Value::Null) => {}
                (key, value) => {
                    let said = if WORDS.contains(&key) { word(value) } else { flag(key, value) };
                    said.into_iter().for_each(|said| worsen(&mut self.overall, said));
                }
            }
        }
    }

    fn read_parts(&mut self, key: &str, parts: &Map<String, Value>) {
        let before = self.components.len();
        if key == "workers" && parts.get("running").is_some_and(Value::is_boolean) {
            self.read_component(key, &Value::Object(parts.clone()));
        } else {
            parts.iter().for_each(|(name, part)| self.read_component(name, part));
        }
        self.mark_workers(key, before);
    }

    fn mark_workers(&mut self, key: &str, before: usize) {
        if key == "workers" {
            self.components[before..].iter_mut().for_each(|part| part.is_worker = true);
        }
    }

    fn read_list(&mut self, key: &str, list: &[Value]) {
        let before = self.components.len();
        for (at, entry) in list.iter().enumerate() {
            let Value::Object(map) = entry else { continue };
            let name = text(map, &["name", "id", "service", "component"]);
            if PARTS.contains(&key) || name.is_some() && says(map) {
                let name = name.map_or_else(|| format!("{key}[{at}]"), str::to_owned);
                self.read_component(&name, entry);
            }
        }
        self.mark_workers(key, before);
    }

    /// Spring's details of a part: parts of their own next to plain facts.
    fn read_details(&mut self, name: &str, details: &Map<String, Value>) {
        for (inner, part) in details {
            let says = |part: &Map<_, _>| says(part) || part.contains_key("details");
            if names_circuits(inner) || part.as_object().is_some_and(says) {
                self.read_component(&join(name, inner), part);
            }
        }
    }

    fn read_component(&mut self, name: &str, part: &Value) {
        // Each of its parts and measurements has it again.
        let name = &*shorten(name, LONGEST);
        match part {
            Value::String(_) | Value::Bool(_) => self.push(name, word(part), part),
            // The IETF draft has a list of measurements for each name.
            Value::Array(measurements) if !measurements.is_empty() => {
                measurements.iter().for_each(|one| self.read_component(name, one));
            }
            Value::Object(map) => self.read_component_map(name, map, part),
            _ => self.push(name, None, part),
        }
    }

    fn read_component_map(&mut self, name: &str, map: &Map<String, Value>, part: &Value) {
        for circuit in circuits_of(map) {
            self.read_circuit(name, circuit);
        }
        let said = own_word(map);
        let last = name.rsplit('.').next().unwrap_or(name);
        if names_circuits(last) {
            let inner = map.iter().filter(|(key, _)| said.is_none() || !WORDS.contains(&&***key));
            let inner = inner.map(|(key, value)| (key.clone(), value.clone())).collect();
            self.read_circuits(name, &Value::Object(inner));
            if said.is_some() {
                self.push(name, said, part);
            }
            return;
        }
        let before = self.components.len();
        for (key, nested) in map {
            match nested {
                Value::Object(nested) if PARTS.contains(&&**key) => nested
                    .iter()
                    .for_each(|(inner, part)| self.read_component(&join(name, inner), part)),
                Value::Object(nested) if key == "details" => self.read_details(name, nested),
                _ => {}
            }
        }
        // Who has no word of its own is as its worst part.
        let said = said.or_else(|| {
            let mut worst = None;
            let parts = self.components[before..].iter();
            parts.for_each(|part| worsen(&mut worst, part.condition.clone()));
            worst
        });
        if said.is_none() && !map.contains_key("critical") && circuits_of(map).next().is_some() {
            return;
        }
        self.push(name, said, part);
        if let Some(part) = self.components.last_mut() {
            part.is_worker = map.contains_key("running");
        }
    }

    fn push(&mut self, name: &str, said: Option<Condition>, part: &Value) {
        let message = ["message", "output", "error"].iter().find_map(|key| part.get(key)?.as_str());
        let critical = part.get("critical").and_then(|mark| match mark {
            Value::String(word) => Some(word.trim().eq_ignore_ascii_case("true")),
            mark => mark.as_bool(),
        });
        self.components.push(Component {
            name: name.into(),
            condition: said.unwrap_or_else(|| Condition::Unknown(String::new())),
            critical,
            is_worker: false,
            message: message.map(str::to_owned),
        });
    }
}

fn circuits_of(part: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    CIRCUIT.iter().filter_map(|key| part.get(*key)).filter(|circuit| !circuit.is_null())
}

/// Whether a part says anything of how it is.
fn says(part: &Map<String, Value>) -> bool {
    own_word(part).is_some() || circuits_of(part).next().is_some()
}

/// What a part says of itself: the first of its words, made worse by what else it says.
fn own_word(map: &Map<String, Value>) -> Option<Condition> {
    let mut said = None;
    for value in WORDS.iter().filter_map(|key| map.get(*key)) {
        match (&said, word(value)) {
            // A second word may be of another matter: `state: 3`, `state: leader`.
            (Some(_), Some(Condition::Unknown(_))) | (_, None) => {}
            (_, Some(word)) => worsen(&mut said, word),
        }
    }
    for (key, value) in map {
        flag(key, value).into_iter().for_each(|flag| worsen(&mut said, flag));
    }
    said
}

/// The condition under a key for words. Maps and lists are not words, and a status of 2xx is HTTP's.
fn word(value: &Value) -> Option<Condition> {
    match value {
        Value::String(word) => Some(Condition::of_word(&shorten(word, LONGEST))),
        Value::Bool(yes) => Some(of_flag(*yes)),
        Value::Number(status) if (200..300).contains(&status.as_u64().unwrap_or(0)) => None,
        Value::Number(_) | Value::Null => Some(Condition::Unknown(value.to_string())),
        _ => None,
    }
}

/// The condition under a key for truth values; another type is never a yes. A number but zero may
/// count something.
fn flag(key: &str, value: &Value) -> Option<Condition> {
    let is_strict = FLAGS.contains(&key);
    let unknown = || Condition::Unknown(shorten(&format!("{key}: {value}"), LONGEST));
    match value {
        Value::Bool(yes) if is_strict || LOOSE_FLAGS.contains(&key) => Some(of_flag(*yes)),
        Value::String(_) | Value::Null if is_strict => Some(unknown()),
        Value::Number(number) if is_strict && number.as_f64() == Some(0.0) => Some(unknown()),
        _ => None,
    }
}

fn of_flag(yes: bool) -> Condition {
    if yes { Condition::Healthy } else { Condition::Unhealthy }
}

/// Two words for the same: the worse one counts.
fn worsen(before: &mut Option<Condition>, said: Condition) {
    let rank = |condition: &Condition| match condition {
        Condition::Healthy => 0,
        Condition::Degraded => 1,
        Condition::Unknown(_) => 2,
        Condition::Unhealthy => 3,
    };
    if before.as_ref().is_none_or(|before| rank(&said) > rank(before)) {
        *before = Some(said);
    }
}

fn join(name: &str, inner: &str) -> String {
    if name.is_empty() { inner.into() } else { format!("{name}.{inner}") }
}

/// The lazily started engine: `None` is not ready; on its way is degraded; `ENABLED` is healthy.
fn engine_component(value: &Value) -> Component {
    let word = value.as_str().unwrap_or("None");
    let condition = match word.to_ascii_uppercase().as_str() {
        "NONE" | "DISABLED" | "FAILED" => Condition::Unhealthy,
        "DOWNLOADING" | "CONVERTING" => Condition::Degraded,
        "ENABLED" => Condition::Healthy,
        _ => Condition::Unknown(word.into()),
    };
    let (name, critical) = ("aiAvailability".into(), Some(true));
    let message = Some(format!("the engine is {word}"));
    Component { name, condition, critical, is_worker: false, message }
}

pub(super) fn text<'a>(map: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| map.get(*key)?.as_str())
}
