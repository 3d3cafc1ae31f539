//! `waveoff unlock`: breaks the lock of a run that hangs.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::site::SiteArgs;
use super::{Session, Verb};
use crate::config::values::Period;
use crate::decide::verdict::Verdict;
use crate::deploy::lock::{self, Ended};
use crate::host::pid::End;
use crate::report::v1::Report;

/// How long the owner's process may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Arguments of `unlock`.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Unlock {
    /// The run that holds the lock, as `waveoff status` names it
    #[arg(long, value_name = "ID")]
    run: String,
    /// How long its process may take to end by itself, before it is killed [default: 10s]
    #[arg(long, value_name = "TIME")]
    grace: Option<Period>,
    #[command(flatten)]
    site: SiteArgs,
}

impl Verb for Unlock {
    const NAME: &'static str = "unlock";
    const ABOUT: &'static str = "Break the lock of a run that hangs, and end its process";
    const EXAMPLES: &'static str = "\
Examples:
  waveoff status                                  # names the run that holds the lock
  waveoff unlock --run 20261121-020304-1a2b3c

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        // The configuration may be on another machine than what hangs: then flags say it all.
        let loaded = session.config()?;
        let config = loaded.as_ref().map(|loaded| &loaded.config);
        let (scope, state) = self.site.place(config)?;
        let grace = self.grace.map_or(GRACE, |grace| grace.0);
        let broken = lock::break_lock(&scope, &state, &self.run, grace)?;
        session.say(&format!("the lock was held for {}", broken.owner));
        let process = format!("its process {}", broken.owner.pid);
        let (verdict, process) = match broken.ended {
            Ended::Gone(End::WasGone) => (Verdict::Pass, format!("{process} was gone already")),
            Ended::Gone(End::Asked) => (Verdict::Pass, format!("{process} has ended")),
            Ended::Gone(End::Killed) => (Verdict::Pass, format!("{process} had to be killed")),
            // What it has begun it may still bring to an end.
            Ended::Unknown(why) => (Verdict::Inconclusive, format!("{process} may live on: {why}")),
        };
        let summary = format!("{scope}: the lock of the run {} is broken; {process}", self.run);
        let mut report = session.report(verdict, summary);
        report.service = Some(scope.service.to_string());
        report.environment = Some(scope.environment.to_string());
        report.next = Some(if verdict.is_pass() {
            "`waveoff status` says what it left behind".into()
        } else {
            "make sure that it does nothing more; what it asks the lock about is refused".into()
        });
        Ok(report)
    }
}
