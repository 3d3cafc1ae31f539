//! Lets the requests that a slot still has come to their end before it is stopped.

use std::time::Duration;

use super::hands::Hands;
use crate::checks::{self, Target};
use crate::config::exchange::tells_version;
use crate::decide::history::Release;
use crate::decide::plan::{Slot, View};
use crate::host::clock::Moment;
use crate::host::signals::Cancel;
use crate::host::system;

/// How often a draining slot is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Looks in a row that find nobody: between two requests there may be none for a moment.
const EMPTY: u32 = 3;
/// The time between two questions through the router.
const ASKING: Duration = Duration::from_millis(50);
/// How long it is asked there at most: what comes back may not be well.
const SETTLING: Duration = Duration::from_secs(5);
/// How long it is waited where nobody can be asked: a reload takes a tenth of that.
const USUAL: Duration = Duration::from_secs(1);
/// Right answers in a row through the router: while it is being switched, it answers from both sides.
const SETTLED: u32 = 5;

impl Hands<'_> {
    /// Waits until nobody is connected to a slot any more; out of time is no failure, since what
    /// is stopped then may end its own requests.
    pub(super) fn drain(&self, slot: &Slot, after: Option<&Release>, limit: Duration) -> String {
        let (started, nobody) = (Moment::now(), Cancel::default());
        let settled = after.is_none_or(|release| self.settle(release, limit.min(SETTLING)));
        let doubt =
            if settled { "" } else { "; whether the router sends requests there was not seen" };
        let mut empty = 0;
        loop {
            let left: usize = slot.ports.values().map(|port| system::connections_to(*port)).sum();
            let took = started.elapsed();
            empty = if left == 0 { empty + 1 } else { 0 };
            if empty == EMPTY {
                return format!("nobody is connected to {} any more{doubt}", slot.name);
            }
            if took >= limit {
                return match left {
                    0 => format!("nobody is connected to {}{doubt}", slot.name),
                    left => format!("{left} are still connected to {}{doubt}", slot.name),
                };
            }
            nobody.sleep(TICK.min(limit.saturating_sub(took)));
        }
    }

    /// Asks through the router until only this release answers, and tells whether it came to that. A
    /// router may go on sending requests to where it sent them until now for a moment after it was
    /// told: nginx starts its new workers first, and the old ones accept connections meanwhile.
    /// Whether the release is well is asked by others.
    fn settle(&self, release: &Release, limit: Duration) -> bool {
        let telling = self.telling();
        let (started, aside, mut right) = (Moment::now(), self.session.aside(), 0);
        let target = Target {
            base_url: self.parts.base_url(&View::Router { slot: None }),
            expected_version: Some(release.version.clone()),
            only_paths: true,
            once: true,
            only: Some(telling.clone()),
            ..Target::default()
        };
        while !telling.is_empty() && started.elapsed() < limit {
            let Ok(seen) = checks::verify(&aside, self.loaded, &target) else { break };
            right = if seen.verdict.is_pass() { right + 1 } else { 0 };
            if right == SETTLED {
                return true;
            }
            Cancel::default().sleep(ASKING);
        }
        // Who cannot be asked is given the time that others took.
        let left = limit.min(USUAL).saturating_sub(started.elapsed());
        Cancel::default().sleep(left);
        false
    }

    /// The checks, by their labels, that tell who answers and change nothing.
    fn telling(&self) -> Vec<String> {
        let all = checks::specs(self.loaded).into_iter().enumerate();
        let tells = all.filter(|(_, (_, spec))| {
            let reads = spec.method.as_deref().is_none_or(|method| {
                ["get", "head"].iter().any(|known| method.eq_ignore_ascii_case(known))
            });
            let sends = spec.body.is_some() || spec.json.is_some();
            spec.path.is_some() && reads && !sends && tells_version(spec)
        });
        tells.map(|(index, (_, spec))| checks::label(index, &spec)).collect()
    }
}
