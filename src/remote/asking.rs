//! An engine asks its caller: by files in the folder of its run, which the connection relays.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::words::{Answer, Ask};
use crate::checks::{Asked, Asker, Question};
use crate::deploy::runs::Run;
use crate::host::clock::Moment;
use crate::host::signals::Cancel;
use crate::host::{files, lock};

/// Held by the connection of the caller who began the run.
const CALLER: &str = "caller";
const ASKS: &str = "asks";
const ANSWERS: &str = "answers";
/// How often an answer is looked for.
const TICK: Duration = Duration::from_millis(20);
/// How long a caller may be gone before the engine asks by itself: he may be calling again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What asks the caller of a run.
#[derive(Debug)]
pub struct Asking {
    run: PathBuf,
    next: AtomicU64,
    /// How long a caller who is there may take for an answer.
    limit: Duration,
    /// Since when nobody is there.
    alone: Mutex<Option<Moment>>,
}

impl Asking {
    /// Of a run. A caller who gives no answer within the limit is as good as gone.
    pub fn of(run: &Run, limit: Duration) -> Self {
        let (next, alone) = (AtomicU64::new(1), Mutex::default());
        Self { run: run.folder.clone(), next, limit, alone }
    }

    fn wait(&self, id: &str, cancel: &Cancel) -> Asked {
        let answer = self.run.join(ANSWERS).join(format!("{id}.json"));
        let asked = Moment::now();
        loop {
            if let Ok(text) = files::read_text(&answer) {
                files::remove(&answer).unwrap_or_default();
                return match serde_json::from_str::<Answer>(&text).map(|answer| answer.checks) {
                    Ok(Ok(checks)) => Asked::Seen(checks),
                    Ok(Err(why)) => Asked::Wrong(why),
                    Err(error) => Asked::Wrong(format!("its answer cannot be read: {error}")),
                };
            }
            // Nothing else ends it on the way back, which heeds no cancellation.
            if self.is_alone() || asked.elapsed() >= self.limit {
                return Asked::Nobody;
            }
            if cancel.sleep(TICK) {
                return Asked::Cancelled;
            }
        }
    }

    /// Whether nobody has been there for a while.
    fn is_alone(&self) -> bool {
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if lock::text_of_holder(&self.run.join(CALLER)).is_ok_and(|holder| holder.is_some()) {
            *alone = None;
            return false;
        }
        alone.get_or_insert_with(Moment::now).elapsed() >= PATIENCE
    }
}

impl Asker for Asking {
    fn ask(&self, question: &Question, cancel: &Cancel) -> Asked {
        let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let Question { checks, digest, target } = question;
        let ask = Ask {
            id: id.clone(),
            checks: checks.clone(),
            digest: digest.clone(),
            version: target.expected_version.clone(),
            limit_ms: target.limit.map(|limit| limit.as_millis() as u64),
            once: target.once,
            settling: target.settling,
        };
        let file = self.run.join(ASKS).join(format!("{id}.json"));
        let written = serde_json::to_vec(&ask).map_err(std::io::Error::other);
        let written = written.and_then(|text| files::replace_private(&file, &text));
        if let Err(error) = written {
            return Asked::Wrong(format!("it cannot be asked: {error}"));
        }
        let asked = self.wait(&id, cancel);
        // Nobody needs to answer it any more.
        files::remove(&file).unwrap_or_default();
        asked
    }
}

/// The file that the caller's connection locks.
pub(super) fn caller_file(run: &Path) -> PathBuf {
    run.join(CALLER)
}

/// The questions of a run that have no answer yet.
pub(super) fn open(run: &Path) -> Vec<Ask> {
    let folder = run.join(ASKS);
    let names = files::names(&folder).unwrap_or_default();
    let read = |name: String| {
        let text = files::read_text(folder.join(&name)).ok()?;
        let ask: Ask = serde_json::from_str(&text).ok()?;
        (name == format!("{}.json", ask.id)).then_some(ask)
    };
    names.into_iter().filter_map(read).collect()
}

/// Keeps an answer where the engine looks for it, when that question is open there.
pub(super) fn answer(run: &Path, answer: &Answer) {
    let is_open = open(run).iter().any(|ask| ask.id == answer.id);
    if let (true, Ok(text)) = (is_open, serde_json::to_vec(answer)) {
        let file = run.join(ANSWERS).join(format!("{}.json", answer.id));
        // The engine asks by itself when nothing comes.
        files::replace_private(file, &text).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Target;

    #[test]
    fn p8_a_caller_who_is_there_and_never_answers_is_as_good_as_gone() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run { id: "r".into(), folder: folder.path().to_owned() };
        let _caller = lock::try_take(&caller_file(&run.folder)).unwrap().unwrap();
        let (checks, digest, target) = (vec!["#1".into()], String::new(), Target::default());
        let question = Question { checks, digest, target };
        let asking = Asking::of(&run, Duration::from_millis(50));
        let asked = asking.ask(&question, &Cancel::default());
        assert!(matches!(asked, Asked::Nobody), "{asked:?}");
        assert!(open(&run.folder).is_empty(), "nobody needs to answer it any more");
    }
}
