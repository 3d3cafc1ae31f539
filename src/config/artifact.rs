//! Releases that are an archive of files, unpacked beside each other and run by systemd.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::{Argv, NonEmpty, Period, Secret};

/// An archive in a folder of its own for each release, and the units that run it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SystemdSpec {
    /// The archive, a `.tar` or `.tar.gz`: a path, or an address that begins with `https://`; `{{version}}` is replaced, and with components `{{component}}`.
    pub artifact: String,
    /// Its SHA-256: 64 hexadecimal digits, or the path or address of a file of checksums, in which the same is replaced. A digest of the release wins. For a path, a file `….sha256` or `SHA256SUMS` beside it is used if absent; an address needs one of them.
    pub sha256: Option<String>,
    /// Headers of the requests for it, sent to the address's own host only.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The limit of fetching it; 10m if absent.
    pub fetch_within: Option<Period>,
    /// Where the releases are unpacked: an absolute path. `releases/` is made in it, and `current`, or with slots `slots/<slot>`, which leads to the one that runs. With components `{{component}}` must stand in it.
    pub folder: String,
    /// Leading parts of the names in the archive that are left out; 0 if absent.
    #[serde(default)]
    pub strip_components: usize,
    /// How many releases are kept, 2 at least; 5 if absent. What runs, and what the ledger knows as verified last, is kept besides.
    pub keep: Option<usize>,
    /// The units, in the order in which they are started; they are stopped in reverse. With slots `{{slot}}` must stand in each: `shop@{{slot}}.service`.
    pub units: NonEmpty<String>,
    /// Whether the units are those of the user's own manager: `systemctl --user`.
    #[serde(default)]
    pub user: bool,
    /// The port it serves on, for `path` checks and in the units' `PORT`; in a slot it is the slot's, whatever stands here.
    pub port: Option<u16>,
    /// How long each unit must have run by itself to count as started; 1s if absent.
    pub settle: Option<Period>,
    /// The limit of starting or stopping one unit; 2m if absent. The time between SIGTERM and SIGKILL is the unit's own `TimeoutStopSec`.
    pub timeout: Option<Period>,
    /// What starts and stops units; `[systemctl]` if absent, `[sudo, -n, systemctl]` for a user who may do no more than that. Units are looked at without it.
    pub systemctl: Option<Argv>,
    /// What reads the units' journal; `[journalctl]` if absent.
    pub journalctl: Option<Argv>,
}
