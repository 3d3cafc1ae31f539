//! HTML: anything is read, in time, and what stands first is found first.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::ask;
use waveoff_fuzz::decide::expect::Expect;
use waveoff_fuzz::decide::html::Place;
use waveoff_fuzz::decide::part::Part;
use waveoff_fuzz::decide::predicate::Predicate;
use waveoff_fuzz::decide::verdict::Verdict;

/// Whether exactly this text is found at a place.
fn has(place: Place, wanted: &str, page: &str) -> bool {
    let equals = Predicate::Equals(wanted.into());
    let finding = ask(&Expect::Part(Part::Html(place), Some(equals)), "text/html", page.as_bytes());
    finding.verdict == Verdict::Pass
}

fuzz_target!(|page: &str| {
    for place in [
        Place::Title,
        Place::Heading,
        Place::Text,
        Place::Meta("version".into()),
        Place::Id("app".into()),
    ] {
        let finding = ask(&Expect::Part(Part::Html(place), None), "text/html", page.as_bytes());
        assert!(!finding.found.contains("  "), "white space is collapsed: {finding:?}");
        assert!(finding.verdict != Verdict::Error, "{finding:?}");
    }
    assert!(has(Place::Title, "Shop 1", &format!("<title> Shop\n1</title>{page}")));
    assert!(has(Place::Heading, "Shop 1", &format!("<h1> Shop\n1</h1>{page}")));
    assert!(has(Place::Id("x-app".into()), "Shop", &format!("<p id=x-app>Shop</p>{page}")));
    let meta = format!("<meta name=x-v content='1.4'>{page}");
    assert!(has(Place::Meta("x-v".into()), "1.4", &meta));
    // What is commented out is not there.
    if !page.contains('>') {
        assert!(has(Place::Text, "Shop", &format!("Shop<!--{page}")));
        assert!(has(Place::Text, "Shop", &format!("Shop<a {page}")));
    }
});
