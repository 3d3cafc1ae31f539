//! The four outcomes of looking at something, and how they combine.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// What a check, a suite or a program concluded. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Observed, and as it must be.
    Pass,
    /// Not enough was observed to say either way.
    Inconclusive,
    /// It could not be found out.
    Error,
    /// Observed, and not as it must be.
    Fail,
}

impl Verdict {
    /// The worst of several. **Nothing observed is inconclusive, never a pass.**
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Inconclusive)
    }

    /// The word used in reports and outputs.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Error => "error",
            Verdict::Fail => "fail",
        }
    }

    /// The exit code of a program whose last word this is.
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Pass => Exit::Pass,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Error => Exit::Error,
            Verdict::Fail => Exit::Fail,
        }
    }

    /// Whether this is [`Verdict::Pass`].
    pub fn is_pass(self) -> bool {
        self == Verdict::Pass
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whether a check decides, or is only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The check decides.
    #[default]
    Critical,
    /// The check is reported and never fails the run.
    Warning,
}

/// The verdict of a suite: the worst of its critical checks.
///
/// A suite of warnings only has observed nothing that could decide, so it is inconclusive.
pub fn of_suite(results: impl IntoIterator<Item = (Severity, Verdict)>) -> Verdict {
    Verdict::worst(
        results
            .into_iter()
            .filter(|(severity, _)| *severity == Severity::Critical)
            .map(|(_, verdict)| verdict),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_observed_is_inconclusive() {
        assert_eq!(Verdict::worst([]), Verdict::Inconclusive);
        assert_eq!(of_suite([]), Verdict::Inconclusive);
        assert_eq!(of_suite([(Severity::Warning, Verdict::Pass)]), Verdict::Inconclusive);
    }

    #[test]
    fn a_warning_never_decides() {
        let suite = [(Severity::Critical, Verdict::Pass), (Severity::Warning, Verdict::Fail)];
        assert_eq!(of_suite(suite), Verdict::Pass);
    }

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(Verdict::Pass),
            Just(Verdict::Inconclusive),
            Just(Verdict::Error),
            Just(Verdict::Fail)
        ]
    }

    proptest! {
        #[test]
        fn a_pass_needs_every_part_to_pass(all in prop::collection::vec(any_verdict(), 0..8)) {
            let whole = Verdict::worst(all.iter().copied());
            prop_assert_eq!(whole.is_pass(), !all.is_empty() && all.iter().all(|v| v.is_pass()));
            prop_assert_eq!(whole.exit() == Exit::Pass, whole.is_pass());
        }
    }
}
