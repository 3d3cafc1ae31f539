//! How a program ends: named exit codes, and errors that carry one together with a hint.

use std::fmt;

use serde::Serialize;

/// The documented, stable exit codes of every program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum Exit {
    /// What was asked for is true.
    Pass = 0,
    /// A defect of ours: a panic or a broken invariant.
    Bug = 1,
    /// Wrong usage or configuration; nothing was done.
    Usage = 2,
    /// Observed, and not as it must be.
    Fail = 10,
    /// Not enough was observed to say either way.
    Inconclusive = 11,
    /// It could not be found out.
    Error = 12,
    /// The release failed and the previous one is back.
    RolledBack = 20,
    /// The release failed and so did the rollback: a person is needed.
    RollbackFailed = 21,
}

impl Exit {
    /// Every code with its meaning, in the order the documentation lists them.
    pub const ALL: [(Exit, &'static str); 8] = [
        (Exit::Pass, "pass"),
        (Exit::Bug, "a bug in this program"),
        (Exit::Usage, "wrong usage or configuration; nothing was done"),
        (Exit::Fail, "fail: observed, and not as it must be"),
        (Exit::Inconclusive, "inconclusive: not enough was observed"),
        (Exit::Error, "error: it could not be found out"),
        (Exit::RolledBack, "the release failed and the previous one is back"),
        (Exit::RollbackFailed, "the rollback failed too: a person is needed"),
    ];

    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        exit.code()
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that knows its exit code and what the reader can do about it.
///
/// Anything else that reaches the top ends with [`Exit::Error`].
#[derive(Debug)]
pub struct Fault {
    /// The code the program ends with.
    pub exit: Exit,
    message: String,
    /// What would be right, or what to do next.
    pub hint: Option<String>,
    /// Whether it is certain that nothing was begun.
    pub is_untouched: bool,
}

impl Fault {
    /// Wrong usage or configuration: names the input and what is wrong with it.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message.into())
    }

    /// Something could not be found out or done.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Exit::Error, message.into())
    }

    fn new(exit: Exit, message: String) -> Self {
        Self { exit, message, hint: None, is_untouched: false }
    }

    /// The same, where it is certain that nothing was begun.
    #[must_use]
    pub fn untouched(self) -> Self {
        Self { is_untouched: true, ..self }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The exit code and hint of an error chain: those of the outermost [`Fault`] in it.
pub fn classify(error: &anyhow::Error) -> (Exit, Option<&str>) {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Fault>())
        .or_else(|| error.downcast_ref::<Fault>())
        .map_or((Exit::Error, None), |fault| (fault.exit, fault.hint.as_deref()))
}

/// The same error, where it is certain that nothing was begun.
#[must_use]
pub fn untouched(error: &anyhow::Error) -> anyhow::Error {
    let (exit, hint) = classify(error);
    let hint = hint.map(str::to_owned);
    Fault { exit, message: format!("{error:#}"), hint, is_untouched: true }.into()
}

/// Whether it is certain that nothing was begun.
pub fn is_untouched(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Fault>().is_some_and(|fault| fault.is_untouched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_fault_keeps_its_code_and_hint_under_context() {
        let inner: anyhow::Result<()> = Err(Fault::usage("bad").hint("write good").into());
        let error = inner.context("cannot read the file").unwrap_err();
        assert_eq!(classify(&error), (Exit::Usage, Some("write good")));
        assert_eq!(format!("{error:#}"), "cannot read the file: bad");
    }

    #[test]
    fn only_what_says_so_has_begun_nothing() {
        let error = anyhow::Error::from(Fault::usage("bad").hint("write good")).context("there");
        assert!(!is_untouched(&error) && !is_untouched(&anyhow::anyhow!("disk on fire")));
        let error = untouched(&error);
        assert!(is_untouched(&error));
        assert_eq!(classify(&error), (Exit::Usage, Some("write good")));
        assert_eq!(format!("{error:#}"), "there: bad");
    }

    #[test]
    fn an_unclassified_error_is_never_a_pass_or_a_fail() {
        assert_eq!(classify(&anyhow::anyhow!("disk on fire")).0, Exit::Error);
    }
}
