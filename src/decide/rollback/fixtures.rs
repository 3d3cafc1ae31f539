//! A deployment of v2 over a verified v1, to be spoilt by tests.

use std::time::Duration;

use super::*;
use crate::decide::history::{Event, History, Record, Release};
use crate::decide::verdict::{Severity, Verdict};
use crate::report::v1::{self, Check, Finding, Report, Stretch};

pub(super) fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

pub(super) fn failed_event() -> Event {
    Event::Failed { reason: "it broke".into() }
}

pub(super) fn started(version: &str) -> Event {
    Event::Started { release: release(version), by: None }
}

pub(super) fn rolled_back(to: &str) -> Event {
    Event::RolledBack { to: release(to), reason: "bad".into() }
}

pub(super) fn good(id: &'static str, version: &str) -> Vec<(&'static str, Event)> {
    vec![(id, started(version)), (id, Event::Mutating), (id, Event::Verified)]
}

/// A ledger of (deployment, event), one a second.
pub(super) fn ledger(events: Vec<(&'static str, Event)>) -> Past {
    let record = |(index, (id, event)): (usize, (&str, Event))| Record {
        seq: index as u64 + 1,
        at: format!("2026-01-01T00:{:02}:{:02}Z", index / 60, index % 60),
        service: "shop".into(),
        environment: "production".into(),
        deployment: id.into(),
        event,
    };
    let records: Vec<Record> = events.into_iter().enumerate().map(record).collect();
    Past::Known(History::of(&records, "shop", "production"), Source::Ledger)
}

/// v1 was verified, v2 is being deployed as number 7 and has got as far as `more` says.
pub(super) fn deploying(more: Vec<Event>) -> Past {
    let mut events = good("6", "v1");
    events.push(("7", started("v2")));
    events.extend(more.into_iter().map(|event| ("7", event)));
    ledger(events)
}

/// Nothing but the names and a ledger in which v2 has touched production.
pub(super) fn evidence() -> Evidence {
    Evidence {
        repository: "acme/shop".into(),
        service: "shop".into(),
        environment: "production".into(),
        deployment: Some("7".into()),
        release: release("v2"),
        jobs: Vec::new(),
        reports: Vec::new(),
        past: deploying(vec![Event::Mutating]),
        target: None,
        probe: None,
        thresholds: Vec::new(),
        elsewhere: false,
        broken: Vec::new(),
        policy: Policy::default(),
        now: humantime::parse_rfc3339("2026-01-01T00:30:00Z").unwrap(),
    }
}

impl Evidence {
    /// With jobs written `deploy=success smoke=failure`.
    pub(super) fn jobs(mut self, words: &str) -> Self {
        let pair = |pair: &str| {
            let (name, result) = pair.split_once('=').unwrap();
            format!("{name:?}: {{ \"result\": {result:?}, \"outputs\": {{}} }}")
        };
        let pairs: Vec<String> = words.split_whitespace().map(pair).collect();
        self.jobs = read_jobs(&format!("{{{}}}", pairs.join(",")), &Roles::default()).unwrap();
        self
    }

    pub(super) fn past(mut self, past: Past) -> Self {
        self.past = past;
        self
    }

    pub(super) fn report(mut self, report: Report) -> Self {
        let from = format!("report {}", self.reports.len());
        self.reports.push(Stated { from, job: None, report });
        self
    }

    pub(super) fn report_of(mut self, job: &str, report: Report) -> Self {
        let from = format!("job {job}");
        self.reports.push(Stated { from, job: Some(job.into()), report });
        self
    }

    pub(super) fn probe(mut self, checks: Vec<Check>) -> Self {
        self.probe = Some(Probe::of(checks));
        self
    }

    pub(super) fn threshold(mut self, text: &str) -> Self {
        self.thresholds.push(Threshold::read(text).unwrap());
        self
    }

    pub(super) fn unsure(mut self, when_unsure: WhenUnsure) -> Self {
        self.policy.when_unsure = when_unsure;
        self
    }
}

pub(super) fn finding(query: &str, actual: &str, verdict: Verdict) -> Finding {
    Finding { query: query.into(), expected: "?".into(), actual: actual.into(), verdict }
}

pub(super) fn check(name: &str, verdict: Verdict, findings: Vec<Finding>) -> Check {
    Check {
        name: name.into(),
        kind: "http".into(),
        target: format!("http://shop/{name}"),
        severity: Severity::Critical,
        verdict,
        reason: format!("{name} says {verdict}"),
        remedy: None,
        duration_ms: 1,
        latency_ms: 1.0,
        attempts: 1,
        findings,
        warnings: Vec::new(),
        circuits: std::collections::BTreeMap::new(),
        timeline: Vec::new(),
        last_response: None,
    }
}

/// A look at production that saw this version, and otherwise this.
pub(super) fn saw(version: &str, verdict: Verdict) -> Vec<Check> {
    let matching = if version == "v2" { Verdict::Pass } else { Verdict::Fail };
    vec![check(
        "live",
        verdict.max(matching),
        vec![
            finding("status", "200", verdict),
            finding("version in the body", &format!("{version:?}"), matching),
        ],
    )]
}

pub(super) fn report(program: &str, minute: u32, checks: Vec<Check>) -> Report {
    let verdicts = checks.iter().map(|check| (check.severity, check.verdict));
    let verdict = crate::decide::verdict::of_suite(verdicts);
    Report {
        version: 1,
        program: program.into(),
        program_version: "0.1.0".into(),
        started: format!("2026-01-01T00:{minute:02}:00.000Z"),
        duration_ms: 1,
        verdict,
        exit_code: verdict.exit().code(),
        summary: format!("{program}: {verdict}"),
        next: None,
        service: None,
        environment: None,
        expected_version: None,
        checks,
        steps: Vec::new(),
        deployment: None,
        outputs: std::collections::BTreeMap::new(),
    }
}

/// A smoke test of one check.
pub(super) fn smoke(minute: u32, verdict: Verdict) -> Report {
    report("smoke-test", minute, vec![check("home", verdict, Vec::new())])
}

pub(super) fn deploy(outcome: &str, mutated: bool, verdict: Verdict) -> Report {
    let mut report = report("deploy", 5, Vec::new());
    report.verdict = verdict;
    report.deployment = Some(v1::Deployment {
        id: "7".into(),
        version: "v2".into(),
        sha: None,
        digests: Vec::new(),
        target_version: Some("v1".into()),
        target_sha: None,
        outcome: outcome.into(),
        mutated,
        live_version: None,
        failure: None,
    });
    report
}

pub(super) fn stretch(verdict: Verdict) -> Stretch {
    Stretch { from_ms: 0, to_ms: 0, count: 1, verdict, note: String::new() }
}

/// Decides, and checks what holds of every ruling.
pub(super) fn ruled(evidence: &Evidence) -> Ruling {
    let ruling = decide(evidence);
    assert!(!ruling.reason.is_empty() && !ruling.evidence.is_empty());
    assert_eq!(ruling.requires_human, ruling.decision == Decision::Escalate);
    assert_eq!(ruling, decide(&evidence.clone()), "the same evidence, another decision");
    ruling
}

/// Decides, and compares decision and reason code.
#[track_caller]
pub(super) fn expect(evidence: Evidence, decision: &str, code: &str) -> Ruling {
    let ruling = ruled(&evidence);
    let found = (ruling.decision.word(), ruling.code.word());
    assert_eq!(found, (decision, code), "{ruling:#?}");
    ruling
}

pub(super) const HOUR: Duration = Duration::from_secs(3600);
