//! A Compose project, with Docker or Podman: services of a release in slots or in place, and shared
//! ones that stay.

mod binds;
mod engine;
mod images;
mod login;
mod model;
mod prepare;
mod project;
mod render;
mod run;
mod shared;
mod snapshot;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use super::{Log, Order, Place, Platform, Running, Trouble, ours, surroundings};
use crate::config::CheckSpec;
use crate::config::compose::{ComposePart, ComposeSpec, FilesSpec, USUAL};
use crate::config::values::Secret;
use crate::decide::history::Release;
use crate::decide::plan::Direction;
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State};
use crate::exit::Fault;
use crate::host::files;
use crate::host::process::Started;
use crate::preflight::Wanted;
use engine::{Container, Engine};
pub(super) use login::{has_login, sweep};
use model::{Kinds, wrong};
use snapshot::Snapshots;

/// The limit of one command.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(30);
/// Lines that are shown of what a release wrote.
const LINES: usize = 100;
/// The service of a container, by its name in the Compose file.
const SERVICE_LABEL: &str = "dev.waveoff.compose-service";
/// The release whose image a container that is never started keeps.
const HELD_LABEL: &str = "dev.waveoff.held";

/// What containers of ours are labelled with.
mod labels {
    /// The service that is deployed.
    pub(super) const SERVICE: &str = "dev.waveoff.service";
    /// The environment.
    pub(super) const ENVIRONMENT: &str = "dev.waveoff.environment";
    /// The component; empty where there is one.
    pub(super) const COMPONENT: &str = "dev.waveoff.component";
    /// The slot; empty where there is none.
    pub(super) const SLOT: &str = "dev.waveoff.slot";
    /// The version.
    pub(super) const VERSION: &str = "dev.waveoff.version";
    /// The release: the first digits of its digest.
    pub(super) const RELEASE: &str = "dev.waveoff.release";
    /// Where it is reached from this machine; empty where that is not known.
    pub(super) const ADDRESS: &str = "dev.waveoff.address";
    /// The image that is kept.
    pub(super) const IMAGE: &str = "dev.waveoff.image";
}

/// The platform.
pub(super) struct Compose {
    spec: ComposeSpec,
    scope: Scope,
    place: Place,
    folder: PathBuf,
    engine: Engine,
    snapshots: Snapshots,
    /// How often each container had been restarted when it was seen first.
    restarts: Mutex<BTreeMap<String, u32>>,
    /// Variables that the files ask for and nobody has set.
    unset: Mutex<BTreeSet<String>>,
}

impl Compose {
    pub(super) fn new(
        spec: ComposeSpec,
        place: &Place,
        scope: &Scope,
        state: &State,
    ) -> anyhow::Result<Self> {
        if let Some((slot, _)) = &place.slot {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            if !slot.chars().all(fits) {
                return Err(wrong(format!("{slot:?} cannot be part of a project's name"))
                    .hint("give the slot a name of lower-case letters, digits, - and _")
                    .into());
            }
        }
        let engine = Engine::of(&spec)?;
        let folder = state.folder(scope);
        let snapshots = Snapshots::below(&folder, place.component.as_deref());
        let (scope, place) = (scope.clone(), place.clone());
        let (restarts, unset) = (Mutex::default(), Mutex::default());
        Ok(Self { spec, scope, place, folder, engine, snapshots, restarts, unset })
    }

    /// The Compose files, as they are named.
    fn files(&self) -> Result<Vec<String>, Fault> {
        let named = match &self.spec.file {
            Some(FilesSpec::One(file)) => vec![file.clone()],
            Some(FilesSpec::Many(all)) => all.clone(),
            None => USUAL
                .iter()
                .find(|file| files::exists(file))
                .map(|f| (*f).into())
                .into_iter()
                .collect(),
        };
        if named.is_empty() {
            return Err(wrong("there is no Compose file").hint("name it with `file`"));
        }
        match named.iter().find(|file| !files::exists(file)) {
            Some(file) => {
                Err(wrong(format!("there is no file {file}")).hint("name it with `file`"))
            }
            None => Ok(named),
        }
    }

    /// What a release is rendered from.
    fn sources(&self) -> Vec<PathBuf> {
        let all: Vec<PathBuf> =
            self.files().unwrap_or_default().iter().map(files::absolute).collect();
        let beside = all.first().and_then(|file| Some(file.parent()?.join(".env")));
        let env = self.spec.env_file.as_ref().map(files::absolute).or(beside);
        all.into_iter().chain(env.filter(|file| files::exists(file))).collect()
    }

    /// The files as Compose names them in a label.
    fn sources_of_labels(&self) -> String {
        let all = self.files().unwrap_or_default();
        let all = all.iter().map(|file| files::absolute(file).display().to_string());
        all.collect::<Vec<_>>().join(",")
    }

    /// What a Compose file may ask for. What is rendered once serves for every slot and both ways.
    fn variables(&self, release: &Release) -> Vec<(String, Secret)> {
        let place = Place { slot: None, ..self.place.clone() };
        let own = [
            ("VERSION", release.version.clone()),
            ("SHA", release.sha.clone().unwrap_or_default()),
        ];
        own.map(ours).into_iter().chain(surroundings(&self.scope, &place)).collect()
    }

    /// The services of a release that have their place here.
    fn own<'a>(&self, kinds: &'a Kinds) -> Vec<&'a String> {
        match (self.spec.part, &self.place.slot) {
            (ComposePart::Restarted, _) => kinds.restart.iter().collect(),
            (ComposePart::Switched, _) | (_, Some(_)) => kinds.switch.iter().collect(),
            (ComposePart::Whole, None) => kinds.released().collect(),
        }
    }

    fn timeout(&self) -> Duration {
        self.spec.timeout.map_or(TIMEOUT, |timeout| timeout.0)
    }

    fn grace(&self) -> Duration {
        self.spec.grace.map_or(GRACE, |grace| grace.0)
    }

    fn slot(&self) -> &str {
        self.place.slot.as_ref().map_or("", |(slot, _)| slot)
    }

    fn unwritten(&self, error: &std::io::Error) -> Trouble {
        Trouble::new(format!("cannot write below {}: {error}", self.folder.display()))
    }

    /// Whether a container belongs to the service in its environment.
    fn is_of_scope(&self, container: &Container) -> bool {
        container.label(labels::SERVICE) == self.scope.service.as_str()
            && container.label(labels::ENVIRONMENT) == self.scope.environment.as_str()
    }

    /// The containers of releases in this place, running or not.
    fn here(&self) -> Result<Vec<Container>, Trouble> {
        let filters = [
            format!("label={}={}", labels::SERVICE, self.scope.service),
            format!("label={}={}", labels::ENVIRONMENT, self.scope.environment),
        ];
        let mut all = self.engine.containers(&filters)?;
        let component = self.place.component.as_deref().unwrap_or_default();
        all.retain(|one| {
            one.label(HELD_LABEL).is_empty()
                && one.label(labels::SLOT) == self.slot()
                && one.label(labels::COMPONENT) == component
        });
        Ok(all)
    }
}

impl Platform for Compose {
    fn name(&self) -> &'static str {
        "compose"
    }

    fn plan(&self, order: &Order<'_>) -> Vec<String> {
        let kept = self.snapshots.of(order.release);
        let snapshot = kept.map(|kept| (kept.kinds, kept.project, kept.port)).or_else(|trouble| {
            match order.direction {
                Direction::Back => Err(trouble),
                Direction::Forward => {
                    self.know(order.release).map(|known| (known.kinds, known.project, known.port))
                }
            }
        });
        let (kinds, project, port) = match snapshot {
            Ok(known) => known,
            Err(trouble) => return vec![trouble.reason],
        };
        let version = &order.release.version;
        let mut plan = Vec::new();
        if !kinds.shared.is_empty() {
            plan.push(format!("start {} in {project}, unless they run", kinds.shared.join(", ")));
        }
        plan.push(match (&self.place.slot, port) {
            (Some((slot, port)), Some((service, target))) => format!(
                "start {} of {version} in {project}-{slot}; 127.0.0.1:{port} leads to {service}:{target}",
                kinds.switch.join(", ")
            ),
            _ => {
                let all: Vec<&str> = self.own(&kinds).into_iter().map(String::as_str).collect();
                format!("start {} of {version} in {project}, in place", all.join(", "))
            }
        });
        plan
    }

    fn check(&self, order: &Order<'_>) -> anyhow::Result<()> {
        let kept = self.snapshots.of(order.release);
        let checked = match (kept, order.direction) {
            (Ok(_), _) => Ok(()),
            (Err(_), Direction::Forward) => self.know_checked(order.release).map(drop),
            (Err(trouble), Direction::Back) => Err(trouble),
        };
        checked.map_err(|trouble| Fault::usage(trouble.reason))?;
        // None of that asks whether the engine answers.
        self.here().map(drop).map_err(|trouble| Fault::error(trouble.reason).into())
    }

    fn prepare(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<Vec<String>, Trouble> {
        if let Some(registry) = &self.spec.registry {
            commands.session.hide(registry.password.expose());
        }
        match order.direction {
            Direction::Forward => self.prepare_new(order, commands),
            Direction::Back => self.prepare_back(order, commands),
        }
    }

    fn images(&self, order: &Order<'_>) -> Result<Vec<Wanted>, Trouble> {
        self.images_of(order)
    }

    fn stores(&self) -> Vec<PathBuf> {
        self.engine.root().into_iter().collect()
    }

    fn checks(&self) -> Vec<CheckSpec> {
        self.containers_check().into_iter().collect()
    }

    fn start(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<(), Trouble> {
        self.start_kept(&self.snapshots.of(order.release)?, commands)
    }

    fn stop(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        self.stop_here(commands)
    }

    fn running(&self) -> Running {
        match self.here() {
            Ok(all) => run::running(&all),
            Err(_) => Running::Unknown,
        }
    }

    fn base_url(&self) -> Option<String> {
        if self.spec.part == ComposePart::Restarted {
            return None;
        }
        if let Some((_, port)) = &self.place.slot {
            return Some(format!("http://127.0.0.1:{port}"));
        }
        self.address_in_place()
    }

    fn process(&self) -> Option<Started> {
        None
    }

    fn diagnostics(&self) -> Vec<String> {
        self.last_lines(LINES)
    }

    fn log(&self, version: &str, most: u64) -> std::io::Result<Log> {
        self.written_by(version, most)
    }
}
