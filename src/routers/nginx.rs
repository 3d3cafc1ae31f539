//! nginx: a file that its configuration includes names the slot; a reload makes it so.
//!
//! nginx takes a new configuration a moment after the command that reloads it has ended. That it
//! did is seen through the router, by the checks.

mod include;

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::include::Include;
use super::{Active, Router, list, named};
use crate::config::transaction::NginxSpec;
use crate::config::values::Argv;
use crate::decide::naming::Name;
use crate::decide::plan::{Route, Slot};
use crate::deploy::Scope;
use crate::deploy::commands::Commands;
use crate::exit::Fault;
use crate::host::files;
use crate::host::process::{self, CommandSpec, Ran};
use crate::host::signals::Cancel;
use crate::platforms::{Trouble, without_ours};

/// The limit of one command.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A larger file is not ours, and too much for a journal.
const LARGEST: usize = 1 << 20;
/// What is saved when there is no file.
const ABSENT: &str = "absent";
/// What is before a saved content.
const TEXT: &str = "text:";
/// What is before a saved content that is no UTF-8.
const BYTES: &str = "base64:";

/// The router.
pub(super) struct Nginx {
    include: String,
    upstream: Name,
    reload: Argv,
    test: Option<Argv>,
    url: Option<String>,
}

impl Nginx {
    pub(super) fn new(
        spec: NginxSpec,
        scope: &Scope,
        public: Option<&str>,
    ) -> anyhow::Result<Self> {
        let upstream = match &spec.upstream {
            None => scope.service.clone(),
            Some(name) => {
                name.parse().map_err(|why| Fault::usage(format!("router.nginx.upstream: {why}")))?
            }
        };
        let default = || Argv(["nginx", "-s", "reload"].map(Into::into).into());
        let reload = spec.reload.unwrap_or_else(default);
        let test = spec.test.or_else(|| test_of(&reload));
        let url = spec.url.or(public.map(Into::into));
        Ok(Self { include: spec.include, upstream, reload, test, url })
    }

    fn test(&self) -> Result<&Argv, Fault> {
        self.test.as_ref().ok_or_else(|| {
            let reload = self.reload.show();
            Fault::usage(format!("router.nginx: nothing says how {reload} would be tested before"))
                .hint("write `test: [nginx, -t]`, or a `reload` that ends with `-s reload`")
        })
    }

    /// What the file holds; nothing when there is none.
    fn read(&self) -> Result<Option<Vec<u8>>, Trouble> {
        let include = &self.include;
        match files::read(include) {
            Ok(content) if content.len() > LARGEST => {
                Err(Trouble::new(format!("{include} is larger than 1 MiB: it is not waveoff's")))
            }
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Trouble::new(format!("{include} cannot be read: {error}"))),
        }
    }

    fn write(&self, content: Option<&[u8]>) -> Result<(), Trouble> {
        match content {
            Some(content) => files::replace_alone(&self.include, content),
            None => files::remove(&self.include),
        }
        .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", self.include)))
    }

    /// Puts the file back after a failure, and says in its words whether that worked.
    fn put_back(&self, before: Option<&[u8]>, failure: Trouble) -> Trouble {
        let include = &self.include;
        let outcome = match self.write(before) {
            Ok(()) => format!("{include} is as it was"),
            Err(again) => format!("{include} is not as it was: {}", again.reason),
        };
        Trouble { reason: format!("{}; {outcome}", failure.reason), ..failure }
    }

    /// The file is back; nginx may have read the other one. A cancellation must not keep it so,
    /// and so this is not heeded here.
    fn reload_back(&self, failure: Trouble, commands: &Commands<'_>) -> Trouble {
        let outcome = match commands.ask(&command(&self.reload)) {
            Ok(_) => "and was loaded again".to_owned(),
            Err(again) => format!("but was not loaded again: {}", again.reason),
        };
        Trouble { reason: format!("{} {outcome}", failure.reason), ..failure }
    }

    fn wanted(&self, route: &Route) -> Result<Option<Vec<u8>>, Trouble> {
        match route {
            Route::Saved { text } => decode(text),
            Route::Slot(slot) => {
                named(slot).map_err(Trouble::new)?;
                Ok(Some(Include::of(slot, &self.upstream).render().into_bytes()))
            }
        }
    }

    /// A configuration that is wrong already would fail every switch, and is said before anything
    /// is touched. Without the file it may well be wrong: that is why it will be written.
    fn loads(&self, test: &Argv) -> anyhow::Result<()> {
        if !files::exists(&self.include) {
            return Ok(());
        }
        let shown = test.show();
        let ran = process::run(&command(test), TIMEOUT, &Cancel::default(), None)
            .map_err(|error| Fault::error(format!("{shown} could not be run: {error}")))?;
        let (Ran::Ended(output) | Ran::TimedOut(output) | Ran::Cancelled(output)) = &ran;
        if matches!(ran, Ran::Ended(_)) && output.code == Some(0) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<String> = text.lines().map(Into::into).collect();
        let why = telling(&lines).map_or("it failed", |line| line);
        Err(Fault::usage(format!("nginx's configuration is wrong as it is: {shown}: {why}"))
            .hint("put that right first; nothing was changed")
            .into())
    }
}

impl Router for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn url(&self) -> Option<String> {
        self.url.clone()
    }

    fn plan(&self, route: &Route) -> Vec<String> {
        let include = &self.include;
        let file = match route {
            Route::Slot(slot) => {
                format!("write {include}: {}", Include::of(slot, &self.upstream).show())
            }
            Route::Saved { text } if text == ABSENT => {
                format!("remove {include}, which was not there before")
            }
            Route::Saved { .. } => format!("write {include} as it was before"),
        };
        let test = self.test.iter().map(|test| format!("run {}", test.show()));
        let reload = format!("run {}", self.reload.show());
        std::iter::once(file).chain(test).chain([reload]).collect()
    }

    fn check(&self, slots: &[Slot]) -> anyhow::Result<()> {
        let test = self.test()?;
        for slot in slots {
            named(slot).map_err(Fault::usage)?;
        }
        for argv in [test, &self.reload] {
            if let Some(missing) = process::missing(&command(argv)) {
                return Err(Fault::usage(format!("router.nginx: {missing}"))
                    .hint("name nginx with its path in `reload`, and in `test` if there is one")
                    .into());
            }
        }
        let folder = Path::new(&self.include).parent().unwrap_or(Path::new("."));
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if !files::can_write_into(folder) {
            let folder = folder.display();
            return Err(Fault::usage(format!(
                "router.nginx.include: there is no folder {folder} that can be written to"
            ))
            .hint("make it, and give it to the user who deploys")
            .into());
        }
        self.loads(test)
    }

    fn active(&self, slots: &[Slot], _: &Commands<'_>) -> Result<Active, Trouble> {
        let include = &self.include;
        let Some(content) = self.read()? else {
            return Ok(Active::Other(format!("nowhere by waveoff: there is no {include}")));
        };
        let Some(said) = std::str::from_utf8(&content).ok().and_then(Include::parse) else {
            return Ok(Active::Other(format!("where {include} says, which waveoff did not write")));
        };
        let Some(slot) = slots.iter().find(|slot| slot.name == said.slot) else {
            let names = list(slots.iter().map(|slot| slot.name.as_str()));
            let words = format!("slot {}, which is none of {names}", said.slot);
            return Ok(Active::Other(words));
        };
        let configured = Include::of(slot, &self.upstream);
        if said == configured {
            return Ok(Active::Slot(said.slot));
        }
        let (said, slot, configured) = (said.show(), said.slot, configured.show());
        Ok(Active::Other(format!("slot {slot} as it was: {said}; configured is: {configured}")))
    }

    fn save(&self, _: &[Slot], _: &Commands<'_>) -> Result<String, Trouble> {
        Ok(encode(self.read()?))
    }

    fn switch(&self, route: &Route, _: &[Slot], commands: &Commands<'_>) -> Result<(), Trouble> {
        let test = self.test().map_err(|fault| Trouble::new(fault.to_string()))?;
        let wanted = self.wanted(route)?;
        let before = self.read()?;
        self.write(wanted.as_deref())?;
        if let Err(trouble) = run(test, commands) {
            return Err(self.put_back(before.as_deref(), trouble));
        }
        // Also when the file was like this already: we may have been killed before the reload.
        run(&self.reload, commands).map_err(|trouble| {
            self.reload_back(self.put_back(before.as_deref(), trouble), commands)
        })
    }
}

/// The same command, testing instead of reloading.
fn test_of(reload: &Argv) -> Option<Argv> {
    let [start @ .., signal, what] = reload.0.as_slice() else { return None };
    let reloads = !start.is_empty() && signal == "-s" && what == "reload";
    reloads.then(|| Argv(start.iter().cloned().chain(["-t".to_owned()]).collect()))
}

fn command(argv: &Argv) -> CommandSpec {
    CommandSpec { env: without_ours().collect(), ..CommandSpec::new(argv.clone()) }
}

/// Runs one of nginx's commands; its own words are part of the reason.
fn run(argv: &Argv, commands: &Commands<'_>) -> Result<(), Trouble> {
    commands.run(&command(argv), TIMEOUT).map_err(|trouble| {
        // Without evidence it did not run, and the tail is of another command.
        let lines = if trouble.evidence.is_some() { commands.tail() } else { Vec::new() };
        match telling(&lines) {
            Some(line) => Trouble { reason: format!("{}: {line}", trouble.reason), ..trouble },
            None => trouble,
        }
    })
}

/// The line that says what is wrong: the last one is only that something is.
fn telling(lines: &[String]) -> Option<&str> {
    let severe =
        |line: &&String| ["[emerg]", "[alert]", "[error]"].iter().any(|l| line.contains(l));
    lines.iter().find(severe).or(lines.last()).map(String::as_str)
}

fn encode(content: Option<Vec<u8>>) -> String {
    match content.map(String::from_utf8) {
        None => ABSENT.into(),
        Some(Ok(text)) => format!("{TEXT}{text}"),
        Some(Err(other)) => format!("{BYTES}{}", STANDARD.encode(other.as_bytes())),
    }
}

fn decode(saved: &str) -> Result<Option<Vec<u8>>, Trouble> {
    let bytes = |text: &str| STANDARD.decode(text).ok();
    let content = match (saved, saved.strip_prefix(TEXT), saved.strip_prefix(BYTES)) {
        (ABSENT, ..) => return Ok(None),
        (_, Some(text), _) => Some(text.as_bytes().to_vec()),
        (_, _, Some(text)) => bytes(text),
        _ => None,
    };
    content.map(Some).ok_or_else(|| Trouble::new("what was saved is not what nginx's router saves"))
}

#[cfg(test)]
#[path = "nginx_tests.rs"]
mod tests;
