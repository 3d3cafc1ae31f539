//! `waveoff attach`: go with a run that is on its way, or see how it went.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::site::SiteArgs;
use super::{Output, Session, Verb, ending, follow};
use crate::deploy::{lock, runs};
use crate::exit::Fault;
use crate::report::v1::Report;

/// Arguments of `attach`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Attach {
    /// The run [default: the one that has the lock, else the last one]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    #[command(flatten)]
    site: SiteArgs,
}

impl Verb for Attach {
    const NAME: &'static str = "attach";
    const ABOUT: &'static str = "Go with a deployment that is on its way, to its end";
    const OUTPUTS: &'static [Output] = ending::OUTPUTS;
    const EXAMPLES: &'static str = "\
Examples:
  waveoff attach                                 # Ctrl-C leaves; the deployment goes on
  waveoff attach --run 20261121-130501-0a1b2c

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let loaded = session.needed_config()?;
        let (scope, state) = self.site.place(Some(&loaded.config))?;
        let all = runs::all(&scope, &state)?;
        let wanted = match &self.run {
            Some(run) => Some(run.clone()),
            None => lock::owner(&scope, &state)?.map(|owner| owner.run),
        };
        let found = match &wanted {
            Some(id) => all.into_iter().find(|run| run.id == *id),
            None => all.into_iter().next_back(),
        };
        let run = found.ok_or_else(|| match wanted {
            Some(id) => Fault::usage(format!("there is no run {id:?} of {scope}"))
                .hint("`waveoff status` names the one that is on its way"),
            None => Fault::usage(format!("nothing was ever run: {scope}"))
                .hint("is it the right service, environment and state folder?"),
        })?;
        follow::attach(session, &run)
    }
}
