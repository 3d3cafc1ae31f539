//! What the two sides say to each other: one JSON object a line.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{self, Loaded};
use crate::decide::incident::{Incident, Recovery};
use crate::deploy::runs::End;
use crate::report::mask::is_secret_name;
use crate::report::v1::Check;

/// What a caller says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub enum ToHost {
    /// What is wanted: the first word.
    Call(Box<Call>),
    /// Files come, so many bytes of them, right behind this line.
    Files {
        /// How many.
        size: u64,
    },
    /// Somebody cancelled, by this signal.
    Signal {
        /// `SIGINT` or `SIGTERM`.
        name: String,
    },
    /// That the caller is still there.
    Beat,
    /// What was asked, as seen from the caller.
    Answer(Box<Answer>),
    /// What was to be told of a run has been told, as far as that could be done.
    Told {
        /// The run.
        run: String,
        /// Whether everybody was.
        all: bool,
    },
}

/// What a host says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub enum ToCaller {
    /// The first word.
    Hello {
        /// The program's version.
        version: String,
    },
    /// The files of the call are not here: they are wanted.
    Want,
    /// The run that is gone with from here on.
    Run {
        /// Its id.
        run: String,
        /// Its folder.
        folder: String,
    },
    /// A line for people.
    Line {
        /// The line.
        text: String,
        /// Where the run's output goes on behind it, when it is of the run's output.
        at: Option<u64>,
    },
    /// The hosts are the caller's to change, for as long as this connection lasts.
    Held {
        /// The number of this turn at them.
        turn: u64,
    },
    /// Checks that are asked from the caller.
    Ask(Box<Ask>),
    /// What is to be told of a run.
    News {
        /// The run.
        run: String,
        /// What is to be told.
        news: Box<News>,
    },
    /// The last word.
    End(Box<End>),
}

/// What is wanted of a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// The verb.
    pub verb: String,
    /// Its arguments.
    pub args: Value,
    /// The name of the configuration's file.
    pub file: String,
    /// The configuration as it travels.
    pub text: String,
    /// On whose behalf, with which variables.
    pub caller: Caller,
    /// The digest of the files that are needed, if any are.
    pub files: Option<String>,
    /// The run that was gone with before the connection was lost, and how far.
    pub seen: Option<Seen>,
}

/// How far a run was gone with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The run.
    pub run: String,
    /// The bytes of its output that were shown.
    pub offset: u64,
}

/// Who called, as far as an engine must know that.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Caller {
    /// The id that the run gets.
    pub run: String,
    /// On whose behalf.
    pub by: String,
    /// The repository, by which incidents are known.
    pub repository: Option<String>,
    /// Whether incidents become files on the host.
    pub files_incidents: bool,
    /// Whether the caller tells of incidents, too.
    pub tells: bool,
    /// The variables that the configuration names.
    pub variables: Variables,
}

/// Variables by name. They may be secret, and are never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variables(pub BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Variables {
    /// The same when nobody will deploy with them any more: what has a secret's name is gone, and
    /// a word in its place, so that the configuration can still be read.
    #[must_use]
    pub fn forgotten(&self) -> Self {
        let word = |name: &String, value: &String| match is_secret_name(name) {
            true => "forgotten".to_owned(),
            false => value.clone(),
        };
        Self(self.0.iter().map(|(name, value)| (name.clone(), word(name, value))).collect())
    }
}

impl Caller {
    /// A configuration with this caller's variables, and nobody else's.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn read(&self, file: &str, text: &str) -> anyhow::Result<Loaded> {
        let mut loaded = config::parse(file, text, |name| self.variables.0.get(name).cloned())?;
        loaded.folder = None;
        Ok(loaded)
    }
}

/// Checks that are asked from the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The question's id.
    pub id: String,
    /// Their names; `#3` is the third one, when it has none.
    pub checks: Vec<String>,
    /// What they are there: who means something else by these names must not answer.
    #[serde(default)]
    pub digest: String,
    /// The version that should answer.
    pub version: Option<String>,
    /// One limit over all waiting, in milliseconds.
    pub limit_ms: Option<u64>,
    /// Whether to look once at each.
    pub once: bool,
    /// Whether what answers may still be changing.
    pub settling: bool,
}

/// What the caller saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question's id.
    pub id: String,
    /// The checks, or why they could not be asked.
    pub checks: Result<Vec<Check>, String>,
}

/// What is to be told by somebody with the credentials for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// What is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovery>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_words_are_one_line_and_come_back_as_they_were() {
        let variables = [("A_TOKEN", "s3cret\n\"x\""), ("PORT", "80")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = Variables(variables.into());
        assert!(!format!("{variables:?}").contains("s3cret"));
        let text = serde_json::to_string(&variables).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Variables>(&text).unwrap(), variables);
        let forgotten = variables.forgotten().0;
        assert_eq!((&*forgotten["A_TOKEN"], &*forgotten["PORT"]), ("forgotten", "80"));
        for word in [r#"{"word":"beat"}"#, r#"{"word":"signal","name":"SIGINT"}"#] {
            let read: ToHost = serde_json::from_str(word).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), word);
        }
    }
}
