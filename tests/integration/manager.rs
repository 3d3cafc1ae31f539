//! A real systemd of one test: a user's manager with its journal, beside whatever runs this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::Program;
use crate::parts::{part, skip};

/// Only the manager and its journal see a `/run` that says that systemd has booted. They are put
/// into a control group of their own, by whose name the journal knows a user's units.
const SCRIPT: &str = r#"
set -e
group=waveofftest$$.slice
for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -e $root/cgroup.procs ] || continue
  mkdir -p $root/$group/user@0.service
  echo $$ >$root/$group/user@0.service/cgroup.procs
done
echo $group >"$HOME/group"
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' >/run/systemd/journald.conf.d/test.conf
/lib/systemd/systemd-journald &
echo $! >"$HOME/journald.pid"
exec /lib/systemd/systemd --user
"#;

/// The manager; it and all that it started end with this.
pub(crate) struct Manager {
    folder: TempDir,
    process: Child,
}

impl Manager {
    /// In a folder of its own; none where there is no systemd, or only root may do this. It sees the
    /// mounts that are there now.
    pub(crate) fn new() -> Option<Self> {
        let (_, unshare, nsenter) = (part("systemctl")?, part("unshare")?, part("nsenter")?);
        let journal = part("journalctl")?;
        let may = Command::new(&unshare).args(["--mount", "true"]).output().unwrap();
        if !may.status.success() {
            skip("systemd", "only for root");
            return None;
        }
        let own = TempDir::new().unwrap();
        let folder = own.path();
        for sub in ["run", "home/.config/systemd/user", "bin"] {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(unshare);
        command
            .args(["--mount", "sh", "-c", SCRIPT])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.join("home"))
            .env("XDG_RUNTIME_DIR", folder.join("run"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let process = command.spawn().unwrap();
        // The journal is read where it is written; all else of the call is as it was made.
        let journalctl = format!(
            "#!/bin/sh\nexec {} -t {} -m {} \"$@\"\n",
            nsenter.display(),
            process.id(),
            journal.display()
        );
        write_program(&folder.join("bin/journalctl"), &journalctl);
        let manager = Self { folder: own, process };
        let started = Instant::now();
        while !manager.is_up() {
            if started.elapsed() > Duration::from_secs(20) {
                let log = fs::read_to_string(manager.folder.path().join("log")).unwrap_or_default();
                skip("systemd", &format!("not running: {}", log.lines().last().unwrap_or("")));
                return None;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Some(manager)
    }

    /// Whether it has begun; asked by what needs no booted machine.
    fn is_up(&self) -> bool {
        let state = self.systemctl(&["show", "--value", "-p", "SystemState"]);
        matches!(state.trim(), "running" | "degraded")
    }

    /// With what a program needs to find it.
    pub(crate) fn env(&self, program: Program) -> Program {
        let path = std::env::var("PATH").unwrap_or_default();
        program
            .env("XDG_RUNTIME_DIR", &self.folder.path().join("run").display().to_string())
            .env("PATH", &format!("{}/bin:{path}", self.folder.path().display()))
    }

    /// The home of its user.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a unit, and tells the manager.
    pub(crate) fn unit(&self, name: &str, text: &str) {
        fs::write(self.home().join(".config/systemd/user").join(name), text).unwrap();
        self.systemctl(&["daemon-reload"]);
    }

    /// What `systemctl --user` prints.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("systemctl");
        command.arg("--user").args(arguments);
        command.env("XDG_RUNTIME_DIR", self.folder.path().join("run")).env("HOME", self.home());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// One property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "-p", name, unit]).trim().to_owned()
    }

    /// Waits for a property of a unit.
    pub(crate) fn until(&self, unit: &str, name: &str, holds: impl Fn(&str) -> bool) {
        within_20_s(unit, || holds(&self.property(unit, name)));
    }

    /// Waits until a unit's journal has this.
    pub(crate) fn until_said(&self, unit: &str, text: &str) {
        let journalctl = self.folder.path().join("bin/journalctl");
        within_20_s(unit, || {
            let unit = format!("--user-unit={unit}");
            let told = Command::new(&journalctl).args(["--no-pager", &unit]).output().unwrap();
            String::from_utf8_lossy(&told.stdout).contains(text)
        });
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let journald = fs::read_to_string(self.home().join("journald.pid")).unwrap_or_default();
        // It stops its units when it is told to end.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let started = Instant::now();
        while self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if started.elapsed() > Duration::from_secs(15) {
                let _ = self.process.kill();
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        if !journald.trim().is_empty() {
            let _ = Command::new("kill").arg(journald.trim()).status();
        }
        let group = fs::read_to_string(self.home().join("group")).unwrap_or_default();
        let group = group.trim();
        if group.starts_with("waveofftest") {
            for root in ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
                // Groups are removed like folders, those below first.
                let _ = Command::new("find")
                    .args([&format!("{root}/{group}"), "-depth", "-type", "d", "-delete"])
                    .stderr(Stdio::null())
                    .status();
            }
        }
    }
}

fn within_20_s(unit: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "unit {unit} does not get there");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Writes a file that can be run.
pub(crate) fn write_program(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
