//! The model that Compose makes of the files of today.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use serde_json::Value;

use super::Compose;
use super::binds::is_sent;
use crate::decide::history::Release;
use crate::deploy::commands::Commands;
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
        match model["name"].as_str().filter(|name| is_sent(name)) {
            Some(_) => self.rendered(release, Some(self.scope.service.as_str())),
            None => Ok(model),
        }
    }

    /// Says which variables of the files are empty because nobody has set them.
    pub(super) fn tell_unset(&self, commands: &Commands<'_>) {
        for name in self.unset.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            commands.session.say(&format!(
                "          | the variable {name} of the Compose file is not set, and empty"
            ));
        }
    }

    fn rendered(&self, release: &Release, project: Option<&str>) -> Result<Value, Trouble> {
        let command = self.rendering(release, project, &["config", "--format", "json"])?;
        let (text, said) = self.engine.ask_of_files(&command).map_err(told_what_travels)?;
        self.unset.lock().unwrap_or_else(PoisonError::into_inner).extend(unset(&said));
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

/// The variables of which Compose says that nobody has set them, and that it takes them for empty.
fn unset(said: &str) -> BTreeSet<String> {
    let plain = said.replace('\\', "");
    let named = plain.lines().filter_map(|line| {
        let (before, _) = line.split_once("\" variable is not set")?;
        Some(before.rsplit_once('"')?.1.to_owned())
    });
    named.collect()
}

/// Somebody whose Compose file is elsewhere finds all of its files at home, and some of them missing
/// there.
fn told_what_travels(trouble: Trouble) -> Trouble {
    let missing = ["not found", "no such file"].iter().any(|words| trouble.reason.contains(words));
    match missing {
        true => Trouble {
            reason: format!(
                "{}; over ssh, a file that the Compose file names has to be in `upload`",
                trouble.reason
            ),
            ..trouble
        },
        false => trouble,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_variables_that_nobody_has_set_are_known_by_their_names() {
        let said = "time=\"2026-11-21T19:00:00Z\" level=warning msg=\"The \\\"SHOP_PORT\\\" variable is \
                    not set. Defaulting to a blank string.\"\n\
                    WARN[0000] The \"PASSWORD\" variable is not set. Defaulting to a blank string. \n\
                    time=\"2026-11-21T19:00:00Z\" level=warning msg=\"`version` is obsolete\"\n";
        let names: Vec<String> = unset(said).into_iter().collect();
        assert_eq!(names, ["PASSWORD", "SHOP_PORT"]);
    }
}
