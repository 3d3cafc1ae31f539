//! What an engine did that is gone, as steps of the report of the one that goes on: told by the
//! journal, which has every act with its times.

use super::journal::Line;
use crate::decide::journal::{Entry, Part, Place};
use crate::decide::plan::Operation;
use crate::decide::transaction::Transaction;
use crate::decide::verdict::Verdict;
use crate::report::v1::Step;

/// What an operation is called in a report.
pub(super) fn name(transaction: &Transaction, place: Place) -> String {
    let operation: Option<&Operation> = transaction.at(place);
    let word = || transaction.act(place).map_or("act", |act| act.word());
    let name = operation.map_or_else(|| word().to_owned(), |operation| operation.name.clone());
    if place.part == Part::Undo { format!("undo: {name}") } else { name }
}

/// The steps, timed from the first line on.
pub(super) fn steps(transaction: &Transaction, lines: &[Line]) -> Vec<Step> {
    let Some(first) = lines.first().map(|line| line.at_ms) else { return Vec::new() };
    let (mut steps, mut intended) = (Vec::new(), None);
    for line in lines {
        let at = line.at_ms.saturating_sub(first);
        let mut tell = |name: String, detail: &str, verdict, from: u64| {
            let (detail, duration_ms) = (detail.to_owned(), at.saturating_sub(from));
            steps.push(Step { name, detail, verdict, from_ms: from, duration_ms });
        };
        match &line.entry {
            Entry::Intent(place) => {
                intended = Some((*place, at));
                continue;
            }
            Entry::Done { place, detail } if !detail.is_empty() => {
                let from = since(intended, *place, at);
                tell(name(transaction, *place), detail, Verdict::Pass, from);
            }
            Entry::Failed { place, reason } => {
                let from = since(intended, *place, at);
                tell(name(transaction, *place), reason, Verdict::Fail, from);
            }
            Entry::Recorded(event) => tell("record".into(), event.words(), Verdict::Pass, at),
            Entry::Unrecorded { event, reason } => {
                let detail = format!("{}: {reason}", event.words());
                tell("record".into(), &detail, Verdict::Error, at);
            }
            Entry::Interrupted { reason } => {
                // What was under way is told, too: nobody knows how far it came.
                if let Some((place, from)) = intended {
                    let detail = "interrupted: how far it came is not known";
                    tell(name(transaction, place), detail, Verdict::Inconclusive, from);
                }
                tell("abort".into(), reason, Verdict::Inconclusive, at);
            }
            Entry::Done { .. } | Entry::Begun(_) | Entry::Committed | Entry::Ended => {}
        }
        intended = None;
    }
    steps
}

/// When what ended now began.
fn since(intended: Option<(Place, u64)>, place: Place, now: u64) -> u64 {
    intended.filter(|(of, _)| *of == place).map_or(now, |(_, from)| from)
}
