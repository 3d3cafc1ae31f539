//! Starts and stops what was prepared, and tells what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use super::engine::Container;
use super::login::sweep;
use super::project::{self, SlotPort, Wanted};
use super::snapshot::Snapshot;
use super::trouble::was_running_again;
use super::{Compose, SERVICE_LABEL, labels, model};
use crate::config::CheckSpec;
use crate::config::compose::ContainerEngine;
use crate::config::values::Period;
use crate::config::watched::{self, ContainerSpec};
use crate::decide::history::Release;
use crate::deploy::commands::Commands;
use crate::platforms::{Log, Running, Trouble};

/// How long containers have until they are well, where nobody gives them less.
const WELL_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What runs in a place, by its containers.
pub(super) fn running(all: &[Container]) -> Running {
    let running = all.iter().filter(|one| one.is_running());
    let versions: BTreeSet<&str> = running.map(|one| one.label(labels::VERSION)).collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    match versions.as_slice() {
        [] => Running::Nothing,
        [""] => Running::Unknown,
        all => Running::Version(all.join(" and ")),
    }
}

impl Compose {
    /// The name of the project here.
    fn project_name(&self, snapshot: &Snapshot) -> String {
        match self.place.slot {
            Some(_) => format!("{}-{}", snapshot.project, self.slot()),
            None => snapshot.project.clone(),
        }
    }

    /// The project in place, and the one of the slot.
    pub(super) fn project_of(
        &self,
        snapshot: &Snapshot,
    ) -> Result<(Value, Option<Value>, Option<Value>), Trouble> {
        let run = |(service, image): (&String, &super::snapshot::Image)| {
            (service.clone(), image.run.clone())
        };
        let images: BTreeMap<String, String> = snapshot.images.iter().map(run).collect();
        let address = match (&self.place.slot, &snapshot.port) {
            (Some((_, port)), _) => Some(format!("http://127.0.0.1:{port}")),
            (None, Some((service, target))) => model::address(&snapshot.model, service, *target),
            (None, None) => None,
        };
        let labels = [
            (labels::SERVICE, self.scope.service.to_string()),
            (labels::ENVIRONMENT, self.scope.environment.to_string()),
            (labels::COMPONENT, self.place.component.clone().unwrap_or_default()),
            (labels::SLOT, self.slot().to_owned()),
            (labels::VERSION, snapshot.version.clone()),
            (labels::RELEASE, snapshot.key.clone()),
            (labels::ADDRESS, address.unwrap_or_default()),
        ];
        let grace = format!("{}s", self.grace().as_secs());
        let wanted =
            Wanted { kinds: &snapshot.kinds, images: &images, labels: &labels, grace: &grace };
        let in_place = project::in_place(&snapshot.model, &wanted);
        let (Some((slot, port)), Some((service, target))) = (&self.place.slot, &snapshot.port)
        else {
            return Ok((in_place, None, None));
        };
        let at = SlotPort { slot, port: *port, service, target: *target };
        let in_slot = project::in_slot(&snapshot.model, &wanted, at)?;
        Ok((in_place, Some(in_slot), project::ground(&snapshot.model, &wanted)))
    }

    /// Starts a release.
    pub(super) fn start_kept(
        &self,
        snapshot: &Snapshot,
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        sweep(&self.folder).map_err(|error| self.unwritten(&error))?;
        let (in_place, in_slot, ground) = self.project_of(snapshot)?;
        let write = |name: &str, project: &Value| {
            let written = self.snapshots.project_file(snapshot, name, project);
            written.map_err(|error| self.unwritten(&error))
        };
        let base = write("project.json", &in_place)?;
        self.snapshots.started(snapshot).map_err(|error| self.unwritten(&error))?;
        let name = self.project_name(snapshot);
        let own: Vec<&str> = self.own(&snapshot.kinds).into_iter().map(String::as_str).collect();
        if in_slot.is_none() {
            // First, since what was of a release before may be shared now, and is started as that.
            self.remove_others(&own, commands)?;
        }
        self.start_shared(snapshot, &base, commands)?;
        match in_slot {
            Some(project) => {
                if let Some(ground) = ground {
                    let file = write("ground.json", &ground)?;
                    self.lay_ground(snapshot, &file, &ground, commands)?;
                }
                let file = write(&format!("project-{}.json", self.slot()), &project)?;
                let words = ["up", "-d", "--remove-orphans"];
                self.exchange(&snapshot.key, &|| self.up(&name, &file, &words, commands), commands)
            }
            None => {
                let words: Vec<&str> =
                    ["up", "-d", "--no-deps"].into_iter().chain(own.iter().copied()).collect();
                self.exchange(&snapshot.key, &|| self.up(&name, &base, &words, commands), commands)
            }
        }
    }

    /// Brings a release up in the place of another one. Podman starts a container that crashes in a
    /// loop again, also between Compose's stop and its removal, and Compose gives up then: what is of
    /// another release is taken away by force, and Compose asked once more.
    fn exchange(
        &self,
        key: &str,
        up: &dyn Fn() -> Result<(), Trouble>,
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        let Err(trouble) = up() else { return Ok(()) };
        if !was_running_again(&trouble) {
            return Err(trouble);
        }
        let mut others = self.here()?;
        // One that was only created bears a name that Compose meant to change.
        others.retain(|one| one.label(labels::RELEASE) != key || one.state.status == "created");
        commands
            .session
            .say("          | it crashes in a loop: it is taken away, and Compose asked again");
        self.remove(&others, commands)?;
        up()
    }

    pub(super) fn up(
        &self,
        project: &str,
        file: &str,
        words: &[&str],
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        let command = self.engine.project(project, file, words);
        self.engine.with_health(project, || commands.run(&command, self.timeout()))
    }

    /// Makes the networks and volumes that a slot takes for granted, where one is missing.
    fn lay_ground(
        &self,
        snapshot: &Snapshot,
        file: &str,
        ground: &Value,
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        let (networks, volumes) = project::ground_names(ground);
        let is_there = |what: &str, names: &[String]| {
            let mut words = vec![what, "inspect", "--format", "{{.Name}}"];
            words.extend(names.iter().map(String::as_str));
            names.is_empty() || self.engine.ask(&self.engine.engine(&words)).is_ok()
        };
        if is_there("network", &networks) && is_there("volume", &volumes) {
            return Ok(());
        }
        let command = self.engine.project(&snapshot.project, file, &["up", "-d"]);
        commands.run(&command, self.timeout())
    }

    /// Services in place that the release has no more, or not yet.
    fn remove_others(&self, own: &[&str], commands: &Commands<'_>) -> Result<(), Trouble> {
        let mut others = self.here()?;
        others.retain(|one| !own.contains(&one.label(SERVICE_LABEL)));
        self.remove(&others, commands)
    }

    fn remove(&self, all: &[Container], commands: &Commands<'_>) -> Result<(), Trouble> {
        if all.is_empty() {
            return Ok(());
        }
        let ids = all.iter().map(|one| one.id.as_str());
        // Each container knows its own grace. What runs after it crashes in a loop, and was started
        // again in between.
        for verb in [&["stop"][..], &["rm", "--force"]] {
            let words: Vec<&str> = verb.iter().copied().chain(ids.clone()).collect();
            commands.run(&self.engine.engine(&words), self.timeout())?;
        }
        Ok(())
    }

    /// Stops what runs here: never what is shared, and no volume.
    pub(super) fn stop_here(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        let here = self.here()?;
        if self.place.slot.is_none() {
            return self.remove(&here, commands);
        }
        let mut projects: BTreeSet<String> =
            here.iter().map(|one| one.of_compose().0.to_owned()).collect();
        // The network of a slot may be left without a container.
        projects.extend(self.left_networks()?);
        for project in projects.iter().filter(|project| !project.is_empty()) {
            let command = self.engine.compose(&["-p", project, "down"]);
            commands.run(&command, self.timeout())?;
        }
        Ok(())
    }

    fn left_networks(&self) -> Result<Vec<String>, Trouble> {
        let component = self.place.component.as_deref().unwrap_or_default();
        let pairs = [
            (labels::SERVICE, self.scope.service.as_str()),
            (labels::ENVIRONMENT, self.scope.environment.as_str()),
            (labels::COMPONENT, component),
            (labels::SLOT, self.slot()),
        ];
        let filters: Vec<String> =
            pairs.iter().map(|(key, text)| format!("label={key}={text}")).collect();
        let mut words = vec!["network", "ls", "-q"];
        words.extend(filters.iter().flat_map(|filter| ["--filter", filter.as_str()]));
        let ids = self.engine.ask(&self.engine.engine(&words))?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let project = "{{index .Labels \"com.docker.compose.project\"}}";
        let words: Vec<&str> =
            ["network", "inspect", "--format", project].into_iter().chain(ids.lines()).collect();
        let text = self.engine.ask(&self.engine.engine(&words))?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// The containers of the release here, as a check: their own health, crashes, restart loops.
    pub(super) fn containers_check(&self) -> Option<CheckSpec> {
        // An engine that does not answer now is asked again by the check, which says so.
        let here = self.here().unwrap_or_default();
        let kept = self.snapshots.last().unwrap_or_default();
        let (project, kept) = match here.last() {
            Some(last) => {
                let key = last.label(labels::RELEASE).to_owned();
                (last.of_compose().0.to_owned(), kept.filter(|last| last.key == key))
            }
            // What was started and is not there is missed.
            None => (self.project_name(kept.as_ref()?), kept),
        };
        let services: BTreeSet<String> = match &kept {
            Some(kept) => {
                let name = |service: &&String| match &self.place.slot {
                    Some((slot, _)) => project::renamed(service, slot),
                    None => (*service).clone(),
                };
                self.own(&kept.kinds).iter().map(name).collect()
            }
            None => here.iter().map(|one| one.of_compose().1.to_owned()).collect(),
        };
        let engine = match self.engine.kind {
            ContainerEngine::Docker => watched::Engine::Docker,
            ContainerEngine::Podman => watched::Engine::Podman,
        };
        // One that was restarted in between is well again at the next look: it must be known before.
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &here {
            restarts.entry(one.id.clone()).or_insert(one.restarts);
        }
        let container = ContainerSpec {
            restarts: restarts.clone(),
            project: Some(project),
            services: services.into_iter().collect(),
            engine: Some(engine),
            ..ContainerSpec::default()
        };
        Some(CheckSpec {
            container: Some(container),
            within: Some(Period(WELL_WITHIN)),
            ..CheckSpec::default()
        })
    }

    /// Where the service is reached in place: as what runs there says, else as the files of today do.
    pub(super) fn address_in_place(&self) -> Option<String> {
        let here = self.here().ok()?;
        let told = here.iter().filter(|one| one.is_running()).map(|one| one.label(labels::ADDRESS));
        if let Some(address) = told.into_iter().find(|address| !address.is_empty()) {
            return Some(address.to_owned());
        }
        let release = Release { version: "v0".into(), ..Release::default() };
        let (model, other) = self.render_both(&release).ok()?;
        let rendered = model::Rendered { model: &model, other: &other };
        let kinds = rendered.kinds(&self.spec, false).ok()?;
        let (service, target) = model::port(&model, &kinds, self.spec.port.as_ref()).ok()?;
        model::address(&model, &service, target)
    }

    /// The last lines of all containers here, those that are not well first.
    pub(super) fn last_lines(&self, most: usize) -> Vec<String> {
        let Ok(mut here) = self.here() else { return Vec::new() };
        here.sort_by_key(|one| (unwell(one).is_none(), one.name.clone()));
        let mut lines = Vec::new();
        for one in &here {
            let left = most.saturating_sub(lines.len() + 1);
            if left == 0 {
                break;
            }
            let words = ["--tail", &left.to_string(), &one.id];
            let text =
                self.engine.logs(&words, 256 << 10).map(|(text, _)| text).unwrap_or_default();
            let state =
                unwell(one).unwrap_or_else(|| format!("{}: well", one.label(SERVICE_LABEL)));
            lines.push(format!("--- {state} ---"));
            let all: Vec<&str> = text.lines().collect();
            lines.extend(
                all[all.len().saturating_sub(left)..].iter().map(|line| (*line).to_owned()),
            );
        }
        lines
    }

    /// What the containers of a version here wrote since they were started last.
    pub(super) fn written_by(&self, version: &str, most: u64) -> std::io::Result<Log> {
        let failed = |trouble: Trouble| std::io::Error::other(trouble.reason);
        let here = self.here().map_err(failed)?;
        let mut log = Log::default();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for one in here.iter().filter(|one| one.label(labels::VERSION) == version) {
            let words = ["--since", one.state.started_at.as_str(), &one.id];
            let (text, is_cut) = self.engine.logs(&words, most).map_err(failed)?;
            log.text.push_str(&text);
            log.is_cut |= is_cut;
        }
        let from = log.text.ceil_char_boundary(log.text.len().saturating_sub(most));
        log.text.drain(..from);
        log.is_cut |= from > 0;
        Ok(log)
    }
}

/// What is not well with a container, in words.
pub(super) fn unwell(one: &Container) -> Option<String> {
    let service = match one.label(SERVICE_LABEL) {
        "" => one.of_compose().1,
        own => own,
    };
    match (one.state.status.as_str(), one.health()) {
        ("running", "" | "healthy" | "none") => None,
        ("running", health) => Some(format!("{service}: {health}")),
        ("exited", _) if one.state.exit_code == 0 => None,
        ("exited", _) => Some(format!("{service}: exit code {}", one.state.exit_code)),
        (state, _) => Some(format!("{service}: {state}")),
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
