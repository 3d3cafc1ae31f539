//! One process, by its id and the time of its start: our own, and ending another one.

use std::io;
use std::time::Duration;

use super::clock::Moment;
use super::process::{self, Started};
use super::signals::Cancel;

/// How often a process is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);
/// How long the kernel may take to end a process after SIGKILL.
const KILLING: Duration = Duration::from_secs(5);

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was gone already.
    WasGone,
    /// It went when it was asked to (SIGTERM).
    Asked,
    /// It had to be killed (SIGKILL).
    Killed,
}

/// This process.
pub fn this() -> Started {
    let pid = std::process::id();
    Started { pid, ticks: process::stat(pid).map(|stat| stat.ticks) }
}

/// Ends exactly this process, not its group and not its children: SIGTERM, `grace`, SIGKILL.
///
/// # Errors
/// When its start time is not known, so that it may be another one of the same id; when it cannot
/// be signalled; when it lives on even so.
pub fn end(process: Started, grace: Duration) -> io::Result<End> {
    if process.ticks.is_none() {
        return Err(io::Error::other("when it started is not known, so it may be another one"));
    }
    let target = match Target::of(process)? {
        Some(target) if process::is_alive(process) => target,
        _ => return Ok(End::WasGone),
    };
    target.signal(false)?;
    if gone_within(process, grace) {
        return Ok(End::Asked);
    }
    target.signal(true)?;
    if gone_within(process, KILLING) {
        return Ok(End::Killed);
    }
    Err(io::Error::other("it does not end, even by SIGKILL"))
}

fn gone_within(process: Started, limit: Duration) -> bool {
    let (started, nobody) = (Moment::now(), Cancel::default());
    while process::is_alive(process) {
        if started.elapsed() >= limit {
            return false;
        }
        nobody.sleep(TICK);
    }
    true
}

/// A handle on one process: what is looked at after it was opened is what gets the signal, though
/// the id were given to another one in between.
#[cfg(target_os = "linux")]
struct Target(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Target {
    fn of(process: Started) -> io::Result<Option<Self>> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Ok(Some(Self(handle))),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn signal(&self, kill: bool) -> io::Result<()> {
        use rustix::process::{Signal, pidfd_send_signal};
        let signal = if kill { Signal::KILL } else { Signal::TERM };
        match pidfd_send_signal(&self.0, signal) {
            // It has just ended.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// Elsewhere no start times are known, so nothing gets this far.
#[cfg(not(target_os = "linux"))]
struct Target;

#[cfg(not(target_os = "linux"))]
impl Target {
    fn of(_: Started) -> io::Result<Option<Self>> {
        Ok(Some(Self))
    }

    fn signal(&self, _: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn started(script: &str) -> (Child, Started) {
        use std::io::{BufRead as _, BufReader};
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ticks = process::stat(child.id()).map(|stat| stat.ticks);
        let started = Started { pid: child.id(), ticks };
        (child, started)
    }

    #[test]
    fn one_is_asked_first_and_killed_then() {
        let (mut child, process) = started("echo; exec sleep 600");
        assert_eq!(end(process, Duration::from_secs(30)).unwrap(), End::Asked);
        child.wait().unwrap();
        assert_eq!(end(process, Duration::ZERO).unwrap(), End::WasGone);
        let (mut child, process) = started("trap '' TERM; echo; exec sleep 600");
        assert_eq!(end(process, Duration::from_millis(50)).unwrap(), End::Killed);
        child.wait().unwrap();
    }

    #[test]
    fn another_process_of_the_same_id_is_left_alone() {
        let (mut child, process) = started("echo; exec sleep 600");
        let other = Started { ticks: process.ticks.map(|ticks| ticks + 1), ..process };
        assert_eq!(end(other, Duration::ZERO).unwrap(), End::WasGone);
        let unknown = Started { ticks: None, ..process };
        assert!(end(unknown, Duration::ZERO).unwrap_err().to_string().contains("not known"));
        assert!(process::is_alive(process));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process::is_alive(this()));
    }
}
