//! Where a release is deployed, when that is not here: the host, how it is reached, what travels.
//! Only `waveoff` reads these keys; the host itself never sees them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::Loaded;
use super::values::{NonEmpty, Secret};
use crate::exit::Fault;

/// The keys of `waveoff.yml` that stay with the caller. The other keys were read before, strictly,
/// and are passed over here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemoteSpec {
    /// The machine on which everything is done; here if absent.
    pub host: Option<Address>,
    /// The machines on which it is done, in this order: all of them or none.
    pub hosts: Option<NonEmpty<Address>>,
    /// On how many of them at once; 1 if absent.
    pub batch: Option<u32>,
    /// How it is reached.
    pub ssh: Option<SshSpec>,
    /// Files and folders beside this file that the release needs there.
    pub upload: Option<NonEmpty<String>>,
}

/// How a host is reached; what is not said here is as in your own `~/.ssh/config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SshSpec {
    /// The host's keys: a file as `ssh-keyscan` writes it, or such lines themselves. If absent, your own `known_hosts` must have them.
    pub known_hosts: Option<String>,
    /// The private key itself, like `"${DEPLOY_KEY}"`.
    pub key: Option<Secret>,
    /// A machine to go through: `ssh://user@bastion`.
    pub jump: Option<Address>,
}

/// A machine with an ssh server: `ssh://user@host:port`, user and port if they differ from usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Who to be there.
    pub user: Option<String>,
    /// The machine: a name, an address, or a `Host` of `~/.ssh/config`.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

const WANTED: &str = "write it like ssh://deploy@vm.example.com, with :PORT where it is not 22";

impl FromStr for Address {
    type Err = String;

    /// Strict, since `ssh` and its configuration take what looks like an option for one.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{text:?} {what}; {WANTED}");
        let rest = text.strip_prefix("ssh://").ok_or_else(|| wrong("is no ssh:// address"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (host, port) = split_port(rest).ok_or_else(|| wrong("has no end of its brackets"))?;
        let is_word = |word: &str, also: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
            !word.is_empty()
                && word.len() <= 253
                && !word.starts_with('-')
                && word.chars().all(plain)
        };
        // Only an address with colons, in brackets, may have them: a name has none.
        let also = if rest.starts_with('[') { ":.%" } else { "-_." };
        if !is_word(host, also) {
            return Err(wrong("has no host name that could be one"));
        }
        if user.is_some_and(|user| !is_word(user, "-_.+")) {
            return Err(wrong("has no user name that could be one"));
        }
        let port = match port {
            None => None,
            Some(port) => match port.parse::<u16>() {
                Ok(port @ 1..) => Some(port),
                _ => return Err(wrong("has no port that could be one")),
            },
        };
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

/// A host, and the port behind it.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            match behind.strip_prefix(':') {
                Some(port) => Some((host, Some(port))),
                None => behind.is_empty().then_some((host, None)),
            }
        }
        None => Some(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a machine with an ssh server: ssh://user@host:port",
            "pattern": "^ssh://[^ ]+$|\\$\\{"
        })
    }
}

impl RemoteSpec {
    fn several(&self, loaded: &Loaded) -> anyhow::Result<()> {
        let wrong = |key: &str, what: &str, hint: &str| {
            Err(Fault::usage(format!("{}: {key}: {what}", loaded.file)).hint(hint).into())
        };
        match (&self.host, &self.hosts, self.batch) {
            (Some(_), Some(_), _) => {
                wrong("hosts", "`host` stands beside it", "name all of them under `hosts`")
            }
            (_, None, Some(_)) => {
                wrong("batch", "there are no `hosts`", "name them, or leave `batch` out")
            }
            (_, _, Some(0)) => wrong("batch", "it is 0", "at least 1 host at a time is needed"),
            (_, Some(hosts), _) => {
                let mut known = std::collections::BTreeSet::new();
                match hosts.0.iter().find(|host| !known.insert(host.to_string())) {
                    Some(twice) => {
                        wrong("hosts", &format!("{twice} stands twice"), "name each of them once")
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Looks whether the keys fit together, and what they need is there.
    ///
    /// # Errors
    /// [`Fault`] with exit code 2, the file and the key.
    pub fn validate(&self, loaded: &Loaded) -> anyhow::Result<()> {
        let wrong = |key: &str, what: &str, hint: &str| {
            Err(Fault::usage(format!("{}: {key}: {what}", loaded.file)).hint(hint).into())
        };
        self.several(loaded)?;
        if self.host.is_none() && self.hosts.is_none() {
            return match (&self.ssh, &self.upload) {
                (Some(_), _) => wrong("ssh", "there is no `host`", "name it, or leave `ssh` out"),
                (_, Some(_)) => {
                    wrong("upload", "there is no `host`", "name it, or leave `upload` out")
                }
                _ => Ok(()),
            };
        }
        if loaded.config.ledger == Some(super::pipeline::LedgerSpec::Github) {
            return wrong(
                "ledger",
                "with `host` the ledger is the host's own",
                "leave `ledger` out: the host keeps it, whichever machine deploys",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<String, String> {
        text.parse::<Address>().map(|address| format!("{address} {address:?}"))
    }

    #[test]
    fn d11_addresses_are_read_and_shown_alike() {
        for text in [
            "ssh://vm",
            "ssh://deploy@vm.example.com",
            "ssh://deploy@vm.example.com:2222",
            "ssh://root@[fe80::1%eth0]:22",
            "ssh://a.b-c_d@10.0.0.1",
        ] {
            assert!(address(text).unwrap().starts_with(&format!("{text} ")), "{text}");
        }
    }

    #[test]
    fn d11_what_ssh_or_a_shell_could_take_for_something_else_is_refused() {
        for text in [
            "vm",
            "ssh://",
            "ssh://@vm",
            "ssh://-oProxyCommand=id",
            "ssh://-l@vm",
            "ssh://a b@vm",
            "ssh://vm;id",
            "ssh://$(id)",
            "ssh://vm\nHost *",
            "ssh://vm:0",
            "ssh://vm:70000",
            "ssh://vm:-1",
            "ssh://vm:22:22",
            "ssh://[fe80::1",
            "ssh://[fe80::1]x",
            "ssh://a::1",
            "ssh://vm/path",
            "ssh://user:password@vm",
            "ssh://%h",
            "ssh://\"vm\"",
            "ssh://vm\u{7f}",
        ] {
            assert!(address(text).is_err(), "{text:?}");
        }
    }
}
