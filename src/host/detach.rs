//! Processes that go on when their caller is gone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::process::Started;

/// Where systemd, when it is the system's manager, has its runtime folder (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";

/// A process that was started to go on after us.
#[derive(Debug)]
pub struct Engine {
    child: Child,
}

impl Engine {
    /// Starts this very program with `argument`, `input` on its standard input, and what it writes
    /// on standard error in `errors`.
    ///
    /// A runner that ends takes its service's control group and every process with its mark along.
    /// So it gets a scope of its own where systemd gives one, and loses the mark.
    ///
    /// # Errors
    /// When it cannot be started, or does not take its input.
    pub fn start(argument: &str, input: &[u8], errors: &File) -> io::Result<Self> {
        let program = this_program()?;
        if Path::new(SYSTEMD).is_dir() {
            let root = super::system::is_root();
            if gives_scopes(root) {
                return Self::spawn(scope(&program, root).arg(argument), input, errors);
            }
        }
        Self::spawn(Command::new(program).arg(argument), input, errors)
    }

    fn spawn(command: &mut Command, input: &[u8], errors: &File) -> io::Result<Self> {
        command.env_remove("RUNNER_TRACKING_ID").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.stderr(errors.try_clone()?).spawn()?;
        let sent = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
        // One that ended before it took everything was never begun.
        if let Err(error) = sent {
            let status = child.wait()?;
            return Err(io::Error::other(format!("it ended at once, {status}: {error}")));
        }
        Ok(Self { child })
    }

    /// Whether it has ended. It is waited for then, and leaves no zombie.
    ///
    /// # Errors
    /// When that cannot be asked.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

/// This very program, also when its file was replaced or removed since it was started: it still runs,
/// and another version has no business in its story (proc(5), `/proc/pid/exe`).
fn this_program() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    Ok(if !file.exists() && running.exists() { running } else { file })
}

/// Whether a scope can be had: a user without a session has no manager of its own, as the user of a
/// runner's service. It is tried with a program that does nothing, since one that was refused a
/// scope is never started, and its caller would wait for it in vain.
fn gives_scopes(root: bool) -> bool {
    let mut command = scope(Path::new("true"), root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A scope executes the program itself: environment, folder and standard input are ours.
fn scope(program: &Path, root: bool) -> Command {
    let mut command = Command::new("systemd-run");
    command.args(["--scope", "--quiet", "--collect"]);
    if !root {
        command.arg("--user");
    }
    command.arg("--").arg(program);
    command
}

/// Leaves the caller's session: no terminal and no signal to its group reaches us from here on.
///
/// # Errors
/// When that is not possible.
#[cfg(unix)]
pub fn own_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// Elsewhere there are no sessions.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn own_session() -> io::Result<()> {
    Ok(())
}

/// Standard input, to be read as it comes.
pub fn stdin() -> io::Stdin {
    io::stdin()
}

/// All of standard input.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn input() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().take(16 << 20).read_to_string(&mut text)?;
    Ok(text)
}

/// The file of this very program.
///
/// # Errors
/// When it cannot be found out.
pub fn program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

/// Goes to a folder, for good.
///
/// # Errors
/// When it cannot be entered.
pub fn enter(folder: &str) -> io::Result<()> {
    std::env::set_current_dir(folder)
}

/// The folder in which this runs.
///
/// # Errors
/// When there is none any more.
pub fn folder() -> io::Result<String> {
    Ok(std::env::current_dir()?.display().to_string())
}

/// Passes a signal on, by the name that [`Cancel`](super::signals::Cancel) gives it.
#[cfg(unix)]
pub fn signal(process: Started, name: &str) -> bool {
    use rustix::process::{Pid, Signal, kill_process};
    if !super::process::is_alive(process) {
        return false;
    }
    let signal = if name == "SIGINT" { Signal::INT } else { Signal::TERM };
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Elsewhere there are no signals.
#[cfg(not(unix))]
pub fn signal(_: Started, _: &str) -> bool {
    false
}
