//! The state folder: ledgers, locks, process ids and logs, one folder for each service and
//! environment.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::decide::naming::Name;
use crate::exit::Fault;
use crate::host::{env, files};

/// The environment when nobody names one.
pub(crate) const ENVIRONMENT: &str = "production";

/// What is deployed, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The service.
    pub service: Name,
    /// The environment.
    pub environment: Name,
}

impl Scope {
    /// Of two names.
    ///
    /// # Errors
    /// When one of them is not a name.
    pub fn new(service: &str, environment: &str) -> anyhow::Result<Self> {
        let name = |key: &str, text: &str| {
            text.parse::<Name>().map_err(|why| Fault::usage(format!("{key}: {why}")))
        };
        Ok(Self {
            service: name("service", service)?,
            environment: name("environment", environment)?,
        })
    }

    /// Of flags, else of the configuration.
    ///
    /// # Errors
    /// When no service is named, or a name is not one.
    pub fn of(
        config: &Config,
        service: Option<&str>,
        environment: Option<&str>,
    ) -> anyhow::Result<Self> {
        let service = service.or(config.service.as_deref()).ok_or_else(|| {
            Fault::usage("the service has no name")
                .hint("write `service: shop` into waveoff.yml, or give --service")
        })?;
        let environment = environment.or(config.environment.as_deref()).unwrap_or(ENVIRONMENT);
        Self::new(service, environment)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.service, self.environment)
    }
}

/// The state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// Of the flag, else of the configuration, else where a user's state belongs.
    ///
    /// # Errors
    /// When there is no such place.
    pub fn of(config: &Config, flag: Option<&str>) -> anyhow::Result<Self> {
        Self::named(flag.or(config.state.as_deref()))
    }

    /// Of a name, else where a user's state belongs (XDG Base Directory Specification).
    ///
    /// # Errors
    /// When there is no such place.
    pub fn named(root: Option<&str>) -> anyhow::Result<Self> {
        if let Some(root) = root {
            // Recovery goes to the folder of who was interrupted, and must not lose this one there.
            return Ok(Self::at(files::absolute(root)));
        }
        let xdg = env::var("XDG_STATE_HOME").filter(|folder| Path::new(folder).is_absolute());
        let home = || Some(Path::new(&env::var("HOME")?).join(".local/state"));
        let base = xdg.map(PathBuf::from).or_else(home).ok_or_else(|| {
            Fault::usage("there is no place for the state: HOME is not set")
                .hint("name a folder with `state:` in waveoff.yml, or with --state")
        })?;
        Ok(Self { root: base.join("waveoff") })
    }

    /// A given folder.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a service in an environment. It may not be there yet.
    pub fn folder(&self, scope: &Scope) -> PathBuf {
        self.root.join(scope.service.as_str()).join(scope.environment.as_str())
    }

    /// Refuses a folder that ends with the CI job: the history would be gone, and with it every
    /// rollback target.
    ///
    /// # Errors
    /// When this is a CI job that takes the folder with it.
    pub fn must_survive(&self) -> anyhow::Result<()> {
        if !crate::actions::is_ci() {
            return Ok(());
        }
        let hosted = env::var("RUNNER_ENVIRONMENT").as_deref() == Some("github-hosted");
        let root = files::real_path(&self.root).map_err(|error| {
            Fault::usage(format!("the state folder {}: {error}", self.root.display()))
        })?;
        let cleared = ["GITHUB_WORKSPACE", "RUNNER_TEMP"].into_iter().find(|name| {
            let folder = env::var(name).and_then(|folder| files::real_path(folder).ok());
            folder.is_some_and(|folder| root.starts_with(folder))
        });
        let why = match (hosted, cleared) {
            (true, _) => "this machine ends with the job".to_owned(),
            (false, Some(name)) => format!("it is below {name}, which is cleared"),
            (false, None) => return Ok(()),
        };
        Err(Fault::usage(format!(
            "the state folder {} does not survive this job: {why}",
            self.root.display()
        ))
        .hint(if hosted {
            "write `ledger: github` into waveoff.yml"
        } else {
            "name a folder outside of it with `state:` or --state, or write `ledger: github`"
        })
        .into())
    }
}
