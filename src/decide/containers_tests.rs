use super::*;
use crate::decide::state::Hopeless;
use crate::decide::verdict::Verdict;

const NOW: &str = "2026-11-21T16:30:00Z";

fn now() -> SystemTime {
    humantime::parse_rfc3339(NOW).unwrap()
}

/// A container as `docker inspect` tells, with this state, restart policy, and restarts.
fn container(name: &str, state: &str, policy: &str, restarts: u32) -> Container {
    let json = format!(
        r#"[{{"Id":"id-{name}","Name":"/{name}","RestartCount":{restarts},"State":{state},
        "Config":{{"Labels":{{"com.docker.compose.service":"{}"}}}},
        "HostConfig":{{"RestartPolicy":{{"Name":"{policy}","MaximumRetryCount":0}}}}}}]"#,
        name.split('-').next().unwrap()
    );
    read(json.as_bytes()).unwrap().remove(0)
}

fn running() -> &'static str {
    r#"{"Status":"running","StartedAt":"2026-11-21T16:00:00.5Z"}"#
}

fn health(word: &str) -> String {
    format!(
        r#"{{"Status":"running","StartedAt":"2026-11-21T16:00:00Z","Health":{{"Status":"{word}","FailingStreak":3}}}}"#
    )
}

fn ended(code: i64) -> String {
    format!(r#"{{"Status":"exited","ExitCode":{code},"OOMKilled":false,"Error":""}}"#)
}

fn look(all: &[Container], wanted: &Wanted) -> State {
    judge(all, wanted, &Restarts::new(), now()).state
}

fn one(state: &str, policy: &str, restarts: u32) -> State {
    let wanted = Wanted { what: "container a".into(), ..Wanted::default() };
    look(&[container("a", state, policy, restarts)], &wanted)
}

#[test]
fn p8_every_state_has_its_meaning() {
    use Verdict::{Error, Fail, Pass};
    let state = |status: &str| format!(r#"{{"Status":"{status}"}}"#);
    for (state, policy, verdict, terminal, words) in [
        (running().to_owned(), "no", Pass, false, "container a is running"),
        (health("healthy"), "always", Pass, false, "container a is healthy"),
        (health("none"), "no", Pass, false, "is running"),
        (health("starting"), "no", Fail, false, "not healthy yet"),
        (health("unhealthy"), "no", Fail, false, "unhealthy (3 failures in a row)"),
        (health("splendid"), "no", Error, false, "`splendid`"),
        (state("created"), "no", Fail, false, "not started"),
        (state("paused"), "no", Fail, false, "paused"),
        (state("removing"), "no", Fail, false, "removing"),
        (state("restarting"), "always", Fail, true, "restart loop"),
        (state("dead"), "no", Fail, true, "dead"),
        (state("levitating"), "no", Error, false, "`levitating`"),
        (state(""), "no", Error, false, "not known"),
        (ended(0), "no", Pass, false, "completed with 0"),
        (ended(0), "", Pass, false, "completed with 0"),
        (ended(0), "on-failure", Pass, false, "completed with 0"),
        (ended(0), "always", Fail, true, "restart policy is always"),
        (ended(0), "unless-stopped", Fail, true, "restart policy is unless-stopped"),
        (ended(3), "no", Fail, true, "exited with 3"),
        (ended(137), "no", Fail, true, "killed"),
        (ended(137).replace("false", "true"), "no", Fail, true, "for lack of memory"),
        (r#"{"Status":"created","Error":"no such file"}"#.into(), "no", Fail, true, "no such file"),
    ] {
        let found = one(&state, policy, 0);
        assert_eq!(found.verdict, verdict, "{state} {policy}: {found:?}");
        assert_eq!(found.terminal.is_some(), terminal, "{state} {policy}: {found:?}");
        assert!(found.found.contains(words), "{state}: {}", found.found);
    }
    assert_eq!(one(&ended(3), "no", 0).code, Some(3));
    assert_eq!(one(&health("unhealthy"), "no", 0).code, None);
}

#[test]
fn p8_a_health_check_that_has_not_spoken_is_no_health() {
    let mut tested = container("a", running(), "no", 0);
    tested.config.healthcheck = Some(HealthTest { test: Some(vec!["CMD".into(), "x".into()]) });
    assert_eq!(look(&[tested.clone()], &Wanted::default()).verdict, Verdict::Fail);
    tested.config.healthcheck = Some(HealthTest { test: Some(vec!["NONE".into()]) });
    assert_eq!(look(&[tested], &Wanted::default()).verdict, Verdict::Pass);
}

#[test]
fn p5_restarts_that_grow_are_a_loop_and_old_ones_are_not() {
    let wanted = Wanted::default();
    let again = |restarts| container("a", running(), "always", restarts);
    let first = judge(&[again(7)], &wanted, &Restarts::new(), now());
    assert_eq!(first.state.verdict, Verdict::Pass, "it has run for half an hour since");
    let same = judge(&[again(7)], &wanted, &first.restarts, now());
    assert_eq!(same.state.verdict, Verdict::Pass);
    let grown = judge(&[again(8)], &wanted, &same.restarts, now());
    assert!(matches!(grown.state.terminal, Some(Hopeless::Crashed(_))), "{:?}", grown.state);
    assert_eq!(grown.unwell, [("id-a".to_owned(), "a".to_owned())]);
    // One in its place has another id.
    let mut other = again(9);
    other.id = "id-b".into();
    assert_eq!(judge(&[other], &wanted, &same.restarts, now()).state.verdict, Verdict::Pass);
    // In the middle of a loop it runs, too.
    let young = running().replace("16:00:00.5", "16:29:55");
    let looping = one(&young, "always", 2);
    assert_eq!((looping.verdict, looping.terminal), (Verdict::Fail, None));
    assert_eq!(one(&young, "always", 1).verdict, Verdict::Pass);
}

#[test]
fn p8_all_replicas_and_all_services() {
    let wanted = |services: &[&str], replicas| Wanted {
        what: "containers of shop".into(),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
        replicas,
    };
    let healthy = |name: &str| container(name, &health("healthy"), "no", 0);
    let three = [healthy("web-1"), healthy("web-2"), healthy("web-3")];
    assert_eq!(look(&three, &wanted(&["web"], Some(3))).found, "3 of 3 well");
    assert_eq!(look(&three, &wanted(&[], Some(3))).verdict, Verdict::Pass);
    for count in [2, 4] {
        let found = look(&three, &wanted(&["web"], Some(count)));
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.found.contains(&format!("web has 3 of {count} containers")), "{found:?}");
    }
    let slow = [healthy("web-1"), healthy("web-2"), container("web-3", &health("starting"), "", 0)];
    let found = look(&slow, &wanted(&["web"], Some(3)));
    assert!(found.found.starts_with("2 of 3 well: container web-3 is starting"), "{found:?}");
    let absent = look(&three, &wanted(&["web", "db"], None));
    assert_eq!((absent.verdict, absent.found.as_str()), (Verdict::Fail, "db has no container"));
    let none = look(&[], &wanted(&[], None));
    assert_eq!((none.verdict, none.terminal), (Verdict::Fail, None));
    assert_eq!(none.found, "found no containers of shop");
    // What has completed is no replica.
    let gone = [healthy("web-1"), container("web-2", &ended(0), "no", 0)];
    assert!(look(&gone, &wanted(&["web"], Some(2))).terminal.is_some());
    assert_eq!(look(&gone, &wanted(&["web"], None)).verdict, Verdict::Pass);
}

#[test]
fn p8_podman_is_asked_to_run_its_health_checks() {
    let text = r#"[{"Id":"x","Name":"a","RestartCount":0,
        "State":{"OciVersion":"1.0.2-dev","Status":"running","ExitCode":0,"Healthcheck":{"Status":"starting"}},
        "Config":{"Labels":null,"Healthcheck":{"Test":["CMD-SHELL","exit 0"]}},
        "HostConfig":{"RestartPolicy":{"Name":"","MaximumRetryCount":0}}}]"#;
    let container = read(text.as_bytes()).unwrap().remove(0);
    assert!(container.wants_health_run());
    let told = |healthy| {
        let mut container = container.clone();
        container.health_told(healthy);
        look(&[container], &Wanted::default()).verdict
    };
    assert_eq!((told(true), told(false)), (Verdict::Pass, Verdict::Fail));
    let docker = read(text.replace("OciVersion", "Other").as_bytes()).unwrap().remove(0);
    assert!(!docker.wants_health_run());
}
