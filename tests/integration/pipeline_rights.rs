//! Who may do what in `build.yml` and `pipeline.yml`: a linter sees one job, and not what keeps two apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The jobs of a workflow of ours.
fn jobs(name: &str) -> BTreeMap<String, Value> {
    let workflow: Value =
        serde_saphyr::from_str(&text(&format!(".github/workflows/{name}.yml"))).unwrap();
    assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}: jobs are given theirs");
    serde_json::from_value(workflow["jobs"].clone()).unwrap()
}

/// What a job may, as `packages: write`.
fn rights(job: &Value) -> BTreeSet<String> {
    let rights = job["permissions"].as_object().unwrap();
    rights.iter().map(|(name, level)| format!("{name}: {}", level.as_str().unwrap())).collect()
}

fn uses(job: &Value) -> Vec<String> {
    let steps = job["steps"].as_array().into_iter().flatten();
    steps.filter_map(|step| Some(step["uses"].as_str()?.split_once('@')?.0.to_owned())).collect()
}

#[test]
fn what_builds_cannot_sign_and_what_signs_runs_nobodys_code() {
    let jobs = jobs("build");
    let mut signs = 0;
    for (name, job) in &jobs {
        let rights = rights(job);
        if rights.contains("id-token: write") || rights.contains("attestations: write") {
            signs += 1;
            for code in ["actions/checkout", "docker/build-push-action"] {
                assert!(!uses(job).iter().any(|uses| uses == code), "{name} signs, and has {code}");
            }
        }
    }
    assert_eq!(signs, 1);
    // Somebody's pull request pushes nothing, and sees no secret.
    let built_only = &jobs["try"];
    assert!(!rights(built_only).contains("packages: write"));
    let said = built_only.to_string();
    assert!(!said.contains("secrets.") && !said.contains("cache-to"), "{said}");
    assert!(jobs["build"]["if"].as_str().unwrap().contains("!= 'pull_request'"));
    assert_eq!(jobs["release"]["needs"], serde_json::json!(["secrets", "build"]));
}

#[test]
fn the_guide_says_what_each_job_may() {
    let guide = text("docs/pipeline.md");
    let mut told = 0;
    for (name, job) in ["build", "pipeline"].into_iter().flat_map(jobs) {
        // A job that calls the other workflow only passes on what that wants.
        if job.get("uses").is_some() {
            continue;
        }
        let row = guide.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("the guide does not know the job {name}"));
        let last = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let said: BTreeSet<String> =
            last.split('`').filter(|part| part.contains(": ")).map(str::to_owned).collect();
        assert_eq!(said, rights(&job), "{name}");
        told += 1;
    }
    assert_eq!(told, 7);
}

#[test]
fn a_caller_grants_what_the_workflows_want_and_no_more() {
    let mut wanted: BTreeSet<String> = jobs("build").values().flat_map(rights).collect();
    let pipeline = jobs("pipeline");
    assert_eq!(rights(&pipeline["build"]), wanted);
    wanted.extend(pipeline.values().flat_map(rights));
    wanted.remove("packages: read"); // it is in the right to write
    let example: Value = serde_saphyr::from_str(&text("examples/pipeline/deploy.yml")).unwrap();
    assert_eq!(rights(&example["jobs"]["pipeline"]), wanted);
}

#[test]
fn no_job_is_skipped_since_one_of_the_callers_was_and_no_run_ends_anothers() {
    for (file, job) in ["build", "pipeline"].into_iter().flat_map(|file| {
        jobs(file).into_iter().filter(|(name, _)| name != "decide").map(move |job| (file, job))
    }) {
        let (name, job) = job;
        let condition = job["if"].as_str().unwrap_or_default();
        assert!(condition.contains("!cancelled()"), "{file}.yml: {name}: {condition}");
    }
    for file in [
        ".github/workflows/build.yml",
        ".github/workflows/pipeline.yml",
        "examples/pipeline/deploy.yml",
    ] {
        // A branch is called as its author likes, and may be called like a run.
        assert!(!text(file).contains("head_ref"), "{file}");
    }
}
