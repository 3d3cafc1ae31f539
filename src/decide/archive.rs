//! What an archive may put on a disk: nothing outside of the folder that it is unpacked into,
//! whatever is written in it.

use std::collections::BTreeMap;

/// The most that one archive may hold: more is a mistake, or an attack.
const MOST_MEMBERS: usize = 500_000;
/// The longest name, in bytes: the limit of a path in Linux.
const LONGEST: usize = 4095;
/// Links that are followed one after the other.
const DEEPEST: usize = 40;
/// What our own names begin with.
const OURS: &str = ".waveoff";

/// What a member of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file with so many bytes, and its permissions.
    File {
        /// Its bytes.
        size: u64,
        /// Its permissions, as they are written.
        mode: u32,
    },
    /// A folder.
    Folder,
    /// A symbolic link to this.
    Link(String),
    /// The same file as the member of this name.
    Same(String),
    /// What is no file: a device, a pipe.
    Special,
}

/// The members of an archive by their place in the folder, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The members; a name has neither dots nor a slash at its ends.
    pub members: BTreeMap<String, Kind>,
    /// The bytes of all files.
    pub bytes: u64,
}

impl Tree {
    /// Takes a member in. `strip` leading parts of the name are left out, and a member that has no
    /// more than those with it: then nothing is given, otherwise its place in the folder.
    ///
    /// # Errors
    /// Why the archive must not be unpacked.
    pub fn take(&mut self, name: &str, kind: Kind, strip: usize) -> Result<Option<String>, String> {
        let parts = parts(name)?;
        let Some(place) = parts.get(strip..).filter(|rest| !rest.is_empty()) else {
            return match kind {
                Kind::Folder => Ok(None),
                _ if strip == 0 => Err(format!("{name:?} is not a name")),
                _ => Ok(None),
            };
        };
        let place = place.join("/");
        if place.starts_with(OURS) {
            return Err(format!("{name:?} is a name of ours"));
        }
        let kind = match kind {
            Kind::Special => return Err(format!("{name:?} is a device or a pipe")),
            Kind::Same(of) => match self::parts(&of)?.get(strip..) {
                Some(rest) if !rest.is_empty() => Kind::Same(rest.join("/")),
                _ => return Err(format!("{name:?} is a hard link to what is left out, {of:?}")),
            },
            Kind::Link(to) if to.is_empty() || to.contains('\0') => {
                return Err(format!("{name:?} is a link to what is not a name"));
            }
            other => other,
        };
        if let (Kind::Folder, Some(Kind::Folder)) = (&kind, self.members.get(&place)) {
            return Ok(Some(place));
        }
        if self.members.contains_key(&place) {
            return Err(format!("{name:?} is in it twice"));
        }
        if self.members.len() >= MOST_MEMBERS {
            return Err(format!("it has more than {MOST_MEMBERS} members"));
        }
        if let Kind::File { size, .. } = kind {
            self.bytes = self.bytes.saturating_add(size);
        }
        self.members.insert(place.clone(), kind);
        Ok(Some(place))
    }

    /// Looks at all of it, once all members are known.
    ///
    /// # Errors
    /// Why the archive must not be unpacked.
    pub fn check(&self) -> Result<(), String> {
        if !self.members.values().any(|kind| matches!(kind, Kind::File { .. })) {
            return Err("there is no file in it".into());
        }
        for (name, kind) in &self.members {
            for (at, _) in name.match_indices('/') {
                match self.members.get(&name[..at]) {
                    None | Some(Kind::Folder) => {}
                    Some(_) => {
                        return Err(format!("{name:?} is below {:?}, no folder", &name[..at]));
                    }
                }
            }
            match kind {
                Kind::Link(to) => {
                    if !self.stays_inside(name, to) {
                        return Err(format!("{name:?} is a link that leads out of it: {to:?}"));
                    }
                }
                Kind::Same(of) => {
                    if !matches!(self.members.get(of), Some(Kind::File { .. })) {
                        return Err(format!("{name:?} is a hard link to no file of it: {of:?}"));
                    }
                }
                Kind::File { .. } | Kind::Folder | Kind::Special => {}
            }
        }
        Ok(())
    }

    /// Whether a link leads to a place in the folder, by way of whatever other links.
    pub fn stays_inside(&self, name: &str, to: &str) -> bool {
        let mut at: Vec<&str> = name.split('/').collect();
        at.pop();
        let mut ahead: Vec<&str> = to.split('/').rev().collect();
        let mut followed = 0;
        if to.starts_with('/') {
            return false;
        }
        while let Some(part) = ahead.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    if at.pop().is_none() {
                        return false;
                    }
                    continue;
                }
                part => at.push(part),
            }
            if let Some(Kind::Link(next)) = self.members.get(&at.join("/")) {
                followed += 1;
                if followed > DEEPEST || next.starts_with('/') {
                    return false;
                }
                at.pop();
                ahead.extend(next.split('/').rev());
            }
        }
        true
    }
}

/// The parts of a name.
fn parts(name: &str) -> Result<Vec<&str>, String> {
    if name.len() > LONGEST {
        return Err(format!("a name has {} bytes, {LONGEST} are possible", name.len()));
    }
    if name.starts_with('/') {
        return Err(format!("{name:?} is not below the folder"));
    }
    if name.contains('\0') {
        return Err(format!("{name:?} is not a name"));
    }
    let parts: Vec<&str> =
        name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match parts.contains(&"..") {
        true => Err(format!("{name:?} leads out of the folder")),
        false => Ok(parts),
    }
}

/// The permissions that a file gets: neither another one's rights, nor writable by everybody.
pub fn allowed(mode: u32) -> u32 {
    (mode & 0o755) | 0o600
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
