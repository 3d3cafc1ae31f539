//! Figures of this machine.

use std::io;
use std::time::{Duration, SystemTime};

use super::process::{self, CommandSpec, Ran};
use super::signals::Cancel;
use crate::config::values::Argv;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure, Reading, Unit};

/// The limit of a question to systemd: it answers at once, also while it shuts down.
const ASKING: Duration = Duration::from_secs(5);

/// The name of this machine in its network; empty where it has none.
pub fn host_name() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    return super::env::var("COMPUTERNAME").unwrap_or_default();
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// Whether this machine is being shut down or rebooted, as its systemd tells. Where there is none, or
/// where it does not answer, that is not known, and then it is taken to stay.
pub fn is_going_down() -> bool {
    // Only where systemd is the system's manager is there this folder (sd_booted(3)).
    if !std::path::Path::new("/run/systemd/system").is_dir() {
        return false;
    }
    let words = ["systemctl", "is-system-running"].map(str::to_owned);
    let asked = CommandSpec::new(Argv(words.into()));
    // Its exit code is one of failure for whatever is not plainly running.
    match process::run(&asked, ASKING, &Cancel::default(), None) {
        Ok(Ran::Ended(output)) => output.stdout.trim_ascii() == b"stopping",
        _ => false,
    }
}

/// The share of the file system of `path` that is in use, counted as `df` does: what is used of
/// what an ordinary user could use.
pub fn disk(path: &str) -> Observation {
    let what = format!("disk used on {path}");
    observed(what, Unit::Share, disk_used(path).map_err(|error| format!("{path}: {error}")))
}

#[cfg(unix)]
fn disk_used(path: &str) -> io::Result<f64> {
    let stat = rustix::fs::statvfs(path)?;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    let whole = used + stat.f_bavail;
    if whole == 0 {
        return Err(io::Error::other("the file system has no size"));
    }
    Ok(used as f64 / whole as f64)
}

#[cfg(not(unix))]
fn disk_used(_: &str) -> io::Result<f64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The share of memory that is in use: what is not available (`MemAvailable`).
pub fn memory() -> Observation {
    let read = super::files::read_text("/proc/meminfo").map_err(|error| error.to_string());
    let share = read.and_then(|text| memory_used(&text).ok_or("/proc/meminfo is strange".into()));
    observed("memory used".into(), Unit::Share, share)
}

fn memory_used(text: &str) -> Option<f64> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (total, available) = (field("MemTotal")?, field("MemAvailable")?);
    (total > 0.0).then(|| 1.0 - available / total)
}

/// The load average of the last minute.
pub fn load() -> Observation {
    let read = super::files::read_text("/proc/loadavg").map_err(|error| error.to_string());
    let load = read.and_then(|text| {
        let first = text.split_whitespace().next().and_then(|first| first.parse().ok());
        first.ok_or("/proc/loadavg is strange".into())
    });
    observed("load average of the last minute".into(), Unit::Number, load)
}

/// The share of a file system in use as [`disk`] counts it: `45%`, rounded up as `df` does.
///
/// # Errors
/// Why it cannot be read.
pub fn disk_usage(path: &str) -> Result<String, String> {
    let used = disk_used(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(format!("{:.0}%", (used * 100.0).ceil()))
}

/// The load averages of the last 1, 5 and 15 minutes, as the kernel writes them.
///
/// # Errors
/// Why they cannot be read.
pub fn load_averages() -> Result<[String; 3], String> {
    let text = super::files::read_text("/proc/loadavg").map_err(|error| error.to_string())?;
    let mut words = text.split_whitespace().map(str::to_owned);
    match (words.next(), words.next(), words.next()) {
        (Some(one), Some(five), Some(fifteen)) => Ok([one, five, fifteen]),
        _ => Err("/proc/loadavg is strange".into()),
    }
}

/// When this machine was started (`btime` of proc(5)).
///
/// # Errors
/// Why it cannot be read.
pub fn up_since() -> Result<SystemTime, String> {
    let text = super::files::read_text("/proc/stat").map_err(|error| error.to_string())?;
    boot_time(&text).ok_or_else(|| "/proc/stat is strange".into())
}

fn boot_time(text: &str) -> Option<SystemTime> {
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// How many connections to a port of this machine are open, as the kernel tells (proc(5),
/// `/proc/net/tcp`); none where there is no such file.
pub fn connections_to(port: u16) -> usize {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.iter().map(|table| super::files::read_text(table).unwrap_or_default());
    texts.map(|text| established(&text, port)).sum()
}

fn established(table: &str, port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    let own = format!(":{port:04X}");
    let mut count = 0;
    for line in table.lines().skip(1) {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next().unwrap_or_default(), fields.nth(1));
        count += usize::from(local.ends_with(&own) && state == Some(ESTABLISHED));
    }
    count
}

fn observed(what: String, unit: Unit, value: Result<f64, String>) -> Observation {
    match value {
        Ok(value) => Observation::Reading(Reading { what, value, unit }),
        Err(message) => Observation::Failed(ProbeFailure {
            kind: FailureKind::NotAsked,
            message: format!("{what} cannot be read: {message}"),
            elapsed: std::time::Duration::ZERO,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_memory_is_what_is_not_available() {
        let used = memory_used("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n");
        assert_eq!(used, Some(0.75));
        assert_eq!(memory_used("MemTotal: 0 kB\nMemAvailable: 0 kB"), None);
        assert_eq!(memory_used("garbage"), None);
    }

    #[test]
    fn d4_open_connections_are_counted_at_our_end() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:1F90 0100007F:C001 01 00000000:00000000\n\
            2: 0100007F:C001 0100007F:1F90 01 00000000:00000000\n";
        assert_eq!(established(table, 8080), 1);
        assert_eq!(established(table, 8081), 0);
    }

    #[test]
    fn d1_the_machine_tells_its_figures() {
        let since = boot_time("cpu 1 2\nbtime 1700000000\nprocesses 7\n").unwrap();
        assert_eq!(super::super::clock::rfc3339(since), "2023-11-14T22:13:20.000Z");
        assert_eq!(boot_time("cpu 1 2\n"), None);
        assert_eq!(boot_time("btime soon\n"), None);
        let usage = disk_usage("/").unwrap();
        let percent: u8 = usage.strip_suffix('%').unwrap().parse().unwrap();
        assert!(percent <= 100, "{usage}");
        assert!(disk_usage("/nowhere/at/all").unwrap_err().contains("/nowhere"));
    }

    #[test]
    fn p10_a_folder_that_is_not_there_cannot_be_read_and_is_no_pass() {
        let Observation::Failed(failure) = disk("/nowhere/at/all") else { panic!("was read") };
        assert_eq!(failure.kind, FailureKind::NotAsked);
    }
}
