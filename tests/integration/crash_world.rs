//! Services that are deployed in each way there is, and the proof that nothing of a deployment is
//! half done: one release answers, nothing is left over, and the ledger agrees.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::crash_kills::{Running, Victim, quiet};
use crate::crash_router::{Balancer, Router};
use crate::crash_scripts::SCRIPTS;
use crate::deploy_world::{World, sample_service, version_at};
use crate::harness::{Program, closed_port};
use crate::manager::Manager;

/// How a release is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Process,
    Command,
    Systemd,
}

/// A service of its own, with the ports of its places and what sends requests there.
pub(crate) struct Shop {
    /// What runs the units; it ends before its folder is gone.
    manager: Option<Manager>,
    pub(crate) world: World,
    /// The slots' ports; of one place, where releases take each other's place.
    pub(crate) ports: Vec<u16>,
    /// Where everybody asks.
    pub(crate) public: u16,
    router: Option<Router>,
    /// The port of what stays outside of the slots.
    pub(crate) worker: Option<u16>,
    /// Whether each release has a migration of its own.
    migrates: bool,
}

const PROCESS: &str = r#"
platform:
  process:
    start: ["${SHOP}", --port, "{{port}}", --version, "{{version}}", --bad-versions, v2]
    grace: 2s
"#;

const COMMAND: &str = r"
platform:
  command:
    deploy: [./ship.sh]
    stop: [./stop.sh]
    running: [./running.sh]
";

const SYSTEMD: &str = r#"
platform:
  systemd:
    artifact: dist/shop-{{version}}.tar
    folder: "${SHOP_DIR}/opt"
    units: [UNIT]
    user: true
    keep: 2
    settle: 100ms
"#;

/// Which version it is, its program is told by systemd.
const UNIT: &str = "[Service]\nExecStart=FOLDER/opt/PLACE/bin/shop\nEnvironment=SHOP=PROGRAM SHOP_DIR=FOLDER\n\
                    EnvironmentFile=FOLDER/opt/NAME.env\nRestart=on-failure\n";

/// The database is a file; `ship.sh` does not start code that does not fit it.
const MIGRATE: &str = r"
migrate:
  command: [./migrate.sh]
  restore: [./restore.sh]
  version: [./schema.sh]
";

const CHECKS: &str = r"
checks:
  - name: answers
    path: /version
    within: 30s
    interval: 50ms
    expect: [{ status: 200 }, { version: { header: X-Version } }]
  - name: health
    path: /health/full
    health: auto
    critical: [postgres, redis]
    attempts: 2
    interval: 50ms
";

impl Shop {
    /// In place, each release with a migration of its own that is taken back with it.
    pub(crate) fn rolling(platform: Platform) -> Self {
        let port = closed_port();
        let strategy = "strategy:\n  rolling: { watch: 200ms, interval: 100ms, failures: 2 }\n";
        let text = match platform {
            Platform::Process => {
                PROCESS.replace("    grace", &format!("    port: {port}\n    grace"))
            }
            Platform::Command => format!("{COMMAND}\npublic: http://127.0.0.1:{port}\n"),
            Platform::Systemd => {
                format!("{}    port: {port}\n", SYSTEMD.replace("UNIT", "shop.service"))
            }
        };
        Self::with(&format!("{text}{strategy}{MIGRATE}"), vec![port], port, None)
    }

    /// In place, in two parts.
    pub(crate) fn two_parts() -> Self {
        let ports = vec![closed_port(), closed_port()];
        let part = |name: &str, port: u16| {
            let part = format!("  - name: {name}{}", COMMAND.replace('\n', "\n    "));
            format!("{}\n        env: {{ PORT: \"{port}\" }}\n", part.trim_end())
        };
        let (api, web) = (part("api", ports[0]), part("web", ports[1]));
        let public = format!("public: http://127.0.0.1:{}\n", ports[0]);
        let strategy = "strategy:\n  rolling: { watch: 0s }\n";
        let config = format!("components:\n{api}{web}{public}{strategy}{MIGRATE}");
        let public = ports[0];
        Self::with(&config, ports, public, None)
    }

    /// Beside each other, behind a router; none where that is not installed.
    pub(crate) fn blue_green(platform: Platform, balancer: Balancer) -> Option<Self> {
        let (ports, public) = (vec![closed_port(), closed_port()], closed_port());
        let router = Router::new(balancer, &ports, public)?;
        let text = match platform {
            Platform::Process => PROCESS.to_owned(),
            Platform::Command => COMMAND.to_owned(),
            Platform::Systemd => SYSTEMD.replace("UNIT", "\"shop@{{slot}}.service\""),
        };
        let strategy = format!(
            "strategy:\n  blue-green:\n    slots: {{ blue: {}, green: {} }}\n    watch: 200ms\n    \
             interval: 100ms\n    failures: 2\n    drain: 200ms\n",
            ports[0], ports[1]
        );
        let config =
            format!("{text}{strategy}{}public: http://127.0.0.1:{public}\n", router.config());
        Some(Self::with(&config, ports, public, Some(router)))
    }

    /// Beside each other, and a worker that is restarted in place.
    pub(crate) fn with_worker() -> Self {
        let (ports, public) = (vec![closed_port(), closed_port()], closed_port());
        let router = Router::new(Balancer::Command, &ports, public).unwrap();
        let part = |name: &str, more: &str| {
            let platform = PROCESS.trim_end().replace('\n', "\n    ");
            format!("  - name: {name}{platform}{more}\n")
        };
        let port = closed_port();
        let worker = part("worker", &format!("\n        port: {port}\n    in-place: true"))
            .replace("[\"${SHOP}\",", "[./worker.sh,");
        let config = format!(
            "components:\n{}{worker}strategy:\n  blue-green:\n    slots: {{ blue: {}, green: {} }}\n    \
             watch: 200ms\n    interval: 100ms\n    failures: 2\n    drain: 200ms\n{}\
             public: http://127.0.0.1:{public}\n",
            part("web", ""),
            ports[0],
            ports[1],
            router.config()
        );
        let mut shop = Self::with(&config, ports, public, Some(router));
        shop.worker = Some(port);
        shop.world.write("worker.sh", "#!/bin/sh\nexec \"$SHOP\" \"$@\"\n");
        shop
    }

    fn with(config: &str, ports: Vec<u16>, public: u16, router: Option<Router>) -> Self {
        let mut world = World::with(&format!("version: 1\nservice: shop\n{config}{CHECKS}"));
        world.port = public;
        for (name, text) in SCRIPTS {
            world.write(name, text);
        }
        world.write("home/.keep", "");
        let migrates = config.contains(MIGRATE);
        Self { manager: None, world, ports, public, router, worker: None, migrates }
    }

    /// Each release with a migration of its own that is taken back with it.
    pub(crate) fn migrating(mut self) -> Self {
        let config = fs::read_to_string(self.folder().join("waveoff.yml")).unwrap();
        self.world.write("waveoff.yml", &format!("{config}{MIGRATE}"));
        self.migrates = true;
        self
    }

    /// Of units that a real systemd runs; none where there is none.
    pub(crate) fn under_systemd(mut self) -> Option<Self> {
        let folder = self.folder();
        let manager = Manager::new()?;
        let text = UNIT.replace("FOLDER", &folder.display().to_string());
        let text = text.replace("PROGRAM", &sample_service());
        if self.router.is_some() {
            let text = text.replace("PLACE", "slots/%i").replace("NAME", "slots/%i");
            manager.unit("shop@.service", &text);
        } else {
            manager
                .unit("shop.service", &text.replace("PLACE", "current").replace("NAME", "waveoff"));
        }
        let program = "#!/bin/sh\nexec \"$SHOP\" --port \"$PORT\" --bad-versions v2\n";
        self.world.write("dist/.keep", "");
        // More than are ever deployed; what has one digest is one release.
        for number in (1..=400).chain([100_000]) {
            let file = fs::File::create(folder.join(format!("dist/shop-v{number}.tar"))).unwrap();
            let mut archive = tar::Builder::new(file);
            for (name, mode, text) in
                [("bin/shop", 0o755, program), ("number", 0o644, &number.to_string())]
            {
                let mut header = tar::Header::new_gnu();
                header.set_size(text.len() as u64);
                header.set_mode(mode);
                archive.append_data(&mut header, name, text.as_bytes()).unwrap();
            }
            archive.finish().unwrap();
        }
        self.manager = Some(manager);
        Some(self)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.world.folder.path().to_owned()
    }

    /// A script that does more, at the line `# before` or `# after`.
    pub(crate) fn script(&self, name: &str, at: &str, more: &str) {
        let (_, text) = SCRIPTS.iter().find(|(script, _)| *script == name).unwrap();
        self.world.write(name, &text.replace(&format!("# {at}\n"), &format!("{more}\n")));
    }

    /// What runs here.
    pub(crate) fn running(&self) -> Running {
        Running::in_world(&self.world)
    }

    /// Whether a deployment was begun and not ended, as its journal tells.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.runs().iter().any(|run| {
            let text = fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
            !text.is_empty() && !text.contains("\"entry\":\"ended\"")
        })
    }

    /// Who traces what runs here.
    pub(crate) fn tracers(&self) -> Vec<u32> {
        let Running { ours, services } = self.running();
        let tracer = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
            line.and_then(|pid| pid.trim().parse().ok()).filter(|pid| *pid != 0)
        };
        let mut tracers: Vec<u32> = ours.iter().chain(&services).filter_map(tracer).collect();
        tracers.sort_unstable();
        tracers.dedup();
        tracers
    }

    /// Waits until no program of ours runs any more.
    pub(crate) fn quiet(&self) {
        quiet(&self.world);
    }

    /// The version that answers; none when nothing does.
    pub(crate) fn answers(&self, port: u16) -> Option<String> {
        version_at(port)
    }

    pub(crate) fn schema(&self) -> String {
        let text = fs::read_to_string(self.folder().join("home/schema")).unwrap_or_default();
        text.trim().to_owned()
    }

    fn processes(&self, pids: &[u32]) -> String {
        let line = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        pids.iter()
            .map(|pid| String::from_utf8_lossy(&line(pid)).replace('\0', " ") + "\n")
            .collect()
    }
}

impl Victim for Shop {
    fn world(&self) -> &World {
        &self.world
    }

    fn state(&self) -> PathBuf {
        self.folder().join("state/shop/production")
    }

    fn waveoff(&self, arguments: &[&str]) -> Program {
        let program = self.world.waveoff(arguments);
        let program = match &self.manager {
            Some(manager) => manager.env(program),
            None => program,
        };
        match &self.router {
            Some(router) => program.env("ROUTED", &router.memory()),
            None => program,
        }
    }

    #[track_caller]
    fn proven(&self) -> String {
        self.quiet();
        let live = self.live();
        // nginx takes a configuration a moment after it was told to.
        self.world.until("the live version answers", |_| {
            self.answers(self.public).as_deref() == Some(live.as_str())
        });
        for _ in 0..10 {
            assert_eq!(self.answers(self.public).as_deref(), Some(live.as_str()));
        }
        let serving: Vec<_> = self.ports.iter().filter_map(|port| self.answers(*port)).collect();
        assert_eq!(serving.join(" "), live, "one place serves, and the other one is empty");
        let running = self.running();
        let count = 1 + usize::from(self.worker.is_some());
        assert_eq!(
            running.services.len(),
            count,
            "{running:?} {}",
            self.processes(&running.services)
        );
        if let Some(worker) = self.worker {
            let answers = self.answers(worker);
            assert_eq!(answers.as_ref(), Some(&live), "the worker is of the same release");
        }
        self.no_residue();
        if self.migrates {
            assert_eq!(self.schema(), live, "the database fits the code");
        }
        self.ledger_ends_with(&live);
        live
    }
}

impl Drop for Shop {
    /// Everything that was started here is known by its environment.
    fn drop(&mut self) {
        let Running { ours, services } = self.running();
        for pid in ours.iter().chain(&services) {
            kill(*pid);
        }
    }
}

/// Ends a process that a test started, at once.
pub(crate) fn kill(pid: u32) {
    let kill =
        Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
    assert!(kill.is_ok());
}

/// Waits for a child and for what it wrote.
pub(crate) fn code_of(child: Child) -> Option<i32> {
    child.wait_with_output().unwrap().status.code()
}
