//! How old a report is.

use std::time::{Duration, SystemTime};

use super::Scan;

/// How far the clock of a scanner's machine may be ahead.
const AHEAD: Duration = Duration::from_secs(60 * 60);

/// A time as reports write it: RFC 3339, with any offset.
pub fn time(text: &str) -> Option<SystemTime> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(time);
    }
    let at = text.len().checked_sub(6)?;
    let (local, offset) = (text.get(..at)?, text.get(at..)?);
    let (sign, rest) = offset.split_at(1);
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let offset = Duration::from_secs(hours * 3600 + minutes * 60);
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    match sign {
        "+" => local.checked_sub(offset),
        "-" => local.checked_add(offset),
        _ => None,
    }
}

impl Scan {
    /// Its age.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn age(&self, now: SystemTime) -> Result<Duration, String> {
        let text = self.created.as_deref().ok_or("it does not tell when it was made")?;
        let made = time(text)
            .ok_or_else(|| format!("it does not tell in a known way when it was made: {text:?}"))?;
        match now.duration_since(made) {
            Ok(age) => Ok(age),
            Err(ahead) if ahead.duration() <= AHEAD => Ok(Duration::ZERO),
            // It would never grow old.
            Err(_) => Err(format!("it tells that it was made in the future: {text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_in_the_future_has_no_age() {
        let age = |text: Option<&str>| {
            let created = text.map(str::to_owned);
            let now = time("2026-01-02T00:00:00Z").unwrap();
            Scan { created, ..Scan::default() }.age(now).map(|age| age.as_secs())
        };
        assert_eq!(age(Some("2026-01-01T00:00:00Z")), Ok(86_400));
        assert_eq!(age(Some("2026-01-02T01:00:00Z")), Ok(0), "clocks differ");
        assert!(age(Some("2026-01-02T01:00:01Z")).unwrap_err().contains("future"));
        assert!(age(Some("0001-01-01T00:00:00Z")).unwrap_err().contains("known way"));
        assert!(age(None).is_err());
    }

    #[test]
    fn times_are_read_with_any_offset() {
        let utc = time("2024-05-01T10:00:00Z");
        assert!(utc.is_some());
        for same in [
            "2024-05-01T12:00:00+02:00",
            "2024-05-01T08:30:00-01:30",
            "2024-05-01T10:00:00.000+00:00",
        ] {
            assert_eq!(time(same), utc, "{same}");
        }
        for wrong in ["", "yesterday", "2024-05-01", "2024-05-01T12:00:00*02:00", "ü+02:00"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
