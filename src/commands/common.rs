//! Flags of every verb.

use clap::{Arg, ArgMatches, Args, FromArgMatches};

use crate::exit::Fault;

const HEADING: &str = "Output and configuration";

/// Flags of every verb.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = HEADING)]
pub(super) struct Common {
    /// Read this file instead of `waveoff.yml` (which may be absent)
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Print the report as JSON on standard output, and everything else on standard error
    #[arg(long)]
    pub json: bool,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
    /// Write the checks as JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<String>,
    /// Where metrics go, of the verbs that have [`metrics`].
    #[arg(skip)]
    pub metrics: Option<String>,
    /// Print nothing but errors and the last line
    #[arg(long)]
    pub quiet: bool,
    /// Show no live progress
    #[arg(long)]
    pub no_progress: bool,
}

impl Common {
    /// The flags as they were given.
    ///
    /// # Errors
    /// When one is wrong.
    pub(super) fn read(matches: &ArgMatches) -> anyhow::Result<Self> {
        let common = Self::from_arg_matches(matches)
            .map_err(|error| Fault::usage(error.to_string().trim().to_owned()))?;
        // Of a verb without metrics there is no such flag.
        let metrics = matches.try_get_one::<String>("metrics").ok().flatten().cloned();
        Ok(Self { metrics, ..common })
    }
}

/// The flag of the verbs that are about checks alone.
pub(super) fn metrics() -> Arg {
    Arg::new("metrics")
        .long("metrics")
        .value_name("FILE")
        .help("Write the checks as Prometheus metrics to this file")
        .help_heading(HEADING)
}
