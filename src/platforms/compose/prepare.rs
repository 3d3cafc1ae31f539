//! Makes a release ready while nothing is changed yet: renders it, looks whether it fits what is
//! there, pulls its images, keeps them from being pruned, and writes all of it down.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::binds::{is_sent, refuse_unsent};
use super::engine::{Container, LocalImage};
use super::login::{Login, sweep};
use super::model::{self, Kinds, Rendered, registry, repository, resolved, wrong};
use super::snapshot::{DIGEST, Image, Snapshot, key_of};
use super::{Compose, HELD_LABEL, labels};
use crate::config::compose::{ComposePart, ContainerEngine};
use crate::decide::history::Release;
use crate::deploy::commands::Commands;
use crate::exit::{Exit, Fault};
use crate::host::{detach, files};
use crate::platforms::{Order, Trouble};

/// Snapshots and images that are kept besides those that run: those that were started last.
const KEPT: usize = 10;

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        let hint = fault.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let trouble = Trouble::new(format!("{fault}{hint}"));
        Trouble { is_mistake: fault.exit == Exit::Usage, ..trouble }
    }
}

/// A model with what was found out about it.
pub(super) struct Known {
    pub model: Value,
    pub other: Value,
    pub kinds: Kinds,
    /// The image of each released service, as it is asked for.
    pub images: BTreeMap<String, String>,
    pub port: Option<(String, u16)>,
    pub project: String,
}

impl Compose {
    /// Renders the files of today for a release, and looks whether it can be deployed.
    pub(super) fn know(&self, release: &Release) -> Result<Known, Trouble> {
        let (model, other) = self.render_both(release)?;
        let here = detach::folder().unwrap_or_default();
        if here.rsplit('/').next().is_some_and(is_sent) {
            refuse_unsent(&model, &here, |source| files::exists(source))?;
        }
        let rendered = Rendered { model: &model, other: &other };
        let slots = self.place.slot.is_some() || self.spec.part != ComposePart::Whole;
        let kinds = rendered.kinds(&self.spec, slots)?;
        // Of several components, each takes the digests that fit.
        let images =
            rendered.images(&self.own(&kinds), &given(release), self.place.component.is_none())?;
        let port = match model::port(&model, &kinds, self.spec.port.as_ref()) {
            Err(fault) if slots || self.spec.port.is_some() => return Err(fault.into()),
            // What is restarted beside slots serves nobody.
            port => port.ok().filter(|_| self.spec.part != ComposePart::Restarted),
        };
        let project = model["name"].as_str().unwrap_or_default().to_owned();
        let known = Known { model, other, kinds, images, port, project };
        // Whether it can be doubled is known before anything is pulled.
        self.project_of(&self.snapshot(release, &known, BTreeMap::new(), String::new()))?;
        Ok(known)
    }

    /// The same, by a Compose that is new enough. It is not asked where that is plain: a start of
    /// Compose takes as long as several of the engine, and what `docker compose` starts has rendered a
    /// model as JSON, which version 1 cannot.
    pub(super) fn know_checked(&self, release: &Release) -> Result<Known, Trouble> {
        match self.know(release) {
            Ok(known) if self.engine.is_plugin() => Ok(known),
            known => self.engine.check().and(known),
        }
    }

    fn snapshot(
        &self,
        release: &Release,
        known: &Known,
        images: BTreeMap<String, Image>,
        digest: String,
    ) -> Snapshot {
        let named = images.values().map(|image| match image.run.contains("@sha256:") {
            true => image.run.clone(),
            false => format!("{}@{}", repository(&image.name), image.id),
        });
        let mut digests: Vec<String> = named.collect();
        digests.push(format!("{DIGEST}{digest}"));
        let mut seen = BTreeSet::new();
        digests.retain(|digest| seen.insert(digest.clone()));
        Snapshot {
            version: release.version.clone(),
            key: key_of(&digest),
            digests,
            project: known.project.clone(),
            kinds: known.kinds.clone(),
            images,
            port: known.port.clone(),
            model: known.model.clone(),
        }
    }

    /// Makes a new release ready.
    pub(super) fn prepare_new(
        &self,
        order: &Order<'_>,
        commands: &Commands<'_>,
    ) -> Result<Vec<String>, Trouble> {
        sweep(&self.folder).map_err(|error| self.unwritten(&error))?;
        let (known, hashes) = std::thread::scope(|scope| {
            let hashes = scope.spawn(|| self.hashes(order.release));
            let known = self.know_checked(order.release)?;
            Ok::<_, Trouble>((known, hashes.join().unwrap_or_default()))
        })?;
        self.tell_unset(commands);
        let there = self.engine.containers(&[])?;
        self.tell_changed(&known, &hashes, &there, commands);
        self.fits(&known, &there)?;
        let absent = self.absent_shared(&known, &there);
        let found = self.pull(&known, &absent, commands)?;
        let digest = self.digest(&known, &found);
        let key = key_of(&digest);
        let image = |(service, name): (&String, &String)| {
            let local = &found[name];
            let tag = self.tag(service, &key);
            let digest = local.digest(&repository(name)).filter(|_| !self.is_only_here(name));
            let run = digest.cloned().unwrap_or_else(|| tag.clone());
            (service.clone(), Image { name: name.clone(), run, id: local.id.clone(), tag })
        };
        let images = known.images.iter().map(image).collect();
        let snapshot = self.snapshot(order.release, &known, images, digest);
        // First of all it is known what is held, so that it is let go of though we were killed here.
        self.snapshots.keep(&snapshot, &self.sources()).map_err(|error| self.unwritten(&error))?;
        self.hold(&snapshot, &there)?;
        self.let_go(&snapshot, &there, commands);
        // One image may be known by several digests: that by which it was asked for counts, too.
        let asked = known.images.into_values().filter(|image| image.contains("@sha256:"));
        Ok(snapshot.digests.into_iter().chain(asked).collect())
    }

    /// Looks whether what comes back can still be started.
    pub(super) fn prepare_back(
        &self,
        order: &Order<'_>,
        commands: &Commands<'_>,
    ) -> Result<Vec<String>, Trouble> {
        let snapshot = self.snapshots.of(order.release)?;
        let mut looked = BTreeSet::new();
        let all = snapshot.images.iter().filter(|(_, image)| looked.insert(&image.run));
        let all: Vec<_> = all.collect();
        let runs: Vec<&str> = all.iter().map(|(_, image)| image.run.as_str()).collect();
        let here = self.engine.images(&runs)?;
        let absent = all.iter().zip(here).filter(|(_, here)| here.is_none()).map(|(one, _)| one);
        for (service, image) in absent {
            if self.engine.image(&image.id)?.is_some() {
                self.engine.ask(&self.engine.engine(&["tag", &image.id, &image.tag]))?;
            }
            if !image.run.contains("@sha256:") {
                if self.engine.image(&image.run)?.is_some() {
                    continue;
                }
                return Err(Trouble::new(format!(
                    "the image of {service}, {}, was built here, is gone, and no registry has it",
                    image.name
                )));
            }
            self.pull_one(&image.run, commands).map_err(|trouble| Trouble {
                reason: format!(
                    "the image of {service}, {}, has vanished: {}",
                    image.run, trouble.reason
                ),
                ..trouble
            })?;
        }
        self.hold(&snapshot, &self.engine.containers(&[])?)?;
        Ok(Vec::new())
    }

    /// What would lose data, or leave a second copy of the service running.
    fn fits(&self, known: &Known, there: &[Container]) -> Result<(), Trouble> {
        if let Some(last) = self.snapshots.last()? {
            for (key, _) in model::map(&known.model, "volumes").into_iter().flatten() {
                let was =
                    model::map(&last.model, "volumes").is_some_and(|all| all.contains_key(key));
                let (old, new) =
                    (resolved(&last.model, "volumes", key), resolved(&known.model, "volumes", key));
                if was && old != new {
                    return Err(wrong(format!(
                        "the volume {key} was {old}, and would be {new} now: its data would be left behind"
                    ))
                    .hint(format!("write `project: {}` to go on with it, or `name: {old}` at the volume", last.project))
                    .into());
                }
            }
        }
        let files = self.sources_of_labels();
        let mine = |container: &&Container| {
            let (project, service) = container.of_compose();
            let from_file = container.label("com.docker.compose.project.config_files") == files;
            let is_known = known.model["services"].get(service).is_some();
            container.is_running() && from_file && is_known && project != known.project
        };
        if let Some(container) = there.iter().find(mine) {
            let (project, service) = container.of_compose();
            return Err(wrong(format!(
                "{service} of {files} runs in the project {project}, and would run in {} beside it",
                known.project
            ))
            .hint(format!("write `project: {project}`, or take that one down first"))
            .into());
        }
        Ok(())
    }

    /// Pulls what is not here, or may be another one there by now. Gives the released images.
    fn pull(
        &self,
        known: &Known,
        shared: &[String],
        commands: &Commands<'_>,
    ) -> Result<BTreeMap<String, LocalImage>, Trouble> {
        let names: BTreeSet<&str> = known.images.values().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut found = BTreeMap::new();
        let mut pulled = Vec::new();
        for (name, here) in names.iter().zip(self.engine.images(&names)?) {
            match here.filter(|local| self.is_it(name, local)) {
                Some(local) => drop(found.insert((*name).to_owned(), local)),
                None => {
                    self.pull_one(name, commands)?;
                    pulled.push(*name);
                }
            }
        }
        for (name, local) in pulled.iter().zip(self.engine.images(&pulled)?) {
            let local = local.ok_or_else(|| {
                Trouble::new(format!("the image {name} was pulled and is not here"))
            })?;
            found.insert((*name).to_owned(), local);
        }
        for name in shared {
            if self.engine.image(name)?.is_none() {
                self.pull_one(name, commands)?;
            }
        }
        Ok(found)
    }

    /// Whether an image that is here is the one that is meant, so that it is not pulled: what no
    /// registry has a digest of was built here, and what has one in its name cannot be another.
    pub(super) fn is_it(&self, name: &str, local: &LocalImage) -> bool {
        name.contains("@sha256:")
            || local.digest(&repository(name)).is_none()
            || self.is_only_here(name)
    }

    /// Whether no registry can have it: Podman calls what was built here so.
    fn is_only_here(&self, image: &str) -> bool {
        self.engine.kind == ContainerEngine::Podman && registry(image) == "localhost"
    }

    fn pull_one(&self, image: &str, commands: &Commands<'_>) -> Result<(), Trouble> {
        let plain = || self.engine.engine(&["pull", "--quiet", image]);
        let Some(spec) = &self.spec.registry else {
            return commands.run(&plain(), self.timeout());
        };
        let login = Login::write(&self.folder, spec, &self.engine);
        let login = login.map_err(|error| self.unwritten(&error))?;
        let command = if login.is_for(image) { login.pull(&self.engine, image) } else { plain() };
        commands.run(&command, self.timeout())
    }

    /// Of all that is deployed but the version's name.
    fn digest(&self, known: &Known, found: &BTreeMap<String, LocalImage>) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.as_bytes());
            hash.update([0]);
        };
        add(self.place.component.as_deref().unwrap_or_default());
        add(&model::without_images(&known.other));
        for (service, name) in &known.images {
            add(service);
            add(&found[name].id);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Keeps the images of a release by a tag of ours and by a container that is never started:
    /// `docker image prune -a` leaves what a container has.
    fn hold(&self, snapshot: &Snapshot, there: &[Container]) -> Result<(), Trouble> {
        let mut held = BTreeSet::new();
        for image in snapshot.images.values() {
            let has = |one: &Container| {
                one.label(HELD_LABEL) == snapshot.key && one.label(labels::IMAGE) == image.id
            };
            let is_held = there.iter().any(has);
            // What runs by its tag must have it; else it only helps to keep the image.
            if !is_held || image.run == image.tag {
                self.engine.ask(&self.engine.engine(&["tag", &image.id, &image.tag]))?;
            }
            if is_held || !held.insert(&image.id) {
                continue;
            }
            let mut words: Vec<String> =
                ["create", "--pull", "never", "--network", "none"].map(Into::into).into();
            let own = [
                (HELD_LABEL, snapshot.key.clone()),
                (labels::IMAGE, image.id.clone()),
                (labels::SERVICE, self.scope.service.to_string()),
                (labels::ENVIRONMENT, self.scope.environment.to_string()),
            ];
            words.extend(
                own.into_iter().flat_map(|(key, text)| ["--label".into(), format!("{key}={text}")]),
            );
            words.extend([image.id.clone(), "true".into()]);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            self.engine.ask(&self.engine.engine(&words))?;
        }
        Ok(())
    }

    /// Lets go of images that nobody will go back to. That one of them stays is no reason to stop.
    fn let_go(&self, snapshot: &Snapshot, there: &[Container], commands: &Commands<'_>) {
        let starts = self.snapshots.starts();
        let recent = starts.iter().rev().take(KEPT).filter_map(|name| name.rsplit_once('-'));
        let mut kept: BTreeSet<&str> = recent.map(|(_, key)| key).collect();
        kept.insert(&snapshot.key);
        let running = there.iter().filter(|one| self.is_of_scope(one));
        kept.extend(running.map(|one| one.label(labels::RELEASE)));
        let known = self.snapshots.keys();
        let is_old = |one: &&Container| {
            let key = one.label(HELD_LABEL);
            self.is_of_scope(one) && known.contains(key) && !kept.contains(key)
        };
        for container in there.iter().filter(is_old) {
            let removed = self.engine.ask(&self.engine.engine(&["rm", "-v", &container.id]));
            if let Err(trouble) = removed {
                commands.session.say(&format!("          | {}", trouble.reason));
            }
        }
        let old: Vec<String> =
            known.iter().filter(|key| !kept.contains(key.as_str())).cloned().collect();
        for key in &old {
            for image in self.snapshots.images_of(key) {
                // Gone already is as good.
                let _ = self.engine.ask(&self.engine.engine(&["rmi", &image.tag]));
            }
        }
        if let Err(error) = self.snapshots.forget(|key| !old.iter().any(|own| own == key)) {
            commands.session.say(&format!("          | old releases were not removed: {error}"));
        }
    }

    /// Our own tag for an image: whatever the names are, it is one that engines take.
    fn tag(&self, service: &str, key: &str) -> String {
        let plain = |text: &str| -> String {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric());
            let words = words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase);
            words.collect::<Vec<_>>().join("-")
        };
        let scope = format!("{}-{}", self.scope.service, self.scope.environment);
        // Podman takes a name without a registry for one of Docker Hub's.
        let here = if self.engine.kind == ContainerEngine::Podman { "localhost/" } else { "" };
        format!("{here}waveoff/{}/{}:{key}", plain(&scope), plain(service))
    }
}

/// The digests of a release that somebody gave.
fn given(release: &Release) -> Vec<String> {
    release.digests.iter().filter(|digest| !digest.starts_with(DIGEST)).cloned().collect()
}
