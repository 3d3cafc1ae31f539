//! One release on several hosts: when a deployment over them was interrupted, what makes them all
//! old or all new. Each host keeps a mark of it until somebody has seen the end.

pub mod course;

use serde::{Deserialize, Serialize};

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
}

/// What a host tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// The host.
    pub host: String,
    /// The version that is live and verified there.
    pub live: Option<String>,
    /// The deployment over several hosts that it knows no end of.
    pub mark: Option<Mark>,
}

impl Member {
    fn has_it(&self, mark: &Mark) -> bool {
        self.live.as_deref() == Some(&mark.version)
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
        /// The hosts, the last one first, each with the version that it had.
        hosts: Vec<(String, String)>,
        /// Hosts that have it and had nothing before, so that nothing can come back.
        stuck: Vec<String>,
    },
}

/// Whether a deployment is still in the hands of whoever began it, who may have been out of reach: the
/// hosts that are done have it, and the others are as they were `before`.
pub fn is_own_still(members: &[Member], id: &str, done: &[&str], before: &[Member]) -> bool {
    let is_as_left = |member: &Member| match done.contains(&member.host.as_str()) {
        true => member.is_marked(id) && member.mark.as_ref().is_some_and(|m| member.has_it(m)),
        false => {
            let is_as_before = |was: &Member| was.host == member.host && was.live == member.live;
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
    let (mut hosts, mut stuck) = (Vec::new(), Vec::new());
    for member in members.iter().rev().filter(|member| member.has_it(&mark)) {
        // One without a mark of it was not touched by it.
        let Some(own) = member.mark.as_ref().filter(|own| own.id == mark.id) else { continue };
        match &own.before {
            // It had it already.
            Some(before) if *before == mark.version => {}
            Some(before) => hosts.push((member.host.clone(), before.clone())),
            None => stuck.push(member.host.clone()),
        }
    }
    Some(Finish::BringBack { mark, hosts, stuck })
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
