//! Lets the requests that a slot still has come to their end before it is stopped.

use std::time::Duration;

use super::hands::Hands;
use crate::checks::{self, Target};
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
/// Right answers in a row through the router: while it is being switched, it answers from both sides.
const SETTLED: u32 = 5;

impl Hands<'_> {
    /// Waits until nobody is connected to a slot any more; out of time is no failure, since what
    /// is stopped then may end its own requests.
    pub(super) fn drain(&self, slot: &Slot, after: Option<&Release>, limit: Duration) -> String {
        let (started, nobody) = (Moment::now(), Cancel::default());
        if let Some(release) = after {
            self.settle(release, limit.min(SETTLING));
        }
        let mut empty = 0;
        loop {
            let left: usize = slot.ports.values().map(|port| system::connections_to(*port)).sum();
            let took = started.elapsed();
            empty = if left == 0 { empty + 1 } else { 0 };
            if empty == EMPTY {
                return format!("nobody is connected to {} any more", slot.name);
            }
            if took >= limit {
                return match left {
                    0 => format!("nobody is connected to {}", slot.name),
                    left => format!("{left} are still connected to {}", slot.name),
                };
            }
            nobody.sleep(TICK.min(limit.saturating_sub(took)));
        }
    }

    /// Asks through the router until only this release answers. A router may go on sending requests
    /// to where it sent them until now for a moment after it was told: nginx starts its new workers
    /// first, and the old ones accept connections meanwhile. Whether the release is well is asked
    /// by others.
    fn settle(&self, release: &Release, limit: Duration) {
        let target = Target {
            base_url: self.parts.base_url(&View::Router { slot: None }),
            expected_version: Some(release.version.clone()),
            only_paths: true,
            once: true,
            ..Target::default()
        };
        let (started, aside, mut right) = (Moment::now(), self.session.aside(), 0);
        while right < SETTLED && started.elapsed() < limit {
            let seen = checks::verify(&aside, self.loaded, &target);
            right = if seen.is_ok_and(|seen| seen.verdict.is_pass()) { right + 1 } else { 0 };
            Cancel::default().sleep(ASKING);
        }
    }
}
