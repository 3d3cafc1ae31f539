//! Programs: run with bounds, started for good, asked whether they live, stopped.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Moment;
use super::signals::Cancel;
use crate::config::values::{Argv, Secret};
use crate::decide::observation::CommandOutput;

/// Output that is kept of each stream: its end.
const KEPT: usize = 64 << 10;
/// How often a child is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);
/// How long to go on reading after the child has ended: a process that it left behind may hold
/// the other end of the pipe for ever.
const DRAIN: Duration = Duration::from_millis(300);
/// Time between SIGTERM and SIGKILL for a command that is out of time.
const GRACE: Duration = Duration::from_secs(5);

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
    follow(command.spawn()?, timeout, cancel, relay)
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
    follow(child, timeout, cancel, relay)
}

/// Goes with a child to its end.
fn follow(
    mut child: Child,
    timeout: Duration,
    cancel: &Cancel,
    relay: Option<Relay>,
) -> io::Result<Ran> {
    let started = Moment::now();
    let stdout = Tail::of(child.stdout.take(), relay.clone());
    let stderr = Tail::of(child.stderr.take(), relay);
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
    fn of(stream: Option<impl Read + Send + 'static>, relay: Option<Relay>) -> Self {
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
                    let excess = kept.len().saturating_sub(KEPT);
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

/// A program that goes on after us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Its process id, which is its process group's too.
    pub pid: u32,
    /// When it started, in the kernel's ticks: with the id it names one process for ever.
    pub ticks: Option<u64>,
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
    keep(started)?;
    go.map_or(Ok(()), |mut go| go.write_all(b"\n"))?;
    Ok(started)
}

/// The process that a pid file names: its id, and behind it, if we wrote it, its start time. A
/// file that is not there or holds something else names none.
pub fn read_pid_file(file: &str) -> Option<Started> {
    let text = super::files::read_text(file).ok()?;
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok().filter(|pid| *pid != 0)?;
    Some(Started { pid, ticks: words.next().and_then(|ticks| ticks.parse().ok()) })
}

/// Whether exactly this process lives. One that has ended and was not waited for does not.
pub fn is_alive(process: Started) -> bool {
    if cfg!(target_os = "linux") {
        return stat(process.pid).is_some_and(|stat| {
            stat.lives() && process.ticks.is_none_or(|known| known == stat.ticks)
        });
    }
    signal_group(process.pid, None)
}

/// Ends a process and its group: SIGTERM, `grace`, SIGKILL. Returns whether they went by
/// themselves. A child that outlives its leader may hold the port, and would answer for the next.
///
/// # Errors
/// When it lives on even so.
pub fn stop(process: Started, grace: Duration) -> io::Result<bool> {
    if !is_alive(process) {
        return Ok(true);
    }
    signal_group(process.pid, Some(false));
    if gone_within(process, grace) {
        return Ok(true);
    }
    signal_group(process.pid, Some(true));
    if gone_within(process, GRACE) {
        return Ok(false);
    }
    Err(io::Error::other(format!("process {} does not end, even by SIGKILL", process.pid)))
}

fn gone_within(process: Started, limit: Duration) -> bool {
    let started = Moment::now();
    let nobody = Cancel::default();
    while is_alive(process) || group_lives(process.pid) {
        if started.elapsed() >= limit {
            return false;
        }
        nobody.sleep(TICK);
    }
    true
}

/// Whether anything in a process group lives. What has ended and was not waited for does not.
fn group_lives(group: u32) -> bool {
    if cfg!(target_os = "linux") {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        return pids.any(|pid| stat(pid).is_some_and(|stat| stat.group == group && stat.lives()));
    }
    signal_group(group, None)
}

/// What the kernel says of a process.
struct Stat {
    state: char,
    group: u32,
    threads: u32,
    ticks: u64,
}

impl Stat {
    fn lives(&self) -> bool {
        match self.state {
            // Its first thread has ended; while another one lives, so do its sockets.
            'Z' => self.threads > 1,
            'X' => false,
            _ => true,
        }
    }
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&super::files::read_text(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `/proc/PID/stat` (proc(5)): the state letter, the group, the number of threads and the
/// start time are fields 3, 5, 20 and 22. The name in parentheses may contain anything,
/// parentheses too.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        ticks: fields.get(19)?.parse().ok()?,
    })
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

/// Signals a group: none asks whether it is there, false is SIGTERM, true is SIGKILL. Tells
/// whether it could be signalled.
#[cfg(unix)]
fn signal_group(pid: u32, kill: Option<bool>) -> bool {
    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
    let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    match kill {
        None => test_kill_process_group(group).is_ok(),
        Some(false) => kill_process_group(group, Signal::TERM).is_ok(),
        Some(true) => kill_process_group(group, Signal::KILL).is_ok(),
    }
}

#[cfg(not(unix))]
fn signal_group(_: u32, _: Option<bool>) -> bool {
    false
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
