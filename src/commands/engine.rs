//! The engine: the process that does what a verb was asked for, and goes on when its caller is
//! gone. It is this very program, started with `engine` and a commission on standard input.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Session;
use super::deploy::Deploy;
use super::detached::{Detached, Says};
use super::recover::{self, Recover};
use super::rollback::Rollback;
use super::session::complain;
use super::site::{Site, SiteArgs};
use crate::checks::Asker;
use crate::config::{self, Loaded};
use crate::decide::history::Release;
use crate::decide::journal::Begun;
use crate::decide::plan::Direction;
use crate::decide::verdict::Verdict;
use crate::deploy::commands::Commands;
use crate::deploy::lock::{self, Claim, Held};
use crate::deploy::runs::{self, End, Run, Wrong};
use crate::deploy::{Scope, State, drive, setup};
use crate::exit::{self, Exit, Fault};
use crate::host::signals::Cancel;
use crate::host::{detach, env, files};
use crate::remote::words::Caller;
use crate::remote::{Asking, uploads};
use crate::report::v1::Report;

/// The word that makes this program an engine.
pub(super) const WORD: &str = "engine";

/// What an engine is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Commission {
    /// What to do.
    pub(super) task: Task,
    /// The run's id.
    pub(super) run: String,
    /// The name of the configuration's file.
    pub(super) file: String,
    /// The configuration as it is written: `${NAME}` is replaced from the engine's environment.
    pub(super) text: String,
    /// Where to be.
    pub(super) folder: String,
    /// On whose behalf.
    pub(super) by: String,
    /// How long to wait in line.
    pub(super) queue_ms: u64,
    /// Who called from elsewhere, with the variables that the configuration needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<Caller>,
}

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Task {
    /// Deploy a release.
    Deploy(Box<Deploy>),
    /// Bring one back.
    Rollback(Box<Rollback>),
    /// Finish what others left.
    Recover(Recover),
}

/// What a task works with: the right to change things, and a place of its own.
pub(super) struct Engine<'a> {
    pub(super) session: &'a Session,
    pub(super) site: &'a Site,
    pub(super) held: &'a Held,
    pub(super) run: &'a Run,
    pub(super) by: &'a str,
}

impl Engine<'_> {
    /// Makes a release ready, while nothing is changed yet: gives it with its digests.
    pub(super) fn prepare(
        &self,
        release: &Release,
        direction: Direction,
    ) -> anyhow::Result<Release> {
        let commands = Commands::new(self.session, self.run.command());
        self.site.parts.prepare(release, direction, &commands).map_err(|trouble| {
            let said = trouble.evidence.map(|response| response.body).unwrap_or_default();
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            let last = last.map(|line| format!(": {}", line.trim())).unwrap_or_default();
            let text = format!("{} cannot be had: {}{last}", release.version, trouble.reason);
            let fault = match trouble.is_mistake {
                true => Fault::usage(text),
                false => Fault::error(text),
            };
            fault.hint("nothing was touched").into()
        })
    }

    /// Makes ready what a plan would start on the way back; `force` lets it be missing.
    pub(super) fn prepare_way_back(&self, begun: &Begun, force: bool) -> anyhow::Result<()> {
        let mut known: Vec<&Release> = Vec::new();
        for release in begun.plan.brought_back() {
            if known.contains(&release) {
                continue;
            }
            known.push(release);
            if let Err(error) = self.prepare(release, Direction::Back)
                && !force
            {
                let text = format!("there would be no way back: {error:#}");
                return Err(Fault::error(text)
                    .hint("nothing was touched; bring its artifacts back, or deploy with --force")
                    .into());
            }
        }
        Ok(())
    }
}

impl Task {
    fn name(&self) -> &'static str {
        match self {
            Task::Deploy(_) => "deploy",
            Task::Rollback(_) => "rollback",
            Task::Recover(_) => "recover",
        }
    }

    fn doing(&self) -> String {
        match self {
            Task::Deploy(deploy) => deploy.doing(),
            Task::Rollback(rollback) => rollback.doing(),
            Task::Recover(_) => "recover".into(),
        }
    }

    pub(super) fn site(&self) -> &SiteArgs {
        match self {
            Task::Deploy(deploy) => &deploy.site,
            Task::Rollback(rollback) => &rollback.site,
            Task::Recover(recover) => &recover.site,
        }
    }

    fn perform(&self, engine: &Engine<'_>) -> anyhow::Result<Report> {
        match self {
            Task::Deploy(deploy) => deploy.perform(engine),
            Task::Rollback(rollback) => rollback.perform(engine),
            Task::Recover(recover) => recover.perform(engine),
        }
    }
}

impl Commission {
    /// Reads the commission of a run.
    pub(super) fn of(run: &Run) -> anyhow::Result<Self> {
        let file = run.commission();
        let wrong = |why: String| {
            Fault::error(format!("cannot read {}: {why}", file.display()))
                .hint("without it nobody knows how that run's releases are started")
        };
        let text = files::read_text(&file).map_err(|error| wrong(error.to_string()))?;
        Ok(serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?)
    }

    /// Goes to where it is to be done. A recovery goes on where that is gone, as a runner's work
    /// folder is after its job: commands with paths of their own still work.
    fn enter(&self) -> anyhow::Result<()> {
        match (detach::enter(&self.folder), &self.task) {
            (Err(error), Task::Deploy(_) | Task::Rollback(_)) => {
                let folder = &self.folder;
                Err(Fault::error(format!("cannot go to the folder {folder}: {error}")).into())
            }
            _ => Ok(()),
        }
    }

    /// The configuration that it was given for, with its caller's variables, else with this process's
    /// environment.
    pub(super) fn loaded(&self) -> anyhow::Result<Loaded> {
        match &self.caller {
            Some(caller) => caller.read(&self.file, &self.text),
            None => config::parse(&self.file, &self.text, env::var),
        }
    }

    /// Keeps no secrets of a run that is over.
    pub(super) fn forget(mut self, run: &Run) {
        let is_over =
            run.transaction().is_ok_and(|begun| begun.is_none_or(|begun| begun.is_over()));
        let Some(caller) = self.caller.as_mut().filter(|_| is_over) else { return };
        caller.variables = caller.variables.forgotten();
        // What cannot be written now stays where only its owner can read it.
        if let Ok(text) = serde_json::to_string(&self) {
            files::replace_private(run.commission(), text.as_bytes()).unwrap_or_default();
        }
    }
}

/// Runs the engine.
pub(super) fn main() -> ExitCode {
    let begun = detach::input().map_err(anyhow::Error::from).and_then(|text| {
        let commission: Commission = serde_json::from_str(&text)?;
        detach::own_session()?;
        commission.enter()?;
        let loaded = commission.loaded()?;
        let (scope, state) = commission.task.site().place(Some(&loaded.config))?;
        let run = runs::of(&scope, &state, &commission.run);
        let engaged = run.engage()?;
        // Who called may have lost the connection and called again: only one of us begins.
        if files::exists(run.commission()) {
            return Err(Fault::error("this run was begun already").into());
        }
        files::replace_private(run.commission(), text.as_bytes())?;
        let log = files::open_log(run.output())?;
        let caller = commission.caller.clone();
        let within = setup::deploy_within(&loaded.transaction()?);
        let asker = caller.as_ref().map(|_| Box::new(Asking::of(&run, within)) as Box<dyn Asker>);
        let (says, own) = (Says::Log(Mutex::new(log)), loaded.clone());
        let session = Session::plain(commission.task.name())?;
        let session = session.detach(Detached { says, loaded: own, caller, asker });
        anyhow::Ok((commission, loaded, scope, state, run, engaged, session))
    });
    let (commission, loaded, scope, state, run, engaged, session) = match begun {
        Ok(begun) => begun,
        Err(error) => return complain("waveoff", &error).into(),
    };
    // From here on a second signal does not end it either: there is an orderly way out.
    session.cancel.stay();
    let result = work(&session, &commission, loaded, &run).map_err(|error| {
        // What is not in the journal is not begun.
        if matches!(run.transaction(), Ok(None)) { exit::untouched(&error) } else { error }
    });
    let end = end_of(&session, result);
    runs::prune(&scope, &state);
    uploads::prune(&scope, &state);
    let told = run.ended(&end);
    commission.forget(&run);
    drop(engaged);
    match told {
        Ok(()) => Exit::Pass.into(),
        Err(error) => complain("waveoff", &error).into(),
    }
}

pub(super) fn end_of(session: &Session, result: anyhow::Result<Report>) -> End {
    let error = result.as_ref().err().map(Wrong::of);
    let report = result.unwrap_or_else(|error| {
        let mut report = session.report(Verdict::Error, format!("{error:#}"));
        report.exit_code = crate::exit::classify(&error).0.code();
        report
    });
    let error = error.map(|wrong| Wrong { message: session.masked(&wrong.message), ..wrong });
    let report = session.masked_report(&report).unwrap_or(report);
    End { report, error }
}

/// Waits in line, finishes what others left, and does what was asked.
fn work(
    session: &Session,
    commission: &Commission,
    loaded: Loaded,
    run: &Run,
) -> anyhow::Result<Report> {
    let site = commission.task.site().of(loaded)?;
    let within = setup::deploy_within(&site.spec);
    let claim = Claim {
        run: run.id.clone(),
        doing: commission.task.doing(),
        by: commission.by.clone(),
        deadline: setup::patience(&site.spec),
    };
    let limit = Duration::from_millis(commission.queue_ms);
    let Site { scope, state, .. } = &site;
    let held = lock::wait_in_line(scope, state, claim, limit, &session.cancel, |waiting| {
        session.say(&format!("          | {waiting}"));
    })?;
    let recovered = recover::unfinished(session, &site, &held)?;
    let engine = Engine { session, site: &site, held: &held, run, by: &commission.by };
    // Finishing that was not to be interrupted; what was asked for is.
    session.cancel.stay();
    if let Some(lost) = recovered.iter().find(|r| r.exit_code == Exit::RollbackFailed.code()) {
        return Ok(lost.clone());
    }
    if let (Task::Recover(_), Some(last)) = (&commission.task, recovered.last()) {
        recover::retire(&engine)?;
        return Ok(last.clone());
    }
    // Somebody who wants to go back from an interrupted deployment has got that.
    if let (Task::Rollback(rollback), Some(last)) = (&commission.task, recovered.last())
        && rollback.is_answered_by(last)
    {
        let (verdict, exit_code) = (Verdict::Pass, Exit::Pass.code());
        return Ok(Report { verdict, exit_code, ..last.clone() });
    }
    end_in_time(session, within);
    commission.task.perform(&engine)
}

/// Asks the deployment to stop when its time is over.
fn end_in_time(session: &Session, within: Duration) {
    let cancel = session.cancel.clone();
    std::thread::spawn(move || {
        Cancel::default().sleep(within);
        cancel.set(drive::DEADLINE);
    });
}

/// Where a run of a verb goes, and under which name.
pub(super) fn commission(
    session: &Session,
    site: &SiteArgs,
    task: Task,
    queue: Duration,
) -> anyhow::Result<(Commission, Scope, State)> {
    let loaded = session.needed_config()?;
    let (scope, state) = site.place(Some(&loaded.config))?;
    let folder = detach::folder()
        .map_err(|error| Fault::error(format!("the working folder cannot be had: {error}")))?;
    let commission = Commission {
        task,
        run: crate::deploy::new_id(),
        file: loaded.file,
        text: loaded.text,
        folder,
        by: session.by(),
        queue_ms: queue.as_millis() as u64,
        caller: session.caller().cloned(),
    };
    Ok((commission, scope, state))
}
