//! Prometheus' pages: one that is cut is refused, and one more sample is one more. The first line of
//! an input is a selector.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::expect::Expect;
use waveoff_fuzz::decide::metric::Selector;
use waveoff_fuzz::decide::part::Part;
use waveoff_fuzz::decide::predicate::Predicate;
use waveoff_fuzz::decide::verdict::Verdict;
use waveoff_fuzz::{ask, first_line};

/// How many samples a page has, or why it is none.
fn samples(page: &str, kind: &str) -> Result<u64, String> {
    let finding = ask(&Expect::Part(Part::Samples, None), kind, page.as_bytes());
    let count = finding.found.strip_suffix(" samples").or(finding.found.strip_suffix(" sample"));
    match (finding.verdict, count.and_then(|count| count.parse().ok())) {
        (Verdict::Pass, Some(count)) => Ok(count),
        (Verdict::Pass, None) => panic!("{finding:?}"),
        _ if finding.found == "the page has no samples" => Ok(0),
        _ => Err(finding.found),
    }
}

fuzz_target!(|text: &str| {
    let (selector, page) = first_line(text);
    let plain = samples(page, "text/plain");
    let open = samples(page, "application/openmetrics-text");
    if let Ok(count) = plain {
        assert!(count <= page.lines().count() as u64);
        let end = if page.ends_with('\n') { "" } else { "\n" };
        // What has an end has nothing behind it.
        let more = samples(&format!("{page}{end}waveoff_one 1\n"), "text/plain");
        assert!(more == Ok(count + 1) || (more.is_err() && page.contains("EOF")));
        for end in 1..page.len().min(200) {
            let Some(cut) = page.get(..end).filter(|cut| !cut.ends_with('\n')) else { continue };
            let is_end = cut.lines().last() == Some("# EOF");
            assert!(is_end || samples(cut, "text/plain").is_err(), "{cut:?}");
        }
    }
    // What OpenMetrics has is Prometheus', with an end.
    assert!(open.is_err() || open == plain);

    let Ok(selector) = Selector::parse(selector) else { return };
    let again = Selector::parse(&selector.to_string()).map(|again| again.to_string());
    assert_eq!(again, Ok(selector.to_string()));
    let count = Predicate::Count(Box::new(Predicate::Equals(0.into())));
    let none =
        ask(&Expect::Part(Part::Metric(selector), Some(count)), "text/plain", page.as_bytes());
    // What cannot be read is never "none of them".
    assert!(plain.is_ok() || none.verdict != Verdict::Pass, "{none:?}");
});
