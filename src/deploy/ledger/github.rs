//! The ledger in the repository's GitHub deployments: a deployment for each of ours, a status for
//! each event. It survives the machine, and people see it where they look anyway.
//!
//! Only deployments of our own task and with our own payload count: an `environment:` of a job
//! makes others, which turn "success" when the job is green. GitHub calls a success inactive
//! later, so every status counts and not the last.

use std::cell::RefCell;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::status_line::{Kind, Line};
use super::{Ledger, Scope};
use crate::decide::history::{Event, History, Live, Record, Release};
use crate::decide::words::shorten;
use crate::exit::Fault;
use crate::host::env;
use crate::host::github::{Access, Deployment, Github, NewDeployment, NewStatus, Status, Trouble};
use crate::host::signals::Cancel;

/// The task of our deployments.
const TASK: &str = "waveoff";
/// The version of the payload's format.
const FORMAT: u32 = 1;
/// What reading or adding may take: adding, long enough for a limit that names a minute.
const WITHIN: Duration = Duration::from_secs(150);
/// What it may take to note that a release failed: the old one comes back behind that, and with it
/// an event that says the same. The release must not stay for as long as GitHub does not answer.
const AT_ONCE: Duration = Duration::from_millis(1500);
/// Verified releases that are enough: what runs, and what came before it.
const ENOUGH: usize = 2;
/// The longest description that GitHub takes.
const DESCRIPTION: usize = 140;

/// The deployments of a service in an environment.
pub(super) struct Deployments {
    scope: Scope,
    access: Access,
    known: RefCell<Option<Vec<Entry>>>,
}

/// What we write into a deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payload {
    /// The format: 1.
    waveoff: u32,
    seq: u64,
    service: String,
    deployment: String,
    release: Release,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// A deployment of ours with its events.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    at: String,
    payload: Payload,
    /// When, and what.
    lines: Vec<(String, Line)>,
}

impl Deployments {
    pub(super) fn new(scope: &Scope, access: Access) -> Self {
        Self { scope: scope.clone(), access, known: RefCell::new(None) }
    }

    /// Heeds no signal: what has happened must be kept, whoever would rather leave.
    fn github(&self, within: Duration) -> anyhow::Result<Github> {
        Github::open(&self.access, within, &Cancel::default())
    }

    /// Reads from the newest back, until what runs and where to go back to is certain: each
    /// deployment is a request of its own, and a job has a thousand in an hour.
    fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let github = self.github(WITHIN)?;
        let mut entries = Vec::new();
        let (task, environment) = (TASK, self.scope.environment.as_str());
        let read = github.deployments(task, environment, |page| {
            for deployment in page {
                entries.extend(self.entry(&github, &deployment)?);
            }
            Ok::<_, anyhow::Error>(!self.is_enough(&entries))
        });
        match read.map_err(|error| error.downcast::<Trouble>()) {
            Ok(()) => Ok(entries),
            Err(Ok(trouble)) => Err(fault(trouble).into()),
            Err(Err(other)) => Err(other),
        }
    }

    /// One of ours with its events; none when it is somebody else's.
    fn entry(&self, github: &Github, deployment: &Deployment) -> anyhow::Result<Option<Entry>> {
        let Some(payload) = payload(deployment)? else { return Ok(None) };
        if payload.service != self.scope.service.as_str() {
            return Ok(None);
        }
        let statuses = github.statuses(deployment.id).map_err(fault)?;
        let line = |status: &Status| -> anyhow::Result<Option<(String, Line)>> {
            let text = status.description.as_deref().unwrap_or_default();
            let line = Line::read(text).map_err(|why| damage(deployment, &why))?;
            Ok(line.map(|line| (status.created_at.clone(), line)))
        };
        let lines = statuses.iter().map(line).filter_map(Result::transpose);
        Ok(Some(Entry {
            number: deployment.id,
            at: deployment.created_at.clone(),
            payload,
            lines: lines.collect::<anyhow::Result<_>>()?,
        }))
    }

    fn is_enough(&self, entries: &[Entry]) -> bool {
        let records = self.records(entries);
        let Scope { service, environment } = &self.scope;
        let history = History::of(&records, service.as_str(), environment.as_str());
        let verified = history.verified();
        let knows_live = match history.live() {
            Live::Verified(live, _) => verified.iter().any(|known| known.release.is_same(&live)),
            Live::Nothing => false,
            Live::Unknown(_) => true,
        };
        knows_live && verified.len() >= ENOUGH
    }

    /// The records, oldest first. Numbers decide; two who wrote the same number at once are told
    /// apart by GitHub's.
    fn records(&self, entries: &[Entry]) -> Vec<Record> {
        let release = |number: u64| {
            let entry = entries.iter().find(|entry| entry.number == number);
            entry.map(|entry| entry.payload.release.clone())
        };
        let mut records: Vec<(u64, Record)> = Vec::new();
        for entry in entries {
            let Payload { seq, release: started, by, .. } = &entry.payload;
            let began = Event::Started { release: started.clone(), by: by.clone() };
            records.push((entry.number, self.record(entry, *seq, &entry.at, began)));
            for (at, line) in &entry.lines {
                let event = line.kind.clone().event(release);
                records.push((entry.number, self.record(entry, line.seq, at, event)));
            }
        }
        records.sort_by_key(|(number, record)| (record.seq, *number));
        records.into_iter().map(|(_, record)| record).collect()
    }

    fn record(&self, entry: &Entry, seq: u64, at: &str, event: Event) -> Record {
        Record {
            seq,
            at: at.into(),
            service: self.scope.service.to_string(),
            environment: self.scope.environment.to_string(),
            deployment: entry.payload.deployment.clone(),
            event,
        }
    }

    fn begin(
        &self,
        deployment: &str,
        seq: u64,
        release: &Release,
        by: Option<&String>,
    ) -> anyhow::Result<Entry> {
        let payload = Payload {
            waveoff: FORMAT,
            seq,
            service: self.scope.service.to_string(),
            deployment: deployment.into(),
            release: release.clone(),
            by: by.cloned(),
        };
        let about = format!("{} {}", self.scope.service, release.version);
        let new = NewDeployment {
            reference: reference(release),
            task: TASK,
            environment: self.scope.environment.to_string(),
            description: shorten(&about, DESCRIPTION - 1),
            payload: serde_json::to_value(&payload)?,
        };
        let is_it = |found: &Deployment| matches!(self::payload(found), Ok(Some(found)) if found.deployment == deployment);
        let made = self.github(WITHIN)?.create_deployment(&new, is_it).map_err(|trouble| {
            let no_commit = trouble.status() == Some(422);
            let fault = fault(trouble);
            let reference = &new.reference;
            if !no_commit {
                return fault;
            }
            fault.hint(format!("is {reference:?} a commit, branch or tag there? name one: --sha"))
        })?;
        Ok(Entry { number: made.id, at: made.created_at, payload, lines: Vec::new() })
    }

    fn add(&self, entry: &Entry, line: &Line) -> anyhow::Result<String> {
        let status = NewStatus { state: line.kind.state(), description: line.write() };
        let within = if matches!(line.kind, Kind::Failed(_)) { AT_ONCE } else { WITHIN };
        let made = self.github(within)?.create_status(entry.number, &status).map_err(fault)?;
        Ok(made.created_at)
    }
}

impl Ledger for Deployments {
    fn read(&self) -> anyhow::Result<Vec<Record>> {
        let entries = self.entries()?;
        let records = self.records(&entries);
        self.known.replace(Some(entries));
        Ok(records)
    }

    fn append(&self, deployment: &str, event: Event) -> anyhow::Result<Record> {
        if self.known.borrow().is_none() {
            self.read()?;
        }
        let mut known = self.known.borrow_mut();
        let entries = known.get_or_insert_with(Vec::new);
        let seq = self.records(entries).last().map_or(0, |record| record.seq) + 1;
        if let Event::Started { release, by } = &event {
            let entry = self.begin(deployment, seq, release, by.as_ref())?;
            let record = self.record(&entry, seq, &entry.at, event);
            entries.insert(0, entry);
            return Ok(record);
        }
        // A version may have been deployed twice, from two commits: the exact one comes first.
        let number = |release: &Release| {
            let exact = entries.iter().find(|entry| entry.payload.release == *release);
            let same = || entries.iter().find(|entry| entry.payload.release.is_same(release));
            exact.or_else(same).map(|entry| entry.number)
        };
        let kind = Kind::of(&event, number);
        let entry = entries.iter_mut().find(|entry| entry.payload.deployment == deployment);
        let (Some(kind), Some(entry)) = (kind, entry) else {
            let place = self.describe();
            return Err(Fault::error(format!("{place} has no deployment {deployment}")).into());
        };
        let line = Line { seq, kind };
        let at = match self.add(entry, &line) {
            Ok(at) => at,
            Err(error) => {
                // It may be there all the same, and has this number then.
                drop(known);
                self.known.replace(None);
                return Err(error);
            }
        };
        let record = self.record(entry, seq, &at, event);
        entry.lines.push((at, line));
        Ok(record)
    }

    fn describe(&self) -> String {
        format!("the deployments of {}", self.access.repository)
    }
}

/// Our payload; none when the deployment is somebody else's. GitHub gives objects back as objects
/// or as the text of one.
fn payload(deployment: &Deployment) -> anyhow::Result<Option<Payload>> {
    let parsed = deployment.payload.as_str().and_then(|text| serde_json::from_str(text).ok());
    let payload = parsed.unwrap_or_else(|| deployment.payload.clone());
    match payload.get("waveoff").and_then(serde_json::Value::as_u64) {
        None => Ok(None),
        Some(format) if format != u64::from(FORMAT) => {
            Err(damage(deployment, "a newer waveoff wrote it").into())
        }
        Some(_) => match serde_json::from_value(payload) {
            Ok(payload) => Ok(Some(payload)),
            Err(error) => Err(damage(deployment, &format!("its payload: {error}")).into()),
        },
    }
}

fn damage(deployment: &Deployment, why: &str) -> Fault {
    Fault::error(format!("the ledger's deployment {} is damaged: {why}", deployment.id))
        .hint(format!("nothing was touched; look at it, or delete it: {}", deployment.url))
}

fn fault(trouble: Trouble) -> Fault {
    trouble.fault("keep the ledger in GitHub deployments", "deployments: write")
}

/// What GitHub can find the release by: its commit, else the run's, else a tag of its name.
fn reference(release: &Release) -> String {
    let run = || crate::actions::is_ci().then(|| env::var("GITHUB_SHA")).flatten();
    release.sha.clone().or_else(run).unwrap_or_else(|| release.version.clone())
}
