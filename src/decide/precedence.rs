//! Which of two releases is the older one, as far as that can be told.

use semver::Version;

use super::history::Release;

/// How the wanted release's commit stands to the live one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ancestry {
    /// It is an ancestor: what is live was built upon it.
    Older,
    /// It is a descendant.
    Newer,
    /// It is the same commit.
    Same,
    /// Neither was built upon the other.
    Unrelated,
    /// It could not be found out.
    Unknown,
}

/// Why a release is not deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with it.
    pub reason: String,
    /// What to do instead.
    pub hint: String,
}

/// Refuses a release that is older than what is live, by its version or by its commit, unless that
/// is allowed. What cannot be compared is not older: then only a person knows.
pub fn refuse(
    wanted: &Release,
    live: &Release,
    ancestry: Ancestry,
    allowed: bool,
) -> Option<Refusal> {
    let how = if is_older_version(&wanted.version, &live.version) {
        "by their versions".to_owned()
    } else if ancestry == Ancestry::Older {
        let commit = |release: &Release| release.sha.clone().unwrap_or("no commit".into());
        format!("its commit {} is an ancestor of {}", commit(wanted), commit(live))
    } else {
        return None;
    };
    let (wanted, live) = (&wanted.version, &live.version);
    (!allowed).then(|| Refusal {
        reason: format!("{wanted} is older than {live}, which is live: {how}"),
        hint: "nothing was touched; `waveoff rollback` brings back a verified release, and \
               --allow-downgrade deploys this one in any case"
            .into(),
    })
}

/// Whether both are semantic versions, and the first one comes before the second.
fn is_older_version(wanted: &str, live: &str) -> bool {
    let versions = semantic(wanted).zip(semantic(live));
    versions.is_some_and(|(wanted, live)| wanted.cmp_precedence(&live).is_lt())
}

/// A semantic version (semver.org, 2.0.0), with or without a `v` before it. Commits are none, nor
/// are dates: `2026.11.21` and `21.11.2026` look like versions, and only one of them counts as such.
fn semantic(version: &str) -> Option<Version> {
    let version = Version::parse(version.strip_prefix('v').unwrap_or(version)).ok()?;
    let is_date = |year: u64, month: u64, day: u64| {
        let is_day = |a, b| (1..=12).contains(&a) && (1..=31).contains(&b);
        (1970..=2100).contains(&year) && (is_day(month, day) || is_day(day, month))
    };
    let Version { major, minor, patch, .. } = version;
    (!is_date(major, minor, patch) && !is_date(patch, minor, major)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ancestry::{Newer, Older, Same, Unknown, Unrelated};
    use proptest::prelude::*;

    fn release(version: &str) -> Release {
        Release { version: version.into(), ..Release::default() }
    }

    fn is_refused(wanted: &str, live: &str, ancestry: Ancestry) -> bool {
        refuse(&release(wanted), &release(live), ancestry, false).is_some()
    }

    #[test]
    fn d13_versions_are_compared_as_versions_are() {
        for (older, newer) in [
            ("1.9.0", "1.10.0"),
            ("v1.9.0", "v1.10.0"),
            ("1.9.9", "v2.0.0"),
            ("2.0.0-rc.1", "2.0.0"),
            ("2.0.0-rc.2", "2.0.0-rc.10"),
            ("2.0.0-alpha", "2.0.0-rc.1"),
            ("1.4.2", "1.5.0-rc.1+build.7"),
            ("1.2.3", "2100.0.1"),
        ] {
            assert!(is_refused(older, newer, Unknown), "{older} after {newer}");
            assert!(!is_refused(newer, older, Unknown), "{newer} after {older}");
        }
    }

    #[test]
    fn what_is_no_pair_of_semantic_versions_decides_nothing() {
        for (wanted, live) in [
            ("1.4.0", "1.4.0"),
            ("v1.4.0", "1.4.0"),
            ("1.4.0+build.1", "1.4.0+build.2"),
            ("v1.9", "v1.10"),
            ("v1", "v2"),
            ("1.0.0", "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"),
            ("0a94a8fe", "9a94a8fe"),
            ("2026-01-01", "2026-02-01"),
            ("20260101", "20260201"),
            ("2026.01.01", "2026.02.01"),
            ("2026.9.30", "2026.11.21"),
            ("1.11.2026", "30.9.2026"),
            ("1.0.0", "v2026.11.21"),
            ("latest", "1.0.0"),
            ("vv1.0.0", "2.0.0"),
            ("", "2.0.0"),
        ] {
            assert!(!is_refused(wanted, live, Unknown), "{wanted} after {live}");
        }
    }

    #[test]
    fn d13_an_older_commit_is_refused_whatever_it_is_called() {
        for ancestry in [Newer, Same, Unrelated, Unknown] {
            assert!(!is_refused("main-7", "main-8", ancestry), "{ancestry:?}");
            assert!(!is_refused("2.0.0", "1.0.0", ancestry), "{ancestry:?}");
            assert!(is_refused("1.0.0", "2.0.0", ancestry), "{ancestry:?}");
        }
        assert!(is_refused("main-8", "main-7", Older));
        let wanted = Release { sha: Some("aaaa".into()), ..release("2.0.0") };
        let live = Release { sha: Some("bbbb".into()), ..release("1.0.0") };
        let refusal = refuse(&wanted, &live, Older, false).unwrap();
        let reason =
            "2.0.0 is older than 1.0.0, which is live: its commit aaaa is an ancestor of bbbb";
        assert_eq!(refusal.reason, reason);
        assert!(refusal.hint.contains("--allow-downgrade"));
    }

    #[test]
    fn who_allows_it_is_not_refused() {
        assert_eq!(refuse(&release("1.0.0"), &release("2.0.0"), Older, true), None);
        let reason = refuse(&release("v1.0.0"), &release("v2.0.0"), Unknown, false).unwrap().reason;
        assert_eq!(reason, "v1.0.0 is older than v2.0.0, which is live: by their versions");
    }

    proptest! {
        #[test]
        fn of_two_versions_at_most_one_is_older(
            a in "v?[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-rc\\.[0-9])?",
            b in "v?[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-rc\\.[0-9])?",
        ) {
            prop_assert!(!(is_refused(&a, &b, Unknown) && is_refused(&b, &a, Unknown)));
            prop_assert!(!is_refused(&a, &a, Unknown));
        }
    }
}
