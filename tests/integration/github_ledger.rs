//! The ledger in GitHub deployments, as `waveoff deploy` writes it and reads it again.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::deploy_world::{World, finish, process_config};
use crate::github::{Fault, Github, Kind, REPOSITORY};
use crate::harness::{Program, signal};
use crate::parts::github_description;

fn world() -> (Github, World) {
    let github = Github::start(github_description().as_deref());
    (github, World::with(&format!("{}\nledger: github\n", process_config())))
}

fn in_job(github: &Github, program: Program) -> Program {
    program
        .env("GITHUB_API_URL", &github.url())
        .env("GITHUB_REPOSITORY", REPOSITORY)
        .env("GITHUB_TOKEN", "ghs_a_token_of_the_test")
}

fn deploy(github: &Github, world: &World, version: &str) -> Program {
    in_job(github, world.deploy(version)).args(["--sha", "0f3a9c1"])
}

/// The descriptions of a deployment's statuses.
fn lines(github: &Github, deployment: u64) -> Vec<String> {
    let state = github.state();
    let statuses = state.statuses.get(&deployment).cloned().unwrap_or_default();
    statuses.iter().map(|status| status["description"].as_str().unwrap().to_owned()).collect()
}

fn words(github: &Github, deployment: u64) -> Vec<String> {
    let lines = lines(github, deployment);
    lines.iter().map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned()).collect()
}

fn ids(github: &Github) -> Vec<u64> {
    github.state().deployments.iter().map(|known| known["id"].as_u64().unwrap()).collect()
}

fn add_foreign(github: &Github, task: &str, payload: Value, count: u64) {
    let mut state = github.state();
    for number in 0..count {
        let id = 5000 + number + state.deployments.len() as u64;
        state.deployments.push(json!({
            "id": id, "url": "x", "task": task, "environment": "production", "payload": payload,
            "ref": "main", "created_at": "2026-01-01T00:00:00Z", "production_environment": true,
        }));
        state.statuses.insert(
            id,
            vec![json!({ "id": id + 9000, "state": "success", "description": "", "created_at": "2026-01-01T00:00:00Z" })],
        );
    }
}

#[test]
fn e2_a_bad_release_goes_back_to_what_github_remembers_as_verified() {
    let (github, world) = world();
    deploy(&github, &world, "v1").run().expect_code(0);
    // What `environment:` makes of a green job, and another service of the repository.
    add_foreign(&github, "deploy", json!({}), 3);
    let other = json!({ "waveoff": 1, "seq": 99, "service": "other", "deployment": "o-1",
        "release": { "version": "v9" } });
    add_foreign(&github, "waveoff", other, 1);
    add_foreign(&github, "waveoff", json!("not ours"), 1);
    let first = ids(&github)[0];
    // GitHub calls a success inactive by and by.
    github.state().statuses.get_mut(&first).unwrap().push(
        json!({ "id": 99_999, "state": "inactive", "description": "", "created_at": "2026-01-01T00:00:00Z" }),
    );
    deploy(&github, &world, "v2").run().expect_code(20);
    assert_eq!(world.version().as_deref(), Some("v1"));
    assert_eq!(words(&github, first)[..2], ["mutating", "verified"]);
    let last = *ids(&github).last().unwrap();
    assert_eq!(words(&github, last), ["mutating", "failed", "rolled-back"]);
    assert!(lines(&github, last)[2].starts_with(&format!("waveoff/1 7 rolled-back {first} ")));
    let state = github.state();
    let ours = state.deployments.last().unwrap();
    assert_eq!((&ours["task"], &ours["ref"]), (&json!("waveoff"), &json!("0f3a9c1")));
    assert_eq!(ours["payload"]["release"]["version"], "v2");
    drop(state);
    assert!(!world.ledger_file().exists());
    let status = in_job(&github, world.waveoff(&["status"])).run().expect_code(0);
    assert!(status.stdout.contains("v1"), "{}", status.stdout);
}

#[test]
fn lost_answers_make_no_event_twice_and_limits_are_waited_for() {
    let (github, world) = world();
    github.fail(Fault::new("POST", "/deployments", Kind::Lost));
    github.fail(Fault::new("POST", "/statuses", Kind::Lost));
    github.fail(Fault::status("POST", "/statuses", 429).header("Retry-After", "1"));
    github.fail(Fault::status("GET", "/statuses", 502));
    deploy(&github, &world, "v1").run().expect_code(0);
    let ids = ids(&github);
    assert_eq!(ids.len(), 1);
    assert_eq!(words(&github, ids[0]), ["mutating", "verified"]);
}

#[test]
fn r6_the_old_release_does_not_wait_for_github() {
    let (github, world) = world();
    deploy(&github, &world, "v1").run().expect_code(0);
    let (child, _folder) = deploy(&github, &world, "v2").start();
    world.until("v2 is begun", |_| {
        ids(&github).iter().any(|id| words(&github, *id) == ["mutating"])
    });
    github.fail(Fault::new("POST", "/statuses", Kind::Hang(Duration::from_secs(60))));
    let ran = finish(child).expect_code(20);
    assert_eq!(world.version().as_deref(), Some("v1"));
    let steps = world.report()["steps"].as_array().unwrap().clone();
    let failed = steps.iter().find(|step| step["detail"].as_str().unwrap().starts_with("failed: "));
    let took = failed.unwrap()["duration_ms"].as_u64().unwrap();
    assert!(took < 5_000, "{took} ms: {}", ran.stdout);
    let last = words(&github, *ids(&github).iter().max().unwrap());
    assert_eq!(last.last().map(String::as_str), Some("rolled-back"), "{last:?}");
}

#[test]
fn nothing_is_touched_when_github_cannot_remember_it() {
    let (github, world) = world();
    for (status, word) in [(401, "token is wrong"), (403, "deployments: write")] {
        github.fail(Fault::status("", "/deployments", status));
        let ran = deploy(&github, &world, "v1").run().expect_code(12);
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
    // Reading is allowed and writing is not.
    github.fail(Fault::status("POST", "/deployments", 403));
    deploy(&github, &world, "v1").run().expect_code(12);
    assert_eq!(world.version(), None);
    let ran = world.deploy("v1").run().expect_code(2);
    assert!(ran.stderr.contains("`ledger: github` needs a token"), "{ran:?}");
}

#[test]
fn what_is_damaged_or_newer_is_no_history() {
    for (payload, word) in [
        (json!({ "waveoff": 2 }), "newer"),
        (json!({ "waveoff": 1, "service": "shop" }), "damaged"),
    ] {
        let (github, world) = world();
        add_foreign(&github, "waveoff", payload, 1);
        let ran = deploy(&github, &world, "v1").run().expect_code(12);
        assert!(ran.stderr.contains(word), "{ran:?}");
        assert_eq!(world.version(), None);
    }
}

#[test]
fn the_verified_release_is_found_behind_many_failures_and_no_more_is_read_than_needed() {
    let (github, world) = world();
    deploy(&github, &world, "v1").run().expect_code(0);
    {
        let mut state = github.state();
        for number in 0..70u64 {
            let (id, seq) = (200 + number, 10 + number);
            state.deployments.push(json!({
                "id": id, "url": "x", "task": "waveoff", "environment": "production",
                "payload": json!({ "waveoff": 1, "seq": seq, "service": "shop",
                    "deployment": format!("f-{number}"), "release": { "version": "v0" } }).to_string(),
                "ref": "main", "created_at": "2026-01-01T00:00:00Z",
            }));
        }
    }
    deploy(&github, &world, "v2").run().expect_code(20);
    assert_eq!(world.version().as_deref(), Some("v1"));
    deploy(&github, &world, "v3").run().expect_code(0);
    deploy(&github, &world, "v4").run().expect_code(0);
    github.state().requests.clear();
    in_job(&github, world.waveoff(&["status"])).run().expect_code(0);
    let requests = github.state().requests.len();
    assert!(requests <= 31 + 2, "{requests} requests");
}

#[test]
fn n1_a_deployment_tells_its_incident_once_and_the_next_good_one_ends_it() {
    let (github, world) = world();
    let config = format!("{}\nledger: github\nnotify: [github-issue, file]\n", process_config());
    world.write("waveoff.yml", &config);
    deploy(&github, &world, "v1").run().expect_code(0);
    deploy(&github, &world, "v2").run().expect_code(20);
    assert_eq!(github.state().issues.len(), 1);
    assert_eq!(github.state().issues[0]["title"], "[Production Rollback] v2 → v1");
    // The same from the report, in a later step: it is known, and nothing is added.
    let again = Program::within("notify-incident", &world.folder)
        .file("other.yml", "version: 1\n")
        .args(["--deploy-report", "report.json", "--channels", "github-issue"])
        .args(["--config", "other.yml"]);
    let again = in_job(&github, again).run().expect_code(0);
    assert!(again.stdout.contains("known already"), "{again:?}");
    assert!(github.state().comments.is_empty());
    deploy(&github, &world, "v3").run().expect_code(0);
    let state = github.state();
    assert_eq!((state.issues.len(), &state.issues[0]["state"]), (1, &json!("closed")));
    let number = state.issues[0]["number"].as_u64().unwrap();
    assert_eq!(state.comments[&number].len(), 1);
}

#[test]
fn a_github_that_is_down_while_telling_changes_nothing_of_the_outcome() {
    let (github, world) = world();
    let config = format!("{}\nledger: github\nnotify: [github-issue]\n", process_config());
    world.write("waveoff.yml", &config);
    deploy(&github, &world, "v1").run().expect_code(0);
    github.fail(Fault::status("", "/issues", 403).times(99));
    let ran = deploy(&github, &world, "v2").run().expect_code(20);
    assert_eq!(world.version().as_deref(), Some("v1"));
    assert!(ran.stdout.contains("issues: write") && ran.stdout.contains("incidents/"), "{ran:?}");
}

#[test]
fn d7_a_runner_that_is_lost_takes_its_journal_along_and_the_ledger_goes_on() {
    let github = Github::start(github_description().as_deref());
    let patient = process_config()
        .replace("path: /version", "path: /ready")
        .replace("within: 10s", "within: 60s");
    let world = World::with(&format!("{patient}\nledger: github\n"));
    deploy(&github, &world, "v1").run().expect_code(0);
    let (mut child, _) = deploy(&github, &world, "v2").start();
    world.until("v2 answers", |world| world.version().as_deref() == Some("v2"));
    // The machine is gone, with all that ran on it and all that it kept.
    signal(&child, "-KILL");
    child.wait().unwrap();
    let state = world.folder.path().join("state");
    let service = std::fs::read_to_string(state.join("shop/production/process.pid")).unwrap();
    for pid in [world.engine().as_str(), service.split_whitespace().next().unwrap()] {
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }
    world.until("nothing answers", |world| world.version().is_none());
    std::fs::remove_dir_all(&state).unwrap();

    let lost = *ids(&github).last().unwrap();
    assert_eq!(words(&github, lost), ["mutating"]);
    let status = in_job(&github, world.waveoff(&["status"])).run().expect_code(11);
    assert!(status.stdout.contains("v2 was begun and not ended"), "{}", status.stdout);
    in_job(&github, world.waveoff(&["recover"])).run().expect_code(0);

    // The target is what was verified, and not what was begun last.
    let hurried = patient.replace("within: 60s", "within: 5s");
    world.write("waveoff.yml", &format!("{hurried}\nledger: github\n"));
    deploy(&github, &world, "v2").run().expect_code(20);
    assert_eq!(world.version().as_deref(), Some("v1"));
    deploy(&github, &world, "v3").run().expect_code(0);
    assert_eq!(world.version().as_deref(), Some("v3"));
    assert_eq!(words(&github, lost), ["mutating"], "nobody knows how that ended");
}
