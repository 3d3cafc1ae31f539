//! Containers, units and logs, as stand-ins for `docker`, `podman`, `systemctl` and `journalctl`
//! tell: what these print is recorded from Docker 20.10, Podman 4.3 and systemd 252.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Program, closed_port};
use crate::manager::Manager;

/// Answers the look number N with `inspect-N`, else with `inspect`, and notes what it is asked.
const STAND_IN: &str = r#"#!/bin/sh
here=${0%/*}
name=${0##*/}
echo "$name $*" >>"$here/asked"
case $name-$1 in
  journalctl-*) cat "$here/log" && exit 0 ;;
  docker-logs | podman-logs) cat "$here/log" >&2 && exit 0 ;;
  podman-healthcheck) exit "$(cat "$here/health")" ;;
  docker-ps | podman-ps) cat "$here/ids" && exit 0 ;;
esac
looks=$(($(cat "$here/looks") + 1))
echo "$looks" >"$here/looks"
answer=$here/inspect-$looks
[ -e "$answer" ] || answer=$here/inspect
if [ -e "$here/complaint" ]; then
  cat "$here/complaint" >&2
  exit 1
fi
cat "$answer"
"#;

/// A folder of stand-ins, before everything else in PATH.
pub(crate) struct Keepers(pub(crate) Arc<TempDir>);

impl Keepers {
    pub(crate) fn new(programs: &[&str]) -> Self {
        let keepers = Self(Arc::new(TempDir::new().unwrap()));
        for program in programs {
            keepers.put(program, STAND_IN);
            let file = keepers.0.path().join(program);
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        keepers.put("looks", "0");
        keepers
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    pub(crate) fn inspect(&self, name: &str, containers: &[Value]) {
        self.put(name, &serde_json::to_string_pretty(containers).unwrap());
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.0.path().join("asked")).unwrap_or_default()
    }

    fn wait_healthy(&self, config: &str) -> Program {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let program = Program::new("wait-healthy").env("PATH", &path).args(["--json"]);
        if config.is_empty() {
            return program;
        }
        program.file("waveoff.yml", &format!("version: 1\nchecks:\n{config}"))
    }
}

/// A container as Docker 20.10 describes it, without what nobody reads here.
pub(crate) fn container(name: &str, state: &Value, restarts: u32, policy: &str) -> Value {
    let mut whole = json!({
        "Status": "running", "Running": true, "Paused": false, "Restarting": false,
        "OOMKilled": false, "Dead": false, "Pid": 20333, "ExitCode": 0, "Error": "",
        "StartedAt": "2026-01-21T16:01:07.728464178Z", "FinishedAt": "0001-01-01T00:00:00Z"
    });
    let known = whole.as_object_mut().unwrap();
    known.extend(state.as_object().unwrap().clone());
    let service = name.split('-').next().unwrap();
    json!({
        "Id": format!("ccaa7453a79d{name}"), "Created": "2026-01-21T16:01:07.17134411Z",
        "Name": format!("/{name}"), "RestartCount": restarts, "State": whole,
        "HostConfig": { "RestartPolicy": { "Name": policy, "MaximumRetryCount": 0 } },
        "Config": { "Labels": {
            "com.docker.compose.project": "shop", "com.docker.compose.service": service
        } }
    })
}

pub(crate) fn health(word: &str) -> Value {
    json!({ "Health": { "Status": word, "FailingStreak": 0, "Log": [] } })
}

pub(crate) fn exited(code: i64) -> Value {
    json!({ "Status": "exited", "Running": false, "Pid": 0, "ExitCode": code })
}

#[test]
fn p5_waiting_for_a_container_until_it_is_healthy() {
    let keepers = Keepers::new(&["docker"]);
    keepers.inspect("inspect-1", &[container("web", &health("starting"), 0, "no")]);
    keepers.inspect("inspect", &[container("web", &health("healthy"), 0, "no")]);
    let ran = keepers.wait_healthy("").args(["--container", "web", "--within", "60s"]).run();
    let report = ran.expect_code(0).report();
    assert_eq!(report["checks"][0]["attempts"], 2, "{report}");
    assert_eq!(report["checks"][0]["reason"], "container web is healthy");
    assert_eq!(keepers.asked().lines().next(), Some("docker inspect --type container web"));
}

#[test]
fn p5_a_crash_ends_every_wait_at_once_with_its_last_lines() {
    let keepers = Keepers::new(&["docker"]);
    keepers.inspect("inspect-1", &[container("web", &health("starting"), 0, "no")]);
    keepers.inspect("inspect", &[container("web", &exited(3), 0, "no")]);
    keepers.put("log", "2026-01-21T16:01:08Z Boom\n");
    let port = closed_port();
    let config = format!("  - container: web\n  - tcp: 127.0.0.1:{port}\n");
    let started = Instant::now();
    let ran = keepers.wait_healthy(&config).args(["--within", "90s"]).run().expect_code(10);
    assert!(started.elapsed() < Duration::from_secs(45), "{:?}", started.elapsed());
    let report = ran.report();
    let [web, tcp] = [0, 1].map(|index| &report["checks"][index]);
    assert_eq!(web["reason"], "container web exited with 3", "{report}");
    assert_eq!(web["last_response"]["status"], 3);
    assert!(web["last_response"]["body"].as_str().unwrap().contains("Boom"), "{report}");
    let reason = tcp["reason"].as_str().unwrap();
    assert!(reason.contains("not waited for any longer: container web exited with 3"), "{reason}");
    assert_eq!(tcp["verdict"], "fail");
    assert!(reason.contains("connection refused"), "{reason}");
}

#[test]
fn p5_a_restart_count_that_grows_is_a_loop() {
    let keepers = Keepers::new(&["docker"]);
    let restarted = |times| [container("web", &health("starting"), times, "always")];
    keepers.inspect("inspect-1", &restarted(5));
    keepers.inspect("inspect", &restarted(6));
    keepers.put("log", "");
    let ran = keepers.wait_healthy("").args(["--container", "web", "--within", "90s"]).run();
    let report = ran.expect_code(10).report();
    assert_eq!(report["checks"][0]["attempts"], 2, "{report}");
    let reason = report["checks"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("restarted while it was looked at (restart 6)"), "{reason}");
}

#[test]
fn p8_all_replicas_of_a_compose_service() {
    let keepers = Keepers::new(&["podman"]);
    keepers.put("ids", "a\nb\nc\nd\n");
    let mut once = container("web-run", &exited(1), 0, "no");
    once["Config"]["Labels"]["com.docker.compose.oneoff"] = "True".into();
    let web = |number, word| container(&format!("web-{number}"), &health(word), 0, "no");
    let job = container("migrate-1", &exited(0), 0, "no");
    keepers.inspect("inspect-1", &[web(1, "healthy"), web(2, "starting"), job.clone()]);
    keepers.inspect("inspect", &[web(1, "healthy"), web(2, "healthy"), job, once]);
    let config = "  - container: { project: shop, services: [web], replicas: 2, engine: podman }\n";
    let ran = keepers.wait_healthy(config).args(["--within", "60s"]).run().expect_code(0);
    let report = ran.report();
    assert_eq!(report["checks"][0]["reason"], "2 of 2 well", "{report}");
    let note = report["checks"][0]["timeline"][0]["note"].as_str().unwrap();
    assert!(note.starts_with("1 of 2 well: container web-2 is starting"), "{note}");
    assert!(keepers.asked().contains("--filter label=com.docker.compose.project=shop"));
}

#[test]
fn p8_podmans_health_checks_are_run_at_each_look() {
    let keepers = Keepers::new(&["podman"]);
    let mut state = health("starting");
    state["OciVersion"] = "1.0.2-dev".into();
    let mut web = container("web", &state, 0, "");
    web["Config"]["Healthcheck"] = json!({ "Test": ["CMD-SHELL", "exit 0"] });
    keepers.inspect("inspect", &[web]);
    let config = "  - container: { name: web, engine: podman }\n";
    for (code, expected) in [("1", 10), ("0", 0)] {
        keepers.put("health", code);
        keepers.wait_healthy(config).args(["--within", "2s"]).run().expect_code(expected);
    }
    assert!(keepers.asked().contains("podman healthcheck run ccaa7453a79dweb"));
}

#[test]
fn p8_an_engine_that_does_not_answer_is_an_error_and_no_container_a_failure() {
    let keepers = Keepers::new(&["docker"]);
    let look = |complaint: &str, code| {
        keepers.put("inspect", "[]\n");
        keepers.put("complaint", complaint);
        let waited = keepers.wait_healthy("").args(["--container", "web", "--within", "1s"]);
        waited.run().expect_code(code).report()["checks"][0]["reason"].to_string()
    };
    let down = look("Cannot connect to the Docker daemon at unix:///x. Is it running?\n", 12);
    assert!(down.contains("Cannot connect to the Docker daemon"), "{down}");
    let absent = look("Error: No such container: web\n", 10);
    assert!(absent.starts_with("\"found no container web"), "{absent}");
    let nothing = Program::new("smoke-test").env("PATH", "/nowhere");
    let ran = nothing.args(["--container", "web", "--attempts", "1"]).run().expect_code(12);
    assert!(ran.stdout.contains("neither docker nor podman"), "{}", ran.stdout);
}

#[test]
fn p8_names_that_no_container_or_unit_can_have_are_refused() {
    for (config, words) in [
        ("  - container: --format\n", "cannot be such a name"),
        ("  - container: { name: a, project: b }\n", "side by side"),
        ("  - container: { services: [a] }\n", "says not which"),
        ("  - container: { name: a, replicas: 2 }\n", "need a project"),
        ("  - container: { project: a, replicas: 0 }\n", "replicas is 0"),
        ("  - unit: '*.service'\n", "cannot be a unit's name"),
        ("  - unit: { name: [] }\n", "names no unit"),
        ("  - log: { file: a, unit: b }\n", "exactly one"),
        ("  - log: { unit: b, last: 5m }\n", "last goes with a file"),
        ("  - log: { file: a, errors: ['('] }\n", "not a regular expression"),
    ] {
        let program = Keepers::new(&[]).wait_healthy(config);
        let ran = program.run().expect_code(2);
        assert!(ran.stderr.contains(words), "{config}: {}", ran.stderr);
    }
}

/// A unit as `systemctl show` tells.
pub(crate) fn unit(active: &str, sub: &str, restarts: u32) -> String {
    format!(
        "Type=simple\nResult=success\nNRestarts={restarts}\nExecMainStatus=0\n\
         ExecMainExitTimestampMonotonic=0\nId=shop.service\nLoadState=loaded\n\
         ActiveState={active}\nSubState={sub}\nActiveEnterTimestampMonotonic=5000000\n\
         InactiveExitTimestampMonotonic=1000000\n"
    )
}

#[test]
fn p5_a_unit_that_fails_or_loops_ends_the_wait_with_its_journal() {
    for (last, words) in [
        (unit("failed", "failed", 5), "unit shop.service has failed"),
        (unit("activating", "auto-restart", 1), "is in a restart loop"),
        (unit("active", "running", 1), "was restarted while it was looked at"),
        (unit("active", "exited", 0), "nothing of it runs"),
    ] {
        let keepers = Keepers::new(&["systemctl", "journalctl"]);
        keepers.put("inspect-1", &unit("activating", "start", 0));
        keepers.put("inspect", &last);
        keepers.put("log", "2026-01-21T16:01:08 shop[7]: Boom\n");
        let ran = keepers.wait_healthy("").args(["--unit", "shop.service", "--within", "90s"]);
        let report = ran.run().expect_code(10).report();
        assert_eq!(report["checks"][0]["attempts"], 2, "{report}");
        let reason = report["checks"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{reason}");
        let body = report["checks"][0]["last_response"]["body"].as_str().unwrap();
        assert!(body.contains("Boom"), "{report}");
        assert!(keepers.asked().contains("--lines 100 --unit shop.service"), "{}", keepers.asked());
    }
}

#[test]
fn p8_units_of_the_user_and_a_machine_without_systemd() {
    let keepers = Keepers::new(&["systemctl", "journalctl"]);
    let good = unit("active", "running", 3);
    keepers.put("inspect", &format!("{good}\n{good}"));
    let config = "  - unit: { name: [shop-web, shop-api.service], user: true }\n";
    keepers.wait_healthy(config).run().expect_code(0);
    assert!(keepers.asked().starts_with("systemctl --user show --property Id,"));
    keepers.put("complaint", "System has not been booted with systemd as init system (PID 1).\n");
    let ran = keepers.wait_healthy(config).args(["--within", "1s"]).run().expect_code(12);
    assert!(ran.stdout.contains("not been booted with systemd"), "{}", ran.stdout);
}

#[test]
fn p14_the_log_since_the_start_shows_no_errors() {
    let keepers = Keepers::new(&["docker", "systemctl", "journalctl"]);
    let config = "  - log: { container: web, except: [harmless] }\n  - log: { unit: shop }\n";
    keepers.inspect("inspect-1", &[container("web", &json!({}), 0, "no")]);
    for (log, code) in [
        ("ready\nERROR: harmless\nerrors=0\n", 10),
        ("ready\n{\"level\":\"error\",\"msg\":\"Boom\"}\n", 10),
        ("ready\nerrors=0\n", 0),
    ] {
        keepers.put("looks", "0");
        keepers.put("log", log);
        let one = &config[..config.find("  - log: { unit").unwrap()];
        let expected = if log.contains("harmless") { 0 } else { code };
        let report = keepers.wait_healthy(one).run().expect_code(expected).report();
        if expected == 10 {
            let body = report["checks"][0]["last_response"]["body"].as_str().unwrap();
            assert!(body.contains("Boom"), "{report}");
        }
        // The same of a unit, where nothing is excepted.
        keepers.put("inspect-2", &unit("active", "running", 0));
        let unit = &config[config.find("  - log: { unit").unwrap()..];
        keepers.wait_healthy(unit).run().expect_code(code);
    }
    let asked = keepers.asked();
    assert!(asked.contains("docker logs --since 2026-01-21T16:01:06.000Z ccaa7453a79dweb"));
    assert!(asked.contains("journalctl --no-pager --output=cat --since @"));
}

#[test]
fn p14_a_file_and_one_that_cannot_be_read() {
    let keepers = Keepers::new(&[]);
    let config = "  - log: { file: app.log, errors: ['^kaputt'] }\n";
    let look = |text: &str| keepers.wait_healthy(config).file("app.log", text).run();
    look("ERROR: is not one of ours\n").expect_code(0);
    look("fine\nkaputt: Boom\n").expect_code(10);
    keepers.wait_healthy(config).args(["--within", "1s"]).run().expect_code(12);
    let recent = "  - log: { file: app.log, last: 10m }\n";
    let old = "2001-01-01T00:00:00Z ERROR: long ago\n";
    keepers.wait_healthy(recent).file("app.log", old).run().expect_code(0);
}

#[test]
fn p8_units_and_their_journal_as_a_real_systemd_tells() {
    let Some(manager) = Manager::new() else { return };
    let service = |keys: &str, script: &str| {
        format!("[Service]\n{keys}\nExecStart=/bin/sh -c \"{script}\"\n")
    };
    let stays = "exec sleep 1000";
    let loops = "Restart=always\nRestartSec=100ms\n[Unit]\nStartLimitIntervalSec=0\n[Service]";
    for (name, keys, script) in [
        ("good", "", stays),
        ("once", "Type=oneshot\nRemainAfterExit=yes", "true"),
        ("hollow", "RemainAfterExit=yes", "true"),
        // The journal finds a line's unit through the process that wrote it, while it is there.
        ("fails", "", "echo Boom; sleep 0.2; exit 3"),
        ("loops", loops, "echo Loop; sleep 0.1; exit 4"),
        ("noisy", "", "echo ready; echo ERROR: bad; exec sleep 1000"),
    ] {
        manager.unit(&format!("{name}.service"), &service(keys, script));
        manager.systemctl(&["start", name]);
    }
    // Each is well as long as it has not come to what it is about.
    manager.until("once", "SubState", |state| state == "exited");
    manager.until("hollow", "SubState", |state| state == "exited");
    manager.until("fails", "ActiveState", |state| state == "failed");
    manager.until("loops", "NRestarts", |n| n.parse::<u32>().is_ok_and(|n| n >= 2));
    manager.until_said("fails", "Boom");
    manager.until_said("noisy", "ERROR");
    let look = |config: &str, code| {
        let program = manager.env(Program::new("wait-healthy")).args(["--json", "--within", "20s"]);
        let program = program.file("waveoff.yml", &format!("version: 1\nchecks:\n{config}\n"));
        program.run().expect_code(code).report()["checks"][0].clone()
    };
    let unit = |name: &str, code| look(&format!("  - unit: {{ name: {name}, user: true }}"), code);
    assert_eq!(unit("good", 0)["reason"], "unit good is active (running)");
    assert_eq!(unit("once", 0)["reason"], "unit once is active (exited)");
    assert_eq!(unit("hollow", 10)["reason"], "unit hollow is active (exited): nothing of it runs");
    let failed = unit("fails", 10);
    assert_eq!(failed["reason"], "unit fails has failed (exit-code, status 3)");
    assert!(failed["last_response"]["body"].as_str().unwrap().contains("Boom"), "{failed}");
    assert!(unit("loops", 10)["last_response"]["body"].as_str().unwrap().contains("Loop"));
    let log = |name: &str| format!("  - log: {{ unit: {{ name: {name}, user: true }} }}");
    let noisy = look(&log("noisy"), 10);
    assert!(noisy["reason"].as_str().unwrap().contains("ERROR: bad"), "{noisy}");
    look(&log("good"), 0);
}
