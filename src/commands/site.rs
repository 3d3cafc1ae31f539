//! What the verbs of a deployment have in common: which service, where it is remembered, how it is
//! started.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::Session;
use crate::checks::{self, Surroundings, Target};
use crate::config::transaction::TransactionSpec;
use crate::config::{Config, Loaded, Side, exchange};
use crate::decide::capture::Capture;
use crate::decide::history::{History, Live, Release};
use crate::decide::journal::{Begun, Way};
use crate::decide::naming::Version;
use crate::decide::plan::{Act, Direction};
use crate::decide::strategy::{Current, Setup};
use crate::decide::verdict::Severity;
use crate::deploy::capture::{self, Subject};
use crate::deploy::commands::Commands;
use crate::deploy::current::{self, Where};
use crate::deploy::describe::describe;
use crate::deploy::ledger::{self, Ledger};
use crate::deploy::parts::Parts;
use crate::deploy::setup::{self, Overrides};
use crate::deploy::state::ENVIRONMENT;
use crate::deploy::story::Story;
use crate::deploy::{Scope, State};
use crate::exit::Fault;
use crate::host::files;
use crate::platforms::Order;

/// Flags that name a service.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
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
    pub(super) state: Option<String>,
    /// With `host`: a folder with a release's programs and its MANIFEST, for a host of another kind
    /// than this machine [default: this very program]
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip)]
    remote_binaries: Option<String>,
}

/// A service in an environment.
pub(super) struct Site {
    pub(super) loaded: Loaded,
    pub(super) spec: TransactionSpec,
    pub(super) scope: Scope,
    pub(super) state: State,
    pub(super) ledger: Box<dyn Ledger>,
    pub(super) parts: Parts,
}

impl SiteArgs {
    /// Reads the configuration and opens what it names. Nothing is made or changed.
    pub(super) fn open(&self, session: &Session) -> anyhow::Result<Site> {
        self.of(session.needed_config()?)
    }

    /// Opens what a configuration names. Nothing is made or changed.
    pub(super) fn of(&self, loaded: Loaded) -> anyhow::Result<Site> {
        let (scope, state) = self.place(Some(&loaded.config))?;
        let spec = loaded.transaction()?;
        exchange::validate(&loaded, &spec, scope.service.as_str())?;
        let ledger = ledger::open(&loaded.config, &scope, &state)?;
        let parts = Parts::of(&loaded, &spec, &scope, &state)?;
        Ok(Site { loaded, spec, scope, state, ledger, parts })
    }

    /// The same service, in the state folder that it was found in.
    pub(super) fn in_state(&self, state: &State) -> anyhow::Result<Self> {
        let root = state.root();
        let real = files::real_path(root).map_err(|error| {
            Fault::error(format!("cannot find the state folder {}: {error}", root.display()))
        })?;
        Ok(Self { state: Some(real.display().to_string()), ..self.clone() })
    }

    /// What is named, and the folder of its state. Nothing is made or looked at.
    pub(super) fn place(&self, config: Option<&Config>) -> anyhow::Result<(Scope, State)> {
        let (service, environment) = (self.service.as_deref(), self.environment.as_deref());
        let state = self.state.as_deref();
        match (config, service) {
            (Some(config), _) => {
                Ok((Scope::of(config, service, environment)?, State::of(config, state)?))
            }
            (None, Some(service)) => {
                let scope = Scope::new(service, environment.unwrap_or(ENVIRONMENT))?;
                Ok((scope, State::named(state)?))
            }
            (None, None) => Err(Fault::usage("the service has no name")
                .hint("give --service, or name a waveoff.yml with --config")
                .into()),
        }
    }
}

impl Site {
    /// What the ledger adds up to.
    pub(super) fn history(&self) -> anyhow::Result<History> {
        let records = self.ledger.read()?;
        let Scope { service, environment } = &self.scope;
        Ok(History::of(&records, service.as_str(), environment.as_str()))
    }

    /// How releases are exchanged, and what there is now.
    pub(super) fn survey(
        &self,
        session: &Session,
        history: &History,
        target: Option<&Release>,
        told: &Overrides,
    ) -> anyhow::Result<(Setup, Current)> {
        let Self { scope, state, parts, spec, .. } = self;
        let setup = setup::setup(spec, parts, scope, state, told);
        let place = Where { scope, state, parts, spec, tag_file: &setup.tag_file };
        let current = current::look(&place, history, target, &Commands::looking(session))?;
        Ok((setup, current))
    }

    /// What production is like: the components, the data, the machine, and the checks, each once.
    pub(super) fn capture(&self, session: &Session, history: Result<&History, String>) -> Capture {
        let live = history.as_ref().ok().and_then(|history| live_of(history));
        let view = self.parts.view();
        let target = Target {
            base_url: self.parts.base_url(&view),
            expected_version: live.map(|release| release.version),
            ..Target::default()
        };
        let subject = Subject {
            scope: &self.scope,
            spec: self.spec.capture.as_ref(),
            migrate: self.spec.migrate.as_ref(),
            history,
            serving: self.parts.serving(&Commands::looking(session)),
            target: Some(target),
        };
        capture::take(session, &self.loaded, &subject)
    }

    /// Says what a plan would do, and what would take it back.
    pub(super) fn tell_plan(&self, story: &Story<'_>, begun: &Begun) {
        let tell = |act: &Act, before: &str| {
            for line in describe(&self.parts, &self.spec, act) {
                story.tell(act.word(), &format!("{before}{line}"));
            }
        };
        for operation in begun.plan.forward.iter().chain(&begun.plan.cleanup) {
            tell(&operation.act, "");
        }
        if begun.way == Way::Deploy {
            for operation in begun.plan.forward.iter().rev() {
                operation.undo.iter().for_each(|undo| tell(undo, "if it fails: "));
            }
            let places = |act: &&Act| matches!(act, Act::Place { .. });
            for act in begun.plan.restored.iter().map(|operation| &operation.act).filter(places) {
                tell(act, "if it fails: ");
            }
            if begun.plan.back.is_none() {
                story.tell("rollback", "nothing to go back to: no release was verified yet");
            }
        }
        story.tell("record", &format!("each of these in {}", self.ledger.describe()));
    }

    /// Looks, while leaving costs nothing, whether everything that a plan will start can be
    /// started, on either way; `force` lets the way back be missing.
    pub(super) fn check(&self, begun: &Begun, force: bool) -> anyhow::Result<()> {
        let plan = &begun.plan;
        if let Some(router) = &self.parts.router {
            router.check(&self.parts.slots)?;
        }
        plan.forward.iter().try_for_each(|operation| self.check_act(&operation.act))?;
        let undone = plan.forward.iter().filter_map(|operation| operation.undo.as_ref());
        for act in undone.chain(plan.restored.iter().map(|operation| &operation.act)) {
            if let Err(error) = self.check_act(act)
                && !force
            {
                let version = &begun.release.version;
                let text = format!("{version} could not be taken back if it failed: {error:#}");
                return Err(Fault::usage(text)
                    .hint("bring the rollback target's artifacts back, or deploy with --force")
                    .into());
            }
        }
        Ok(())
    }

    fn check_act(&self, act: &Act) -> anyhow::Result<()> {
        let Act::Place { component, slot, release, direction, .. } = act else { return Ok(()) };
        if *direction == Direction::Back {
            // A ledger may be anybody's: what comes out of it is as foreign as a flag.
            release.version.parse::<Version>().map_err(|why| {
                Fault::error(format!("the ledger's rollback target is not to be used: {why}"))
            })?;
        }
        let order = Order { release, previous: None, direction: *direction };
        self.parts.platform(component, slot.as_ref())?.check(&order)
    }

    /// Looks whether the platforms could begin to start a release, wherever they may have to.
    pub(super) fn startable(&self, release: &Release) -> anyhow::Result<()> {
        let order = Order { release, previous: None, direction: Direction::Forward };
        self.parts.traces().iter().try_for_each(|trace| trace.platform.check(&order))
    }

    /// The names of the checks that decide. A suite that cannot pass is refused now, and not after the
    /// release was started.
    pub(super) fn critical_checks(&self, release: &Release) -> anyhow::Result<Vec<String>> {
        let surroundings = Surroundings {
            base_url: self.parts.base_url(&self.parts.view()),
            expected_version: Some(release.version.clone()),
            process: None,
            ..Surroundings::default()
        };
        let specs = match &self.loaded.folder {
            Some(_) => checks::specs(&self.loaded),
            None => checks::without_those_of(Side::Caller, &self.loaded),
        };
        let decides = |check: &checks::Check| check.severity == Severity::Critical;
        if !specs.is_empty() {
            let names = checks::build(&specs, &surroundings)?.into_iter().filter(decides);
            let names: Vec<String> = names.map(|check| check.name).collect();
            if !names.is_empty() {
                return Ok(names);
            }
        }
        let file = &self.loaded.file;
        Err(Fault::usage(format!("{file}: no critical check says when a release is well"))
            .hint("write at least one under `checks:`; what nobody looked at is never verified")
            .into())
    }

    /// The version that serves, when that is known.
    pub(super) fn running(&self, session: &Session) -> Option<String> {
        self.parts.version(&Commands::looking(session))
    }
}

/// The release that runs by the ledger, when that is certain.
pub(super) fn live_of(history: &History) -> Option<Release> {
    match history.live() {
        Live::Verified(release, _) => Some(release),
        Live::Nothing | Live::Unknown(_) => None,
    }
}
