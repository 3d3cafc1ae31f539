//! A release as flags name it.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::actions;
use crate::decide::history::Release;
use crate::decide::naming::Version;
use crate::exit::Fault;
use crate::host::env;

/// The release that a verb is about.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(super) struct ReleaseArgs {
    /// The version to deploy
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// Its commit [default: the run's, when a push or a tag of that name made the run]
    #[arg(long, value_name = "SHA")]
    sha: Option<String>,
    /// A digest or checksum of the release; several with commas [repeatable]
    #[arg(long, value_name = "DIGEST", value_delimiter = ',')]
    digest: Vec<String>,
}

impl ReleaseArgs {
    /// The release.
    ///
    /// # Errors
    /// When there is no version, or something that is none.
    pub(super) fn release(&self) -> anyhow::Result<Release> {
        let version = self.version.as_deref().ok_or_else(|| {
            Fault::usage("no version was given")
                .hint("say which release: --version v1.4.0, or `version: ${{ github.sha }}`")
        })?;
        let sha = self.sha.clone().or_else(|| known_sha(version));
        release("", version, sha, &self.digest)
    }

    /// With what only this job knows of the release, for another machine.
    ///
    /// # Errors
    /// As for [`release`](Self::release).
    pub(super) fn depart(&mut self) -> anyhow::Result<()> {
        self.sha = self.release()?.sha;
        Ok(())
    }

    /// The release is exactly these images, too.
    pub(super) fn pin(&mut self, images: impl IntoIterator<Item = String>) {
        for image in images {
            if !self.digest.contains(&image) {
                self.digest.push(image);
            }
        }
    }
}

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
fn known_sha(version: &str) -> Option<String> {
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
