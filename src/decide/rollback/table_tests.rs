//! The table of decisions, a test per row.

use super::fixtures::*;
use super::*;
use crate::decide::history::Event;
use crate::decide::verdict::Verdict::{Error, Fail, Inconclusive, Pass};

#[test]
fn e3_failed_before_anything_was_touched_needs_no_rollback() {
    let started = || deploying(vec![]);
    expect(evidence().past(started()).jobs("deploy=failure"), "keep", "nothing-touched");
    let failed = evidence().past(Past::NotAsked).jobs("deploy=failure");
    let failed = failed.report(deploy("failed", false, Fail));
    expect(failed, "keep", "nothing-touched");
}

#[test]
fn e3_a_skipped_deployment_needs_no_rollback() {
    let skipped =
        evidence().past(Past::NotAsked).jobs("build=failure deploy=skipped smoke=skipped");
    let ruling = expect(skipped, "keep", "deploy-skipped");
    assert_eq!(ruling.failed_job.as_deref(), Some("build"));
}

#[test]
fn e1_a_deployment_that_failed_after_touching_production_is_rolled_back() {
    let ruling = expect(evidence().jobs("deploy=failure"), "roll-back", "deploy-failed");
    assert_eq!(ruling.outputs()["previous-version"], "v1");
    assert_eq!(ruling.outputs()["failed-job"], "deploy");
    let reported = evidence().past(Past::NotAsked).report(deploy("failed", true, Fail));
    let mut reported = reported;
    reported.target = Some(release("v1"));
    let ruling = expect(reported, "roll-back", "deploy-failed");
    assert_eq!(ruling.class, Some(FailureClass::Release));
    assert_eq!(ruling.target.unwrap().source, Source::Input);
}

#[test]
fn e1_a_failed_smoke_test_is_rolled_back() {
    let jobs = "deploy=success smoke=failure";
    let reported = evidence().jobs(jobs).report_of("smoke", smoke(9, Fail));
    let ruling = expect(reported, "roll-back", "verification-failed");
    assert_eq!(ruling.outputs()["failed-job"], "smoke");
    assert_eq!(ruling.outputs()["should-rollback"], "true");
    assert!(ruling.reason.contains("going back to v1"), "{}", ruling.reason);
    let script = expect(evidence().jobs(jobs), "roll-back", "verification-failed");
    assert_eq!(script.failed_job.as_deref(), Some("smoke"), "a script of one's own has a word too");
}

#[test]
fn e3_cancelled_after_touching_production_depends_on_what_runs() {
    for jobs in ["deploy=cancelled smoke=skipped", "deploy=success smoke=cancelled"] {
        let cut = || evidence().jobs(jobs);
        expect(cut().probe(saw("v2", Fail)), "roll-back", "unhealthy");
        let well = expect(cut().probe(saw("v2", Pass)), "keep", "cancelled-healthy");
        assert_eq!(well.class, Some(FailureClass::Cancelled));
        expect(cut(), "escalate", "cancelled-unknown");
        expect(cut().probe(saw("v2", Error)), "escalate", "cancelled-unknown");
        expect(cut().unsure(WhenUnsure::RollBack), "roll-back", "cancelled-unknown");
        expect(cut().unsure(WhenUnsure::Keep), "keep", "cancelled-unknown");
    }
    let old = evidence().jobs("deploy=cancelled").probe(saw("v1", Pass));
    expect(old, "keep", "target-is-live");
    let unseen = evidence().jobs("deploy=cancelled").probe(saw("v1", Inconclusive));
    expect(unseen, "roll-back", "version-mismatch");
    let third = evidence().jobs("deploy=cancelled").probe(saw("v0", Pass));
    expect(third, "roll-back", "version-mismatch");
}

#[test]
fn e3_a_lost_runner_leaves_only_a_ledger() {
    expect(evidence(), "escalate", "cancelled-unknown");
    expect(evidence().probe(saw("v2", Pass)), "keep", "cancelled-healthy");
    expect(evidence().probe(saw("v2", Fail)), "roll-back", "unhealthy");
}

#[test]
fn e3_cancelled_before_touching_anything_needs_no_rollback() {
    let cut = evidence().past(deploying(vec![])).jobs("deploy=cancelled");
    let ruling = expect(cut, "keep", "nothing-touched");
    assert_eq!(ruling.class, Some(FailureClass::Cancelled));
}

#[test]
fn e3_a_verification_that_could_not_run_is_made_again_and_then_inconclusive() {
    for verdict in [Error, Inconclusive] {
        for probe in [Some(saw("v2", Pass)), Some(saw("v2", Error)), None] {
            let mut once = evidence().jobs("deploy=success smoke=failure");
            once.probe = probe.map(Probe::of);
            let once = once.report_of("smoke", smoke(9, verdict));
            let ruling = expect(once.clone(), "hold", "verify-again");
            assert_eq!(ruling.class, Some(FailureClass::Infrastructure));
            let twice = once.report(smoke(12, verdict));
            expect(twice, "escalate", "verification-inconclusive");
        }
        let ill = evidence().report(smoke(9, verdict)).probe(saw("v2", Fail));
        expect(ill, "roll-back", "unhealthy");
    }
}

#[test]
fn e3_a_retry_that_passed_keeps_the_release_and_is_told() {
    let retried = evidence().past(deploying(vec![Event::Mutating, Event::Verified]));
    let retried = retried.report(smoke(9, Fail)).report(smoke(12, Pass));
    expect(retried, "keep", "passed-on-retry");
    let mut stumbled = smoke(9, Pass);
    stumbled.checks[0].timeline = vec![stretch(Fail), stretch(Pass)];
    let stumbled = evidence().jobs("deploy=success smoke=success").report_of("smoke", stumbled);
    expect(stumbled, "keep", "passed-on-retry");
    let worse = evidence().jobs("deploy=success").report(smoke(12, Fail)).report(smoke(9, Pass));
    expect(worse, "roll-back", "verification-failed");
}

#[test]
fn e3_a_notification_or_a_later_step_that_failed_is_no_reason() {
    let jobs = "deploy=success smoke=success notify=failure";
    let ruling = expect(evidence().jobs(jobs), "keep", "later-step-failed");
    assert_eq!(ruling.class, Some(FailureClass::Infrastructure));
    let upload = evidence().jobs("deploy=failure smoke=success");
    expect(upload.report_of("smoke", smoke(9, Pass)), "keep", "later-step-failed");
}

#[test]
fn e2_without_a_verified_target_a_person_is_called_at_once() {
    let bad = |past| evidence().past(past).jobs("deploy=success smoke=failure");
    let first = ledger(vec![("7", started("v2")), ("7", Event::Mutating)]);
    let ruling = expect(bad(first), "escalate", "first-deployment");
    assert_eq!((ruling.severity, ruling.requires_human), ("SEV-1", true));
    assert_eq!(ruling.outputs()["should-rollback"], "false");
    let mut events = vec![("6", started("v1")), ("6", Event::Mutating), ("6", failed_event())];
    events.extend([("7", started("v2")), ("7", Event::Mutating)]);
    expect(bad(ledger(events)), "escalate", "no-target");
    expect(bad(Past::NotAsked), "escalate", "no-target");
    expect(bad(Past::Unreadable("503".into())), "escalate", "ledger-unreadable");
}

#[test]
fn e2_a_target_that_is_unpinned_unverified_or_the_failed_one_is_none() {
    let bad = |target: &str| {
        let mut bad = evidence().jobs("deploy=success smoke=failure");
        bad.target = Some(release(target));
        bad
    };
    assert_eq!(expect(bad("2"), "escalate", "target-is-failed").severity, "SEV-1");
    let mut pinned = bad("v1");
    pinned.release.digests = vec!["sha256:2".into()];
    assert_eq!(expect(pinned, "escalate", "target-without-digest").severity, "SEV-1");
    let mut events = vec![("5", started("v0")), ("5", Event::Mutating), ("5", failed_event())];
    events.extend(good("6", "v1"));
    events.extend([("7", started("v2")), ("7", Event::Mutating)]);
    expect(bad("v0").past(ledger(events)), "escalate", "target-not-verified");
    let mut nameless = bad("v1");
    nameless.release = Default::default();
    nameless.past = Past::NotAsked;
    expect(nameless, "escalate", "target-is-failed");
}

#[test]
fn e1_a_newer_deployment_is_left_alone() {
    let mut events = good("6", "v1");
    events.extend([("7", started("v2")), ("7", Event::Mutating), ("8", started("v3"))]);
    let bad = |events| evidence().past(ledger(events)).jobs("deploy=success smoke=failure");
    expect(bad(events.clone()), "roll-back", "verification-failed");
    events.push(("8", Event::Mutating));
    expect(bad(events.clone()), "keep", "superseded");
    events.push(("8", rolled_back("v1")));
    expect(bad(events), "keep", "superseded");
}

#[test]
fn e1_a_newer_deployment_that_went_back_to_this_one_is_no_newer_one() {
    let mut events = good("6", "v1");
    events.extend(good("7", "v2"));
    events.extend([("8", started("v3")), ("8", Event::Mutating), ("8", rolled_back("v2"))]);
    let bad = evidence().past(ledger(events)).jobs("deploy=success smoke=failure");
    expect(bad, "roll-back", "verification-failed");
}

#[test]
fn e1_what_was_rolled_back_is_not_rolled_back_again() {
    let back = |event| {
        let past = deploying(vec![Event::Mutating, event]);
        evidence().past(past).jobs("deploy=success smoke=failure")
    };
    expect(back(rolled_back("v1")), "keep", "already-rolled-back");
    expect(back(rolled_back("v1")).probe(saw("v1", Pass)), "keep", "already-rolled-back");
    expect(back(rolled_back("v1")).probe(saw("v1", Fail)), "escalate", "rollback-failed");
    let failed = Event::RollbackFailed { to: release("v1"), reason: "x".into() };
    assert_eq!(expect(back(failed), "escalate", "rollback-failed").severity, "SEV-1");
    let reported = evidence().report(deploy("rolled-back", true, Fail));
    expect(reported, "keep", "already-rolled-back");
    let job = evidence().jobs("deploy=success smoke=failure rollback=failure");
    expect(job, "escalate", "rollback-failed");
}

#[test]
fn what_something_else_deploys_again_is_none_of_the_deployments_in_the_ledger() {
    let elsewhere = |past| Evidence {
        elsewhere: true,
        deployment: None,
        ..evidence().past(past).jobs("deploy=success").report(smoke(9, Fail))
    };
    let again = elsewhere(deploying(vec![Event::Mutating, rolled_back("v1")]));
    expect(again, "roll-back", "verification-failed");
    // An older release, past the newer one that the ledger believes to be live.
    let mut events = good("5", "v2");
    events.extend(good("6", "v3"));
    let ruling = expect(elsewhere(ledger(events)), "roll-back", "verification-failed");
    assert_eq!(ruling.target.unwrap().release.version, "v3");
    expect(elsewhere(ledger(Vec::new())), "escalate", "first-deployment");
}

#[test]
fn e1_too_many_rollbacks_open_the_circuit() {
    let mut events = good("1", "v1");
    for id in ["2", "3", "4"] {
        events.extend([(id, started("v9")), (id, Event::Mutating), (id, rolled_back("v1"))]);
    }
    events.extend([("7", started("v2")), ("7", Event::Mutating)]);
    let mut bad = evidence().past(ledger(events)).jobs("deploy=success smoke=failure");
    let ruling = expect(bad.clone(), "escalate", "circuit-open");
    assert_eq!((ruling.circuit, ruling.severity), (CircuitState::Open, "SEV-1"));
    bad.now += HOUR;
    let ruling = expect(bad.clone(), "roll-back", "verification-failed");
    assert_eq!(ruling.circuit, CircuitState::Closed);
    bad.policy.max_rollbacks = 0;
    expect(bad, "escalate", "circuit-open");
}

#[test]
fn e1_each_trigger_has_a_reason_of_its_own() {
    let seen =
        |finding| evidence().jobs("deploy=success").probe(vec![check("x", Fail, vec![finding])]);
    let cases = [
        (
            finding("health", "critical service redis is unhealthy", Fail),
            "critical-service-unhealthy",
        ),
        (finding("health", "circuit payments is half-open", Fail), "circuit-not-closed"),
        (finding("version in the body", "\"v1\"", Fail), "version-mismatch"),
        (finding("duration", "3 s", Fail), "threshold-breached"),
        (finding("status", "500", Fail), "unhealthy"),
    ];
    for (finding, code) in cases {
        expect(seen(finding), "roll-back", code);
    }
    let slow =
        report("wait-healthy", 9, vec![check("x", Fail, vec![finding("status", "503", Fail)])]);
    expect(
        evidence().jobs("deploy=success wait=failure").report_of("wait", slow),
        "roll-back",
        "not-ready-in-time",
    );
    let beyond = evidence().jobs("deploy=success smoke=success").threshold("errors=3,1,2");
    expect(beyond, "roll-back", "threshold-breached");
}

#[test]
fn e1_between_the_limits_is_a_hold() {
    let between = evidence().jobs("deploy=success smoke=success").threshold("errors=1.5,1,2");
    let ruling = expect(between, "hold", "between-limits");
    assert!(ruling.reason.contains("errors is 1.5"), "{}", ruling.reason);
    let within = evidence().jobs("deploy=success smoke=success").threshold("errors=1,1,2");
    expect(within, "keep", "healthy");
}

#[test]
fn e1_a_release_that_is_well_stays() {
    let ruling = expect(evidence().jobs("deploy=success smoke=success"), "keep", "healthy");
    assert_eq!((ruling.severity, ruling.class), ("none", None));
    assert_eq!(ruling.outputs()["failure-class"], "");
    expect(evidence().report(deploy("verified", true, Pass)), "keep", "healthy");
}
