//! Real routers in front of slots, each in a folder of its own, stopped when the test ends.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::serve;
use crate::parts::part;

/// What sends requests to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Balancer {
    Nginx,
    Haproxy,
    Command,
}

/// A router that runs.
pub(crate) struct Router {
    config: String,
    folder: TempDir,
    process: Option<Child>,
}

impl Router {
    /// In front of the ports of blue and green, blue first; none where it is not installed.
    pub(crate) fn new(balancer: Balancer, ports: &[u16], public: u16) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        let (config, process) = match balancer {
            Balancer::Nginx => nginx(at, ports, public)?,
            Balancer::Haproxy => haproxy(at, ports, public)?,
            Balancer::Command => (command(at, public), None),
        };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", public)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "{balancer:?} does not listen");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Some(Self { config, folder, process })
    }

    /// What `waveoff.yml` says of it.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// The file that says which slot has the traffic, where a command says it.
    pub(crate) fn memory(&self) -> String {
        self.folder.path().join("routed").display().to_string()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        // SIGTERM, so that nginx takes its workers along.
        let _ = Command::new("kill").arg(process.id().to_string()).status();
        let _ = process.wait();
    }
}

fn start(argv: &[&str], at: &Path) -> Child {
    let log = fs::File::create(at.join("router.log")).unwrap();
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
    command.spawn().unwrap()
}

fn nginx(at: &Path, ports: &[u16], public: u16) -> Option<(String, Option<Child>)> {
    let nginx = part("nginx")?.display().to_string();
    let folder = at.display();
    let include = format!("{folder}/shop.conf");
    // As it is written by hand before the first deployment.
    let first = format!("upstream shop {{\n  server 127.0.0.1:{};\n}}\n", ports[0]);
    fs::write(&include, first).unwrap();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("  {what}_temp_path {folder}/{what};\n"))
        .concat();
    let conf = format!("{folder}/nginx.conf");
    let text = format!(
        "daemon off;\npid {folder}/nginx.pid;\nworker_processes 1;\nevents {{}}\nhttp {{\n{temporary}  \
         access_log off;\n  include {include};\n  server {{\n    listen 127.0.0.1:{public};\n    \
         location / {{ proxy_pass http://shop; }}\n  }}\n}}\n"
    );
    fs::write(&conf, text).unwrap();
    let errors = format!("{folder}/error.log");
    let argv = [nginx.as_str(), "-c", &conf, "-e", &errors];
    let reload = [&argv[..], &["-s", "reload"]].concat().join(", ");
    let config = format!("router:\n  nginx: {{ include: {include}, reload: [{reload}] }}\n");
    Some((config, Some(start(&argv, at))))
}

fn haproxy(at: &Path, ports: &[u16], public: u16) -> Option<(String, Option<Child>)> {
    let haproxy = part("haproxy")?.display().to_string();
    let folder = at.display();
    let [blue, green] = ports else { panic!("two slots") };
    let conf = format!("{folder}/haproxy.cfg");
    // Its own checks are not what is tested: a busy machine must not make it take a slot for gone.
    let text = format!(
        "global\n  stats socket {folder}/socket level admin\ndefaults\n  mode http\n  \
         timeout check 5s\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
         frontend front\n  bind 127.0.0.1:{public}\n  default_backend shop\nbackend shop\n  \
         server blue 127.0.0.1:{blue} check inter 50ms weight 10\n  \
         server green 127.0.0.1:{green} check inter 50ms weight 0\n"
    );
    fs::write(&conf, text).unwrap();
    let config = format!(
        "router:\n  haproxy: {{ socket: {folder}/socket, backend: shop, state-file: {folder}/servers }}\n"
    );
    Some((config, Some(start(&[&haproxy, "-db", "-f", &conf], at))))
}

/// Requests go to the port that stands in a file, which the command writes.
fn command(at: &Path, public: u16) -> String {
    let memory = at.join("routed");
    let file = memory.clone();
    serve(&format!("127.0.0.1:{public}"), move |mut client| {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let port = text.split_whitespace().nth(1).and_then(|port| port.parse().ok());
        let Some(port) = port else { return };
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut (&server).take(u64::MAX), &mut client);
        let _ = client.flush();
        let _ = client.shutdown(Shutdown::Both);
    });
    "router:\n  command:\n    switch: [./switch.sh]\n    active: [./active.sh]\n".into()
}
