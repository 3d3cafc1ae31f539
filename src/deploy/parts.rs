//! What a service consists of: its components, each in its places, and what sends requests there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::commands::Commands;
use super::forensics::Trace;
use super::state::{Scope, State};
use crate::commands::Session;
use crate::config::pipeline::PlatformSpec;
use crate::config::transaction::{
    BlueGreenSpec, ComponentSpec, PortsSpec, StrategySpec, TransactionSpec,
};
use crate::config::{CheckSpec, Loaded};
use crate::decide::history::Release;
use crate::decide::plan::{Direction, Slot, View};
use crate::decide::words::same_version;
use crate::exit::Fault;
use crate::host::process::Started;
use crate::platforms::{self, Order, Place, Platform, Running, Trouble};
use crate::routers::{self, Active, Router};

/// What stands behind the name of a component for what it restarts beside its slots.
const RESTARTED: &str = "-restarted";

/// How long each is waited for that tells what serves, while what failed is still live.
const SOON: Duration = Duration::from_secs(1);

/// The parts of a service.
pub struct Parts {
    /// The names of the components, in the order in which they are deployed. Where there are slots,
    /// those that are started in them.
    pub components: Vec<String>,
    /// The names of those that stay outside of the slots and are restarted in their place.
    pub in_place: Vec<String>,
    /// The slots, by name; none where releases take each other's place.
    pub slots: Vec<Slot>,
    /// What sends requests to a slot.
    pub router: Option<Box<dyn Router>>,
    platforms: BTreeMap<(String, Option<String>), Box<dyn Platform>>,
    public: Option<String>,
}

impl Parts {
    /// Of the configuration. Nothing is made or asked.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn of(
        loaded: &Loaded,
        spec: &TransactionSpec,
        scope: &Scope,
        state: &State,
    ) -> anyhow::Result<Self> {
        let specs = components(loaded, spec, scope)?;
        let blue_green = match &spec.strategy {
            Some(StrategySpec::BlueGreen(spec)) => Some(spec),
            _ => None,
        };
        let stays = |part: &Part| part.in_place && blue_green.is_some();
        let (outside, switched): (Vec<&Part>, Vec<&Part>) = specs.iter().partition(|p| stays(p));
        let names = |of: Vec<&Part>| of.into_iter().map(|part| part.name.clone()).collect();
        let (in_place, components): (Vec<String>, Vec<String>) = (names(outside), names(switched));
        let slots = blue_green.map(|spec| slots(spec, &components)).unwrap_or_default();
        let several = specs.len() > 1;
        let mut platforms = BTreeMap::new();
        for part in &specs {
            let Part { name, platform: spec, .. } = part;
            let component = several.then(|| name.clone());
            let mut add = |slot: Option<&Slot>| {
                let port = slot.and_then(|slot| slot.ports.get(name)).copied();
                let at = slot.zip(port).map(|(slot, port)| (slot.name.clone(), port));
                let place = Place { component: component.clone(), slot: at };
                let platform = platforms::at(spec, &place, scope, state)?;
                platforms.insert((name.clone(), slot.map(|slot| slot.name.clone())), platform);
                anyhow::Ok(())
            };
            if blue_green.is_none() || stays(part) {
                add(None)?;
            } else {
                slots.iter().try_for_each(|slot| add(Some(slot)))?;
            }
        }
        let public = loaded.config.public.clone();
        let router = spec.router.as_ref();
        let router = router.map(|spec| routers::of(spec, scope, state, public.as_deref()));
        let router = router.transpose()?;
        Ok(Self { components, in_place, slots, router, platforms, public })
    }

    /// The platform of a component in a place.
    ///
    /// # Errors
    /// When the configuration has no such place.
    pub fn platform(&self, component: &str, slot: Option<&Slot>) -> anyhow::Result<&dyn Platform> {
        let key = (component.to_owned(), slot.map(|slot| slot.name.clone()));
        self.platforms.get(&key).map(Box::as_ref).ok_or_else(|| {
            let place = slot.map(|slot| format!(" in the slot {}", slot.name)).unwrap_or_default();
            Fault::usage(format!("the configuration has no component {component}{place}"))
                .hint("it had when the deployment began; bring that configuration back")
                .into()
        })
    }

    /// A slot by its name.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// The platforms of all components in a place: a slot, or outside of any.
    pub fn at(&self, slot: Option<&Slot>) -> Vec<(&str, &dyn Platform)> {
        let all = self.components.iter().chain(&self.in_place);
        all.filter_map(|name| Some((name.as_str(), self.platform(name, slot).ok()?))).collect()
    }

    /// The platforms of all components that are seen from somewhere. What stays outside of the
    /// slots serves together with the slot that gets the traffic.
    pub fn seen(&self, view: &View) -> Vec<(&str, &dyn Platform)> {
        match view {
            View::InPlace => self.at(None),
            View::Slot { slot } => self.at(Some(slot)),
            View::Router { slot } => {
                let inside = slot.iter().flat_map(|slot| self.at(Some(slot)));
                inside.chain(self.at(None)).collect()
            }
        }
    }

    /// How many parts a release has.
    pub fn count(&self) -> usize {
        self.components.len() + self.in_place.len()
    }

    /// The slot that gets the traffic; none where there are no slots, or none of them gets it.
    ///
    /// # Errors
    /// When the router cannot tell.
    pub fn active(&self, commands: &Commands<'_>) -> Result<Option<&Slot>, Trouble> {
        let Some(router) = self.router.as_ref().filter(|_| !self.slots.is_empty()) else {
            return Ok(None);
        };
        match router.active(&self.slots, commands)? {
            Active::Slot(name) => Ok(self.slot(&name)),
            Active::Other(_) => Ok(None),
        }
    }

    /// What each component runs of what gets the requests, as far as it can be known.
    pub fn serving(&self, commands: &Commands<'_>) -> Vec<(&str, Running)> {
        self.ask_all(commands, |platform| platform.running())
    }

    /// The same, without waiting long for anybody who is slow to tell.
    pub fn serving_soon(&self, session: &Session) -> Vec<(&str, Running)> {
        let commands = Commands::hurried(session, SOON);
        self.ask_all(&commands, |platform| platform.running_within(SOON))
    }

    fn ask_all(
        &self,
        commands: &Commands<'_>,
        ask: impl Fn(&dyn Platform) -> Running,
    ) -> Vec<(&str, Running)> {
        let slot = self.active(commands).ok().flatten();
        let lost = !self.slots.is_empty() && slot.is_none();
        let unknown =
            self.components.iter().filter(|_| lost).map(|name| (&**name, Running::Unknown));
        let all = self.seen(&self.view_of(slot)).into_iter();
        unknown.chain(all.map(|(name, platform)| (name, ask(platform)))).collect()
    }

    /// The version that serves, when all components agree on it.
    pub fn version(&self, commands: &Commands<'_>) -> Option<String> {
        let versions = self.serving(commands).into_iter().map(|(_, running)| match running {
            Running::Version(version) => Some(version),
            Running::Unknown | Running::Nothing => None,
        });
        let versions: Option<Vec<String>> = versions.collect();
        let mut versions = versions?.into_iter();
        let first = versions.next()?;
        versions.all(|version| same_version(&version, &first)).then_some(first)
    }

    /// What contradicts that this release serves, in words.
    pub fn contradiction(&self, release: &Release, commands: &Commands<'_>) -> Option<String> {
        contradiction(&self.serving(commands), release)
    }

    /// What contradicts that this release runs where it is seen from somewhere, in words.
    pub fn contradiction_in(&self, view: &View, release: &Release) -> Option<String> {
        let all = self.seen(view).into_iter();
        let running: Vec<_> = all.map(|(name, platform)| (name, platform.running())).collect();
        contradiction(&running, release)
    }

    /// Where `path` checks are asked.
    pub fn base_url(&self, view: &View) -> Option<String> {
        let own = |slot| self.at(slot).into_iter().find_map(|(_, p)| p.base_url());
        match view {
            View::InPlace => own(None).or_else(|| self.public.clone()),
            View::Slot { slot } => own(Some(slot)),
            View::Router { .. } => {
                let router = self.router.as_ref().and_then(|router| router.url());
                router.or_else(|| self.public.clone())
            }
        }
    }

    /// What the platforms themselves can tell of how a release is, seen from somewhere.
    pub fn checks(&self, view: &View) -> Vec<CheckSpec> {
        self.seen(view).into_iter().flat_map(|(_, platform)| platform.checks()).collect()
    }

    /// Whether what is deployed is somebody's own command, which knows what digests mean.
    pub fn tells_digests(&self) -> bool {
        self.platforms.values().any(|platform| platform.name() == "command")
    }

    /// Makes ready what a release needs, for all components, while nothing is changed yet. Gives
    /// the release with all digests under which it can be had again.
    ///
    /// # Errors
    /// What cannot be had.
    pub fn prepare(
        &self,
        release: &Release,
        direction: Direction,
        commands: &Commands<'_>,
    ) -> Result<Release, Trouble> {
        let order = Order { release, previous: None, direction };
        let mut digests = release.digests.clone();
        // What is made ready for one slot serves for the other.
        let mut found = Vec::new();
        for (_, platform) in self.seen(&self.view_of(self.slots.first())) {
            found.push(platform.prepare(&order, commands)?);
        }
        if direction == Direction::Forward {
            fits(&release.digests, &found)?;
        }
        digests.extend(found.into_iter().flatten());
        let mut known = std::collections::BTreeSet::new();
        digests.retain(|digest| known.insert(digest.clone()));
        Ok(Release { digests, ..release.clone() })
    }

    /// From where a release is looked at when nothing is being changed.
    pub fn view(&self) -> View {
        self.view_of(None)
    }

    /// From where a release is looked at when a slot gets the requests.
    fn view_of(&self, slot: Option<&Slot>) -> View {
        if self.slots.is_empty() { View::InPlace } else { View::Router { slot: slot.cloned() } }
    }

    /// The process that should be answering, where there is exactly one that can be known.
    pub fn process(&self, view: &View) -> Option<Started> {
        let slot = match view {
            View::InPlace => None,
            View::Slot { slot } | View::Router { slot: Some(slot) } => Some(slot),
            View::Router { slot: None } => return None,
        };
        let all = self.at(slot);
        if all.len() == 1 { all.first().and_then(|(_, platform)| platform.process()) } else { None }
    }

    /// Every component in each of its places, for evidence.
    pub fn traces(&self) -> Vec<Trace<'_>> {
        self.platforms
            .iter()
            .map(|((component, slot), platform)| Trace {
                component,
                slot: slot.as_deref(),
                platform: platform.as_ref(),
            })
            .collect()
    }

    /// The last lines of what the components of a release wrote, seen from somewhere: not of those
    /// that are known to run another one still.
    pub fn diagnostics(&self, view: &View, release: &Release) -> Vec<String> {
        let is_other = |platform: &dyn Platform| matches!(platform.running(), Running::Version(v) if !same_version(&v, &release.version));
        let mut all = self.seen(view);
        all.retain(|(name, platform)| {
            !self.in_place.iter().any(|n| n == name) || !is_other(*platform)
        });
        let several = all.len() > 1;
        let lines = all.into_iter().flat_map(|(name, platform)| {
            let lines = platform.diagnostics().into_iter();
            lines.map(move |line| if several { format!("{name}: {line}") } else { line })
        });
        lines.collect()
    }
}

/// A component of the configuration.
struct Part {
    name: String,
    platform: PlatformSpec,
    /// Whether it stays outside of the slots, where there are any.
    in_place: bool,
}

/// The components, in the order in which they are deployed. A platform that has parts of both kinds
/// becomes two of them here.
fn components(loaded: &Loaded, spec: &TransactionSpec, scope: &Scope) -> anyhow::Result<Vec<Part>> {
    let beside = matches!(spec.strategy, Some(StrategySpec::BlueGreen(_)));
    let Some(list) = &spec.components else {
        let (name, platform) = (scope.service.to_string(), platforms::named(&loaded.config, spec)?);
        return Ok(Part { name, platform, in_place: false }.split(beside));
    };
    let part = |one: &ComponentSpec| Part {
        name: one.name.clone(),
        platform: one.platform.clone(),
        in_place: one.in_place,
    };
    Ok(list.0.iter().map(part).flat_map(|part| part.split(beside)).collect())
}

impl Part {
    /// Beside slots, what a Compose project switches and what it restarts are components of their
    /// own.
    fn split(self, beside: bool) -> Vec<Self> {
        let parts = match &self.platform {
            PlatformSpec::Compose(spec) if beside && !self.in_place => spec.parts(),
            _ => None,
        };
        let Some([switched, restarted]) = parts else { return vec![self] };
        let platform = |spec| PlatformSpec::Compose(Box::new(spec));
        let name = format!("{}{RESTARTED}", self.name);
        let restarted = Self { name, platform: platform(restarted), in_place: true };
        vec![Self { platform: platform(switched), ..self }, restarted]
    }
}

fn slots(spec: &BlueGreenSpec, components: &[String]) -> Vec<Slot> {
    let slot = |(name, ports): (&String, &PortsSpec)| Slot {
        name: name.clone(),
        ports: match ports {
            PortsSpec::One(port) => components.iter().map(|name| (name.clone(), *port)).collect(),
            PortsSpec::Each(ports) => ports.clone(),
        },
    };
    spec.slots.iter().map(slot).collect()
}

/// Of several components each takes the digests that are its own; one that is nobody's was meant for
/// something, which would be deployed without it.
fn fits(given: &[String], found: &[Vec<String>]) -> Result<(), Trouble> {
    // What fetches nothing passes digests on, to whoever knows what they mean.
    if found.iter().any(Vec::is_empty) {
        return Ok(());
    }
    let is_known = |digest: &str| found.iter().flatten().any(|known| known.ends_with(digest));
    let stray = given.iter().find(|given| {
        given.split_once('@').is_some_and(|(_, digest)| !is_known(&format!("@{digest}")))
    });
    stray.map_or(Ok(()), |stray| {
        let text = format!("--digest: {stray:?} fits nothing of any component");
        Err(Trouble::new(text).mistake())
    })
}

fn contradiction(running: &[(&str, Running)], release: &Release) -> Option<String> {
    let of = |name: &str| if running.len() > 1 { format!(" of {name}") } else { String::new() };
    running.iter().find_map(|(name, running)| match running {
        Running::Unknown => None,
        Running::Nothing => Some(format!("nothing{} runs", of(name))),
        Running::Version(version) if same_version(version, &release.version) => None,
        Running::Version(version) => Some(format!("{version}{} runs", of(name))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_a_digest_that_is_no_components_is_refused() {
        let list = |all: &[&str]| all.iter().map(|digest| (*digest).to_owned()).collect::<Vec<_>>();
        let found =
            [list(&["shop/web@sha256:aa", "compose@sha256:c"]), list(&["shop/api@sha256:bb"])];
        let fits = |given: &str, found: &[Vec<String>]| fits(&list(&[given]), found);
        fits("docker.io/shop/web@sha256:aa", &found).unwrap();
        fits("shop/api@sha256:bb", &found).unwrap();
        fits("no-address", &found).unwrap();
        let trouble = fits("shop/wbe@sha256:ab", &found).unwrap_err();
        assert!(trouble.is_mistake && trouble.reason.contains("shop/wbe"), "{trouble:?}");
        fits("shop/wbe@sha256:ab", &[found[0].clone(), Vec::new()]).unwrap();
    }
}
