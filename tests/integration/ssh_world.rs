//! A caller's machine and a host that is reached over ssh, with a line between them that can be in
//! trouble.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::deploy_world::World;
use crate::engines::Engine;
use crate::harness::Program;
use crate::proxy::Proxy;
use crate::sshd::{Sshd, USER};

/// What nobody may see.
pub(crate) const SECRET: &str = "a-token-that-nobody-sees";

/// The key of the deploying user, and how the host is known.
pub(crate) const SSH: &str = "\
host: ssh://root@127.0.0.1:${LINE}
ssh:
  key: \"${DEPLOY_KEY}\"
  known-hosts: \"${HOST_KEYS}\"
state: ${HOST_STATE}
";

/// A deploy command that waits while there is a file `wait`, and says a line before and behind.
pub(crate) const SHIP: &str = "#!/bin/sh
set -eu
echo \"began $WAVEOFF_VERSION\"
touch \"$SHOP_HOME/began\"
while [ -e \"$SHOP_HOME/wait\" ]; do sleep 0.02; done
echo \"$WAVEOFF_VERSION\" >\"$SHOP_HOME/live\"
echo \"ended $WAVEOFF_VERSION\"
";

/// The release is a file, and its check is a command on the host.
pub(crate) const FILE: &str = "\
version: 1
service: shop
upload: [ship.sh]
platform:
  command: { deploy: [./ship.sh], env: { SHOP_HOME: \"${SHOP_HOME}\", TOKEN: \"${APP_TOKEN}\" } }
checks:
  - name: is-there
    command: [grep, -q, v, \"${SHOP_HOME}/live\"]
    attempts: 1
";

pub(crate) struct Far {
    pub(crate) world: World,
    pub(crate) host: Sshd,
    pub(crate) line: Proxy,
    cache: PathBuf,
}

impl Far {
    /// With a configuration that is done on the host; none where there is no sshd.
    pub(crate) fn new(config: &str) -> Option<Self> {
        // Programs are large, and most tests are about something else than their way.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ssh-cache");
        Self::with_cache(config, cache, &[])
    }

    /// With a host that has an engine for containers, and finds its programs by this path.
    pub(crate) fn with_engine(config: &str, engine: &Engine, path: String) -> Option<Self> {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ssh-cache");
        Self::with_cache(config, cache, &[&[("PATH", path)], &engine.variables()[..]].concat())
    }

    /// With a cache of its own, and with what its commands are given besides.
    pub(crate) fn with_cache(
        config: &str,
        cache: PathBuf,
        variables: &[(&'static str, String)],
    ) -> Option<Self> {
        let cached = [("XDG_CACHE_HOME", cache.display().to_string())];
        let host = Sshd::with(&[&cached[..], variables].concat())?;
        let world = World::with(&format!("{config}{SSH}"));
        world.write("ship.sh", SHIP);
        let line = Proxy::to(host.port);
        std::fs::create_dir_all(world.folder.path().join("home")).unwrap();
        Some(Self { world, host, line, cache })
    }

    /// The files of the programs that the host keeps.
    pub(crate) fn programs(&self) -> Vec<PathBuf> {
        let bin = self.cache.join("waveoff/bin");
        let kept = std::fs::read_dir(bin).into_iter().flatten().map(|entry| entry.unwrap().path());
        kept.collect()
    }

    pub(crate) fn waveoff(&self, arguments: &[&str]) -> Program {
        self.from(self.line.port, arguments)
    }

    /// The same by another port.
    pub(crate) fn from(&self, port: u16, arguments: &[&str]) -> Program {
        self.called_by(&self.world, port, arguments)
    }

    /// The same by a caller with another folder and home.
    pub(crate) fn called_by(&self, caller: &World, port: u16, arguments: &[&str]) -> Program {
        let program = Program::within("waveoff", &caller.folder).args(arguments);
        caller
            .surroundings(program)
            .env("LINE", &port.to_string())
            .env("DEPLOY_KEY", self.host.private_key().trim_end())
            .env("HOST_KEYS", self.host.known_hosts(port).trim_end())
            .env("HOST_STATE", &self.state().display().to_string())
            .env("APP_TOKEN", SECRET)
    }

    pub(crate) fn deploy(&self, version: &str) -> Program {
        self.waveoff(&["deploy", "--version", version, "--report", "report.json"])
    }

    /// The host's state folder, which nobody else would find.
    pub(crate) fn state(&self) -> PathBuf {
        self.host.home().join("state")
    }

    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.world.folder.path().join("home").join(name)
    }

    /// The release that is there.
    pub(crate) fn live(&self) -> String {
        std::fs::read_to_string(self.home("live")).unwrap_or_default().trim().to_owned()
    }

    /// Starts a deployment that waits in its command, and waits until it is there.
    pub(crate) fn waiting(&self, version: &str) -> Child {
        std::fs::write(self.home("wait"), "").unwrap();
        let _ = std::fs::remove_file(self.home("began"));
        let child = self.deploy(version).start().0;
        self.until("the command began", || self.home("began").exists());
        std::fs::remove_file(self.home("began")).unwrap();
        child
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        std::fs::remove_file(self.home("wait")).unwrap();
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < Duration::from_secs(30), "{what} within 30 s");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The private folders of ssh that are left on the caller's machine.
    pub(crate) fn kits(&self) -> Vec<PathBuf> {
        let folder = self.world.folder.path().join(".local/state/waveoff-ssh");
        // HOME of our programs is the folder; below a plain path, this is where they are.
        let all = std::fs::read_dir(folder).into_iter().flatten();
        all.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Every file below a folder that has this text in it.
pub(crate) fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(holding(&path, text));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

/// The command lines of all processes, of this machine and of the hosts on it.
pub(crate) fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let line = |path: PathBuf| std::fs::read(path.join("cmdline")).ok();
    let lines = processes.filter_map(|entry| line(entry.path()));
    lines.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

/// The address of a host that has this one's user.
pub(crate) fn address(host: &str) -> String {
    format!("ssh://{USER}@{host}")
}
