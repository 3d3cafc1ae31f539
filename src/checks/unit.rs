//! Units of systemd.

use std::sync::{Mutex, PoisonError};

use super::keeper::{LINES, Questions, complaint, last_lines, tail_of};
use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::config::watched::UnitSpec;
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::units::{self, PROPERTIES, Restarts, Unit};
use crate::decide::verdict::Severity;
use crate::host::clock;

/// Units.
pub(super) static UNIT: Kind = Kind { key: "unit", keys: &[], severity: Severity::Critical, build };

struct Units {
    spec: UnitSpec,
    before: Mutex<Before>,
}

/// What the look before leaves to the next.
#[derive(Default)]
struct Before {
    restarts: Restarts,
    unwell: Vec<String>,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let spec = spec.unit.clone().unwrap_or_default();
    match spec.mistake() {
        Some(mistake) => Err(format!("unit: {mistake}")),
        None => Ok(Box::new(Units { spec, before: Mutex::default() })),
    }
}

impl Probe for Units {
    fn kind(&self) -> &'static str {
        "unit"
    }

    fn target(&self) -> String {
        self.spec.show()
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let questions = Questions::new(attempt);
        let units = match show(&self.spec, &questions) {
            Ok(units) => units,
            Err(why) => return questions.not_asked(why),
        };
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = units::judge(&units, &self.spec.names, &before.restarts, clock::since_boot());
        *before = Before { restarts: looked.restarts, unwell: looked.unwell };
        let mut state = looked.state;
        state.elapsed = questions.elapsed();
        Observation::State(state)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Well]
    }

    fn evidence(&self, attempt: &Attempt<'_>) -> Option<String> {
        let unwell =
            std::mem::take(&mut self.before.lock().unwrap_or_else(PoisonError::into_inner).unwell);
        if unwell.is_empty() {
            return None;
        }
        let lines = LINES.to_string();
        let which = if self.spec.user { "--user-unit" } else { "--unit" };
        let mut argv =
            vec!["journalctl", "--quiet", "--no-pager", "--output=short-iso", "--lines", &lines];
        argv.extend(unwell.iter().flat_map(|name| [which, name.as_str()]));
        let questions = Questions::new(attempt);
        let log = questions.ask(&argv).map_or_else(|why| why, |output| last_lines(&output));
        Some(tail_of(&format!("unit {}", unwell.join(", ")), &log))
    }
}

/// The properties of each unit, in their order.
///
/// # Errors
/// Why systemd did not tell, in words.
pub(super) fn show(spec: &UnitSpec, questions: &Questions<'_>) -> Result<Vec<Unit>, String> {
    let mut argv = vec!["systemctl"];
    if spec.user {
        argv.push("--user");
    }
    argv.extend(["show", "--property", PROPERTIES]);
    argv.extend(spec.names.iter().map(String::as_str));
    let output = questions.ask(&argv)?;
    if output.code != Some(0) {
        return Err(complaint("systemctl", &output));
    }
    let units = units::read(&String::from_utf8_lossy(&output.stdout));
    if units.len() != spec.names.len() {
        let (told, asked) = (units.len(), spec.names.len());
        return Err(format!("systemctl told of {told} units when asked for {asked}"));
    }
    Ok(units)
}
