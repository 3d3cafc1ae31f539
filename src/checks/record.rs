//! What a check has shown so far, and the published form of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Check;
use crate::commands::Session;
use crate::decide::expect::Finding;
use crate::decide::judge::Judgement;
use crate::decide::observation::Observation;
use crate::decide::state::State;
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::wait::End;
use crate::decide::words::shorten;
use crate::report::mask::is_secret_name;
use crate::report::v1;

/// Bytes of an answer that are shown.
const BODY: usize = 2048;
/// Entries of a timeline that are kept from its beginning, and in all.
const HEAD: usize = 20;
const ALL: usize = 60;
/// Attempts whose secrets are kept, at least those of the last one: later answers may repeat them.
const REPEATED: usize = 50;

/// One attempt, as its thread tells it.
pub(super) struct Told {
    /// When it ended, since the start.
    pub at: Duration,
    /// How long it took.
    pub latency: Duration,
    /// The judgement.
    pub judgement: Judgement,
    /// The answer, when the attempt did not pass.
    pub response: Option<v1::Response>,
    /// What came with the answer and must not be shown.
    pub secrets: Vec<String>,
}

/// The record of one check.
#[derive(Default)]
pub(super) struct Record {
    pub attempts: u32,
    pub last: Option<Told>,
    timeline: Vec<v1::Stretch>,
    pub began: Duration,
    /// The secrets of the last attempts that had some.
    hidden: VecDeque<Vec<String>>,
}

impl Record {
    /// Keeps the secrets of an attempt out of everything that is written, for as long as anything
    /// may repeat them: who is watched for hours may get a new session with every attempt.
    pub(super) fn hide(&mut self, secrets: &[String], session: &Session) {
        if secrets.is_empty() {
            return;
        }
        session.hide_for_now(secrets);
        self.hidden.push_back(secrets.to_vec());
        if self.hidden.len() > REPEATED {
            session.forget(&self.hidden.pop_front().unwrap_or_default());
        }
    }

    /// Adds an attempt, whose secrets are hidden. Of its words those are masked here that are kept
    /// for longer than its secrets.
    pub(super) fn add(&mut self, told: Told, session: &Session) {
        self.attempts += 1;
        let (verdict, note) = (told.judgement.verdict, session.masked(&told.judgement.reason()));
        let at = told.at.as_millis() as u64;
        match self.timeline.last_mut() {
            Some(last) if last.verdict == verdict && last.note == note => {
                last.count += 1;
                last.to_ms = at;
            }
            _ => {
                let stretch = v1::Stretch { from_ms: at, to_ms: at, count: 1, verdict, note };
                self.timeline.push(stretch);
            }
        }
        if self.timeline.len() > ALL {
            let second = self.timeline.remove(HEAD + 1);
            let first = &mut self.timeline[HEAD];
            first.to_ms = second.to_ms;
            first.count += second.count;
            first.verdict = first.verdict.max(second.verdict);
            first.note = "different answers".into();
        }
        self.last = Some(told);
    }

    /// The published form, once it is over.
    pub(super) fn publish(
        self,
        check: &Check,
        end: &End,
        at: Duration,
        evidence: Option<String>,
    ) -> v1::Check {
        let passed = end.verdict.is_pass();
        let latency = self.last.as_ref().map_or(Duration::ZERO, |last| last.latency);
        let mut warnings: Vec<String> = check.probe.warning().into_iter().collect();
        let mut reason = end.reason.clone();
        let mut findings = Vec::new();
        let mut last_response = None;
        if let Some(last) = self.last {
            if passed {
                reason = last.judgement.reason();
            } else if !last.judgement.verdict.is_pass() {
                reason = last.judgement.reason();
                if !reason.contains(&end.reason) {
                    reason = format!("{reason}; {}", end.reason);
                }
            }
            warnings.extend(last.judgement.warnings);
            findings = last.judgement.findings;
            last_response = last.response.filter(|_| !passed);
        }
        if let Some(text) = evidence {
            let none = v1::Response { status: None, headers: Vec::new(), body: String::new() };
            last_response.get_or_insert(none).body.push_str(&text);
        }
        v1::Check {
            name: check.name.clone(),
            kind: check.probe.kind().into(),
            target: check.probe.target(),
            severity: check.severity,
            verdict: end.verdict,
            reason,
            remedy: None,
            duration_ms: at.saturating_sub(self.began).as_millis() as u64,
            latency_ms: (latency.as_secs_f64() * 1e5).round() / 1e2,
            attempts: self.attempts,
            circuits: circuits(&findings),
            findings: findings.into_iter().map(publish_finding).collect(),
            warnings,
            timeline: if passed && self.timeline.len() == 1 { Vec::new() } else { self.timeline },
            last_response,
        }
    }
}

/// The critical checks that are not a pass.
pub fn failed(checks: &[v1::Check]) -> Vec<&v1::Check> {
    let decides = |c: &&v1::Check| c.severity == Severity::Critical && !c.verdict.is_pass();
    checks.iter().filter(decides).collect()
}

/// Circuits by name; where one is named twice, what is worse for it.
fn circuits(findings: &[Finding]) -> BTreeMap<String, String> {
    let mut circuits = BTreeMap::new();
    for circuit in findings.iter().flat_map(|finding| &finding.circuits) {
        let state = circuits.entry(circuit.name.clone()).or_insert_with(|| circuit.state.clone());
        if !circuit.is_closed() && state != "open" {
            state.clone_from(&circuit.state);
        }
    }
    circuits
}

fn publish_finding(finding: Finding) -> v1::Finding {
    v1::Finding {
        query: finding.what,
        expected: finding.wanted,
        actual: finding.found,
        verdict: finding.verdict,
    }
}

/// What is kept of an answer: secret headers masked, the body shortened.
pub(super) fn response(observation: &Observation, verdict: Verdict) -> Option<v1::Response> {
    if verdict.is_pass() {
        return None;
    }
    match observation {
        Observation::Http(response) => {
            let header = |(name, value): &(String, String)| {
                let value = if is_secret_name(name) { "***" } else { value };
                (name.clone(), shorten(value, 300))
            };
            let mut body = beginning(&response.body);
            if response.truncated {
                body.push_str(&format!("\n(more than {} bytes)", response.body.len()));
            }
            Some(v1::Response {
                status: Some(response.status.into()),
                headers: response.headers.iter().take(40).map(header).collect(),
                body,
            })
        }
        Observation::Exit(output) => Some(v1::Response {
            status: output.code.map(i64::from),
            headers: Vec::new(),
            body: format!("{}{}", ending(&output.stdout), ending(&output.stderr)),
        }),
        Observation::Reply(reply) if !reply.text.is_empty() => Some(v1::Response {
            status: None,
            headers: Vec::new(),
            body: beginning(reply.text.as_bytes()),
        }),
        Observation::State(State { code: Some(code), .. }) => {
            Some(v1::Response { status: Some(*code), headers: Vec::new(), body: String::new() })
        }
        _ => None,
    }
}

fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(BODY)]).into_owned();
    if bytes.len() > BODY { format!("{text}…") } else { text }
}

fn ending(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(BODY);
    let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
    if from > 0 { format!("…{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::judge::unseen;

    #[test]
    fn x4_new_sessions_without_end_are_masked_and_forgotten() {
        let (session, mut record) = (Session::silent(), Record::default());
        let id = |number: usize| format!("sid-{number:010}-0123456789");
        for number in 0..10 * REPEATED {
            let secrets = vec![id(number)];
            record.hide(&secrets, &session);
            let before = id(number.saturating_sub(REPEATED - 1));
            assert_eq!(session.masked(&before), "***", "an answer may still repeat it");
            let told = Told {
                at: Duration::from_secs(number as u64),
                latency: Duration::ZERO,
                judgement: unseen(Verdict::Fail, format!("{} is wrong, try {number}", id(number))),
                response: None,
                secrets,
            };
            record.add(told, &session);
        }
        assert_eq!(session.masked(&id(0)), id(0), "it is kept no longer");
        let written = format!("{:?}", record.timeline);
        assert!(written.contains("*** is wrong, try 0") && !written.contains("sid-"), "{written}");
    }
}
