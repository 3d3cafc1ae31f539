use super::super::incident_text::{BODY, body, changed, recovered};
use super::super::verdict::{Severity, Verdict};
use super::*;
use crate::report::v1::{Finding, Response, Stretch};
use proptest::prelude::*;

fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

fn incident() -> Incident {
    Incident {
        key: "4a4d49b726e7eba8".into(),
        service: "shop".into(),
        environment: "production".into(),
        failed: Release { sha: Some("0f3a".into()), ..release("v2") },
        target: Some(release("v1")),
        ending: Ending::RolledBack,
        reason: "/health answered 500".into(),
        severity: None,
        when: "2026-11-21T03:00:00.000Z".into(),
        deployment: Some("d-1".into()),
        run_url: Some("https://github.com/acme/shop/actions/runs/1".into()),
        ticket: Some("https://tracker.example.com/browse/SHOP-7".into()),
        forensics: Some("/var/lib/waveoff/forensics/d-1".into()),
        steps: Vec::new(),
        failed_checks: Vec::new(),
    }
}

fn hostile(text: &str) -> Incident {
    let t = || text.to_owned();
    let check = Check {
        name: t(),
        kind: t(),
        target: t(),
        severity: Severity::Critical,
        verdict: Verdict::Fail,
        reason: t(),
        remedy: None,
        duration_ms: 1,
        latency_ms: 1.0,
        attempts: 3,
        findings: vec![Finding { query: t(), expected: t(), actual: t(), verdict: Verdict::Fail }],
        warnings: Vec::new(),
        circuits: std::collections::BTreeMap::new(),
        timeline: vec![Stretch {
            from_ms: 0,
            to_ms: 9,
            count: 1,
            verdict: Verdict::Fail,
            note: t(),
        }],
        last_response: Some(Response { status: Some(500), headers: vec![(t(), t())], body: t() }),
    };
    let step = Step { name: t(), detail: t(), verdict: Verdict::Fail, from_ms: 0, duration_ms: 1 };
    Incident {
        service: t(),
        environment: t(),
        failed: Release { version: t(), sha: Some(t()), digests: vec![t()] },
        target: Some(release(text)),
        reason: t(),
        severity: Some(t()),
        when: t(),
        deployment: Some(t()),
        run_url: Some(t()),
        ticket: Some(t()),
        forensics: Some(t()),
        steps: vec![step],
        failed_checks: vec![check],
        ..incident()
    }
}

#[test]
fn n1_title_and_labels_name_the_environment() {
    let wording = Wording::default();
    assert_eq!(incident().title(), "[Production Rollback] v2 → v1");
    assert_eq!(
        incident().labels(&wording),
        ["deployment", "incident", "rollback", "production-rollback", "high-priority"]
    );
    let staging = Incident { environment: "staging".into(), target: None, ..incident() };
    assert_eq!(staging.title(), "[Staging Rollback] v2 → no verified release");
    assert!(staging.labels(&wording).contains(&"staging-rollback".to_owned()));
    let own = Wording { labels: Some(["a,b", "A b", " ", "x"].map(Into::into).into()), ..wording };
    assert_eq!(incident().labels(&own), ["a b", "x"]);
}

#[test]
fn n1_the_body_says_what_a_person_needs() {
    let wording = Wording { investigation: vec!["Ask the *DBA*".into()], ..Wording::default() };
    let text = body(&incident(), &wording);
    for part in [
        "<!-- waveoff-incident: 4a4d49b726e7eba8 -->\n",
        "| Time | 2026-11-21T03:00:00.000Z |",
        "| Failed version | v2 (commit 0f3a) |",
        "| Serves now | v1 |",
        "| Reason | /health answered 500 |",
        "(<https://tracker.example.com/browse/SHOP-7>) |",
        "| Forensics | /var/lib/waveoff/forensics/d-1 |",
        "| Post-mortem due | 2026-11-23T03:00:00Z (48 h) |",
        "### Investigation\n\n1. ",
        "1. Ask the \\*DBA\\*\n",
        "### Checklist\n\n- [ ] ",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    let worst = Incident { severity: Some("SEV-1".into()), ..incident() };
    assert!(body(&worst, &wording).contains("2026-11-22T03:00:00Z (24 h)"));
}

#[test]
fn n1_facts_change_with_what_happened_and_not_with_its_wording() {
    let again = Incident { reason: "after 3.1 s".into(), when: "later".into(), ..incident() };
    assert_eq!(again.facts(), incident().facts());
    let worse = Incident { ending: Ending::RollbackFailed, ..incident() };
    assert_ne!(worse.facts(), incident().facts());
    assert!(changed(&worse).starts_with(&worse.facts()));
}

#[test]
fn what_is_long_is_left_out_and_said() {
    let mut long = hostile(&"<&>`\n".repeat(40_000));
    long.failed_checks = vec![long.failed_checks[0].clone(); 50];
    let text = body(&long, &Wording { investigation: vec!["&".repeat(5000); 99], labels: None });
    assert!(text.len() <= BODY && text.contains("did not fit"), "{}", text.len());
    assert!(text.contains("### Checklist"));
}

#[test]
fn masking_comes_before_escaping() {
    let masked = hostile("pass_word").map_texts(|text| text.replace("pass_word", "***"));
    let masked = Incident { failed: release("v2"), target: None, ..masked };
    let masked = Incident { service: "s".into(), environment: "e".into(), ..masked };
    let text =
        body(&Incident { deployment: None, when: String::new(), ..masked }, &Wording::default());
    assert!(!text.contains("pass"), "{text}");
}

/// Text outside of code blocks.
fn prose(body: &str) -> String {
    let (mut out, mut fence) = (String::new(), None::<String>);
    for line in body.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line == open => fence = None,
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => out += &format!("{line}\n"),
            Some(_) => {}
        }
    }
    assert!(fence.is_none(), "a code block is left open");
    out
}

#[test]
fn a_comment_cannot_be_put_together_from_parts() {
    for text in ["https://--", "--\0>", "<\u{200b}!--", "-\u{2060}->"] {
        let body = body(&hostile(text), &Wording::default());
        assert_eq!((body.matches("<!--").count(), body.matches("-->").count()), (2, 2), "{body}");
    }
}

const HOSTILE: &str = "([a-zA-Z0-9 ]|@|#|GH-|gh-|<!--|-->|--|>|<|`{1,4}|~~~|\\||\\n|fixes |closes: |https://|http://github\\.com/o/r/issues/|www\\.|\\]\\(|\\[|!|\\\\|&|;|<script>|\u{202e}|\u{2060}|\u{0}|é|💥){0,24}";

proptest! {
    #[test]
    fn nothing_from_outside_breaks_out(text in HOSTILE) {
        let incident = hostile(&text);
        let body = body(&incident, &Wording { labels: None, investigation: vec![text.clone()] });
        prop_assert!(body.len() <= BODY);
        // Our two comments are the only ones, and nothing else ends them.
        prop_assert_eq!(body.matches("<!--").count(), 2, "{}", body);
        prop_assert_eq!(body.matches("-->").count(), 2, "{}", body);
        let recovery = Recovery {
            key: text.clone(), when: text.clone(), version: Some(text.clone()),
            note: Some(text.clone()), run_url: Some(text.clone()),
        };
        let link = regex::Regex::new(r"\(<https?://[^<>\s]*>\)").unwrap();
        let active = regex::Regex::new(
                r"(?i)(@[a-z0-9]|#[0-9]|gh-[0-9]|://|www\.|<[a-z/!]|\]\(.*script)").unwrap();
        for said in [body, changed(&incident), recovered(&recovery).0] {
            let said = prose(&said);
            let outside: String = said.lines().filter(|l| !l.starts_with("<!-- waveoff")).collect::<Vec<_>>().join("\n");
            // Addresses stand inside of `(<…>)` alone, where they are an address.
            let outside = link.replace_all(&outside, "");
            let outside = outside.replace("<br>", "");
            prop_assert!(!active.is_match(&outside), "{:?} in {}", active.find(&outside), outside);
        }
    }

    #[test]
    fn limits_hold_and_labels_are_words(text in ".{0,400}") {
        let incident = hostile(&text);
        let title = incident.title();
        prop_assert!(title.chars().count() <= 256 && title.starts_with('['));
        prop_assert!(!title.chars().any(|c| c.is_control() || is_steering(c)));
        let wording = Wording { labels: Some(vec![text.clone(); 3]), investigation: Vec::new() };
        for label in incident.labels(&wording).iter().chain(&incident.labels(&Wording::default())) {
            let length = label.chars().count();
            prop_assert!((1..=50).contains(&length) && !label.contains([',', '\n']), "{label:?}");
        }
    }

    #[test]
    fn a_key_cannot_leave_its_comment(key in ".{0,100}") {
        let marker = Incident { key, ..incident() }.marker();
        prop_assert_eq!(marker.matches("-->").count(), 1);
        prop_assert!(marker.ends_with(" -->") && !marker.contains('\n'));
    }
}
