//! A registry's login, there for the time of a pull and no longer. The password is in one file that
//! only its owner may read; never in an argument, and never in the user's own Docker configuration.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::engine::Engine;
use super::model::registry;
use crate::config::compose::{ContainerEngine, RegistrySpec};
use crate::config::values::Secret;
use crate::host::process::CommandSpec;
use crate::host::{files, folders};

/// The key of Docker Hub in a Docker configuration.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A login that is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Login {
    folder: PathBuf,
    server: String,
    host: Option<String>,
}

impl Login {
    /// Writes it below the state folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(below: &Path, spec: &RegistrySpec, engine: &Engine) -> io::Result<Self> {
        sweep(below)?;
        let login = Self {
            folder: folder(below),
            server: spec.server.clone(),
            // With a configuration of our own, the engine that the user's one names would be lost.
            host: (engine.kind == ContainerEngine::Docker).then(|| endpoint(engine)).flatten(),
        };
        files::private_folder(&login.folder)?;
        let auth = STANDARD.encode(format!("{}:{}", spec.user, spec.password.expose()));
        let key = if is_docker_hub(&spec.server) { DOCKER_HUB } else { &spec.server };
        let text = json!({ "auths": { key: { "auth": auth } } }).to_string();
        files::replace_private(login.folder.join("config.json"), text.as_bytes())?;
        Ok(login)
    }

    /// Whether an image comes from this registry.
    pub(super) fn is_for(&self, image: &str) -> bool {
        let from = registry(image);
        from == self.server || is_docker_hub(&self.server) && is_docker_hub(from)
    }

    /// Pulls an image with it.
    pub(super) fn pull(&self, engine: &Engine, image: &str) -> CommandSpec {
        let folder = self.folder.display().to_string();
        match engine.kind {
            ContainerEngine::Docker => {
                let mut command = engine.engine(&["--config", &folder, "pull", "--quiet", image]);
                let host = self.host.iter();
                command.env.extend(host.map(|host| ("DOCKER_HOST".into(), Secret::new(host))));
                command
            }
            ContainerEngine::Podman => {
                let file = format!("{folder}/config.json");
                engine.engine(&["pull", "--quiet", "--authfile", &file, image])
            }
        }
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // One that stays is removed by whoever comes next.
        let _ = files::remove_folder(&self.folder);
    }
}

/// Whether there is a login: somebody is pulling, or was killed then.
pub(in crate::platforms) fn has_login(below: &Path) -> bool {
    files::exists(folder(below))
}

/// Removes the login of somebody who was killed.
///
/// # Errors
/// When it is there and cannot be removed.
pub(in crate::platforms) fn sweep(below: &Path) -> io::Result<()> {
    folders::remove(&folder(below))
}

fn folder(below: &Path) -> PathBuf {
    below.join("registry-login")
}

fn is_docker_hub(server: &str) -> bool {
    matches!(server, "docker.io" | "index.docker.io" | "registry-1.docker.io" | DOCKER_HUB)
}

/// Where the user's Docker is, by its context.
fn endpoint(engine: &Engine) -> Option<String> {
    let words = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
    engine.ask(&engine.engine(&words)).ok().filter(|host| !host.is_empty())
}
