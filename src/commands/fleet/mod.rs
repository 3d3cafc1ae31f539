//! One release on several hosts: each host has a transaction of its own, and whoever called brings
//! all of them back when one fails. What makes them all old or all new is `decide::fleet`.

mod across;
mod back;
mod follow;
mod hold;
mod summary;
mod voice;

pub(super) use across::{Order, perform};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Session;
use super::site::{Site, SiteArgs, live_of};
use crate::decide::fleet::{Mark, Member};
use crate::decide::history::Release;
use crate::decide::verdict::Verdict;
use crate::deploy::fleet;
use crate::exit::Fault;
use crate::report::v1::Report;

/// The output in which a host tells of itself, to its caller alone.
const MEMBER: &str = "fleet";

/// A deployment over several hosts, as each of them is told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fleet {
    /// The caller's turn at the hosts.
    turn: u64,
    id: String,
    hosts: Vec<String>,
}

impl Fleet {
    /// Notes on this host that it begins, or that it is live there already, with what comes back if
    /// it ends badly elsewhere.
    pub(super) fn begin(
        &self,
        release: &Release,
        before: Option<&Release>,
        site: &Site,
    ) -> anyhow::Result<()> {
        let mark = Mark::new(self.id.clone(), self.hosts.clone(), release, before);
        fleet::begin(&site.scope, &site.state, self.turn, &mark).map_err(|why| {
            let hint = "nothing was touched here; `waveoff status` tells of all hosts, and \
                        `waveoff recover` finishes what is open";
            Fault::error(why).hint(hint).into()
        })
    }
}

/// What a host is asked of deployments over several hosts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// The right to change all hosts is wanted, in this one's name for them, until the connection ends.
    Hold,
    /// What is live here, and is one open? In this turn: nothing of an earlier one is begun here any
    /// more. After what was interrupted here is finished.
    Tell(u64),
    /// A deployment is over everywhere.
    Over {
        /// The caller's turn at the hosts.
        turn: u64,
        /// Its id.
        id: String,
    },
}

/// What a host tells of itself, as it travels.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    live: Option<Release>,
    kept: fleet::Kept,
}

impl Question {
    /// Answers it, on the host.
    pub(super) fn answer(
        &self,
        site: &SiteArgs,
        queue: Option<Duration>,
        session: &Session,
        recover: impl FnOnce() -> anyhow::Result<Report>,
    ) -> anyhow::Result<Report> {
        let loaded = session.needed_config()?;
        let (scope, state) = site.place(Some(&loaded.config))?;
        let said = |text: &str| session.report(Verdict::Pass, text);
        let mut report = match self {
            Question::Hold => return hold::keep(session, &scope, &state, queue),
            Question::Tell(turn) => {
                // First, so that what is not begun by now never is.
                fleet::hear(&scope, &state, *turn).map_err(Fault::error)?;
                recover()?
            }
            Question::Over { turn, id } => {
                fleet::end(&scope, &state, *turn, id).map_err(Fault::error)?;
                said("it is over everywhere")
            }
        };
        let live = live_of(&site.open(session)?.history()?);
        let kept = fleet::kept(&scope, &state)
            .map_err(|why| Fault::error(why).hint("look at it, and remove it if it is damaged"))?;
        report.outputs.insert(MEMBER.into(), serde_json::to_string(&Told { live, kept })?);
        Ok(report)
    }
}

/// What a host told of itself.
fn member(host: &str, report: &Report) -> anyhow::Result<Member> {
    let text = report.outputs.get(MEMBER).map_or("", String::as_str);
    let Told { live, kept } = serde_json::from_str(text).map_err(|error| {
        Fault::error(format!("{host}: what it tells of itself cannot be read: {error}"))
    })?;
    Ok(Member { host: host.to_owned(), live, mark: kept.open, over: kept.over })
}
