//! Expectations that are made of others: `any-of`, `all-of`, `not`.
//!
//! What could not be asked or read is neither a "yes" nor a "no", as in Kleene's logic of three
//! values: it spoils every combination that does not hold or fail without it, and `not` of it least
//! of all is a pass.

use super::expect::{Context, Expect, Finding};
use super::observation::Observation;
use super::verdict::Verdict;
use super::words::shorten;

/// Characters of what was found of all parts together.
const SHOWN: usize = 400;

/// An expectation evaluated.
pub(super) struct Answer {
    /// What was found.
    pub(super) finding: Finding,
    /// The verdict on the opposite, when that could not be told either.
    doubt: Option<Verdict>,
}

impl Answer {
    /// Of one query; `clear` tells whether a "no" to it is one.
    pub(super) fn of(finding: Finding, clear: bool) -> Self {
        let doubt = match finding.verdict {
            Verdict::Pass => None,
            Verdict::Fail if clear => None,
            verdict => Some(verdict),
        };
        Self { finding, doubt }
    }
}

/// One is enough. Where none holds, one that could not be asked might have.
pub(super) fn any(all: &[Expect], observation: &Observation, context: &Context) -> Answer {
    let mut answers = each(all, observation, context);
    let wanted = wanted(&answers, " or ");
    if let Some(at) = answers.iter().position(|answer| answer.finding.verdict.is_pass()) {
        let finding = answers.swap_remove(at).finding;
        let (what, found) = ("any-of".into(), found(&finding));
        return Answer { finding: Finding { what, wanted, found, ..finding }, doubt: None };
    }
    let open = answers.iter().map(|answer| answer.finding.verdict);
    let open = open.filter(|verdict| *verdict != Verdict::Fail).max();
    let verdict =
        open.unwrap_or(Verdict::worst(answers.first().map(|first| first.finding.verdict)));
    let finding = together("any-of", wanted, &answers, verdict);
    Answer { finding, doubt: worst_doubt(&answers) }
}

/// All must hold.
pub(super) fn all(all: &[Expect], observation: &Observation, context: &Context) -> Answer {
    let answers = each(all, observation, context);
    let wanted = wanted(&answers, " and ");
    let verdict = Verdict::worst(answers.iter().map(|answer| answer.finding.verdict));
    let worst = answers.iter().filter(|answer| answer.finding.verdict == verdict);
    let finding = together("all-of", wanted, worst, verdict);
    let warnings = answers.iter().flat_map(|answer| answer.finding.warnings.clone()).collect();
    Answer { finding: Finding { warnings, ..finding }, doubt: worst_doubt(&answers) }
}

/// The opposite, where it can be told.
pub(super) fn not(inner: &Expect, observation: &Observation, context: &Context) -> Answer {
    let Answer { finding, doubt } = inner.answer(observation, context);
    let verdict = match (doubt, finding.verdict) {
        (Some(doubt), _) => doubt,
        (None, Verdict::Fail) => Verdict::Pass,
        (None, _) => Verdict::Fail,
    };
    let wanted = format!("not ({})", finding.wanted);
    Answer { finding: Finding { wanted, verdict, warnings: Vec::new(), ..finding }, doubt }
}

fn each(all: &[Expect], observation: &Observation, context: &Context) -> Vec<Answer> {
    all.iter().map(|one| one.answer(observation, context)).collect()
}

fn worst_doubt(answers: &[Answer]) -> Option<Verdict> {
    answers.iter().filter_map(|answer| answer.doubt).max()
}

fn together<'a>(
    what: &str,
    wanted: String,
    answers: impl IntoIterator<Item = &'a Answer>,
    verdict: Verdict,
) -> Finding {
    let all: Vec<&Finding> = answers.into_iter().map(|answer| &answer.finding).collect();
    let found: Vec<_> = all.iter().map(|one| found(one)).collect();
    let found = shorten(&found.join("; "), SHOWN);
    let circuits = all.iter().flat_map(|one| one.circuits.clone()).collect();
    Finding {
        what: what.into(),
        wanted,
        found,
        verdict,
        warnings: Vec::new(),
        circuits,
        is_nothing: false,
    }
}

/// `status 404 or header location exists`.
fn wanted(answers: &[Answer], word: &str) -> String {
    let one = |Answer { finding, .. }: &Answer| {
        if is_combined(finding) {
            format!("({})", finding.wanted)
        } else {
            format!("{} {}", finding.what, finding.wanted)
        }
    };
    answers.iter().map(one).collect::<Vec<_>>().join(word)
}

fn found(finding: &Finding) -> String {
    if is_combined(finding) {
        finding.found.clone()
    } else {
        format!("{} {}", finding.what, finding.found)
    }
}

fn is_combined(finding: &Finding) -> bool {
    matches!(finding.what.as_str(), "any-of" | "all-of")
}

#[cfg(test)]
#[path = "combination_tests.rs"]
mod tests;
