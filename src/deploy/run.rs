//! Walks the course of a deployment: writes, acts, looks.

use super::commands::Commands;
use super::ledger::Ledger;
use super::story::Story;
use crate::checks::{self, Target};
use crate::commands::Session;
use crate::config::Loaded;
use crate::decide::course::{Course, Direction, Next, Outcome};
use crate::decide::history::{Event, Release};
use crate::decide::verdict::{Severity, Verdict};
use crate::platforms::{Order, Platform, Running, Trouble};
use crate::report::v1::Check;

/// Everything that a walk needs.
pub struct Walk<'a> {
    /// The run.
    pub session: &'a Session,
    /// The configuration, for its checks.
    pub loaded: &'a Loaded,
    /// The memory.
    pub ledger: &'a dyn Ledger,
    /// What starts releases.
    pub platform: &'a dyn Platform,
    /// The deployment's id.
    pub id: String,
    /// The release that is deployed, or rolled back from.
    pub release: Release,
    /// Where to go back to.
    pub target: Option<Release>,
    /// What runs before, as far as it is known.
    pub live: Option<Release>,
    /// What is told.
    pub story: Story<'a>,
}

/// What a walk ended with.
pub struct Walked {
    /// How it ended.
    pub outcome: Outcome,
    /// The checks of the verification forward, or of the one that there was.
    pub checks: Vec<Check>,
    /// Whether the running system was touched.
    pub mutated: bool,
    /// Events that could not be kept.
    pub unrecorded: Vec<String>,
    /// The last lines of what the failed release wrote.
    pub diagnostics: Vec<String>,
}

impl Walk<'_> {
    /// Walks to the end. Nothing that goes wrong on the way is an error here: it is an outcome.
    pub fn go(&mut self, mut course: Course) -> Walked {
        let mut walked = Walked {
            outcome: Outcome::Verified,
            checks: Vec::new(),
            mutated: false,
            unrecorded: Vec::new(),
            diagnostics: Vec::new(),
        };
        let mut last = Ok(());
        loop {
            last = match course.next(last) {
                Next::Record(event) => self.record(event, &mut walked),
                Next::Act(direction) => self.act(direction, &mut walked),
                Next::Verify(direction) => self.verify(direction, &mut walked),
                Next::Done(outcome) => {
                    walked.outcome = outcome;
                    return walked;
                }
            };
        }
    }

    fn record(&mut self, event: Event, walked: &mut Walked) -> Result<(), String> {
        // The last moment in which leaving costs nothing.
        if event == Event::Mutating {
            self.cancelled()?;
            self.session.cancel.stay();
        }
        if let Event::Failed { .. } = event {
            walked.diagnostics = self.platform.diagnostics();
        }
        let word = match &event {
            Event::Started { .. } => "started",
            Event::Mutating => "the running system is touched from here on",
            Event::Verified => "verified",
            Event::Failed { .. } => "failed",
            Event::RolledBack { .. } => "rolled back",
            Event::RollbackFailed { .. } => "rollback failed",
        };
        let mutating = event == Event::Mutating;
        let from = self.session.elapsed();
        match self.ledger.append(&self.id, event) {
            Ok(record) => {
                walked.mutated |= mutating;
                let detail = format!("{word} (event {} of the ledger)", record.seq);
                self.story.step("record", from, Verdict::Pass, detail);
                Ok(())
            }
            Err(error) => {
                let why = format!("{error:#}");
                self.story.step("record", from, Verdict::Error, format!("{word}: {why}"));
                if walked.mutated {
                    walked.unrecorded.push(format!("{word}: {why}"));
                }
                Err(why)
            }
        }
    }

    fn act(&mut self, direction: Direction, walked: &mut Walked) -> Result<(), String> {
        let (name, release, previous) = match direction {
            Direction::Forward => ("deploy", self.release.clone(), self.live.clone()),
            Direction::Back => {
                self.session.cancel.shield();
                let target = self.target.clone().unwrap_or_default();
                ("rollback", target, Some(self.release.clone()))
            }
        };
        let order = Order { release: &release, previous: previous.as_ref(), direction };
        for line in self.platform.plan(&order) {
            self.story.tell(name, &line);
        }
        let from = self.session.elapsed();
        let result = self.platform.start(&order, &Commands::looking(self.session));
        let outcome = match &result {
            Ok(()) => (Verdict::Pass, format!("{} is started", release.version)),
            Err(trouble) => (Verdict::Fail, trouble.reason.clone()),
        };
        self.story.step(name, from, outcome.0, outcome.1);
        if direction == Direction::Forward {
            self.cancelled()?;
        }
        result.map_err(|trouble| {
            walked.checks.push(self.evidence(name, &trouble));
            trouble.reason
        })
    }

    fn verify(&mut self, direction: Direction, walked: &mut Walked) -> Result<(), String> {
        let release = match direction {
            Direction::Forward => self.release.clone(),
            Direction::Back => self.target.clone().unwrap_or_default(),
        };
        self.story.tell("verify", &format!("does {} answer, and is it well?", release.version));
        let from = self.session.elapsed();
        let target = target(self.platform, &release);
        let (verdict, summary, mut seen) = match checks::verify(self.session, self.loaded, &target)
        {
            Ok(seen) if seen.verdict.is_pass() && contradicts(self.platform, &release) => {
                let version = &release.version;
                let summary = format!(
                    "all checks passed, but {version} does not run any more: another process answered"
                );
                (Verdict::Fail, summary, seen.checks)
            }
            Ok(seen) => (seen.verdict, seen.summary, seen.checks),
            Err(error) => (Verdict::Error, format!("{error:#}"), Vec::new()),
        };
        self.story.step("verify", from, verdict, format!("{}: {summary}", release.version));
        if direction == Direction::Back && !walked.checks.is_empty() {
            for check in &mut seen {
                check.name = format!("{} ({}, brought back)", check.name, release.version);
            }
        }
        walked.checks.extend(seen);
        if direction == Direction::Forward {
            self.cancelled()?;
        }
        // What is not known to be well is not well.
        if verdict.is_pass() { Ok(()) } else { Err(summary) }
    }

    fn cancelled(&self) -> Result<(), String> {
        match self.session.cancel.reason() {
            Some(signal) => Err(format!("cancelled by {signal}")),
            None => Ok(()),
        }
    }

    /// A platform's failure as a check, so that its evidence is in every kind of report.
    fn evidence(&self, name: &str, trouble: &Trouble) -> Check {
        Check {
            name: name.into(),
            kind: self.platform.name().into(),
            target: self.release.version.clone(),
            severity: Severity::Critical,
            verdict: Verdict::Fail,
            reason: trouble.reason.clone(),
            duration_ms: 0,
            latency_ms: 0.0,
            attempts: 1,
            findings: Vec::new(),
            warnings: Vec::new(),
            timeline: Vec::new(),
            last_response: trouble.evidence.clone(),
        }
    }
}

/// What is verified of a release on a platform.
pub fn target(platform: &dyn Platform, release: &Release) -> Target {
    Target {
        base_url: platform.base_url(),
        expected_version: Some(release.version.clone()),
        process: platform.process(),
    }
}

/// Whether the platform contradicts that this release runs.
pub fn contradicts(platform: &dyn Platform, release: &Release) -> bool {
    match platform.running() {
        Running::Unknown => false,
        Running::Nothing => true,
        Running::Version(version) => {
            !crate::decide::words::same_version(&version, &release.version)
        }
    }
}
