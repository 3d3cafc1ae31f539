//! What scanners found in the images that are deployed, and in no others.

use std::time::{Duration, SystemTime};

use super::{Finding, Subject};
use crate::config::preflight::{Kind, ScanSpec};
use crate::decide::scan::{self, Level, Scan};
use crate::decide::verdict::Verdict;
use crate::decide::words::{count, show_duration};
use crate::host::{clock, files};
use crate::report::v1;

const KIND: Kind = Kind::Scan;
/// Findings that are shown.
const SHOWN: usize = 20;

/// Each report is under the bar and about what is deployed, and each image has one.
pub(super) fn under_the_bar(subject: &Subject<'_>) -> Vec<Finding> {
    let none = ScanSpec::default();
    let spec = match (&subject.spec.scan, subject.reports.is_empty()) {
        (Some(spec), _) => spec,
        (None, false) => &none,
        (None, true) => return Vec::new(),
    };
    let configured = spec.reports.iter().flat_map(|list| &list.0);
    let mut names: Vec<&String> = configured.chain(&subject.reports).collect();
    names.dedup();
    if names.is_empty() {
        let reason = "no scanner's report was given";
        let remedy = "scan the image with `trivy image --format json --output trivy.json`, and name \
                      the report under `preflight.scan.reports` or with --scan-report";
        return vec![Finding::bad(KIND, "", Verdict::Inconclusive, reason, remedy)];
    }
    let mut scans = Vec::new();
    let mut findings = Vec::new();
    for name in names {
        match read(name) {
            Ok(scan) => {
                findings.push(subject.judge(name, &scan, spec));
                scans.push(scan);
            }
            Err(why) => {
                let remedy =
                    "scan it again, and give Trivy's JSON or SARIF as the scanner wrote it";
                findings.push(Finding::bad(KIND, name, Verdict::Error, why, remedy));
            }
        }
    }
    findings.extend(subject.without(&scans));
    findings
}

fn read(name: &str) -> Result<Scan, String> {
    let bytes = files::read(name).map_err(|error| format!("it cannot be read: {error}"))?;
    scan::read(&bytes)
}

impl Subject<'_> {
    fn judge(&self, name: &str, scan: &Scan, spec: &ScanSpec) -> Finding {
        let bad = |verdict, reason: String, remedy: &str| {
            Finding::bad(KIND, name, verdict, reason, remedy)
        };
        let subject = scan.subject.as_deref().unwrap_or("something unnamed");
        if scan.looked_at == 0 {
            let reason = format!("the scanner found nothing to look through in {subject}");
            return bad(
                Verdict::Inconclusive,
                reason,
                "scan it with a scanner that knows what is in it",
            );
        }
        let about = self.is_about(scan);
        if about == Some(false) {
            let reason = format!("it is about {subject}, and not about what would be deployed");
            return bad(Verdict::Fail, reason, "scan the image by the digest that is deployed");
        }
        if let Some(stale) = too_old(scan, spec, clock::wall()) {
            return bad(Verdict::Fail, stale, "scan it again: what is known of it grows each day");
        }
        let bar = spec.bar.unwrap_or(Level::High);
        let over = scan.over(bar);
        if over.is_empty() {
            let text = format!("{}, none of them {bar} or worse", scan.counts());
            let text = if scan.found.is_empty() { scan.counts() } else { text };
            let finding = Finding::pass(KIND, name, text);
            let untold = (about.is_none() && !self.images.is_empty())
                .then(|| "it does not tell by digest what was scanned".to_owned());
            return Finding { warnings: untold.into_iter().collect(), ..finding };
        }
        let first = over.first().map(ToString::to_string).unwrap_or_default();
        let reason = format!("{} {bar} or worse: {first}", count(over.len(), "finding"));
        let mendable = over.iter().any(|one| one.fixed.is_some());
        let remedy = match mendable {
            true => "update what is mended, build again; or accept it in the scanner's ignore file",
            false => "replace it, or accept it in the scanner's ignore file, with a reason",
        };
        let evidence = |one: &&scan::Found| v1::Finding {
            query: one.id.clone(),
            expected: format!("nothing {bar} or worse"),
            actual: one.to_string(),
            verdict: Verdict::Fail,
        };
        let evidence = over.iter().take(SHOWN).map(evidence).collect();
        Finding { evidence, ..bad(Verdict::Fail, reason, remedy) }
    }

    /// Whether a report is about one of the images; none when it does not tell, or none is known.
    fn is_about(&self, scan: &Scan) -> Option<bool> {
        let known = self.images.iter().filter_map(|looked| looked.found.as_ref().ok());
        let told: Vec<Option<bool>> =
            known.flat_map(|found| found.digests()).map(|digest| scan.is_of(digest)).collect();
        let told: Option<Vec<bool>> = told.into_iter().collect();
        told.filter(|told| !told.is_empty()).map(|told| told.contains(&true))
    }

    /// The images that no report is about.
    fn without(&self, scans: &[Scan]) -> Vec<Finding> {
        let bare = self.images.iter().filter_map(|looked| {
            let found = looked.found.as_ref().ok()?;
            let is_of =
                |scan: &Scan| found.digests().any(|digest| scan.is_of(digest) == Some(true));
            let silent = |scan: &Scan| scan.is_of(&found.digest).is_none();
            // A report that does not tell may be about the only image, and about no certain one of several.
            let covers = |scan: &Scan| is_of(scan) || silent(scan) && self.images.len() == 1;
            (!scans.iter().any(covers)).then(|| looked.image.name())
        });
        let one = |about: String| {
            let reason = "no scanner's report is about it";
            let remedy = "scan it by the digest that is deployed";
            Finding::bad(KIND, about, Verdict::Inconclusive, reason, remedy)
        };
        bare.map(one).collect()
    }
}

fn too_old(scan: &Scan, spec: &ScanSpec, now: SystemTime) -> Option<String> {
    let limit = spec.max_age?.0;
    let Some(created) = scan.created.as_deref() else {
        return Some("it does not tell when it was made".into());
    };
    let Some(at) = scan::time(created) else {
        return Some(format!("it does not tell in a known way when it was made: {created:?}"));
    };
    let age = now.duration_since(at).unwrap_or(Duration::ZERO);
    (age > limit)
        .then(|| format!("it is {} old, and may be {}", show_duration(age), show_duration(limit)))
}
