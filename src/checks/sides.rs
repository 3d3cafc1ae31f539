//! Verifying from two sides: what the public sees is asked where the caller is, all else on the
//! host.

use std::fmt;
use std::io::Write as _;

use super::record::failed;
use super::verify::{Target, Verification, as_written, here, specs};
use super::{Surroundings, build, files};
use crate::commands::Session;
use crate::config::{CheckSpec, Loaded, Side};
use crate::decide::verdict::{Verdict, of_suite};
use crate::exit::Fault;
use crate::host::files::Digester;
use crate::host::signals::Cancel;
use crate::report::v1::Check;

/// What is asked of a caller elsewhere.
#[derive(Debug, Clone)]
pub struct Question {
    /// The checks, by [`label`].
    pub checks: Vec<String>,
    /// What they are, as [`digest`] has it.
    pub digest: String,
    /// How they are asked, and what should answer.
    pub target: Target,
}

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// What the caller saw.
    Seen(Vec<Check>),
    /// Why the caller could not ask.
    Wrong(String),
    /// Nobody is there.
    Nobody,
    /// It was cancelled meanwhile.
    Cancelled,
}

/// Asks a caller elsewhere.
pub trait Asker: Send + Sync + fmt::Debug {
    /// Has the checks asked there, and waits for what comes of it.
    fn ask(&self, question: &Question, cancel: &Cancel) -> Asked;
}

/// What a check is known by on both sides.
pub fn label(index: usize, spec: &CheckSpec) -> String {
    spec.name.clone().unwrap_or_else(|| format!("#{}", index + 1))
}

/// What is asked when these checks are, by their labels: two configurations may mean something else
/// by the same label. Secrets are shown as such in it, whatever they are; of a body that is sent, it
/// has the content.
///
/// # Errors
/// When there is no such check, or such a body cannot be read.
pub fn digest(loaded: &Loaded, labels: &[String]) -> anyhow::Result<String> {
    let config = &loaded.config;
    let mut digest = Digester::default();
    write!(digest, "{:?}", (&config.public, &config.deadline))?;
    for (label, spec) in labeled(loaded, labels)? {
        write!(digest, "{:?}", (label, &spec))?;
        if let Some(name) = spec.body_file.as_deref().filter(|name| files::travels(name)) {
            let body = files::beside(loaded, spec.clone()).body_file.unwrap_or_default();
            let body = crate::host::files::read(body)
                .map_err(|error| Fault::error(format!("body-file: cannot read {name}: {error}")))?;
            digest.write_all(&body)?;
        }
    }
    Ok(digest.hex())
}

/// The checks with these labels, in the order of the file.
///
/// # Errors
/// When there is no such check.
fn labeled(loaded: &Loaded, labels: &[String]) -> anyhow::Result<Vec<(String, CheckSpec)>> {
    let all = as_written(loaded).into_iter().enumerate();
    let all = all.map(|(index, (_, spec))| (label(index, &spec), spec));
    let chosen: Vec<_> = all.filter(|(label, _)| labels.contains(label)).collect();
    match labels.iter().find(|label| !chosen.iter().any(|(known, _)| known == *label)) {
        None => Ok(chosen),
        Some(missing) => Err(Fault::error(format!("{}: there is no check {missing}", loaded.file))
            .hint("the configuration must have the checks of the one that is asked for them")
            .into()),
    }
}

/// Looks whether there is a check with each of these labels.
///
/// # Errors
/// When there is none.
pub(super) fn all_there(loaded: &Loaded, labels: &[String]) -> anyhow::Result<()> {
    labeled(loaded, labels).map(drop)
}

/// The labels of the checks that are asked from the caller.
fn of_caller(loaded: &Loaded) -> Vec<String> {
    let all = specs(loaded).into_iter().enumerate();
    all.filter(|(_, (_, spec))| spec.side() == Side::Caller)
        .map(|(index, (_, spec))| label(index, &spec))
        .collect()
}

/// Verifies from both sides at the same time.
pub(super) fn verify(
    session: &Session,
    loaded: &Loaded,
    target: &Target,
    asker: &dyn Asker,
) -> anyhow::Result<Verification> {
    let there = of_caller(loaded);
    // Nobody but the host reaches a slot.
    if there.is_empty() || target.only_paths {
        return here(session, loaded, target);
    }
    let digest = digest(loaded, &there)?;
    let question = Question { checks: there.clone(), digest, target: target.clone() };
    let own: Vec<String> = specs(loaded)
        .iter()
        .enumerate()
        .map(|(index, (_, spec))| label(index, spec))
        .filter(|label| !there.contains(label))
        .collect();
    let only = |labels: Vec<String>| Target { only: Some(labels), ..target.clone() };
    let (asked, own) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| asker.ask(&question, &session.cancel));
        // What the platform itself tells is seen from here, too.
        let is_any = !own.is_empty() || !target.own.is_empty();
        let own = is_any.then(|| here(session, loaded, &only(own.clone())));
        (asked.join(), own.transpose())
    });
    let own = own?;
    let mut is_cut = false;
    let seen = match asked {
        Ok(Asked::Seen(checks)) => {
            let (wanted, count) = (there.len(), checks.len());
            if count < wanted && checks.iter().all(|check| check.verdict.is_pass()) {
                // What nobody has seen is never a pass.
                let text = format!("the caller has answered {count} of {wanted} checks");
                let hint = "its configuration must have the checks of the one that began this";
                return Err(Fault::error(text).hint(hint).into());
            }
            checks
        }
        Ok(Asked::Wrong(why)) => return Err(Fault::error(format!("the caller: {why}")).into()),
        Ok(Asked::Cancelled) => {
            is_cut = true;
            Vec::new()
        }
        Ok(Asked::Nobody) | Err(_) => {
            let count = crate::decide::words::count(there.len(), "check");
            session.say(&format!("          | no caller is there: {count} asked from the host"));
            here(session, loaded, &Target { own: Vec::new(), ..only(there) })?.checks
        }
    };
    let merged = merged(session, own, seen);
    let least = if is_cut { Verdict::Inconclusive } else { Verdict::Pass };
    Ok(Verification { verdict: merged.verdict.max(least), ..merged })
}

fn merged(session: &Session, own: Option<Verification>, seen: Vec<Check>) -> Verification {
    let mut checks = own.map(|own| own.checks).unwrap_or_default();
    checks.extend(seen);
    let verdict = of_suite(checks.iter().map(|check| (check.severity, check.verdict)));
    let cancelled = session.cancel.reason();
    let (all, bad) = (checks.len(), failed(&checks));
    let summary = match (bad.first(), cancelled) {
        (_, Some(signal)) => format!("cancelled by {signal}"),
        (None, None) => format!("{all} of {all} checks passed"),
        (Some(first), None) => {
            format!("{} of {all} checks failed; {}: {}", bad.len(), first.name, first.reason)
        }
    };
    Verification { checks, verdict, summary, cancelled }
}

/// Refuses captures that would have to cross from one side to the other.
///
/// # Errors
/// [`Fault`] with exit code 2 that names the checks.
pub fn refuse_crossing(loaded: &Loaded) -> anyhow::Result<()> {
    let specs = files::without_those_of(Side::Host, loaded);
    if specs.is_empty() {
        return Ok(());
    }
    let surroundings = Surroundings {
        base_url: Some("http://localhost".into()),
        expected_version: Some("any".into()),
        process: None,
        ..Surroundings::default()
    };
    let checks = build(&specs, &surroundings)?;
    let all = || checks.iter().zip(specs.iter().map(|(_, spec)| spec.side()));
    for (check, side) in all() {
        for name in &check.needs {
            let captures = |other: &super::Check| {
                other.judge.capture.iter().any(|capture| capture.name == *name)
            };
            let Some((other, _)) = all().find(|(other, from)| captures(other) && *from != side)
            else {
                continue;
            };
            return Err(Fault::usage(format!(
                "{}: check {} needs {} of {}, which is asked from another machine",
                loaded.file,
                check.name,
                super::cookies::shown(name),
                other.name
            ))
            .hint("give both the same `from: host` or `from: caller`")
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Stub(Mutex<Vec<Vec<String>>>, Mutex<Option<Asked>>);

    impl Asker for Stub {
        fn ask(&self, question: &Question, _: &Cancel) -> Asked {
            self.0.lock().unwrap().push(question.checks.clone());
            self.1.lock().unwrap().take().unwrap_or(Asked::Nobody)
        }
    }

    fn loaded(text: &str) -> Loaded {
        crate::config::parse("waveoff.yml", &format!("version: 1\n{text}"), |_| None).unwrap()
    }

    const BOTH: &str = "checks:\n  - { name: here, command: [\"true\"] }\n  \
                        - { url: \"http://127.0.0.1:9/\", timeout: 1s, attempts: 1 }\n";

    fn with(asked: Option<Asked>, target: &Target) -> (Verification, Vec<Vec<String>>) {
        let stub = Stub(Mutex::default(), Mutex::new(asked));
        let seen = verify(&Session::silent(), &loaded(BOTH), target, &stub).unwrap();
        (seen, stub.0.into_inner().unwrap())
    }

    #[test]
    fn p8_each_side_is_asked_for_its_own() {
        let (cut, _) = with(Some(Asked::Cancelled), &Target::default());
        let names: Vec<&str> = cut.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["here"], "what the caller sees is not asked here, too");
        assert_eq!(cut.verdict, Verdict::Inconclusive, "half of it was not seen");
        let well = cut.checks[0].clone();
        let (seen, _) = with(Some(Asked::Seen(vec![well.clone()])), &Target::default());
        assert!(seen.verdict.is_pass() && seen.checks.len() == 2, "{seen:?}");
        let failed = Check { verdict: Verdict::Fail, ..well };
        let (seen, asked) = with(Some(Asked::Seen(vec![failed])), &Target::default());
        assert_eq!(asked, [["#2"]]);
        assert!(!seen.verdict.is_pass() && seen.checks.len() == 2, "{seen:?}");
    }

    #[test]
    fn p8_what_a_caller_has_not_answered_is_no_pass() {
        let stub = Stub(Mutex::default(), Mutex::new(Some(Asked::Seen(Vec::new()))));
        let seen = verify(&Session::silent(), &loaded(BOTH), &Target::default(), &stub);
        let error = seen.unwrap_err().to_string();
        assert_eq!(error, "the caller has answered 0 of 1 checks");
    }

    #[test]
    fn p5_what_the_platform_tells_counts_also_where_all_else_is_seen_by_the_caller() {
        let spec = |text: &str| specs(&loaded(text)).remove(0).1;
        let own = vec![spec("checks: [{ name: container, command: [\"false\"], attempts: 1 }]\n")];
        let target = Target { own, ..Target::default() };
        let outside = loaded("checks: [{ url: \"http://127.0.0.1:9/\" }]\n");
        let (well, _) = with(None, &Target::default());
        let mut well = well.checks[0].clone();
        well.name = "#1".into();
        let stub = Stub(Mutex::default(), Mutex::new(Some(Asked::Seen(vec![well]))));
        let seen = verify(&Session::silent(), &outside, &target, &stub).unwrap();
        assert!(!seen.verdict.is_pass(), "{seen:?}");
        assert_eq!(seen.checks.len(), 2);
    }

    #[test]
    fn p8_without_a_caller_the_host_asks_all() {
        let (seen, _) = with(None, &Target::default());
        assert_eq!(seen.checks.len(), 2);
        assert!(!seen.verdict.is_pass(), "nothing listens there: {seen:?}");
    }

    #[test]
    fn p8_a_label_is_no_check() {
        let asked = |text: &str, label: &str| digest(&loaded(text), &[label.to_owned()]);
        let of = |text: &str, label: &str| asked(text, label).unwrap();
        assert_eq!(of(BOTH, "#2"), of(BOTH, "#2"));
        assert_ne!(of(BOTH, "#2"), of(BOTH, "here"));
        for other in [
            BOTH.replace(":9/", ":8/"),
            BOTH.replace("timeout: 1s", "timeout: 2s"),
            format!("public: \"http://127.0.0.1:8\"\n{BOTH}"),
        ] {
            assert_ne!(of(&other, "#2"), of(BOTH, "#2"), "{other}");
        }
        let more = format!("{BOTH}  - {{ command: [\"false\"] }}\n");
        assert_eq!(of(&more, "#2"), of(BOTH, "#2"), "what is not asked does not matter");
        let error = asked(BOTH, "#3").unwrap_err().to_string();
        assert_eq!(error, "waveoff.yml: there is no check #3");
        let only = Some(vec!["here".to_owned(), "nowhere".to_owned()]);
        let target = Target { only, ..Target::default() };
        let error = here(&Session::silent(), &loaded(BOTH), &target).unwrap_err().to_string();
        assert_eq!(error, "waveoff.yml: there is no check nowhere");
    }

    #[test]
    fn p8_captures_do_not_cross() {
        let text = |from: &str| {
            format!(
                "checks:\n  - {{ name: a, url: \"http://a.test\", capture: {{ id: {{ jsonpath: $.id }} }} }}\n  \
                 - {{ name: b, path: \"/{{{{id}}}}\"{from} }}\n"
            )
        };
        let error = refuse_crossing(&loaded(&text(""))).unwrap_err().to_string();
        assert!(error.contains("check b needs {{id}} of a"), "{error}");
        refuse_crossing(&loaded(&text(", from: caller"))).unwrap();
    }
}
