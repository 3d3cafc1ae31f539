//! The commit's tag: what is deployed is what was built from it.

use std::collections::BTreeMap;

use super::{Finding, Subject};
use crate::config::preflight::Kind;
use crate::decide::history::Release;
use crate::decide::image::reference::is_tag;
use crate::decide::template;
use crate::decide::verdict::Verdict;
use crate::host::registry::Trouble;

/// Digits of a commit that `short-sha` has, as Git and Docker's metadata action write it.
const SHORT: usize = 7;

/// What can be filled in for a release: `{{version}}`, `{{sha}}`, `{{short-sha}}`.
pub fn variables(release: &Release) -> BTreeMap<String, String> {
    let sha = release.sha.iter().flat_map(|sha| {
        let short: String = sha.chars().take(SHORT).collect();
        [("sha", sha.clone()), ("short-sha", short)]
    });
    let version = ("version", release.version.clone());
    sha.chain([version]).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Each image has the commit's tag, and it is of the very image that is deployed.
pub(super) fn commit(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(text) = &subject.spec.commit_tag else { return Vec::new() };
    const KIND: Kind = Kind::CommitTag;
    let tag = template::Template::new(text).render(&variables(subject.release));
    let tag = match tag {
        Ok(tag) if is_tag(&tag) => tag,
        Ok(tag) => {
            let reason = format!("{tag:?} is no tag");
            let remedy = "write `commit-tag: \"{{sha}}\"`, or \"sha-{{short-sha}}\"";
            return vec![Finding::bad(KIND, "", Verdict::Error, reason, remedy)];
        }
        Err(_) => {
            let reason = "the commit is not known";
            let remedy = "give --sha; in a workflow, `sha: ${{ github.sha }}`";
            return vec![Finding::bad(KIND, "", Verdict::Inconclusive, reason, remedy)];
        }
    };
    subject.of_images(KIND, |about, image, found| {
        let bad = |verdict, reason: String, remedy: &str| {
            Finding::bad(KIND, about.clone(), verdict, reason, remedy)
        };
        match found.registry.manifest(&image.tagged(&tag)) {
            Ok(Some(stored)) if stored.digest == found.digest => {
                Finding::pass(KIND, about.clone(), format!("{tag} is {}", found.digest))
            }
            Ok(Some(stored)) => bad(
                Verdict::Fail,
                format!(
                    "{tag} is {}, and {} is what would be deployed",
                    stored.digest, found.digest
                ),
                "deploy what was built from this commit, or give the commit that it was built from",
            ),
            Ok(None) => bad(
                Verdict::Fail,
                format!("it has no tag {tag}: nothing says that it was built from this commit"),
                "push it with that tag as well, or give the commit that it was built from",
            ),
            Err(Trouble::Damaged(why)) => bad(Verdict::Fail, why, "build and push it again"),
            Err(Trouble::Refused(why) | Trouble::Silent(why)) => {
                bad(Verdict::Error, why, "try again when the registry answers")
            }
        }
    })
}
