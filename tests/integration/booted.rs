//! A machine whose process 1 is a real systemd, that can lose its power and boot again.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::Ran;
use crate::parts::{part, part_of, skip};

/// How long anything may take there.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Booted {
    folder: TempDir,
    shared: Arc<TempDir>,
    machine: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// systemd, as this machine knows it.
    pid: String,
}

impl Booted {
    /// One that is up, with this folder; none where it cannot be had.
    pub(crate) fn new(shared: &Arc<TempDir>) -> Option<Self> {
        for program in ["systemctl", "unshare", "nsenter", "setpriv"] {
            part_of("systemd-analyze", program)?;
        }
        part("dbus-daemon")?;
        if !rustix::process::geteuid().is_root() {
            skip("booted", "only to be had by root");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let mut machine = machine(folder.path(), shared.path());
        let (orders, answers) = (machine.stdin.take(), machine.stdout.take().unwrap());
        let (answers, shared, pid) = (BufReader::new(answers), shared.clone(), String::new());
        let mut booted = Self { folder, shared, machine, orders, answers, pid };
        if let Err(why) = booted.boot() {
            skip("booted", &why);
            return None;
        }
        Some(booted)
    }

    /// Switches it on, and waits until systemd has started all that it should, or tried to.
    ///
    /// # Errors
    /// Why that does not work, which may be this machine's fault.
    pub(crate) fn boot(&mut self) -> Result<(), String> {
        self.pid = self.order("boot");
        let started = Instant::now();
        loop {
            let ran = self.ran(&["systemctl", "is-system-running"]);
            if matches!(ran.stdout.trim(), "running" | "degraded") {
                return Ok(());
            }
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            if self.pid.parse::<u32>().is_err() || started.elapsed() > LONG {
                return Err(format!("not up: {} {}", ran.stdout.trim(), log.trim()));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Takes its power away: nothing there is told.
    pub(crate) fn cut_power(&mut self) {
        assert_eq!(self.order("cut"), "done");
    }

    /// Shuts it down, in order; what runs is told to end, and has the time that it is given.
    pub(crate) fn shut_down(&mut self) {
        // As `systemctl reboot` has it done by logind, which is not there: nothing can come between.
        let words = ["systemctl", "--no-block", "--job-mode=replace-irreversibly", "start"];
        self.tell(&[&words[..], &["reboot.target"]].concat());
        let process = Path::new("/proc").join(&self.pid);
        self.until("it has shut down", |_| !process.exists());
        assert_eq!(self.order("ended"), "done");
    }

    /// A command there, by root, in the shared folder.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--mount", "--uts", "--ipc", "--pid", "--cgroup"]);
        command.arg("--").args(["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
        // Namespaces are entered before the folder is looked for.
        let enter = "cd \"$0\" && exec \"$@\"";
        command.args(["sh", "-c", enter]).arg(self.shared.path()).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it comes to.
    pub(crate) fn ran(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }

    /// What it prints; it must succeed.
    #[track_caller]
    pub(crate) fn tell(&self, words: &[&str]) -> String {
        self.ran(words).expect_code(0).stdout.trim_end().to_owned()
    }

    /// Writes a file there.
    #[track_caller]
    pub(crate) fn write(&self, file: &str, text: &str) {
        let mut command = self.command(&["sh", "-c", "mkdir -p \"${0%/*}\" && cat >\"$0\"", file]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap()).expect_code(0);
    }

    /// One property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.tell(&["systemctl", "show", "--value", "-p", name, unit])
    }

    /// Waits for something there.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < LONG, "{what} within {LONG:?}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn order(&mut self, word: &str) -> String {
        let mut answer = String::new();
        let orders = self.orders.as_mut().unwrap();
        if writeln!(orders, "{word}").is_ok() {
            self.answers.read_line(&mut answer).unwrap();
        }
        answer.trim().to_owned()
    }
}

impl Drop for Booted {
    /// The end of the orders is the end of the machine.
    fn drop(&mut self) {
        drop(self.orders.take());
        assert!(self.machine.wait().is_ok());
    }
}

fn machine(folder: &Path, shared: &Path) -> Child {
    use std::os::unix::process::CommandExt as _;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/booted.sh");
    let mut machine = Command::new("sh");
    machine.arg(script).arg(folder).arg(shared).arg(env!("CARGO_BIN_EXE_waveoff"));
    machine.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    machine.stderr(fs::File::create(folder.join("log")).unwrap());
    machine.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn().unwrap()
}
