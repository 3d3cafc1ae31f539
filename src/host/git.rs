//! What git knows of two commits. It is only asked, and nothing that it says is needed.

use std::time::Duration;

use super::clock::Moment;
use super::process::{self, CommandSpec, Ran};
use super::signals::Cancel;
use crate::config::values::{Argv, Secret};
use crate::decide::precedence::Ancestry;

/// The limit of all that is asked.
const LIMIT: Duration = Duration::from_secs(10);
/// The shortest abbreviation of a commit that is taken for one.
const SHORTEST: usize = 7;
/// A SHA-256 in hex: the longest name of a commit.
const LONGEST: usize = 64;

/// Nobody is asked for a password, nothing is fetched (a partial clone would, for a commit that it
/// does not have), nothing is locked or paged.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("LC_ALL", "C"),
];
/// No program that a repository's configuration names is run, and no commit stands for another.
const GIT: [&str; 7] = [
    "git",
    "--no-pager",
    "--no-replace-objects",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
];

/// How the commit `wanted` stands to the commit `live` in the repository of the folder `dir` (the
/// working folder if absent). Unknown without git, without a repository that has both commits,
/// with too little history to say no, after a cancellation, or after ten seconds.
pub fn ancestry(dir: Option<&str>, wanted: &str, live: &str, cancel: &Cancel) -> Ancestry {
    let git = Git { dir, cancel, started: Moment::now() };
    git.ancestry(wanted, live).unwrap_or(Ancestry::Unknown)
}

struct Git<'a> {
    dir: Option<&'a str>,
    cancel: &'a Cancel,
    started: Moment,
}

impl Git<'_> {
    fn ancestry(&self, wanted: &str, live: &str) -> Option<Ancestry> {
        let (wanted, live) = (self.commit(wanted)?, self.commit(live)?);
        if wanted == live {
            return Some(Ancestry::Same);
        }
        if self.is_ancestor(&wanted, &live)? {
            return Some(Ancestry::Older);
        }
        if self.is_ancestor(&live, &wanted)? {
            return Some(Ancestry::Newer);
        }
        // Where history is cut off, "no" only means "not in what is here".
        let (code, text) = self.ask(&["rev-parse", "--is-shallow-repository"])?;
        (code == 0 && text == "false").then_some(Ancestry::Unrelated)
    }

    /// The whole name of a commit that is here.
    fn commit(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        let is_commit = (SHORTEST..=LONGEST).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit {
            return None;
        }
        let argument = format!("{name}^{{commit}}");
        let (code, whole) = self.ask(&["rev-parse", "--verify", "--quiet", &argument])?;
        // A branch may be called like a commit, and another one is meant.
        (code == 0 && whole.starts_with(&name)).then_some(whole)
    }

    fn is_ancestor(&self, a: &str, b: &str) -> Option<bool> {
        match self.ask(&["merge-base", "--is-ancestor", a, b])?.0 {
            0 => Some(true),
            1 => Some(false),
            _ => None,
        }
    }

    /// The exit code and what was printed; none when it did not come to its end by itself.
    fn ask(&self, arguments: &[&str]) -> Option<(i32, String)> {
        let argv = GIT.iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let env = ENVIRONMENT.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let dir = self.dir.map(str::to_owned);
        let spec = CommandSpec { argv: Argv(argv), env: env.into(), dir };
        let left = LIMIT.checked_sub(self.started.elapsed())?;
        let Ok(Ran::Ended(output)) = process::run(&spec, left, self.cancel, None) else {
            return None;
        };
        let text = String::from_utf8(output.stdout).ok()?;
        Some((output.code?, text.trim().to_owned()))
    }
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;
