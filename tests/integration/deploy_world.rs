//! A machine of its own for each test of `waveoff`: a folder, a port, the sample service.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Program, Ran, closed_port};

/// The published example, with a switch for the bad versions.
pub(crate) fn process_config() -> String {
    include_str!("../../examples/process/waveoff.yml")
        .replace("--bad-versions, v2", "--bad-versions, \"${BAD:-v2}\"")
}

pub(crate) struct World {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) port: u16,
}

impl World {
    /// With the example of a process.
    pub(crate) fn new() -> Self {
        Self::with(&process_config())
    }

    pub(crate) fn with(config: &str) -> Self {
        let world = Self { folder: Arc::new(TempDir::new().unwrap()), port: closed_port() };
        world.write("waveoff.yml", config);
        world
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        if text.starts_with("#!") {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// `waveoff` with these arguments, and the state in this world.
    pub(crate) fn waveoff(&self, arguments: &[&str]) -> Program {
        let state = self.folder.path().join("state").display().to_string();
        let program = Program::within("waveoff", &self.folder).args(arguments);
        self.surroundings(program).env("WAVEOFF_STATE", &state)
    }

    /// With the variables that the configurations need.
    pub(crate) fn surroundings(&self, program: Program) -> Program {
        let folder = self.folder.path().display();
        program
            .env("SHOP", &sample_service())
            .env("SHOP_PORT", &self.port.to_string())
            .env("SHOP_HOME", &format!("{folder}/home"))
            .env("SHOP_DIR", &folder.to_string())
    }

    /// The process id of the engine that has the lock.
    pub(crate) fn engine(&self) -> String {
        let lock = self.folder.path().join("state/shop/production/lock");
        let owner: Value = serde_json::from_str(&std::fs::read_to_string(lock).unwrap()).unwrap();
        owner["pid"].to_string()
    }

    pub(crate) fn deploy(&self, version: &str) -> Program {
        self.waveoff(&["deploy", "--version", version, "--report", "report.json"])
    }

    /// The version that answers now.
    pub(crate) fn version(&self) -> Option<String> {
        version_at(self.port)
    }

    pub(crate) fn report(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join("report.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn ledger_file(&self) -> std::path::PathBuf {
        self.folder.path().join("state/shop/production/ledger.jsonl")
    }

    /// The events of the ledger: their names, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.ledger_file()).unwrap_or_default();
        let event = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].clone();
        text.lines().map(|line| event(line).as_str().unwrap().to_owned()).collect()
    }

    /// Every file with its content.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        collect(self.folder.path(), &mut tree);
        tree
    }

    /// Waits for something to become true.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < Duration::from_secs(30), "{what} within 30 s");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for file in ["state/shop/production/process.pid", "home/pid"] {
            let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
            if let Some(pid) = text.split_whitespace().next() {
                let _ = Command::new("kill").arg(pid).stderr(Stdio::null()).status();
            }
        }
    }
}

/// The version that answers on a port of this machine; none when nothing does.
pub(crate) fn version_at(port: u16) -> Option<String> {
    let answer = ureq::get(format!("http://127.0.0.1:{port}/version")).call().ok()?;
    Some(answer.headers().get("X-Version")?.to_str().unwrap().to_owned())
}

pub(crate) fn finish(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

/// Cargo builds examples beside the programs.
pub(crate) fn sample_service() -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_waveoff")).parent().unwrap();
    let file = programs.join("examples/sample-service");
    assert!(file.exists(), "cargo build --example sample-service");
    file.display().to_string()
}

fn collect(folder: &Path, tree: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree.insert(path.display().to_string(), Vec::new());
            collect(&path, tree);
        } else {
            tree.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
}
