//! `waveoff recover`: finish the story of deployments whose engine was killed.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::engine::{Commission, Engine, Task, end_of};
use super::site::{Site, SiteArgs};
use super::{Output, Session, Verb, ending, fleet, follow, transact};
use crate::config::pipeline::LedgerSpec;
use crate::config::values::Period;
use crate::decide::history::History;
use crate::decide::verdict::Verdict;
use crate::deploy::commands::{Commands, end_orphan};
use crate::deploy::lock::{self, Held};
use crate::deploy::runs::{self, End, Run};
use crate::deploy::{Scope, State, slots};
use crate::exit::{Fault, classify};
use crate::host::{detach, files};
use crate::platforms;
use crate::report::v1::Report;

/// Arguments of `recover`.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
pub struct Recover {
    /// How long to wait in line for a deployment that is on its way [default: 1h]
    #[arg(long, value_name = "DURATION")]
    queue: Option<Period>,
    #[command(flatten)]
    pub(super) site: SiteArgs,
    /// What is asked of a deployment over several hosts.
    #[arg(skip)]
    #[serde(default)]
    fleet: Option<fleet::Question>,
}

impl Verb for Recover {
    const NAME: &'static str = "recover";
    const ABOUT: &'static str = "Finish deployments that were interrupted: all old or all new";
    const OUTPUTS: &'static [Output] = ending::OUTPUTS;
    const BEGINS: bool = true;
    const EXAMPLES: &'static str = "\
Examples:
  waveoff recover                                # the service of waveoff.yml
  waveoff recover --state /var/lib/waveoff       # every service there, as after a reboot

";

    fn run(self, session: &Session) -> anyhow::Result<Report> {
        match self.fleet.clone() {
            Some(question) => {
                let queue = self.queue.map(|queue| queue.0);
                question.answer(&self.site.clone(), queue, session, || self.recover(session))
            }
            None => self.recover(session),
        }
    }
}

/// The last run whose engine lives: it may be cancelled, or have lost its caller, and ends by itself.
fn on_its_way(scope: &Scope, state: &State) -> anyhow::Result<Option<Run>> {
    // One that has said how it ended is only about to go.
    let is_at_it = |run: &Run| run.end().is_none() && run.engine().is_some();
    Ok(runs::all(scope, state)?.into_iter().rfind(is_at_it))
}

impl Recover {
    fn recover(self, session: &Session) -> anyhow::Result<Report> {
        let Some(loaded) = session.config()? else { return self.everywhere(session) };
        let (scope, state) = self.site.place(Some(&loaded.config))?;
        let on_its_way = on_its_way(&scope, &state)?;
        if on_its_way.is_none() && !needs(&scope, &state)? {
            return Ok(nothing(session, &scope));
        }
        if let Some(run) = &on_its_way {
            session.say(&format!("          | run {} is on its way: it is waited for", run.id));
        }
        let queue = self.queue.map(|queue| queue.0);
        let report = follow::perform(session, &self.site.clone(), Task::Recover(self), queue)?;
        match on_its_way {
            Some(run) if report.deployment.is_none() => follow::ended(session, &run, report),
            _ => Ok(report),
        }
    }

    /// Of a service.
    pub(super) fn of(site: SiteArgs) -> Self {
        Self { queue: None, site, fleet: None }
    }

    /// Every service and environment of a state folder, each by the configuration that its
    /// interrupted run was given.
    fn everywhere(&self, session: &Session) -> anyhow::Result<Report> {
        let state = State::named(self.site.state.as_deref())?;
        let mut reports = Vec::new();
        let scopes = runs::scopes(state.root()).map_err(|error| {
            Fault::error(format!("cannot list {}: {error}", state.root().display()))
        })?;
        for scope in scopes.iter().filter(|scope| needs(scope, &state).unwrap_or(true)) {
            session.say(&format!("          | {scope}"));
            // One that cannot be finished keeps no other from being finished.
            let report = self.finish(session, scope, &state).unwrap_or_else(|error| {
                let (exit, hint) = classify(&error);
                let mut report = session.report(Verdict::Error, format!("{scope}: {error:#}"));
                report.exit_code = exit.code();
                report.next = hint.map(str::to_owned);
                report
            });
            session.say(&format!("          | {}", report.summary));
            reports.push(report);
        }
        let worst = reports.into_iter().max_by_key(|report| report.exit_code);
        Ok(worst.unwrap_or_else(|| {
            let summary = format!("{}: nothing was interrupted", state.root().display());
            session.report(Verdict::Pass, summary)
        }))
    }

    fn finish(&self, session: &Session, scope: &Scope, state: &State) -> anyhow::Result<Report> {
        let last = runs::unfinished(scope, state)?.pop();
        let last = last.or(runs::all(scope, state)?.pop());
        let Some(run) = last else { return Ok(nothing(session, scope)) };
        let commission = Commission::of(&run)?;
        let site = commission.task.site().in_state(state)?;
        let task = Task::Recover(Self { site, queue: self.queue, fleet: None });
        follow::recover(session, Commission { task, ..commission }, scope, state)
    }

    /// Nothing was left by the time the lock was had.
    pub(super) fn perform(&self, engine: &Engine<'_>) -> anyhow::Result<Report> {
        retire(engine)?;
        Ok(nothing(engine.session, &engine.site.scope))
    }
}

/// Whether there may be something to finish.
fn needs(scope: &Scope, state: &State) -> anyhow::Result<bool> {
    let expired = slots::expired(scope, state).is_ok_and(|expired| expired.is_empty());
    let clean = runs::leftovers(scope, state).is_ok_and(|left| left.is_empty())
        && !lock::is_littered(scope, state)?
        && !platforms::is_littered(&state.folder(scope))
        && runs::abandoned(scope, state)?.is_empty();
    Ok(!runs::unfinished(scope, state)?.is_empty() || !expired || !clean)
}

fn nothing(session: &Session, scope: &Scope) -> Report {
    let summary = format!("{scope}: nothing was interrupted; there was nothing to do");
    let mut report = session.report(Verdict::Pass, summary);
    report.service = Some(scope.service.to_string());
    report.environment = Some(scope.environment.to_string());
    report
}

/// Finishes what other engines left, and gives a report of each.
pub(super) fn unfinished(
    session: &Session,
    site: &Site,
    held: &Held,
) -> anyhow::Result<Vec<Report>> {
    // They are nobody's, and never read: what cannot be removed now is removed another time.
    for file in runs::leftovers(&site.scope, &site.state).unwrap_or_default() {
        files::remove(file).unwrap_or_default();
    }
    platforms::sweep(&site.state.folder(&site.scope)).unwrap_or_default();
    for run in runs::abandoned(&site.scope, &site.state)? {
        bury(session, &run)?;
    }
    let mut reports = Vec::new();
    for run in runs::unfinished(&site.scope, &site.state)? {
        reports.extend(finish(session, site, held, &run)?);
    }
    Ok(reports)
}

/// Ends a run that never began anything: the command that it had running goes, and so do the secrets
/// that it was given.
fn bury(session: &Session, run: &Run) -> anyhow::Result<()> {
    let commission = Commission::of(run);
    orphaned(session, run)?;
    let why = Fault::error(format!("{}; nothing had begun", follow::died(run))).hint("try again");
    let why = why.untouched();
    run.ended(&end_of(session, Err(why.into())))?;
    // What cannot be read can tell nobody anything.
    if let Ok(commission) = commission {
        commission.forget(run);
    }
    Ok(())
}

/// Ends the command that a dead engine had running.
fn orphaned(session: &Session, run: &Run) -> anyhow::Result<()> {
    let orphan = end_orphan(&run.command()).map_err(|error| {
        Fault::error(format!("the command that run {} left behind: {error}", run.id))
            .hint("end it by hand, and try again; nothing was touched")
    })?;
    if let Some(pid) = orphan {
        session
            .say(&format!("          | the command that it left behind was ended: process {pid}"));
    }
    Ok(())
}

/// Finishes one run, with the configuration that it was begun with.
fn finish(session: &Session, own: &Site, held: &Held, run: &Run) -> anyhow::Result<Option<Report>> {
    let commission = Commission::of(run)?;
    // It was found in this state folder, whatever its caller's home was.
    let place = commission.task.site().in_state(&own.state)?;
    session
        .say(&format!("          | run {} was interrupted: its story is finished first", run.id));
    let here = detach::folder()?;
    // Where it is gone, commands with paths of their own still work.
    detach::enter(&commission.folder).unwrap_or_default();
    let report = in_its_place(session, &place, held, run, &commission);
    commission.forget(run);
    detach::enter(&here)?;
    report
}

fn in_its_place(
    session: &Session,
    place: &SiteArgs,
    held: &Held,
    run: &Run,
    commission: &Commission,
) -> anyhow::Result<Option<Report>> {
    orphaned(session, run)?;
    let site = place.of(commission.loaded()?)?;
    let telling = site.telling(session)?;
    // A damaged ledger stops everything; one that is far away and silent does not keep what is half
    // done from its end.
    let before = match (site.history(), &site.loaded.config.ledger) {
        (Err(_), Some(LedgerSpec::Github)) => History::default(),
        (history, _) => history?,
    };
    let reason = "the engine was ended before it was done".to_owned();
    let Some(tale) = transact::resume(session, &site, held, run, &reason)? else {
        return Ok(None);
    };
    let report = transact::conclude(&site, &telling, &before, tale);
    let masked = session.masked_report(&report)?;
    run.ended(&End { report: masked, error: None })?;
    Ok(Some(report))
}

/// Stops old releases whose time in their slot is over, unless they serve.
pub(super) fn retire(engine: &Engine<'_>) -> anyhow::Result<()> {
    let Site { scope, state, parts, .. } = engine.site;
    let Ok(expired) = slots::expired(scope, state) else { return Ok(()) };
    let commands = Commands::new(engine.session, engine.run.command());
    for (name, release) in expired {
        let Some(slot) = parts.slot(&name) else { continue };
        let active = parts.active(&commands).map_err(|trouble| Fault::error(trouble.reason))?;
        if active == Some(slot) {
            // It got the traffic back past us: whoever serves is not kept, but needed.
            if let Err(why) = slots::serves(scope, state, slot) {
                engine.session.say(&format!("          | {why}"));
            }
            continue;
        }
        if active.is_none() {
            let text = "its time is over, and it is left alone: the traffic goes to no slot alone";
            engine.session.say(&format!("          | {} in {name}: {text}", release.version));
            continue;
        }
        engine.held.check()?;
        for (_, platform) in parts.at(Some(slot)) {
            platform.stop(&commands).map_err(|trouble| Fault::error(trouble.reason))?;
        }
        slots::cleared(scope, state, slot).map_err(Fault::error)?;
        let line =
            format!("          | {} was stopped in {name}: its time was over", release.version);
        engine.session.say(&line);
    }
    Ok(())
}
