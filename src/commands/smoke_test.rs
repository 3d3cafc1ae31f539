//! `smoke-test`: run a suite of named checks once, each with its tries.

use clap::Args;

use super::about::AboutArgs;
use super::targets::{CommonArgs, TargetArgs, Timing};
use super::{Output, Session, Verb, output};
use crate::checks::{Purpose, failed, run};
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::words::{count, only_warnings, show_duration};
use crate::report::v1::{Check, Report};

/// Arguments of `smoke-test`.
#[derive(Debug, Clone, Args)]
pub struct SmokeTest {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    common: CommonArgs,
    /// Tries of each check [default: 3]
    #[arg(long, value_name = "N", help_heading = "What is expected, and when")]
    attempts: Option<u32>,
    #[command(flatten)]
    about: AboutArgs,
}

impl Verb for SmokeTest {
    const NAME: &'static str = "smoke-test";
    const ABOUT: &'static str = "Run a suite of named checks against a service";
    const MEASURES: bool = true;
    const OUTPUTS: &'static [Output] = &[
        output("checks-total", "how many checks there are"),
        output("checks-failed", "how many critical checks did not pass"),
        output("warnings", "how many warnings there are"),
        output("failed-checks", "the names of the critical checks that did not pass, one a line"),
    ];
    const EXAMPLES: &'static str = "\
Examples:
  smoke-test                                  # the checks of waveoff.yml
  smoke-test --config smoke.yml --expect-version v1.4.0 --junit smoke.xml
  smoke-test --url https://shop.example.com/ --body-contains Welcome
  smoke-test --base-url http://localhost:8080 --attempts 1

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let timing = Timing { attempts: self.attempts, ..Timing::default() };
        let suite = self.common.suite(&self.targets, &timing, session)?;
        let version = suite.expected_version.as_deref();
        let ran = run(&suite.checks, version, suite.process, Purpose::Smoke, session);
        let (total, bad) = (ran.checks.len(), failed(&ran.checks));
        let warnings = warnings(&ran.checks);
        let took = show_duration(session.elapsed());
        let summary = match (ran.cancelled, ran.verdict) {
            (Some(signal), _) => format!("cancelled by {signal} after {took}"),
            (None, Verdict::Pass) => {
                format!("{} passed in {took}{}", count(total, "check"), count_warnings(warnings))
            }
            (None, _) if bad.is_empty() => {
                format!("nothing decided: {}", only_warnings(total))
            }
            (None, _) => format!(
                "{} of {total} checks failed in {took}{}",
                bad.len(),
                count_warnings(warnings)
            ),
        };
        let names: Vec<&str> = bad.iter().map(|check| check.name.as_str()).collect();
        let mut report = session.report(ran.verdict, summary);
        report.outputs = [
            ("checks-total", total.to_string()),
            ("checks-failed", bad.len().to_string()),
            ("warnings", warnings.to_string()),
            ("failed-checks", names.join("\n")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if !ran.verdict.is_pass() {
            report.next = Some(match bad.is_empty() {
                true => "give a check that decides: one whose severity is not `warning`".into(),
                false => "look at the failed checks above; the release is not good".into(),
            });
        }
        self.about.fill(&mut report, suite.loaded.as_ref());
        report.expected_version = suite.expected_version;
        report.checks = ran.checks;
        Ok(report)
    }
}

fn warnings(checks: &[Check]) -> usize {
    let weak = |c: &&Check| c.severity == Severity::Warning && !c.verdict.is_pass();
    checks.iter().map(|check| check.warnings.len()).sum::<usize>()
        + checks.iter().filter(weak).count()
}

fn count_warnings(warnings: usize) -> String {
    match warnings {
        0 => String::new(),
        n => format!(", {}", count(n, "warning")),
    }
}
