//! What scanners found in the images that are deployed, and in no others.

use std::cmp::Reverse;
use std::time::SystemTime;

use super::{Finding, Looked, Missing, Subject};
use crate::config::preflight::{Kind, ScanSpec};
use crate::decide::scan::{self, About, Image, Level, Scan};
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
    let images: Vec<Image> = subject.images.iter().map(image).collect();
    let now = clock::wall();
    let mut scans = Vec::new();
    let mut findings = Vec::new();
    for name in names {
        match read(name) {
            Ok(scan) => {
                findings.push(judge(name, &scan, spec, &images, now));
                scans.push(scan);
            }
            Err(why) => {
                let remedy =
                    "scan it again, and give Trivy's JSON or SARIF as the scanner wrote it";
                findings.push(Finding::bad(KIND, name, Verdict::Error, why, remedy));
            }
        }
    }
    let own = subject.images.iter().zip(&images).filter(|(looked, _)| subject.is_own(looked));
    findings.extend(own.filter_map(|(looked, image)| uncovered(looked, image, &scans)));
    findings
}

fn read(name: &str) -> Result<Scan, String> {
    // A pipe would have us wait for ever.
    let regular = files::open_regular(name).map(drop);
    let bytes = regular.and_then(|()| files::read(name));
    let bytes = bytes.map_err(|error| format!("it cannot be read: {error}"))?;
    scan::read(&bytes)
}

/// An image with all by which a report may call it.
fn image(looked: &Looked) -> Image {
    let name = looked.image.name();
    let Ok(found) = &looked.found else {
        let digests = looked.image.digest.iter().cloned().collect();
        return Image { name, digests, is_whole: false };
    };
    let configurations = found.parts.iter().filter_map(|part| part.blobs.first());
    let configurations = configurations.map(|blob| &*blob.digest);
    let digests = found.digests().chain(configurations).map(str::to_owned).collect();
    Image { name, digests, is_whole: true }
}

/// The worst that is to be said of a report.
fn judge(name: &str, scan: &Scan, spec: &ScanSpec, images: &[Image], now: SystemTime) -> Finding {
    let bar = spec.bar.unwrap_or(Level::High);
    let about = scan.about(images);
    let all = [
        amiss(name, scan, about),
        stale(name, scan, spec, now),
        over(name, scan, bar),
        unsure(name, scan),
    ];
    let worst = all.into_iter().flatten().min_by_key(|finding| Reverse(finding.verdict));
    worst.unwrap_or_else(|| {
        let text = match scan.found.is_empty() {
            true => scan.counts(),
            false => format!("{}, none of them {bar} or worse", scan.counts()),
        };
        let of_files = (about == About::Files)
            .then(|| "it is about files, and stands for no image".to_owned());
        Finding { warnings: of_files.into_iter().collect(), ..Finding::pass(KIND, name, text) }
    })
}

/// It is not about what would be deployed, or nobody can say so.
fn amiss(name: &str, scan: &Scan, about: About) -> Option<Finding> {
    let subject = scan.subject.as_deref().unwrap_or("something unnamed");
    let by_digest = "scan the image by the digest that is deployed";
    let (verdict, why, remedy) = match about {
        About::Deployed | About::Files => return None,
        About::Another => (Verdict::Fail, "and not about what would be deployed", by_digest),
        About::Untold => {
            (Verdict::Inconclusive, "and does not tell by digest what that was", by_digest)
        }
        About::Unseen => (
            Verdict::Inconclusive,
            "and the digests of what would be deployed are not known here",
            "name the image under `preflight.images`, with the registry that it came from",
        ),
        About::NoneKnown => (
            Verdict::Inconclusive,
            "and no image of the release is known here",
            "name them under `preflight.images`, or by --digest repository@sha256:…",
        ),
    };
    Some(Finding::bad(KIND, name, verdict, format!("it is about {subject}, {why}"), remedy))
}

fn stale(name: &str, scan: &Scan, spec: &ScanSpec, now: SystemTime) -> Option<Finding> {
    let limit = spec.max_age?.0;
    let (verdict, reason, remedy) = match scan.age(now) {
        Ok(age) if age <= limit => return None,
        Ok(age) => (
            Verdict::Fail,
            format!("it is {} old, and may be {}", show_duration(age), show_duration(limit)),
            "scan it again: what is known of it grows each day",
        ),
        Err(why) => (Verdict::Inconclusive, why, "scan it again, with a report that has the time"),
    };
    Some(Finding::bad(KIND, name, verdict, reason, remedy))
}

/// Something is at the bar or above it.
fn over(name: &str, scan: &Scan, bar: Level) -> Option<Finding> {
    let over = scan.over(bar);
    let reason = format!("{} {bar} or worse: {}", count(over.len(), "finding"), over.first()?);
    let remedy = match over.iter().any(|one| one.fixed.is_some()) {
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
    Some(Finding { evidence, ..Finding::bad(KIND, name, Verdict::Fail, reason, remedy) })
}

/// That nothing was found says nothing.
fn unsure(name: &str, scan: &Scan) -> Option<Finding> {
    let subject = scan.subject.as_deref().unwrap_or("something unnamed");
    let (reason, remedy) = if scan.looked_at == 0 {
        let reason = format!("the scanner found nothing to look through in {subject}");
        (reason, "scan it with a scanner that knows what is in it")
    } else if scan.is_past_end {
        let reason = format!("the distribution in {subject} is past its end");
        (reason, "build on one that is maintained: nobody tells what is new in an old one")
    } else {
        return None;
    };
    Some(Finding::bad(KIND, name, Verdict::Inconclusive, reason, remedy))
}

/// An image that no report is about for certain.
fn uncovered(looked: &Looked, image: &Image, scans: &[Scan]) -> Option<Finding> {
    if scans.iter().any(|scan| scan.is_of(image)) {
        return None;
    }
    let (reason, remedy) = match &looked.found {
        Ok(_) => ("no scanner's report is about it", "scan it by the digest that is deployed"),
        Err(Missing::OnlyHere) => (
            "this machine has it, no registry was asked, and no scanner's report is about it",
            "name it under `preflight.images` with the registry that it came from",
        ),
        Err(Missing::Bad(..)) => ("not looked at, since the image was not found", "see `image`"),
    };
    Some(Finding::bad(KIND, looked.image.name(), Verdict::Inconclusive, reason, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Period;
    use serde_json::{Value, json};

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const SHOP: &str = "ghcr.io/acme/shop";

    fn shop() -> Image {
        Image { name: SHOP.into(), digests: vec![DIGEST.into()], is_whole: true }
    }

    fn report() -> Value {
        json!({"SchemaVersion": 2, "CreatedAt": "2026-01-02T00:00:00Z", "ArtifactName": SHOP,
               "ArtifactType": "container_image", "Metadata": {"ImageID": DIGEST},
               "Results": [{"Target": "debian"}]})
    }

    /// What is said of a report a day after it was made.
    fn judged(report: &Value, spec: &ScanSpec, images: &[Image]) -> Finding {
        let scan = scan::read(report.to_string().as_bytes()).unwrap();
        let now = scan::time("2026-01-03T00:00:00Z").unwrap();
        judge("trivy.json", &scan, spec, images, now)
    }

    #[track_caller]
    fn expect(found: &Finding, verdict: Verdict, words: &str) {
        assert!(found.verdict == verdict && found.reason.contains(words), "{found:?}");
    }

    #[test]
    fn d2_a_report_counts_when_it_is_proven_to_be_about_what_is_deployed() {
        let spec = ScanSpec::default();
        let good = judged(&report(), &spec, &[shop()]);
        expect(&good, Verdict::Pass, "nothing found");
        assert!(good.warnings.is_empty(), "{good:?}");
        expect(&judged(&report(), &spec, &[]), Verdict::Inconclusive, "no image of the release");
        let here = Image { digests: Vec::new(), is_whole: false, ..shop() };
        expect(&judged(&report(), &spec, &[here]), Verdict::Inconclusive, "are not known here");
        let mut named = report();
        named["Metadata"] = json!({});
        expect(&judged(&named, &spec, &[shop()]), Verdict::Inconclusive, "by digest");
        named["ArtifactName"] = json!("ghcr.io/acme/job:v1");
        expect(&judged(&named, &spec, &[shop()]), Verdict::Fail, "not about what would be");
    }

    #[test]
    fn d2_a_report_about_files_is_under_the_bar_and_stands_for_no_image() {
        let mut files = report();
        files["Metadata"] = json!({});
        files["ArtifactName"] = json!(".");
        files["ArtifactType"] = json!("filesystem");
        for images in [&[][..], &[shop()]] {
            let found = judged(&files, &ScanSpec::default(), images);
            expect(&found, Verdict::Pass, "nothing found");
            assert_eq!(found.warnings, ["it is about files, and stands for no image"]);
        }
        files["Results"][0]["Secrets"] = json!([{"RuleID": "key", "Severity": "HIGH"}]);
        expect(&judged(&files, &ScanSpec::default(), &[]), Verdict::Fail, "HIGH key");
    }

    #[test]
    fn d2_the_worst_is_told_of_a_report() {
        let mut bad = report();
        bad["Metadata"] = json!({});
        bad["Results"][0]["Secrets"] = json!([{"RuleID": "key", "Severity": "HIGH"}]);
        expect(&judged(&bad, &ScanSpec::default(), &[shop()]), Verdict::Fail, "HIGH key");
        bad["Results"] = Value::Null;
        bad["Metadata"] = json!({"ImageID": DIGEST});
        expect(&judged(&bad, &ScanSpec::default(), &[shop()]), Verdict::Inconclusive, "nothing to");
    }

    #[test]
    fn d2_that_nothing_is_found_in_a_distribution_past_its_end_says_nothing() {
        let mut old = report();
        old["Metadata"]["OS"] = json!({"Family": "debian", "Name": "10", "EOSL": true});
        let found = judged(&old, &ScanSpec::default(), &[shop()]);
        expect(&found, Verdict::Inconclusive, "is past its end");
    }

    #[test]
    fn d2_a_report_may_be_too_old_and_must_tell_its_age() {
        let limit = |hours: u64| ScanSpec {
            max_age: Some(Period(std::time::Duration::from_secs(hours * 3600))),
            ..ScanSpec::default()
        };
        let (fits, short) = (limit(24), limit(23));
        expect(&judged(&report(), &fits, &[shop()]), Verdict::Pass, "nothing found");
        expect(&judged(&report(), &short, &[shop()]), Verdict::Fail, "1day old");
        let mut ahead = report();
        ahead["CreatedAt"] = json!("2099-01-01T00:00:00Z");
        expect(&judged(&ahead, &fits, &[shop()]), Verdict::Inconclusive, "in the future");
        let sarif = |invocation: Value| json!({"runs": [{"invocations": [invocation], "results": [], "tool": {"driver": {}}}]});
        let ended = sarif(json!({"endTimeUtc": "2026-01-02T12:00:00Z"}));
        expect(&judged(&ended, &fits, &[]), Verdict::Pass, "nothing found");
        expect(&judged(&sarif(json!({})), &fits, &[]), Verdict::Inconclusive, "does not tell when");
    }

    #[test]
    fn d2_an_image_without_a_report_is_told_wherever_it_is() {
        let scans = [scan::read(report().to_string().as_bytes()).unwrap()];
        let not_found = Missing::Bad(Verdict::Fail, "gone".into(), "push it".into());
        for (found, words) in
            [(Missing::OnlyHere, "this machine has it"), (not_found, "the image was not found")]
        {
            let with = |reference: &str| Looked::missing(reference.parse().unwrap(), found.clone());
            let bare = with("db:17");
            let told = uncovered(&bare, &image(&bare), &scans).unwrap();
            expect(&told, Verdict::Inconclusive, words);
            assert_eq!(told.about, "docker.io/library/db");
            let pinned = with(&format!("{SHOP}@{DIGEST}"));
            assert_eq!(uncovered(&pinned, &image(&pinned), &scans), None, "the name has it");
        }
    }
}
