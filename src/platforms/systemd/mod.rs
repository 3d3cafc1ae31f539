//! Archives, each unpacked into a folder of its own, and systemd's units that run the one to which
//! a link leads.
//!
//! To exchange releases all units are stopped, the link is changed in one step, and all units are
//! started. Changing it first and restarting each unit would be shorter, but then a unit that ends
//! in between is started again by systemd from the new release while the others still run the old
//! one, and what runs reads its files through the link. Who wants no gap has slots.

mod artifact;
mod journal;
mod manager;
mod platform;
mod releases;
mod unit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::artifact::{Fetcher, Source, Sums};
use self::journal::Journal;
use self::manager::Manager;
use self::releases::{Note, Releases};
use super::{Log, Order, Place, Platform, Running, Trouble};
use crate::config::artifact::SystemdSpec;
use crate::decide::history::{History, Live, Release};
use crate::decide::plan::Direction;
use crate::decide::template::{names, render_lossy};
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State, ledger, slots};
use crate::exit::Fault;
use crate::host::process::Started;
use crate::host::{files, folders};

/// Releases that are kept.
const KEEP: usize = 5;
/// The lines of the journal that are shown.
const LINES: usize = 100;

/// The platform.
pub(super) struct Systemd {
    spec: SystemdSpec,
    scope: Scope,
    state: State,
    place: Place,
    folder: PathBuf,
    releases: Releases,
    manager: Manager,
    journal: Journal,
}

impl Systemd {
    pub(super) fn new(
        spec: SystemdSpec,
        place: &Place,
        scope: &Scope,
        state: &State,
    ) -> anyhow::Result<Self> {
        let known: BTreeMap<String, String> =
            place.variables().into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        check_texts(&spec, &known)?;
        let folder = render_lossy(&spec.folder, &known);
        if !Path::new(&folder).is_absolute() {
            return Err(wrong(format!("folder: {folder:?} is not an absolute path"))
                .hint("units find their releases there: write it like /opt/shop")
                .into());
        }
        if spec.keep.is_some_and(|keep| keep < 2) {
            return Err(wrong("keep: there would be nothing to go back to")
                .hint("2 is the least: what runs, and what ran before")
                .into());
        }
        if let Some(text) = &spec.sha256 {
            Sums::of(text).map_err(|why| wrong(format!("sha256: {why}")))?;
        }
        let mut units = Vec::new();
        for text in &spec.units.0 {
            let unit = render_lossy(text, &known);
            unit::check_name(&unit).map_err(|why| wrong(format!("units: {why}")))?;
            if units.contains(&unit) {
                return Err(wrong(format!("units: {unit} is there twice")).into());
            }
            units.push(unit);
        }
        let manager = Manager::of(&spec, units.clone());
        let journal = Journal {
            units,
            program: spec.journalctl.clone(),
            is_user: spec.user,
            starts: state.folder(scope).join(place.file("systemd", "starts")),
        };
        let folder = PathBuf::from(folder);
        let (scope, state, place) = (scope.clone(), state.clone(), place.clone());
        let releases = Releases::in_folder(&folder);
        Ok(Self { spec, scope, state, place, folder, releases, manager, journal })
    }

    /// A text of the configuration for a release.
    fn fill(&self, text: &str, release: &Release) -> String {
        let mut known: BTreeMap<String, String> = self
            .place
            .variables()
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text))
            .collect();
        known.insert("version".into(), release.version.clone());
        render_lossy(text, &known)
    }

    /// What the archive's digest begins with among those of a release.
    fn digest_name(&self) -> String {
        match &self.place.component {
            Some(component) => format!("artifact/{component}@sha256:"),
            None => "artifact@sha256:".into(),
        }
    }

    /// The digest of the archive that a release names: its own, or the only one there is.
    fn pinned(&self, release: &Release) -> Option<String> {
        let own = self.digest_name();
        let own = release.digests.iter().find_map(|digest| digest.strip_prefix(&own));
        let bare = release.digests.iter().find_map(|digest| digest.strip_prefix("sha256:"));
        let bare = bare.filter(|_| self.place.component.is_none());
        own.or(bare).and_then(artifact::sha256)
    }

    /// The link to the release that runs here.
    fn link(&self) -> PathBuf {
        match &self.place.slot {
            Some((slot, _)) => self.folder.join("slots").join(slot),
            None => self.folder.join("current"),
        }
    }

    /// Where a link leads to, from where it is.
    fn target(&self, name: &str) -> PathBuf {
        let up = if self.place.slot.is_some() { ".." } else { "" };
        Path::new(up).join("releases").join(name)
    }

    /// The file with the units' environment.
    fn environment_file(&self) -> PathBuf {
        match &self.place.slot {
            Some((slot, _)) => self.folder.join("slots").join(format!("{slot}.env")),
            None => self.folder.join("waveoff.env"),
        }
    }

    /// What the units may know about the release, as systemd.exec(5) reads it.
    fn environment(&self, release: &Release) -> String {
        let (slot, port) = match &self.place.slot {
            Some((slot, port)) => (slot.clone(), Some(*port)),
            None => (String::new(), self.spec.port),
        };
        let port = port.map(|port| port.to_string());
        let variables = [
            ("WAVEOFF_VERSION", release.version.clone()),
            ("WAVEOFF_SHA", release.sha.clone().unwrap_or_default()),
            ("WAVEOFF_SERVICE", self.scope.service.to_string()),
            ("WAVEOFF_ENVIRONMENT", self.scope.environment.to_string()),
            ("WAVEOFF_COMPONENT", self.place.component.clone().unwrap_or_default()),
            ("WAVEOFF_SLOT", slot),
            ("WAVEOFF_PORT", port.clone().unwrap_or_default()),
        ];
        let plain = port.map(|port| ("PORT", port));
        // Names, versions, hex and numbers: nothing in them ends a quoted text.
        variables
            .into_iter()
            .chain(plain)
            .map(|(name, value)| format!("{name}=\"{value}\"\n"))
            .collect()
    }

    /// The release to start: made ready before.
    fn ready(&self, release: &Release) -> Result<Note, Trouble> {
        let found = self.releases.find(&release.version, self.pinned(release).as_deref());
        found.into_iter().next().ok_or_else(|| {
            let (version, root) = (&release.version, self.releases.root().display());
            Trouble::new(format!("there is no release {version} in {root}"))
        })
    }

    /// Fetches a release and unpacks it, unless it is there and whole.
    fn make_ready(&self, order: &Order<'_>, commands: &Commands<'_>) -> Result<Note, String> {
        let (release, cancel) = (order.release, &commands.session.cancel);
        let version = &release.version;
        folders::make(self.releases.root())
            .map_err(|error| format!("{}: {error}", self.releases.root().display()))?;
        let source = Source::of(&self.fill(&self.spec.artifact, release));
        let mut sha256 = self.pinned(release);
        let mut trouble = None;
        let is_gone = matches!(&source, Source::Path(path) if !files::exists(path));
        if sha256.is_some() || is_gone || order.direction == Direction::Back {
            // On the way back what was verified is wanted, whatever has its name by now.
            for note in self.releases.find(&release.version, sha256.as_deref()) {
                match self.releases.look(&note, cancel) {
                    Ok(()) => return Ok(note),
                    Err(why) => {
                        commands.session.say(&format!("          | {why}"));
                        sha256.get_or_insert(note.sha256);
                        trouble.get_or_insert(why);
                    }
                }
            }
        }
        if order.direction == Direction::Back {
            let root = self.releases.root().display();
            trouble.get_or_insert_with(|| format!("there is no release {version} in {root}"));
        }
        self.unpacked(order, commands, &source, sha256).map_err(|why| match trouble {
            Some(trouble) => format!("{trouble}; it cannot be had again: {why}"),
            None => why,
        })
    }

    fn unpacked(
        &self,
        order: &Order<'_>,
        commands: &Commands<'_>,
        source: &Source,
        pinned: Option<String>,
    ) -> Result<Note, String> {
        let (release, cancel) = (order.release, &commands.session.cancel);
        let root = self.releases.root().display().to_string();
        let incoming = self.releases.incoming().map_err(|error| format!("{root}: {error}"))?;
        let fetcher = Fetcher { spec: &self.spec, commands };
        let wanted = match pinned {
            Some(pinned) => Some(pinned),
            None => self.configured(order, &fetcher, source, &incoming)?,
        };
        if let (None, Source::Url(_)) = (&wanted, source) {
            return Err(format!(
                "nothing says what {source} must be: give its SHA-256 by `sha256:` in the \
                 configuration, or by --digest sha256:…"
            ));
        }
        // What the checksums are about may be there already.
        let found = wanted.as_deref().map(|w| self.releases.find(&release.version, Some(w)));
        for note in found.unwrap_or_default() {
            if self.releases.look(&note, cancel).is_ok() {
                return Ok(note);
            }
        }
        let mut archive = fetcher.open(source, &incoming)?;
        let sha256 = archive.sha256(cancel).map_err(|error| format!("{source}: {error}"))?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != sha256) {
            return Err(format!("{source} has the SHA-256 {sha256}, and it must be {wanted}"));
        }
        let note = releases::note_of(&release.version, &sha256);
        // The same bytes under the same name, unpacked before and whole still.
        let known = self.releases.find(&release.version, Some(&sha256)).into_iter().next();
        if let Some(known) = known.filter(|known| self.releases.look(known, cancel).is_ok()) {
            return Ok(known);
        }
        let strip = self.spec.strip_components;
        self.releases
            .unpack(&mut archive, &note, strip, cancel)
            .map_err(|error| format!("{source} cannot be unpacked in {root}: {error}"))?;
        commands.session.say(&format!("          | unpacked {source} as {}", note.name()));
        Ok(note)
    }

    /// The digest that the configuration gives, or a file beside the archive. One that is written
    /// down is the new release's, and none that is brought back has it.
    fn configured(
        &self,
        order: &Order<'_>,
        fetcher: &Fetcher<'_>,
        source: &Source,
        folder: &Path,
    ) -> Result<Option<String>, String> {
        let text = self.spec.sha256.as_ref().map(|text| self.fill(text, order.release));
        match text.as_deref().map(Sums::of).transpose()? {
            Some(Sums::Literal(sha256)) if order.direction == Direction::Forward => {
                Ok(Some(sha256))
            }
            Some(Sums::File(sums)) => fetcher.listed(Some(&sums), source, folder),
            _ => fetcher.listed(None, source, folder),
        }
    }

    /// Removes releases that nothing will go back to.
    fn prune(&self, commands: &Commands<'_>) {
        let keep = self.spec.keep.unwrap_or(KEEP);
        let done = self.spared().and_then(|spared| {
            let is_spared = |name: &str| spared.iter().any(|spared| name.starts_with(spared));
            self.releases.prune(keep, is_spared).map_err(|error| error.to_string())
        });
        let line = match done {
            Ok(gone) if gone.is_empty() => return,
            Ok(gone) => format!("removed {}", gone.join(", ")),
            Err(why) => format!("no release was removed: {why}"),
        };
        commands.session.say(&format!("          | {line}"));
    }

    /// What the names of the releases begin with that may be needed still: what runs, what is in a
    /// slot, and what the ledger would go back to.
    fn spared(&self) -> Result<Vec<String>, String> {
        let mut spared = Vec::new();
        let all = self.folder.join("slots");
        let links = files::names(&all).unwrap_or_default().into_iter().map(|name| all.join(name));
        for link in links.chain([self.folder.join("current")]) {
            spared.extend(releases::behind(&link).map_err(|error| error.to_string())?);
        }
        let records = ledger::kept_here(&self.scope, &self.state).map_err(|e| format!("{e:#}"))?;
        let (service, environment) = (self.scope.service.as_str(), self.scope.environment.as_str());
        let history = History::of(&records, service, environment);
        let mut wanted: Vec<Release> = Vec::new();
        if let Live::Verified(live, _) = history.live() {
            wanted.extend(history.before(&live).cloned());
            wanted.push(live);
        }
        wanted.extend(history.verified().into_iter().take(2).map(|d| d.release.clone()));
        wanted.extend(slots::read(&self.scope, &self.state)?.into_values().map(|o| o.release));
        spared.extend(wanted.iter().map(|release| {
            releases::name(&release.version, &self.pinned(release).unwrap_or_default())
        }));
        Ok(spared)
    }

    fn swap(&self, release: &Release, note: &Note) -> std::io::Result<()> {
        files::replace(self.environment_file(), self.environment(release).as_bytes())?;
        folders::point(&self.link(), &self.target(&note.name()))
    }
}

/// Looks whether every `{{name}}` is known, and stands where it must.
fn check_texts(spec: &SystemdSpec, known: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let version = "version".to_owned();
    let has = |name: &str| known.contains_key(name);
    let texts = [("artifact", &spec.artifact), ("folder", &spec.folder)].into_iter();
    let texts = texts.chain(spec.sha256.iter().map(|text| ("sha256", text)));
    for (key, text) in texts.chain(spec.units.0.iter().map(|unit| ("units", unit))) {
        let used = names(text);
        let may = |name: &str| match key {
            "artifact" | "sha256" => name == version || name == "component" && has(name),
            "units" => (name == "slot" || name == "component") && has(name),
            _ => name == "component" && has(name),
        };
        if let Some(name) = used.iter().find(|name| !may(name)) {
            return Err(wrong(format!("`{{{{{name}}}}}` in {key} is not known"))
                .hint(
                    "`{{version}}` is replaced in artifact and sha256, `{{slot}}` in units where \
                     there are slots, `{{component}}` everywhere where there are components",
                )
                .into());
        }
        let needs = match key {
            "units" if has("slot") => Some("slot"),
            "folder" if has("component") => Some("component"),
            _ => None,
        };
        if let Some(name) = needs.filter(|name| !used.iter().any(|used| used == name)) {
            return Err(wrong(format!("{key}: {text} is the same for every {name}"))
                .hint(format!("write `{{{{{name}}}}}` into it"))
                .into());
        }
    }
    Ok(())
}

fn wrong(message: impl std::fmt::Display) -> Fault {
    Fault::usage(format!("platform.systemd: {message}"))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
