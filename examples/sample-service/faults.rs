//! What can be made to go wrong: one table of faults, and the set that is switched on.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    NotReady,
    SlowStart,
    Slow,
    CrashAfter,
    ExitAtStart,
    Deaf,
    WrongVersion,
    ErrorRate,
    CircuitOpen,
    Degraded,
    CriticalDown,
    HugeBody,
    SlowLoris,
    EndlessHeaders,
}

/// What a fault's value means.
#[derive(Clone, Copy)]
enum Kind {
    /// It has none.
    Switch,
    /// A number that is not negative, and the one that stands when none is given.
    Number(Option<f64>),
    /// A version.
    Text,
}

const TABLE: [(Fault, &str, Kind); 14] = [
    (Fault::NotReady, "not-ready", Kind::Switch),
    (Fault::SlowStart, "slow-start", Kind::Number(None)),
    (Fault::Slow, "slow", Kind::Number(None)),
    (Fault::CrashAfter, "crash-after", Kind::Number(None)),
    (Fault::ExitAtStart, "exit-at-start", Kind::Switch),
    (Fault::Deaf, "deaf", Kind::Switch),
    (Fault::WrongVersion, "wrong-version", Kind::Text),
    (Fault::ErrorRate, "error-rate", Kind::Number(None)),
    (Fault::CircuitOpen, "circuit-open", Kind::Switch),
    (Fault::Degraded, "degraded", Kind::Switch),
    (Fault::CriticalDown, "critical-down", Kind::Switch),
    (Fault::HugeBody, "huge-body", Kind::Number(Some(1_073_741_824.0))),
    (Fault::SlowLoris, "slow-loris", Kind::Number(Some(500.0))),
    (Fault::EndlessHeaders, "endless-headers", Kind::Switch),
];

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        TABLE.iter().find(|(fault, ..)| *fault == self).map_or("", |(_, name, _)| name)
    }

    pub(crate) fn only_at_start(self) -> bool {
        matches!(self, Fault::SlowStart | Fault::ExitAtStart | Fault::Deaf)
    }
}

/// The faults that are switched on, each with its value.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults(BTreeMap<Fault, String>);

impl Faults {
    /// Switches a fault on.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<Fault, String> {
        let (fault, kind) = find(name)?;
        let value = match kind {
            Kind::Switch if value.is_empty() => String::new(),
            Kind::Switch => return Err(format!("fault {name} takes no value")),
            Kind::Number(default) => {
                number(value).or(default.filter(|_| value.is_empty())).map_or(
                    Err(format!("fault {name} wants a number from 0 to 1e12, and not {value:?}")),
                    |number| Ok(number.to_string()),
                )?
            }
            Kind::Text if plain(value) => value.to_owned(),
            Kind::Text => return Err(format!("fault {name} wants a version, and not {value:?}")),
        };
        self.0.insert(fault, value);
        Ok(fault)
    }

    /// Switches a fault off; one that was not on is no error.
    pub(crate) fn clear(&mut self, name: &str) -> Result<(), String> {
        self.0.remove(&find(name)?.0);
        Ok(())
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.0.contains_key(&fault)
    }

    pub(crate) fn text(&self, fault: Fault) -> Option<&str> {
        self.0.get(&fault).map(String::as_str)
    }

    pub(crate) fn number(&self, fault: Fault) -> Option<f64> {
        self.text(fault).and_then(number)
    }

    /// As `{"name": "value"}`.
    pub(crate) fn json(&self) -> String {
        let entries: Vec<_> = self
            .0
            .iter()
            .map(|(fault, value)| format!("\"{}\":\"{value}\"", fault.name()))
            .collect();
        format!("{{{}}}\n", entries.join(","))
    }
}

fn find(name: &str) -> Result<(Fault, Kind), String> {
    TABLE
        .iter()
        .find(|(_, known, _)| *known == name)
        .map(|(fault, _, kind)| (*fault, *kind))
        .ok_or_else(|| {
            let known: Vec<_> = TABLE.iter().map(|(_, known, _)| *known).collect();
            format!("unknown fault {name:?}; known are {}", known.join(", "))
        })
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number| (0.0..=1e12).contains(number))
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}
