//! One transaction, from its plan to the report of its end.

use std::path::PathBuf;

use super::engine::Engine;
use super::site::Site;
use super::{Session, ending};
use crate::channels::Telling;
use crate::decide::history::History;
use crate::decide::journal::{Begun, Keeping, Way};
use crate::decide::transaction::Outcome;
use crate::decide::verdict::Verdict;
use crate::deploy::capture;
use crate::deploy::commands::Commands;
use crate::deploy::critical::{self, Critical};
use crate::deploy::drive::{Drive, Driven};
use crate::deploy::hands::Hands;
use crate::deploy::journal::Journal;
use crate::deploy::lock::Held;
use crate::deploy::runs::Run;
use crate::deploy::story::Story;
use crate::host::clock;
use crate::remote::news;
use crate::remote::words::News;
use crate::report::v1::{Check, Report};

/// A transaction that is over, with all that is told of it.
pub(super) struct Tale<'a> {
    pub(super) session: &'a Session,
    pub(super) driven: Driven,
    pub(super) story: Story<'a>,
    pub(super) checks: Vec<Check>,
    pub(super) diagnostics: Vec<String>,
    pub(super) forensics: Option<String>,
    /// The folder of the run that it is the story of.
    pub(super) run: PathBuf,
    /// What a caller elsewhere is to tell.
    pub(super) news: News,
}

/// What drives a run.
fn drive<'a>(
    session: &'a Session,
    site: &'a Site,
    held: &'a Held,
    run: &Run,
    journal: Journal,
) -> Drive<'a> {
    let hands = Hands {
        session,
        loaded: &site.loaded,
        spec: &site.spec,
        scope: &site.scope,
        state: &site.state,
        parts: &site.parts,
        commands: Commands::new(session, run.command()),
        run: run.folder.clone(),
        checks: Vec::new(),
        diagnostics: Vec::new(),
        keeping: Keeping::default(),
        forensics: None,
        deployment: String::new(),
    };
    let story = Story::new(session);
    Drive { session, ledger: site.ledger.as_ref(), journal, held, hands, story }
}

fn tale<'a>(drive: Drive<'a>, driven: Driven) -> Tale<'a> {
    let Drive { session, hands, story, .. } = drive;
    let Hands { checks, diagnostics, forensics, run, .. } = hands;
    let news = News::default();
    Tale { session, driven, story, checks, diagnostics, forensics, run, news }
}

/// Does what was planned.
pub(super) fn begin<'a>(
    engine: &Engine<'a>,
    history: &History,
    begun: Begun,
) -> anyhow::Result<Tale<'a>> {
    let journal = Journal::open(&engine.run.folder)?;
    let mut drive = drive(engine.session, engine.site, engine.held, engine.run, journal);
    if begun.way == Way::Deploy {
        capture_before(engine, history, &begun, &mut drive.story);
    }
    let reason = engine.session.masked(&begun.reason);
    let driven = drive.begin(Begun { reason, ..begun });
    Ok(tale(drive, driven))
}

/// Writes down what production is like, for a rollback to be compared with. Not to know something
/// of that is no reason not to deploy.
fn capture_before(engine: &Engine<'_>, history: &History, begun: &Begun, story: &mut Story<'_>) {
    let Engine { session, site, .. } = engine;
    let from = session.elapsed();
    let state = site.capture(session, Ok(history));
    let folder = site.state.folder(&site.scope);
    let (verdict, detail) = match capture::save(&folder, &begun.deployment, &state) {
        Ok(file) => (Verdict::Pass, format!("the state before is in {}", file.display())),
        Err(error) => (Verdict::Error, format!("the state before could not be kept: {error}")),
    };
    story.step("capture", from, verdict, detail);
}

/// Goes on with what another engine left; none when that had not begun.
pub(super) fn resume<'a>(
    session: &'a Session,
    site: &'a Site,
    held: &'a Held,
    run: &Run,
    reason: &str,
) -> anyhow::Result<Option<Tale<'a>>> {
    let journal = Journal::open(&run.folder)?;
    let mut drive = drive(session, site, held, run, journal);
    let driven = drive.resume(reason);
    Ok(driven.map(|driven| tale(drive, driven)))
}

/// Tells people how it ended, and reports it.
pub(super) fn conclude(
    site: &Site,
    telling: &Telling,
    before: &History,
    mut tale: Tale<'_>,
) -> Report {
    let way = tale.driven.begun.way;
    let by_hand = matches!(way, Way::Rollback | Way::FailedElsewhere);
    if tale.driven.left.is_some() {
        // How it ends is known to whoever goes on with it, and told by him.
        return ending::report(site, tale, by_hand, None);
    }
    // Telling takes its time, and others look meanwhile.
    mark_critical(site, &mut tale);
    let mut incident = site.tell(telling, &mut tale, by_hand);
    if way == Way::FailedElsewhere && tale.driven.mutated {
        // What failed elsewhere is told elsewhere, by this key.
        incident = incident.or_else(|| Some(site.untold(&tale)));
    }
    if tale.driven.outcome == Outcome::Verified {
        site.tell_recovery(telling, &mut tale, before);
    }
    if let Err(why) = news::leave(&tale.run, &tale.news) {
        let from = tale.session.elapsed();
        tale.story.step("notify", from, Verdict::Error, why);
    }
    ending::report(site, tale, by_hand, incident.as_ref())
}

/// A rollback that failed is marked, until a release is verified again.
fn mark_critical(site: &Site, tale: &mut Tale<'_>) {
    let from = tale.session.elapsed();
    let (scope, state) = (&site.scope, &site.state);
    let told = match &tale.driven.outcome {
        Outcome::RollbackFailed { reason, rollback } => {
            critical::mark(scope, state, critical_incident(tale, reason, rollback))
                .map(|()| Some("marked, until a release is verified again".to_owned()))
        }
        // What the ledger does not know is not verified.
        Outcome::Verified | Outcome::RolledBack(_) if tale.driven.unrecorded.is_empty() => {
            let over = |was: bool| was.then(|| "over: a release is verified again".to_owned());
            critical::clear(scope, state).map(over)
        }
        _ => Ok(None),
    };
    match told {
        Ok(None) => {}
        Ok(Some(detail)) => tale.story.step("critical", from, Verdict::Pass, detail),
        Err(why) => tale.story.step("critical", from, Verdict::Error, why),
    }
}

fn critical_incident(tale: &Tale<'_>, reason: &str, rollback: &str) -> Critical {
    let begun = &tale.driven.begun;
    let run = tale.run.display().to_string();
    Critical {
        when: clock::rfc3339(clock::wall()),
        deployment: begun.deployment.clone(),
        failed_version: begun.release.version.clone(),
        target: ending::back(begun).map(|target| target.version.clone()),
        reason: tale.session.masked(reason),
        rollback_reason: tale.session.masked(rollback),
        run: tale.run.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        forensics: tale.forensics.iter().cloned().chain([run]).collect(),
        what_to_do: ending::person_needed(begun),
        ..Critical::default()
    }
}
