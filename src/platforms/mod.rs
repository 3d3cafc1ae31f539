//! How releases are started, one file per platform. The order of a deployment is not known here
//! (`deploy`), nor is what makes a release good (`checks`).

mod command;
mod compose;
mod process;
mod systemd;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::pipeline::{CommandPlatformSpec, PlatformSpec};
use crate::config::transaction::TransactionSpec;
use crate::config::values::{Argv, Secret};
use crate::config::{CheckSpec, Config};
use crate::decide::history::Release;
use crate::decide::naming::Name;
use crate::decide::plan::Direction;
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State};
use crate::exit::Fault;
use crate::host::process::Started;
use crate::preflight::Wanted;
use crate::report::v1::Response;

/// Whether somebody who was killed left a registry's login below a state folder.
pub fn is_littered(folder: &Path) -> bool {
    compose::has_login(folder)
}

/// Removes a registry's login that somebody who was killed left below a state folder. Whoever does
/// so has the lock.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn sweep(folder: &Path) -> std::io::Result<()> {
    compose::sweep(folder)
}

/// A release to start, in place of another one.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What is to run.
    pub release: &'a Release,
    /// What runs until then, as far as it is known.
    pub previous: Option<&'a Release>,
    /// Which way this goes.
    pub direction: Direction,
}

/// What runs, as the platform sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// The platform cannot tell.
    Unknown,
    /// Nothing.
    Nothing,
    /// This version.
    Version(String),
}

/// Why a release could not be started.
#[derive(Debug)]
pub struct Trouble {
    /// In one line.
    pub reason: String,
    /// What was seen: a command's exit code and the end of its output.
    pub evidence: Option<Response>,
    /// Whether what was given is wrong: nothing that is tried again will help.
    pub is_mistake: bool,
}

impl Trouble {
    /// Without evidence.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), evidence: None, is_mistake: false }
    }

    /// The same, when what was given is wrong.
    #[must_use]
    pub fn mistake(self) -> Self {
        Self { is_mistake: true, ..self }
    }
}

/// A way to start releases of one component, in one place.
pub trait Platform {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// What `start` would do, a line each, in the order in which it would be done.
    fn plan(&self, order: &Order<'_>) -> Vec<String>;

    /// Looks, without touching anything, whether `start` could begin.
    ///
    /// # Errors
    /// What is missing.
    fn check(&self, order: &Order<'_>) -> anyhow::Result<()>;

    /// Makes ready what `start` will need, while nothing is changed yet: fetches it, looks whether
    /// it is what it should be, keeps it for a later way back. Gives the digests under which all of
    /// it can be had again; none when there is nothing to fetch. Called again, it does no work twice.
    ///
    /// # Errors
    /// What cannot be had.
    fn prepare(&self, _: &Order<'_>, _: &Commands<'_>) -> Result<Vec<String>, Trouble> {
        Ok(Vec::new())
    }

    /// The images that `prepare` would fetch, and those that it would find here. Nothing is fetched.
    ///
    /// # Errors
    /// When what they are cannot be found out.
    fn images(&self, _: &Order<'_>) -> Result<Vec<Wanted>, Trouble> {
        Ok(Vec::new())
    }

    /// The folders that grow with a release, besides the state folder.
    fn stores(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// What the platform itself can tell of how the release is, as checks besides the configured
    /// ones: the health of containers, the state of units.
    fn checks(&self) -> Vec<CheckSpec> {
        Vec::new()
    }

    /// Starts a release in place of the one that runs. Forward it heeds a cancellation. Called
    /// again after it was interrupted, at any point, it ends as if it had not been.
    ///
    /// # Errors
    /// What went wrong; what runs then is not known.
    fn start(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<(), Trouble>;

    /// Stops what runs there. Nothing running is no trouble.
    ///
    /// # Errors
    /// What went wrong; what runs then is not known.
    fn stop(&self, commands: &Commands<'_>) -> Result<(), Trouble>;

    /// What runs now.
    fn running(&self) -> Running;

    /// The same, for whom it is not worth waiting for: unknown when it is not told within `limit`.
    fn running_within(&self, _: Duration) -> Running {
        self.running()
    }

    /// Where the service answers, if the platform knows.
    fn base_url(&self) -> Option<String>;

    /// The process that serves, if the platform knows it.
    fn process(&self) -> Option<Started>;

    /// The last lines of what the release wrote, 100 at most.
    fn diagnostics(&self) -> Vec<String>;

    /// What a version wrote since it was started last, as far as it is kept: at most `most` bytes
    /// of it, the last ones.
    ///
    /// # Errors
    /// When it cannot be read. That nothing was written is none.
    fn log(&self, version: &str, most: u64) -> std::io::Result<Log>;
}

/// What a release wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// The text.
    pub text: String,
    /// Whether something before it is missing.
    pub is_cut: bool,
}

/// Where a component is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The component, where a release has several.
    pub component: Option<String>,
    /// The slot and its port, where there are slots.
    pub slot: Option<(String, u16)>,
}

impl Place {
    /// Looks whether its names are names: they become parts of arguments and file names.
    fn check(&self) -> Result<(), Fault> {
        let slot = self.slot.as_ref().map(|(name, _)| ("slot", name));
        let component = self.component.as_ref().map(|name| ("component", name));
        for (what, name) in slot.into_iter().chain(component) {
            name.parse::<Name>().map_err(|why| Fault::usage(format!("{what}: {why}")))?;
        }
        Ok(())
    }

    /// What can be filled in for `{{component}}`, `{{slot}}` and `{{port}}`.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let component = self.component.iter().map(|name| ("component", name.clone()));
        let slot = self
            .slot
            .iter()
            .flat_map(|(name, port)| [("slot", name.clone()), ("port", port.to_string())]);
        component.chain(slot).collect()
    }

    /// A file name of its own in the state folder: `process.pid` when this is the service's own
    /// place, else `process-backend-blue.pid`. A dash in a name is doubled, so that no two places
    /// have one file: `a` in `b-c` is not `a-b` in `c`.
    fn file(&self, stem: &str, ending: &str) -> String {
        let slot = self.slot.as_ref().map(|(name, _)| name);
        let parts = self.component.iter().chain(slot);
        let parts: String = parts.map(|name| format!("-{}", name.replace('-', "--"))).collect();
        format!("{stem}{parts}.{ending}")
    }
}

/// The platform of a kind, bound to a place. A new kind is a file of its own and a line here.
///
/// # Errors
/// When it is configured wrongly, or cannot be used in a slot.
pub fn at(
    spec: &PlatformSpec,
    place: &Place,
    scope: &Scope,
    state: &State,
) -> anyhow::Result<Box<dyn Platform>> {
    place.check()?;
    Ok(match spec.clone() {
        PlatformSpec::Process(spec) => Box::new(process::Process::new(spec, place, scope, state)?),
        PlatformSpec::Command(spec) => Box::new(command::Command::new(spec, place, scope)?),
        PlatformSpec::Compose(spec) => Box::new(compose::Compose::new(*spec, place, scope, state)?),
        PlatformSpec::Systemd(spec) => Box::new(systemd::Systemd::new(spec, place, scope, state)?),
    })
}

/// How the service is started, when it has one part.
///
/// # Errors
/// When nothing says it, or two things do.
pub fn named(config: &Config, spec: &TransactionSpec) -> anyhow::Result<PlatformSpec> {
    Ok(match (&spec.platform, &config.deploy) {
        (Some(platform), None) => platform.clone(),
        (None, Some(deploy)) => PlatformSpec::Command(short(deploy)),
        (Some(_), Some(_)) => {
            return Err(Fault::usage("both `platform` and `deploy` say how releases are started")
                .hint("`deploy` is short for `platform: { command: { deploy: … } }`; keep one")
                .into());
        }
        (None, None) => {
            return Err(Fault::usage("nothing says how releases are started")
                .hint("write `deploy: [./your-deploy-script]` into waveoff.yml, or a `platform:`")
                .into());
        }
    })
}

fn short(deploy: &Argv) -> CommandPlatformSpec {
    CommandPlatformSpec {
        deploy: deploy.clone(),
        rollback: None,
        stop: None,
        running: None,
        env: std::collections::BTreeMap::new(),
        dir: None,
        timeout: None,
    }
}

/// Variables of ours that must not reach what we start: a `smoke-test` in a deploy script would
/// take our inputs for its own and write over our report, and a service has no use for our token.
const OURS: [&str; 6] = ["INPUTS", "TOKEN", "REPORT", "JUNIT", "JSON", "QUIET"];

/// What every program that we start may know about the release.
fn environment(order: &Order<'_>, scope: &Scope, place: &Place) -> Vec<(String, Secret)> {
    let previous = order.previous;
    let direction = match order.direction {
        Direction::Forward => "forward",
        Direction::Back => "back",
    };
    let variables = [
        ("VERSION", order.release.version.clone()),
        ("SHA", order.release.sha.clone().unwrap_or_default()),
        ("DIGESTS", order.release.digests.join(" ")),
        ("PREVIOUS_VERSION", previous.map(|release| release.version.clone()).unwrap_or_default()),
        ("PREVIOUS_SHA", previous.and_then(|release| release.sha.clone()).unwrap_or_default()),
        ("DIRECTION", direction.to_owned()),
    ];
    variables.map(ours).into_iter().chain(surroundings(scope, place)).collect()
}

/// What every program that we start may know about where it is.
pub(crate) fn surroundings(scope: &Scope, place: &Place) -> Vec<(String, Secret)> {
    let (slot, port) = match &place.slot {
        Some((name, port)) => (name.clone(), port.to_string()),
        None => Default::default(),
    };
    let variables = [
        ("SERVICE", scope.service.to_string()),
        ("ENVIRONMENT", scope.environment.to_string()),
        ("COMPONENT", place.component.clone().unwrap_or_default()),
        ("SLOT", slot),
        ("PORT", port.clone()),
    ];
    // Without a slot, a `PORT` of the caller's is none of ours.
    let plain = place.slot.iter().map(|_| ("PORT".to_owned(), Secret::new(&*port)));
    let variables = variables.map(ours).into_iter().chain(plain);
    variables.chain(without_ours()).collect()
}

/// Variables that blot out ours, for every program that is started or asked.
pub(crate) fn without_ours() -> impl Iterator<Item = (String, Secret)> {
    OURS.iter().map(|name| ours((name, String::new())))
}

/// What is not known is empty, so that nothing of the caller's own comes through.
pub(crate) fn ours((name, value): (&str, String)) -> (String, Secret) {
    (format!("WAVEOFF_{name}"), Secret::new(value))
}
