//! What systemd says of a unit, and whether that is how a unit of a release should be.

use std::time::Duration;

/// What is asked for.
pub(super) const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,Type,Result,NRestarts,\
     ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic,ConditionResult,TimeoutStopUSec,\
     NeedDaemonReload";

/// `ExecMainCode` of a program that ended by `exit` (`CLD_EXITED` of sigaction(2)).
const EXITED: u32 = 1;

/// A unit, as `systemctl show` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) load: String,
    pub(super) active: String,
    pub(super) sub: String,
    /// The service's type; empty for what is no service.
    pub(super) kind: String,
    pub(super) result: String,
    pub(super) restarts: u64,
    pub(super) code: u32,
    pub(super) status: u32,
    /// When its program was started last, in microseconds of the machine's running.
    pub(super) began: u64,
    /// Whether a condition of it did not hold when it was to be started last.
    pub(super) is_skipped: bool,
    /// The time between SIGTERM and SIGKILL, as systemd writes it.
    pub(super) stopping: String,
    /// Whether its file was changed and systemd was not told.
    pub(super) is_stale: bool,
}

/// How a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// As it should be.
    Up,
    /// On its way.
    Starting(String),
    /// Stopped, and not by a failure.
    Stopped,
    /// As it must not be; why.
    Failed(String),
}

/// Reads what `systemctl show` printed of some units: blocks in the order of their names.
pub(super) fn read(text: &str, names: &[String]) -> Option<Vec<Unit>> {
    let blocks: Vec<&str> =
        text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()).collect();
    if blocks.len() != names.len() {
        return None;
    }
    let units = blocks.iter().zip(names).map(|(block, name)| unit(block, name));
    let units: Vec<Unit> = units.collect();
    // Without its state it was not systemd that answered.
    units.iter().all(|unit| !unit.active.is_empty()).then_some(units)
}

fn unit(block: &str, name: &str) -> Unit {
    let mut unit = Unit { name: name.to_owned(), ..Unit::default() };
    for (key, value) in block.lines().filter_map(|line| line.split_once('=')) {
        let text = || value.to_owned();
        let number = || value.parse().unwrap_or_default();
        match key {
            "LoadState" => unit.load = text(),
            "ActiveState" => unit.active = text(),
            "SubState" => unit.sub = text(),
            "Type" => unit.kind = text(),
            "Result" => unit.result = text(),
            "NRestarts" => unit.restarts = value.parse().unwrap_or_default(),
            "ExecMainCode" => unit.code = number(),
            "ExecMainStatus" => unit.status = number(),
            "ExecMainStartTimestampMonotonic" => unit.began = value.parse().unwrap_or_default(),
            "ConditionResult" => unit.is_skipped = value == "no",
            "TimeoutStopUSec" => unit.stopping = text(),
            "NeedDaemonReload" => unit.is_stale = value == "yes",
            _ => {}
        }
    }
    unit
}

impl Unit {
    /// How it is, when it had been restarted so often before.
    pub(super) fn look(&self, restarts_before: u64) -> Look {
        let name = &self.name;
        let is_oneshot = self.kind == "oneshot";
        match (self.active.as_str(), self.sub.as_str()) {
            ("activating", sub) if sub.starts_with("auto-restart") => {
                Look::Failed(format!("{name} ended and systemd starts it again: {}", self.ending()))
            }
            ("failed", _) => Look::Failed(format!("{name} failed: {}", self.ending())),
            _ if self.restarts > restarts_before => {
                let times = self.restarts - restarts_before;
                let times = if times == 1 { "once".into() } else { format!("{times} times") };
                Look::Failed(format!(
                    "{name} was started again by systemd {times}: it ends by itself"
                ))
            }
            ("active", "exited") if !self.kind.is_empty() && !is_oneshot => Look::Failed(format!(
                "{name} is active (exited): nothing of it runs, {}",
                self.ending()
            )),
            ("active" | "reloading" | "refreshing", _) => Look::Up,
            ("activating", sub) => Look::Starting(format!("{name} is activating ({sub})")),
            ("deactivating", sub) => Look::Starting(format!("{name} is deactivating ({sub})")),
            ("inactive", _) if is_oneshot && self.code == EXITED && self.status == 0 => {
                match self.is_skipped {
                    true => Look::Failed(self.skipped()),
                    false => Look::Up,
                }
            }
            ("inactive", _) => Look::Stopped,
            (active, sub) => Look::Starting(format!("{name} is {active} ({sub})")),
        }
    }

    /// How it is after a start: what ended well before that has not run since.
    pub(super) fn look_since(&self, before: Option<&Self>) -> Look {
        let began = before.map(|before| before.began);
        match self.look(self.restarts_of(before)) {
            Look::Up if self.active == "inactive" && began == Some(self.began) => {
                Look::Failed(self.skipped())
            }
            look => look,
        }
    }

    /// How often it had been restarted before a start; systemd may have begun to count anew.
    pub(super) fn restarts_of(&self, before: Option<&Self>) -> u64 {
        before.map(|unit| unit.restarts).filter(|before| *before <= self.restarts).unwrap_or(0)
    }

    fn skipped(&self) -> String {
        format!("{} was not run: look at the conditions of the unit", self.name)
    }

    /// How its program ended.
    pub(super) fn ending(&self) -> String {
        match (self.code, self.result.as_str()) {
            (_, "start-limit-hit") => "it was started too often in too short a time".into(),
            (0, "" | "success") => "its program did not run".into(),
            (0, result) => format!("{result}, before its program ran"),
            (EXITED, _) => format!("exit code {}", self.status),
            _ => format!("signal {}", self.status),
        }
    }

    /// The time between SIGTERM and SIGKILL; none where there is no limit.
    pub(super) fn stop_limit(&self) -> Option<Duration> {
        match self.stopping.as_str() {
            // What is no service has none, and needs none.
            "" => Some(Duration::ZERO),
            "infinity" => None,
            text => humantime::parse_duration(text).ok(),
        }
    }
}

/// Whether a text is a unit's name, as systemd.unit(5) has it: it becomes an argument.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    const TYPES: [&str; 6] = ["service", "socket", "timer", "target", "path", "mount"];
    let Some((stem, kind)) = name.rsplit_once('.') else {
        return Err(format!("{name:?} has no type; write it like shop.service"));
    };
    if !TYPES.contains(&kind) {
        return Err(format!("{name:?} is not a unit; its type is one of {}", TYPES.join(", ")));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let begins = stem.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    match begins && stem.chars().all(is_plain) && name.len() < 256 && !stem.ends_with('@') {
        true => Ok(()),
        false => Err(format!("{name:?} is not the name of a unit that can be started")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(properties: &str) -> Unit {
        unit(properties, "shop.service")
    }

    fn look(properties: &str) -> Look {
        seen(properties).look(0)
    }

    #[track_caller]
    fn failed(properties: &str, reason: &str) {
        let Look::Failed(why) = look(properties) else { panic!("{:?}", look(properties)) };
        assert!(why.contains(reason), "{why}");
    }

    #[test]
    fn d11_what_runs_is_up() {
        assert_eq!(look("ActiveState=active\nSubState=running\nType=simple"), Look::Up);
        assert_eq!(look("ActiveState=reloading\nSubState=reload\nType=notify"), Look::Up);
        // A socket and a target run nothing.
        assert_eq!(look("ActiveState=active\nSubState=listening"), Look::Up);
        assert_eq!(look("ActiveState=active\nSubState=active"), Look::Up);
        // What does its work once has ended when it has done it.
        assert_eq!(look("ActiveState=active\nSubState=exited\nType=oneshot"), Look::Up);
        let done =
            "ActiveState=inactive\nSubState=dead\nType=oneshot\nExecMainCode=1\nExecMainStatus=0";
        assert_eq!(look(done), Look::Up);
    }

    #[test]
    fn d11_a_run_from_before_the_start_does_not_count() {
        let done = "ActiveState=inactive\nSubState=dead\nType=oneshot\nExecMainCode=1\n\
                    ExecMainStatus=0\nExecMainStartTimestampMonotonic=";
        let (old, new) = (seen(&format!("{done}70")), seen(&format!("{done}90")));
        assert_eq!(new.look_since(Some(&old)), Look::Up);
        assert_eq!(new.look_since(Some(&seen("ActiveState=inactive\nType=oneshot"))), Look::Up);
        let Look::Failed(why) = old.look_since(Some(&old)) else { panic!("it was not run") };
        assert!(why.contains("shop.service was not run"), "{why}");
        failed(&format!("{done}70\nConditionResult=no"), "was not run");
        assert_eq!(look(&format!("{done}70\nConditionResult=yes")), Look::Up);
        // What goes on was not started anew.
        let runs = seen("ActiveState=active\nSubState=exited\nType=oneshot\nConditionResult=no");
        assert_eq!(runs.look_since(Some(&runs)), Look::Up);
    }

    #[test]
    fn d11_what_only_seems_to_run_is_not_up() {
        failed("ActiveState=active\nSubState=exited\nType=simple\nExecMainCode=1", "(exited)");
        failed("ActiveState=active\nSubState=exited\nType=forking", "(exited)");
        let looping = "ActiveState=activating\nSubState=auto-restart\nType=simple\nExecMainCode=1\nExecMainStatus=7";
        failed(looping, "exit code 7");
        failed(
            "ActiveState=activating\nSubState=auto-restart-queued\nExecMainCode=2\nExecMainStatus=9",
            "signal 9",
        );
        failed("ActiveState=active\nSubState=running\nNRestarts=3", "3 times");
        failed("ActiveState=failed\nSubState=failed\nResult=start-limit-hit", "too often");
        failed("ActiveState=failed\nResult=resources", "before its program ran");
        assert_eq!(look("ActiveState=inactive\nSubState=dead\nType=simple"), Look::Stopped);
        let running = seen("ActiveState=active\nSubState=running\nNRestarts=3");
        assert_eq!(running.look(3), Look::Up);
        assert!(matches!(look("ActiveState=activating\nSubState=start"), Look::Starting(_)));
        assert!(matches!(look("ActiveState=maintenance"), Look::Starting(_)));
    }

    #[test]
    fn d11_an_answer_about_something_else_is_none() {
        let names = ["a.service".to_owned(), "b.service".to_owned()];
        let two = "ActiveState=active\nSubState=running\n\nActiveState=inactive\nSubState=dead\n";
        let read_units = read(two, &names).unwrap();
        assert_eq!((&*read_units[1].name, &*read_units[1].active), ("b.service", "inactive"));
        assert_eq!(read("ActiveState=active\n", &names), None);
        assert_eq!(read("hello\n\nworld\n", &names), None);
        assert_eq!(read("", &names), None);
    }

    #[test]
    fn d3_the_grace_of_a_unit_is_read() {
        let limit = |text: &str| seen(&format!("TimeoutStopUSec={text}")).stop_limit();
        assert_eq!(limit("1min 30s"), Some(Duration::from_secs(90)));
        assert_eq!(limit("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(limit("infinity"), None);
    }

    #[test]
    fn d11_hostile_unit_names_are_refused() {
        for name in ["shop.service", "shop@blue.service", "a-b_c:d.socket", r"x\x2dy.service"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "shop",
            "--now.service",
            "-.service",
            "a b.service",
            "../x.service",
            "x@.service",
            "*.service",
            "x.scope",
            ".service",
            "",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
