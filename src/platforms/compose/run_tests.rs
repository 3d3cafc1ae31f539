use super::*;
use crate::config::compose::ComposeSpec;
use crate::deploy::{Scope, State};
use crate::platforms::Place;
use crate::platforms::compose::model::Kinds;

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

#[test]
fn p5_containers_that_were_started_are_looked_for_though_none_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (scope, state) = (Scope::new("nowhere-else", "here").unwrap(), State::at(folder.path()));
    let spec = ComposeSpec { engine: Some(ContainerEngine::Docker), ..ComposeSpec::default() };
    let compose = Compose::new(spec, &Place::default(), &scope, &state).unwrap();
    assert!(compose.containers_check().is_none(), "nothing was ever started");
    let kinds = Kinds { restart: vec!["web".into()], ..Kinds::default() };
    let snapshot = Snapshot {
        version: "v1".into(),
        key: "0123456789ab".into(),
        digests: Vec::new(),
        project: "shop".into(),
        kinds,
        images: BTreeMap::new(),
        port: None,
        model: serde_json::json!({}),
    };
    compose.snapshots.keep(&snapshot, &[]).unwrap();
    compose.snapshots.started(&snapshot).unwrap();
    let check = compose.containers_check().unwrap().container.unwrap();
    assert_eq!(
        (check.project.as_deref(), &check.services[..]),
        (Some("shop"), &["web".into()][..])
    );
}
