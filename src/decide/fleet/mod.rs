//! One release on several hosts: when a deployment over them was interrupted, what makes them all
//! old or all new. Each host keeps a mark of it until somebody has seen the end.

pub mod course;

use serde::{Deserialize, Serialize};

use super::history::Release;

/// What a host keeps of a deployment over several hosts, until that is over everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The deployment's id, the same on all of them.
    pub id: String,
    /// The version that is deployed.
    pub version: String,
    /// The hosts, in their order.
    pub hosts: Vec<String>,
    /// The version that was live on this host before; none when nothing was.
    pub before: Option<String>,
    /// The digests of both; none when an older program wrote it, which kept versions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
}

/// The digests of releases, as they are on one host: an image that was built on each of them, or what
/// Compose made of its files, has others on another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Of the release that is deployed.
    pub new: Vec<String>,
    /// Of the one that was live before.
    pub before: Vec<String>,
}

impl Mark {
    /// Of a release that is deployed on a host with this one.
    pub fn new(
        id: String,
        hosts: Vec<String>,
        release: &Release,
        before: Option<&Release>,
    ) -> Self {
        let digests = Digests {
            new: release.digests.clone(),
            before: before.map(|before| before.digests.clone()).unwrap_or_default(),
        };
        Self {
            id,
            version: release.version.clone(),
            hosts,
            before: before.map(|before| before.version.clone()),
            digests: Some(digests),
        }
    }

    /// The release that is deployed, as this host knows it.
    fn release(&self) -> Release {
        let digests = self.digests.as_ref().map(|digests| digests.new.clone());
        let version = self.version.clone();
        Release { version, sha: None, digests: digests.unwrap_or_default() }
    }

    /// The release that was live on this host before.
    fn before(&self) -> Option<Release> {
        let digests = self.digests.as_ref().map(|digests| digests.before.clone());
        let version = self.before.clone()?;
        Some(Release { version, sha: None, digests: digests.unwrap_or_default() })
    }
}

/// What a host tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// The host.
    pub host: String,
    /// The release that is live and verified there.
    pub live: Option<Release>,
    /// The deployment over several hosts that it knows no end of.
    pub mark: Option<Mark>,
    /// The last one that it knows to be over.
    pub over: Option<Mark>,
}

impl Member {
    /// Whether it has the release of a deployment, by what was noted of that on this very host. One
    /// that was never come to has not, though its release may have the same name.
    fn has_it(&self, mark: &Mark) -> bool {
        let Some(live) = &self.live else { return false };
        let noted = self.mark.iter().chain(&self.over).find(|noted| noted.id == mark.id);
        match noted {
            Some(own) => live.is_same(&own.release()),
            // Older programs noted nothing where it was live already, or over.
            None => mark.digests.is_none() && live.version == mark.version,
        }
    }

    /// Whether it has what it had.
    fn has_again(&self, before: Option<&Release>) -> bool {
        match (&self.live, before) {
            (Some(live), Some(before)) => live.is_same(before),
            (live, before) => live.is_none() && before.is_none(),
        }
    }

    fn is_marked(&self, id: &str) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.id == id)
    }
}

/// What is to be done about an interrupted deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// Every host has it: it was only not said.
    AllNew {
        /// Its mark.
        mark: Mark,
    },
    /// Not every host has it: those that do get back what they had.
    BringBack {
        /// Its mark.
        mark: Mark,
        /// The hosts, the last one first, each with the release that it had.
        hosts: Vec<(String, Release)>,
        /// Hosts that have it and had nothing before, so that nothing can come back.
        stuck: Vec<String>,
        /// Hosts that were come to, and have neither it nor what they had: only a person knows more.
        strays: Vec<String>,
    },
}

/// Whether a deployment is still in the hands of whoever began it, who may have been out of reach: the
/// hosts that are done have it, and the others are as they were `before`.
pub fn is_own_still(members: &[Member], id: &str, done: &[&str], before: &[Member]) -> bool {
    let is_as_left = |member: &Member| match done.contains(&member.host.as_str()) {
        true => member.is_marked(id) && member.mark.as_ref().is_some_and(|m| member.has_it(m)),
        false => {
            let is_as_before =
                |was: &Member| was.host == member.host && member.has_again(was.live.as_ref());
            member.mark.as_ref().is_none_or(|mark| mark.id == id) && before.iter().any(is_as_before)
        }
    };
    members.iter().all(is_as_left)
}

/// What finishes an interrupted deployment; none when there is none. All members must have been
/// heard: what is not known of one of them decides nothing.
pub fn finish(members: &[Member]) -> Option<Finish> {
    let mark = members.iter().find_map(|member| member.mark.clone())?;
    let is_concerned = |member: &&Member| mark.hosts.contains(&member.host);
    let named = mark.hosts.iter().all(|host| members.iter().any(|member| member.host == *host));
    let mut concerned = members.iter().filter(is_concerned);
    if named && concerned.all(|member| member.has_it(&mark)) {
        return Some(Finish::AllNew { mark });
    }
    let (mut hosts, mut stuck, mut strays) = (Vec::new(), Vec::new(), Vec::new());
    for member in members.iter().rev() {
        // One without a mark of it was not touched by it.
        let Some(own) = member.mark.as_ref().filter(|own| own.id == mark.id) else { continue };
        let host = member.host.clone();
        match (member.has_it(&mark), own.before()) {
            // Also the same release, when it had that already.
            (_, before) if member.has_again(before.as_ref()) => {}
            (true, Some(before)) => hosts.push((host, before)),
            (true, None) => stuck.push(host),
            (false, _) => strays.push(host),
        }
    }
    Some(Finish::BringBack { mark, hosts, stuck, strays })
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
