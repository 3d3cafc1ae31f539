//! `waveoff init`: a configuration and a workflow to begin with.

use clap::Args;

use super::{Session, Verb};
use crate::decide::verdict::Verdict;
use crate::exit::Fault;
use crate::host::files;
use crate::report::v1::Report;

/// What is written, and where.
const FILES: [(&str, &str); 2] = [
    ("waveoff.yml", include_str!("waveoff.yml")),
    (".github/workflows/deploy.yml", include_str!("deploy.yml")),
];

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
}

impl Verb for Init {
    const NAME: &'static str = "init";
    const ABOUT: &'static str = "Write a waveoff.yml and a deploy workflow to begin with";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        let there: Vec<&str> =
            FILES.iter().map(|(name, _)| *name).filter(|name| files::exists(name)).collect();
        if !there.is_empty() && !self.force {
            return Err(Fault::usage(format!("{} is there already", there.join(" and ")))
                .hint("nothing was written; --force overwrites")
                .into());
        }
        for (name, text) in FILES {
            files::replace(name, text.as_bytes())
                .map_err(|error| Fault::error(format!("cannot write {name}: {error}")))?;
            session.say(&format!("wrote {name}"));
        }
        let mut report = session.report(Verdict::Pass, "a beginning is written");
        report.next = Some(
            "put your service, deploy command and health address into waveoff.yml, then \
             `waveoff deploy --version V --dry-run`"
                .into(),
        );
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_right() {
        let loaded = crate::config::parse(FILES[0].0, FILES[0].1, |_| None).unwrap();
        assert_eq!(loaded.config.service.as_deref(), Some("shop"));
        let lines = FILES[1].1.lines().count();
        assert!(lines <= 25, "the workflow has {lines} lines; it should be read at a glance");
    }
}
