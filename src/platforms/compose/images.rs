//! The images of a release, before anything is fetched.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Compose;
use super::engine::Engine;
use crate::config::compose::ContainerEngine;
use crate::decide::plan::Direction;
use crate::host::files;
use crate::platforms::{Order, Trouble};
use crate::preflight::Wanted;

impl Compose {
    /// Those that would be pulled, and those that are here already.
    pub(super) fn images_of(&self, order: &Order<'_>) -> Result<Vec<Wanted>, Trouble> {
        let names: BTreeSet<String> = match order.direction {
            Direction::Forward => self.know_checked(order.release)?.images.into_values().collect(),
            Direction::Back => {
                let kept = self.snapshots.of(order.release)?.images.into_values();
                return kept.map(|image| self.wanted_back(&image)).collect();
            }
        };
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let here = self.engine.images(&all)?;
        let wanted = all.iter().zip(here).map(|(name, here)| {
            let is_here = here.is_some_and(|local| self.is_it(name, &local));
            self.wanted(name, is_here)
        });
        wanted.collect()
    }

    /// What comes back is what was kept: by its id, whatever it is called now.
    fn wanted_back(&self, image: &super::snapshot::Image) -> Result<Wanted, Trouble> {
        let by_id = || self.engine.image(&image.id);
        let is_here = self.engine.image(&image.run)?.is_some() || by_id()?.is_some();
        if !is_here && !image.run.contains("@sha256:") {
            return Err(Trouble::new(format!(
                "{} was built here, is gone, and no registry has it",
                image.name
            )));
        }
        let name = if image.run.contains("@sha256:") { &image.run } else { &image.name };
        self.wanted(name, is_here)
    }

    fn wanted(&self, name: &str, is_here: bool) -> Result<Wanted, Trouble> {
        let image = name.parse().map_err(|why: String| Trouble::new(why).mistake())?;
        Ok(Wanted { image, is_here, login: self.spec.registry.clone() })
    }
}

impl Engine {
    /// Where it keeps images on this machine; none where it cannot tell, or is on another one.
    pub(super) fn root(&self) -> Option<PathBuf> {
        let field = match self.kind {
            ContainerEngine::Docker => "{{.DockerRootDir}}",
            ContainerEngine::Podman => "{{.Store.GraphRoot}}",
        };
        let told = self.ask(&self.engine(&["info", "--format", field])).ok()?;
        Some(PathBuf::from(told)).filter(|folder| folder.is_absolute() && files::exists(folder))
    }
}
