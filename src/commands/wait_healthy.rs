//! `wait-healthy`: wait until everything answers as it should, or supervise it for a time.

use clap::Args;

use super::about::AboutArgs;
use super::targets::{CommonArgs, Suite, TargetArgs, Timing};
use super::{Output, Session, Verb, output};
use crate::checks::{Purpose, Run, run};
use crate::config::values::Period;
use crate::decide::verdict::Verdict;
use crate::decide::words::{count, only_warnings, show_duration};
use crate::report::v1::{self, Report};

/// Arguments of `wait-healthy`.
#[derive(Debug, Clone, Args)]
pub struct WaitHealthy {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    common: CommonArgs,
    /// How long to wait for each target [default: 60s]
    #[arg(long, value_name = "DURATION", help_heading = WHEN)]
    within: Option<Period>,
    /// One deadline over all targets
    #[arg(long, value_name = "DURATION", help_heading = WHEN)]
    deadline: Option<Period>,
    /// The time in which failures do not count and conditions do not end the wait
    #[arg(long, value_name = "DURATION", help_heading = WHEN)]
    start_period: Option<Period>,
    /// Supervise for this long instead of waiting: every 10s, 3 failures in a row decide
    #[arg(long, value_name = "DURATION", help_heading = WHEN)]
    supervise: Option<Period>,
    /// Consecutive failures that decide, when supervising [default: 3]
    #[arg(long, value_name = "N", help_heading = WHEN)]
    failures: Option<u32>,
    #[command(flatten)]
    about: AboutArgs,
}

const WHEN: &str = "What is expected, and when";

impl Verb for WaitHealthy {
    const NAME: &'static str = "wait-healthy";
    const ABOUT: &'static str = "Wait until addresses, ports and programs answer as they should";
    const MEASURES: bool = true;
    const OUTPUTS: &'static [Output] = &[
        output("checks-total", "how many targets there are"),
        output("checks-failed", "how many of them did not become healthy"),
        output("seconds", "how long it took"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  wait-healthy http://localhost:8080/health
  wait-healthy --container shop-web-1 --within 60s
  wait-healthy db:5432 redis:6379 --within 2m --deadline 15m
  wait-healthy --url https://shop.example.com/health --health --critical postgres,redis
  wait-healthy --url https://shop.example.com/ --expect-version v1.4.0 --version-header X-Version
  wait-healthy --url http://localhost:8080/health --supervise 5m --failures 3
  wait-healthy                        # the checks of waveoff.yml

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let timing = Timing {
            within: self.within,
            start_period: self.start_period,
            failures: self.failures,
            attempts: None,
        };
        let suite = self.common.suite(&self.targets, &timing, session)?;
        let own = suite.loaded.as_ref().and_then(|loaded| loaded.config.deadline);
        let deadline = self.deadline.or(own).map(|deadline| deadline.0);
        let purpose = match self.supervise {
            Some(length) => Purpose::Supervise { length: length.0 },
            None => Purpose::Wait { deadline },
        };
        let version = suite.expected_version.as_deref();
        let ran = run(&suite.checks, version, suite.process, purpose, session);
        let mut report = report(ran, &suite, self.supervise.is_some(), session);
        self.about.fill(&mut report, suite.loaded.as_ref());
        Ok(report)
    }
}

fn report(ran: Run, suite: &Suite, supervised: bool, session: &Session) -> Report {
    let took = show_duration(session.elapsed());
    let total = ran.checks.len();
    let bad: Vec<&v1::Check> = crate::checks::failed(&ran.checks);
    let summary = match (ran.cancelled, ran.verdict, bad.first()) {
        (Some(signal), ..) => format!("cancelled by {signal} after {took}"),
        (None, Verdict::Pass, _) if supervised => {
            format!("healthy for {took} ({})", count(total, "check"))
        }
        (None, Verdict::Pass, _) => format!("healthy after {took} ({})", count(total, "check")),
        (None, _, Some(first)) => format!(
            "{} of {total} not healthy after {took}: {}: {}",
            bad.len(),
            first.name,
            first.reason
        ),
        (None, _, None) => format!("nothing decided: {}", only_warnings(total)),
    };
    let failed = bad.len().to_string();
    let mut report = session.report(ran.verdict, summary);
    if !ran.verdict.is_pass() {
        report.next = Some("see the timeline and the last answer of each target above".into());
    }
    report.expected_version.clone_from(&suite.expected_version);
    report.outputs = [
        ("checks-total", total.to_string()),
        ("checks-failed", failed),
        ("seconds", format!("{:.1}", session.elapsed().as_secs_f64())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    report.checks = ran.checks;
    report
}
