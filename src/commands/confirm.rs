//! `waveoff deploy --confirm`: record a release that others deployed, on the word of a report.

use super::engine::Engine;
use super::site::{Site, live_of};
use super::{Session, ending, transact};
use crate::decide::confirmation::{Claim, refusals, saw_version};
use crate::decide::history::{History, Release};
use crate::decide::journal::{Begun, Keeping, Way};
use crate::decide::plan::Plan;
use crate::decide::rollback::{Stated, read_report};
use crate::decide::verdict::Verdict;
use crate::deploy::new_id;
use crate::deploy::story::Story;
use crate::exit::Fault;
use crate::host::files;
use crate::report::v1::Report;

/// Says what would be recorded. Nothing is.
pub(super) fn plan(
    session: &Session,
    site: &Site,
    release: &Release,
    given: Option<&str>,
) -> anyhow::Result<Report> {
    let Stated { from, report: evidence, .. } = read(given.unwrap_or_default())?;
    prove(session, site, release, &site.history()?, &from, &evidence)?;
    let story = Story::new(session);
    story.tell("confirm", &format!("{from} proves that {} is well", release.version));
    story.tell("record", &format!("that, in {}", site.ledger.describe()));
    let summary = format!("{} would be recorded as verified; nothing was changed", release.version);
    Ok(ending::nothing(session, &site.scope, release, Verdict::Pass, summary))
}

/// Refuses evidence that disagrees, while nothing was made and nobody waits in line.
pub(super) fn check(
    session: &Session,
    site: &Site,
    release: &Release,
    given: &str,
) -> anyhow::Result<()> {
    let Stated { from, report: evidence, .. } = read(given)?;
    prove(session, site, release, &site.history()?, &from, &evidence)
}

/// Records `release` as verified when the report proves it. Nothing is started.
pub(super) fn perform(
    engine: &Engine<'_>,
    release: &Release,
    given: &str,
) -> anyhow::Result<Report> {
    let Engine { session, site, .. } = engine;
    let telling = site.telling(session)?;
    let Stated { from, report: evidence, .. } = read(given)?;
    let history = site.history()?;
    prove(session, site, release, &history, &from, &evidence)?;
    if is_live(&history, release) {
        let summary = format!("{} is recorded as live and verified already", release.version);
        return Ok(ending::live_already(session, &site.scope, release, summary, evidence.checks));
    }
    let story = Story::new(session);
    let version = &release.version;
    story.tell("confirm", &format!("{}: {version} was deployed by others", site.scope));
    story.tell("confirm", &format!("{from} proves that it is well: {}", evidence.summary));
    if !saw_version(&evidence) {
        let text = "no critical check looked which version answers: that is only what was said";
        story.tell("confirm", text);
    }
    let begun = Begun {
        deployment: new_id(),
        way: Way::Confirmed,
        release: release.clone(),
        target: history.target(release).cloned(),
        live: live_of(&history),
        by: Some(engine.by.to_owned()),
        reason: String::new(),
        plan: Plan::default(),
        keeping: Keeping::default(),
    };
    let mut tale = transact::begin(engine, &history, begun)?;
    tale.checks = evidence.checks;
    Ok(transact::conclude(site, &telling, &history, tale))
}

/// The report itself, when it is in a file.
pub(super) fn inline(given: &str) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&read(given)?.report)?)
}

/// A report in a file, or the report itself.
fn read(given: &str) -> anyhow::Result<Stated> {
    let hint = "give the report of smoke-test or wait-healthy: its output `report`, or the file \
                that --report named";
    let inline = given.trim_start().starts_with('{');
    let stated = if inline {
        read_report("--confirm", given)
    } else {
        let text = files::read_text(given).map_err(|error| {
            Fault::usage(format!("the report {given} cannot be read: {error}")).hint(hint)
        })?;
        read_report(given, &text)
    };
    Ok(stated.map_err(|why| Fault::usage(why).hint(hint))?)
}

fn prove(
    session: &Session,
    site: &Site,
    release: &Release,
    history: &History,
    from: &str,
    evidence: &Report,
) -> anyhow::Result<()> {
    // A report has its names masked.
    let suite: Vec<String> =
        site.critical_checks(release)?.iter().map(|name| session.masked(name)).collect();
    // What was written of this very release takes nothing from its proof.
    let last = history.deployments.iter().rfind(|deployment| deployment.mutated);
    let changed = last
        .filter(|_| !is_live(history, release))
        .and_then(|deployment| humantime::parse_rfc3339(&deployment.changed).ok());
    let claim = Claim {
        version: &release.version,
        service: site.scope.service.as_str(),
        environment: site.scope.environment.as_str(),
        suite: &suite,
        changed,
        now: session.wall(),
    };
    let why = refusals(evidence, &claim);
    if why.is_empty() {
        return Ok(());
    }
    let version = &release.version;
    let text = format!("{from} does not prove that {version} is well: {}", why.join("; "));
    Err(Fault::usage(text)
        .hint("nothing was recorded; run smoke-test with --expect-version and this waveoff.yml")
        .into())
}

fn is_live(history: &History, release: &Release) -> bool {
    live_of(history).is_some_and(|live| live.is_same(release))
}
