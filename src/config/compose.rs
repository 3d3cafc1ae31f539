//! A release as a Compose project: which of its services are switched, restarted and shared.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::{Argv, NonEmpty, Period, Secret};

/// The files that Compose looks for, in its order.
pub const USUAL: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// A Compose project, with Docker or Podman.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ComposeSpec {
    /// The Compose file, or a list of them; `compose.yaml`, `compose.yml`, `docker-compose.yaml` or `docker-compose.yml` if absent.
    pub file: Option<FilesSpec>,
    /// Compose's `--env-file`; `.env` beside the file if absent, where there is one.
    pub env_file: Option<String>,
    /// The name of the project; the file's own if absent, as Compose finds it.
    pub project: Option<String>,
    /// What runs containers; `docker` if absent, `podman` where there is no docker.
    pub engine: Option<ContainerEngine>,
    /// What Compose is, like `[docker-compose]`; `docker compose` if absent, `docker-compose` with Podman where there is no docker.
    pub command: Option<Argv>,
    /// Services that run in a slot beside the old ones.
    pub switch: Option<NonEmpty<String>>,
    /// Services that are restarted in place: two of them at once would do the work twice.
    pub restart: Option<NonEmpty<String>>,
    /// Services that are started when they do not run, and else left alone: databases, caches.
    pub shared: Option<NonEmpty<String>>,
    /// The container port to which a slot's port leads, with its service where several are switched; the one that is published or exposed if absent.
    pub port: Option<ContainerPort>,
    /// Where the images come from, when that wants a login.
    pub registry: Option<RegistrySpec>,
    /// The time between SIGTERM and SIGKILL; 30s if absent. A `stop_grace_period` in the Compose file wins.
    pub grace: Option<Period>,
    /// The limit of one command; 15m if absent.
    pub timeout: Option<Period>,
    /// Which of its services are meant: nobody writes that.
    #[serde(skip)]
    pub part: ComposePart,
}

/// Beside slots one project is two components: what is switched, and what stays outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ComposePart {
    /// All services.
    #[default]
    Whole,
    /// Those that are switched.
    Switched,
    /// Those that are restarted in place.
    Restarted,
}

impl ComposeSpec {
    /// The two parts of a project that has services of both kinds.
    pub fn parts(&self) -> Option<[Self; 2]> {
        let part = |part| Self { part, ..self.clone() };
        let both = self.switch.is_some() && self.restart.is_some();
        both.then(|| [part(ComposePart::Switched), part(ComposePart::Restarted)])
    }
}

/// One Compose file, or several that are merged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "is neither a file, like compose.yml, nor a list of them")]
pub enum FilesSpec {
    /// One.
    One(String),
    /// Several; a later one changes what an earlier one says.
    Many(Vec<String>),
}

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ContainerEngine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl ContainerEngine {
    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            ContainerEngine::Docker => "docker",
            ContainerEngine::Podman => "podman",
        }
    }
}

/// A port inside of a container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "is neither a port, like 8080, nor a service with its port")]
pub enum ContainerPort {
    /// Of the switched service that publishes one.
    Of(u16),
    /// Of one service, by name.
    Service(BTreeMap<String, u16>),
}

/// A registry that wants a login.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RegistrySpec {
    /// Its name, as images begin with it: `ghcr.io`, `localhost:5000`; `docker.io` for Docker Hub.
    pub server: String,
    /// The user.
    pub user: String,
    /// The password, or a token.
    pub password: Secret,
}
