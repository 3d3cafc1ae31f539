//! A release as flags name it.

use crate::actions;
use crate::decide::history::Release;
use crate::decide::naming::Version;
use crate::exit::Fault;
use crate::host::env;

/// A release as flags name it; `prefix` is what stands before their usual names.
pub(super) fn release(
    prefix: &str,
    version: &str,
    sha: Option<String>,
    digests: &[String],
) -> anyhow::Result<Release> {
    let version: Version =
        version.parse().map_err(|why| Fault::usage(format!("--{prefix}version: {why}")))?;
    if let Some(sha) = sha.as_deref().filter(|sha| !is_sha(sha)) {
        return Err(Fault::usage(format!("--{prefix}sha: {sha:?} is not a commit"))
            .hint("a commit has 7 to 64 hexadecimal digits")
            .into());
    }
    let is_plain = |text: &String| text.len() <= 512 && text.chars().all(|c| c.is_ascii_graphic());
    if let Some(digest) = digests.iter().find(|digest| !is_plain(digest)) {
        return Err(Fault::usage(format!("--{prefix}digest: {digest:?} is not a digest"))
            .hint("write it like sha256:…, or image@sha256:…")
            .into());
    }
    Ok(Release { version: version.to_string(), sha, digests: digests.to_vec() })
}

/// The commit of the run, where it is certainly the version's.
pub(super) fn known_sha(version: &str) -> Option<String> {
    if version.len() == 40 && is_sha(version) {
        return Some(version.into());
    }
    let of_push = env::var("GITHUB_EVENT_NAME").as_deref() == Some("push");
    let of_tag = env::var("GITHUB_REF_TYPE").as_deref() == Some("tag")
        && env::var("GITHUB_REF_NAME").as_deref() == Some(version);
    (actions::is_ci() && (of_push || of_tag)).then(|| env::var("GITHUB_SHA")).flatten()
}

fn is_sha(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
}
