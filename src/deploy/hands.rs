//! Does the acts of a plan, by asking platforms, routers, commands and checks.

use std::path::PathBuf;
use std::time::Duration;

use super::commands::Commands;
use super::describe::{describe, route_words};
use super::migration;
use super::parts::Parts;
use super::slots;
use super::state::{Scope, State};
use crate::checks::{self, Target};
use crate::commands::Session;
use crate::config::Loaded;
use crate::config::transaction::{MigrateSpec, TransactionSpec};
use crate::decide::history::Release;
use crate::decide::journal::Keeping;
use crate::decide::plan::{Act, Route, Slot, View};
use crate::decide::verdict::{Severity, Verdict};
use crate::decide::words::show_duration;
use crate::host::clock::Moment;
use crate::host::files;
use crate::platforms::{Order, Trouble};
use crate::report::v1::{Check, Response};

/// The limit of a migration.
const MIGRATING: Duration = Duration::from_secs(15 * 60);
/// Why an act was not done that somebody cancelled: `deploy::drive` knows who.
pub(super) const CANCELLED: &str = "cancelled";

/// What does the acts of one deployment.
pub struct Hands<'a> {
    /// The run.
    pub session: &'a Session,
    /// The configuration, for its checks.
    pub loaded: &'a Loaded,
    /// How releases are exchanged.
    pub spec: &'a TransactionSpec,
    /// The service.
    pub scope: &'a Scope,
    /// Its state folder.
    pub state: &'a State,
    /// Its parts.
    pub parts: &'a Parts,
    /// What runs commands.
    pub commands: Commands<'a>,
    /// The folder of this run.
    pub run: PathBuf,
    /// The checks of the last verification on each way, and failures of platforms as checks.
    pub checks: Vec<Check>,
    /// The last lines of what the failed release wrote.
    pub diagnostics: Vec<String>,
    /// What is kept.
    pub keeping: Keeping,
    /// The folder of that evidence.
    pub forensics: Option<String>,
    /// The deployment's id, under which the state before it was captured.
    pub deployment: String,
}

/// What was found, or why it could not be done or is not well.
pub(super) type Done = Result<String, String>;

impl Hands<'_> {
    /// Does an act; `back` says that this is not the way to a new release. Gives what was found.
    ///
    /// # Errors
    /// Why it could not be done, or what is not well, in one line.
    pub fn perform(&mut self, act: &Act, back: bool) -> Done {
        match act {
            Act::SaveTag { file, tag } => match save_tag(file, tag.as_deref()) {
                // What is back is back, whatever a file says.
                Err(why) if back => Ok(why),
                done => done,
            },
            Act::Migrate { release, .. } => self.migrate(release),
            Act::Restore { release, schema } => self.restore(release, schema.as_deref()),
            Act::Place { component, slot, release, over, direction } => {
                let order = Order { release, previous: over.as_ref(), direction: *direction };
                self.place(component, slot.as_ref(), &order)
            }
            Act::Clear { components, slot, .. } => self.clear(components, slot),
            Act::Switch { route, release } => {
                let Some(router) = &self.parts.router else {
                    return Err("no router is configured any more".into());
                };
                router.switch(route, &self.parts.slots, &self.commands).map_err(|trouble| {
                    let release = release.clone().unwrap_or_default();
                    self.trouble("switch", &release, trouble)
                })?;
                if let Route::Slot(slot) = route {
                    // The traffic is not sent elsewhere for want of a note: a recovery makes it, too.
                    slots::serves(self.scope, self.state, slot).unwrap_or_default();
                }
                Ok(format!("the traffic goes to {}", route_words(route)))
            }
            Act::Drain { slot, after, limit_ms } => {
                Ok(self.drain(slot, after.as_ref(), millis(*limit_ms)))
            }
            Act::Keep { slot, release, keep_ms } => {
                slots::keep(self.scope, self.state, slot, release, millis(*keep_ms))
            }
            Act::Pause { ms, reason } => self.pause(millis(*ms), reason),
            Act::Verify { release, view, limit_ms } => {
                self.verify(release, view, limit_ms.map(millis), back)
            }
            Act::Watch { release, view, for_ms, interval_ms, failures } => {
                self.watch(release, view, millis(*for_ms), millis(*interval_ms), *failures)
            }
            Act::Compare { release } => self.compare(release),
            Act::Mark => Ok(String::new()),
        }
    }

    /// What an act would do, a line each.
    pub fn describe(&self, act: &Act) -> Vec<String> {
        describe(self.parts, self.spec, act)
    }

    fn place(&mut self, component: &str, slot: Option<&Slot>, order: &Order<'_>) -> Done {
        let platform =
            self.parts.platform(component, slot).map_err(|error| format!("{error:#}"))?;
        let version = &order.release.version;
        // Even when it seems to run: whoever was interrupted may have told it to end.
        platform
            .start(order, &self.commands)
            .map_err(|trouble| self.trouble("start", order.release, trouble))?;
        if let Some(slot) = slot {
            slots::placed(self.scope, self.state, slot, order.release)?;
        }
        Ok(format!("{version} is started"))
    }

    fn clear(&mut self, components: &[String], slot: &Slot) -> Done {
        for component in components {
            let platform =
                self.parts.platform(component, Some(slot)).map_err(|error| format!("{error:#}"))?;
            platform.stop(&self.commands).map_err(|trouble| trouble.reason)?;
        }
        slots::cleared(self.scope, self.state, slot)?;
        Ok(format!("{} is empty", slot.name))
    }

    fn migrate(&mut self, release: &Release) -> Done {
        let spec = &self.migration()?;
        let command = migration::command(spec, &spec.command, release, self.scope);
        self.commands
            .run(&command, spec.timeout.map_or(MIGRATING, |timeout| timeout.0))
            .map_err(|trouble| self.trouble("migrate", release, trouble))?;
        let schema = migration::schema(spec, &self.commands, self.scope)?;
        Ok(schema.map_or("migrated".into(), |schema| format!("the schema is {schema}")))
    }

    fn restore(&mut self, release: &Release, before: Option<&str>) -> Done {
        let spec = &self.migration()?;
        if before.is_some()
            && migration::schema(spec, &self.commands, self.scope)?.as_deref() == before
        {
            return Ok(format!("the schema is {} still", before.unwrap_or_default()));
        }
        let Some(argv) = &spec.restore else {
            return Err("no `restore` command is configured any more".into());
        };
        let command = migration::command(spec, argv, release, self.scope);
        self.commands
            .run(&command, spec.timeout.map_or(MIGRATING, |timeout| timeout.0))
            .map_err(|trouble| self.trouble("restore", release, trouble))?;
        match (migration::schema(spec, &self.commands, self.scope)?, before) {
            (Some(now), Some(before)) if now != before => {
                Err(format!("the schema is {now} after it was restored, and not {before}"))
            }
            (Some(now), _) => Ok(format!("the schema is {now} again")),
            (None, _) => Ok("restored".into()),
        }
    }

    fn migration(&self) -> Result<MigrateSpec, String> {
        self.spec.migrate.clone().ok_or("no `migrate` is configured any more".to_owned())
    }

    fn pause(&self, length: Duration, reason: &str) -> Done {
        match self.session.cancel.sleep(length) {
            false => Ok(format!("{} for {reason}", show_duration(length))),
            true => Err(CANCELLED.into()),
        }
    }

    fn verify(
        &mut self,
        release: &Release,
        view: &View,
        limit: Option<Duration>,
        back: bool,
    ) -> Done {
        let (verdict, summary, mut seen) = self.look(release, view, limit, false);
        if back && !self.checks.is_empty() {
            for check in &mut seen {
                check.name = format!("{} ({}, brought back)", check.name, release.version);
            }
        } else if !back {
            // The last look at a release says all that the ones before said.
            self.checks.clear();
        }
        self.checks.extend(seen);
        // What is not known to be well is not well.
        if verdict.is_pass() { Ok(format!("{}: {summary}", release.version)) } else { Err(summary) }
    }

    /// One look: the checks, and what the platform says of who answers.
    fn look(
        &self,
        release: &Release,
        view: &View,
        limit: Option<Duration>,
        once: bool,
    ) -> (Verdict, String, Vec<Check>) {
        let target = Target {
            base_url: self.parts.base_url(view),
            expected_version: Some(release.version.clone()),
            process: self.parts.process(view),
            own: self.parts.checks(view),
            only_paths: matches!(view, View::Slot { .. }),
            limit,
            once,
            settling: matches!(view, View::Router { .. }) && !once,
            only: None,
        };
        match checks::verify(self.session, self.loaded, &target) {
            Ok(seen) if seen.verdict.is_pass() => match self.contradiction(release, view) {
                None => (seen.verdict, seen.summary, seen.checks),
                Some(why) => {
                    // Of several parts, it may be one that answers nobody.
                    let lone = self.parts.count() == 1;
                    let other = if lone { ": another process answered" } else { "" };
                    let why = format!("all checks passed, but {why}{other}");
                    (Verdict::Fail, why, seen.checks)
                }
            },
            Ok(seen) => (seen.verdict, seen.summary, seen.checks),
            Err(error) => (Verdict::Error, format!("{error:#}"), Vec::new()),
        }
    }

    fn contradiction(&self, release: &Release, view: &View) -> Option<String> {
        self.parts.contradiction_in(view, release)
    }

    fn watch(
        &mut self,
        release: &Release,
        view: &View,
        length: Duration,
        interval: Duration,
        limit: u32,
    ) -> Done {
        let started = Moment::now();
        let (mut looks, mut in_a_row) = (0_u32, 0_u32);
        // What fails at the end is looked at again until it is decided, by as many failures as ever.
        while started.elapsed() < length || in_a_row > 0 {
            let left = length.saturating_sub(started.elapsed());
            let pause = if left.is_zero() { interval } else { interval.min(left) };
            if self.session.cancel.sleep(pause) {
                return Err(CANCELLED.into());
            }
            let (verdict, summary, seen) = self.look(release, view, None, true);
            looks += 1;
            if verdict.is_pass() {
                in_a_row = 0;
                continue;
            }
            in_a_row += 1;
            let version = &release.version;
            let line = format!("          | {version}: failure {in_a_row} of {limit}: {summary}");
            self.session.say(&line);
            if in_a_row >= limit {
                self.checks = seen;
                return Err(format!("{in_a_row} failures in a row: {summary}"));
            }
        }
        let looks = crate::decide::words::count(looks as usize, "look");
        Ok(format!("{} stayed well for {}: {looks}", release.version, show_duration(length)))
    }

    /// A platform's failure as a check, so that its evidence is in every kind of report.
    fn trouble(&mut self, name: &str, release: &Release, trouble: Trouble) -> String {
        self.checks.push(evidence(name, release, trouble.evidence, &trouble.reason));
        trouble.reason
    }
}

fn save_tag(file: &str, tag: Option<&str>) -> Done {
    if tag.is_none() && !files::exists(file) {
        return Ok(String::new());
    }
    let done = match tag {
        Some(tag) => files::replace_alone(file, format!("{tag}\n").as_bytes()),
        None => files::remove(file),
    };
    done.map_err(|error| format!("cannot write {file}: {error}"))?;
    Ok(tag.map_or_else(|| format!("{file} is gone"), |tag| format!("{file} says {tag}")))
}

/// A failure as a check.
fn evidence(name: &str, release: &Release, evidence: Option<Response>, reason: &str) -> Check {
    Check {
        name: name.into(),
        kind: "operation".into(),
        target: release.version.clone(),
        severity: Severity::Critical,
        verdict: Verdict::Fail,
        reason: reason.into(),
        remedy: None,
        duration_ms: 0,
        latency_ms: 0.0,
        attempts: 1,
        findings: Vec::new(),
        warnings: Vec::new(),
        circuits: std::collections::BTreeMap::new(),
        timeline: Vec::new(),
        last_response: evidence,
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
