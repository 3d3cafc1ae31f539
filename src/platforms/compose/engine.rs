//! Docker or Podman, and Compose, as programs: their arguments, and what they answer.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;

use super::model::wrong;
use super::trouble::{refused, short, tells_only_of_gone};
use crate::config::compose::{ComposeSpec, ContainerEngine};
use crate::config::values::{Argv, Secret};
use crate::decide::observation::CommandOutput;
use crate::exit::Fault;
use crate::host::env;
use crate::host::process::{self, CommandSpec, Ran};
use crate::host::signals::Cancel;
use crate::platforms::Trouble;

/// The limit of a question.
const ASKING: Duration = Duration::from_secs(30);
/// The time between two rounds of health checks.
const TICK: Duration = Duration::from_millis(500);
/// The longest answer: the rendered model of a large Compose file, the containers of a busy machine.
const LONGEST: usize = 16 << 20;
/// What is asked of each container. Podman knows `{{.Id}}` in these very words only.
const CONTAINER: &str = r#"{"id":"{{.Id}}","name":{{json .Name}},"restarts":{{.RestartCount}},"state":{{json .State}},"labels":{{json .Config.Labels}}}"#;
/// What is asked of each image.
const IMAGE: &str = r#"{"id":"{{.Id}}","digests":{{json .RepoDigests}}}"#;

/// What runs containers here.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    /// Which one it is.
    pub kind: ContainerEngine,
    compose: Argv,
    env: Vec<(String, Secret)>,
    /// Where Compose finds Podman, once that was asked.
    socket: OnceLock<Option<String>>,
}

/// A container, running or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Container {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// How often the engine has started it again.
    #[serde(default)]
    pub restarts: u32,
    /// How it is.
    pub state: ContainerState,
    labels: Option<BTreeMap<String, String>>,
}

/// How a container is, as both engines tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContainerState {
    /// `running`, `exited`, `created`, `restarting`.
    pub status: String,
    /// Its last exit code.
    #[serde(default)]
    pub exit_code: i64,
    /// When it was started last, as the engine writes times.
    #[serde(default)]
    pub started_at: String,
    health: Option<Health>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: Option<String>,
}

impl Container {
    /// A label; empty where there is none.
    pub(super) fn label(&self, key: &str) -> &str {
        self.labels.as_ref().and_then(|all| all.get(key)).map_or("", String::as_str)
    }

    /// Whether its process runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state.status.as_str(), "running" | "restarting" | "paused")
    }

    /// `healthy`, `unhealthy`, `starting`; empty where nothing tells.
    pub(super) fn health(&self) -> &str {
        let told = self.state.health.as_ref().and_then(|health| health.status.as_deref());
        told.unwrap_or_default()
    }

    /// The project and the service that Compose made it for.
    pub(super) fn of_compose(&self) -> (&str, &str) {
        (self.label("com.docker.compose.project"), self.label("com.docker.compose.service"))
    }
}

/// An image that is here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct LocalImage {
    /// The id: a digest of its configuration.
    pub id: String,
    digests: Option<Vec<String>>,
}

impl LocalImage {
    /// The digest under which a repository has it.
    pub(super) fn digest(&self, repository: &str) -> Option<&String> {
        let mut all = self.digests.iter().flatten();
        all.find(|digest| super::model::repository(digest) == repository)
    }
}

impl Engine {
    /// Of the configuration. Nothing is asked.
    ///
    /// # Errors
    /// When there is neither.
    pub(super) fn of(spec: &ComposeSpec) -> Result<Self, Fault> {
        let has = |program: &str| {
            process::missing(&CommandSpec::new(Argv(vec![program.to_owned()]))).is_none()
        };
        let kind = match spec.engine {
            Some(kind) => kind,
            None if !has("docker") && has("podman") => ContainerEngine::Podman,
            None => ContainerEngine::Docker,
        };
        let argv = |words: &[&str]| Argv(words.iter().map(|word| (*word).to_owned()).collect());
        let compose = match (&spec.command, kind) {
            (Some(own), _) => own.clone(),
            (None, ContainerEngine::Podman) if !has("docker") => argv(&["docker-compose"]),
            (None, _) => argv(&["docker", "compose"]),
        };
        // A user's own settings for Compose must not change which project is meant, or what else ends.
        let env = [("COMPOSE_PROFILES", ""), ("COMPOSE_REMOVE_ORPHANS", "false")];
        let env = env.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        Ok(Self { kind, compose, env, socket: OnceLock::new() })
    }

    /// The engine's own command.
    pub(super) fn engine(&self, words: &[&str]) -> CommandSpec {
        let all = std::iter::once(self.kind.program()).chain(words.iter().copied());
        CommandSpec::new(Argv(all.map(str::to_owned).collect()))
    }

    /// Compose with these words.
    pub(super) fn compose(&self, words: &[&str]) -> CommandSpec {
        let all = self.compose.0.iter().cloned().chain(words.iter().map(|word| (*word).to_owned()));
        let mut env = self.env.clone();
        let socket = self.socket().map(|socket| ("DOCKER_HOST".into(), Secret::new(socket)));
        env.extend(socket);
        CommandSpec { env, ..CommandSpec::new(Argv(all.collect())) }
    }

    /// Where Compose, which knows Docker only, finds Podman; as the user says, if he does.
    fn socket(&self) -> Option<&str> {
        if self.kind == ContainerEngine::Docker || env::var("DOCKER_HOST").is_some() {
            return None;
        }
        let ask = || {
            let words = ["info", "--format", "{{.Host.RemoteSocket.Path}}"];
            let path = self.ask(&self.engine(&words)).ok().filter(|path| !path.is_empty())?;
            Some(if path.contains("://") { path } else { format!("unix://{path}") })
        };
        self.socket.get_or_init(ask).as_deref()
    }

    /// Compose for a project out of one file. Containers that the file does not name are left alone
    /// without a word.
    pub(super) fn project(&self, project: &str, file: &str, words: &[&str]) -> CommandSpec {
        let mut all = vec!["-p", project, "-f", file];
        all.extend(words);
        let mut command = self.compose(&all);
        if !words.contains(&"--remove-orphans") {
            command.env.push(("COMPOSE_IGNORE_ORPHANS".into(), Secret::new("true")));
        }
        command
    }

    /// Whether Compose is what `docker compose` starts.
    pub(super) fn is_plugin(&self) -> bool {
        self.compose.0 == ["docker", "compose"]
    }

    /// Looks whether Compose is there, and new enough.
    ///
    /// # Errors
    /// When it is not, with the remedy.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        if let Some(refused) = self.is_podman_compose() {
            return Err(refused);
        }
        let shown = self.compose.show();
        let podman = "Podman is driven by Compose v2 over its socket: install docker-compose v2, and \
                      `systemctl enable --now podman.socket`";
        let docker = "install Compose v2: the package docker-compose-plugin (docker-compose-v2 on \
                      Ubuntu), https://docs.docker.com/compose/install/linux/";
        let remedy = if self.kind == ContainerEngine::Podman { podman } else { docker };
        let version = self
            .ask(&self.compose(&["version", "--short"]))
            .map_err(|trouble| Trouble::new(format!("{}; {remedy}", trouble.reason)))?;
        let plain = version.lines().next().unwrap_or_default().trim().trim_start_matches('v');
        match plain.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            Some(2..) => Ok(()),
            _ => {
                Err(Trouble::new(format!("{shown} is version {plain}, and v2 is needed; {remedy}")))
            }
        }
    }

    /// `podman-compose`, whatever its version is.
    fn is_podman_compose(&self) -> Option<Trouble> {
        let program = self.compose.0.first()?.rsplit('/').next()?;
        (program == "podman-compose").then(|| {
            Trouble::new(
                "podman-compose exchanges shared services together with those of the release, and waits for \
                 nobody's health: leave `command` out, and install Compose v2 (docker-compose), which speaks \
                 with Podman over its socket",
            )
        })
    }

    /// All containers of the machine.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn containers(&self, filters: &[String]) -> Result<Vec<Container>, Trouble> {
        let mut words = vec!["ps", "-aq", "--no-trunc"];
        words.extend(filters.iter().flat_map(|filter| ["--filter", filter.as_str()]));
        let ids = self.ask(&self.engine(&words))?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut words = vec!["inspect", "--type", "container", "--format", CONTAINER];
        words.extend(ids.lines());
        let command = self.engine(&words);
        let output = self.answer(&command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.code != Some(0) && !tells_only_of_gone(&said) {
            return Err(refused(&command, &said));
        }
        lines(&String::from_utf8_lossy(&output.stdout))
    }

    /// An image, if it is here.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn image(&self, name: &str) -> Result<Option<LocalImage>, Trouble> {
        match self.ask(&self.engine(&["image", "inspect", "--format", IMAGE, name])) {
            Ok(text) => Ok(lines(&text)?.into_iter().next()),
            Err(trouble) => {
                let reason = trouble.reason.to_lowercase();
                let gone = ["no such image", "image not known", "failed to find image"];
                if gone.iter().any(|words| reason.contains(words)) {
                    Ok(None)
                } else {
                    Err(trouble)
                }
            }
        }
    }

    /// Those of these images that are here, in the same order; one question where all of them are.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn images(&self, names: &[&str]) -> Result<Vec<Option<LocalImage>>, Trouble> {
        if let [_, _, ..] = names {
            let words = [&["image", "inspect", "--format", IMAGE], names].concat();
            let told = self.ask(&self.engine(&words)).and_then(|text| lines(&text));
            if let Ok(all) = told
                && all.len() == names.len()
            {
                return Ok(all.into_iter().map(Some).collect());
            }
        }
        // Where one is not here, the answer does not say which.
        names.iter().map(|name| self.image(name)).collect()
    }

    /// Does something with a project while its health checks are run, which Podman does by itself
    /// only where systemd has timers for it: Compose would wait for them for ever.
    pub(super) fn with_health<T>(&self, project: &str, work: impl FnOnce() -> T) -> T {
        if self.kind == ContainerEngine::Docker {
            return work();
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    self.run_health(project);
                    Cancel::default().sleep(TICK);
                }
            });
            let done = work();
            is_over.store(true, Ordering::SeqCst);
            done
        })
    }

    /// One round of the health checks of what is not well yet.
    pub(super) fn run_health(&self, project: &str) {
        if self.kind == ContainerEngine::Docker {
            return;
        }
        let filter = [format!("label=com.docker.compose.project={project}")];
        for one in self.containers(&filter).unwrap_or_default() {
            if one.state.status == "running" && !matches!(one.health(), "" | "healthy") {
                // Its result is in the container's state then.
                let _ = self.answer(&self.engine(&["healthcheck", "run", &one.id]));
            }
        }
    }

    /// Asks a question: gives what was printed, trimmed.
    ///
    /// # Errors
    /// When there is no answer, with the last thing that was said.
    pub(super) fn ask(&self, command: &CommandSpec) -> Result<String, Trouble> {
        self.asked(command)?.map(|(answer, _)| answer)
    }

    /// The same of a question that only concerns files, with what was said besides on standard error:
    /// what it complains of stands in them.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) fn ask_of_files(&self, command: &CommandSpec) -> Result<(String, String), Trouble> {
        self.asked(command)?.map_err(Trouble::mistake)
    }

    /// Its answer with what was said besides, or its complaint.
    fn asked(&self, command: &CommandSpec) -> Result<Result<(String, String), Trouble>, Trouble> {
        let output = self.answer(command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(match output.code {
            Some(0) => {
                let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                Ok((answer, said.into_owned()))
            }
            _ => Err(refused(command, &said)),
        })
    }

    fn answer(&self, command: &CommandSpec) -> Result<CommandOutput, Trouble> {
        if let Some(missing) = process::missing(command) {
            let hint = "install it, or say what is there with `engine` and `command`";
            return Err(Trouble::new(format!("{}; {hint}", wrong(missing))));
        }
        let shown = short(&command.argv);
        match process::run_keeping(command, ASKING, &Cancel::default(), LONGEST) {
            Ok(Ran::Ended(output)) if output.stdout.len() < LONGEST => Ok(output),
            Ok(Ran::Ended(_)) => Err(Trouble::new(format!("{shown}: the answer is too long"))),
            Ok(_) => Err(Trouble::new(format!("{shown}: no answer within 30s"))),
            Err(error) => Err(Trouble::new(format!("{shown} could not be run: {error}"))),
        }
    }

    /// The last lines that a container wrote on both its streams, in no certain order between them;
    /// at most `most` bytes of each, and whether there was more.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) fn logs(&self, words: &[&str], most: usize) -> Result<(String, bool), Trouble> {
        let mut all = vec!["logs"];
        all.extend(words);
        let command = self.engine(&all);
        let ran = process::run_keeping(&command, ASKING, &Cancel::default(), most.max(1));
        match ran {
            Ok(Ran::Ended(output)) if output.code == Some(0) => {
                let is_cut = output.stdout.len() >= most || output.stderr.len() >= most;
                let text = [output.stdout, output.stderr];
                let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                Ok((text.concat(), is_cut))
            }
            _ => Err(Trouble::new(format!("{}: no answer", command.argv.show()))),
        }
    }
}

/// A JSON document per line.
fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, Trouble> {
    let all = text.lines().filter(|line| !line.trim().is_empty());
    let read: Result<Vec<T>, _> = all.map(serde_json::from_str).collect();
    read.map_err(|error| Trouble::new(format!("the engine's answer cannot be read: {error}")))
}
