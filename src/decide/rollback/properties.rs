//! What holds of every decision, whatever the evidence.

use proptest::prelude::*;

use super::fixtures::*;
use super::*;
use crate::decide::history::{Deployment, Event};
use crate::decide::verdict::Verdict;

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![Verdict::Pass, Verdict::Inconclusive, Verdict::Error, Verdict::Fail])
}

fn any_jobs() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["build", "deploy", "smoke", "verify", "notify", "test"]);
    let result = prop::sample::select(vec!["success", "failure", "cancelled", "skipped"]);
    prop::collection::btree_map(name, result, 0..5).prop_map(|jobs| {
        let pairs: Vec<String> = jobs.iter().map(|(name, word)| format!("{name}={word}")).collect();
        pairs.join(" ")
    })
}

fn any_past() -> impl Strategy<Value = Past> {
    let event = prop_oneof![
        Just(Event::Mutating),
        Just(Event::Verified),
        Just(failed_event()),
        Just(rolled_back("v1")),
        Just(rolled_back("v2")),
        Just(started("v1")),
        Just(started("v2")),
        Just(started("v3")),
    ];
    let id = prop::sample::select(vec!["5", "6", "7", "8"]);
    prop_oneof![
        Just(Past::NotAsked),
        Just(Past::Unreadable("503".into())),
        prop::collection::vec((id, event), 0..14).prop_map(ledger),
    ]
}

prop_compose! {
    fn any_evidence()(
        jobs in any_jobs(),
        past in any_past(),
        smokes in prop::collection::vec((0..4u32, any_verdict()), 0..3),
        deployed in prop::option::of((
            prop::sample::select(vec!["nothing", "verified", "failed", "started", "rolled-back"]),
            any::<bool>(),
            any_verdict(),
        )),
        probe in prop::option::of((prop::sample::select(vec!["v1", "v2", "v3"]), any_verdict())),
        target in prop::option::of(prop::sample::select(vec!["", "v1", "v2", "v3"])),
        named in any::<bool>(),
        unsure in prop::sample::select(vec![WhenUnsure::Keep, WhenUnsure::RollBack, WhenUnsure::Escalate]),
        measured in prop::option::of(0..4u32),
    ) -> Evidence {
        let mut made = evidence().past(past).unsure(unsure);
        if !jobs.is_empty() {
            made = made.jobs(&jobs);
        }
        for (minute, verdict) in smokes {
            made = made.report_of("smoke", smoke(minute, verdict));
        }
        if let Some((outcome, mutated, verdict)) = deployed {
            made = made.report(deploy(outcome, mutated, verdict));
        }
        if let Some((version, verdict)) = probe {
            made = made.probe(saw(version, verdict));
        }
        if let Some(value) = measured {
            made = made.threshold(&format!("errors={value},1,2"));
        }
        made.target = target.map(release);
        if !named {
            made.release = Default::default();
            made.deployment = None;
        }
        made
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn e2_a_rollback_always_has_a_verified_target_that_is_not_the_failed_release(evidence in any_evidence()) {
        let ruling = ruled(&evidence);
        prop_assert_eq!(ruling.outputs()["should-rollback"] == "true", ruling.decision == Decision::RollBack);
        if ruling.decision == Decision::RollBack {
            let target = ruling.target.expect("a target");
            prop_assert!(!ruling.failed.version.is_empty());
            prop_assert_ne!(&target.release.version, &ruling.failed.version);
            let known = match &evidence.past {
                Past::Known(history, _) => {
                    let is_target = |known: &&Deployment| {
                        known.release.is_same(&target.release)
                    };
                    let verified = history.verified().iter().any(is_target);
                    verified || (target.source == Source::Input && !history.deployments.iter().any(|known| is_target(&known)))
                }
                Past::NotAsked => target.source == Source::Input,
                Past::Unreadable(_) => false,
            };
            prop_assert!(known, "{target:?}");
            prop_assert_ne!(ruling.circuit, CircuitState::Open);
        }
    }

    #[test]
    fn e3_malformed_evidence_is_always_escalated(mut evidence in any_evidence(), why in ".{0,20}") {
        evidence.broken.push(why);
        let ruling = ruled(&evidence);
        prop_assert_eq!(ruling.decision, Decision::Escalate);
        prop_assert_eq!(ruling.code, Reason::MalformedEvidence);
    }

    #[test]
    fn e1_a_decision_does_not_depend_on_the_order_of_the_evidence(evidence in any_evidence()) {
        let mut other = evidence.clone();
        other.jobs.reverse();
        other.reports.reverse();
        prop_assert_eq!(ruled(&evidence), ruled(&other));
    }

    #[test]
    fn e1_keep_needs_a_good_word_or_a_deployment_that_is_over(evidence in any_evidence()) {
        let evidence = evidence.unsure(WhenUnsure::Escalate);
        let ruling = ruled(&evidence);
        let over = [
            Reason::NothingTouched, Reason::DeploySkipped, Reason::Superseded, Reason::AlreadyRolledBack,
        ];
        if ruling.decision == Decision::Keep && !over.contains(&ruling.code) {
            let probed = evidence.probe.as_ref().is_some_and(|probe| {
                probe.checks[0].findings[0].verdict.is_pass()
            });
            let reported = evidence.reports.iter().any(|stated| stated.report.verdict.is_pass()
                || stated.report.deployment.as_ref().is_some_and(|about| about.outcome == "verified"));
            let green = evidence.jobs.iter().any(|job| job.vouches
                && job.role == Role::Verify && job.result == JobResult::Success);
            let recorded = matches!(&evidence.past, Past::Known(history, _) if !history.verified().is_empty());
            prop_assert!(probed || reported || green || recorded, "{ruling:?}");
        }
    }

    #[test]
    fn e3_no_text_of_jobs_or_report_panics(text in ".{0,60}") {
        let _ = read_jobs(&text, &Roles::default());
        prop_assert!(read_report("x", &text).is_err());
    }
}
