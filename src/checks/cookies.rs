//! Cookies that checks share: each one with the same jar goes on with what the one before it left.
//! A jar is captured like a text is, so that order, retries and concurrency are those of captures.

use std::collections::BTreeMap;

use super::Check;
use super::order::provider;
use crate::config::CheckSpec;
use crate::decide::cookies::Jar;
use crate::decide::judge::Capture;
use crate::decide::source::Source;
use crate::decide::template::is_name;

/// What the names of captured jars begin with; no text that is captured has a space in its name.
const PREFIX: &str = "cookies ";

/// The jar of a check, as it is named.
///
/// # Errors
/// When that is no name, or a header says something else.
pub(super) fn read(spec: &CheckSpec) -> Result<Option<String>, String> {
    let Some(name) = &spec.cookies else { return Ok(None) };
    if !is_name(name) {
        return Err(format!("cookies: `{name}` is no name; it has letters, digits, _ and - only"));
    }
    let mut headers = spec.headers.iter().flatten();
    if headers.any(|(header, _)| header.eq_ignore_ascii_case("cookie")) {
        return Err("cookies and a header Cookie stand side by side; keep one".into());
    }
    Ok(Some(format!("{PREFIX}{name} ")))
}

/// What the checks before have left; at this moment that is the last one of that name.
pub(super) fn left(variables: &BTreeMap<String, String>, jar: &str) -> Jar {
    let known = variables.range(jar.to_owned()..).take_while(|(name, _)| name.starts_with(jar));
    known.last().map(|(_, text)| Jar::read(text)).unwrap_or_default()
}

/// Puts a check behind the one before it that has the same jar.
pub(super) fn join(check: &mut Check, jar: &str, before: &[Check]) {
    let own = before.len();
    let is_of = |capture: &Capture| capture.name.starts_with(jar);
    let last = before.iter().rev().flat_map(|check| &check.judge.capture).find(|c| is_of(c));
    check.needs.extend(last.map(|capture| capture.name.clone()));
    // The values in it are hidden when they come, each by itself.
    let name = format!("{jar}{own:06}");
    check.judge.capture.push(Capture { name, source: Source::Cookies, secret: false });
}

/// Leads the jars past the checks that are skipped: whoever comes behind one goes on with what the
/// one before it has left.
pub(super) fn pass_over(checks: &mut [Check], skipped: &[bool]) {
    let jar_of = |check: &Check| check.needs.iter().find(|name| name.starts_with(PREFIX)).cloned();
    // Those before were led past others already, so that one step is enough for each.
    for index in 0..checks.len() {
        let Some(name) = jar_of(&checks[index]) else { continue };
        let Some(before) = provider(checks, &name).filter(|before| skipped[*before]) else {
            continue;
        };
        let earlier = jar_of(&checks[before]);
        checks[index].needs.remove(&name);
        checks[index].needs.extend(earlier);
    }
}

/// What is captured, for people: `{{token}}`, or the cookies of a jar.
pub(super) fn shown(name: &str) -> String {
    match name.strip_prefix(PREFIX).and_then(|rest| rest.split(' ').next()) {
        Some(jar) => format!("the cookies `{jar}`"),
        None => format!("{{{{{name}}}}}"),
    }
}
