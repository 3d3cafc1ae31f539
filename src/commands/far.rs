//! Verbs on behalf of a caller elsewhere: what the host's side of a connection does with them.

use std::sync::Arc;

use serde_json::Value;

use super::detached::{Detached, Says, Wire};
use super::recover::Recover;
use super::site::SiteArgs;
use super::{Entry, Session, Verb as _, WAVEOFF, engine, follow};
use crate::config::Loaded;
use crate::deploy::runs::{End, Run};
use crate::deploy::{Scope, State};
use crate::exit::Fault;
use crate::remote::words::Caller;
use crate::report::v1::Report;

/// A verb that is done here for somebody elsewhere.
pub(crate) struct Errand {
    verb: Entry,
    args: Value,
    site: SiteArgs,
    loaded: Loaded,
    caller: Caller,
    /// The service.
    pub(crate) scope: Scope,
    /// Its state folder.
    pub(crate) state: State,
}

/// The name of a verb of ours.
pub(crate) fn name(verb: &str) -> &'static str {
    WAVEOFF.iter().find(|entry| entry.name == verb).map_or("waveoff", |entry| entry.name)
}

/// How a verb ended, without secrets.
pub(crate) fn end_of(session: &Session, result: anyhow::Result<Report>) -> End {
    engine::end_of(session, result)
}

impl Errand {
    /// Of a verb with its arguments.
    ///
    /// # Errors
    /// When there is no such verb, or its arguments are wrong.
    pub(crate) fn of(
        verb: &str,
        args: Value,
        loaded: Loaded,
        caller: Caller,
    ) -> anyhow::Result<Self> {
        let entry = WAVEOFF.iter().find(|entry| entry.name == verb && entry.far.is_some());
        let verb = *entry.ok_or_else(|| Fault::usage(format!("{verb:?} is done on no host")))?;
        let site: SiteArgs = serde_json::from_value(args["site"].clone())?;
        let (scope, state) = site.place(Some(&loaded.config))?;
        Ok(Self { verb, args, site, loaded, caller, scope, state })
    }

    /// The run of this errand, whose lines go to the caller.
    pub(crate) fn session(&self, session: Session, wire: Arc<dyn Wire>) -> Session {
        let (loaded, caller) = (self.loaded.clone(), Some(self.caller.clone()));
        session.detach(Detached { says: Says::Wire(wire), loaded, caller, asker: None })
    }

    /// Whether it is a question of deployments over several hosts.
    fn asks(&self) -> bool {
        self.verb.name == Recover::NAME && !self.args["fleet"].is_null()
    }

    /// Whether the caller tells people what happened: who only looks has no credentials for it.
    pub(crate) fn tells(&self) -> bool {
        let goes_along = self.verb.far.is_some_and(|far| far.begins) || self.verb.name == "attach";
        self.caller.tells && goes_along
    }

    /// Does it.
    ///
    /// # Errors
    /// As the verb.
    pub(crate) fn perform(&self, session: &Session) -> anyhow::Result<Report> {
        match self.verb.far {
            Some(far) => (far.run)(self.args.clone(), session),
            None => Err(Fault::usage(format!("{} is done on no host", self.verb.name)).into()),
        }
    }

    /// Goes on from where the caller left it: with the `last` run that he went with, which may be one
    /// that finishes his `own`.
    ///
    /// # Errors
    /// As his own run; where he has none, as the last one.
    pub(crate) fn rejoin(
        &self,
        session: &Session,
        own: &Run,
        last: &Run,
    ) -> anyhow::Result<Report> {
        match self.verb.far {
            // A question is asked again: the run that it began is found by its id, and what the host tells
            // of itself is told behind it.
            Some(_) if self.asks() => self.perform(session),
            Some(far) if far.begins => follow::rejoin(session, &self.site, own, last),
            _ => follow::attach(session, last),
        }
    }
}
