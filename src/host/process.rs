//! Programs: run with bounds, started for good, asked whether they live, stopped.

mod group;

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Moment;
use super::signals::Cancel;
use crate::config::values::{Argv, Secret};
use crate::decide::observation::CommandOutput;

use group::signal_group;
pub(in crate::host) use group::stat;
pub use group::{Started, environment, is_alive, read_pid, read_pid_file, stop, stop_remains};

/// Output that is kept of each stream: its end.
const KEPT: usize = 64 << 10;
/// How often a child is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);
/// How long to go on reading after the child has ended: a process that it left behind may hold
/// the other end of the pipe for ever.
const DRAIN: Duration = Duration::from_millis(300);
/// Time between SIGTERM and SIGKILL for a command that is out of time.
const GRACE: Duration = Duration::from_secs(5);

/// The variable that names the file in which a program's process id is kept. By it a group is
/// known whose leader is gone.
const KEPT_IN: &str = "WAVEOFF_RECORD";

/// A program to run, as data: never a shell string.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// The program and its arguments.
    pub argv: Argv,
    /// Environment besides the caller's.
    pub env: Vec<(String, Secret)>,
    /// The working folder; the caller's if absent.
    pub dir: Option<String>,
}

impl CommandSpec {
    /// A program in the caller's folder and environment.
    pub fn new(argv: Argv) -> Self {
        Self { argv, env: Vec::new(), dir: None }
    }

    /// The same, with the name of the file in which its process id will be kept: see
    /// [`stop_remains`].
    #[must_use]
    pub fn kept_in(mut self, file: &str) -> Self {
        self.env.push((KEPT_IN.into(), Secret::new(file)));
        self
    }

    /// The same, waiting for a line before it begins.
    fn behind_gate(&self) -> Self {
        let gate = GATE.iter().map(|word| (*word).to_owned());
        Self { argv: Argv(gate.chain(self.argv.0.iter().cloned()).collect()), ..self.clone() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.argv.0[0]);
        command.args(&self.argv.0[1..]);
        command.envs(self.env.iter().map(|(name, value)| (name, value.expose())));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        own_group(&mut command);
        command
    }
}

/// What a program would lack if it were started now: its folder, or itself. The program's own
/// environment decides where it is looked for, as it does when it is started.
pub fn missing(spec: &CommandSpec) -> Option<String> {
    let dir = Path::new(spec.dir.as_deref().unwrap_or("."));
    if !dir.is_dir() {
        return Some(format!("there is no folder {}", dir.display()));
    }
    let program = &spec.argv.0[0];
    if program.contains(std::path::is_separator) {
        // Relative to the folder, since that is entered first (`Command::current_dir`).
        let file = dir.join(program);
        return (!is_program(&file)).then(|| format!("there is no program {}", file.display()));
    }
    let own = spec.env.iter().rfind(|(name, _)| name == "PATH");
    let path = own.map(|(_, path)| path.expose().to_owned()).or_else(|| super::env::var("PATH"));
    let path = path.unwrap_or_default();
    let found =
        std::env::split_paths(&path).any(|folder| is_program(&dir.join(folder).join(program)));
    (!found).then(|| format!("there is no program {program} in PATH"))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Elsewhere a suffix may be left out, and the system alone knows which.
#[cfg(not(unix))]
fn is_program(_: &Path) -> bool {
    true
}

/// How a run ended.
#[derive(Debug)]
pub enum Ran {
    /// By itself.
    Ended(CommandOutput),
    /// We ended it after its time.
    TimedOut(CommandOutput),
    /// We ended it because of a cancellation.
    Cancelled(CommandOutput),
}

/// Receives output as it comes.
pub type Relay = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Runs a program to its end; or to its time-out or a cancellation, and then its whole process
/// group is ended. Standard input is empty.
///
/// # Errors
/// When it cannot be started.
pub fn run(
    spec: &CommandSpec,
    timeout: Duration,
    cancel: &Cancel,
    relay: Option<Relay>,
) -> io::Result<Ran> {
    let mut command = spec.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    follow(command.spawn()?, timeout, cancel, relay, KEPT)
}

/// Runs a program as [`run`] does, and keeps the last `most` bytes of each stream: for answers that
/// are long.
///
/// # Errors
/// When it cannot be started.
pub fn run_keeping(
    spec: &CommandSpec,
    timeout: Duration,
    cancel: &Cancel,
    most: usize,
) -> io::Result<Ran> {
    let mut command = spec.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    follow(command.spawn()?, timeout, cancel, None, most)
}

/// Runs a program as [`run`] does, with a line on its standard input.
///
/// # Errors
/// When it cannot be started.
pub fn run_told(
    spec: &CommandSpec,
    line: &str,
    timeout: Duration,
    cancel: &Cancel,
) -> io::Result<Ran> {
    let mut command = spec.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // One that does not listen says so by how it ends.
    let _ = child.stdin.take().map(|mut stdin| writeln!(stdin, "{line}"));
    follow(child, timeout, cancel, None, KEPT)
}

/// Runs a program as [`run`] does, but only after `keep` has written down which process it is:
/// one that outlives us can be found and ended.
///
/// # Errors
/// When it cannot be started, or `keep` fails.
pub fn run_kept(
    spec: &CommandSpec,
    timeout: Duration,
    cancel: &Cancel,
    relay: Option<Relay>,
    keep: impl FnOnce(Started) -> io::Result<()>,
) -> io::Result<Ran> {
    let mut command = spec.behind_gate().command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    open_gate(&mut child, keep)?;
    follow(child, timeout, cancel, relay, KEPT)
}

/// Goes with a child to its end.
fn follow(
    mut child: Child,
    timeout: Duration,
    cancel: &Cancel,
    relay: Option<Relay>,
    most: usize,
) -> io::Result<Ran> {
    let started = Moment::now();
    let stdout = Tail::of(child.stdout.take(), relay.clone(), most);
    let stderr = Tail::of(child.stderr.take(), relay, most);
    let mut ended: fn(CommandOutput) -> Ran = Ran::Ended;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() >= timeout {
            ended = Ran::TimedOut;
            break end_group(&mut child)?;
        }
        if cancel.sleep(TICK.min(timeout.saturating_sub(started.elapsed()))) {
            ended = Ran::Cancelled;
            break end_group(&mut child)?;
        }
    };
    let elapsed = started.elapsed();
    Ok(ended(CommandOutput {
        code: status.code(),
        signal: signal_of(status),
        stdout: stdout.finish(),
        stderr: stderr.finish(),
        elapsed,
    }))
}

/// The end of a stream, read by a thread of its own.
struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Tail {
    fn of(stream: Option<impl Read + Send + 'static>, relay: Option<Relay>, most: usize) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let shared = kept.clone();
        let thread = stream.map(|mut stream| {
            std::thread::spawn(move || {
                let mut chunk = [0; 8192];
                while let Ok(count @ 1..) = stream.read(&mut chunk) {
                    if let Some(relay) = &relay {
                        relay(&chunk[..count]);
                    }
                    let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(&chunk[..count]);
                    let excess = kept.len().saturating_sub(most);
                    kept.drain(..excess);
                }
            })
        });
        Self { kept, thread }
    }

    fn finish(self) -> Vec<u8> {
        let started = Moment::now();
        let nobody = Cancel::default();
        while let Some(thread) = &self.thread {
            if thread.is_finished() || started.elapsed() >= DRAIN {
                break;
            }
            nobody.sleep(Duration::from_millis(1));
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Becomes the program that its arguments name once a line comes in; ends when none will.
const GATE: [&str; 3] = ["/bin/sh", "-c", "read -r _ && exec \"$0\" \"$@\" </dev/null"];

/// Starts a program that goes on after us, its output appended to a log. It is in a process
/// group of its own and does not carry the mark by which a CI runner ends what a job leaves.
///
/// It runs only after `keep` has written down which process it is: were we killed in between,
/// nobody would find it again, and it would keep the port for ever.
///
/// # Errors
/// When it cannot be started, the log cannot be opened, or `keep` fails.
pub fn start(
    spec: &CommandSpec,
    log: &str,
    keep: impl FnOnce(Started) -> io::Result<()>,
) -> io::Result<Started> {
    let out = super::files::open_log(log)?;
    let errors = out.try_clone()?;
    let mut command = spec.behind_gate().command();
    command.stdin(Stdio::piped()).stdout(out).stderr(errors).env_remove("RUNNER_TRACKING_ID");
    open_gate(&mut command.spawn()?, keep)
}

/// Lets a child that waits behind the gate begin, once it is written down which process it is.
fn open_gate(
    child: &mut Child,
    keep: impl FnOnce(Started) -> io::Result<()>,
) -> io::Result<Started> {
    let pid = child.id();
    let started = Started { pid, ticks: stat(pid).map(|stat| stat.ticks) };
    let go = child.stdin.take();
    let open = keep(started).and_then(|()| match go {
        Some(mut go) => go.write_all(b"\n"),
        None => Ok(()),
    });
    // The gate is shut for good by now, and what stood behind it has ended or does so at once.
    if let Err(error) = open {
        child.wait()?;
        return Err(error);
    }
    Ok(started)
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Ends the child's group and waits for the child.
fn end_group(child: &mut Child) -> io::Result<ExitStatus> {
    let pid = child.id();
    let started = Moment::now();
    let nobody = Cancel::default();
    if !signal_group(pid, Some(false)) {
        child.kill()?;
    }
    while started.elapsed() < GRACE {
        if let Some(status) = child.try_wait()? {
            // What is left of the group ignores SIGTERM or is slow; its leader is gone.
            signal_group(pid, Some(true));
            return Ok(status);
        }
        nobody.sleep(TICK);
    }
    signal_group(pid, Some(true));
    child.wait()
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(all(test, unix))]
#[path = "process_tests.rs"]
mod tests;
