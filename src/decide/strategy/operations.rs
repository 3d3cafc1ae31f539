//! The operations that strategies have in common, with the names that people read in reports.

use std::time::Duration;

use super::{Current, Migrated, Refusal, Return, Setup};
use crate::decide::history::Release;
use crate::decide::plan::{Act, Direction, Operation, Slot, View};

/// What a migration means for the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The old code runs with the database as it is then.
    Free,
    /// The database has to be taken back before the old code runs again.
    Restored,
    /// There is no way back.
    Closed,
}

/// The migration, when there is one, and what it means. `old_code` tells whether there is code to
/// go back to: without it nothing has to fit, and a database is better left as it is.
pub(super) fn migrate(
    setup: &Setup,
    current: &Current,
    release: &Release,
    old_code: bool,
) -> Result<(Option<Operation>, Behind), Refusal> {
    let Some(migration) = setup.migration else { return Ok((None, Behind::Free)) };
    let (release, schema) = (release.clone(), current.schema.clone());
    let version = release.version.clone();
    let act = Act::Migrate { release: release.clone(), schema: schema.clone() };
    let operation = Operation::new(format!("migrate for {version}"), act);
    if migration.compatible || !old_code {
        return Ok((Some(operation), Behind::Free));
    }
    if migration.restorable {
        return Ok((Some(operation.undo(Act::Restore { release, schema })), Behind::Restored));
    }
    let why = format!("the migration for {version} cannot be taken back");
    if !migration.allowed {
        return Err(Refusal {
            reason: format!("{why}, and nothing says that the old code works with it"),
            hint: "give `migrate` a `restore` command, write `old-code-compatible: true` if that \
                   is so, or deploy it with --irreversible: when it fails, a person is needed"
                .into(),
        });
    }
    Ok((Some(Operation { no_way_back: Some(why), ..operation }), Behind::Closed))
}

/// What takes the database back in a rollback by hand, when it has to be: a migration after the
/// other, the last one first, since a `restore` command takes one release's back.
pub(super) fn restore(setup: &Setup, way: &Return<'_>) -> Result<Vec<Operation>, Refusal> {
    let migration = setup.migration.unwrap_or_default();
    if way.preserve_data || migration.compatible {
        return Ok(Vec::new());
    }
    let (failed, target) = (&way.failed.version, &way.target.version);
    if let Some(untold) = way.untold.filter(|_| setup.migration.is_some()) {
        return Err(Refusal {
            reason: format!(
                "whether the database was migrated for {untold} is not known here: the journal of \
                 its deployment is gone"
            ),
            hint: format!(
                "take it back by hand if {target} needs that, then go back with --preserve-data"
            ),
        });
    }
    if way.migrated.is_empty() {
        return Ok(Vec::new());
    }
    if !migration.restorable {
        return Err(Refusal {
            reason: format!(
                "the database was migrated for {failed}, that cannot be taken back, and nothing \
                 says that {target} works with it"
            ),
            hint: format!(
                "give `migrate` a `restore` command, or go back with --preserve-data if {target} \
                 works with the database as it is"
            ),
        });
    }
    let all = way.migrated.iter().map(|Migrated { release, schema }| {
        let act = Act::Restore { release: release.clone(), schema: schema.clone() };
        Operation::new(format!("take the migration for {} back", release.version), act)
    });
    Ok(all.collect())
}

/// Starts a release of a component.
pub(super) fn place(
    setup: &Setup,
    component: &str,
    slot: Option<&Slot>,
    (release, over): (&Release, Option<&Release>),
    direction: Direction,
) -> Operation {
    let name = format!("start {}{}{}", release.version, of(setup, component), within(slot));
    let (component, slot, release) = (component.into(), slot.cloned(), release.clone());
    Operation::new(name, Act::Place { component, slot, release, over: over.cloned(), direction })
}

/// Starts a release again in the place of each of these parts, the last one first.
pub(super) fn bring_back(
    setup: &Setup,
    components: &[String],
    (release, over): (&Release, &Release),
) -> Vec<Operation> {
    let all = components.iter().rev();
    let releases = (release, Some(over));
    all.map(|component| place(setup, component, None, releases, Direction::Back)).collect()
}

/// Waits until a release is well.
pub(super) fn verify(release: &Release, view: View, limit: Option<Duration>) -> Operation {
    let name = format!("verify {}{}", release.version, seen(&view));
    let (release, limit_ms) = (release.clone(), limit.map(millis));
    Operation::new(name, Act::Verify { release, view, limit_ms })
}

/// Looks whether a release stays well, when that is wanted.
pub(super) fn watch(
    release: &Release,
    view: View,
    (length, interval, failures): (Duration, Duration, u32),
) -> Option<Operation> {
    let name = format!("watch {} for {}", release.version, in_words(length));
    let (for_ms, interval_ms) = (millis(length), millis(interval));
    let act = Act::Watch { release: release.clone(), view, for_ms, interval_ms, failures };
    (!length.is_zero()).then(|| Operation::new(name, act))
}

/// Waits, when that is wanted.
pub(super) fn pause(length: Duration, reason: &str) -> Option<Operation> {
    let act = Act::Pause { ms: millis(length), reason: reason.into() };
    (!length.is_zero())
        .then(|| Operation::new(format!("wait {} for {reason}", in_words(length)), act))
}

/// Compares with what was captured before, when there is something.
pub(super) fn compare(setup: &Setup, release: &Release) -> Option<Operation> {
    let name = format!("compare {} with what was captured", release.version);
    setup.compare.then(|| Operation::new(name, Act::Compare { release: release.clone() }))
}

/// What runs in a slot is stopped, after its requests came to their end.
pub(super) fn retire(
    setup: &Setup,
    slot: &Slot,
    release: Option<&Release>,
    drain: Duration,
) -> Vec<Operation> {
    let drain = (!drain.is_zero()).then(|| {
        let act = Act::Drain { slot: slot.clone(), after: None, limit_ms: millis(drain) };
        Operation::new(format!("let the requests in {} end", slot.name), act)
    });
    let what = release.map_or("what runs", |release| release.version.as_str());
    let name = format!("stop {what}{}", within(Some(slot)));
    drain.into_iter().chain([Operation::new(name, clear(setup, slot, release))]).collect()
}

/// Stops what runs in a slot, the last part first.
pub(super) fn clear(setup: &Setup, slot: &Slot, release: Option<&Release>) -> Act {
    Act::Clear {
        components: setup.components.iter().rev().cloned().collect(),
        slot: slot.clone(),
        version: release.map(|release| release.version.clone()),
    }
}

/// A length of time in whole milliseconds.
pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// A length of time, as it is written in the configuration.
pub(super) fn in_words(length: Duration) -> String {
    humantime::format_duration(length).to_string()
}

/// A component's name where there are several.
fn of(setup: &Setup, component: &str) -> String {
    if setup.components.len() + setup.in_place.len() > 1 {
        format!(" of {component}")
    } else {
        String::new()
    }
}

fn within(slot: Option<&Slot>) -> String {
    slot.map_or(String::new(), |slot| format!(" in {}", slot.name))
}

fn seen(view: &View) -> String {
    match view {
        View::InPlace => String::new(),
        View::Slot { slot } => within(Some(slot)),
        View::Router { .. } => " through the router".into(),
    }
}
