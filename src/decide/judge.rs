//! The judgement of one attempt: its expectations, its early ends, its captures.

use super::expect::{Context, Expect, Finding, verdict_of_failure};
use super::named;
use super::observation::Observation;
use super::source::Source;
use super::verdict::Verdict;

/// What a check makes of what it sees.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    /// Must hold.
    pub expect: Vec<Expect>,
    /// When one of these holds, going on cannot help.
    pub fail_fast: Vec<Expect>,
    /// Should hold; told when they do not.
    pub warn: Vec<Expect>,
    /// Texts to keep for later checks.
    pub capture: Vec<Capture>,
}

/// A text to keep for later checks.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Its name in `{{name}}`.
    pub name: String,
    /// Where it is found.
    pub source: Source,
    /// Whether it must never be shown.
    pub secret: bool,
}

/// A captured text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its name in `{{name}}`.
    pub name: String,
    /// The text.
    pub value: String,
    /// Whether it must never be shown.
    pub secret: bool,
}

/// The judgement with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The worst of the findings.
    pub verdict: Verdict,
    /// Every expectation with what was found.
    pub findings: Vec<Finding>,
    /// What is told and does not decide.
    pub warnings: Vec<String>,
    /// The condition that ends a wait, if one holds.
    pub terminal: Option<String>,
    /// What later checks may use; only of an attempt that passed.
    pub captured: Vec<Captured>,
}

impl Judgement {
    /// In one line: the first finding that is not a pass, or what was found.
    pub fn reason(&self) -> String {
        let worst = self.findings.iter().find(|finding| finding.verdict == self.verdict);
        match worst.or(self.findings.first()) {
            None => "nothing was looked at".into(),
            // What its keeper tells are sentences of their own.
            Some(finding) if finding.what == "state" => finding.found.clone(),
            Some(finding) if self.verdict.is_pass() => {
                format!("{} {}", finding.what, finding.found)
            }
            Some(finding) if finding.what.is_empty() => finding.found.clone(),
            // A health document's reasons are sentences of their own.
            Some(finding) if finding.what == "health" => format!("health: {}", finding.found),
            Some(finding) => said(finding),
        }
    }
}

impl Judge {
    /// Judges what one attempt saw.
    pub fn judge(&self, observation: &Observation, context: &Context) -> Judgement {
        if let Observation::Failed(failure) = observation {
            return unseen(verdict_of_failure(failure.kind), failure.message.clone());
        }
        let mut findings: Vec<Finding> =
            self.expect.iter().map(|expect| expect.evaluate(observation, context)).collect();
        let mut verdict = Verdict::worst(findings.iter().map(|finding| finding.verdict));
        let mut captured = Vec::new();
        if verdict.is_pass() {
            for capture in &self.capture {
                match capture.source.find(observation) {
                    Ok(value) => captured.push(Captured {
                        name: capture.name.clone(),
                        value,
                        secret: capture.secret,
                    }),
                    Err(why) => {
                        verdict = Verdict::Fail;
                        findings.push(Finding {
                            what: format!("capture {}", capture.name),
                            wanted: "a value".into(),
                            found: why,
                            verdict,
                            warnings: Vec::new(),
                            circuits: Vec::new(),
                            is_nothing: true,
                        });
                    }
                }
            }
        }
        Judgement {
            verdict,
            warnings: self.warnings(&findings, observation, context),
            terminal: self.terminal(observation, context),
            findings,
            captured,
        }
    }

    /// What must not be shown of an answer, whether it is one that passes or not. Of one of which
    /// anything is told, that is also what stands beside secret names in it.
    pub fn secrets(&self, observation: &Observation, judgement: &Judgement) -> Vec<String> {
        let secret = self.capture.iter().filter(|capture| capture.secret);
        let captured = secret.filter_map(|capture| capture.source.find(observation).ok());
        let is_told = !judgement.verdict.is_pass() || !judgement.warnings.is_empty();
        let named = if is_told { named::secrets(observation) } else { Vec::new() };
        observation.secrets().iter().cloned().chain(captured).chain(named).collect()
    }

    fn warnings(
        &self,
        findings: &[Finding],
        observation: &Observation,
        context: &Context,
    ) -> Vec<String> {
        let told = findings.iter().flat_map(|finding| finding.warnings.clone());
        let weak = self.warn.iter().map(|expect| expect.evaluate(observation, context));
        let weak = weak.filter(|finding| !finding.verdict.is_pass());
        told.chain(weak.map(|finding| said(&finding))).collect()
    }

    fn terminal(&self, observation: &Observation, context: &Context) -> Option<String> {
        let findings = self.fail_fast.iter().map(|expect| expect.evaluate(observation, context));
        findings
            .into_iter()
            .find(|finding| finding.verdict.is_pass())
            .map(|finding| format!("fail-fast: {} is {}", finding.what, finding.found))
    }
}

/// What was found and wanted; where nothing was found, only why.
fn said(finding: &Finding) -> String {
    let Finding { what, wanted, found, .. } = finding;
    match finding.is_nothing {
        true if matches!(what.as_str(), "answer" | "") => found.clone(),
        true => format!("{what}: {found}, wanted {wanted}"),
        false => format!("{what} is {found}, wanted {wanted}"),
    }
}

/// A judgement of not having seen anything.
pub fn unseen(verdict: Verdict, why: String) -> Judgement {
    let finding = Finding {
        what: String::new(),
        wanted: String::new(),
        found: why,
        verdict,
        warnings: Vec::new(),
        circuits: Vec::new(),
        is_nothing: true,
    };
    Judgement {
        verdict,
        findings: vec![finding],
        warnings: Vec::new(),
        terminal: None,
        captured: Vec::new(),
    }
}
