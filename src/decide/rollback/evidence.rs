//! What a decision is made from: jobs, reports, the ledger, a look at what runs, the policy.
//!
//! Everything here is data. What could not be read is kept as [`Evidence::broken`], since a
//! decision has to say so rather than be made from the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::threshold::Threshold;
use crate::decide::history::{History, Release};
use crate::decide::verdict::{Severity, Verdict, of_suite};
use crate::decide::words::shorten;
use crate::report::v1::{Check, Finding, Report};

/// Everything that is known when a decision is made.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The repository, or whatever the service is known by where there is none.
    pub repository: String,
    /// The service; empty when nobody named it.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The id of the deployment under judgement.
    pub deployment: Option<String>,
    /// The release under judgement, as far as it was named; the rest comes from reports and ledger.
    pub release: Release,
    /// The jobs of a pipeline.
    pub jobs: Vec<Job>,
    /// What earlier programs reported.
    pub reports: Vec<Stated>,
    /// What the ledger knows.
    pub past: Past,
    /// A target that somebody named.
    pub target: Option<Release>,
    /// A look at what runs now.
    pub probe: Option<Probe>,
    /// Measurements with their limits.
    pub thresholds: Vec<Threshold>,
    /// Something else made the deployment: what the ledger has of this release are others.
    pub elsewhere: bool,
    /// What was given and could not be read, in words.
    pub broken: Vec<String>,
    /// What to do when the rest does not say.
    pub policy: Policy,
    /// The time of the decision.
    pub now: SystemTime,
}

/// What to do when evidence does not decide, and how often to roll back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What to do when production cannot be known.
    pub when_unsure: WhenUnsure,
    /// With so many rollbacks in the window, a person decides about the next one.
    pub max_rollbacks: u32,
    /// The window.
    pub window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            when_unsure: WhenUnsure::Escalate,
            max_rollbacks: 3,
            window: Duration::from_secs(3600),
        }
    }
}

/// What to do when production cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenUnsure {
    /// Leave the release.
    Keep,
    /// Take it back.
    RollBack,
    /// Call a person.
    #[default]
    Escalate,
}

impl FromStr for WhenUnsure {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "keep" => Ok(Self::Keep),
            "roll-back" => Ok(Self::RollBack),
            "escalate" => Ok(Self::Escalate),
            other => Err(format!("`{other}` is not known; known are keep, roll-back, escalate")),
        }
    }
}

/// What the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// No ledger was named.
    NotAsked,
    /// It was named and could not be read.
    Unreadable(String),
    /// It was read.
    Known(History, Source),
}

/// Where a target comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A ledger in a folder or file.
    Ledger,
    /// GitHub's deployments.
    Github,
    /// Somebody named it.
    Input,
}

impl Source {
    /// The word used in outputs.
    pub fn word(self) -> &'static str {
        match self {
            Source::Ledger => "ledger",
            Source::Github => "github",
            Source::Input => "input",
        }
    }
}

/// How a job ended. There is no word for a time-out: such a job is `cancelled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobResult {
    /// All of its steps passed, or were allowed to fail.
    Success,
    /// One of its steps failed.
    Failure,
    /// Cancelled, timed out, or its machine was lost.
    Cancelled,
    /// It never began.
    Skipped,
}

impl JobResult {
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "success" => Some(Self::Success),
            "failure" => Some(Self::Failure),
            "cancelled" => Some(Self::Cancelled),
            "skipped" => Some(Self::Skipped),
            _ => None,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It changes what runs.
    Deploy,
    /// It looks whether that is well.
    Verify,
    /// It brings the old release back.
    Rollback,
    /// Something else.
    Other,
    /// It tells or cleans up; its failure says nothing about the release.
    Later,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether its success alone says that the release is well. A job that happens to be called
    /// `test` may have run before anything was deployed.
    pub vouches: bool,
    /// How it ended.
    pub result: JobResult,
    /// What it put out.
    pub outputs: BTreeMap<String, String>,
}

/// The names of jobs by role; without any for a role, names tell by how they begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Jobs that deploy.
    pub deploy: Vec<String>,
    /// Jobs that verify.
    pub verify: Vec<String>,
    /// Jobs that tell or clean up.
    pub notify: Vec<String>,
}

impl Roles {
    fn of(&self, name: &str) -> (Role, bool) {
        let listed = |list: &[String]| list.iter().any(|known| known == name);
        let lists = [
            (Role::Deploy, &self.deploy),
            (Role::Verify, &self.verify),
            (Role::Later, &self.notify),
        ];
        if let Some((role, _)) = lists.iter().find(|(_, list)| listed(list)) {
            return (*role, true);
        }
        let begins = |words: &[&str]| {
            let name = name.to_ascii_lowercase();
            words.iter().any(|word| name.starts_with(word))
        };
        match () {
            () if self.deploy.is_empty() && begins(&["deploy", "release"]) => (Role::Deploy, true),
            () if self.verify.is_empty() && begins(&["smoke", "verify", "wait", "health"]) => {
                (Role::Verify, true)
            }
            () if self.verify.is_empty() && begins(&["test"]) => (Role::Verify, false),
            () if begins(&["rollback", "roll-back"]) => (Role::Rollback, true),
            () if self.notify.is_empty() && begins(&["notify", "announce", "report", "clean"]) => {
                (Role::Later, true)
            }
            () => (Role::Other, false),
        }
    }
}

/// Reads `toJSON(needs)`.
///
/// # Errors
/// What is wrong with it. No job at all is wrong too: nothing observed is never a pass.
pub fn read_jobs(text: &str, roles: &Roles) -> Result<Vec<Job>, String> {
    let Ok(Value::Object(map)) = serde_json::from_str(text) else {
        return Err("the jobs are not a JSON object; write ${{ toJSON(needs) }}".into());
    };
    if map.is_empty() {
        return Err("there is no job among the jobs".into());
    }
    let jobs: Vec<Job> =
        map.iter().map(|(name, job)| read_job(name, job, roles)).collect::<Result<_, _>>()?;
    let named = roles.deploy.iter().chain(&roles.verify).chain(&roles.notify);
    for name in named {
        if !map.contains_key(name) {
            let known: Vec<&str> = map.keys().map(String::as_str).collect();
            return Err(format!("there is no job {name:?}; there are: {}", known.join(", ")));
        }
    }
    Ok(jobs)
}

fn read_job(name: &str, job: &Value, roles: &Roles) -> Result<Job, String> {
    let word = job.get("result").and_then(Value::as_str);
    let result = word.and_then(JobResult::of_word).ok_or_else(|| {
        format!(
            "the job {name:?} has the result {}, not success, failure, cancelled or skipped",
            word.map_or("nothing".into(), |word| format!("{:?}", shorten(word, 40)))
        )
    })?;
    let outputs = match job.get("outputs") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| {
                (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect(),
        Some(_) => return Err(format!("the outputs of the job {name:?} are not an object")),
    };
    let (role, vouches) = roles.of(name);
    Ok(Job { name: name.into(), role, vouches, result, outputs })
}

/// The reports that jobs put out under the name `report`, and what is wrong with others.
pub fn reports_of(jobs: &[Job]) -> (Vec<Stated>, Vec<String>) {
    let (mut reports, mut broken) = (Vec::new(), Vec::new());
    for job in jobs {
        let Some(text) = job.outputs.get("report").map(|text| text.trim()) else { continue };
        // A job that puts out something else under this name is not ours to read, unless we rely
        // on the job.
        let ours = text.starts_with('{') || matches!(job.role, Role::Deploy | Role::Verify);
        if text.is_empty() || !ours {
            continue;
        }
        match read_report(&format!("job {}", job.name), text) {
            Ok(stated) => reports.push(Stated { job: Some(job.name.clone()), ..stated }),
            Err(why) => broken.push(why),
        }
    }
    (reports, broken)
}

/// A report and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// Its file or job, for people.
    pub from: String,
    /// The job that put it out, when a job did.
    pub job: Option<String>,
    /// The report.
    pub report: Report,
}

/// Reads a report.
///
/// # Errors
/// What is wrong with it.
pub fn read_report(from: &str, text: &str) -> Result<Stated, String> {
    let report: Report = serde_json::from_str(text)
        .map_err(|error| format!("the report from {from} cannot be read: {error}"))?;
    if report.version != 1 {
        return Err(format!(
            "the report from {from} has the version {}; this program reads version 1",
            report.version
        ));
    }
    if humantime::parse_rfc3339(&report.started).is_err() {
        return Err(format!("the report from {from} does not say when it was made"));
    }
    Ok(Stated { from: from.into(), job: None, report })
}

/// A look at what runs now.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The checks that were run.
    pub checks: Vec<Check>,
    /// The version that answered, when a check asked for it.
    pub version: Option<String>,
}

impl Probe {
    /// A probe from its checks; the version is the one that a version check found.
    pub fn of(checks: Vec<Check>) -> Self {
        let versions: BTreeSet<String> = checks
            .iter()
            .flat_map(|check| &check.findings)
            .filter(|finding| finding.query.starts_with("version"))
            .filter_map(|finding| serde_json::from_str(&finding.actual).ok())
            .collect();
        // Two versions at once is no version: a switch is half done.
        let version = (versions.len() == 1).then(|| versions.into_iter().next()).flatten();
        Self { checks, version }
    }

    /// Whether all was seen to be well, but for the version.
    pub(super) fn is_well_but_for_the_version(&self) -> bool {
        let mut critical = self.checks.iter().filter(|check| check.severity == Severity::Critical);
        let other = |finding: &Finding| !finding.query.starts_with("version");
        critical.all(|check| {
            let mut others = check.findings.iter().filter(|finding| other(finding));
            let blamed = check.findings.iter().any(|f| !other(f) && !f.verdict.is_pass());
            check.verdict.is_pass() || (blamed && others.all(|f| f.verdict.is_pass()))
        })
    }

    /// The worst of its critical checks.
    pub fn verdict(&self) -> Verdict {
        of_suite(self.checks.iter().map(|check| (check.severity, check.verdict)))
    }
}
