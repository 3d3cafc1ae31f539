//! Health documents: one reading of the many shapes in which services say how they are.
//!
//! Understood are liveness and readiness documents, full health with named services, circuit
//! breakers and workers, Spring Boot's actuator, the IETF draft `application/health+json`
//! (draft-inadarei-api-health-check-06), and a lazily started engine's `aiAvailability`.

use serde_json::{Map, Value};

use super::verdict::Verdict;
use super::words::shorten;

/// Characters of a name that are kept.
const LONGEST: usize = 200;

/// How a service or a part of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// As it should be.
    Healthy,
    /// It works, with something missing.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// It says a word that means none of these.
    Unknown(String),
}

impl Condition {
    /// The condition that a word stands for, compared without case.
    pub fn of_word(word: &str) -> Condition {
        match word.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "pass" | "passed" | "ok" | "up" | "healthy" | "alive" | "ready" | "green"
            | "available" | "operational" | "connected" => Condition::Healthy,
            "warn" | "warning" | "degraded" | "yellow" => Condition::Degraded,
            "fail" | "failed" | "error" | "down" | "unhealthy" | "out_of_service" | "dead"
            | "not_ready" | "red" | "unavailable" | "critical" | "disconnected" => {
                Condition::Unhealthy
            }
            _ => Condition::Unknown(word.into()),
        }
    }

    fn word(&self) -> &str {
        match self {
            Condition::Healthy => "healthy",
            Condition::Degraded => "degraded",
            Condition::Unhealthy => "unhealthy",
            Condition::Unknown(word) => word,
        }
    }
}

/// A named part of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its name in the document.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// Whether the document itself calls it critical.
    pub critical: Option<bool>,
    /// Whether it is a worker, which runs or does not.
    pub is_worker: bool,
    /// What it says about itself.
    pub message: Option<String>,
}

/// A named circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// Its name.
    pub name: String,
    /// `closed`, `half-open` or `open`, or an unknown word.
    pub state: String,
}

impl Circuit {
    /// Whether it lets all requests through.
    pub fn is_closed(&self) -> bool {
        self.state == "closed"
    }
}

/// What a document says, whatever its shape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HealthDocument {
    /// The document's own word for the whole.
    pub overall: Option<Condition>,
    /// Named parts.
    pub components: Vec<Component>,
    /// Named circuits.
    pub circuits: Vec<Circuit>,
    /// How many circuits are not closed by the document's counts.
    pub not_closed: u64,
}

/// What the caller knows better than the document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthOptions {
    /// Services that must be in the document and healthy or degraded.
    pub critical: Vec<String>,
    /// Circuits that may be open.
    pub except_circuits: Vec<String>,
}

/// The judgement of a document, with every reason.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthJudgement {
    /// Pass (perhaps degraded), Inconclusive or Fail.
    pub verdict: Verdict,
    /// Why it is not a pass.
    pub failures: Vec<String>,
    /// What is told and does not decide.
    pub warnings: Vec<String>,
}

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
                ("status" | "health" | "state", Value::String(word)) => {
                    self.worsen(Condition::of_word(word));
                }
                ("ready" | "alive" | "healthy" | "ok", Value::Bool(yes)) => {
                    self.worsen(if *yes { Condition::Healthy } else { Condition::Unhealthy });
                }
                ("aiAvailability", engine) => self.components.push(engine_component(engine)),
                ("circuit_breakers" | "circuitBreakers" | "circuits", value) => {
                    self.read_circuits(value);
                }
                ("checks" | "components" | "services" | "dependencies", Value::Object(parts)) => {
                    parts.iter().for_each(|(name, part)| self.read_component(name, part));
                }
                (_, Value::Array(list)) => self.read_list(list),
                (name, Value::Object(part)) if part.contains_key("status") => {
                    self.read_component(name, value);
                }
                _ => {}
            }
        }
    }

    /// Two words for the whole: the worse one counts.
    fn worsen(&mut self, said: Condition) {
        let rank = |condition: &Condition| match condition {
            Condition::Healthy => 0,
            Condition::Degraded => 1,
            Condition::Unknown(_) => 2,
            Condition::Unhealthy => 3,
        };
        if self.overall.as_ref().is_none_or(|before| rank(&said) > rank(before)) {
            self.overall = Some(said);
        }
    }

    fn read_list(&mut self, list: &[Value]) {
        for entry in list {
            if let Some(name) = entry.get("name").and_then(Value::as_str) {
                self.read_component(name, entry);
            }
        }
    }

    fn read_component(&mut self, name: &str, part: &Value) {
        // Each of its parts and measurements has it again.
        let name = &*shorten(name, LONGEST);
        match part {
            Value::String(word) => self.push(name, Condition::of_word(word), part),
            Value::Bool(yes) => {
                let condition = if *yes { Condition::Healthy } else { Condition::Unhealthy };
                self.push(name, condition, part);
            }
            // The IETF draft has a list of measurements for each name.
            Value::Array(measurements) => {
                measurements.iter().for_each(|one| self.read_component(name, one));
            }
            Value::Object(map) => {
                if let Some(state) = text(map, &["circuit_state", "circuitState"]) {
                    self.read_circuit(name, state);
                }
                if let Some(word) = text(map, &["status", "state", "health"]) {
                    self.push(name, Condition::of_word(word), part);
                } else if let Some(running) = map.get("running").and_then(Value::as_bool) {
                    let condition = if running { Condition::Healthy } else { Condition::Unhealthy };
                    self.push(name, condition, part);
                    if let Some(worker) = self.components.last_mut() {
                        worker.is_worker = true;
                    }
                }
                if let Some(Value::Object(nested)) = map.get("components") {
                    nested.iter().for_each(|(inner, part)| {
                        self.read_component(&format!("{name}.{inner}"), part);
                    });
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, name: &str, condition: Condition, part: &Value) {
        let message = ["message", "output", "error"].iter().find_map(|key| part.get(key)?.as_str());
        self.components.push(Component {
            name: name.into(),
            condition,
            critical: part.get("critical").and_then(Value::as_bool),
            is_worker: false,
            message: message.map(str::to_owned),
        });
    }

    fn read_circuits(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                let count = |key| map.get(key).and_then(Value::as_u64);
                let counts = [count("open"), count("half_open"), count("halfOpen")];
                if counts.iter().any(Option::is_some) {
                    // A sum that wrapped around would say that all are closed.
                    for count in counts.into_iter().flatten() {
                        self.not_closed = self.not_closed.saturating_add(count);
                    }
                    return;
                }
                for (name, circuit) in map {
                    let state = circuit
                        .as_str()
                        .or_else(|| text(circuit.as_object()?, &["state", "circuit_state"]));
                    if let Some(state) = state {
                        self.read_circuit(name, state);
                    }
                }
            }
            Value::Array(list) => {
                for circuit in list.iter().filter_map(Value::as_object) {
                    if let Some(state) = text(circuit, &["state", "circuit_state", "status"]) {
                        self.read_circuit(text(circuit, &["name"]).unwrap_or("circuit"), state);
                    }
                }
            }
            _ => {}
        }
    }

    fn read_circuit(&mut self, name: &str, state: &str) {
        let state = state.to_ascii_lowercase().replace('_', "-");
        self.circuits.push(Circuit { name: name.into(), state });
    }
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

fn text<'a>(map: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| map.get(*key)?.as_str())
}

/// Judges a document together with the HTTP status it came with.
///
/// A critical part that is not healthy fails; a non-critical one makes the service *degraded*,
/// which passes with a warning. Every circuit must be closed. A document that calls itself
/// healthy with a status of 4xx or 5xx contradicts itself and fails.
pub fn judge(
    document: &HealthDocument,
    status: Option<u16>,
    options: &HealthOptions,
) -> HealthJudgement {
    let mut judgement =
        HealthJudgement { verdict: Verdict::Pass, failures: Vec::new(), warnings: Vec::new() };
    let mut unknown = Vec::new();
    judge_whole(document, status, &mut judgement, &mut unknown);
    for component in &document.components {
        judge_component(document, component, options, &mut judgement, &mut unknown);
    }
    for name in &options.critical {
        if !document.components.iter().any(|c| same_name(&c.name, name)) {
            judgement.failures.push(format!("critical service {name} is not in the document"));
        }
    }
    judge_circuits(document, options, &mut judgement);
    if document.overall.is_none() && document.components.is_empty() {
        unknown.push("nothing in the document says how the service is".into());
    }
    judgement.verdict = match (judgement.failures.is_empty(), unknown.is_empty()) {
        (false, _) => Verdict::Fail,
        (true, false) => Verdict::Inconclusive,
        (true, true) => Verdict::Pass,
    };
    judgement.failures.extend(unknown);
    judgement
}

fn judge_whole(
    document: &HealthDocument,
    status: Option<u16>,
    judgement: &mut HealthJudgement,
    unknown: &mut Vec<String>,
) {
    let refused = status.filter(|status| !(200..300).contains(status));
    match (&document.overall, refused) {
        (Some(Condition::Healthy), Some(status)) => judgement
            .failures
            .push(format!("contradiction: the document says healthy, the status is {status}")),
        (_, Some(status)) => judgement.failures.push(format!("the status is {status}")),
        _ => {}
    }
    match &document.overall {
        Some(Condition::Unhealthy) => judgement.failures.push("the service is unhealthy".into()),
        Some(Condition::Degraded) => judgement.warnings.push("the service is degraded".into()),
        Some(Condition::Unknown(word)) => {
            unknown.push(format!("the service says {word:?}, which is no known health word"));
        }
        Some(Condition::Healthy) | None => {}
    }
}

fn judge_component(
    document: &HealthDocument,
    component: &Component,
    options: &HealthOptions,
    judgement: &mut HealthJudgement,
    unknown: &mut Vec<String>,
) {
    let named = options.critical.iter().any(|name| same_name(&component.name, name));
    // Without anybody's word on what is critical, a document without an overall word is judged
    // by all of its parts; one with an overall word has already weighed them.
    // Who lists services has said nothing of workers: theirs is the document's own mark.
    let critical = named
        || (component.is_worker && component.critical == Some(true))
        || (options.critical.is_empty()
            && component.critical.unwrap_or(document.overall.is_none()));
    let Component { name, condition, message, .. } = component;
    let kind = if critical { "critical service" } else { "service" };
    let said = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    let line = format!("{kind} {name} is {}{said}", condition.word());
    match (condition, critical) {
        (Condition::Healthy, _) => {}
        (Condition::Unhealthy, true) => judgement.failures.push(line),
        (Condition::Unknown(_), true) => unknown.push(line),
        _ => judgement.warnings.push(line),
    }
}

fn judge_circuits(
    document: &HealthDocument,
    options: &HealthOptions,
    judgement: &mut HealthJudgement,
) {
    let excepted = |name: &str| options.except_circuits.iter().any(|other| same_name(name, other));
    let mut excused = 0;
    let open: Vec<_> = document.circuits.iter().filter(|circuit| !circuit.is_closed()).collect();
    for circuit in &open {
        let line = format!("circuit {} is {}", circuit.name, circuit.state);
        if excepted(&circuit.name) {
            excused += 1;
            judgement.warnings.push(format!("{line} (excepted)"));
        } else {
            judgement.failures.push(line);
        }
    }
    // The counts include the named ones; what is left has no name that could be excepted.
    let named = open.len() as u64;
    if document.not_closed > named.max(excused) {
        let rest = document.not_closed - named;
        let (noun, verb) = if rest == 1 { ("circuit", "is") } else { ("circuits", "are") };
        judgement.failures.push(format!("{rest} {noun} {verb} not closed"));
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
