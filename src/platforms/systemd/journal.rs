//! What the units of a release wrote, from systemd's journal.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::values::Argv;
use crate::decide::observation::CommandOutput;
use crate::host::process::{self, CommandSpec, Ran, Relay};
use crate::host::signals::Cancel;
use crate::host::{clock, files};
use crate::platforms::Log;

/// The limit of reading the journal: a rollback waits for it.
const READING: Duration = Duration::from_secs(5);
/// Starts that are remembered.
const STARTS: usize = 50;
/// Lines that are asked for at most.
const LINES: &str = "20000";

/// The journal of some units, and when which version of them was started.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    pub(super) units: Vec<String>,
    pub(super) program: Option<Argv>,
    pub(super) is_user: bool,
    /// The file that remembers the starts.
    pub(super) starts: PathBuf,
}

/// The time in which a version ran, in milliseconds since 1970.
type Span = (u64, Option<u64>);

impl Journal {
    /// Notes that a version is started now.
    pub(super) fn begins(&self, version: &str) -> io::Result<()> {
        let text = files::read_text(&self.starts).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(STARTS - 1)..];
        let mut text: String = last.iter().map(|line| format!("{line}\n")).collect();
        text.push_str(&format!("{} {version}\n", clock::unix_ms()));
        files::replace_alone(&self.starts, text.as_bytes())
    }

    /// What a version wrote since it was started last.
    pub(super) fn of(&self, version: &str, most: u64) -> io::Result<Log> {
        let text = files::read_text(&self.starts).unwrap_or_default();
        match span(&text, version) {
            Some(span) => self.between(span, most),
            None => Ok(Log::default()),
        }
    }

    /// The last lines of what was started last.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let text = files::read_text(&self.starts).unwrap_or_default();
        let version = text.lines().last().and_then(|line| line.split_once(' '));
        let log = version.map(|(_, version)| self.of(version, 64 << 10));
        let text = log.and_then(Result::ok).unwrap_or_default().text;
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
    }

    fn command(&self, (from, until): Span) -> CommandSpec {
        let own = || Argv(vec!["journalctl".into()]);
        let mut argv = self.program.clone().unwrap_or_else(own).0;
        let seconds = |ms: u64| format!("@{}.{:03}", ms / 1000, ms % 1000);
        argv.extend(
            ["--quiet", "--no-pager", "--output=short-iso-precise", "--utc"].map(Into::into),
        );
        argv.push(format!("--lines={LINES}"));
        argv.push(format!("--since={}", seconds(from)));
        argv.extend(until.map(|until| format!("--until={}", seconds(until))));
        let unit = if self.is_user { "--user-unit" } else { "--unit" };
        argv.extend(self.units.iter().map(|name| format!("{unit}={name}")));
        CommandSpec::new(Argv(argv))
    }

    fn between(&self, span: Span, most: u64) -> io::Result<Log> {
        let command = self.command(span);
        if let Some(missing) = process::missing(&command) {
            return Err(io::Error::other(missing));
        }
        let kept = Arc::new(Mutex::new((Vec::new(), false)));
        let ran = process::run(&command, READING, &Cancel::default(), Some(end(&kept, most)))?;
        let output = match ran {
            Ran::Ended(output) => Some(output),
            Ran::TimedOut(_) | Ran::Cancelled(_) => None,
        };
        if let Some(why) = complaint(output.as_ref()) {
            return Err(io::Error::other(format!("{}: {why}", command.argv.show())));
        }
        let (bytes, is_cut) = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8_lossy(&bytes);
        Ok(Log { text: text.split_inclusive('\n').map(with_zone).collect(), is_cut })
    }
}

/// Why the journal was not read.
fn complaint(output: Option<&CommandOutput>) -> Option<String> {
    let Some(output) = output else { return Some("it took too long".into()) };
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or("it failed and did not say why");
    (output.code != Some(0)).then(|| last.to_owned())
}

/// Keeps the last bytes of what comes, and whether some came before.
fn end(kept: &Arc<Mutex<(Vec<u8>, bool)>>, most: u64) -> Relay {
    let (kept, most) = (kept.clone(), usize::try_from(most).unwrap_or(usize::MAX));
    Arc::new(move |bytes| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.extend_from_slice(bytes);
        let excess = kept.0.len().saturating_sub(most);
        if excess > 0 {
            kept.0.drain(..excess);
            kept.1 = true;
        }
    })
}

/// When a version was started last, and when the next one was.
fn span(starts: &str, version: &str) -> Option<Span> {
    let all: Vec<(u64, &str)> = starts
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(at, version)| Some((at.parse().ok()?, version)))
        .collect();
    let at = all.iter().rposition(|(_, started)| *started == version)?;
    Some((all[at].0, all.get(at + 1).map(|(next, _)| *next)))
}

/// A line whose time has its zone as RFC 3339 writes it: older journals leave the colon out.
fn with_zone(line: &str) -> String {
    match line.split_once("+0000 ") {
        Some((time, rest)) if !time.contains(' ') => format!("{time}+00:00 {rest}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_a_versions_time_is_from_its_last_start_to_the_next_one() {
        let starts = "100 v1\n200 v2\n300 v1\n400 v2\ntorn";
        assert_eq!(span(starts, "v1"), Some((300, Some(400))));
        assert_eq!(span(starts, "v2"), Some((400, None)));
        assert_eq!(span(starts, "v3"), None);
    }

    #[test]
    fn r2_the_journal_is_asked_for_that_time_alone() {
        let journal = Journal {
            units: vec!["shop-api.service".into(), "shop-web.service".into()],
            program: None,
            is_user: true,
            starts: PathBuf::new(),
        };
        let argv = journal.command((1_700_000_000_123, Some(1_700_000_001_000))).argv.0;
        assert_eq!(argv[0], "journalctl");
        for wanted in [
            "--since=@1700000000.123",
            "--until=@1700000001.000",
            "--user-unit=shop-api.service",
            "--user-unit=shop-web.service",
        ] {
            assert!(argv.iter().any(|word| word == wanted), "{argv:?}");
        }
    }

    #[test]
    fn r2_times_have_a_zone_that_can_be_read() {
        let line = "2026-11-21T10:00:00.123456+0000 host shop[1]: a+0000 b\n";
        assert_eq!(with_zone(line), "2026-11-21T10:00:00.123456+00:00 host shop[1]: a+0000 b\n");
        assert_eq!(with_zone("  a+0000 b\n"), "  a+0000 b\n");
    }

    #[test]
    fn r2_only_the_end_is_kept() {
        let kept = Arc::default();
        let relay = end(&kept, 4);
        relay(b"abc");
        assert_eq!(*kept.lock().unwrap(), (b"abc".to_vec(), false));
        relay(b"def");
        assert_eq!(*kept.lock().unwrap(), (b"cdef".to_vec(), true));
    }
}
