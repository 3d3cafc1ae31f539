//! A ledger's event as the description of a deployment's status: one line of at most 140
//! characters, for programs at its beginning and for people at its end.
//!
//! `waveoff/1 7 rolled-back 4711 the database is down`: the format, the event's number, its word,
//! for a rollback the number of the deployment whose release came back (`=v1` when it has none),
//! and the reason.

use crate::decide::history::{Event, Release};
use crate::decide::words::shorten;

/// What our lines begin with; a later format has another number.
const OURS: &str = "waveoff/";
const FORMAT: &str = "1";
/// The longest description that GitHub takes.
const LONGEST: usize = 140;
/// What a version may take of it where nothing else names the release.
const VERSION: usize = 64;

/// A line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The event's number.
    pub(super) seq: u64,
    /// What happened.
    pub(super) kind: Kind,
}

/// What happened; releases are still only named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Mutating,
    Verified,
    Failed(String),
    RolledBack(To, String),
    RollbackFailed(To, String),
}

/// How a release is named in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// By the number of its deployment.
    Deployment(u64),
    /// By its version, when no deployment is known to have brought it.
    Version(String),
}

impl Kind {
    /// Of an event that is a status; a deployment's beginning is none. `find` gives the number of
    /// the deployment that brought a release.
    pub(super) fn of(event: &Event, find: impl Fn(&Release) -> Option<u64>) -> Option<Self> {
        let name = |release: &Release| match find(release) {
            Some(number) => To::Deployment(number),
            None => To::Version(shorten(&release.version, VERSION)),
        };
        Some(match event {
            Event::Started { .. } => return None,
            Event::Mutating => Kind::Mutating,
            Event::Verified => Kind::Verified,
            Event::Failed { reason } => Kind::Failed(reason.clone()),
            Event::RolledBack { to, reason } => Kind::RolledBack(name(to), reason.clone()),
            Event::RollbackFailed { to, reason } => Kind::RollbackFailed(name(to), reason.clone()),
        })
    }

    /// The event again; `find` gives the release that a deployment brought.
    pub(super) fn event(self, find: impl Fn(u64) -> Option<Release>) -> Event {
        let release = |to: To| match to {
            // It is older than what was read, or somebody has deleted it.
            To::Deployment(number) => find(number).unwrap_or_else(|| Release {
                version: format!("deployment-{number}"),
                ..Release::default()
            }),
            To::Version(version) => Release { version, ..Release::default() },
        };
        match self {
            Kind::Mutating => Event::Mutating,
            Kind::Verified => Event::Verified,
            Kind::Failed(reason) => Event::Failed { reason },
            Kind::RolledBack(to, reason) => Event::RolledBack { to: release(to), reason },
            Kind::RollbackFailed(to, reason) => Event::RollbackFailed { to: release(to), reason },
        }
    }

    /// The state that GitHub shows.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Kind::Mutating => "in_progress",
            Kind::Verified => "success",
            Kind::Failed(_) => "failure",
            // It is no longer there.
            Kind::RolledBack(..) => "inactive",
            Kind::RollbackFailed(..) => "error",
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Kind::Mutating => "mutating",
            Kind::Verified => "verified",
            Kind::Failed(_) => "failed",
            Kind::RolledBack(..) => "rolled-back",
            Kind::RollbackFailed(..) => "rollback-failed",
        }
    }
}

impl Line {
    /// The line; a reason that does not fit is shortened.
    pub(super) fn write(&self) -> String {
        let mut text = format!("{OURS}{FORMAT} {} {}", self.seq, self.kind.word());
        let reason = match &self.kind {
            Kind::Mutating | Kind::Verified => "",
            Kind::Failed(reason) => reason,
            Kind::RolledBack(to, reason) | Kind::RollbackFailed(to, reason) => {
                text += &match to {
                    To::Deployment(number) => format!(" {number}"),
                    To::Version(version) => format!(" ={version}"),
                };
                reason
            }
        };
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let room = LONGEST.saturating_sub(text.chars().count() + 2);
        if !reason.is_empty() {
            text += &format!(" {}", shorten(&reason, room));
        }
        text
    }

    /// Reads a line; none when it is not ours.
    ///
    /// # Errors
    /// When it is ours and not understood: half a history must not be taken for all of it.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let Some(rest) = text.strip_prefix(OURS) else { return Ok(None) };
        let mut words = rest.splitn(4, ' ');
        let format = words.next().unwrap_or_default();
        if format != FORMAT {
            return Err("a newer waveoff wrote it".into());
        }
        let wrong = || format!("it cannot be understood: {:?}", shorten(text, LONGEST));
        let seq = words.next().and_then(|seq| seq.parse().ok()).ok_or_else(wrong)?;
        let word = words.next().ok_or_else(wrong)?;
        let rest = words.next().unwrap_or_default();
        let kind = match word {
            "mutating" => Kind::Mutating,
            "verified" => Kind::Verified,
            "failed" => Kind::Failed(rest.into()),
            "rolled-back" | "rollback-failed" => {
                let (to, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                let to = match to.strip_prefix('=') {
                    Some(version) => To::Version(version.into()),
                    None => To::Deployment(to.parse().map_err(|_| wrong())?),
                };
                match word {
                    "rolled-back" => Kind::RolledBack(to, reason.into()),
                    _ => Kind::RollbackFailed(to, reason.into()),
                }
            }
            _ => return Err(wrong()),
        };
        Ok(Some(Self { seq, kind }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_format_is_frozen() {
        let kind = Kind::RolledBack(To::Deployment(4711), "the database\nis down".into());
        let text = "waveoff/1 7 rolled-back 4711 the database is down";
        assert_eq!(Line { seq: 7, kind }.write(), text);
        let verified = Line { seq: 3, kind: Kind::Verified };
        assert_eq!(verified.write(), "waveoff/1 3 verified");
        assert_eq!(Line::read("waveoff/1 3 verified"), Ok(Some(verified)));
    }

    #[test]
    fn what_is_not_ours_is_passed_over_and_what_is_damaged_is_said() {
        assert_eq!(Line::read(""), Ok(None));
        assert_eq!(Line::read("Deployed by somebody"), Ok(None));
        for damaged in
            ["waveoff/1", "waveoff/1 x verified", "waveoff/1 1 eaten", "waveoff/1 1 rolled-back x"]
        {
            assert!(Line::read(damaged).unwrap_err().contains("understood"), "{damaged}");
        }
        assert!(Line::read("waveoff/2 anything").unwrap_err().contains("newer"));
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        let to = || {
            prop_oneof![
                any::<u64>().prop_map(To::Deployment),
                "[a-z0-9.+-]{1,64}".prop_map(To::Version),
            ]
        };
        prop_oneof![
            Just(Kind::Mutating),
            Just(Kind::Verified),
            ".{0,300}".prop_map(Kind::Failed),
            (to(), ".{0,300}").prop_map(|(to, reason)| Kind::RolledBack(to, reason)),
            (to(), ".{0,300}").prop_map(|(to, reason)| Kind::RollbackFailed(to, reason)),
        ]
    }

    proptest! {
        #[test]
        fn a_line_fits_and_says_the_same_again(seq: u64, kind in kinds()) {
            let text = Line { seq, kind: kind.clone() }.write();
            prop_assert!(text.chars().count() <= LONGEST, "{text}");
            let read = Line::read(&text).unwrap().unwrap();
            prop_assert_eq!(read.seq, seq);
            // Only the reason may have been shortened; written again it is the same.
            prop_assert_eq!(read.kind.word(), kind.word());
            prop_assert_eq!(read.write(), text);
        }
    }
}
