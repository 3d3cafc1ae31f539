//! What `deploy`, `rollback` and `status` have in common: which service, where it is remembered,
//! how it is started.

use clap::Args;

use super::Session;
use crate::config::Loaded;
use crate::decide::history::{History, Live, Release};
use crate::decide::naming::Version;
use crate::deploy::ledger::{self, Ledger};
use crate::deploy::{Scope, State, lock};
use crate::exit::Fault;
use crate::host::lock::Held;
use crate::platforms::{self, Order, Platform};

/// Flags that name a service.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where")]
pub(super) struct SiteArgs {
    /// The service [default: `service` in waveoff.yml]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The environment [default: `environment` in waveoff.yml, else production]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The state folder, which must survive the job [default: `state` in waveoff.yml, else
    /// ~/.local/state/waveoff]
    #[arg(long, value_name = "FOLDER")]
    state: Option<String>,
}

/// A service in an environment.
pub(super) struct Site {
    pub(super) loaded: Loaded,
    pub(super) scope: Scope,
    pub(super) state: State,
    pub(super) ledger: Box<dyn Ledger>,
    pub(super) platform: Box<dyn Platform>,
}

impl SiteArgs {
    /// Reads the configuration and opens what it names. Nothing is made or changed.
    pub(super) fn open(&self, session: &Session) -> anyhow::Result<Site> {
        let loaded = session.needed_config()?;
        let scope =
            Scope::of(&loaded.config, self.service.as_deref(), self.environment.as_deref())?;
        let state = State::of(&loaded.config, self.state.as_deref())?;
        let ledger = ledger::open(&loaded.config, &scope, &state)?;
        let platform = platforms::of(&loaded.config, &scope, &state)?;
        Ok(Site { loaded, scope, state, ledger, platform })
    }
}

impl Site {
    /// What the ledger adds up to.
    pub(super) fn history(&self) -> anyhow::Result<History> {
        let records = self.ledger.read()?;
        let Scope { service, environment } = &self.scope;
        Ok(History::of(&records, service.as_str(), environment.as_str()))
    }

    /// Takes the lock.
    pub(super) fn lock(&self, doing: &str) -> anyhow::Result<Held> {
        lock::take(&self.scope, &self.state, doing)
    }

    /// Looks whether a rollback target could be started, before anything depends on it.
    pub(super) fn check_target(&self, target: &Release) -> anyhow::Result<()> {
        // A ledger may be anybody's: what comes out of it is as foreign as a flag.
        target.version.parse::<Version>().map_err(|why| {
            Fault::error(format!("the ledger's rollback target is not to be used: {why}"))
        })?;
        let direction = crate::decide::course::Direction::Back;
        self.platform.check(&Order { release: target, previous: None, direction })
    }
}

/// The release that runs by the ledger, when that is certain.
pub(super) fn live_of(history: &History) -> Option<Release> {
    match history.live() {
        Live::Verified(release, _) => Some(release),
        Live::Nothing | Live::Unknown(_) => None,
    }
}
