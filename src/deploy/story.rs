//! What a run tells while it goes: a line for people as each thing happens, and the steps of the
//! report.

use std::time::Duration;

use crate::commands::Session;
use crate::decide::verdict::Verdict;
use crate::host::clock;
use crate::report::v1::Step;

/// The story of a run.
pub struct Story<'a> {
    /// The run that tells it.
    pub session: &'a Session,
    /// The steps so far.
    pub steps: Vec<Step>,
    /// How long it had gone on when this run began, in milliseconds: others told its beginning. Below
    /// zero when this run had waited for longer than that.
    before_ms: i64,
}

impl<'a> Story<'a> {
    /// Begins.
    pub fn new(session: &'a Session) -> Self {
        Self { session, steps: Vec::new(), before_ms: 0 }
    }

    /// Goes on with a story that others began so long ago, and told so far.
    pub fn go_on(&mut self, began: Duration, steps: Vec<Step>) {
        let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        self.before_ms = millis(began).saturating_sub(millis(self.session.elapsed()));
        self.steps.splice(0..0, steps);
    }

    /// Says a line: the time of day, the step's name, what happens.
    pub fn tell(&self, name: &str, text: &str) {
        // RFC 3339 has the time of day at this place.
        let now = clock::rfc3339(clock::wall());
        let time = now.get(11..19).unwrap_or(&now);
        self.session.say(&format!("{time}  {name:<9} {text}"));
    }

    /// Says how a step ended that began at `from`, and keeps it for the report.
    pub fn step(&mut self, name: &str, from: Duration, verdict: Verdict, detail: String) {
        self.tell(name, &detail);
        let took = self.session.elapsed().saturating_sub(from);
        self.steps.push(Step {
            name: name.into(),
            detail,
            verdict,
            from_ms: (from.as_millis() as u64).saturating_add_signed(self.before_ms),
            duration_ms: took.as_millis() as u64,
        });
    }

    /// Says how an operation ended that began at `from`, and keeps it for the report under its
    /// own name.
    pub fn operation(
        &mut self,
        word: &str,
        name: &str,
        from: Duration,
        verdict: Verdict,
        detail: String,
    ) {
        self.step(word, from, verdict, detail);
        if let Some(step) = self.steps.last_mut() {
            name.clone_into(&mut step.name);
        }
    }
}
