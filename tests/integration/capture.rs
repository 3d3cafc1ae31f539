//! What production is like, written down by `waveoff capture`.

use serde_json::Value;

use crate::deploy_world::{World, process_config};

fn captured(world: &World, arguments: &[&str]) -> (Value, String) {
    let ran = world.waveoff(&[&["capture", "--json"], arguments].concat()).run().expect_code(0);
    let report = ran.report();
    let file = report["outputs"]["state-file"].as_str().unwrap().to_owned();
    let state: Value = serde_json::from_str(report["outputs"]["state"].as_str().unwrap()).unwrap();
    let written = std::fs::read_to_string(world.folder.path().join(&file)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), state);
    (state, file)
}

#[test]
fn d1_the_state_of_a_service_is_written_down_with_its_history() {
    let capture = "capture:\n  services: { cache: [sh, -c, 'echo inactive; exit 3'] }\n  \
                   data: { orders: [echo, '42'] }\n";
    let world = World::with(&(process_config() + capture));
    for version in ["v1", "v2", "v3"] {
        world.deploy(version).run();
    }
    let (state, file) = captured(&world, &[]);
    assert!(file.contains("state/shop/production/captures/"), "{file}");
    let schema = include_str!("../../schemas/capture.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(schema.is_valid(&state), "{state}");
    assert_eq!(state["format"], 1);
    assert_eq!(state["versions"].to_string(), r#"{"shop":"v3"}"#);
    assert_eq!(state["services"].to_string(), r#"{"cache":"inactive","shop":"active"}"#);
    assert_eq!(state["data"].to_string(), r#"{"orders":"42"}"#);
    let history = state["history"].as_array().unwrap();
    let past = history.iter().map(|past| format!("{} {}", past["version"], past["outcome"]));
    let wanted = [r#""v3" "verified""#, r#""v2" "rolled-back""#, r#""v1" "verified""#];
    assert_eq!(past.collect::<Vec<_>>(), wanted);
    let checks = state["checks"].as_array().unwrap();
    assert!(!checks.is_empty() && checks.iter().all(|check| check["verdict"] == "pass"));
    assert_eq!(state["unknown"].to_string(), "[]");
}

#[test]
fn d1_a_service_that_was_never_deployed_has_a_state_too() {
    let world = World::new();
    let (state, file) = captured(&world, &["--output", "out/before.json"]);
    assert_eq!(file, "out/before.json");
    assert_eq!(state["versions"].to_string(), r#"{"shop":null}"#);
    assert_eq!(state["services"]["shop"], "inactive");
    assert_eq!(state["history"].to_string(), "[]");
    let unknown = state["unknown"].as_array().unwrap().iter();
    let unknown: Vec<_> = unknown.map(|one| one["what"].as_str().unwrap()).collect();
    // Nobody knows yet which version the checks should expect.
    assert_eq!((&state["checks"], unknown), (&Value::Null, vec!["versions.shop", "checks"]));
    assert!(!world.folder.path().join("state").exists(), "looking leaves nothing behind");
}
