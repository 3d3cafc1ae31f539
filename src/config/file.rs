//! Reading `waveoff.yml`: strictly, with the file, line and key of every mistake.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::check::CheckSpec;
use super::hidden;
use super::interpolate::{Mistake, interpolate};
use super::keys;
#[cfg(test)]
use super::pipeline::PlatformSpec;
use super::pipeline::{IncidentSpec, LedgerSpec, NotifySpec};
use super::reader::Placed;
use super::ssh::RemoteSpec;
use super::transaction::TransactionSpec;
use super::tree::{self, What, Wrong};
use super::values::{Argv, NonEmpty, Period};
#[cfg(test)]
use super::{preflight, ssh, transaction};
use crate::exit::Fault;
use crate::report::mask::Mask;

/// The whole of `waveoff.yml`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "waveoff.yml"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The version of this format: 1.
    #[cfg_attr(test, schemars(range(min = 1, max = 1)))]
    pub version: u32,
    /// The name of the service; needed for deploying.
    pub service: Option<String>,
    /// The environment; `production` if absent.
    pub environment: Option<String>,
    /// Short for `platform: { command: { deploy: … } }`.
    pub deploy: Option<Argv>,
    /// How releases are started.
    #[cfg_attr(test, schemars(with = "Option<PlatformSpec>"))]
    pub platform: Option<IgnoredAny>,
    /// Where deployments are remembered; `folder` if absent.
    pub ledger: Option<LedgerSpec>,
    /// The state folder, which must survive the job.
    pub state: Option<String>,
    /// The address under which the service is reached; `path` checks are asked there when the platform has no address of its own.
    pub public: Option<String>,
    /// One deadline over all waiting.
    pub deadline: Option<Period>,
    /// What must hold of a release.
    #[cfg_attr(test, schemars(with = "Option<Vec<CheckSpec>>", length(min = 1)))]
    pub checks: Option<NonEmpty<Placed<CheckSpec>>>,
    /// Who is told about incidents.
    pub notify: Option<NonEmpty<NotifySpec>>,
    /// What is written about incidents.
    pub incident: Option<IncidentSpec>,
    /// The parts of a release, in the order in which they are deployed.
    #[cfg_attr(test, schemars(with = "Option<Vec<transaction::ComponentSpec>>", length(min = 1)))]
    pub components: Option<IgnoredAny>,
    /// How a release takes the place of another one; `rolling` if absent.
    #[cfg_attr(test, schemars(with = "Option<transaction::StrategySpec>"))]
    pub strategy: Option<IgnoredAny>,
    /// What sends requests to a slot; needed for slots.
    #[cfg_attr(test, schemars(with = "Option<transaction::RouterSpec>"))]
    pub router: Option<IgnoredAny>,
    /// What changes the database before a release is started.
    #[cfg_attr(test, schemars(with = "Option<transaction::MigrateSpec>"))]
    pub migrate: Option<IgnoredAny>,
    /// What is written down of the state before anything changes, besides versions and services.
    #[cfg_attr(test, schemars(with = "Option<transaction::CaptureSpec>"))]
    pub capture: Option<IgnoredAny>,
    /// What must be in place before a release is deployed.
    #[cfg_attr(test, schemars(with = "Option<preflight::PreflightSpec>"))]
    pub preflight: Option<IgnoredAny>,
    /// The limit of one deployment; when it is over, the old release comes back. 30m if absent.
    #[cfg_attr(test, schemars(with = "Option<Period>"))]
    pub deploy_within: Option<IgnoredAny>,
    /// The machine on which everything is done, over ssh; here if absent.
    #[cfg_attr(test, schemars(with = "Option<ssh::Address>"))]
    pub host: Option<IgnoredAny>,
    /// Several machines on which it is done, in this order: all of them or none.
    #[cfg_attr(test, schemars(with = "Option<Vec<ssh::Address>>", length(min = 1)))]
    pub hosts: Option<IgnoredAny>,
    /// On how many of `hosts` at once; 1 if absent.
    #[cfg_attr(test, schemars(with = "Option<u32>", range(min = 1)))]
    pub batch: Option<IgnoredAny>,
    /// How it is reached.
    #[cfg_attr(test, schemars(with = "Option<ssh::SshSpec>"))]
    pub ssh: Option<IgnoredAny>,
    /// Files and folders beside this file that the release needs there.
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>", length(min = 1)))]
    pub upload: Option<IgnoredAny>,
}

/// A place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1; 0 where there are no lines, as for a flag.
    pub line: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A configuration with what must not be shown of it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file's name, for messages.
    pub file: String,
    /// The folder of the file, to which the names of files of checks are relative; none for what
    /// came from elsewhere, with these files in the working folder.
    pub folder: Option<PathBuf>,
    /// What must not be shown.
    pub mask: Mask,
    /// The text as it was written, with its references.
    pub text: String,
    /// The text with its references replaced.
    filled: String,
}

impl Loaded {
    /// The keys that say how releases are exchanged.
    ///
    /// # Errors
    /// [`Fault`] with exit code 2 and the place of the mistake.
    pub fn transaction(&self) -> anyhow::Result<TransactionSpec> {
        read(&self.file, &self.filled, &self.mask)
    }

    /// The keys that say where releases are exchanged, if not here.
    ///
    /// # Errors
    /// [`Fault`] with exit code 2 and the place of the mistake.
    pub fn remote(&self) -> anyhow::Result<RemoteSpec> {
        let spec: RemoteSpec = read(&self.file, &self.filled, &self.mask)?;
        spec.validate(self)?;
        Ok(spec)
    }
}

/// Reads a file.
///
/// # Errors
/// [`Fault`] with exit code 2 and the place of the mistake.
pub fn load(file: &str) -> anyhow::Result<Loaded> {
    let text = crate::host::files::read_text(file).map_err(|error| {
        Fault::usage(format!("cannot read {file}: {error}"))
            .hint("give another file with --config, or write one with `waveoff init`")
    })?;
    parse(file, &text, crate::host::env::var)
}

/// Reads a text; `look_up` answers for the environment.
///
/// # Errors
/// [`Fault`] with exit code 2 and the place of the mistake.
pub fn parse(
    file: &str,
    text: &str,
    look_up: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Loaded> {
    let interpolated = interpolate(text, look_up).map_err(|mistake| {
        let Mistake { line, message, hint } = mistake;
        Fault::usage(format!("{file}:{line}: {message}")).hint(hint)
    })?;
    let mut mask = Mask::of_variables(&interpolated.used);
    // A text that is no YAML is told by whoever reads it next.
    tree::read(&interpolated.text).iter().for_each(|tree| hidden::find(tree, &mut mask));
    let config: Config = read(file, &interpolated.text, &mask)?;
    if let Some((path, (line, column))) = keys::without_value(&interpolated.text) {
        let why = format!("{file}:{line}:{column}: {path}: there is no value");
        return Err(Fault::usage(mask.apply(&why))
            .hint("give it one, or leave the key out")
            .into());
    }
    if config.version != 1 {
        return Err(Fault::usage(format!(
            "{file}: version {} is not known to this program",
            config.version
        ))
        .hint("write `version: 1`, or use a newer waveoff")
        .into());
    }
    let (text, filled) = (text.to_owned(), interpolated.text);
    let folder = Path::new(file).parent().map(Path::to_path_buf);
    Ok(Loaded { config, file: file.into(), folder, mask, text, filled })
}

fn read<T: DeserializeOwned>(file: &str, text: &str, mask: &Mask) -> anyhow::Result<T> {
    let read =
        tree::read(text).and_then(|tree| T::deserialize(&tree).map_err(|w| w.or_at(tree.at)));
    read.map_err(|wrong| mistake(file, text, &wrong, mask).into())
}

/// A reader's error in our form: place, key, what is wrong, what would be right.
fn mistake(file: &str, text: &str, wrong: &Wrong, mask: &Mask) -> Fault {
    let place = match wrong.at {
        Some((line, column)) => format!("{file}:{line}:{column}"),
        None => file.to_owned(),
    };
    let (path, hint) = match &wrong.what {
        What::Key(word, expected) | What::Word(word, expected) => (None, known(word, expected)),
        What::Twice(_) => (None, "keep one of them".into()),
        What::Missing(_) => (None, KEYS.into()),
        What::Says(_) => (wrong.at.and_then(|at| keys::path_at(text, at)), KEYS.into()),
    };
    let path = path.filter(|path| !path.is_empty()).map(|path| format!("{path}: "));
    let path = path.unwrap_or_default();
    Fault::usage(mask.apply(&format!("{place}: {path}{wrong}"))).hint(hint)
}

const KEYS: &str = "the keys are described in docs/configuration.md";

fn known(word: &str, expected: &[&'static str]) -> String {
    let list = expected.join(", ");
    let close = expected.iter().min_by_key(|known| strsim::levenshtein(word, known));
    match close.filter(|known| strsim::levenshtein(word, known) <= 2) {
        Some(close) => format!("did you mean `{close}`? known are: {list}"),
        None => format!("known are: {list}"),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
