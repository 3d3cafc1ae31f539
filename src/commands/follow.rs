//! Starts an engine and goes with it: its lines are shown, a cancellation is passed on, and when
//! it is killed, another one finishes its story.

use std::time::Duration;

use super::Session;
use super::engine::{self, Commission, Task};
use super::recover::Recover;
use super::site::SiteArgs;
use crate::deploy::runs::{self, End, Run};
use crate::deploy::{Scope, State};
use crate::exit::{Fault, classify};
use crate::host::detach::{self, Engine};
use crate::host::files;
use crate::host::signals::Cancel;
use crate::report::v1::Report;

/// How often an engine is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a later deployment waits in line when nobody says how long.
pub(super) const QUEUE: Duration = Duration::from_secs(3600);

/// How it was gone with.
enum Went {
    /// To its end.
    Ended(Box<End>),
    /// It is gone, and left no word.
    Died,
    /// We leave, and it goes on.
    Left(&'static str),
}

/// Has an engine do the task, and goes with it to its end.
pub(super) fn perform(
    session: &Session,
    site: &SiteArgs,
    task: Task,
    queue: Option<Duration>,
) -> anyhow::Result<Report> {
    let queue = queue.unwrap_or(QUEUE);
    let (mut commission, scope, state) = engine::commission(session, site, task, queue)?;
    if let Some(caller) = session.caller() {
        // Whoever calls again after the connection was lost finds it by this id.
        commission.run.clone_from(&caller.run);
    }
    let (run, went) = start(session, &commission, &scope, &state)?;
    went_with(session, site, &run, went)
}

/// Goes with a run of this caller again, from where it was left: with the `last` one, which may be
/// another that finishes the story of his `own`.
pub(super) fn rejoin(
    session: &Session,
    site: &SiteArgs,
    own: &Run,
    last: &Run,
) -> anyhow::Result<Report> {
    session.begins(last)?;
    let went = follow(session, last, None, true)?;
    match went {
        Went::Ended(end) if last != own => finished(session, own, &died(own), last, *end),
        Went::Died if last != own => finish(session, site, own, &died(own)),
        went => went_with(session, site, last, went),
    }
}

fn went_with(session: &Session, site: &SiteArgs, run: &Run, went: Went) -> anyhow::Result<Report> {
    match went {
        Went::Ended(end) => conclude(session, run, *end),
        Went::Left(signal) => Err(left(run, signal).into()),
        Went::Died => {
            let why = died(run);
            session.say(&format!("          | {why}; another engine finishes its story"));
            finish(session, site, run, &why)
        }
    }
}

/// Lets another engine finish what a dead one left.
fn finish(session: &Session, site: &SiteArgs, dead: &Run, why: &str) -> anyhow::Result<Report> {
    let task = Task::Recover(Recover::of(site.clone()));
    // What was asked for has been ended: what comes now must not be.
    let (commission, scope, state) = engine::commission(session, site, task, QUEUE)?;
    match start(session, &commission, &scope, &state)? {
        (run, Went::Ended(end)) => finished(session, dead, why, &run, *end),
        (run, Went::Left(signal)) => Err(left(&run, signal).into()),
        (_, Went::Died) => Err(Fault::error(format!("{why}, and so did the one after it"))
            .hint("finish it with `waveoff recover`")
            .into()),
    }
}

/// How a dead run ended, when another one has been through with its story: as it was told of itself, and
/// never as that other one, whose success says nothing of what was asked for.
fn finished(
    session: &Session,
    dead: &Run,
    why: &str,
    run: &Run,
    end: End,
) -> anyhow::Result<Report> {
    if let Some(end) = dead.end() {
        return conclude(session, dead, end);
    }
    let (said, next) = match conclude(session, run, end) {
        Ok(report) => (report.summary, report.next),
        // That it began nothing itself says nothing of what the dead one began.
        Err(error) => {
            let (_, hint) = classify(&error);
            (
                format!("{error:#}"),
                Some(hint.unwrap_or("finish it with `waveoff recover`").to_owned()),
            )
        }
    };
    let next = next.unwrap_or_else(|| "nothing is half done; try again".into());
    Err(Fault::error(format!("{why}; {said}")).hint(next).into())
}

/// Has an engine do what an earlier commission says, as one that finishes it.
pub(super) fn recover(
    session: &Session,
    commission: Commission,
    scope: &Scope,
    state: &State,
) -> anyhow::Result<Report> {
    let commission = Commission { run: crate::deploy::new_id(), ..commission };
    match start(session, &commission, scope, state)? {
        (run, Went::Ended(end)) => conclude(session, &run, *end),
        (run, Went::Left(signal)) => Err(left(&run, signal).into()),
        (run, Went::Died) => {
            Err(Fault::error(died(&run)).hint("try again with `waveoff recover`").into())
        }
    }
}

fn start(
    session: &Session,
    commission: &Commission,
    scope: &Scope,
    state: &State,
) -> anyhow::Result<(Run, Went)> {
    let run = runs::of(scope, state, &commission.run);
    let wrong = |error: std::io::Error| {
        Fault::error(format!("cannot start a run in {}: {error}", run.folder.display()))
            .hint("is the state folder writable, and is there space left?")
    };
    let errors = files::open_log(run.errors()).map_err(wrong)?;
    session.begins(&run)?;
    let input = serde_json::to_vec(commission)?;
    let mut engine = Engine::start(engine::WORD, &input, &errors).map_err(wrong)?;
    let went = follow(session, &run, Some(&mut engine), true)?;
    Ok((run, went))
}

/// Goes with a run that is on its way already; a signal ends the going, not the run.
pub(super) fn attach(session: &Session, run: &Run) -> anyhow::Result<Report> {
    session.joins(run);
    match follow(session, run, None, false)? {
        Went::Ended(end) => conclude(session, run, *end),
        Went::Left(signal) => Err(left(run, signal).into()),
        Went::Died => Err(Fault::error(died(run)).hint("finish it with `waveoff recover`").into()),
    }
}

fn follow(
    session: &Session,
    run: &Run,
    mut engine: Option<&mut Engine>,
    passes_on: bool,
) -> anyhow::Result<Went> {
    let mut output = Output::of(run, session.seen(run));
    let (mut asked, nobody) = (false, Cancel::default());
    // However often it is asked to end: it goes along until the engine has.
    session.cancel.stay();
    loop {
        // In this order: what was written before the end is shown before it.
        let end = run.end();
        let gone = match &mut engine {
            // One that came second leaves the run to the first one.
            Some(engine) => engine.has_ended()? && run.engine().is_none(),
            None => run.engine().is_none(),
        };
        output.show(session)?;
        if let Some(end) = end {
            return Ok(Went::Ended(Box::new(end)));
        }
        if gone {
            return Ok(match run.end() {
                Some(end) => {
                    output.show(session)?;
                    Went::Ended(Box::new(end))
                }
                None => Went::Died,
            });
        }
        match session.cancel.reason() {
            Some(signal) if !passes_on || signal == "SIGHUP" => return Ok(Went::Left(signal)),
            Some(signal) if !asked => {
                asked = run.engine().is_some_and(|engine| detach::signal(engine, signal));
                nobody.sleep(TICK);
            }
            Some(_) => {
                nobody.sleep(TICK);
            }
            None => {
                session.cancel.sleep(TICK);
            }
        }
    }
}

/// The lines of a run, as they come.
struct Output {
    file: std::path::PathBuf,
    offset: u64,
    pending: Vec<u8>,
}

impl Output {
    fn of(run: &Run, offset: u64) -> Self {
        Self { file: run.output(), offset, pending: Vec::new() }
    }

    fn show(&mut self, session: &Session) -> anyhow::Result<()> {
        loop {
            let bytes = files::read_from(&self.file, self.offset)?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.offset += bytes.len() as u64;
            self.pending.extend(bytes);
            let Some(end) = self.pending.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = self.pending.split_off(end + 1);
            let whole = std::mem::replace(&mut self.pending, rest);
            let mut at = self.offset - (whole.len() + self.pending.len()) as u64;
            for line in whole.split_inclusive(|byte| *byte == b'\n') {
                at += line.len() as u64;
                session.relay(String::from_utf8_lossy(line).trim_end_matches('\n'), at);
            }
        }
    }
}

/// How a run ended that was waited for; `otherwise` when that was no deployment.
pub(super) fn ended(session: &Session, run: &Run, otherwise: Report) -> anyhow::Result<Report> {
    match run.end() {
        Some(end) if end.error.is_none() && end.report.deployment.is_some() => {
            conclude(session, run, end)
        }
        _ => Ok(otherwise),
    }
}

fn conclude(session: &Session, run: &Run, end: End) -> anyhow::Result<Report> {
    if let Some(wrong) = end.error {
        return Err(wrong.fault().into());
    }
    let mut report = end.report;
    if let Some(file) = report.outputs.get_mut("report-file") {
        session.report_file().unwrap_or_default().clone_into(file);
    }
    if report.outputs.contains_key("run") {
        report.outputs.insert("run".into(), run.id.clone());
    }
    Ok(report)
}

/// That an engine was ended, and what it said when it broke.
pub(super) fn died(run: &Run) -> String {
    let said = files::read_text(run.errors()).unwrap_or_default();
    let said = said.lines().next().map(|line| format!(" ({line})")).unwrap_or_default();
    format!("the engine of run {} was ended{said}", run.id)
}

fn left(run: &Run, signal: &str) -> Fault {
    Fault::error(format!("left by {signal}; the engine goes on with run {}", run.id))
        .hint(format!("see how it ends with `waveoff attach --run {}`", run.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::verdict::Verdict;
    use crate::exit::{Exit, is_untouched};

    #[test]
    fn d7_d11_what_finishes_a_dead_run_never_speaks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (scope, state) = (Scope::new("shop", "production").unwrap(), State::at(folder.path()));
        let [dead, other] = ["r", "s"].map(|id| runs::of(&scope, &state, id));
        let session = Session::silent();
        let error = |end: End| {
            let error = finished(&session, &dead, "it was ended", &other, end).unwrap_err();
            assert!(!is_untouched(&error) && classify(&error).0 == Exit::Error, "{error:#}");
            format!("{error:#}")
        };
        let pass = End { report: session.report(Verdict::Pass, "all is well"), error: None };
        assert_eq!(error(pass.clone()), "it was ended; all is well");
        let refused = anyhow::Error::from(Fault::usage("it waited too long").untouched());
        assert_eq!(
            error(engine::end_of(&session, Err(refused))),
            "it was ended; it waited too long"
        );
        // What it was told itself counts.
        let fault = Fault::error("nothing had begun").untouched();
        dead.ended(&engine::end_of(&session, Err(fault.into()))).unwrap();
        let own = finished(&session, &dead, "it was ended", &other, pass).unwrap_err();
        assert!(is_untouched(&own), "{own:#}");
    }
}
