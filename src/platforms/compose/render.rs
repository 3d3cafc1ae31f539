//! The model that Compose makes of the files of today.

use serde_json::Value;

use super::Compose;
use crate::decide::history::Release;
use crate::host::process::CommandSpec;
use crate::platforms::Trouble;

impl Compose {
    pub(super) fn render_both(&self, release: &Release) -> Result<(Value, Value), Trouble> {
        let other = Release {
            version: "waveoff-another-version".into(),
            sha: release.sha.as_ref().map(|_| "0".repeat(40)),
            digests: Vec::new(),
        };
        std::thread::scope(|scope| {
            let second = scope.spawn(|| self.render(&other));
            let first = self.render(release)?;
            let second = second.join();
            let second =
                second.unwrap_or_else(|_| Err(Trouble::new("rendering was interrupted")))?;
            Ok((first, second))
        })
    }

    /// The model that Compose makes of the files of today.
    fn render(&self, release: &Release) -> Result<Value, Trouble> {
        let model = self.rendered(release, self.spec.project.as_deref())?;
        // Without a name of its own a project is called as its folder is, and that of files which
        // were sent here is another one whenever they change.
        let is_digest =
            |name: &str| name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit());
        match model["name"].as_str().filter(|name| is_digest(name)) {
            Some(_) => self.rendered(release, Some(self.scope.service.as_str())),
            None => Ok(model),
        }
    }

    fn rendered(&self, release: &Release, project: Option<&str>) -> Result<Value, Trouble> {
        let command = self.rendering(release, project, &["config", "--format", "json"])?;
        let text = self.engine.ask_of_files(&command)?;
        let read = serde_json::from_str(&text);
        read.map_err(|error| Trouble::new(format!("{}: {error}", command.argv.show())))
    }

    pub(super) fn rendering(
        &self,
        release: &Release,
        project: Option<&str>,
        what: &[&'static str],
    ) -> Result<CommandSpec, Trouble> {
        let files = self.files()?;
        let mut words: Vec<&str> = files.iter().flat_map(|file| ["-f", file.as_str()]).collect();
        if let Some(file) = &self.spec.env_file {
            words.extend(["--env-file", file]);
        }
        if let Some(project) = project {
            words.extend(["-p", project]);
        }
        words.extend(what);
        let mut command = self.engine.compose(&words);
        // The files may ask for services of the user's profiles, which is his to say.
        command.env.retain(|(name, _)| name != "COMPOSE_PROFILES");
        command.env.extend(self.variables(release));
        Ok(command)
    }
}
