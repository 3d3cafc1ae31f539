//! How releases of a service are exchanged: its configuration, with the defaults filled in.

use std::time::Duration;

use super::parts::Parts;
use super::state::{Scope, State};
use crate::config::transaction::{StrategySpec, TransactionSpec};
use crate::config::values::Period;
use crate::decide::staleness::DEADLINE;
use crate::decide::strategy::{BlueGreen, Migration, Rolling, Setup, Strategy};

/// The limit of one deployment.
const DEPLOY_WITHIN: Duration = Duration::from_secs(30 * 60);
/// The time between two looks of a watch.
const INTERVAL: Duration = Duration::from_secs(10);
/// Failures in a row that decide.
const FAILURES: u32 = 3;

/// What somebody says on the command line in place of the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides {
    /// Keep the old slot for so long.
    pub keep_old: Option<Duration>,
    /// One limit over all of the idle slot's checks.
    pub health_check_timeout: Option<Duration>,
    /// How long to wait before the switch.
    pub traffic_switch_delay: Option<Duration>,
    /// How long to watch.
    pub watch: Option<Duration>,
    /// Go on although the migration can neither be taken back nor be lived with.
    pub irreversible: bool,
}

/// The setup of a service.
pub fn setup(
    spec: &TransactionSpec,
    parts: &Parts,
    scope: &Scope,
    state: &State,
    told: &Overrides,
) -> Setup {
    let own = |own: Option<Period>, usual: u64| own.map_or(Duration::from_secs(usual), |own| own.0);
    let given = |own: Option<Period>| own.map(|own| own.0);
    let interval = |own: Option<Period>| own.map_or(INTERVAL, |own| own.0);
    let strategy = match &spec.strategy {
        Some(StrategySpec::BlueGreen(spec)) => Strategy::BlueGreen(BlueGreen {
            slots: parts.slots.clone(),
            watch: told.watch.unwrap_or(own(spec.watch, 5 * 60)),
            interval: interval(spec.interval),
            failures: spec.failures.unwrap_or(FAILURES),
            traffic_switch_delay: told
                .traffic_switch_delay
                .unwrap_or(own(spec.traffic_switch_delay, 0)),
            health_check_timeout: told.health_check_timeout.or(given(spec.health_check_timeout)),
            keep_old: told.keep_old.or(given(spec.keep_old)),
            drain: own(spec.drain, 30),
        }),
        Some(StrategySpec::Rolling(spec)) => Strategy::Rolling(Rolling {
            watch: told.watch.unwrap_or(own(spec.watch, 30)),
            interval: interval(spec.interval),
            failures: spec.failures.unwrap_or(FAILURES),
            settle: own(spec.settle, 0),
        }),
        // Nobody asked for a watch.
        None => Strategy::Rolling(Rolling {
            watch: told.watch.unwrap_or_default(),
            interval: INTERVAL,
            failures: FAILURES,
            settle: Duration::ZERO,
        }),
    };
    Setup {
        service: scope.service.to_string(),
        components: parts.components.clone(),
        in_place: parts.in_place.clone(),
        strategy,
        migration: spec.migrate.as_ref().map(|spec| Migration {
            restorable: spec.restore.is_some(),
            compatible: spec.old_code_compatible,
            allowed: told.irreversible,
        }),
        tag_file: tag_file(spec, scope, state),
        compare: true,
    }
}

/// The file that keeps the version that would be brought back.
pub fn tag_file(spec: &TransactionSpec, scope: &Scope, state: &State) -> String {
    let own = match &spec.strategy {
        Some(StrategySpec::Rolling(spec)) => spec.previous_tag.clone(),
        _ => None,
    };
    let usual = || state.folder(scope).join(".deploy-previous-tag").display().to_string();
    own.unwrap_or_else(usual)
}

/// The limit of one deployment.
pub fn deploy_within(spec: &TransactionSpec) -> Duration {
    spec.deploy_within.map_or(DEPLOY_WITHIN, |within| within.0)
}

/// How long a run may write nothing down before it is called stale: as long as the longest step that
/// somebody has declared, and at least the usual time.
pub fn patience(spec: &TransactionSpec) -> Duration {
    let strategy = match &spec.strategy {
        Some(StrategySpec::Rolling(rolling)) => vec![rolling.watch, rolling.settle],
        Some(StrategySpec::BlueGreen(slots)) => {
            vec![slots.health_check_timeout, slots.traffic_switch_delay, slots.watch, slots.drain]
        }
        None => Vec::new(),
    };
    let migrate = spec.migrate.as_ref().and_then(|migrate| migrate.timeout);
    let declared = strategy.into_iter().chain([migrate]).flatten().map(|period| period.0);
    declared.fold(DEADLINE, Duration::max).min(deploy_within(spec))
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
