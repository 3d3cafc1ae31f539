//! The suites of `examples/suites` pass against the sample service dressed as each, and where
//! something is broken, that check fails and no other one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Program, closed_port};
use crate::suites_world::{Services, Suite, VERSION, file, not_passed, pods, sample, verdicts};
use crate::watched::{container, exited};

const NOTHING: [&str; 0] = [];

/// The names, of those that are asked of several pages only what they have in common.
fn names(suite: &Suite, tag: &str) -> BTreeSet<String> {
    let ran = suite.run("smoke-test", &["--only", tag, "--expect-version", VERSION]);
    let ran = ran.expect_code(0);
    assert_eq!(not_passed(&ran), NOTHING);
    verdicts(&ran).iter().map(|(name, _)| name.split(": /").next().unwrap().to_owned()).collect()
}

#[test]
fn p15_the_safeguards_are_19_named_checks_and_10_smoke_tests() {
    let services = Services::start();
    let (mut suite, _sample) = Suite::new("deployment-safeguards");
    suite.join(&services);
    let (database, cache) =
        (!suite.missing.contains(&"database"), !suite.missing.contains(&"cache"));
    let mut wanted = vec![
        ("back end health", true),
        ("API health", true),
        ("back end version", true),
        ("back end info", true),
        ("home page", true),
        ("login page", true),
        ("critical pages", true),
        ("front end version", true),
        ("version consistency", true),
        ("database connectivity", database),
        ("schema version", database),
        ("table count", database),
        ("cache connectivity", cache),
        ("cache memory", cache),
        ("cache statistics", cache),
        ("external API", true),
        ("disk space", true),
        ("memory usage", true),
        ("CPU load", true),
    ];
    assert_eq!(wanted.len(), 19);
    wanted.retain(|(_, is_here)| *is_here);
    let wanted: BTreeSet<String> = wanted.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&suite, "safeguard"), wanted);

    let ran = suite.run("smoke-test", &["--only", "smoke", "--expect-version", VERSION]);
    let run: BTreeSet<String> = verdicts(&ran).into_iter().map(|(name, _)| name).collect();
    let mut smoke = vec![
        "home page",
        "login page",
        "API health",
        "critical pages: /courses",
        "critical pages: /enrollment-date",
        "critical pages: /finances",
        "critical pages: /academics",
        "version consistency",
        "404 page",
        // Whose version the front end's is compared with.
        "back end version",
    ];
    smoke.extend(database.then_some("database connectivity"));
    assert_eq!(run, smoke.into_iter().map(str::to_owned).collect());

    let (mut hotel, _hotel) = Suite::new("automation-and-rollback");
    let (mut home, _home) = Suite::new("progressive-delivery");
    for suite in [&mut hotel, &mut home] {
        suite.join(&services);
        assert_eq!(suite.failures(), NOTHING);
    }
    if database {
        assert_eq!(hotel.failures_where("RESERVATIONS", "8"), ["data preserved"]);
        assert_eq!(suite.failures_where("SCHEMA", "20250102"), ["schema version"]);
        // The other database has three tables.
        suite.set("POSTGRES_PASSWORD", "pencil-x");
        suite.set("SCHEMA", "5");
        assert_eq!(suite.failures_where("POSTGRES_USER", "shop"), ["table count"]);
        suite.set("SCHEMA", "20250101");
    }
    if cache {
        let nobody = format!("localhost:{}", closed_port());
        let failures = suite.failures_where("REDIS", &nobody);
        assert_eq!(failures, ["cache connectivity", "cache memory", "cache statistics"]);
    }
}

#[test]
fn p15_a_safeguard_fails_for_what_it_is_named_after() {
    let (mut suite, _sample) = Suite::new("deployment-safeguards");
    assert_eq!(suite.failures(), NOTHING);
    let other = suite.dress(&[], &["--version", "v1.2.3"]);
    assert_eq!(
        suite.failures_where("FRONTEND_URL", &other.base),
        ["front end version", "version consistency"]
    );
    let down = json!({ "status": 503, "body": { "status": "DOWN" } });
    let page = json!({ "body": "<!doctype html><title>Campus</title>" });
    let error = json!({ "status": 500 });
    for (path, broken, name) in [
        ("/actuator/health", &down, "back end health"),
        ("/api/health", &error, "API health"),
        ("/", &error, "home page"),
        ("/login", &error, "login page"),
        ("/courses", &error, "critical pages: /courses"),
        ("/no-such-page", &page, "404 page"),
    ] {
        assert_eq!(suite.failures_with(&[(path, broken.clone())], &[]), [name]);
    }
    let bare = json!({ "body": { "build": { "version": "{{version}}" } } });
    assert_eq!(suite.failures_with(&[("/actuator/info", bare)], &[]), ["back end info"]);
    assert_eq!(suite.failures_where("MAX_DISK", "0.001%"), ["disk space"]);
    // What others run, and memory, are told, and decide nothing.
    suite.set("EXTERNAL_URL", &format!("http://localhost:{}", closed_port()));
    suite.set("MAX_MEMORY", "0.001%");
    let ran = suite.run("smoke-test", &["--expect-version", VERSION]).expect_code(0);
    assert_eq!(not_passed(&ran), ["external API", "memory usage"]);
}

#[test]
fn p3_p4_p7_progressive_delivery_fails_for_what_is_broken() {
    let (mut suite, _sample) = Suite::new("progressive-delivery");
    assert_eq!(suite.failures(), NOTHING);
    for (fault, failures) in [
        ("circuit-open", &["full health"][..]),
        ("critical-down", &["ready", "full health"]),
        ("degraded", &[]),
    ] {
        assert_eq!(suite.failures_with(&[], &["--fault", fault]), failures, "{fault}");
    }
    let worker = json!({ "name": "file_watcher", "running": false, "critical": true });
    let services = json!({ "status": "healthy" });
    let worker = json!({ "body": { "status": "healthy", "postgres": services, "redis": services,
        "circuit_breakers": { "total": 5, "open": 0, "half_open": 0, "closed": 5 }, "workers": [worker] } });
    let two = json!({ "body": { "status": "degraded", "postgres": services, "redis": services,
        "circuit_breakers": { "total": 5, "open": 2, "half_open": 0, "closed": 3 } } });
    let absent = json!({ "status": 404 });
    for (page, broken, failures) in [
        ("/api/system/health/full", worker, &["full health"][..]),
        ("/api/system/health/full", two, &["full health", "circuits in operation"]),
        ("/", absent.clone(), &["front end"]),
        ("/ws/events", absent.clone(), &["web socket"]),
        ("/api/events", absent.clone(), &["API"]),
        ("/metrics", absent, &["service metrics"]),
        ("POST /api/v1/query?http_requests_total", sample("0.03"), &["error rate"]),
        ("POST /api/v1/query?http_requests_total", sample("0.01"), &[]),
        ("POST /api/v1/query?duration_seconds", sample("NaN"), &["latency P99"]),
    ] {
        assert_eq!(suite.failures_with(&[(page, broken)], &[]), failures, "{page}");
    }
    suite.keepers.put("log", "ERROR: no frame\n");
    assert_eq!(suite.failures(), ["log of the back end"]);
    suite.keepers.inspect("inspect", &[container("backend-1", &exited(1), 0, "no")]);
    assert!(suite.failures().contains(&"containers".to_owned()));
}

#[test]
fn p3_p7_p14_a_single_instance_is_ready_after_its_first_request() {
    let (mut suite, service) = Suite::new("rolling-single-instance");
    // Nothing but the first request sets it off, and `warm-up` is that.
    let ask = || {
        let answer = ureq::get(format!("{}/health", service.base)).call().unwrap();
        answer.into_body().read_to_string().unwrap()
    };
    assert!([ask(), ask()].iter().all(|said| said.contains("\"None\"")));
    let wait = suite.run("wait-healthy", &["--only", "readiness"]).expect_code(0);
    assert_eq!(verdicts(&wait), [("readiness".to_owned(), "pass".to_owned())]);
    assert_eq!(suite.failures(), NOTHING);
    drop(service);
    let engine = |word: &str| json!({ "body": { "status": "healthy", "aiAvailability": word } });
    let quiet = json!({ "type": "text/event-stream", "body": "" });
    let odd = json!({ "body": { "detections": [{ "label": "cat", "confidence": 7 }] } });
    let none = json!({ "body": { "detections": [] } });
    for (page, broken, failures) in [
        ("/health", engine("CONVERTING"), &["engine is enabled"][..]),
        ("/health", engine("None"), &["readiness", "engine is enabled"]),
        ("/events", quiet, &["event stream"]),
        ("POST /detect", odd, &["detection"]),
        ("POST /detect", none, &["detection"]),
    ] {
        assert_eq!(suite.failures_with(&[(page, broken)], &[]), failures, "{page}");
    }
    suite.keepers.put("log", "Traceback (most recent call last):\n");
    assert_eq!(suite.failures_with(&[], &[]), ["log"]);
}

#[test]
fn p6_p8_the_verification_after_a_switch_fails_for_what_is_broken() {
    let (mut suite, _sample) = Suite::new("gitops-blue-green");
    assert_eq!(suite.failures(), NOTHING);
    let event = |status: u16, kind: &str, body: &str| json!({ "status": status, "type": kind, "body": body });
    let whole = "<event version=\"2.0\" type=\"a-u-G\"/>";
    let nothing = json!({ "body": { "status": "success", "data": { "result": [] } } });
    for (page, broken, failure) in [
        ("/health", json!({ "status": 503 }), "health endpoint"),
        ("/ready", json!({ "status": 503 }), "ready endpoint"),
        ("/metrics", json!({ "body": "<html>up 1</html>" }), "metrics endpoint"),
        ("POST /api/v1/detections", event(200, "text/xml", whole), "detection pipeline"),
        ("POST /api/v1/detections", event(201, "text/plain", whole), "detection pipeline"),
        ("POST /api/v1/detections", event(201, "text/xml", "<error/>"), "detection pipeline"),
        ("/api/dashboards/uid/detection-pipeline", json!({ "status": 404 }), "dashboard"),
        ("POST /api/v1/query?timestamp", sample("90"), "metrics updating"),
        ("POST /api/v1/query?status=~", sample("0.012"), "error rate"),
        ("POST /api/v1/query?status=~", nothing, "error rate"),
        ("POST /api/v1/query?offline_queue_depth", sample("12"), "queue depth"),
    ] {
        assert_eq!(suite.failures_with(&[(page, broken)], &[]), [failure], "{page}");
    }
    suite.keepers.put("pods", &pods(2));
    assert_eq!(suite.failures(), ["pods running"]);
}

#[test]
fn p6_p12_validation_after_a_rollback_fails_for_what_is_broken() {
    let (mut suite, _sample) = Suite::new("automation-and-rollback");
    assert_eq!(suite.failures(), NOTHING);
    let pms = json!({ "database": "healthy", "redis": "healthy", "pms": "unhealthy" });
    let pms = json!({ "body": { "status": "ready", "checks": pms } });
    let open = json!({ "lines": ["circuit_breaker_state{service=\"pms\"} 2", "deployment_started_total 3",
        "deployment_completed_total{status=\"success\"} 3", "rollback_triggered_total 0"] });
    let fewer = json!({ "lines": ["circuit_breaker_state{service=\"pms\"} 0"] });
    for (page, broken, failure) in [
        ("/health/live", json!({ "status": 503, "body": { "status": "down" } }), "live"),
        ("/health/ready", pms, "ready"),
        ("/api/v1/rooms", json!({ "status": 500 }), "API: /api/v1/rooms"),
        ("/openapi.json", json!({ "body": { "openapi": "3.1.0" } }), "API description"),
        ("/metrics", open, "metrics"),
        ("/metrics", fewer, "deployment metrics"),
        ("POST /api/v1/query?http_requests_total", sample("0.06"), "error rate"),
        ("POST /api/v1/query?duration_seconds", sample("3.2"), "latency P95"),
        ("POST /api/v1/query?up{", sample("0.94"), "availability"),
    ] {
        assert_eq!(suite.failures_with(&[(page, broken)], &[]), [failure], "{page}");
    }
    suite.set("BASELINE", "1ms");
    assert_eq!(suite.failures_with(&[], &["--fault", "slow=5"]), ["performance at baseline"]);
}

#[test]
fn d2_the_checklist_before_a_deployment_tells_what_is_missing() {
    let (mut suite, service) = Suite::new("rolling-single-instance");
    let scan = json!({ "SchemaVersion": 2, "ArtifactName": ".", "ArtifactType": "filesystem",
        "Results": [{ "Target": "requirements.txt", "Class": "lang-pkgs", "Type": "pip",
            "Packages": [{ "Name": "onnxruntime" }] }] });
    let folder = Arc::new(TempDir::new().unwrap());
    let put = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    put("trivy.json", &scan.to_string());
    put("deploy.sh", "#!/bin/sh\n");
    let missing = |suite: &Suite| {
        let program = Program::within("waveoff", &folder).args(["preflight"]);
        let program = suite.surroundings(program).env("WAVEOFF_STATE", "state");
        let ran = program.args(["--version", VERSION, "--sign-off", "ci=anna"]).run();
        not_passed(&ran).into_iter().filter(|name| name != "rollback-target").collect::<Vec<_>>()
    };
    assert_eq!(missing(&suite), ["files: classes.json"]);
    put("classes.json", "[\"person\"]\n");
    assert_eq!(missing(&suite), NOTHING);
    drop(service);
    let other = suite.dress(&[("/models/detections.onnx", json!({ "status": 404 }))], &[]);
    suite.turn_to(&other);
    assert_eq!(missing(&suite), ["dependencies: model"]);
    suite.set("ANNOTATIONS_URL", &format!("http://localhost:{}", closed_port()));
    let both = ["dependencies: model", "dependencies: annotations"];
    assert_eq!(missing(&suite), both);
}

/// Words as a shell splits them, without anything else that it does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

#[test]
fn p15_the_command_lines_of_the_page_run() {
    let page = fs::read_to_string(file("README.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).flat_map(|b| b.split("```").next().unwrap().lines());
    let mut run = BTreeSet::new();
    let suites = [
        "deployment-safeguards",
        "progressive-delivery",
        "rolling-single-instance",
        "automation-and-rollback",
        "gitops-blue-green",
    ];
    let lines = blocks.filter(|line| line.contains("--config ")).map(words);
    // What is before a deployment has a test of its own.
    let lines: Vec<_> = lines.filter(|line| line[0] != "waveoff").collect();
    for name in suites {
        let (suite, _sample) = Suite::new(name);
        let path = format!("examples/suites/{name}.yml");
        for line in lines.iter().filter(|line| line[2] == path) {
            let mut arguments: Vec<&str> = line[3..].iter().map(String::as_str).collect();
            if let Some(at) = arguments.iter().position(|word| *word == "--supervise") {
                arguments[at + 1] = "200ms";
            }
            let ran = suite.run(&line[0], &arguments).expect_code(0);
            assert_eq!(not_passed(&ran), NOTHING, "{line:?}");
            run.insert(line.clone());
        }
    }
    assert_eq!(run.len(), lines.len(), "a line is of no suite");
    assert!(run.len() > 10);
}
