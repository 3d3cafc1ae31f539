//! Two versions of a service, a router before them, and `waveoff`'s hand on the router.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use waveoff::commands::Session;
use waveoff::config;
use waveoff::config::transaction::RouterSpec;
use waveoff::config::values::Argv;
use waveoff::decide::plan::{Route, Slot};
use waveoff::deploy::commands::Commands;
use waveoff::deploy::{Scope, State};
use waveoff::routers::{self, Active, Router};

use crate::Problem;

/// How long anything may take to start.
const START: Duration = Duration::from_secs(20);

/// A router, as one of the examples has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    /// With `keepalive_timeout 0`.
    NginxClose,
    Haproxy,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Nginx, Kind::NginxClose, Kind::Haproxy];

    /// On the command line.
    pub(crate) fn part(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::NginxClose => "nginx-close",
            Kind::Haproxy => "haproxy",
        }
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::NginxClose => "nginx, keepalive_timeout 0",
            Kind::Haproxy => "HAProxy",
        }
    }
}

/// Ends with the measurement.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // nginx passes SIGTERM on to its workers; SIGKILL would leave them behind.
        let pid = self.0.id().to_string();
        let told = Command::new("kill").arg(&pid).status();
        if told.is_ok_and(|status| status.success()) {
            self.0.wait().map(drop).unwrap_or_default();
        }
    }
}

/// All that takes part. The servers end before their folder is removed.
pub(crate) struct World {
    _servers: Vec<Server>,
    router: Box<dyn Router>,
    pub(crate) slots: [Slot; 2],
    session: Session,
    pub(crate) port: u16,
    pub(crate) programs: PathBuf,
    folder: TempDir,
}

/// What answers in the slots.
pub(crate) const VERSIONS: [&str; 2] = ["v1", "v2"];

impl World {
    pub(crate) fn new(kind: Kind, programs: &Path) -> Result<Self, Problem> {
        let folder = TempDir::new()?;
        let programs = programs.canonicalize()?;
        let mut servers = Vec::new();
        let mut slots = Vec::new();
        for (name, version) in ["blue", "green"].into_iter().zip(VERSIONS) {
            let file = folder.path().join(format!("{version}.port"));
            let mut service = Command::new(programs.join("sample-service"));
            service.args(["--port", "0", "--version", version, "--port-file"]).arg(&file);
            servers.push(Server(service.stdout(Stdio::null()).spawn()?));
            let port = until(|| fs::read_to_string(&file).ok()?.trim().parse().ok())
                .ok_or("the service did not start")?;
            slots.push(Slot { name: name.into(), ports: [("shop".to_owned(), port)].into() });
        }
        let slots: [Slot; 2] = slots.try_into().map_err(|_| "two slots")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (server, router) = match kind {
            Kind::Nginx | Kind::NginxClose => nginx(kind, folder.path(), &slots, port)?,
            Kind::Haproxy => haproxy(folder.path(), &slots, port)?,
        };
        servers.push(server);
        until(|| TcpStream::connect(("127.0.0.1", port)).ok()).ok_or("the router did not start")?;
        let session = Session::silent();
        let world = Self { _servers: servers, router, slots, session, port, programs, folder };
        // HAProxy makes its socket after it listens on its port.
        until(|| world.router.check(&world.slots).ok());
        world.router.check(&world.slots)?;
        world.switch(0)?;
        Ok(world)
    }

    /// Sends the traffic to a slot, and makes sure that the router says so too.
    pub(crate) fn switch(&self, slot: usize) -> Result<(), Problem> {
        let commands = Commands::new(&self.session, self.folder.path().join("command.pid"));
        let slot = &self.slots[slot];
        let done = self.router.switch(&Route::Slot(slot.clone()), &self.slots, &commands);
        done.map_err(|trouble| trouble.reason)?;
        match self.router.active(&self.slots, &commands).map_err(|trouble| trouble.reason)? {
            Active::Slot(active) if active == slot.name => Ok(()),
            other => Err(format!("the traffic should go to {}: {other:?}", slot.name).into()),
        }
    }
}

type Made = (Server, Box<dyn Router>);

fn nginx(kind: Kind, folder: &Path, slots: &[Slot; 2], port: u16) -> Result<Made, Problem> {
    let path = |name: &str| folder.join(name).display().to_string();
    let include = path("shop.conf");
    fs::write(&include, format!("upstream shop {{ server 127.0.0.1:{}; }}\n", port_of(&slots[0])))?;
    let mut text = include_str!("../blue-green/nginx/nginx.conf").to_owned();
    replace(&mut text, "/etc/nginx/waveoff/shop.conf;", &format!("{include};"))?;
    replace(&mut text, "listen 80;", &format!("listen 127.0.0.1:{port};"))?;
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {};\n", path(what)))
        .concat();
    replace(&mut text, "http {\n", &format!("http {{\n    access_log off;\n{temporary}"))?;
    if kind == Kind::NginxClose {
        replace(&mut text, "# keepalive_timeout 0;", "keepalive_timeout 0;")?;
    }
    let text = format!("daemon off;\npid {};\n{text}", path("nginx.pid"));
    fs::write(path("nginx.conf"), text)?;
    let argv = ["nginx", "-c", &path("nginx.conf"), "-e", &path("error.log")].map(str::to_owned);
    let mut spec = example(include_str!("../blue-green/nginx/waveoff.yml"))?;
    if let RouterSpec::Nginx(nginx) = &mut spec {
        nginx.include = include;
        nginx.reload = Some(Argv([&argv[..], &["-s".into(), "reload".into()]].concat()));
    }
    Ok((start(&argv)?, router(&spec, folder)?))
}

fn haproxy(folder: &Path, slots: &[Slot; 2], port: u16) -> Result<Made, Problem> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut text = include_str!("../blue-green/haproxy/haproxy.cfg").to_owned();
    replace(&mut text, "/run/haproxy/admin.sock mode 660 group haproxy", &path("socket"))?;
    replace(&mut text, "/var/lib/haproxy/waveoff/shop.state", &path("state"))?;
    replace(&mut text, "bind :80", &format!("bind 127.0.0.1:{port}"))?;
    for (slot, example) in slots.iter().zip(["127.0.0.1:18081", "127.0.0.1:18082"]) {
        replace(&mut text, example, &format!("127.0.0.1:{}", port_of(slot)))?;
    }
    fs::write(path("haproxy.cfg"), text)?;
    let mut spec = example(include_str!("../blue-green/haproxy/waveoff.yml"))?;
    if let RouterSpec::Haproxy(haproxy) = &mut spec {
        haproxy.socket = path("socket");
        haproxy.state_file = Some(path("state"));
    }
    let argv = ["haproxy", "-q", "-db", "-f", &path("haproxy.cfg")].map(str::to_owned);
    Ok((start(&argv)?, router(&spec, folder)?))
}

fn start(argv: &[String]) -> Result<Server, Problem> {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| format!("{}: {error}", argv[0]))?;
    Ok(Server(child))
}

/// The router that an example names.
fn example(text: &str) -> Result<RouterSpec, Problem> {
    let loaded = config::parse("waveoff.yml", text, |name| Some(format!("the {name}")))?;
    Ok(loaded.transaction()?.router.ok_or("the example names no router")?)
}

fn router(spec: &RouterSpec, folder: &Path) -> Result<Box<dyn Router>, Problem> {
    Ok(routers::of(spec, &Scope::new("shop", "bench")?, &State::at(folder), None)?)
}

/// What is not there any more in an example must not be measured as if it were.
fn replace(text: &mut String, old: &str, new: &str) -> Result<(), Problem> {
    if !text.contains(old) {
        return Err(format!("the example has no {old:?} any more").into());
    }
    *text = text.replace(old, new);
    Ok(())
}

fn port_of(slot: &Slot) -> u16 {
    slot.ports.values().copied().next().unwrap_or_default()
}

fn until<T>(mut done: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        match done() {
            None if started.elapsed() < START => thread::sleep(Duration::from_millis(10)),
            other => return other,
        }
    }
}
