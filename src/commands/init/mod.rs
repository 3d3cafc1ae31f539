//! `waveoff init`: a configuration and a workflow to begin with.

mod compose;
mod description;
mod operations;
mod proposal;
mod variables;
mod words;
mod writing;

use std::path::Path;

use clap::Args;

use self::description::Description;
use self::proposal::{About, Proposal, RouterWord};
use super::{Session, Verb};
use crate::decide::verdict::Verdict;
use crate::exit::Fault;
use crate::host::{detach, env, files};
use crate::report::v1::Report;

/// What is written, and where.
const FILES: [(&str, &str); 2] = [
    ("waveoff.yml", include_str!("waveoff.yml")),
    (".github/workflows/deploy.yml", include_str!("deploy.yml")),
];
/// Where Compose looks for its file, the first one first.
const COMPOSE: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
    /// Propose how this Compose file is deployed; again for a file that is merged into it
    /// [default: compose.yaml or docker-compose.yml in this folder, if there is one]
    #[arg(long, value_name = "FILE")]
    compose: Vec<String>,
    /// Propose checks for what this OpenAPI description says: a file, or an address; JSON
    #[arg(long, value_name = "FILE|URL")]
    openapi: Option<String>,
    /// Propose blue-green behind this router
    #[arg(long, value_name = "KIND")]
    router: Option<RouterWord>,
}

impl Verb for Init {
    const NAME: &'static str = "init";
    const ABOUT: &'static str = "Write a waveoff.yml and a deploy workflow to begin with";
    const EXAMPLES: &'static str = "\
Examples:
  waveoff init
  waveoff init --compose deploy/compose.yml
  waveoff init --router nginx
  waveoff init --openapi https://shop.example.com/openapi.json

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let there: Vec<&str> =
            FILES.iter().map(|(name, _)| *name).filter(|name| files::exists(name)).collect();
        if !there.is_empty() && !self.force {
            return Err(Fault::usage(format!("{} is there already", there.join(" and ")))
                .hint("nothing was written; --force overwrites")
                .into());
        }
        let description = self.openapi.as_deref().map(Description::read).transpose()?;
        let compose = self.proposal()?;
        let in_containers = compose.is_some();
        let proposal = match (compose, description) {
            (Some(compose), Some(description)) => Some(description.add_to(compose)),
            (None, Some(description)) => Some(description.propose(FILES[0].1)),
            (compose, None) => compose,
        };
        for (name, text) in contents(proposal.as_ref(), in_containers) {
            files::replace(name, text.as_bytes())
                .map_err(|error| Fault::error(format!("cannot write {name}: {error}")))?;
            session.say(&format!("wrote {name}"));
        }
        let mut report = session.report(Verdict::Pass, "a beginning is written");
        report.next = Some(match &proposal {
            None => "put your service, deploy command and health address into waveoff.yml, then \
                     `waveoff deploy --version V --dry-run`"
                .into(),
            Some(proposal) => {
                proposal.to_do.iter().for_each(|one| session.say(&format!("to do: {one}")));
                "look at each guess in waveoff.yml, then `waveoff deploy --version V --dry-run`"
                    .into()
            }
        });
        Ok(report)
    }
}

impl Init {
    /// What is proposed for the Compose file, where there is one.
    fn proposal(&self) -> anyhow::Result<Option<Proposal>> {
        let names = if self.compose.is_empty() { found() } else { self.compose.clone() };
        let Some(first) = names.first() else {
            return match self.router {
                None => Ok(None),
                Some(_) => {
                    Err(Fault::usage("--router is for a Compose file, and there is none here")
                        .hint("name it with --compose; nothing was written")
                        .into())
                }
            };
        };
        let env_file = Path::new(first).with_file_name(".env");
        let env_file = files::exists(&env_file).then_some(env_file);
        let texts = names.iter().map(|name| Ok((name.clone(), read(Path::new(name))?)));
        let texts: Vec<(String, String)> = texts.collect::<anyhow::Result<_>>()?;
        let known = match &env_file {
            Some(file) => variables::variables(&read(file)?),
            None => Vec::new(),
        };
        let look_up = |name: &str| {
            let of_file = known.iter().rfind(|(known, _)| known == name);
            env::var(name).or_else(|| of_file.map(|(_, value)| value.clone()))
        };
        let project = compose::read(&texts, &look_up)?;
        let here = detach::folder().unwrap_or_default();
        let folder = here.rsplit('/').next().unwrap_or_default().to_owned();
        // Compose takes the folder of the first file.
        let beside = Path::new(first).parent().and_then(Path::file_name);
        let beside = beside.map_or(folder.clone(), |name| name.to_string_lossy().into_owned());
        let about = About {
            folder,
            project: project.name.clone().unwrap_or_else(|| of_folder(&beside)),
            env_file: env_file.map(|file| file.display().to_string()),
            router: self.router,
        };
        Ok(Some(proposal::propose(&project, &about)))
    }
}

/// The file that Compose would find here, with the one that it merges into it.
fn found() -> Vec<String> {
    let Some(file) = COMPOSE.iter().find(|file| files::exists(file)) else { return Vec::new() };
    let stem = file.rsplit_once('.').map_or(*file, |(stem, _)| stem);
    let others = ["yaml", "yml"].map(|ending| format!("{stem}.override.{ending}"));
    let other = others.into_iter().find(|other| files::exists(other));
    std::iter::once((*file).to_owned()).chain(other).collect()
}

/// The name that Compose makes of a folder's.
fn of_folder(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let known = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let plain: String = name.chars().filter(known).collect();
    plain.trim_start_matches(['-', '_']).to_owned()
}

fn read(file: &Path) -> anyhow::Result<String> {
    files::read_text(file).map_err(|error| {
        Fault::usage(format!("cannot read {}: {error}", file.display()))
            .hint("nothing was written; name another Compose file with --compose")
            .into()
    })
}

/// The files that are written. Containers are on a machine that remembers, and not on a hosted
/// runner.
fn contents(proposal: Option<&Proposal>, in_containers: bool) -> Vec<(&'static str, String)> {
    let [(name, text), workflow] = FILES.map(|(name, text)| (name, text.to_owned()));
    let config = (name, proposal.map_or(text, |proposal| proposal.text.clone()));
    if !in_containers {
        return vec![config, workflow];
    }
    let own =
        "runs-on: self-hosted # the machine with the containers, or one that reaches it by `host:`";
    let here = workflow.1.replace("runs-on: ubuntu-latest", own);
    let here = here.replace("      deployments: write # the ledger\n", "");
    vec![config, (workflow.0, here)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_right() {
        let loaded = crate::config::parse(FILES[0].0, FILES[0].1, |_| None).unwrap();
        assert_eq!(loaded.config.service.as_deref(), Some("shop"));
        let lines = FILES[1].1.lines().count();
        assert!(lines <= 25, "the workflow has {lines} lines; it should be read at a glance");
    }

    #[test]
    fn containers_are_deployed_by_a_runner_of_ones_own() {
        let proposal = Proposal { text: "version: 1\n".into(), to_do: Vec::new() };
        let written = contents(Some(&proposal), true);
        assert_eq!(written[0], ("waveoff.yml", proposal.text.clone()));
        assert!(written[1].1.contains("runs-on: self-hosted #"), "{}", written[1].1);
        assert!(!written[1].1.contains("deployments: write"), "{}", written[1].1);
        assert_eq!(contents(None, false)[1].1, FILES[1].1);
        assert_eq!(contents(Some(&proposal), false)[1].1, FILES[1].1);
    }
}
