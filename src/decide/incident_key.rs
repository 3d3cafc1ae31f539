//! One incident, one key: however often and wherever a failure is told, it is the same one.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::history::Release;

/// How many hexadecimal digits a key has: enough for every incident of a repository, and short
/// enough to be read aloud.
const DIGITS: usize = 16;

/// What makes an incident the one it is. The attempt of a run is no part of it, so that running
/// again tells the same incident again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident<'a> {
    /// The repository, or whatever the service is known by where there is none.
    pub repository: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The release that failed.
    pub failed: &'a Release,
    /// The release to go back to, if there is one.
    pub target: Option<&'a Release>,
    /// The deployment's id; empty when it has none.
    pub deployment: &'a str,
}

impl Incident<'_> {
    /// The key.
    pub fn key(&self) -> String {
        let target = self.target.map(name_of).unwrap_or_default();
        let parts =
            [self.repository, self.environment, &name_of(self.failed), &target, self.deployment];
        let mut hash = Sha256::new();
        for part in parts {
            // With its length before it, no part can lend a letter to the next.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut key = String::with_capacity(DIGITS);
        for byte in hash.finalize().iter().take(DIGITS / 2) {
            // Writing to a string cannot fail.
            write!(key, "{byte:02x}").unwrap_or_default();
        }
        key
    }
}

/// The most exact name that a release has: digests, else the commit, else the version.
fn name_of(release: &Release) -> String {
    if release.digests.is_empty() {
        return release.sha.clone().unwrap_or_else(|| release.version.clone());
    }
    // Two images are the same two in any order.
    let mut digests = release.digests.clone();
    digests.sort();
    digests.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn release(version: &str, sha: Option<&str>, digests: &[&str]) -> Release {
        Release {
            version: version.into(),
            sha: sha.map(Into::into),
            digests: digests.iter().map(|digest| (*digest).into()).collect(),
        }
    }

    fn key(failed: &Release, target: Option<&Release>, deployment: &str) -> String {
        let (repository, environment) = ("acme/shop", "production");
        Incident { repository, environment, failed, target, deployment }.key()
    }

    #[test]
    fn n1_the_same_failure_has_the_same_key_for_ever() {
        let (bad, good) = (release("v2", None, &[]), release("v1", None, &[]));
        assert_eq!(key(&bad, Some(&good), "7"), "4a4d49b726e7eba8");
        assert_ne!(key(&bad, Some(&good), "7"), key(&bad, Some(&good), "8"));
        assert_ne!(key(&bad, Some(&good), "7"), key(&bad, None, "7"));
    }

    #[test]
    fn n1_the_artifacts_name_a_release_before_its_version_does() {
        let a = release("v2", Some("abc"), &["sha256:1", "sha256:2"]);
        let b = release("two", None, &["sha256:2", "sha256:1"]);
        assert_eq!(key(&a, None, "7"), key(&b, None, "7"));
    }

    proptest! {
        #[test]
        fn a_part_cannot_lend_letters_to_its_neighbour(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
            let failed = Release::default();
            let of = |repository, environment| Incident {
                repository, environment, failed: &failed, target: None, deployment: "",
            };
            let same = a == c && b == d;
            prop_assert_eq!(of(&a, &b).key() == of(&c, &d).key(), same);
        }
    }
}
