//! What a report of an observer is about: which service, and where.

use clap::Args;

use crate::config::Loaded;
use crate::decide::naming::Name;
use crate::report::v1::Report;

/// Flags that name what is looked at, for the report.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What the report is about")]
pub(super) struct AboutArgs {
    /// The service [default: `service` in waveoff.yml]
    #[arg(long, value_name = "NAME")]
    service: Option<Name>,
    /// The environment [default: `environment` in waveoff.yml]
    #[arg(long, value_name = "NAME")]
    environment: Option<Name>,
}

impl AboutArgs {
    /// Says it in the report. What nobody named is not said.
    pub(super) fn fill(&self, report: &mut Report, loaded: Option<&Loaded>) {
        let own = loaded.map(|loaded| &loaded.config);
        let text = |flag: &Option<Name>| flag.as_ref().map(ToString::to_string);
        report.service = text(&self.service).or_else(|| own?.service.clone());
        report.environment = text(&self.environment).or_else(|| own?.environment.clone());
    }
}
