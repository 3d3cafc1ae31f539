//! Containers, as Docker or Podman tells.

use std::sync::{Mutex, PoisonError};

use super::keeper::{LINES, Questions, complaint, last_lines, tail_of};
use super::{Attempt, Kind, Probe, Surroundings};
use crate::config::CheckSpec;
use crate::config::values::Argv;
use crate::config::watched::{ContainerSpec, Engine};
use crate::decide::containers::{self, Container, Restarts, Wanted};
use crate::decide::expect::Expect;
use crate::decide::observation::Observation;
use crate::decide::verdict::Severity;
use crate::host::clock;
use crate::host::process::{self, CommandSpec};

/// Containers.
pub(super) static CONTAINER: Kind =
    Kind { key: "container", keys: &[], severity: Severity::Critical, build };

/// Containers whose log is shown when they are not well.
const SHOWN: usize = 3;

struct Containers {
    spec: ContainerSpec,
    before: Mutex<Before>,
}

/// What the look before leaves to the next.
#[derive(Default)]
struct Before {
    restarts: Restarts,
    unwell: Vec<(String, String)>,
}

fn build(spec: &CheckSpec, _: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let spec = spec.container.clone().unwrap_or_default();
    match spec.mistake() {
        Some(mistake) => Err(format!("container: {mistake}")),
        None => {
            let before = Before { restarts: spec.restarts.clone(), ..Before::default() };
            Ok(Box::new(Containers { spec, before: Mutex::new(before) }))
        }
    }
}

impl Probe for Containers {
    fn kind(&self) -> &'static str {
        "container"
    }

    fn target(&self) -> String {
        self.spec.show()
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let questions = Questions::new(attempt);
        let found = program(&self.spec).and_then(|engine| told(&self.spec, engine, &questions));
        let found = match found {
            Ok(found) => found,
            Err(why) => return questions.not_asked(why),
        };
        let wanted = Wanted {
            what: self.spec.show(),
            services: self.spec.services.clone(),
            replicas: self.spec.replicas,
        };
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = containers::judge(&found, &wanted, &before.restarts, clock::wall());
        *before = Before { restarts: looked.restarts, unwell: looked.unwell };
        let mut state = looked.state;
        state.elapsed = questions.elapsed();
        Observation::State(state)
    }

    fn usual(&self, _: &[Expect]) -> Vec<Expect> {
        vec![Expect::Well]
    }

    fn evidence(&self, attempt: &Attempt<'_>) -> Option<String> {
        let engine = program(&self.spec).ok()?;
        let unwell =
            std::mem::take(&mut self.before.lock().unwrap_or_else(PoisonError::into_inner).unwell);
        let questions = Questions::new(attempt);
        let lines = LINES.to_string();
        let logs = unwell.iter().take(SHOWN).map(|(id, name)| {
            let argv = [engine, "logs", "--timestamps", "--tail", &lines, id];
            let log = questions.ask(&argv).map_or_else(|why| why, |output| last_lines(&output));
            tail_of(&format!("container {name}"), &log)
        });
        Some(logs.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
    }
}

/// The program to ask.
///
/// # Errors
/// That there is none, in words.
pub(super) fn program(spec: &ContainerSpec) -> Result<&'static str, String> {
    let is_there = |engine: &Engine| {
        let program = CommandSpec::new(Argv(vec![engine.program().into()]));
        process::missing(&program).is_none()
    };
    match spec.engine {
        Some(engine) if is_there(&engine) => Ok(engine.program()),
        Some(engine) => Err(format!("there is no program {} in PATH", engine.program())),
        None => {
            let mut both = [Engine::Docker, Engine::Podman].into_iter();
            let found = both.find(is_there).map(Engine::program);
            found.ok_or_else(|| "there is neither docker nor podman in PATH".into())
        }
    }
}

/// The containers that are meant; none is an answer.
///
/// # Errors
/// Why it could not be found out, in words.
pub(super) fn known(
    spec: &ContainerSpec,
    engine: &str,
    questions: &Questions<'_>,
) -> Result<Vec<Container>, String> {
    let ids = match (&spec.name, &spec.project) {
        (Some(name), _) => vec![name.clone()],
        (None, project) => of_project(project.as_deref().unwrap_or_default(), engine, questions)?,
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = inspect(&ids, engine, questions)?;
    if spec.name.is_none() {
        found.retain(|one| !one.is_one_off());
    }
    if !spec.services.is_empty() {
        found.retain(|one| spec.services.iter().any(|service| service == one.service()));
    }
    Ok(found)
}

/// The containers that are meant, with the health that they have now.
fn told(
    spec: &ContainerSpec,
    engine: &str,
    questions: &Questions<'_>,
) -> Result<Vec<Container>, String> {
    let mut found = known(spec, engine, questions)?;
    for container in found.iter_mut().filter(|one| one.wants_health_run()) {
        let output = questions.ask(&[engine, "healthcheck", "run", &container.id])?;
        match output.code {
            Some(0) => container.health_told(true),
            Some(1) => container.health_told(false),
            // It has just ended, and the next look sees that.
            _ => {}
        }
    }
    Ok(found)
}

fn of_project(
    project: &str,
    engine: &str,
    questions: &Questions<'_>,
) -> Result<Vec<String>, String> {
    let label = format!("label=com.docker.compose.project={project}");
    let output =
        questions.ask(&[engine, "ps", "--all", "--quiet", "--no-trunc", "--filter", &label])?;
    if output.code != Some(0) {
        return Err(complaint(engine, &output));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

fn inspect(
    ids: &[String],
    engine: &str,
    questions: &Questions<'_>,
) -> Result<Vec<Container>, String> {
    let mut argv = vec![engine, "inspect", "--type", "container"];
    argv.extend(ids.iter().map(String::as_str));
    let output = questions.ask(&argv)?;
    // The engine knows no such container, but does answer. Whatever else goes wrong is an error.
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    let unknown = said.contains("no such container") || said.contains("no such object");
    if output.code != Some(0) && !unknown {
        return Err(complaint(engine, &output));
    }
    if unknown && output.stdout.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    containers::read(&output.stdout)
        .map_err(|error| format!("{engine} inspect told no containers: {error}"))
}
