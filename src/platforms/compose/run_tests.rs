use super::*;

fn container(version: &str, state: &str, exit: i64, health: &str) -> Container {
    let text = serde_json::json!({
        "id": "1", "name": "/shop-web-1",
        "state": { "Status": state, "ExitCode": exit, "Health": { "Status": health } },
        "labels": { "dev.waveoff.version": version, "dev.waveoff.compose-service": "web" }
    });
    serde_json::from_value(text).unwrap()
}

#[test]
fn what_runs_is_told_by_containers_that_run() {
    let of = |all: &[(&str, &str)]| {
        let all: Vec<_> = all.iter().map(|(v, state)| container(v, state, 0, "")).collect();
        running(&all)
    };
    assert_eq!(of(&[]), Running::Nothing);
    assert_eq!(of(&[("v1", "exited"), ("v1", "created")]), Running::Nothing);
    assert_eq!(of(&[("v1", "running"), ("v1", "running")]), Running::Version("v1".into()));
    assert_eq!(of(&[("v1", "exited"), ("v2", "running")]), Running::Version("v2".into()));
    assert_eq!(
        of(&[("v2", "running"), ("v1", "restarting")]),
        Running::Version("v1 and v2".into())
    );
    assert_eq!(of(&[("", "running")]), Running::Unknown);
}

#[test]
fn what_is_not_well_is_said_in_words() {
    let of = |state: &str, exit: i64, health: &str| unwell(&container("v1", state, exit, health));
    assert_eq!(of("running", 0, ""), None);
    assert_eq!(of("running", 0, "healthy"), None);
    assert_eq!(of("exited", 0, ""), None, "it has done what it was for");
    assert_eq!(of("running", 0, "unhealthy").as_deref(), Some("web: unhealthy"));
    assert_eq!(of("running", 0, "starting").as_deref(), Some("web: starting"));
    assert_eq!(of("exited", 137, "").as_deref(), Some("web: exit code 137"));
    assert_eq!(of("restarting", 1, "").as_deref(), Some("web: restarting"));
}
