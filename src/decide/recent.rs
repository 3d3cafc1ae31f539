//! Which lines of a log are recent, by the times that they begin with.

use std::time::{Duration, SystemTime};

/// The lines that are not older than `length`. One without a time belongs to the line before it,
/// as in a stack trace; before the first time there is nothing to go by, and all is kept.
pub fn recent(text: &str, now: SystemTime, length: Duration) -> String {
    let oldest = now.checked_sub(length).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut is_recent = true;
    let lines = text.split_inclusive('\n').filter(|line| {
        if let Some(time) = time_of(line) {
            is_recent = time >= oldest;
        }
        is_recent
    });
    lines.collect()
}

/// The RFC 3339 time that a line begins with, in a bracket or not. One without its zone could be
/// any, and is none.
pub fn time_of(line: &str) -> Option<SystemTime> {
    let line = line.strip_prefix('[').unwrap_or(line);
    let (date, rest) = line.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let utc = humantime::parse_rfc3339(&format!("{date}T{time}Z")).ok()?;
    let rest = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    if rest.starts_with(['Z', 'z']) {
        return Some(utc);
    }
    let ahead = rest.starts_with('+');
    let (zone, _) = rest.strip_prefix(['+', '-'])?.split_at_checked(5)?;
    let (hours, minutes) = zone.split_once(':')?;
    let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let offset = Duration::from_secs(u64::from(hours) * 3600 + u64::from(minutes) * 60);
    if ahead { utc.checked_sub(offset) } else { utc.checked_add(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn r2_old_lines_are_left_out_with_what_belongs_to_them() {
        let log = "no time yet\n\
            2025-12-11T10:24:59Z too old\n  and its trace\n\
            2025-12-11T10:25:00.001Z recent\n  with its trace\n\
            2025-12-11T10:20:00Z from another thread\n\
            [2025-12-11 12:29:00+02:00] in another zone\n\
            2025-12-11T05:29:00,5-05:00 and another\n";
        let kept = recent(log, at("2025-12-11T10:30:00Z"), Duration::from_secs(300));
        assert_eq!(
            kept,
            "no time yet\n2025-12-11T10:25:00.001Z recent\n  with its trace\n\
             [2025-12-11 12:29:00+02:00] in another zone\n2025-12-11T05:29:00,5-05:00 and another\n"
        );
    }

    #[test]
    fn r2_what_is_no_time_is_kept() {
        let now = at("2025-12-11T10:30:00Z");
        for line in [
            "2001-01-01T00:00:00 without a zone",
            "2001-13-01T00:00:00Z no such month",
            "2001-01-01T00:00:00+1:00 short",
            "2001-01-01T00:00:00+ää:00",
            "2001-01-ääT00:00:00Z",
            "{\"time\":\"2001-01-01T00:00:00Z\"}",
            "",
        ] {
            assert_eq!(recent(line, now, Duration::ZERO), line);
        }
    }
}
