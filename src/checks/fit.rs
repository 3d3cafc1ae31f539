//! Which queries a kind of check can answer.

use std::cell::OnceCell;

use crate::decide::expect::Expect;
use crate::decide::source::Source;

const HTTP: &[&str] = &["url", "path"];
const PROGRAM: &[&str] = &["command"];
/// Kinds that say something, of which a text or facts can be asked.
const SAID: &[&str] = &[
    "url",
    "path",
    "command",
    "tcp",
    "websocket",
    "sse",
    "grpc",
    "redis",
    "postgres",
    "tls",
    "dns",
];

/// Refuses a query that a check of this kind can never answer.
///
/// # Errors
/// The query, and the kinds that have it.
pub(super) fn refuse_misfits(kind: &str, expects: &[Expect]) -> Result<(), String> {
    let misfit = OnceCell::new();
    let is_misfit = |one: &Expect| match kinds_of(one) {
        Some((query, kinds)) if !kinds.contains(&kind) => {
            misfit.get_or_init(|| (query, kinds.join(", ")));
            true
        }
        _ => false,
    };
    for expect in expects {
        expect.has(&is_misfit);
    }
    match misfit.into_inner() {
        Some((query, kinds)) => Err(format!(
            "{query} cannot be asked of a {kind} check, which has none; these kinds have it: {kinds}"
        )),
        None => Ok(()),
    }
}

/// The query and the kinds that answer it; nothing where all do.
fn kinds_of(expect: &Expect) -> Option<(&'static str, &'static [&'static str])> {
    Some(match expect {
        Expect::Status(_) => ("status", HTTP),
        Expect::Header(..) => ("header", HTTP),
        Expect::Redirects(_) => ("redirects", HTTP),
        Expect::Part(..) => ("prometheus, openapi or html", HTTP),
        Expect::Health(_) => ("health", HTTP),
        Expect::Version(Source::Header(_), _) => ("version in a header", HTTP),
        Expect::Version(..) => ("version", SAID),
        Expect::Body(_) => ("body or stdout", SAID),
        Expect::JsonPath(..) => ("jsonpath", SAID),
        Expect::Stderr(_) => ("stderr", PROGRAM),
        Expect::ExitCode(_) => ("exit-code", PROGRAM),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::predicate::Predicate;
    use crate::decide::status_set::StatusSet;

    #[test]
    fn p8_queries_that_cannot_fit_are_refused() {
        let status = || Expect::Status(StatusSet::success());
        let exit = || Expect::ExitCode(Predicate::Equals(0.into()));
        let body = || Expect::Body(Predicate::Exists(true));
        for (kind, expect, kinds) in [
            ("url", exit(), "command"),
            ("tcp", status(), "url, path"),
            ("unit", body(), "url, path, command, tcp"),
            ("dns", Expect::Not(Box::new(Expect::Any(vec![body(), status()]))), "url, path"),
        ] {
            let why = refuse_misfits(kind, &[body(), expect][1..]).unwrap_err();
            assert!(why.contains(&format!("these kinds have it: {kinds}")), "{kind}: {why}");
        }
        for (kind, expect) in [("url", status()), ("command", exit()), ("tcp", body())] {
            assert_eq!(refuse_misfits(kind, &[expect]), Ok(()), "{kind}");
        }
        let short = Expect::Duration(Vec::new());
        assert_eq!(refuse_misfits("load", &[short, Expect::Well, Expect::Ready]), Ok(()));
    }

    #[test]
    fn p8_every_kind_named_here_is_one() {
        for kind in HTTP.iter().chain(PROGRAM).chain(SAID) {
            assert!(super::super::KINDS.iter().any(|known| known.key == *kind), "{kind}");
        }
    }
}
