//! The platform's own verbs.

use std::time::Duration;

use super::unit::Look;
use super::{
    Direction, Fault, KEEP, LINES, Log, Order, Path, Platform, Running, Source, Started, Systemd,
    Trouble, files, folders, releases, wrong,
};
use crate::config::CheckSpec;
use crate::config::values::Period;
use crate::config::watched::UnitSpec;
use crate::deploy::commands::Commands;
use crate::report::v1::Response;

/// The limit of the units' own check: they have run for a while when it begins.
const WITHIN: Duration = Duration::from_secs(30);

impl Platform for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn plan(&self, order: &Order<'_>) -> Vec<String> {
        let version = &order.release.version;
        let source = Source::of(&self.fill(&self.spec.artifact, order.release));
        let known = self.ready(order.release).ok();
        let name = known.as_ref().map_or(format!("{version}-…"), releases::Note::name);
        let mut plan = self.manager.slow_to_stop();
        if known.is_none() {
            let keep = self.spec.keep.unwrap_or(KEEP);
            let folder = self.releases.path(&name);
            plan.push(format!("unpack {source} into {}, keep {keep}", folder.display()));
        }
        let run = |verb: &str, unit: &String| {
            format!("run {}", self.manager.change(verb, unit).argv.show())
        };
        plan.extend(self.manager.units.iter().rev().map(|unit| run("stop", unit)));
        let target = self.target(&name);
        plan.push(format!("let {} lead to {}", self.link().display(), target.display()));
        plan.extend(self.manager.units.iter().map(|unit| run("start", unit)));
        plan
    }

    fn check(&self, order: &Order<'_>) -> anyhow::Result<()> {
        if order.direction == Direction::Forward {
            self.manager.check().map_err(|(what, hint)| wrong(what).hint(hint))?;
        }
        let existing = self.folder.ancestors().find(|folder| files::exists(folder));
        let existing = existing.unwrap_or(Path::new("/"));
        match files::can_write_into(existing) {
            true => Ok(()),
            false => Err(Fault::usage(format!("{} cannot be written into", existing.display()))
                .hint("releases are unpacked there by whoever deploys: give it to that user")
                .into()),
        }
    }

    fn prepare(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<Vec<String>, Trouble> {
        let ready = self.make_ready(order, commands);
        self.releases.give_up();
        let note = ready.map_err(Trouble::new)?;
        self.releases.want(&note.name()).map_err(|error| {
            Trouble::new(format!("{}: {error}", self.releases.root().display()))
        })?;
        if order.direction == Direction::Forward {
            self.prune(commands);
        }
        Ok(vec![format!("{}{}", self.digest_name(), note.sha256)])
    }

    /// How the units are, by systemd's word. What each of them must be the check itself knows.
    fn checks(&self) -> Vec<CheckSpec> {
        let unit = UnitSpec { names: self.manager.units.clone(), user: self.spec.user };
        vec![CheckSpec { unit: Some(unit), within: Some(Period(WITHIN)), ..CheckSpec::default() }]
    }

    fn start(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<(), Trouble> {
        let version = &order.release.version;
        let note = self.ready(order.release)?;
        for line in self.manager.slow_to_stop() {
            commands.session.say(&format!("          | {line}"));
        }
        self.manager.stop(commands)?;
        self.swap(order.release, &note)
            .and_then(|()| self.journal.begins(version))
            .map_err(|error| Trouble::new(format!("{}: {error}", self.link().display())))?;
        self.manager.start(commands).map_err(|trouble| {
            // What the units wrote says more than systemd does.
            let wrote = self.diagnostics();
            let evidence = Response { status: None, headers: Vec::new(), body: wrote.join("\n") };
            let evidence = trouble.evidence.or((!wrote.is_empty()).then_some(evidence));
            Trouble { reason: format!("{version}: {}", trouble.reason), evidence, ..trouble }
        })
    }

    fn stop(&self, commands: &Commands<'_>) -> Result<(), Trouble> {
        self.manager.stop(commands)?;
        let gone =
            folders::unlink(&self.link()).and_then(|()| files::remove(self.environment_file()));
        gone.map_err(|error| Trouble::new(format!("{}: {error}", self.link().display())))
    }

    /// The release behind the link, when all units are up: half a release is none.
    fn running(&self) -> Running {
        let Ok(units) = self.manager.ask() else { return Running::Unknown };
        if units.iter().any(|unit| unit.look(u64::MAX) != Look::Up) {
            return Running::Nothing;
        }
        let name = releases::behind(&self.link()).ok().flatten();
        match name.map(|name| self.releases.note(&name)) {
            Some(Ok(note)) => Running::Version(note.version),
            _ => Running::Unknown,
        }
    }

    fn base_url(&self) -> Option<String> {
        let port = self.place.slot.as_ref().map(|(_, port)| *port).or(self.spec.port);
        port.map(|port| format!("http://localhost:{port}"))
    }

    fn process(&self) -> Option<Started> {
        None
    }

    fn diagnostics(&self) -> Vec<String> {
        self.journal.last(LINES)
    }

    fn log(&self, version: &str, most: u64) -> std::io::Result<Log> {
        self.journal.of(version, most)
    }
}
