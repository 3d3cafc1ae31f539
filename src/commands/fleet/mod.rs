//! One release on several hosts: each host has a transaction of its own, and whoever called brings
//! all of them back when one fails. What makes them all old or all new is `decide::fleet`.

mod across;
mod summary;
mod voice;

pub(super) use across::{Order, perform};

use serde::{Deserialize, Serialize};

use super::Session;
use super::site::{Site, SiteArgs, live_of};
use crate::decide::fleet::{Mark, Member};
use crate::decide::journal::Begun;
use crate::deploy::fleet;
use crate::exit::Fault;
use crate::report::v1::Report;

/// The output in which a host tells of itself, to its caller alone.
const MEMBER: &str = "fleet";

/// A deployment over several hosts, as each of them is told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fleet {
    id: String,
    hosts: Vec<String>,
}

impl Fleet {
    /// Notes on this host that it begins, with what comes back if it ends badly elsewhere.
    pub(super) fn begin(&self, begun: &Begun, site: &Site) -> anyhow::Result<()> {
        let mark = Mark {
            id: self.id.clone(),
            version: begun.release.version.clone(),
            hosts: self.hosts.clone(),
            before: begun.live.as_ref().map(|live| live.version.clone()),
        };
        fleet::begin(&site.scope, &site.state, &mark).map_err(|why| {
            Fault::error(why)
                .hint("finish it first with `waveoff recover`; nothing was touched")
                .into()
        })
    }
}

/// What a host is asked of deployments over several hosts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// What is live here, and is one open? After what was interrupted here is finished.
    Tell,
    /// The one with this id is over everywhere.
    Over(String),
}

/// What a host tells of itself, as it travels.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    live: Option<String>,
    mark: Option<Mark>,
}

impl Question {
    /// Answers it, on the host.
    pub(super) fn answer(
        &self,
        site: &SiteArgs,
        session: &Session,
        recover: impl FnOnce() -> anyhow::Result<Report>,
    ) -> anyhow::Result<Report> {
        let mut report = match self {
            Question::Tell => recover()?,
            Question::Over(id) => {
                let loaded = session.needed_config()?;
                let (scope, state) = site.place(Some(&loaded.config))?;
                fleet::end(&scope, &state, id).map_err(Fault::error)?;
                session.report(crate::decide::verdict::Verdict::Pass, "it is over everywhere")
            }
        };
        let site = site.open(session)?;
        let live = live_of(&site.history()?).map(|live| live.version);
        let mark = fleet::open(&site.scope, &site.state)
            .map_err(|why| Fault::error(why).hint("look at it, and remove it if it is damaged"))?;
        report.outputs.insert(MEMBER.into(), serde_json::to_string(&Told { live, mark })?);
        Ok(report)
    }
}

/// What a host told of itself.
fn member(host: &str, report: &Report) -> anyhow::Result<Member> {
    let text = report.outputs.get(MEMBER).map_or("", String::as_str);
    let Told { live, mark } = serde_json::from_str(text).map_err(|error| {
        Fault::error(format!("{host}: what it tells of itself cannot be read: {error}"))
    })?;
    Ok(Member { host: host.to_owned(), live, mark })
}
