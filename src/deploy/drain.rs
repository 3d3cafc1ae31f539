//! Lets the requests that a slot still has come to their end before it is stopped.

use std::time::Duration;

use super::hands::Hands;
use crate::checks::{self, Target};
use crate::config::Loaded;
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
        let (telling, loaded) = (telling(self.loaded), asked_once(self.loaded));
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
            let Ok(seen) = checks::verify(&aside, &loaded, &target) else { break };
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
}

/// The checks, by their labels, that tell who answers and change nothing.
fn telling(loaded: &Loaded) -> Vec<String> {
    let all = checks::specs(loaded).into_iter().enumerate();
    let tells = all
        .filter(|(_, (_, spec))| spec.path.is_some() && spec.only_reads() && tells_version(spec));
    tells.map(|(index, (_, spec))| checks::label(index, &spec)).collect()
}

/// The same with checks that ask once: who asks again and again needs no `repeat`.
fn asked_once(loaded: &Loaded) -> Loaded {
    let mut loaded = loaded.clone();
    for check in loaded.config.checks.iter_mut().flat_map(|list| &mut list.0) {
        (check.value.repeat, check.value.concurrency) = (None, None);
    }
    loaded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_who_is_asked_again_and_again_is_only_read() {
        let version = "expect: [{ version: { jsonpath: $.version } }]";
        let own = [
            "name: read, repeat: 20, concurrency: 4",
            "name: head, method: head",
            "name: options, method: OPTIONS",
            "name: text, body: x",
            "name: json, json: {}",
            "name: file, body-file: order.xml",
            "name: delete, method: DELETE",
            "name: warm, warm-up: { path: /ask }",
        ];
        let checks = own.map(|keys| format!("  - {{ path: /, {keys}, {version} }}\n")).concat();
        let text = format!("version: 1\nchecks:\n{checks}  - {{ name: other, path: / }}\n");
        let loaded = crate::config::parse("waveoff.yml", &text, |_| None).unwrap();
        assert_eq!(telling(&loaded), ["read", "head", "options"]);
        let once = asked_once(&loaded);
        let bursts = |(_, spec): &(_, crate::config::CheckSpec)| spec.repeat.or(spec.concurrency);
        assert!(checks::specs(&loaded).iter().any(|spec| bursts(spec).is_some()));
        assert!(checks::specs(&once).iter().all(|spec| bursts(spec).is_none()));
    }
}
