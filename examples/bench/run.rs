//! The programs that are measured, and how they are run.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Problem;
use crate::options::Options;

/// A tool that does the same job, if it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Curl,
    WaitOn,
    Hurl,
}

impl Peer {
    pub(crate) const ALL: [Peer; 3] = [Peer::Curl, Peer::WaitOn, Peer::Hurl];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Curl => "curl",
            Peer::WaitOn => "wait-on",
            Peer::Hurl => "hurl",
        }
    }
}

/// Where everything is, and an empty folder to run it in.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    programs: PathBuf,
    path: OsString,
    peers: Vec<(Peer, PathBuf)>,
}

impl World {
    pub(crate) fn new(options: &Options) -> Result<Self, Problem> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find = |name: &str| {
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
        };
        let peers = Peer::ALL.into_iter().filter_map(|peer| Some((peer, find(peer.name())?)));
        Ok(Self {
            folder: TempDir::new()?,
            programs: options.programs.canonicalize()?,
            peers: peers.collect(),
            path,
        })
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.peers.iter().map(|(peer, _)| *peer)
    }

    /// Names of peers that are not installed.
    pub(crate) fn absent(&self) -> Vec<&'static str> {
        let there: Vec<Peer> = self.peers().collect();
        Peer::ALL.into_iter().filter(|peer| !there.contains(peer)).map(Peer::name).collect()
    }

    /// One of our programs, as it is downloaded.
    pub(crate) fn ours(&self, name: &str) -> Command {
        self.command(&self.program(name))
    }

    /// Where it is.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A peer with what makes it ask `address`; once, or until it answers.
    pub(crate) fn peer(
        &self,
        peer: Peer,
        address: SocketAddr,
        until: Until,
    ) -> Result<Command, Problem> {
        let mut command = self.peer_alone(peer);
        let url = format!("http://{address}/");
        match (peer, until) {
            (Peer::Curl, Until::Once) => command.args(["-sf", "-o", "/dev/null", &url]),
            (Peer::Curl, Until::Answered) => command
                .args(["-sf", "-o", "/dev/null", "--retry", "60", "--retry-connrefused"])
                .args(["--retry-delay", "1", &url]),
            (Peer::WaitOn, _) => command.arg(format!("http-get://{address}/")),
            (Peer::Hurl, Until::Once) => command.args(["--no-output"]).arg(self.hurl(&url)?),
            (Peer::Hurl, Until::Answered) => {
                command.args(["--no-output", "--retry", "60"]).arg(self.hurl(&url)?)
            }
        };
        Ok(command)
    }

    /// A peer without arguments.
    pub(crate) fn peer_alone(&self, peer: Peer) -> Command {
        let found = self.peers.iter().find(|(known, _)| *known == peer);
        self.command(found.map_or(Path::new(peer.name()), |(_, file)| file))
    }

    /// A file that asks for `url`.
    pub(crate) fn hurl(&self, url: &str) -> Result<PathBuf, Problem> {
        let name: String = url.chars().filter(char::is_ascii_alphanumeric).collect();
        let file = self.folder.path().join(format!("{name}.hurl"));
        std::fs::write(&file, format!("GET {url}\nHTTP 200\n"))?;
        Ok(file)
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// How long a peer asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Once,
    Answered,
}

/// From before the start of a program to its end, which must be a success.
pub(crate) fn time(command: &mut Command) -> Result<Duration, Problem> {
    let started = Instant::now();
    let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    succeed(child, command)?;
    Ok(started.elapsed())
}

/// Waits for a program that must succeed.
pub(crate) fn succeed(mut child: Child, command: &Command) -> Result<(), Problem> {
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}
