//! Reading `waveoff.yml`: strictly, with the file, line and key of every mistake.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_saphyr::{Spanned, options};

use super::check::CheckSpec;
use super::interpolate::{Mistake, interpolate};
use super::keys;
#[cfg(test)]
use super::pipeline::PlatformSpec;
use super::pipeline::{IncidentSpec, LedgerSpec, NotifySpec};
use super::ssh::RemoteSpec;
use super::transaction::TransactionSpec;
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
    pub checks: Option<NonEmpty<Spanned<CheckSpec>>>,
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
    let mask = Mask::of_variables(&interpolated.used);
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
    Ok(Loaded { config, file: file.into(), mask, text, filled })
}

fn read<T: DeserializeOwned>(file: &str, text: &str, mask: &Mask) -> anyhow::Result<T> {
    let strict = options! { with_snippet: false };
    let read = serde_saphyr::from_str_with_options(text, strict);
    read.map_err(|error| mistake(file, text, &error, mask).into())
}

/// A reader's error in our form: place, key, what is wrong, what would be right.
fn mistake(file: &str, text: &str, error: &serde_saphyr::Error, mask: &Mask) -> Fault {
    use serde_saphyr::Error;
    let place = match error.location() {
        Some(at) => format!("{file}:{}:{}", at.line(), at.column()),
        None => file.to_owned(),
    };
    let plain = error.without_snippet();
    let (message, hint) = match plain {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("the key `{field}` is not known here"), known(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("`{variant}` is not known here"), known(variant, expected))
        }
        Error::DuplicateMappingKey { key, .. } => (
            format!("the key `{}` stands twice", key.as_deref().unwrap_or("?")),
            Some("keep one of them".into()),
        ),
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        other => {
            let at = other.location().map(|at| (at.line(), at.column()));
            let path = at.and_then(|at| keys::path_at(text, at)).filter(|path| !path.is_empty());
            let path = path.map_or(String::new(), |path| format!("{path}: "));
            (format!("{path}{}", in_words(other)), None)
        }
    };
    let fault = Fault::usage(mask.apply(&format!("{place}: {message}")));
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault.hint("the keys are described in docs/configuration.md"),
    }
}

/// What is wrong with a value, in words of ours.
fn in_words(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::Eof { .. } => "the file is empty; begin with `version: 1`",
        Error::MultipleDocuments { .. } => "another document begins here; a file has one",
        Error::InvalidScalar { ty: "boolean", .. } => "this is neither true nor false",
        Error::InvalidScalar { ty: "floating point", .. } => "this is not a number",
        Error::InvalidScalar { ty: "u16" | "u32" | "u64", .. } => {
            "this is not a whole number of 0 or more, or too large"
        }
        Error::InvalidScalar { .. } => "this is not a whole number, or too large",
        Error::NullIntoString { .. } => "there is no value",
        Error::Unexpected { expected: "mapping start", .. } => {
            "this is not a map; write `key: value`"
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            "this is not a list; write [a, b], or `- a` lines"
        }
        Error::Unexpected { expected: "string scalar", .. } => "this is not a text",
        Error::UnexpectedSequenceEnd { .. } | Error::UnexpectedMappingEnd { .. } => {
            "the value of a key is missing; write `key: value`"
        }
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => {
            "a second key stands in a map of one key; write two maps, or keep one"
        }
        Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
            "the map is empty; one key belongs there"
        }
        Error::UnexpectedValueForUnitEnumVariant { .. } => {
            "this is a map, and a word belongs there"
        }
        other => return without_place(&other.to_string()),
    }
    .into()
}

fn known(word: &str, expected: &[&'static str]) -> Option<String> {
    let list = expected.join(", ");
    let close = expected.iter().min_by_key(|known| strsim::levenshtein(word, known));
    match close.filter(|known| strsim::levenshtein(word, known) <= 2) {
        Some(close) => Some(format!("did you mean `{close}`? known are: {list}")),
        None => Some(format!("known are: {list}")),
    }
}

/// The reader ends its messages with the place, which stands before them already.
fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(at) => message[..at].trim_end_matches(',').into(),
        None => message.into(),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
