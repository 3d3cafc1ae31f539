//! Where to go back to, and whether that may be done without a person.

use std::time::SystemTime;

use super::evidence::{Evidence, Past, Source};
use super::ruling::{CircuitState, Reason, Target};
use crate::decide::history::{Deployment, History, Phase, Release};
use crate::decide::words::same_version;

/// Whether both name the same artifacts: by the most exact name that both have. `None` when they
/// have no kind of name in common.
pub(super) fn same(a: &Release, b: &Release) -> Option<bool> {
    if !a.digests.is_empty() && !b.digests.is_empty() {
        let sorted = |release: &Release| {
            let mut digests = release.digests.clone();
            digests.sort();
            digests
        };
        return Some(sorted(a) == sorted(b));
    }
    if !a.version.is_empty() && !b.version.is_empty() {
        return Some(same_version(&a.version, &b.version));
    }
    Some(a.sha.as_ref()? == b.sha.as_ref()?)
}

/// The release to go back to from `failed`, or why there is none.
pub(super) fn resolve(
    evidence: &Evidence,
    failed: &Release,
    recorded: Option<&Deployment>,
) -> Result<Target, Reason> {
    let is_failed = |release: &Release| same(release, failed) != Some(false);
    if evidence.target.as_ref().is_some_and(is_failed) {
        return Err(Reason::TargetIsFailed);
    }
    let target = match (&evidence.past, &evidence.target) {
        (Past::Unreadable(_), _) => return Err(Reason::LedgerUnreadable),
        (Past::NotAsked, None) => return Err(Reason::NoTarget),
        (Past::NotAsked, Some(named)) => Target { release: named.clone(), source: Source::Input },
        (Past::Known(history, _), Some(named)) => {
            Target { release: vouched(history, named)?, source: Source::Input }
        }
        (Past::Known(history, source), None) => match history.target(failed) {
            Some(release) => Target { release: release.clone(), source: *source },
            None if is_first(history, recorded) => return Err(Reason::FirstDeployment),
            None => return Err(Reason::NoTarget),
        },
    };
    if is_failed(&target.release) {
        return Err(Reason::TargetIsFailed);
    }
    // Where releases are pinned, a target that is not could be anything by now.
    if !failed.digests.is_empty() && target.release.digests.is_empty() {
        return Err(Reason::TargetWithoutDigest);
    }
    Ok(target)
}

/// A named target as the ledger knows it. One that it does not know is taken at the caller's word;
/// one that it knows to have failed is not.
fn vouched(history: &History, named: &Release) -> Result<Release, Reason> {
    let is_named = |deployment: &&Deployment| same(&deployment.release, named) == Some(true);
    if let Some(verified) = history.verified().into_iter().find(is_named) {
        let mut release = verified.release.clone();
        if release.digests.is_empty() {
            release.digests.clone_from(&named.digests);
        }
        release.sha = release.sha.or_else(|| named.sha.clone());
        return Ok(release);
    }
    match history.deployments.iter().any(|deployment| is_named(&deployment)) {
        true => Err(Reason::TargetNotVerified),
        false => Ok(named.clone()),
    }
}

/// Whether nothing was deployed before.
fn is_first(history: &History, recorded: Option<&Deployment>) -> bool {
    match (history.deployments.first(), recorded) {
        (Some(first), Some(recorded)) => first.id == recorded.id,
        (first, _) => first.is_none(),
    }
}

/// Whether another rollback may be made without a person, and how many there were.
pub(super) fn circuit(evidence: &Evidence) -> (CircuitState, usize) {
    let Past::Known(history, _) = &evidence.past else {
        let never = evidence.policy.max_rollbacks == 0;
        return (if never { CircuitState::Open } else { CircuitState::Unknown }, 0);
    };
    let from = evidence.now.checked_sub(evidence.policy.window).unwrap_or(SystemTime::UNIX_EPOCH);
    // A time that cannot be read, or that is yet to come, counts: the limit is there for the day
    // on which things are not as they should be.
    let recent = |deployment: &&Deployment| {
        matches!(deployment.phase, Phase::RolledBack | Phase::RollbackFailed)
            && humantime::parse_rfc3339(&deployment.changed).map_or(true, |at| at >= from)
    };
    let count = history.deployments.iter().filter(recent).count();
    let open = count as u64 >= u64::from(evidence.policy.max_rollbacks);
    (if open { CircuitState::Open } else { CircuitState::Closed }, count)
}
