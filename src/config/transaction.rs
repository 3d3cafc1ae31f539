//! How a release takes the place of another one: its parts, the strategy, the router, the
//! migration. Only `waveoff` reads these keys; the observing programs pass over them, and stay
//! small.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::pipeline::PlatformSpec;
use super::preflight::PreflightSpec;
use super::values::{Argv, Increase, NonEmpty, Period, Secret};

/// The keys of `waveoff.yml` that say how releases are exchanged. The other keys were read before,
/// strictly, and are passed over here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TransactionSpec {
    /// How releases are started.
    pub platform: Option<PlatformSpec>,
    /// The parts of a release, in the order in which they are deployed.
    pub components: Option<NonEmpty<ComponentSpec>>,
    /// How a release takes the place of another one; `rolling` if absent.
    pub strategy: Option<StrategySpec>,
    /// What sends requests to a slot; needed for slots.
    pub router: Option<RouterSpec>,
    /// What changes the database before a release is started.
    pub migrate: Option<MigrateSpec>,
    /// What is written down of the state before anything changes, besides versions and services.
    pub capture: Option<CaptureSpec>,
    /// What must be in place before a release is deployed.
    pub preflight: Option<PreflightSpec>,
    /// The limit of one deployment; when it is over, the old release comes back. 30m if absent.
    pub deploy_within: Option<Period>,
}

/// One part of a release.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ComponentSpec {
    /// Its name.
    pub name: String,
    /// How it is started.
    pub platform: PlatformSpec,
    /// Whether it stays outside of the slots and is restarted in place, since it must not run twice, as a worker; without slots all are.
    #[serde(default)]
    pub in_place: bool,
}

/// How a release takes the place of another one (read in `forms`, as a word or a map).
#[derive(Debug, Clone)]
pub enum StrategySpec {
    /// In place: the old one is stopped, the new one is started.
    Rolling(RollingSpec),
    /// Beside the old one; then the traffic is switched.
    BlueGreen(BlueGreenSpec),
}

/// In place.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RollingSpec {
    /// How long the checks are repeated after they passed; 30s if absent, 0s for not at all.
    pub watch: Option<Period>,
    /// The time between two looks of the watch; 10s if absent.
    pub interval: Option<Period>,
    /// Failures in a row after which the old release comes back; 3 if absent.
    pub failures: Option<u32>,
    /// The file that keeps the version that would be brought back; `.deploy-previous-tag` in the state folder if absent.
    pub previous_tag: Option<String>,
    /// How long the old release is left alone before it is verified after a rollback; 0s if absent, since a verification waits by itself.
    pub settle: Option<Period>,
}

/// Beside the old one.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BlueGreenSpec {
    /// Two slots by name, with the port of each, or with the port of each component.
    pub slots: BTreeMap<String, PortsSpec>,
    /// The limit of the idle slot's checks; the limit of the deployment if absent.
    pub health_check_timeout: Option<Period>,
    /// How long to wait between the idle slot's checks and the switch; 0s if absent.
    pub traffic_switch_delay: Option<Period>,
    /// How long the traffic is watched after the switch; 5m if absent.
    pub watch: Option<Period>,
    /// The time between two looks of the watch; 10s if absent.
    pub interval: Option<Period>,
    /// Failures in a row after which the traffic is switched back; 3 if absent.
    pub failures: Option<u32>,
    /// How long the old slot is kept for a rollback at once; it is stopped after the watch if absent.
    pub keep_old: Option<Period>,
    /// How long the old slot may go on with the requests that it has, before it is stopped; 30s if absent.
    pub drain: Option<Period>,
}

/// The port of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "is neither a port, like 8001, nor a port for each component")]
pub enum PortsSpec {
    /// Of a release with one part.
    One(u16),
    /// By component.
    Each(BTreeMap<String, u16>),
}

/// What sends requests to a slot.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RouterSpec {
    /// nginx, by a file that its configuration includes.
    Nginx(NginxSpec),
    /// HAProxy, by its runtime socket.
    Haproxy(HaproxySpec),
    /// Your own command.
    Command(CommandRouterSpec),
}

/// nginx, by a file that its configuration includes.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NginxSpec {
    /// The file, which is written by waveoff alone: an upstream for each component.
    pub include: String,
    /// The name of the upstream; the service's if absent, with `-` and the component's name behind it where there are several.
    pub upstream: Option<String>,
    /// Reloads nginx; `[nginx, -s, reload]` if absent.
    pub reload: Option<Argv>,
    /// Tests the configuration; the reload command with `-t` in place of `-s reload` if absent.
    pub test: Option<Argv>,
    /// Where the router answers, as seen from here; `public` if absent.
    pub url: Option<String>,
}

/// HAProxy, by its runtime socket.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HaproxySpec {
    /// The runtime socket: a path.
    pub socket: String,
    /// The backend; `{{component}}` is replaced.
    pub backend: String,
    /// The server of a slot in the backend; its name is the slot's if absent.
    #[serde(default)]
    pub servers: BTreeMap<String, String>,
    /// HAProxy's `server-state-file`, written after each switch so that a restart agrees.
    pub state_file: Option<String>,
    /// Where the router answers, as seen from here; `public` if absent.
    pub url: Option<String>,
}

/// Your own command.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandRouterSpec {
    /// Sends the requests to the slot in `WAVEOFF_SLOT`, at `WAVEOFF_PORT`.
    pub switch: Argv,
    /// Prints the slot that gets the requests; what was switched last is remembered if absent.
    pub active: Option<Argv>,
    /// The commands' environment besides the caller's.
    #[serde(default)]
    pub env: BTreeMap<String, Secret>,
    /// The commands' working folder.
    pub dir: Option<String>,
    /// The limit of one command; 1m if absent.
    pub timeout: Option<Period>,
    /// Where the router answers, as seen from here; `public` if absent.
    pub url: Option<String>,
}

/// What changes the database before a release is started.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MigrateSpec {
    /// Migrates to what the release in `WAVEOFF_VERSION` needs.
    pub command: Argv,
    /// Takes the migration back; run again after an interruption, so it must not mind that.
    pub restore: Option<Argv>,
    /// Prints the version of the database schema.
    pub version: Option<Argv>,
    /// Whether the release before works with the migrated database, so that nothing has to be taken back.
    #[serde(default)]
    pub old_code_compatible: bool,
    /// The commands' environment besides the caller's.
    #[serde(default)]
    pub env: BTreeMap<String, Secret>,
    /// The commands' working folder.
    pub dir: Option<String>,
    /// The limit of one command; 15m if absent.
    pub timeout: Option<Period>,
}

/// What is written down of the state before anything changes.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CaptureSpec {
    /// Services by name, with a command that prints their state in a word: `[systemctl, is-active, redis]`.
    #[serde(default)]
    pub services: BTreeMap<String, Argv>,
    /// Data by name, with a command that prints a number that must not be smaller after a rollback, or a text that must be the same.
    #[serde(default)]
    pub data: BTreeMap<String, Argv>,
    /// How much slower than before a check may be after a rollback; 100% if absent.
    pub slower: Option<Increase>,
}
