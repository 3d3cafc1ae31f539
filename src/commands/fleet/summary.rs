//! What became of several hosts, as one report.

use std::collections::BTreeSet;

use crate::commands::Session;
use crate::commands::preflight::LISTS;
use crate::config::ssh::Address;
use crate::decide::fleet::Member;
use crate::decide::fleet::course::Landed;
use crate::decide::history::Release;
use crate::decide::verdict::Verdict;
use crate::exit::{Exit, classify, is_untouched};
use crate::report::v1::{Deployment, Report, Step};

/// What one host is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What was wanted.
    Forward,
    /// Bringing back what it had.
    Back,
}

/// What became of one host.
#[derive(Debug, Clone)]
pub(super) struct Part {
    host: String,
    kind: Kind,
    exit: u8,
    summary: String,
    next: Option<String>,
    report: Option<Report>,
    /// Whether it was live there already.
    is_again: bool,
    /// Whether it is certain that nothing was begun there.
    is_untouched: bool,
}

impl Part {
    fn new(host: &str, kind: Kind, result: anyhow::Result<Report>) -> Self {
        let host = host.to_owned();
        match result {
            Ok(report) => Self {
                host,
                kind,
                exit: report.exit_code,
                summary: report.summary.clone(),
                next: report.next.clone(),
                report: Some(report),
                is_again: false,
                is_untouched: false,
            },
            Err(error) => {
                let (exit, hint) = classify(&error);
                let next = hint.map(str::to_owned);
                let (exit, summary) = (exit.code(), format!("{error:#}"));
                let is_untouched = is_untouched(&error);
                Self {
                    host,
                    kind,
                    exit,
                    summary,
                    next,
                    report: None,
                    is_again: false,
                    is_untouched,
                }
            }
        }
    }

    /// Of what was wanted.
    pub(super) fn of(host: &Address, result: anyhow::Result<Report>) -> Self {
        Self::new(&host.to_string(), Kind::Forward, result)
    }

    /// Of the way back.
    pub(super) fn back(host: &Address, result: anyhow::Result<Report>) -> Self {
        Self::new(&host.to_string(), Kind::Back, result)
    }

    fn said(host: &str, kind: Kind, exit: Exit, summary: String) -> Self {
        let (host, exit) = (host.to_owned(), exit.code());
        // It is said by us, who know.
        let (is_again, is_untouched) = (false, true);
        Self { host, kind, exit, summary, next: None, report: None, is_again, is_untouched }
    }

    /// A host that was not come to.
    pub(super) fn untouched(host: &Address, why: &str) -> Self {
        let summary = format!("nothing was touched: {why}");
        Self::said(&host.to_string(), Kind::Forward, Exit::Error, summary)
    }

    /// A host on which nothing can come back.
    pub(super) fn stuck(host: &str, version: &str) -> Self {
        let summary = format!("{version} stays: nothing was verified there before it");
        Self::said(host, Kind::Back, Exit::RollbackFailed, summary)
    }

    /// A host that has neither the release nor what it had before.
    pub(super) fn stray(host: &str, version: &str) -> Self {
        let summary = format!(
            "neither {version} nor what was live before is live there now: a person is needed"
        );
        Self::said(host, Kind::Back, Exit::RollbackFailed, summary)
    }

    /// A host that had nothing to finish.
    pub(super) fn told(member: &Member) -> Self {
        let live = member.live.as_ref().map_or("no verified release", |live| &live.version);
        let summary = format!("{live} is live; there was nothing to do");
        Self::said(&member.host, Kind::Forward, Exit::Pass, summary)
    }

    /// The release that was brought back there.
    pub(super) fn target(&self) -> Option<&str> {
        self.report.as_ref()?.deployment.as_ref()?.target_version.as_deref()
    }

    /// The same; not as was wanted, when that brought another release back than the one on other hosts.
    pub(super) fn with(self, elsewhere: Option<&str>) -> Self {
        match (self.is_good(), self.target(), elsewhere) {
            (true, Some(target), Some(elsewhere)) if target != elsewhere => {
                let summary = format!("{}, and {elsewhere} on other hosts", self.summary);
                let next = Some("name one for all of them: `waveoff rollback --to VERSION`".into());
                Self { exit: Exit::Fail.code(), summary, next, ..self }
            }
            _ => self,
        }
    }

    /// Whether it ended as was wanted.
    pub(super) fn is_good(&self) -> bool {
        self.exit == Exit::Pass.code()
    }

    /// The same, where this release was live before. The same once more leaves nothing to come back;
    /// when it failed, an older one came back, though no other host goes there.
    pub(super) fn after(self, before: Option<&Release>) -> Self {
        let deployment = self.report.as_ref().and_then(|report| report.deployment.as_ref());
        let is_again = before.zip(deployment).is_some_and(|(before, deployment)| {
            let Deployment { version, digests, .. } = deployment.clone();
            before.is_same(&Release { version, sha: None, digests })
        });
        let part = Self { is_again, ..self };
        if !is_again || part.exit != Exit::RolledBack.code() {
            return part;
        }
        let next = "a person is needed: the hosts have different releases now; bring one back on all \
                    of them (`waveoff rollback --to VERSION`), or deploy one that is good";
        Self { exit: Exit::RollbackFailed.code(), next: Some(next.into()), ..part }
    }

    /// What became of the release there.
    pub(super) fn landed(&self) -> Landed {
        let deployment = self.report.as_ref().and_then(|report| report.deployment.as_ref());
        match self.is_good() {
            true if deployment.is_some_and(|is| is.mutated) && !self.is_again => Landed::Changed,
            true => Landed::Already,
            false if self.is_unknown() => Landed::Unknown,
            false => Landed::Not,
        }
    }

    /// Whether nobody knows how it ended there.
    fn is_unknown(&self) -> bool {
        let is_left = |report: &Report| {
            let has_begun = report.deployment.as_ref().is_some_and(|deployment| deployment.mutated);
            self.exit == Exit::Error.code() && has_begun
        };
        match &self.report {
            // Stopped on the way: somebody else, or the next boot, finishes it either way.
            Some(report) => is_left(report),
            None => !self.is_untouched,
        }
    }

    /// Why it failed, in one line.
    pub(super) fn why(&self) -> String {
        format!("{}: {}", self.host, self.summary)
    }

    fn step(&self) -> Step {
        let (name, verdict) = match (self.kind, self.is_good()) {
            (Kind::Forward, true) => ("host", Verdict::Pass),
            (Kind::Forward, false) => ("host", Verdict::Fail),
            (Kind::Back, true) => ("bring back", Verdict::Pass),
            (Kind::Back, false) => ("bring back", Verdict::Fail),
        };
        let detail = format!("{}: {}", self.host, self.summary);
        Step { name: name.into(), detail, verdict, from_ms: 0, duration_ms: 0 }
    }
}

/// The report of all of them; `back` is what was brought back because one had failed.
pub(super) fn conclude(session: &Session, parts: Vec<Part>, back: Option<Vec<Part>>) -> Report {
    if parts.is_empty() {
        // Nothing observed is never a pass.
        return session.report(Verdict::Error, "no host was asked");
    }
    let failed: Vec<&Part> = parts.iter().filter(|part| !part.is_good()).collect();
    let lost = back.iter().flatten().find(|part| !part.is_good());
    let is_lost = |part: &&&Part| part.exit == Exit::RollbackFailed.code();
    let came_to_one = failed.iter().find(is_lost).or_else(|| {
        failed.iter().find(|part| part.exit != Exit::Error.code() || part.report.is_some())
    });
    let worst = came_to_one.or(failed.first()).copied();
    let (exit, verdict, summary, next) = match (worst, lost) {
        (None, _) => {
            let summary = match parts.as_slice() {
                [one] => one.summary.clone(),
                all => format!("{} hosts: {}", all.len(), common(all)),
            };
            (Exit::Pass.code(), Verdict::Pass, summary, None)
        }
        (Some(worst), Some(lost)) => (
            Exit::RollbackFailed.code(),
            Verdict::Fail,
            format!("{}; then {}", worst.why(), lost.why()),
            Some("a person is needed: look at every host with `waveoff status`".to_owned()),
        ),
        (Some(worst), None) => {
            let count = back.as_ref().map_or(0, Vec::len);
            let (exit, also) = match count {
                0 => (worst.exit, String::new()),
                1 => (
                    Exit::RolledBack.code().max(worst.exit),
                    "; 1 other host was brought back".into(),
                ),
                n => (
                    Exit::RolledBack.code().max(worst.exit),
                    format!("; {n} other hosts were brought back"),
                ),
            };
            let exit = if parts.iter().any(Part::is_unknown) && exit != Exit::RollbackFailed.code()
            {
                Exit::Error.code()
            } else {
                exit
            };
            let verdict = if exit == Exit::Error.code() { Verdict::Error } else { Verdict::Fail };
            (exit, verdict, worst.why() + &also, worst.next.clone())
        }
    };
    let mut report = session.report(verdict, summary);
    (report.exit_code, report.next) = (exit, next);
    fill(&mut report, parts, back.unwrap_or_default());
    report
}

/// What is the same everywhere is said once.
fn common(all: &[Part]) -> String {
    let first = all.first().map_or("", |part| part.summary.as_str());
    match all.iter().all(|part| part.summary == first) {
        true => first.to_owned(),
        false => all.iter().map(Part::why).collect::<Vec<_>>().join("; "),
    }
}

fn fill(report: &mut Report, parts: Vec<Part>, back: Vec<Part>) {
    // Of a failure the outputs are those of the host that failed.
    let model = parts.iter().find(|part| !part.is_good() && part.report.is_some());
    let model = model.or(parts.first()).and_then(|part| part.report.as_ref());
    if let Some(model) = model {
        report.service.clone_from(&model.service);
        report.environment.clone_from(&model.environment);
        report.expected_version.clone_from(&model.expected_version);
        report.deployment.clone_from(&model.deployment);
        report.outputs.clone_from(&model.outputs);
    }
    report.outputs.remove(super::MEMBER);
    for name in LISTS {
        let reports = parts.iter().filter_map(|part| part.report.as_ref());
        let lines = reports.filter_map(|own| own.outputs.get(name)).flat_map(|text| text.lines());
        let all: BTreeSet<&str> = lines.collect();
        let all = all.into_iter().collect::<Vec<_>>().join("\n");
        report.outputs.get_mut(name).into_iter().for_each(|own| own.clone_from(&all));
    }
    for part in parts.into_iter().chain(back) {
        report.steps.push(part.step());
        let Some(own) = part.report else { continue };
        let host = &part.host;
        report.steps.extend(own.steps.into_iter().map(|step| {
            let detail = format!("{host}: {}", step.detail);
            Step { detail, ..step }
        }));
        report.checks.extend(own.checks.into_iter().map(|mut check| {
            check.name = format!("{host}: {}", check.name);
            check
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::runs::Wrong;
    use crate::exit::Fault;

    fn part(host: &str, exit: Exit) -> Part {
        let mut report = Session::silent().report(Verdict::Fail, format!("ended with {exit:?}"));
        report.exit_code = exit.code();
        Part::of(&format!("ssh://{host}").parse().unwrap(), Ok(report))
    }

    #[test]
    fn d11_a_host_that_could_not_be_brought_back_outweighs_all_others() {
        let parts =
            [Exit::RolledBack, Exit::RollbackFailed, Exit::Error].map(|exit| part("a", exit));
        let report = conclude(&Session::silent(), parts.into(), None);
        assert_eq!(report.exit_code, Exit::RollbackFailed.code(), "{report:?}");
        let parts = vec![part("a", Exit::RollbackFailed), part("b", Exit::Pass)];
        let back = Some(vec![part("b", Exit::Pass)]);
        let report = conclude(&Session::silent(), parts, back);
        assert_eq!(report.exit_code, Exit::RollbackFailed.code(), "{report:?}");
    }

    #[test]
    fn d7_d11_only_what_certainly_began_nothing_is_not_live_there() {
        let host = "ssh://a".parse().unwrap();
        let refused = || Fault::usage("it is older than the live one");
        let landed = |fault: Fault| Part::of(&host, Err(fault.into())).landed();
        assert_eq!(landed(refused().untouched()), Landed::Not);
        assert_eq!(landed(refused()), Landed::Unknown);
        assert_eq!(landed(Wrong::of(&refused().untouched().into()).fault()), Landed::Not);
        assert_eq!(Part::untouched(&host, "cancelled").landed(), Landed::Not);
        // Whoever finishes what was stopped on the way may do it either way.
        for (mutated, ended) in [(true, Landed::Unknown), (false, Landed::Not)] {
            let mut report = Session::silent().report(Verdict::Error, "stopped on the way");
            let of = serde_json::json!({
                "id": "d1", "version": "v2", "outcome": "failed", "mutated": mutated
            });
            report.deployment = serde_json::from_value(of).unwrap();
            assert_eq!(Part::of(&host, Ok(report)).landed(), ended);
        }
    }

    #[test]
    fn d2_d11_what_any_host_wants_is_wanted() {
        let host = |name: &str, exit, images: &str| {
            let mut part = part(name, exit);
            let outputs = &mut part.report.as_mut().unwrap().outputs;
            outputs.insert("images".into(), images.into());
            outputs.insert("checks-failed".into(), name.into());
            part
        };
        let parts = vec![
            host("a", Exit::Pass, "x/web:v2 here\nx/worker:v2 here"),
            host("b", Exit::Fail, "x/web:v2 missing\nx/worker:v2 here"),
        ];
        let outputs = conclude(&Session::silent(), parts, None).outputs;
        assert_eq!(outputs["images"], "x/web:v2 here\nx/web:v2 missing\nx/worker:v2 here");
        assert_eq!(outputs["checks-failed"], "b", "the others are of the host that failed");
    }

    #[test]
    fn d11_nobody_asked_is_no_pass() {
        let report = conclude(&Session::silent(), Vec::new(), None);
        assert_eq!((report.verdict, report.exit_code), (Verdict::Error, Exit::Error.code()));
    }
}
