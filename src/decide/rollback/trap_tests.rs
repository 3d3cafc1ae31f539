//! What is easily decided wrong.

use super::fixtures::*;
use super::*;
use crate::decide::verdict::Severity;
use crate::decide::verdict::Verdict::{Fail, Pass};

fn jobs(text: &str) -> Result<Vec<Job>, String> {
    read_jobs(text, &Roles::default())
}

#[test]
fn e3_malformed_or_empty_jobs_are_told_apart_from_good_ones() {
    for text in [
        "",
        "   ",
        "null",
        "[]",
        "{}",
        "{\"deploy\":",
        "{\"deploy\":{}}",
        "{\"deploy\":{\"result\":\"timed_out\"}}",
        "{\"deploy\":{\"result\":\"Success\"}}",
        "{\"deploy\":{\"result\":null}}",
        "{\"deploy\":{\"result\":\"success\",\"outputs\":[]}}",
        "{\"deploy\":\"success\"}",
        "success",
    ] {
        assert!(jobs(text).is_err(), "{text}");
    }
    assert_eq!(jobs("{\"deploy\":{\"result\":\"success\",\"outputs\":null}}").unwrap().len(), 1);
}

#[test]
fn e3_what_cannot_be_read_is_escalated_whatever_else_says() {
    for policy in [WhenUnsure::Keep, WhenUnsure::RollBack, WhenUnsure::Escalate] {
        let mut broken = evidence().jobs("deploy=success smoke=success").unsure(policy);
        broken.broken = vec!["the jobs are not a JSON object".into()];
        let ruling = expect(broken, "escalate", "malformed-evidence");
        assert!(ruling.requires_human && ruling.reason.contains("not a JSON object"));
        let empty = evidence().past(Past::NotAsked).unsure(policy);
        expect(empty, "escalate", "no-evidence");
    }
}

#[test]
fn e3_a_name_that_no_job_has_is_a_mistake_and_not_a_silence() {
    let roles = Roles { deploy: vec!["depoly".into()], ..Roles::default() };
    let why = read_jobs("{\"deploy\":{\"result\":\"success\"}}", &roles).unwrap_err();
    assert_eq!(why, "there is no job \"depoly\"; there are: deploy");
}

#[test]
fn e3_names_given_for_a_role_replace_the_guessing() {
    let roles = Roles { deploy: vec!["ship".into()], ..Roles::default() };
    let text = "{\"ship\":{\"result\":\"failure\"},\"deploy-docs\":{\"result\":\"failure\"}}";
    let jobs = read_jobs(text, &roles).unwrap();
    assert_eq!(jobs.iter().map(|job| job.role).collect::<Vec<_>>(), [Role::Deploy, Role::Other]);
}

#[test]
fn e1_jobs_without_a_known_role_decide_nothing() {
    let unknown = evidence().past(Past::NotAsked).jobs("one=success two=failure");
    expect(unknown, "escalate", "roles-unknown");
}

#[test]
fn e1_nothing_verified_is_never_a_pass() {
    expect(evidence().jobs("deploy=success"), "hold", "not-verified");
    expect(evidence().jobs("deploy=success smoke=skipped"), "hold", "not-verified");
    // A job that is called `test` may have run before anything was deployed.
    expect(evidence().jobs("test=success deploy=success"), "hold", "not-verified");
    let warnings = {
        let mut report = smoke(9, Pass);
        report.checks[0].severity = Severity::Warning;
        report.verdict = crate::decide::verdict::Verdict::Inconclusive;
        report
    };
    expect(evidence().jobs("deploy=success").report(warnings), "hold", "verify-again");
    expect(evidence().jobs("deploy=success").probe(saw("v2", Pass)), "keep", "healthy");
}

#[test]
fn e1_a_green_job_with_a_failed_report_was_allowed_to_fail() {
    let green = evidence().jobs("deploy=success smoke=success");
    let ruling =
        expect(green.report_of("smoke", smoke(9, Fail)), "roll-back", "verification-failed");
    assert_eq!(ruling.failed_jobs, ["smoke"]);
}

#[test]
fn e3_a_red_job_that_a_look_at_production_does_not_confirm_is_disputed() {
    let red = || evidence().jobs("deploy=success smoke=failure").probe(saw("v2", Pass));
    expect(red(), "escalate", "verification-disputed");
    expect(red().report_of("smoke", smoke(9, Pass)), "keep", "later-step-failed");
    let mut unseen = red().report_of("smoke", smoke(9, Pass));
    unseen.probe = None;
    expect(unseen, "escalate", "verification-disputed");
}

#[test]
fn e3_a_smoke_job_that_fails_because_nothing_was_deployed_is_no_reason() {
    let jobs = "build=failure deploy=skipped smoke=failure";
    expect(evidence().past(Past::NotAsked).jobs(jobs), "keep", "deploy-skipped");
    let old = evidence().past(Past::NotAsked).jobs(jobs).probe(saw("v1", Pass));
    expect(old, "keep", "deploy-skipped");
    let ill = evidence().past(Past::NotAsked).jobs(jobs).probe(saw("v1", Fail));
    expect(ill, "escalate", "unhealthy-untouched");
}

#[test]
fn e3_a_deployment_whose_extent_nobody_knows_is_looked_at() {
    let failed = || {
        let mut failed = evidence().past(Past::NotAsked).jobs("deploy=failure");
        failed.target = Some(release("v1"));
        failed
    };
    expect(failed(), "escalate", "extent-unknown");
    expect(failed().probe(saw("v1", Pass)), "keep", "target-is-live");
    expect(failed().probe(saw("v2", Fail)), "roll-back", "unhealthy");
}

#[test]
fn e2_evidence_about_another_release_decides_nothing() {
    let mut other = smoke(9, Pass);
    other.expected_version = Some("v3".into());
    let jobs = || evidence().jobs("deploy=success smoke=success");
    expect(jobs().report(other), "escalate", "contradictory-evidence");
    let mut elsewhere = smoke(9, Pass);
    elsewhere.environment = Some("staging".into());
    expect(jobs().report(elsewhere), "escalate", "contradictory-evidence");
    let mut renamed = jobs();
    renamed.release = release("v3");
    expect(renamed, "escalate", "contradictory-evidence");
    let mut same = smoke(9, Pass);
    same.expected_version = Some("2".into());
    expect(jobs().report(same), "keep", "healthy");
}

#[test]
fn e1_two_suites_are_two_and_one_cannot_pass_for_the_other() {
    let web = smoke(9, Fail);
    let mut api = smoke(12, Pass);
    api.checks[0].name = "api".into();
    let both = evidence().jobs("deploy=success").report(web).report(api);
    expect(both, "roll-back", "verification-failed");
}

#[test]
fn e1_a_report_in_a_jobs_outputs_is_read_and_must_be_readable() {
    let with = |name: &str, report: &str| {
        let outputs = serde_json::json!({ "report": report });
        let job = serde_json::json!({ name: { "result": "success", "outputs": outputs } });
        reports_of(&jobs(&job.to_string()).unwrap())
    };
    let text = serde_json::to_string(&smoke(9, Pass)).unwrap();
    assert_eq!(with("smoke", &text).0[0].job.as_deref(), Some("smoke"));
    assert_eq!(with("smoke", &text[..text.len() - 9]).1.len(), 1, "cut off");
    assert_eq!(with("smoke", "https://reports/1").1.len(), 1, "we rely on this job");
    assert!(with("smoke", "").1.is_empty(), "a job that was skipped puts out nothing");
    assert!(with("coverage", "https://reports/1").1.is_empty(), "not ours");
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(with("smoke", &newer).1[0].contains("version 2"));
}

#[test]
fn e1_two_versions_at_once_are_no_version() {
    let mut checks = saw("v2", Pass);
    checks.extend(saw("v1", Pass));
    checks[1].name = "other".into();
    assert_eq!(Probe::of(checks).version, None);
}

#[test]
fn e1_the_deployment_of_a_failed_wait_says_that_it_was_not_ready() {
    let mut failed = deploy("failed", true, Fail);
    failed.checks = vec![check("home", Fail, Vec::new())];
    failed.steps = vec![crate::report::v1::Step {
        name: "wait".into(),
        detail: "not ready".into(),
        verdict: Fail,
        from_ms: 0,
        duration_ms: 1,
    }];
    expect(evidence().report(failed), "roll-back", "not-ready-in-time");
}
