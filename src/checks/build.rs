//! From a check as it is written to one that can run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::burst::Burst;
use super::fit::refuse_misfits;
use super::{KINDS, Kind, Probe, cookies};
use crate::config::expectation::{ExpectSpec, captures};
use crate::config::values::NonEmpty;
use crate::config::{CheckSpec, Place};
use crate::decide::backoff::Interval;
use crate::decide::expect::Expect;
use crate::decide::health::HealthOptions;
use crate::decide::judge::Judge;
use crate::decide::verdict::Severity;
use crate::decide::wait::{Mode, Policy};
use crate::exit::Fault;
use crate::host::http::Clients;
use crate::host::process::Started;

/// Keys of every check; the others belong to its kind.
const COMMON: &[&str] = &[
    "name",
    "severity",
    "from",
    "within",
    "interval",
    "timeout",
    "tags",
    "passes",
    "failures",
    "repeat",
    "concurrency",
    "start-period",
    "attempts",
    "pid-file",
    "expect",
    "fail-fast",
    "warn",
    "capture",
];

/// The defaults of timing, in one place.
mod default {
    use std::time::Duration;
    pub(super) const WITHIN: Duration = Duration::from_secs(60);
    pub(super) const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
    pub(super) const SMOKE_TIMEOUT: Duration = Duration::from_secs(30);
    pub(super) const SMOKE_INTERVAL: Duration = Duration::from_secs(5);
    pub(super) const ATTEMPTS: u32 = 3;
    pub(super) const SETTLED: u32 = 5;
    pub(super) const SETTLING: Duration = Duration::from_secs(15);
    pub(super) const SETTLING_INTERVAL: Duration = Duration::from_millis(50);
    pub(super) const SUPERVISE_INTERVAL: Duration = Duration::from_secs(10);
    pub(super) const FAILURES: u32 = 3;
    pub(super) const SUPERVISE_START: Duration = Duration::from_secs(30);
}

/// What surrounds the checks: where the service is, and what should be running there.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Where `path` checks are asked.
    pub base_url: Option<String>,
    /// The version that should answer.
    pub expected_version: Option<String>,
    /// The process that should be serving; when it is gone, waiting cannot help.
    pub process: Option<Started>,
    /// The clients of these checks.
    pub clients: Arc<Clients>,
}

/// A check that can run.
pub struct Check {
    /// The name in reports; unique.
    pub name: String,
    /// Whether it decides.
    pub severity: Severity,
    /// Looks.
    pub probe: Box<dyn Probe>,
    /// Judges.
    pub judge: Judge,
    /// The captured values that it needs.
    pub needs: BTreeSet<String>,
    /// Where the process id stands of the process that it depends on.
    pub pid_file: Option<String>,
    /// How often one attempt asks.
    pub(super) burst: Burst,
    /// Words by which it is chosen.
    pub tags: Vec<String>,
    spec: CheckSpec,
}

impl Check {
    /// Whether `deploy` waits for it before the smoke test.
    pub fn is_waited_for(&self) -> bool {
        self.spec.within.is_some()
    }

    /// From here on it is looked at once, with the short time-out of a wait.
    pub fn look_once(&mut self) {
        (self.spec.attempts, self.spec.passes) = (Some(1), None);
        self.spec.timeout.get_or_insert(crate::config::values::Period(default::WAIT_TIMEOUT));
    }

    /// From here on it has to pass several times in a row, if it is one with a `path`: a router that
    /// is being switched answers from both sides for a moment.
    pub fn settle(&mut self) {
        use crate::config::values::Period;
        if self.spec.path.is_none() {
            return;
        }
        let passes = self.spec.passes.unwrap_or_default();
        self.spec.passes = Some(passes.max(default::SETTLED));
        self.spec.within.get_or_insert(Period(default::SETTLING));
        self.spec.interval = Some(Period(default::SETTLING_INTERVAL));
    }

    /// Waiting: until it passes or the deadline.
    pub fn waiting(&self) -> Policy {
        let within = self.spec.within.map_or(default::WITHIN, |within| within.0);
        Policy {
            start_period: self.spec.start_period.map_or(Duration::ZERO, |period| period.0),
            ..self.policy(Mode::Wait { within }, Interval::Adaptive, default::WAIT_TIMEOUT)
        }
    }

    /// Smoke-testing: a number of tries.
    pub fn smoke(&self) -> Policy {
        let attempts = self.spec.attempts.unwrap_or(default::ATTEMPTS);
        let interval = Interval::Fixed(default::SMOKE_INTERVAL);
        self.policy(Mode::Attempts { attempts }, interval, default::SMOKE_TIMEOUT)
    }

    /// Supervising for a time: consecutive failures decide.
    pub fn supervising(&self, length: Duration) -> Policy {
        let failures = self.spec.failures.unwrap_or(default::FAILURES);
        let interval = Interval::Fixed(default::SUPERVISE_INTERVAL);
        Policy {
            start_period: self.spec.start_period.map_or(default::SUPERVISE_START, |p| p.0),
            ..self.policy(Mode::Supervise { length, failures }, interval, default::WAIT_TIMEOUT)
        }
    }

    fn policy(&self, mode: Mode, interval: Interval, timeout: Duration) -> Policy {
        Policy {
            mode,
            interval: self.spec.interval.map_or(interval, |own| Interval::Fixed(own.0)),
            timeout: self.spec.timeout.map_or(timeout, |own| own.0),
            passes: self.spec.passes.unwrap_or(1),
            start_period: Duration::ZERO,
        }
    }
}

/// Builds all checks, in their order.
///
/// # Errors
/// [`Fault`] with exit code 2 and the place of the first mistake.
pub fn build(
    specs: &[(Place, CheckSpec)],
    surroundings: &Surroundings,
) -> anyhow::Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    for (index, (place, spec)) in specs.iter().enumerate() {
        let mut check = one(spec, surroundings).map_err(|why| at(place, index, spec, &why))?;
        if let Ok(Some(jar)) = cookies::read(spec) {
            cookies::join(&mut check, &jar, &checks);
        }
        if checks.iter().any(|known| known.name == check.name) {
            let why = format!("the name `{}` is taken; give one of them another name", check.name);
            return Err(at(place, index, spec, &why).into());
        }
        if surroundings.expected_version.is_none() && wants_version(&check) {
            let why = "expects a version, and none was given";
            return Err(at(place, index, spec, why)
                .hint("give the version with --expect-version, or write `equals` in the check")
                .into());
        }
        checks.push(check);
    }
    if checks.is_empty() {
        return Err(Fault::usage("there is nothing to check")
            .hint("name a target like --url http://localhost:8080/health, or write `checks` in waveoff.yml")
            .into());
    }
    super::order::check_order(&checks)?;
    Ok(checks)
}

fn at(place: &Place, index: usize, spec: &CheckSpec, why: &str) -> Fault {
    let name = spec.name.as_ref().map_or(format!("#{}", index + 1), |name| format!("`{name}`"));
    Fault::usage(format!("{place}: check {name}: {why}"))
        .hint("the keys of a check are described in docs/checks.md")
}

fn one(spec: &CheckSpec, surroundings: &Surroundings) -> Result<Check, String> {
    let mut tags = spec.tags.iter().flat_map(|tags| &tags.0);
    if let Some(tag) = tags.find(|tag| tag.contains(',') || tag.trim().is_empty()) {
        return Err(format!("the tag `{tag}` cannot be chosen; it is a word without a comma"));
    }
    if let Some(each) = &spec.each {
        return Err(each_is_wrong(spec, &each.0));
    }
    let kind = kind_of(spec)?;
    for key in spec.present() {
        let known = key == kind.key || COMMON.contains(&key) || kind.keys.contains(&key);
        if !known {
            let list = [&[kind.key], kind.keys].concat().join(", ");
            return Err(format!("the key `{key}` does not belong to a {} check: {list}", kind.key));
        }
    }
    positive(spec)?;
    let probe = (kind.build)(spec, surroundings)?;
    let judge = judge(spec, probe.as_ref())?;
    for (key, expects) in
        [("expect", &judge.expect), ("fail-fast", &judge.fail_fast), ("warn", &judge.warn)]
    {
        refuse_misfits(kind.key, expects).map_err(|why| format!("{key}: {why}"))?;
    }
    let mut needs: BTreeSet<String> = probe.names().into_iter().collect();
    needs.extend(
        judge.expect.iter().chain(&judge.warn).chain(&judge.fail_fast).flat_map(Expect::names),
    );
    Ok(Check {
        name: name(spec, probe.as_ref())?,
        severity: spec.severity.unwrap_or(kind.severity),
        needs,
        pid_file: spec.pid_file.clone(),
        burst: Burst::of(spec)?,
        tags: spec.tags.clone().map(|tags| tags.0).unwrap_or_default(),
        probe,
        judge,
        spec: spec.clone(),
    })
}

fn kind_of(spec: &CheckSpec) -> Result<&'static Kind, String> {
    let present = spec.present();
    let chosen: Vec<_> = KINDS.iter().filter(|kind| present.contains(&kind.key)).collect();
    let all: Vec<_> = KINDS.iter().map(|kind| kind.key).collect();
    match chosen.as_slice() {
        [kind] => Ok(kind),
        [] => Err(format!("says not what to look at; write one of {}", all.join(", "))),
        several => {
            let keys: Vec<_> = several.iter().map(|kind| kind.key).collect();
            Err(format!("looks at several things at once ({}); keep one of them", keys.join(", ")))
        }
    }
}

fn positive(spec: &CheckSpec) -> Result<(), String> {
    let counts =
        [("passes", spec.passes), ("failures", spec.failures), ("attempts", spec.attempts)];
    if let Some((key, _)) = counts.iter().find(|(_, count)| *count == Some(0)) {
        return Err(format!("{key} is 0; at least 1 is needed"));
    }
    let lengths = [("timeout", spec.timeout), ("interval", spec.interval), ("within", spec.within)];
    match lengths.iter().find(|(_, period)| period.is_some_and(|period| period.0.is_zero())) {
        Some((key, _)) => Err(format!("{key} is 0; it must be longer")),
        None => Ok(()),
    }
}

fn name(spec: &CheckSpec, probe: &dyn Probe) -> Result<String, String> {
    let name = spec.name.clone().or_else(|| spec.path.clone());
    let name = name.unwrap_or_else(|| probe.target());
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err("the name is empty or has control characters".into());
    }
    Ok(name.chars().take(200).collect())
}

fn judge(spec: &CheckSpec, probe: &dyn Probe) -> Result<Judge, String> {
    let list = |key: &str, list: &Option<NonEmpty<ExpectSpec>>| {
        let specs = list.as_ref().map_or(&[][..], |list| list.0.as_slice());
        specs
            .iter()
            .map(ExpectSpec::build)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| format!("{key}: {why}"))
    };
    let mut expect = list("expect", &spec.expect)?;
    if let Some(options) = health(spec)? {
        expect.push(Expect::Health(options));
    }
    let mut all = probe.usual(&expect);
    all.append(&mut expect);
    Ok(Judge {
        expect: all,
        fail_fast: list("fail-fast", &spec.fail_fast)?,
        warn: list("warn", &spec.warn)?,
        capture: spec.capture.as_ref().map_or(Ok(Vec::new()), captures)?,
    })
}

/// `health`, with `critical` and `except-circuits` beside it or in it.
fn health(spec: &CheckSpec) -> Result<Option<HealthOptions>, String> {
    let list = |list: &Option<NonEmpty<String>>| list.clone().map(|l| l.0).unwrap_or_default();
    let beside = HealthOptions {
        critical: list(&spec.critical),
        except_circuits: list(&spec.except_circuits),
    };
    match &spec.health {
        None if beside == HealthOptions::default() => Ok(None),
        None => Err("critical and except-circuits need `health: auto`".into()),
        Some(own) => Ok(Some(HealthOptions {
            critical: [own.0.critical.clone(), beside.critical].concat(),
            except_circuits: [own.0.except_circuits.clone(), beside.except_circuits].concat(),
        })),
    }
}

fn wants_version(check: &Check) -> bool {
    let judge = &check.judge;
    let mut all = judge.expect.iter().chain(&judge.warn).chain(&judge.fail_fast);
    all.any(|expect| expect.has(&|one| matches!(one, Expect::Version(_, None))))
}

/// Why `each` could not be put into one check for each path.
fn each_is_wrong(spec: &CheckSpec, paths: &[String]) -> String {
    if spec.path.is_some() {
        return "each and path stand side by side; keep one of them".into();
    }
    match paths.iter().find(|path| !path.starts_with('/')) {
        Some(path) => format!("each: `{path}` is no path; it begins with /"),
        None => "each: the url has a query or a fragment, behind which no path can stand; put it \
                 behind each path"
            .into(),
    }
}
