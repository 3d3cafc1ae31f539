//! Shared services: started when they do not run, and else left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::Container;
use super::prepare::Known;
use super::run::unwell;
use super::snapshot::Snapshot;
use super::{Compose, model};
use crate::decide::history::Release;
use crate::deploy::commands::Commands;
use crate::host::clock::Moment;
use crate::platforms::Trouble;

/// How often they are looked at until they are well.
const TICK: Duration = Duration::from_millis(200);

impl Compose {
    /// The images of shared services that have no container yet.
    pub(super) fn absent_shared(&self, known: &Known, there: &[Container]) -> Vec<String> {
        let has = |service: &String| {
            there.iter().any(|one| one.of_compose() == (&*known.project, &**service))
        };
        let absent = known.kinds.shared.iter().filter(|service| !has(service));
        let images = absent.map(|service| model::image(&known.model, service).to_owned());
        images.filter(|image| !image.is_empty()).collect()
    }

    /// Starts shared services that do not run, and waits until they are well. Those that run are
    /// left alone, whatever the file says of them now.
    pub(super) fn start_shared(
        &self,
        snapshot: &Snapshot,
        base: &str,
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        let shared = &snapshot.kinds.shared;
        if shared.is_empty() {
            return Ok(());
        }
        let filter = [format!("label=com.docker.compose.project={}", snapshot.project)];
        let there = self.engine.containers(&filter)?;
        let is_there = |service: &String| {
            there.iter().any(|one| one.of_compose().1 == service && one.is_running())
        };
        let absent: Vec<&str> =
            shared.iter().filter(|s| !is_there(s)).map(String::as_str).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let words = ["up", "-d", "--no-recreate", "--no-deps", "--no-build"];
        let words: Vec<&str> = words.into_iter().chain(absent.iter().copied()).collect();
        self.up(&snapshot.project, base, &words, commands)?;
        let started = Moment::now();
        loop {
            self.engine.run_health(&snapshot.project);
            let there = self.engine.containers(&filter)?;
            let wanted = there.iter().filter(|one| absent.contains(&one.of_compose().1));
            let waits: Vec<String> = wanted.clone().filter_map(unwell).collect();
            if waits.is_empty() && wanted.count() >= absent.len() {
                return Ok(());
            }
            // After its own retries and start period there is nothing to wait for.
            let failed =
                there.iter().filter(|one| absent.contains(&one.of_compose().1)).find(|one| {
                    one.health() == "unhealthy"
                        || one.state.status == "exited" && one.state.exit_code != 0
                });
            if let Some(why) = failed.and_then(unwell) {
                return Err(Trouble::new(format!("a shared service is not well: {why}")));
            }
            if started.elapsed() >= self.timeout() {
                return Err(Trouble::new(format!("not well in time: {}", waits.join(", "))));
            }
            if commands.session.cancel.sleep(TICK) {
                return Err(Trouble::new("it was ended by the cancellation"));
            }
        }
    }

    /// What Compose would compare each service with, by its name; nothing where it does not tell.
    pub(super) fn hashes(&self, release: &Release) -> BTreeMap<String, String> {
        let command =
            self.rendering(release, self.spec.project.as_deref(), &["config", "--hash", "*"]);
        let text = command.and_then(|command| self.engine.ask(&command)).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(service, hash)| (service.to_owned(), hash.trim().to_owned())).collect()
    }

    /// Tells of shared services that run as they were defined before.
    pub(super) fn tell_changed(
        &self,
        known: &Known,
        hashes: &BTreeMap<String, String>,
        there: &[Container],
        commands: &Commands<'_>,
    ) {
        for service in &known.kinds.shared {
            let is_it = |one: &&Container| one.of_compose() == (&*known.project, &**service);
            let Some(container) = there.iter().filter(is_it).find(|one| one.is_running()) else {
                continue;
            };
            let runs = container.label("com.docker.compose.config-hash");
            let is_other = hashes.get(service).is_some_and(|hash| hash != runs);
            if is_other && !runs.is_empty() {
                commands.session.say(&format!(
                    "          | {service} is shared, and stays as it runs: what the Compose file says \
                     of it now takes effect when you recreate it by hand"
                ));
            }
        }
    }
}
