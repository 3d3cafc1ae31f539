//! Circuit breakers in a health document: by name, by state, or counted.

use serde_json::{Map, Value};

use super::read::text;
use super::{Circuit, Condition, HealthDocument};

/// Keys of one circuit for its state.
const ONE: [&str; 3] = ["state", "circuit_state", "circuitState"];

/// What one value says of its circuits by counting them.
#[derive(Default)]
struct Counts {
    total: Option<u64>,
    open: Option<u64>,
    half_open: Option<u64>,
    closed: Option<u64>,
}

impl Counts {
    /// Whether anything is counted.
    fn are_there(&self) -> bool {
        [self.total, self.open, self.half_open, self.closed].iter().any(Option::is_some)
    }

    /// The sum of all states; without any, how many are named.
    fn sum(&self, named: u64) -> u64 {
        let states = [self.open, self.half_open, self.closed];
        let sum = states.iter().flatten().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if states.iter().all(Option::is_none) { named } else { sum }
    }

    /// Whether they say how many are not closed, and agree with their own total.
    fn are_whole(&self, named: u64) -> bool {
        let sum = self.sum(named);
        match self.total {
            Some(total) if self.closed.is_none() && self.open.is_some() => total >= sum,
            Some(total) => total == sum,
            None => self.open.is_some(),
        }
    }
}

/// Keys that hold circuits, written in whatever way.
pub(super) fn names_circuits(key: &str) -> bool {
    matches!(
        key.to_ascii_lowercase().replace(['_', '-', ' '], "").as_str(),
        "circuits" | "circuitbreakers" | "circuitbreaker"
    )
}

impl HealthDocument {
    /// Reads what stands under a key for circuits. What is not understood is kept as that.
    pub(super) fn read_circuits(&mut self, key: &str, value: &Value) {
        match value {
            // An empty list, as some languages write it.
            Value::Null => {}
            Value::Object(map) => self.read_circuit_map(key, map),
            Value::Array(list) => {
                for circuit in list {
                    let name = circuit.as_object().and_then(|map| text(map, &["name", "id"]));
                    self.read_circuit(name.unwrap_or("circuit"), circuit);
                }
            }
            _ if state_of(value).is_some() => self.read_circuit(key, value),
            _ => self.unclear.push((key.into(), "are not understood".into())),
        }
    }

    fn read_circuit_map(&mut self, key: &str, map: &Map<String, Value>) {
        let (mut counts, mut rest) = (Counts::default(), Vec::new());
        let before = self.circuits.len();
        for (name, value) in map {
            match name.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
                "total" => self.count(name, "", value, &mut counts.total),
                "open" => self.count(name, "open", value, &mut counts.open),
                "halfopen" => self.count(name, "half-open", value, &mut counts.half_open),
                "closed" => self.count(name, "closed", value, &mut counts.closed),
                "summary" | "breakers" | "items" | "details" | "instances" => {
                    self.read_circuits(name, value);
                }
                _ if names_circuits(name) => self.read_circuits(name, value),
                // Of all together; the circuits themselves are what counts.
                "status" | "health" if is_a_good_word(value) => {}
                _ if value.is_object() || state_of(value).is_some() => {
                    self.read_circuit(name, value);
                }
                _ => rest.push((name, value)),
            }
        }
        let named = (self.circuits.len() - before) as u64;
        let is_whole = counts.are_whole(named);
        if counts.are_there() && !is_whole {
            let why = "do not say of each circuit whether it is closed";
            self.unclear.push((key.into(), why.into()));
        }
        let is_one = ONE.iter().any(|key| map.get(*key).and_then(state_of).is_some());
        let adds_up = counts.total == Some(counts.sum(named));
        for (name, value) in rest {
            match value {
                // Words about one circuit, or about circuits that are all counted.
                Value::Number(_) if is_one || adds_up => {}
                Value::String(_) | Value::Bool(_) | Value::Null
                    if is_one || counts.are_there() && is_whole => {}
                _ => self.read_circuit(name, value),
            }
        }
    }

    /// How many circuits are in a state, or a list of them.
    fn count(&mut self, key: &str, state: &str, value: &Value, sum: &mut Option<u64>) {
        let counted = value.as_u64().or_else(|| value.as_bool().map(u64::from));
        let number = match (value, counted) {
            (Value::Array(list), _) if !state.is_empty() => {
                for one in list {
                    let name = one.as_str().or_else(|| one["name"].as_str()).unwrap_or("circuit");
                    self.circuits.push(Circuit { name: name.into(), state: state.into() });
                }
                list.len() as u64
            }
            (_, Some(number)) => {
                if matches!(state, "open" | "half-open") {
                    // A sum that wrapped around would say that all are closed.
                    self.not_closed = self.not_closed.saturating_add(number);
                }
                number
            }
            _ => return self.unclear.push((key.into(), "is no count".into())),
        };
        *sum = Some(sum.unwrap_or(0).saturating_add(number));
    }

    /// One circuit: its state as a word, or a map that has it.
    pub(super) fn read_circuit(&mut self, name: &str, value: &Value) {
        match (state_of(value), value) {
            (Some(state), _) => self.circuits.push(Circuit { name: name.into(), state }),
            (None, Value::String(word)) => {
                self.circuits.push(Circuit { name: name.into(), state: plain(word) });
            }
            _ => self.unclear.push((name.into(), "does not say whether it is closed".into())),
        }
    }
}

fn is_a_good_word(value: &Value) -> bool {
    value.as_str().is_some_and(|word| Condition::of_word(word) == Condition::Healthy)
}

fn plain(word: &str) -> String {
    let word = word.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    match word.strip_prefix("circuit-").unwrap_or(&word) {
        "halfopen" => "half-open".into(),
        word => word.into(),
    }
}

/// The state that a value names: as itself, under a key of its own, or in Spring's `details`.
fn state_of(value: &Value) -> Option<String> {
    let known = |word: &str| matches!(word, "closed" | "open" | "half-open" | "forced-open");
    match value {
        Value::String(word) => Some(plain(word)).filter(|word| known(word)),
        Value::Object(map) => {
            if let Some(word) = text(map, &ONE) {
                return Some(plain(word));
            }
            let flag = |key: &str| map.get(key).and_then(Value::as_bool);
            let is_open = ["open", "isOpen", "is_open"].iter().find_map(|key| flag(key));
            match (is_open, flag("closed")) {
                (Some(true), _) | (_, Some(false)) => return Some("open".into()),
                (Some(false), _) | (_, Some(true)) => return Some("closed".into()),
                (None, None) => {}
            }
            map.get("details")
                .and_then(state_of)
                .or_else(|| text(map, &["status"]).map(plain).filter(|word| known(word)))
        }
        _ => None,
    }
}
