//! HAProxy: weights, by its runtime socket. No reload: one would cut connections.

mod runtime;
mod servers;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use self::runtime::Runtime;
use self::servers::{Server, is_name};
use super::{Active, Router, list, named};
use crate::config::transaction::HaproxySpec;
use crate::decide::plan::{Route, Slot};
use crate::decide::template::{names, render_lossy};
use crate::deploy::commands::Commands;
use crate::exit::Fault;
use crate::host::clock::Moment;
use crate::host::files;
use crate::platforms::Trouble;

/// How long HAProxy's own health check may take until it takes the slot for running.
const RISING: Duration = Duration::from_secs(60);
/// The time between two looks.
const TICK: Duration = Duration::from_millis(50);

/// The router.
pub(super) struct Haproxy {
    runtime: Runtime,
    backend: String,
    servers: BTreeMap<String, String>,
    state_file: Option<String>,
    url: Option<String>,
}

/// What a server is to become.
struct Goal {
    /// `backend/server`.
    name: String,
    /// The word for its weight.
    weight: String,
    /// The word for its administrative state; it stays as it is without.
    admin: Option<&'static str>,
    /// Whether it will get requests.
    receives: bool,
    /// Whether it must run before it gets any.
    must_run: bool,
}

impl Goal {
    /// What is set, in the order in which nothing gets requests in between that should not.
    fn settings(&self) -> Vec<(&'static str, &str)> {
        let state = self.admin.map(|admin| ("state", admin));
        let weight = Some(("weight", self.weight.as_str()));
        let order = if self.receives || self.admin != Some("ready") {
            [state, weight]
        } else {
            [weight, state]
        };
        order.into_iter().flatten().collect()
    }
}

impl Haproxy {
    pub(super) fn new(spec: HaproxySpec, public: Option<&str>) -> anyhow::Result<Self> {
        if let Some(name) = names(&spec.backend).iter().find(|name| *name != "component") {
            return Err(wrong(format!("backend: `{{{{{name}}}}}` is not known"))
                .hint("only `{{component}}` is replaced there")
                .into());
        }
        let backend = render_lossy(&spec.backend, &component("x"));
        if let Some(name) = spec.servers.values().chain([&backend]).find(|name| !is_name(name)) {
            return Err(wrong(format!("{name:?} is not the name of a backend or server"))
                .hint("HAProxy's names have letters, digits, `-`, `_`, `.` and `:`")
                .into());
        }
        let url = spec.url.or(public.map(Into::into));
        let HaproxySpec { socket, backend, servers, state_file, .. } = spec;
        Ok(Self { runtime: Runtime::new(socket), backend, servers, state_file, url })
    }

    /// The servers of a slot, `backend/server`, with the port that each should have.
    fn servers(&self, slot: &Slot) -> BTreeMap<String, u16> {
        let server = self.servers.get(&slot.name).unwrap_or(&slot.name);
        let backend = |name: &str| render_lossy(&self.backend, &component(name));
        let all = slot.ports.iter();
        all.map(|(name, port)| (format!("{}/{server}", backend(name)), *port)).collect()
    }

    fn look_at(&self, slots: &[Slot]) -> Result<Vec<Server>, Trouble> {
        let names = slots.iter().flat_map(|slot| self.servers(slot).into_keys());
        self.runtime.look(&names.collect::<Vec<_>>())
    }

    /// What is to become of the servers, and how they are now.
    fn goals(&self, route: &Route, slots: &[Slot]) -> Result<(Vec<Goal>, Vec<Server>), Trouble> {
        let slot = match route {
            Route::Slot(slot) => slot,
            Route::Saved { text } => {
                let none = || Trouble::new("what was saved is not what HAProxy's router saves");
                let goals: Vec<Goal> =
                    servers::saved(text).ok_or_else(none)?.iter().map(as_it_was).collect();
                let now = self.runtime.look(goals.iter().map(|goal| &goal.name))?;
                return Ok((goals, now));
            }
        };
        let chosen = self.servers(slot);
        let others = slots.iter().filter(|other| other.name != slot.name);
        let others: Vec<_> = others.flat_map(|other| self.servers(other).into_keys()).collect();
        let now = self.runtime.look(chosen.keys().chain(&others))?;
        let goals = now.iter().map(|server| goal(server, chosen.contains_key(&server.name)));
        Ok((goals.collect(), now))
    }

    /// Raises what will get requests before anything else is lowered: the other way round there
    /// is a moment in which nothing answers.
    fn reach(&self, goals: &[Goal], commands: &Commands<'_>) -> Result<(), Trouble> {
        let (up, down): (Vec<&Goal>, Vec<_>) = goals.iter().partition(|goal| goal.receives);
        for goal in &up {
            self.runtime.set(&goal.name, "state", "ready")?;
        }
        self.wait(&up, commands)?;
        for goal in up.iter().chain(&down) {
            for (what, value) in goal.settings() {
                self.runtime.set(&goal.name, what, value)?;
            }
        }
        Ok(())
    }

    /// Until HAProxy takes them for running, too.
    fn wait(&self, up: &[&Goal], commands: &Commands<'_>) -> Result<(), Trouble> {
        let must = || up.iter().filter(|goal| goal.must_run).map(|goal| &goal.name);
        let started = Moment::now();
        loop {
            let servers = self.runtime.look(must())?;
            let Some(slow) = servers.iter().find(|server| !server.is_up()) else { return Ok(()) };
            let name = &slow.name;
            if started.elapsed() >= RISING {
                let limit = humantime::format_duration(RISING);
                return Err(Trouble::new(format!(
                    "HAProxy does not take {name} for running, even after {limit}; its health \
                     check is on its `server` line and in `option httpchk`"
                )));
            }
            if commands.session.cancel.sleep(TICK) {
                return Err(Trouble::new(format!("cancelled while HAProxy looked at {name}")));
            }
        }
    }

    fn put_back(&self, before: &[Server], failure: Trouble) -> Trouble {
        let (up, down): (Vec<Goal>, Vec<_>) =
            before.iter().map(as_it_was).partition(|goal| goal.receives);
        let again = up.iter().chain(&down).try_for_each(|goal| {
            let mut settings = goal.settings().into_iter();
            settings.try_for_each(|(what, value)| self.runtime.set(&goal.name, what, value))
        });
        let outcome = match again {
            Ok(()) => "HAProxy goes on as before".to_owned(),
            Err(again) => format!("HAProxy may not go on as before: {}", again.reason),
        };
        Trouble { reason: format!("{}; {outcome}", failure.reason), ..failure }
    }

    /// Writes down where the traffic goes, for HAProxy's next start.
    fn keep(&self) -> Result<(), Trouble> {
        let Some(file) = &self.state_file else { return Ok(()) };
        files::replace_alone(file, self.runtime.state()?.as_bytes())
            .map_err(|error| Trouble::new(format!("{file} cannot be written: {error}")))
    }

    /// That a server has another port than its slot, if so.
    fn astray(&self, slots: &[Slot], servers: &[Server]) -> Option<String> {
        slots.iter().find_map(|slot| {
            self.servers(slot).into_iter().find_map(|(name, port)| {
                let server = servers.iter().find(|server| server.name == name)?;
                (server.port != port).then(|| {
                    let (slot, other) = (&slot.name, server.port);
                    format!("{name} has port {other} in HAProxy, and slot {slot} has {port}")
                })
            })
        })
    }

    fn check_names(&self, slots: &[Slot]) -> Result<(), Fault> {
        let mut taken = BTreeMap::new();
        for slot in slots {
            named(slot).map_err(Fault::usage)?;
            let servers = self.servers(slot);
            if servers.len() < slot.ports.len() {
                return Err(wrong("`backend` is the same for every component")
                    .hint("write it like `shop-{{component}}`"));
            }
            for name in servers.into_keys() {
                if let Some(other) = taken.insert(name.clone(), &slot.name) {
                    let slot = &slot.name;
                    return Err(wrong(format!("slots {other} and {slot} are both {name}"))
                        .hint("give each slot a server of its own in `servers`"));
                }
            }
        }
        let stray = |name: &&String| !slots.iter().any(|slot| slot.name == **name);
        match self.servers.keys().find(stray) {
            None => Ok(()),
            Some(name) => {
                let names = list(slots.iter().map(|slot| slot.name.as_str()));
                Err(wrong(format!("servers: {name} is no slot"))
                    .hint(format!("the slots are {names}")))
            }
        }
    }

    fn check_state_file(&self) -> Result<(), Fault> {
        let Some(file) = &self.state_file else { return Ok(()) };
        let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        if files::can_write_into(folder) {
            return Ok(());
        }
        let folder = folder.display();
        Err(wrong(format!("state-file: there is no folder {folder} that can be written to"))
            .hint("make it, and give it to the user who deploys"))
    }

    fn check_socket(&self, slots: &[Slot]) -> Result<(), Fault> {
        let fault = |trouble: Trouble| Fault::error(trouble.reason);
        let servers = self.look_at(slots).map_err(fault)?;
        // Versions that do not know the question are found out by the first switch.
        let level = self.runtime.ask("show cli level").map_err(fault)?;
        if let level @ ("user" | "operator") = level.trim() {
            let socket = &self.runtime.socket;
            return Err(wrong(format!(
                "the socket {socket} has level {level}, and changes nothing"
            ))
            .hint("write `level admin` on its `stats socket` line"));
        }
        self.astray(slots, &servers).map_or(Ok(()), |words| {
            Err(wrong(words).hint("the port of a slot is the one of its `server` line"))
        })
    }
}

impl Router for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn url(&self) -> Option<String> {
        self.url.clone()
    }

    fn plan(&self, route: &Route) -> Vec<String> {
        let socket = &self.runtime.socket;
        let tell = |what: String| format!("tell {socket}: set server {what}");
        let mut plan: Vec<String> = match route {
            Route::Slot(slot) => {
                let names: Vec<_> = self.servers(slot).into_keys().collect();
                let ready = names.iter().map(|name| tell(format!("{name} state ready")));
                let raise = names.iter().map(|name| tell(format!("{name} weight 100%")));
                // The other slots are not known here.
                let lower = names.iter().filter_map(|name| name.split('/').next()).map(|backend| {
                    tell(format!("{backend}/… weight 0%, for the servers of the other slots"))
                });
                ready.chain(raise).chain(lower).collect()
            }
            Route::Saved { text } => {
                let goals = servers::saved(text).unwrap_or_default();
                let goals: Vec<_> = goals.iter().map(as_it_was).collect();
                let lines = goals.iter().flat_map(|goal| {
                    let settings = goal.settings().into_iter();
                    settings.map(|(what, value)| tell(format!("{} {what} {value}", goal.name)))
                });
                lines.collect()
            }
        };
        plan.extend(self.state_file.iter().map(|file| format!("write {file}")));
        plan
    }

    fn check(&self, slots: &[Slot]) -> anyhow::Result<()> {
        self.check_names(slots)?;
        self.check_state_file()?;
        Ok(self.check_socket(slots)?)
    }

    fn active(&self, slots: &[Slot], _: &Commands<'_>) -> Result<Active, Trouble> {
        let servers = self.look_at(slots)?;
        if let Some(words) = self.astray(slots, &servers) {
            return Ok(Active::Other(words));
        }
        let share = |slot: &Slot| {
            let names = self.servers(slot);
            let own = servers.iter().filter(|server| names.contains_key(&server.name));
            (own.filter(|server| server.receives()).count(), names.len())
        };
        let receiving = slots.iter().map(|slot| (slot.name.as_str(), share(slot)));
        let receiving: Vec<_> = receiving.filter(|(_, (some, _))| *some > 0).collect();
        Ok(match &*receiving {
            [(slot, (some, all))] if some == all => Active::Slot((*slot).to_owned()),
            [(slot, _)] => Active::Other(format!("only a part of slot {slot}")),
            [] => Active::Other("none of the slots".into()),
            several => {
                Active::Other(format!("{} at once", list(several.iter().map(|(slot, _)| *slot))))
            }
        })
    }

    fn save(&self, slots: &[Slot], _: &Commands<'_>) -> Result<String, Trouble> {
        Ok(servers::save(&self.look_at(slots)?))
    }

    fn switch(
        &self,
        route: &Route,
        slots: &[Slot],
        commands: &Commands<'_>,
    ) -> Result<(), Trouble> {
        let (goals, before) = self.goals(route, slots)?;
        self.reach(&goals, commands).map_err(|failure| self.put_back(&before, failure))?;
        let after = self.runtime.look(goals.iter().map(|goal| &goal.name))?;
        let differs = |server: &&Server| {
            goals.iter().any(|goal| goal.name == server.name && goal.receives != server.receives())
        };
        if let Some(other) = after.iter().find(differs) {
            let what = if other.receives() { "still gets" } else { "does not get" };
            return Err(Trouble::new(format!("{} {what} requests, as HAProxy says", other.name)));
        }
        self.keep()
    }
}

fn goal(server: &Server, receives: bool) -> Goal {
    Goal {
        name: server.name.clone(),
        weight: if receives { server.full() } else { "0%".into() },
        admin: receives.then_some("ready"),
        receives,
        must_run: receives,
    }
}

/// What did not run before is not waited for.
fn as_it_was(server: &Server) -> Goal {
    Goal {
        name: server.name.clone(),
        weight: server.weight_word(),
        admin: Some(server.admin_word()),
        receives: server.receives(),
        must_run: server.receives() && server.is_up(),
    }
}

fn component(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("component".to_owned(), name.to_owned())])
}

fn wrong(message: impl std::fmt::Display) -> Fault {
    Fault::usage(format!("router.haproxy: {message}"))
}

#[cfg(test)]
#[path = "haproxy_tests.rs"]
mod tests;
