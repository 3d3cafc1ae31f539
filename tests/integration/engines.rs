//! Docker and Podman, as a machine has them that has nothing else: an engine of our own, that
//! leaves the machine's alone and ends with the tests, however those end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

use crate::harness::{Program, Ran};
use crate::images;
use crate::parts::{part_of, skip, tools};
use crate::shared_images;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Docker,
    Podman,
}

/// An engine with nothing in it. Everything of it is in `folder`, all its addresses are its own,
/// and the ports that it publishes are the machine's.
pub(crate) struct Engine {
    pub(crate) kind: Kind,
    pub(crate) folder: PathBuf,
    keeper: Child,
    shop: Once,
    services: OnceLock<bool>,
}

impl Engine {
    /// The Docker, with Compose v2, that all tests share: names must be the test's own, and it
    /// must remove what it made. None where that is not installed.
    pub(crate) fn docker() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Engine>> = OnceLock::new();
        SHARED.get_or_init(|| Self::own(Kind::Docker, None)).as_ref()
    }

    /// The Podman that all tests share, in the same way.
    pub(crate) fn podman() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Engine>> = OnceLock::new();
        SHARED.get_or_init(|| Self::own(Kind::Podman, None)).as_ref()
    }

    /// An engine for one test, that ends when it is dropped; its images, containers and volumes
    /// find room for as many bytes as `disk` says.
    pub(crate) fn own(kind: Kind, disk: Option<u64>) -> Option<Self> {
        match kind {
            Kind::Docker => {
                part_of("docker", "dockerd")?;
                part_of("docker", "docker")?;
                compose()?;
            }
            Kind::Podman => {
                part_of("podman", "podman")?;
            }
        }
        if !rustix::process::geteuid().is_root() {
            skip(kind.name(), "only to be had by root");
            return None;
        }
        let claim = Claim::new();
        let mut keeper = keeper(kind.name(), &claim);
        keeper.env("DISK", disk.map(|bytes| bytes.to_string()).unwrap_or_default());
        // The claim stands as long as the keeper, which has it as an output.
        let lock = claim.lock.try_clone().unwrap();
        let keeper = keeper.stdin(Stdio::piped()).stdout(lock).spawn().unwrap();
        let engine = Self {
            kind,
            folder: claim.folder,
            keeper,
            shop: Once::new(),
            services: OnceLock::new(),
        };
        if let Some(compose) = compose() {
            engine.config_in(&engine.folder.join("conf"), &compose);
        }
        engine.wait();
        Some(engine)
    }

    /// With the images of [`images`].
    pub(crate) fn with_shop(&self) -> &Self {
        self.shop.call_once(|| images::load_shop(self));
        self
    }

    /// With the images of [`shared_images`]; none where those cannot be made.
    pub(crate) fn with_services(&self) -> Option<&Self> {
        self.services.get_or_init(|| shared_images::load(self)).then_some(self)
    }

    /// With what a program needs so that it finds this engine, and no other.
    pub(crate) fn surroundings(&self, program: Program) -> Program {
        self.variables()
            .into_iter()
            .fold(program, |program, (name, value)| program.env(name, &value))
    }

    /// The same as variables. Docker's are its address and its configuration; Podman has no
    /// address, and who calls it must find ours first.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        match self.kind {
            Kind::Docker => self.socket(),
            Kind::Podman => {
                let path = std::env::var("PATH").unwrap_or_default();
                vec![("PATH", format!("{}:{path}", self.folder.join("bin").display()))]
            }
        }
    }

    /// The variables that have Docker's programs, such as Compose, talk to this engine's socket,
    /// which Podman has too.
    pub(crate) fn socket(&self) -> Vec<(&'static str, String)> {
        let socket = format!("unix://{}/{}.sock", self.folder.display(), self.kind.name());
        let config = self.folder.join("conf").display().to_string();
        vec![("DOCKER_HOST", socket), ("DOCKER_CONFIG", config)]
    }

    /// `docker` or `podman` with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = match self.kind {
            Kind::Docker => "docker".into(),
            Kind::Podman => self.folder.join("bin/podman"),
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(self.variables()).stdin(Stdio::null());
        command
    }

    /// What it answers, whatever that is.
    pub(crate) fn ran(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// What it answers, without the last line's end; it must succeed.
    #[track_caller]
    pub(crate) fn tell(&self, arguments: &[&str]) -> String {
        let ran = self.ran(arguments);
        assert_eq!(ran.code, Some(0), "{} {arguments:?}: {}", self.kind.name(), ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// A folder as `DOCKER_CONFIG`, for a test that logs in: with Compose and nothing else.
    pub(crate) fn config(&self, folder: &Path) {
        compose().map(|compose| self.config_in(folder, &compose)).unwrap();
    }

    fn config_in(&self, folder: &Path, compose: &Compose) {
        fs::create_dir_all(folder).unwrap();
        // Podman, which reads it too, stops where it is missing.
        fs::write(folder.join("config.json"), "{}").unwrap();
        if let Compose::In(plugins) = compose {
            std::os::unix::fs::symlink(plugins, folder.join("cli-plugins")).unwrap();
        }
    }

    fn wait(&self) {
        let started = Instant::now();
        let arguments = ["version", "--format", "{{.Server.Version}}"];
        let socket = self.folder.join(format!("{}.sock", self.kind.name()));
        while !socket.exists() || self.kind == Kind::Docker && self.ran(&arguments).code != Some(0)
        {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(30), "no {}: {log}", self.kind.name());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Engine {
    /// The end of the keeper's input is what ends it.
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        assert!(self.keeper.wait().is_ok());
    }
}

impl Kind {
    /// Its program, and the part of the tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Where Compose v2 is.
enum Compose {
    /// Where every Docker finds it.
    Installed,
    /// In this folder of plugins.
    In(PathBuf),
}

/// Compose, if there is one of version 2 or later.
fn compose() -> Option<Compose> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folders = [tools().join("docker/cli-plugins"), home.join(".docker/cli-plugins")];
    if let Some(found) = folders.into_iter().find(|folder| folder.join("docker-compose").exists()) {
        return Some(Compose::In(found));
    }
    let version = Command::new("docker").args(["compose", "version"]).output();
    if version.is_ok_and(|output| output.status.success()) {
        return Some(Compose::Installed);
    }
    skip("compose", "not installed");
    None
}

/// A folder and a share of the addresses 10.0.0.0/8 that no other engine of any test has, here and
/// now. What somebody left there who was killed is removed.
struct Claim {
    number: u8,
    folder: PathBuf,
    /// Held by whoever has it open.
    lock: File,
}

impl Claim {
    fn new() -> Self {
        let addresses = Command::new("ip").args(["-o", "-4", "address"]).output().unwrap();
        let addresses = String::from_utf8(addresses.stdout).unwrap();
        let claims = (128..192).filter_map(|number| {
            let folder = std::env::temp_dir().join(format!("waveoff-engine-{number}"));
            let lock = File::create(folder.with_extension("lock")).ok()?;
            lock.try_lock().ok()?;
            let claim = Self { number, folder, lock };
            if claim.folder.exists() {
                assert!(keeper("clean", &claim).status().unwrap().success());
            } else if addresses.contains(&format!(" 10.{number}.")) {
                return None;
            }
            fs::create_dir(&claim.folder).ok()?;
            Some(claim)
        });
        claims.into_iter().next().unwrap()
    }
}

/// What keeps an engine, in a process group that is not interrupted with ours.
fn keeper(what: &str, claim: &Claim) -> Command {
    use std::os::unix::process::CommandExt as _;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/engine.sh");
    let mut command = Command::new("sh");
    command.args([script, what]).arg(&claim.folder).arg(claim.number.to_string());
    command.stdin(Stdio::null()).process_group(0);
    command
}
