//! Telling people how a deployment ended: of a failure once, and of its end when a later release
//! is good.

use super::Session;
use super::site::Site;
use super::transact::Tale;
use crate::channels::{self, Outcome as Told, Telling};
use crate::checks;
use crate::decide::history::{Deployment, History, Phase, Release};
use crate::decide::incident::{Ending, Incident, Recovery};
use crate::decide::incident_key::Incident as Key;
use crate::decide::transaction::Outcome;
use crate::decide::verdict::Verdict;
use crate::deploy::story::Story;
use crate::host::{clock, files};
use crate::remote::words::News;

/// Incidents that one good release ends at most: telling is slow, and older ones are old news.
const ENDED: usize = 3;

/// An incident that was told.
pub(super) struct Incidents {
    pub(super) key: String,
    /// Where it can be read, one place a line.
    pub(super) locations: Vec<String>,
}

impl Site {
    /// Who would be told. What is wrong with that is found before anything is touched.
    pub(super) fn telling(&self, session: &Session) -> anyhow::Result<Telling> {
        let folder = self.state.folder(&self.scope).join("incidents");
        match session.caller() {
            // Who else is told is told by the caller, who has the credentials for it.
            Some(_) => Ok(Telling::files(folder, session)),
            None => Telling::of(Some(&self.loaded.config), folder, None, session),
        }
    }

    /// The incident of a walk that others tell.
    pub(super) fn untold(&self, tale: &Tale<'_>) -> Incidents {
        let begun = &tale.driven.begun;
        let key = self.key(tale.session, &begun.release, begun.target.as_ref(), &begun.deployment);
        Incidents { key, locations: Vec::new() }
    }

    fn key(
        &self,
        session: &Session,
        failed: &Release,
        target: Option<&Release>,
        deployment: &str,
    ) -> String {
        let own = || self.scope.service.to_string();
        let repository = session.repository().unwrap_or_else(own);
        let environment = self.scope.environment.as_str();
        Key { repository: &repository, environment, failed, target, deployment }.key()
    }

    /// Tells of what went wrong after something was touched. A rollback that somebody wanted and
    /// got is no incident.
    pub(super) fn tell(
        &self,
        telling: &Telling,
        tale: &mut Tale<'_>,
        wanted_back: bool,
    ) -> Option<Incidents> {
        let (ending, reason) = match &tale.driven.outcome {
            Outcome::Verified | Outcome::Untouched(_) => return None,
            Outcome::RolledBack(_) if wanted_back => return None,
            Outcome::RolledBack(reason) => (Ending::RolledBack, reason.clone()),
            Outcome::Failed(reason) => (Ending::NoTarget, reason.clone()),
            Outcome::RollbackFailed { reason, rollback } => {
                (Ending::RollbackFailed, format!("{reason}; then the rollback: {rollback}"))
            }
        };
        // What has been cancelled is still told.
        tale.session.cancel.shield();
        let begun = tale.driven.begun.clone();
        let key = self.key(tale.session, &begun.release, begun.target.as_ref(), &begun.deployment);
        let log = self.keep(tale);
        let incident = Incident {
            key: key.clone(),
            service: self.scope.service.to_string(),
            environment: self.scope.environment.to_string(),
            failed: begun.release.clone(),
            target: begun.plan.back.clone().or(begun.target.clone()),
            ending,
            reason,
            severity: None,
            when: clock::rfc3339(clock::wall()),
            deployment: Some(begun.deployment.clone()),
            run_url: run_url(tale.session),
            ticket: None,
            forensics: tale.forensics.clone().or(log),
            steps: tale.story.steps.clone(),
            failed_checks: checks::failed(&tale.checks).into_iter().cloned().collect(),
        };
        let mut locations = Vec::new();
        if tells(tale.session) {
            let from = tale.session.elapsed();
            let told = channels::tell_all(tale.session, telling, &incident);
            locations = said(&mut tale.story, from, &told);
        }
        if leaves(tale.session) {
            let session = tale.session;
            tale.news.incidents.push(incident.map_texts(|text| session.masked(text)));
        }
        Some(Incidents { key, locations })
    }

    /// Ends the incidents of the deployments that failed since the last one that was good.
    pub(super) fn tell_recovery(&self, telling: &Telling, tale: &mut Tale<'_>, before: &History) {
        let failed = before.deployments.iter().rev().take_while(|d| d.phase != Phase::Verified);
        let open: Vec<&Deployment> =
            failed.filter(|d| d.mutated && d.reason.is_some()).take(ENDED).collect();
        for deployment in open {
            let target = deployment.rolled_back_to.as_ref();
            let recovery = Recovery {
                key: self.key(tale.session, &deployment.release, target, &deployment.id),
                when: clock::rfc3339(clock::wall()),
                version: Some(tale.driven.begun.release.version.clone()),
                note: Some(format!(
                    "{} was deployed and verified",
                    tale.driven.begun.release.version
                )),
                run_url: run_url(tale.session),
            };
            if tells(tale.session) {
                let from = tale.session.elapsed();
                let told = channels::resolve_all(tale.session, telling, &recovery);
                said(&mut tale.story, from, &told);
            }
            if leaves(tale.session) {
                let session = tale.session;
                tale.news.recoveries.push(recovery.map_texts(|text| session.masked(text)));
            }
        }
    }

    /// Keeps the last lines that the failed release wrote; where, if that could be done.
    fn keep(&self, tale: &Tale<'_>) -> Option<String> {
        if tale.diagnostics.is_empty() {
            return None;
        }
        let name = format!("{}.log", tale.driven.begun.deployment);
        let file = self.state.folder(&self.scope).join("incidents").join(name);
        let text = tale.session.masked(&(tale.diagnostics.join("\n") + "\n"));
        // An incident without its log is better than none.
        files::replace(&file, text.as_bytes()).ok().map(|()| file.display().to_string())
    }
}

/// Whether people are told from here: as ever, or by a file on the host.
fn tells(session: &Session) -> bool {
    session.caller().is_none_or(|caller| caller.files_incidents)
}

/// Whether something is left to be told by a caller elsewhere.
fn leaves(session: &Session) -> bool {
    session.caller().is_some_and(|caller| caller.tells)
}

/// Tells what a host left to be told; gives where it can be read.
pub(crate) fn tell_news(story: &mut Story<'_>, telling: &Telling, news: &News) -> Vec<String> {
    let session = story.session;
    let mut locations = Vec::new();
    for incident in &news.incidents {
        let from = session.elapsed();
        let told = channels::tell_all(session, telling, incident);
        locations.extend(said(story, from, &told));
    }
    for recovery in &news.recoveries {
        let from = session.elapsed();
        let told = channels::resolve_all(session, telling, recovery);
        said(story, from, &told);
    }
    locations
}

/// Says what became of the channels; gives where the incident can be read.
fn said(story: &mut Story<'_>, from: std::time::Duration, told: &[Told]) -> Vec<String> {
    let mut locations = Vec::new();
    for outcome in told {
        let (verdict, text) = match &outcome.result {
            Ok(told) if told.location.is_empty() => continue,
            Ok(told) => {
                locations.push(told.location.clone());
                (Verdict::Pass, told.location.clone())
            }
            Err(why) => (Verdict::Error, why.clone()),
        };
        story.step("notify", from, verdict, format!("{}: {text}", outcome.channel));
    }
    locations
}

fn run_url(session: &Session) -> Option<String> {
    Some(session.by()).filter(|who| who.starts_with("http"))
}
