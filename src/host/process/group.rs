//! Processes that go on after us, and the groups that they lead: found again, asked whether they
//! live, ended.

use std::fs::File;
use std::io::{self, Read as _};
use std::time::Duration;

use super::super::clock::Moment;
use super::super::files;
use super::super::signals::Cancel;
use super::TICK;

/// The time in which the kernel ends what was killed.
const KILLING: Duration = Duration::from_secs(5);

/// How often, and after which pause, a process is asked again that is becoming another program.
const EXCHANGES: u32 = 200;
const EXCHANGE: Duration = Duration::from_millis(1);
/// The size of an environment, in bytes, that is tried first.
const ENVIRONMENT: usize = 64 << 10;

/// A program that goes on after us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Its process id, which is its process group's too.
    pub pid: u32,
    /// When it started, in the kernel's ticks: with the id it names one process for ever.
    pub ticks: Option<u64>,
}

impl std::fmt::Display for Started {
    /// As [`read_pid`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.ticks {
            Some(ticks) => write!(f, "{} {ticks}", self.pid),
            None => write!(f, "{} -", self.pid),
        }
    }
}

/// The process that a pid file names: its id, and behind it, if we wrote it, its start time. A
/// file that is not there or holds something else names none.
pub fn read_pid_file(file: &str) -> Option<Started> {
    read_pid(&files::read_text(file).ok()?)
}

/// The process that such a text names.
pub fn read_pid(text: &str) -> Option<Started> {
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
    end(process, grace)
}

/// Ends what is left of the group of a process that is gone itself: by a crash, or since we were
/// killed while we ended it. `file` is the one that its id was kept in
/// ([`CommandSpec::kept_in`](super::CommandSpec::kept_in)). What left the group goes on, and
/// so does a group that cannot be told from somebody else's. Returns whether there was any.
///
/// # Errors
/// When it lives on even so.
pub fn stop_remains(process: Started, file: &str, grace: Duration) -> io::Result<bool> {
    if !remains(process, file) {
        return Ok(false);
    }
    end(process, grace).map(|_| true)
}

fn end(process: Started, grace: Duration) -> io::Result<bool> {
    signal_group(process.pid, Some(false));
    if gone_within(process, grace) {
        return Ok(true);
    }
    signal_group(process.pid, Some(true));
    if gone_within(process, KILLING) {
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
    if cfg!(target_os = "linux") { !members(group).is_empty() } else { signal_group(group, None) }
}

/// The processes of a group that live, by id, with their start times.
fn members(group: u32) -> Vec<(u32, u64)> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let stats = pids.filter_map(|pid| Some((pid, stat(pid)?)));
    stats
        .filter(|(_, stat)| stat.group == group && stat.lives())
        .map(|(p, s)| (p, s.ticks))
        .collect()
}

/// Whether a process is gone and its group is certainly the one that lives under its number. A
/// number is not given out anew while a group has it, so somebody else's group is one whose
/// leader lives, or came later and ended too: that one was not started by us, which its
/// environment tells.
fn remains(process: Started, file: &str) -> bool {
    let Some(known) = process.ticks else { return false };
    if stat(process.pid).is_some_and(|now| now.lives() || now.ticks != known) {
        return false;
    }
    let mark = format!("{}={file}", super::KEPT_IN);
    let is_ours = |pid: u32| {
        environment(pid).split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    members(process.pid).iter().any(|(pid, ticks)| *ticks >= known && is_ours(*pid))
}

/// The environment that a process was started with, as the kernel has it; empty when it is gone. It
/// is empty for a moment, too, while one program takes the place of another (`execve`).
pub fn environment(pid: u32) -> Vec<u8> {
    let nobody = Cancel::default();
    for _ in 0..EXCHANGES {
        let found = read_at_once(&format!("/proc/{pid}/environ")).unwrap_or_default();
        // What has no program is the kernel's own.
        if !found.is_empty() || std::fs::read_link(format!("/proc/{pid}/exe")).is_err() {
            return found;
        }
        nobody.sleep(EXCHANGE);
    }
    Vec::new()
}

/// Reads by one call: between two of them the program that is asked for may be gone, and what was
/// read is a piece that looks whole.
fn read_at_once(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; ENVIRONMENT];
    loop {
        let read = File::open(path)?.read(&mut bytes)?;
        if read < bytes.len() {
            bytes.truncate(read);
            return Ok(bytes);
        }
        bytes.resize(2 * read, 0);
    }
}

/// What the kernel says of a process.
pub(in crate::host) struct Stat {
    state: char,
    pub(super) group: u32,
    threads: u32,
    pub(in crate::host) ticks: u64,
}

impl Stat {
    pub(super) fn lives(&self) -> bool {
        match self.state {
            // Its first thread has ended; while another one lives, so do its sockets.
            'Z' => self.threads > 1,
            'X' => false,
            _ => true,
        }
    }
}

pub(in crate::host) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&files::read_text(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `/proc/PID/stat` (proc(5)): the state letter, the group, the number of threads and the
/// start time are fields 3, 5, 20 and 22. The name in parentheses may contain anything,
/// parentheses too.
pub(super) fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        ticks: fields.get(19)?.parse().ok()?,
    })
}

/// Signals a group: none asks whether it is there, false is SIGTERM, true is SIGKILL. Tells
/// whether it could be signalled.
#[cfg(unix)]
pub(super) fn signal_group(pid: u32, kill: Option<bool>) -> bool {
    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
    let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    match kill {
        None => test_kill_process_group(group).is_ok(),
        Some(false) => kill_process_group(group, Signal::TERM).is_ok(),
        Some(true) => kill_process_group(group, Signal::KILL).is_ok(),
    }
}

#[cfg(not(unix))]
pub(super) fn signal_group(_: u32, _: Option<bool>) -> bool {
    false
}
