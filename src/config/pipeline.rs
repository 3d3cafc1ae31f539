//! What is deployed, how, where it is remembered, and who is told.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::artifact::SystemdSpec;
use super::compose::ComposeSpec;
use super::values::{Argv, NonEmpty, Period, Secret};

/// How releases are started.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PlatformSpec {
    /// A supervised process on this machine.
    Process(ProcessSpec),
    /// Your own deploy command.
    Command(CommandPlatformSpec),
    /// A Compose project, with Docker or Podman.
    Compose(Box<ComposeSpec>),
    /// Archives that systemd's units run.
    Systemd(SystemdSpec),
}

/// A supervised process on this machine.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessSpec {
    /// The program that serves; it gets `WAVEOFF_VERSION` and `PORT`, and in its arguments `{{version}}`, `{{port}}`, and where there are any `{{slot}}` and `{{component}}` are replaced.
    pub start: Argv,
    /// Its working folder; the same is replaced.
    pub dir: Option<String>,
    /// The port it serves on; in a slot it is the slot's, whatever stands here.
    pub port: Option<u16>,
    /// Its environment besides the caller's.
    #[serde(default)]
    pub env: BTreeMap<String, Secret>,
    /// Where its process id is kept; in the state folder if absent. With slots `{{slot}}` must stand in it, with components `{{component}}`.
    pub pid_file: Option<String>,
    /// Where its output goes; in the state folder if absent. With slots `{{slot}}` must stand in it, with components `{{component}}`.
    pub log_file: Option<String>,
    /// The time between SIGTERM and SIGKILL; 30s if absent.
    pub grace: Option<Period>,
}

/// Your own deploy command.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommandPlatformSpec {
    /// Deploys the version in `WAVEOFF_VERSION`.
    pub deploy: Argv,
    /// Brings `WAVEOFF_VERSION` back; the deploy command if absent.
    pub rollback: Option<Argv>,
    /// Stops what runs in the slot in `WAVEOFF_SLOT`, and does not mind when nothing does; needed for slots.
    pub stop: Option<Argv>,
    /// Prints the version that runs, in the slot in `WAVEOFF_SLOT` where there are slots.
    pub running: Option<Argv>,
    /// The commands' environment besides the caller's.
    #[serde(default)]
    pub env: BTreeMap<String, Secret>,
    /// The commands' working folder.
    pub dir: Option<String>,
    /// The limit of one command; 15m if absent.
    pub timeout: Option<Period>,
}

/// Where deployments are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LedgerSpec {
    /// In the state folder of this machine.
    Folder,
    /// In the repository's GitHub deployments.
    Github,
}

/// One way to tell people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NotifySpec {
    /// An issue in the repository.
    GithubIssue,
    /// A Markdown file in the state folder.
    File,
}

/// Incidents: what is written besides the facts.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IncidentSpec {
    /// Labels instead of the usual ones.
    pub labels: Option<NonEmpty<String>>,
    /// Steps for the investigation besides the usual ones.
    pub investigation: Option<NonEmpty<String>>,
    /// Channels whose failure fails the step.
    pub required_channels: Option<NonEmpty<NotifySpec>>,
}
