//! `notify-incident` against a GitHub that keeps state and fails on demand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::github::{Fault, Github, Kind, REPOSITORY};
use crate::harness::{Program, Ran, closed_port, read};
use crate::parts::github_description;

const TOKEN: &str = "ghs_a_token_of_the_test";

/// A failed release that was rolled back.
const FAILED: &[&str] = &[
    "--service",
    "shop",
    "--failed-version",
    "v2",
    "--target-version",
    "v1",
    "--outcome",
    "rolled-back",
    "--reason",
    "the database is down",
    "--json",
];

fn github() -> Github {
    Github::start(github_description().as_deref())
}

/// `notify-incident` without any access to GitHub.
fn alone(arguments: &[&str]) -> Program {
    Program::new("notify-incident").args(arguments)
}

/// `notify-incident` in a job of the repository.
fn notify(github: &Github, arguments: &[&str]) -> Program {
    in_job(alone(arguments), &github.url())
}

fn in_job(program: Program, api: &str) -> Program {
    program
        .env("GITHUB_API_URL", api)
        .env("GITHUB_REPOSITORY", REPOSITORY)
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_RUN_ID", "77")
        .env("GITHUB_TOKEN", TOKEN)
}

fn outputs(ran: &Ran) -> Value {
    ran.report()["outputs"].clone()
}

fn open_issues(github: &Github) -> usize {
    github.state().issues.iter().filter(|issue| issue["state"] == "open").count()
}

fn comments(github: &Github, number: u64) -> usize {
    github.state().comments.get(&number).map_or(0, Vec::len)
}

#[test]
fn n1_telling_twice_makes_one_issue_and_adds_nothing() {
    let github = github();
    let first = outputs(&notify(&github, FAILED).run().expect_code(0));
    let second = outputs(&notify(&github, FAILED).run().expect_code(0));
    assert_eq!(first["incident-key"], second["incident-key"]);
    assert_eq!((&first["was-known"], &second["was-known"]), (&"false".into(), &"true".into()));
    assert_eq!(second["issue-url"], "https://github.com/acme/shop/issues/1");
    let issue = github.state().issues[0].clone();
    assert_eq!(github.state().issues.len(), 1);
    assert_eq!(comments(&github, 1), 0);
    assert_eq!(issue["title"], "[Production Rollback] v2 → v1");
    let labels: Vec<_> =
        issue["labels"].as_array().unwrap().iter().map(|label| label["name"].clone()).collect();
    assert_eq!(
        labels,
        ["deployment", "incident", "rollback", "production-rollback", "high-priority"]
    );
    let body = issue["body"].as_str().unwrap();
    assert!(body.contains("https://github.com/acme/shop/actions/runs/77"), "{body}");
}

#[test]
fn n1_changed_facts_are_one_comment_and_open_a_closed_issue_again() {
    let github = github();
    notify(&github, FAILED).run().expect_code(0);
    github.state().issues[0]["state"] = "closed".into();
    for _ in 0..2 {
        let mut worse = FAILED.to_vec();
        worse[7] = "rollback-failed";
        notify(&github, &worse).run().expect_code(0);
    }
    assert_eq!((open_issues(&github), comments(&github, 1)), (1, 1));
}

#[test]
fn n1_two_who_tell_at_once_leave_one_open_issue() {
    let github = github();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| notify(&github, FAILED).run().expect_code(0));
        }
    });
    assert_eq!(open_issues(&github), 1);
    let state = github.state();
    assert_eq!(state.issues.iter().find(|i| i["state"] == "open"), state.issues.first());
    let closed = state.issues.iter().filter(|issue| issue["state"] == "closed");
    assert!(closed.into_iter().all(|issue| issue["state_reason"] == "duplicate"));
}

#[test]
fn n1_a_lost_answer_does_not_make_a_second_issue() {
    let github = github();
    github.fail(Fault::new("POST", "/issues", Kind::Lost));
    let ran = notify(&github, FAILED).run().expect_code(0);
    assert_eq!(outputs(&ran)["issue-number"], "1");
    assert_eq!(github.state().issues.len(), 1);
}

#[test]
fn a_reset_connection_and_a_server_error_are_asked_again() {
    let github = github();
    github.fail(Fault::new("GET", "/issues", Kind::Reset));
    github.fail(Fault::status("POST", "/issues", 502));
    notify(&github, FAILED).run().expect_code(0);
    assert_eq!(github.state().issues.len(), 1);
}

#[test]
fn retry_after_is_honoured() {
    let github = github();
    github.fail(Fault::status("POST", "/issues", 429).header("Retry-After", "1").times(2));
    let started = Instant::now();
    notify(&github, FAILED).run().expect_code(0);
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(20), "{took:?}");
    assert_eq!(github.state().issues.len(), 1);
}

#[test]
fn no_wait_is_longer_than_the_time_there_is() {
    let github = github();
    github.fail(Fault::status("POST", "/issues", 429).header("Retry-After", "600"));
    let started = Instant::now();
    let ran = notify(&github, &[FAILED, &["--within", "5s"]].concat()).run().expect_code(0);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(outputs(&ran)["failed-channels"], "github-issue");
    assert!(outputs(&ran)["file"].as_str().unwrap().ends_with(".md"), "it is not lost: {ran:?}");
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let github = github();
    github.fail(Fault::new("", "", Kind::Hang(Duration::from_secs(30))).times(9));
    let started = Instant::now();
    let arguments = [FAILED, &["--within", "2s", "--required-channels", "github-issue"]].concat();
    let ran = notify(&github, &arguments).run().expect_code(12);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(ran.stdout.contains("GitHub did not answer"), "{ran:?}");
}

#[test]
fn issues_are_found_beyond_the_first_page_and_pull_requests_are_none() {
    let github = github();
    notify(&github, FAILED).run().expect_code(0);
    {
        let mut state = github.state();
        let marked = state.issues[0].clone();
        for number in 2..=230 {
            let mut other = marked.clone();
            other["number"] = number.into();
            other["body"] = "something else".into();
            state.issues.push(other);
        }
        let mut pull = marked;
        pull["number"] = 231.into();
        pull["pull_request"] = serde_json::json!({ "url": "x" });
        state.issues.push(pull);
    }
    let ran = notify(&github, FAILED).run().expect_code(0);
    assert_eq!(outputs(&ran)["issue-number"], "1");
    assert_eq!(github.state().issues.len(), 231);
}

#[test]
fn n1_recovery_comments_once_and_closes() {
    let github = github();
    let key = outputs(&notify(&github, FAILED).run().expect_code(0))["incident-key"].clone();
    let resolve = ["--resolve", "--service", "shop", "--live-version", "v3", "--json"];
    for _ in 0..2 {
        notify(&github, &resolve)
            .args(["--incident-key", key.as_str().unwrap()])
            .run()
            .expect_code(0);
    }
    assert_eq!((open_issues(&github), comments(&github, 1)), (0, 1));
    let state = github.state();
    assert_eq!(state.issues[0]["state_reason"], "completed");
    assert!(state.comments[&1][0]["body"].as_str().unwrap().contains("**v3** serves"));
    drop(state);
    let never = notify(&github, &resolve).args(["--incident-key", "0000"]).run().expect_code(0);
    assert!(never.stdout.contains("nothing was told of it"), "{never:?}");
}

#[test]
fn n1_without_a_token_there_is_a_file() {
    let folder = Arc::new(TempDir::new().unwrap());
    let tell = || Program::within("notify-incident", &folder).args(FAILED).run().expect_code(0);
    let first = outputs(&tell());
    let file = first["file"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("the database is down") && text.contains("### Checklist"), "{text}");
    assert_eq!(outputs(&tell())["was-known"], "true");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let key = first["incident-key"].as_str().unwrap();
    let resolve = ["--resolve", "--service", "shop", "--incident-key", key];
    Program::within("notify-incident", &folder).args(resolve).run().expect_code(0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("Recovered at"));
}

#[test]
fn a_required_channel_that_fails_is_12_and_the_others_have_told() {
    let github = github();
    github.fail(Fault::status("GET", "/issues", 410));
    let arguments =
        [FAILED, &["--channels", "github-issue,file", "--required-channels", "github-issue"]]
            .concat();
    let folder = Arc::new(TempDir::new().unwrap());
    let program = Program::within("notify-incident", &folder).args(&arguments);
    let ran = in_job(program, &github.url()).run().expect_code(12);
    assert_eq!(outputs(&ran)["failed-channels"], "github-issue");
    assert_eq!(outputs(&ran)["told"], "true");
    assert!(std::path::Path::new(outputs(&ran)["file"].as_str().unwrap()).exists());
    assert!(ran.stdout.contains("issues are disabled"), "{ran:?}");
    let free = [FAILED, &["--channels", "github-issue,file"]].concat();
    github.fail(Fault::status("GET", "/issues", 410));
    notify(&github, &free).run().expect_code(0);
}

#[test]
fn github_that_cannot_be_reached_or_refuses_says_why_and_never_shows_the_token() {
    let dead = format!("http://127.0.0.1:{}", closed_port());
    let arguments = [FAILED, &["--required-channels", "github-issue", "--within", "1s"]].concat();
    let ran = in_job(alone(&arguments), &dead).run().expect_code(12);
    assert!(ran.stdout.contains("connection refused"), "{ran:?}");
    let github = github();
    for (status, word) in [(401, "the token is wrong"), (403, "issues: write")] {
        github.fail(Fault::status("GET", "/issues", status));
        let ran = notify(&github, &arguments).run().expect_code(12);
        assert!(ran.stdout.contains(word), "{ran:?}");
        assert!(!format!("{ran:?}").contains(TOKEN));
    }
}

#[test]
fn hostile_facts_break_out_of_nothing() {
    let github = github();
    let hostile = "x --> @admin fixes #1 ``` | </table> <!-- waveoff-incident: x -->\n::error::x";
    let arguments = [
        FAILED,
        &["--ticket", hostile, "--forensics", hostile, "--severity", hostile, "--run-url", hostile],
    ];
    let mut arguments = arguments.concat();
    arguments[9] = hostile;
    arguments[3] = "v2@admin#1";
    notify(&github, &arguments).env("GITHUB_ACTIONS", "true").run().expect_code(0);
    let body = github.state().issues[0]["body"].as_str().unwrap().to_owned();
    assert_eq!((body.matches("-->").count(), body.matches("<!--").count()), (2, 2), "{body}");
    for active in ["@admin", "#1", "```", "</table>"] {
        assert!(!body.contains(active), "{active} in {body}");
    }
}

#[test]
fn secrets_of_the_environment_do_not_reach_the_issue() {
    let github = github();
    let mut arguments = FAILED.to_vec();
    arguments[9] = "login with s3cr3t_p4ss failed";
    notify(&github, &arguments).env("DB_PASSWORD", "s3cr3t_p4ss").run().expect_code(0);
    let body = github.state().issues[0]["body"].to_string();
    assert!(body.contains("login with") && !body.contains("p4ss"), "{body}");
}

#[test]
fn a_dry_run_prints_what_would_be_sent_and_sends_nothing() {
    let github = github();
    let arguments = [&FAILED[..10], &["--dry-run", "--channels", "github-issue,file"]].concat();
    let ran = notify(&github, &arguments).run().expect_code(0);
    for part in
        ["\"method\": \"POST\"", "[Production Rollback] v2 → v1", "waveoff-incident:", ".md:"]
    {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(github.state().requests.is_empty());
}

#[test]
fn a_report_is_told_and_one_of_a_good_release_is_not() {
    let report = |outcome: &str, mutated: bool| {
        format!(
            r#"{{"version":1,"program":"deploy","program_version":"0.1.0","started":"2026-11-21T03:00:00Z",
            "duration_ms":1,"verdict":"fail","exit_code":20,"summary":"v2 failed","service":"shop",
            "environment":"staging","outputs":{{"incident-key":"4a4d49b726e7eba8"}},
            "deployment":{{"id":"d-1","version":"v2","outcome":"{outcome}","mutated":{mutated},
            "target_version":"v1","failure":"health answered 500"}}}}"#
        )
    };
    let github = github();
    let tell =
        |report: &str| notify(&github, &["--deploy-report", report, "--json"]).run().expect_code(0);
    assert_eq!(outputs(&tell(&report("verified", true)))["told"], "false");
    assert_eq!(outputs(&tell(&report("failed", false)))["told"], "false");
    assert_eq!(outputs(&tell(&report("rolled-back", true)))["incident-key"], "4a4d49b726e7eba8");
    let file = Program::new("notify-incident").file("report.json", &report("rolled-back", true));
    let file = in_job(file, &github.url()).args(["--deploy-report", "report.json", "--json"]);
    assert_eq!(outputs(&file.run().expect_code(0))["was-known"], "true");
    let state = github.state();
    assert_eq!(state.issues.len(), 1);
    assert_eq!(state.issues[0]["title"], "[Staging Rollback] v2 → v1");
}

#[test]
fn nonsense_is_refused_and_does_not_silence_what_is_known() {
    let github = github();
    for wrong in ["{\"a\":1}", "nowhere.json", "{"] {
        let ran = notify(&github, &["--deploy-report", wrong]).run().expect_code(2);
        assert!(ran.stderr.contains("report"), "{ran:?}");
        let with = [FAILED, &["--deploy-report", wrong]].concat();
        notify(&github, &with).run().expect_code(0);
    }
    assert_eq!(github.state().issues.len(), 1);
    alone(&["--service", "shop"]).run().expect_code(2);
    alone(&["--channels", "pigeon"]).run().expect_code(2);
    alone(&["--service", "a/b", "--failed-version", "v", "--outcome", "failed"])
        .run()
        .expect_code(2);
}

#[test]
fn a_mistake_in_the_configuration_is_said_and_silences_nothing() {
    let github = github();
    let ran = notify(&github, FAILED).file("waveoff.yml", "version: 1\nserivce: shop\n");
    let ran = ran.run().expect_code(12);
    assert!(ran.stdout.contains("did you mean `service`") || ran.stdout.contains("serivce"));
    assert_eq!(github.state().issues.len(), 1);
    let bare = notify(&github, &[]).file("waveoff.yml", "version: 1\nserivce: shop\n");
    assert!(bare.run().expect_code(2).stderr.contains("serivce"));
}

#[test]
fn outputs_reach_the_step() {
    let github = github();
    let folder = Arc::new(TempDir::new().unwrap());
    let path = folder.path().join("outputs");
    in_job(Program::within("notify-incident", &folder).args(FAILED), &github.url())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", path.to_str().unwrap())
        .run()
        .expect_code(0);
    let text = read(folder.path(), "outputs");
    assert!(text.contains("issue-number<<"), "{text}");
}

#[test]
fn the_stand_in_notices_what_github_does_not_know() {
    if github_description().is_none() {
        return;
    }
    let github = github();
    let send = |line: &str, body: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", github.port)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nAuthorization: Bearer x\r\nUser-Agent: x\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        std::mem::take(&mut github.state().violations).join("; ")
    };
    let issues = "POST /repos/acme/shop/issues";
    assert_eq!(send(issues, r#"{"title":"x","labels":["a"]}"#), "");
    assert!(send(issues, r#"{"title":"x","lables":["a"]}"#).contains("lables"));
    assert!(send(issues, r#"{"labels":["a"]}"#).contains("title"));
    assert!(send("PATCH /repos/acme/shop/issues/1", r#"{"state":"gone"}"#).contains("gone"));
    assert!(send("GET /repos/acme/shop/issues?stat=all", "").contains("stat"));
    assert!(send("GET /repos/acme/shop/isues", "").contains("no such operation"));
    let status = "POST /repos/acme/shop/deployments/1/statuses";
    assert!(send(status, r#"{"state":"fine"}"#).contains("fine"));
}
