//! Versions, durations and long texts, as people read them.

use std::time::Duration;

/// Whether two texts name the same version: a `v` before a digit does not matter.
pub fn same_version(a: &str, b: &str) -> bool {
    fn bare(version: &str) -> &str {
        let version = version.trim();
        version
            .strip_prefix('v')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            .unwrap_or(version)
    }
    !bare(a).is_empty() && bare(a) == bare(b)
}

/// A duration for people: milliseconds below a second, then seconds with two digits.
pub fn show_duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        s if s < 1.0 => format!("{} ms", duration.as_millis()),
        s if s < 120.0 => format!("{s:.2} s"),
        _ => humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string(),
    }
}

/// At most `limit` characters of a text, with an ellipsis where something was cut.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

/// A count with its noun: `1 check`, `2 checks`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// That no check of so many decides.
pub fn only_warnings(total: usize) -> String {
    match total {
        1 => "the only check is a warning".into(),
        total => format!("all {total} checks are warnings"),
    }
}
