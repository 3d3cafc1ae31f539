//! In place: the old release is stopped, the new one is started, part by part.

use std::time::Duration;

use super::operations::{
    Behind, bring_back, compare, migrate, pause, place, restore, verify, watch,
};
use super::{Current, Exchange, Refusal, Return, Setup, Wanted};
use crate::decide::history::Release;
use crate::decide::plan::{Act, Direction, Operation, Plan, View};

/// How releases are exchanged in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolling {
    /// How long a release is watched after it was verified; zero is not at all.
    pub watch: Duration,
    /// The time between two looks of the watch.
    pub interval: Duration,
    /// Failures in a row of the watch that decide.
    pub failures: u32,
    /// How long the old release is left alone before it is verified after a rollback. Zero is
    /// usual: a verification polls until the release is well, and so finds out as early as
    /// possible what a pause could only guess.
    pub settle: Duration,
}

impl Exchange for Rolling {
    fn name(&self) -> &'static str {
        "rolling"
    }

    fn deploy(&self, setup: &Setup, current: &Current, wanted: &Wanted) -> Result<Plan, Refusal> {
        if let Some(slot) = &wanted.to_slot {
            return Err(Refusal {
                reason: format!("there is no slot `{slot}`: the strategy is rolling"),
                hint: "write a `strategy` with slots, or name none".into(),
            });
        }
        let (release, target) = (&wanted.release, current.target.as_ref());
        let (migrate, behind) = migrate(setup, current, release, target.is_some())?;
        // What cannot come back is left as it is, to be looked at: the first release, too.
        let back = target.filter(|_| behind != Behind::Closed);
        let is_live = |back: &Release| current.live.as_ref().is_some_and(|live| live.is_same(back));
        // Usually the parts that were replaced come back, each in its turn. All of them do, behind
        // everything else, when what runs now is not what comes back; and when the database is
        // taken back, since old code may not even start with one that it does not know.
        let together = behind == Behind::Restored || !back.is_some_and(is_live);
        let places = setup.components.iter().map(|component| {
            let over = current.live.as_ref();
            let forward = place(setup, component, None, (release, over), Direction::Forward);
            match back.filter(|_| !together) {
                Some(back) => forward.undo(
                    place(setup, component, None, (back, Some(release)), Direction::Back).act,
                ),
                None => forward,
            }
        });
        let watch = watch(release, View::InPlace, (self.watch, self.interval, self.failures));
        let tag = target.map(|target| target.version.as_str());
        let before = save_tag(setup, current.previous_tag.as_deref());
        // Where nothing comes back, it is put back only if it is all that was done.
        let save = match (target, back) {
            (Some(_), None) => save_tag(setup, tag).undo(before.act.clone()),
            _ => save_tag(setup, tag),
        };
        let forward = std::iter::once(save)
            .chain(migrate)
            .chain(places)
            .chain([verify(release, View::InPlace, None)])
            .chain(watch)
            .collect();
        let restored = back.map_or_else(Vec::new, |back| {
            let places = || bring_back(setup, &setup.components, (back, release));
            let places = if together { places() } else { Vec::new() };
            // Until it is proven to be back, it is what a person has to bring back.
            places.into_iter().chain(self.prove(setup, back)).chain([before]).collect()
        });
        Ok(Plan { back: back.cloned(), forward, restored, ..Plan::default() })
    }

    /// The database first, then the code, for the same reason: what failed already cannot be harmed
    /// much by a database that does not fit it. The last part comes first, as when a deployment is
    /// taken back. The tag is changed when the target is proven: until
    /// then that is still where to go.
    fn rollback(&self, setup: &Setup, _: &Current, way: &Return<'_>) -> Result<Plan, Refusal> {
        let restore = restore(setup, way)?.into_iter();
        let places = bring_back(setup, &setup.components, (way.target, way.failed));
        let forward = restore.chain(places).chain(self.prove(setup, way.target)).collect();
        let cleanup = vec![save_tag(setup, way.before.map(|before| before.version.as_str()))];
        Ok(Plan { forward, cleanup, ..Plan::default() })
    }
}

impl Rolling {
    /// What proves that a release is back.
    fn prove(&self, setup: &Setup, release: &Release) -> Vec<Operation> {
        let settled = pause(self.settle, "the release to settle").into_iter();
        settled
            .chain([verify(release, View::InPlace, None)])
            .chain(compare(setup, release))
            .collect()
    }
}

/// What is kept is where a rollback goes to.
fn save_tag(setup: &Setup, tag: Option<&str>) -> Operation {
    let tag = tag.map(str::to_owned);
    let name = match &tag {
        Some(tag) => format!("save the previous tag {tag}"),
        None => "note that there is no previous tag".into(),
    };
    Operation::new(name, Act::SaveTag { file: setup.tag_file.clone(), tag })
}

#[cfg(test)]
#[path = "rolling_tests.rs"]
mod tests;
