//! Disk, memory and load of this machine.

use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::decide::expect::Expect;
use crate::decide::observation::{Observation, Unit};
use crate::decide::verdict::Severity;
use crate::host::system;

/// The share of a file system in use.
pub(super) static DISK: Kind =
    Kind { key: "disk", keys: &[], severity: Severity::Critical, build: disk };
/// The share of memory in use.
pub(super) static MEMORY: Kind =
    Kind { key: "memory", keys: &[], severity: Severity::Warning, build: memory };
/// The load average of the last minute.
pub(super) static LOAD: Kind =
    Kind { key: "load", keys: &[], severity: Severity::Warning, build: load };

const DISK_MAX: f64 = 0.9;
const MEMORY_MAX: f64 = 0.8;
const LOAD_MAX: f64 = 2.0;

struct Figure {
    kind: &'static str,
    target: String,
    limit: f64,
    unit: Unit,
    read: fn(&str) -> Observation,
}

fn disk(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let path = spec.disk.as_ref().and_then(|disk| disk.path.clone()).unwrap_or("/".into());
    let limit = spec.disk.as_ref().and_then(|disk| disk.max).map_or(DISK_MAX, |max| max.0);
    Ok(Box::new(Figure {
        kind: "disk",
        target: path,
        limit,
        unit: Unit::Share,
        read: system::disk,
    }))
}

fn memory(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let limit = spec.memory.as_ref().and_then(|memory| memory.max).map_or(MEMORY_MAX, |max| max.0);
    let read = |_: &str| system::memory();
    Ok(Box::new(Figure { kind: "memory", target: "memory".into(), limit, unit: Unit::Share, read }))
}

fn load(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let limit = spec.load.as_ref().and_then(|load| load.max).unwrap_or(LOAD_MAX);
    if !limit.is_finite() || limit <= 0.0 {
        return Err(format!("the load's max is {limit}; a number above 0 is needed"));
    }
    let read = |_: &str| system::load();
    Ok(Box::new(Figure { kind: "load", target: "load".into(), limit, unit: Unit::Number, read }))
}

impl Probe for Figure {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        if self.kind == "disk" { format!("disk {}", self.target) } else { self.target.clone() }
    }

    fn look(&self, _: &Attempt<'_>) -> Observation {
        (self.read)(&self.target)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Below(self.limit, self.unit)]
    }
}
