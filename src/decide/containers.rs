//! What a container's state means: well, not yet, or never any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::recent::time_of;
use super::state::{Condition, State, sum_up};

/// Docker takes a container for started when it has run for so long, and begins its restarts anew.
const STARTED: Duration = Duration::from_secs(10);

/// A container, as `docker inspect` and `podman inspect` describe it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Container {
    /// Its id.
    pub id: String,
    name: String,
    restart_count: u32,
    state: Running,
    config: Configured,
    host_config: HostConfig,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Running {
    status: String,
    exit_code: i64,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    error: String,
    started_at: String,
    #[serde(alias = "Healthcheck")]
    health: Option<Health>,
    oci_version: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Health {
    status: String,
    failing_streak: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Configured {
    labels: Option<BTreeMap<String, String>>,
    healthcheck: Option<HealthTest>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthTest {
    test: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    restart_policy: Option<RestartPolicy>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartPolicy {
    name: String,
}

/// What should be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// What is looked at, in words.
    pub what: String,
    /// Services that must each have containers; those of the containers found, if empty.
    pub services: Vec<String>,
    /// So many of each service; at least one, if absent.
    pub replicas: Option<u32>,
}

/// How often each container, by its id, had been restarted at the look before.
pub type Restarts = BTreeMap<String, u32>;

/// What a look at containers comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// How they are.
    pub state: State,
    /// For the next look.
    pub restarts: Restarts,
    /// The ids and names of those that are not well.
    pub unwell: Vec<(String, String)>,
}

const WANTED: &str = "running, healthy where there is a health check, or completed with 0";

/// Reads what an engine's `inspect` printed.
///
/// # Errors
/// When it is something else.
pub fn read(json: &[u8]) -> serde_json::Result<Vec<Container>> {
    serde_json::from_slice(json)
}

impl Container {
    /// Its name, without the slash that Docker puts before it.
    pub fn name(&self) -> &str {
        self.name.strip_prefix('/').unwrap_or(&self.name)
    }

    /// When it was last started, if ever: RFC 3339.
    pub fn started(&self) -> Option<&str> {
        let at = self.state.started_at.as_str();
        (!at.is_empty() && !at.starts_with("0001-")).then_some(at)
    }

    /// The Compose service that it belongs to.
    pub fn service(&self) -> &str {
        self.label("com.docker.compose.service")
    }

    /// Whether it was made by `compose run`, beside the service's own ones.
    pub fn is_one_off(&self) -> bool {
        self.label("com.docker.compose.oneoff").eq_ignore_ascii_case("true")
    }

    /// Whether it runs at the moment, and has a health check that nobody runs unless asked:
    /// Podman leaves that to systemd's timers, which need not be there.
    pub fn wants_health_run(&self) -> bool {
        self.state.oci_version.is_some() && self.state.status == "running" && self.is_tested()
    }

    /// Takes in what running its health check told.
    pub fn health_told(&mut self, healthy: bool) {
        let health = self.state.health.get_or_insert_default();
        match (healthy, health.status.as_str()) {
            (true, _) => health.status = "healthy".into(),
            (false, "starting") => {}
            (false, _) => health.status = "unhealthy".into(),
        }
    }

    fn label(&self, name: &str) -> &str {
        self.config.labels.as_ref().and_then(|all| all.get(name)).map_or("", String::as_str)
    }

    fn is_tested(&self) -> bool {
        let test = self.config.healthcheck.as_ref().and_then(|check| check.test.as_deref());
        test.is_some_and(|test| test.first().is_some_and(|first| first != "NONE"))
    }

    /// How it is, `before` being how often it had been restarted at the look before.
    fn condition(&self, before: Option<u32>, replica: bool, now: SystemTime) -> Condition {
        let times = self.restart_count;
        match self.now(replica, now) {
            over @ Condition::Over(_) => over,
            _ if before.is_some_and(|before| times > before) => {
                Condition::Over(format!("was restarted while it was looked at (restart {times})"))
            }
            other => other,
        }
    }

    /// How it is at the moment.
    fn now(&self, replica: bool, now: SystemTime) -> Condition {
        use Condition::{NotYet, Over, Unknown, Well};
        let state = &self.state;
        let code = state.exit_code;
        match state.status.as_str() {
            "running" => self.health(now),
            "restarting" => {
                let times = self.restart_count;
                Over(format!("is in a restart loop (restart {times}, last exit code {code})"))
            }
            "created" if !state.error.is_empty() => {
                Over(format!("could not be started: {}", state.error))
            }
            "created" | "configured" | "initialized" => NotYet("is not started".into()),
            "paused" => NotYet("is paused".into()),
            "removing" | "stopping" => NotYet(format!("is {}", state.status)),
            "dead" => Over("is dead: the engine could not remove it".into()),
            "exited" | "stopped" if state.oom_killed => {
                Over(format!("was ended for lack of memory (exit code {code})"))
            }
            "exited" | "stopped" if code == 137 => {
                Over("exited with 137: it was killed, as for lack of memory".into())
            }
            "exited" | "stopped" if code != 0 => Over(format!("exited with {code}")),
            "exited" | "stopped" => match self.policy() {
                policy @ ("always" | "unless-stopped") => {
                    Over(format!("exited with 0, though its restart policy is {policy}"))
                }
                _ if replica => Over("exited with 0, though it should be a replica".into()),
                _ => Well("completed with 0".into()),
            },
            other => Unknown(format!("is in the state `{other}`, which is not known here")),
        }
    }

    /// The exit code of one that has ended.
    fn code(&self) -> Option<i64> {
        let ended = ["exited", "stopped", "restarting", "dead"];
        ended.contains(&self.state.status.as_str()).then_some(self.state.exit_code)
    }

    fn policy(&self) -> &str {
        self.host_config.restart_policy.as_ref().map_or("", |policy| policy.name.as_str())
    }

    /// How one that runs is.
    fn health(&self, now: SystemTime) -> Condition {
        use Condition::{NotYet, Unknown, Well};
        let age = time_of(&self.state.started_at).and_then(|at| now.duration_since(at).ok());
        if self.restart_count >= 2 && age.is_some_and(|age| age < STARTED) {
            let times = self.restart_count;
            return NotYet(format!("was restarted {times} times, the last time just now"));
        }
        let health = self.state.health.as_ref();
        let streak = health.map_or(0, |health| health.failing_streak);
        match health.map_or("", |health| health.status.as_str()) {
            "healthy" => Well("is healthy".into()),
            "starting" => NotYet("is starting: not healthy yet".into()),
            "unhealthy" => NotYet(format!("is unhealthy ({streak} failures in a row)")),
            "" | "none" if self.is_tested() => NotYet("has not said how healthy it is".into()),
            "" | "none" => Well("is running".into()),
            other => Unknown(format!("has the health `{other}`, which is not known here")),
        }
    }
}

/// How the containers are that were found, `before` being what the look before remembered.
pub fn judge(
    containers: &[Container],
    wanted: &Wanted,
    before: &Restarts,
    now: SystemTime,
) -> Looked {
    let mut all = Vec::new();
    let mut unwell = Vec::new();
    for container in containers {
        let known = before.get(&container.id).copied();
        let condition = container.condition(known, wanted.replicas.is_some(), now);
        if !condition.is_well() {
            unwell.push((container.id.clone(), container.name().to_owned()));
        }
        all.push((format!("container {}", container.name()), condition));
    }
    let missing = missing(containers, wanted);
    let mut state = sum_up(WANTED, &all, &missing, || match all.as_slice() {
        [(name, condition)] => format!("{name} {}", condition.words()),
        several => format!("{} of {} well", several.len(), several.len()),
    });
    let is_unwell = |id: &str| unwell.iter().any(|(unwell, _)| unwell == id);
    let code = containers.iter().filter(|one| is_unwell(&one.id)).find_map(Container::code);
    state.code = code;
    let restarts = containers.iter().map(|one| (one.id.clone(), one.restart_count)).collect();
    Looked { state, restarts, unwell }
}

/// What should be there and is not, or is there too often; a sentence each.
fn missing(containers: &[Container], wanted: &Wanted) -> Vec<String> {
    if containers.is_empty() && wanted.services.is_empty() {
        return vec![format!("found no {}", wanted.what)];
    }
    let found: BTreeSet<&str> = containers.iter().map(Container::service).collect();
    let services: BTreeSet<&str> = match wanted.services.as_slice() {
        [] => found,
        named => named.iter().map(String::as_str).collect(),
    };
    let mut missing = Vec::new();
    for service in services {
        let count = containers.iter().filter(|one| one.service() == service).count();
        match wanted.replicas {
            Some(replicas) if count != replicas as usize => {
                missing.push(format!("{service} has {count} of {replicas} containers"));
            }
            None if count == 0 => missing.push(format!("{service} has no container")),
            _ => {}
        }
    }
    missing
}

#[cfg(test)]
#[path = "containers_tests.rs"]
mod tests;
