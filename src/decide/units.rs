//! What a systemd unit's state means: well, not yet, or never any more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::state::{Condition, State, sum_up};

/// What to ask `systemctl show` for.
pub const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,Type,ExecMainStatus,ConditionResult,\
    ExecMainExitTimestampMonotonic,ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,NRestarts";

/// A unit that was restarted and has not run for so long may be in a loop.
const STARTED: Duration = Duration::from_secs(10);

/// A unit's properties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit(BTreeMap<String, String>);

/// How often each unit, by its name, had been restarted at the look before.
pub type Restarts = BTreeMap<String, u64>;

/// What a look at units comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// How they are.
    pub state: State,
    /// For the next look.
    pub restarts: Restarts,
    /// The names of those that are not well.
    pub unwell: Vec<String>,
}

const WANTED: &str = "active, with something running, or completed with 0 if it is a oneshot";

/// Reads what `systemctl show` printed: a block of `Key=value` for each unit.
pub fn read(text: &str) -> Vec<Unit> {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.into(), value.into()));
    blocks.map(|block| Unit(block.lines().filter_map(pair).collect())).collect()
}

impl Unit {
    /// When it was last started, counted from the machine's start; none if it was not.
    pub fn started(&self) -> Option<Duration> {
        let at = self.number("InactiveExitTimestampMonotonic");
        (at > 0).then(|| Duration::from_micros(at))
    }

    /// A property; empty if the unit has none of that name.
    fn get(&self, property: &str) -> &str {
        self.0.get(property).map_or("", String::as_str)
    }

    fn number(&self, property: &str) -> u64 {
        self.get(property).parse().unwrap_or_default()
    }

    /// How it is: `before` is how often it had been restarted at the look before, `up` for how
    /// long the machine runs.
    fn condition(&self, before: Option<u64>, up: Duration) -> Condition {
        let restarts = self.number("NRestarts");
        match self.now(up) {
            over @ Condition::Over(_) => over,
            _ if before.is_some_and(|before| restarts > before) => {
                let why = "was restarted while it was looked at";
                Condition::Over(format!("{why} (restart {restarts})"))
            }
            other => other,
        }
    }

    /// How it is at the moment.
    fn now(&self, up: Duration) -> Condition {
        use Condition::{NotYet, Over, Unknown, Well};
        let restarts = self.number("NRestarts");
        let (active, sub) = (self.get("ActiveState"), self.get("SubState"));
        match self.get("LoadState") {
            "loaded" => {}
            "not-found" => return NotYet("is no unit: systemd finds none of that name".into()),
            "masked" => return NotYet("is masked, so that it cannot start".into()),
            other => return Unknown(format!("is not loaded: its state is `{other}`")),
        }
        match (active, sub) {
            ("active", "exited") if !matches!(self.get("Type"), "oneshot" | "") => {
                Over("is active (exited): nothing of it runs".into())
            }
            ("active", _) if restarts >= 2 && self.is_young(up) => {
                NotYet(format!("was restarted {restarts} times, the last time just now"))
            }
            ("active", sub) => Well(format!("is active ({sub})")),
            ("activating", "auto-restart" | "auto-restart-queued") => {
                let why = self.why();
                Over(format!("is in a restart loop (restart {restarts}, {why})"))
            }
            ("failed", _) => Over(format!("has failed ({})", self.why())),
            ("inactive", _) if self.has_completed() => Well("completed with 0".into()),
            ("activating" | "deactivating" | "reloading" | "refreshing" | "inactive", sub)
            | ("maintenance", sub) => NotYet(format!("is {active} ({sub})")),
            _ => Unknown(format!("is in the state `{active}`, which is not known here")),
        }
    }

    /// Whether it is a oneshot that has run to its good end.
    fn has_completed(&self) -> bool {
        self.get("Type") == "oneshot"
            && self.get("Result") == "success"
            && self.get("ExecMainStatus") == "0"
            // Otherwise that was an earlier run: the last time it was left out.
            && self.get("ConditionResult") != "no"
            && self.number("ExecMainExitTimestampMonotonic") > 0
    }

    fn is_young(&self, up: Duration) -> bool {
        let since = Duration::from_micros(self.number("ActiveEnterTimestampMonotonic"));
        up.saturating_sub(since) < STARTED
    }

    fn why(&self) -> String {
        format!("{}, status {}", self.get("Result"), self.get("ExecMainStatus"))
    }

    /// The exit status of what does not run any more.
    fn code(&self) -> Option<i64> {
        let ended = self.number("ExecMainExitTimestampMonotonic") > 0;
        self.get("ExecMainStatus").parse().ok().filter(|_| ended)
    }
}

/// How the units are, `names` as they were asked for; `before` is what the look before
/// remembered, `up` for how long the machine runs.
pub fn judge(units: &[Unit], names: &[String], before: &Restarts, up: Duration) -> Looked {
    let mut all = Vec::new();
    let (mut unwell, mut code) = (Vec::new(), None);
    for (name, unit) in names.iter().zip(units) {
        let condition = unit.condition(before.get(name).copied(), up);
        if !condition.is_well() {
            unwell.push(name.clone());
            code = code.or(unit.code());
        }
        all.push((format!("unit {name}"), condition));
    }
    let mut state = sum_up(WANTED, &all, &[], || match all.as_slice() {
        [(name, condition)] => format!("{name} {}", condition.words()),
        several => format!("{} of {} well", several.len(), several.len()),
    });
    state.code = code;
    let restarts = names.iter().zip(units);
    let restarts = restarts.map(|(name, unit)| (name.clone(), unit.number("NRestarts"))).collect();
    Looked { state, restarts, unwell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::verdict::Verdict;

    const UP: Duration = Duration::from_secs(1000);

    fn look(text: &str, before: Option<u64>) -> Looked {
        let before = before.map(|count| ("a.service".to_owned(), count)).into_iter().collect();
        let text = format!("LoadState=loaded\nType=simple\nResult=success\n{text}");
        judge(&read(&text), &["a.service".into()], &before, UP)
    }

    #[test]
    fn p8_every_state_of_a_unit_has_its_meaning() {
        use Verdict::{Error, Fail, Pass};
        let done = "ExecMainExitTimestampMonotonic=5\nExecMainStatus=0";
        for (text, verdict, terminal, words) in [
            ("ActiveState=active\nSubState=running", Pass, false, "is active (running)"),
            ("ActiveState=active\nSubState=exited", Fail, true, "nothing of it runs"),
            ("Type=oneshot\nActiveState=active\nSubState=exited", Pass, false, "active (exited)"),
            ("Type=\nActiveState=active\nSubState=listening", Pass, false, "(listening)"),
            ("ActiveState=activating\nSubState=start", Fail, false, "activating (start)"),
            ("ActiveState=activating\nSubState=start-pre", Fail, false, "start-pre"),
            ("ActiveState=activating\nSubState=auto-restart", Fail, true, "restart loop"),
            ("ActiveState=activating\nSubState=auto-restart-queued", Fail, true, "restart loop"),
            ("ActiveState=failed\nSubState=failed\nResult=exit-code", Fail, true, "exit-code"),
            ("ActiveState=deactivating\nSubState=stop-sigterm", Fail, false, "deactivating"),
            ("ActiveState=reloading\nSubState=reload", Fail, false, "reloading"),
            ("ActiveState=inactive\nSubState=dead", Fail, false, "inactive (dead)"),
            ("LoadState=not-found\nActiveState=inactive", Fail, false, "is no unit"),
            ("LoadState=masked\nActiveState=inactive", Fail, false, "masked"),
            ("LoadState=error\nActiveState=inactive", Error, false, "`error`"),
            ("LoadState=\nActiveState=active", Error, false, "not loaded"),
            ("ActiveState=floating\nSubState=up", Error, false, "`floating`"),
        ] {
            let found = look(text, None).state;
            assert_eq!(found.verdict, verdict, "{text}: {found:?}");
            assert_eq!(found.terminal.is_some(), terminal, "{text}: {found:?}");
            assert!(found.found.contains(words), "{text}: {}", found.found);
        }
        let ended = |kind: &str| look(&format!("{kind}ActiveState=inactive\n{done}"), None).state;
        assert_eq!(ended("Type=oneshot\n").verdict, Pass);
        assert_eq!(ended("").verdict, Fail, "a service that should be running");
        assert_eq!(ended("Type=oneshot\nConditionResult=yes\n").verdict, Pass);
        let left_out = ended("Type=oneshot\nConditionResult=no\n");
        assert_eq!(left_out.verdict, Fail, "that was an earlier run: {left_out:?}");
    }

    #[test]
    fn p5_a_unit_that_is_restarted_again_is_in_a_loop() {
        let runs = |restarts: u32, since: u64| {
            format!(
                "ActiveState=active\nSubState=running\nNRestarts={restarts}\n\
                 ActiveEnterTimestampMonotonic={since}"
            )
        };
        let verdict = |text: &str, before| look(text, before).state.verdict;
        assert_eq!(verdict(&runs(7, 5_000_000), Some(7)), Verdict::Pass, "long ago");
        assert_eq!(verdict(&runs(8, 5_000_000), Some(7)), Verdict::Fail);
        assert!(look(&runs(8, 5_000_000), Some(7)).state.terminal.is_some());
        assert_eq!(verdict(&runs(0, 999_000_000), Some(7)), Verdict::Pass, "started by hand");
        let young = look(&runs(2, 999_000_000), None).state;
        assert_eq!((young.verdict, young.terminal), (Verdict::Fail, None));
        assert_eq!(look(&runs(3, 1), None).restarts["a.service"], 3);
        let unit = |text: &str| read(text).remove(0).started();
        assert_eq!(
            unit("InactiveExitTimestampMonotonic=2000000"),
            Some(2 * Duration::from_secs(1))
        );
        assert_eq!(unit("InactiveExitTimestampMonotonic=0"), None);
    }

    #[test]
    fn p8_several_units_are_as_well_as_the_worst() {
        let text = "LoadState=loaded\nActiveState=active\nSubState=running\n\n\
            LoadState=loaded\nActiveState=failed\nResult=signal\nExecMainStatus=11\n\
            ExecMainExitTimestampMonotonic=5\n";
        let names = ["web".to_owned(), "api".to_owned()];
        let found = judge(&read(text), &names, &Restarts::new(), UP);
        assert_eq!(found.state.found, "1 of 2 well: unit api has failed (signal, status 11)");
        assert_eq!((found.unwell, found.state.code), (vec!["api".to_owned()], Some(11)));
    }
}
