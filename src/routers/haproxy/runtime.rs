//! HAProxy's runtime socket: questions, commands, and what their answers mean.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::list;
use super::servers::{Server, advice, parse};
use crate::host::{tcp, unix_socket};
use crate::platforms::Trouble;

/// The limit of one question.
const ASKING: Duration = Duration::from_secs(5);

/// The socket.
pub(super) struct Runtime {
    /// Its path.
    pub(super) socket: String,
    /// The limit of one question.
    limit: Duration,
}

impl Runtime {
    pub(super) fn new(socket: String) -> Self {
        Self { socket, limit: ASKING }
    }

    /// With another limit.
    #[cfg(test)]
    pub(super) fn limited(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The answer to a line, whatever it is.
    pub(super) fn ask(&self, line: &str) -> Result<String, Trouble> {
        use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        let socket = &self.socket;
        unix_socket::ask(socket, line, self.limit).map_err(|error| {
            let advice = match error.kind() {
                NotFound | ConnectionRefused => {
                    "; HAProxy makes it where haproxy.cfg says `stats socket PATH level admin`"
                }
                PermissionDenied => {
                    "; `mode` and `group` on its `stats socket` line say who may use it"
                }
                _ => "",
            };
            Trouble::new(format!("HAProxy's socket {socket}: {}{advice}", tcp::words(&error)))
        })
    }

    /// Changes something of a server. HAProxy says nothing when it did.
    pub(super) fn set(&self, server: &str, what: &str, value: &str) -> Result<(), Trouble> {
        let line = format!("set server {server} {what} {value}");
        match self.ask(&line)?.trim() {
            "" => Ok(()),
            message => Err(refused(&line, message)),
        }
    }

    /// The state of all servers, as HAProxy reads it at its start.
    pub(super) fn state(&self) -> Result<String, Trouble> {
        let line = "show servers state";
        let state = self.ask(line)?;
        parse(&state).map_err(|message| refused(line, &message))?;
        Ok(state)
    }

    /// These servers (`backend/server`); one that is not there is an error.
    pub(super) fn look<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<Vec<Server>, Trouble> {
        let names: BTreeSet<&str> = names.into_iter().map(String::as_str).collect();
        let backends = names.iter().filter_map(|name| name.split('/').next());
        let mut known = Vec::new();
        for backend in backends.collect::<BTreeSet<_>>() {
            let line = format!("show servers state {backend}");
            known.extend(parse(&self.ask(&line)?).map_err(|message| refused(&line, &message))?);
        }
        let find = |name: &&str| {
            known.iter().find(|server| server.name == *name).cloned().ok_or_else(|| {
                let known = list(known.iter().map(|server| server.name.as_str()));
                let advice = advice("no such server");
                Trouble::new(format!("HAProxy has no server {name}; it has {known}{advice}"))
            })
        };
        names.iter().map(find).collect()
    }
}

fn refused(line: &str, message: &str) -> Trouble {
    let message = message.lines().next().unwrap_or_default();
    Trouble::new(format!("HAProxy refused `{line}`: {message}{}", advice(message)))
}
