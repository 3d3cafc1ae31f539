//! What a host keeps of deployments over several hosts: one that is not known yet to be over
//! everywhere, the last turn at all hosts that it has heard of, and whose turn it is.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{Scope, State};
use crate::decide::fleet::Mark;
use crate::host::clock::Moment;
use crate::host::files;
use crate::host::lock::{self, Held};
use crate::host::signals::Cancel;

/// How long others may be at the file.
const MOMENT: Duration = Duration::from_secs(5);
/// How often it is looked whether the hosts are free.
const TICK: Duration = Duration::from_millis(100);
/// What a host keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The deployment that is not known to be over everywhere.
    pub open: Option<Mark>,
    /// The last one that was said to be over: where nothing is open, it tells who was never come to from
    /// who was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Mark>,
    /// The last turn at all hosts that was heard of here: what belongs to an earlier one is done no more.
    #[serde(default)]
    pub turn: u64,
}

fn file(scope: &Scope, state: &State) -> PathBuf {
    state.folder(scope).join("fleet.json")
}

/// What is kept here.
///
/// # Errors
/// When that cannot be read: it is not taken for nothing.
pub fn kept(scope: &Scope, state: &State) -> Result<Kept, String> {
    let file = file(scope, state);
    let wrong = |why: String| format!("cannot read {}: {why}", file.display());
    match files::read_text(&file) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Changes what is kept, one at a time.
fn change(
    scope: &Scope,
    state: &State,
    change: impl FnOnce(&mut Kept) -> Result<(), String>,
) -> Result<(), String> {
    let beside = state.folder(scope).join("fleet.lock");
    let wrong = |why: String| format!("cannot lock {}: {why}", beside.display());
    let held = lock::take_within(&beside, MOMENT).map_err(|error| wrong(error.to_string()))?;
    let _held = held.ok_or_else(|| wrong("another program holds it".into()))?;
    let before = kept(scope, state)?;
    let mut after = before.clone();
    change(&mut after)?;
    if after == before {
        return Ok(());
    }
    let text = serde_json::to_string(&after).map_err(|error| error.to_string())?;
    let file = file(scope, state);
    files::replace(&file, (text + "\n").as_bytes())
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

impl Kept {
    /// Hears of a turn.
    fn hear(&mut self, turn: u64) -> Result<(), String> {
        if turn < self.turn {
            return Err("another caller has taken the hosts over".into());
        }
        self.turn = turn;
        Ok(())
    }
}

/// Hears of a turn: from here on nothing is done for an earlier one.
///
/// # Errors
/// When a later one was heard of, or it cannot be written.
pub fn hear(scope: &Scope, state: &State, turn: u64) -> Result<(), String> {
    change(scope, state, |kept| kept.hear(turn))
}

/// Notes in its turn that a deployment begins. What it began with stays when it is begun again.
///
/// # Errors
/// When a later turn was heard of, another deployment is open, or it cannot be written.
pub fn begin(scope: &Scope, state: &State, turn: u64, mark: &Mark) -> Result<(), String> {
    change(scope, state, |kept| {
        kept.hear(turn)?;
        match &kept.open {
            Some(known) if known.id == mark.id => Ok(()),
            Some(known) => Err(format!(
                "the deployment of {} on {} is not over everywhere",
                known.version,
                known.hosts.join(", ")
            )),
            None => {
                kept.open = Some(mark.clone());
                Ok(())
            }
        }
    })
}

/// Notes in its turn that a deployment is over everywhere.
///
/// # Errors
/// When a later turn was heard of, or that cannot be written.
pub fn end(scope: &Scope, state: &State, turn: u64, id: &str) -> Result<(), String> {
    change(scope, state, |kept| {
        kept.hear(turn)?;
        if let Some(mark) = kept.open.take_if(|mark| mark.id == id) {
            kept.over = Some(mark);
        }
        Ok(())
    })
}

/// A turn behind all that were heard of here, in milliseconds since 1970 where the clock allows: also
/// a host that has forgotten everything begins behind what others may remember.
///
/// # Errors
/// When it cannot be written.
pub fn next_turn(scope: &Scope, state: &State, now: Duration) -> Result<u64, String> {
    let now = u64::try_from(now.as_millis()).unwrap_or_default();
    let mut next = 0;
    change(scope, state, |kept| {
        next = now.max(kept.turn.saturating_add(1));
        kept.hear(next)
    })?;
    Ok(next)
}

/// Takes the right to change all hosts, which this one has for them, for as long as what it gives is
/// kept. `say` hears once who has it, when it must be waited for.
///
/// # Errors
/// When it cannot be asked, does not become free in time, or the waiting is cancelled.
pub fn hold(
    (scope, state): (&Scope, &State),
    by: &str,
    limit: Duration,
    cancel: &Cancel,
    say: impl Fn(&str),
) -> Result<Held, String> {
    let file = state.folder(scope).join("fleet.hold");
    let wrong = |error: std::io::Error| format!("cannot lock {}: {error}", file.display());
    let (started, mut told) = (Moment::now(), false);
    loop {
        if let Some(held) = lock::try_take(&file).map_err(wrong)? {
            held.write(by).map_err(wrong)?;
            return Ok(held);
        }
        let holder = lock::text_of_holder(&file).map_err(wrong)?.unwrap_or_default();
        if started.elapsed() >= limit {
            return Err(format!("the hosts are still changed by {holder}"));
        }
        if !told && !holder.is_empty() {
            say(&holder);
            told = true;
        }
        if cancel.sleep(TICK) {
            return Err("cancelled while it waited in line".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::history::Release;

    fn place(folder: &std::path::Path) -> (Scope, State) {
        (Scope::new("shop", "production").unwrap(), State::at(folder))
    }

    fn mark(id: &str) -> Mark {
        let release = Release { version: "v2".into(), ..Release::default() };
        Mark::new(id.into(), vec!["a".into()], &release, None)
    }

    #[test]
    fn d11_one_at_a_time_is_open_and_what_was_taken_over_never_begins() {
        let folder = tempfile::tempdir().unwrap();
        let (scope, state) = place(folder.path());
        let at = |ms| next_turn(&scope, &state, Duration::from_millis(ms)).unwrap();
        assert_eq!((at(700), at(3)), (700, 701));
        begin(&scope, &state, 701, &mark("f1")).unwrap();
        begin(&scope, &state, 701, &mark("f1")).unwrap();
        let error = begin(&scope, &state, 702, &mark("f2")).unwrap_err();
        assert!(error.contains("is not over everywhere"), "{error}");
        end(&scope, &state, 701, "f2").unwrap();
        assert_eq!(kept(&scope, &state).unwrap().open.unwrap().id, "f1");
        hear(&scope, &state, 703).unwrap();
        end(&scope, &state, 703, "f1").unwrap();
        for error in [
            begin(&scope, &state, 702, &mark("f1")),
            end(&scope, &state, 702, "f1"),
            hear(&scope, &state, 702),
        ] {
            assert!(error.unwrap_err().contains("taken the hosts over"));
        }
        begin(&scope, &state, 703, &mark("f2")).unwrap();
        assert_eq!(kept(&scope, &state).unwrap().open.unwrap().id, "f2");
    }

    #[test]
    fn d11_the_right_to_change_all_hosts_is_one_callers_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (scope, state) = place(folder.path());
        let take = |by: &str, limit| {
            hold((&scope, &state), by, limit, &Cancel::default(), |holder| {
                assert_eq!(holder, "ada")
            })
        };
        let held = take("ada", Duration::ZERO).unwrap();
        let error = take("bob", Duration::from_millis(1)).unwrap_err();
        assert_eq!(error, "the hosts are still changed by ada");
        drop(held);
        take("bob", Duration::ZERO).unwrap();
    }

    #[test]
    fn d11_what_an_older_program_kept_is_still_read_and_what_is_over_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (scope, state) = place(folder.path());
        let old = r#"{"open":{"id":"f1","version":"v2","hosts":["a"],"before":"v1"},"turn":7}"#;
        files::replace(file(&scope, &state), old.as_bytes()).unwrap();
        let open = kept(&scope, &state).unwrap().open.unwrap();
        assert_eq!((open.version.as_str(), open.before.as_deref()), ("v2", Some("v1")));
        assert_eq!(open.digests, None);
        end(&scope, &state, 7, "f0").unwrap();
        assert_eq!(kept(&scope, &state).unwrap().over, None);
        end(&scope, &state, 7, "f1").unwrap();
        assert_eq!(kept(&scope, &state).unwrap(), Kept { open: None, over: Some(open), turn: 7 });
    }

    #[test]
    fn d11_what_is_damaged_is_not_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (scope, state) = place(folder.path());
        files::replace(file(&scope, &state), b"{").unwrap();
        assert!(kept(&scope, &state).is_err() && begin(&scope, &state, 1, &mark("f1")).is_err());
    }
}
