//! Deployments and their statuses.

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{REPOSITORY, State, now, page};

pub(super) fn route(state: &mut State, request: &Request, parts: &[&str]) -> Response {
    let id = parts.first().and_then(|id| id.parse::<u64>().ok());
    match (request.method.as_str(), id, parts.get(1)) {
        ("GET", None, None) => list(state, request),
        ("POST", None, None) => create(state, request),
        ("GET", Some(id), None) => match state.deployments.iter().find(|known| known["id"] == id) {
            Some(deployment) => Response::new(200, deployment.clone()),
            None => Response::error(404, "Not Found"),
        },
        ("GET", Some(id), Some(&"statuses")) => {
            let mut statuses = state.statuses.get(&id).cloned().unwrap_or_default();
            statuses.reverse();
            page(state, request, &format!("deployments/{id}/statuses"), statuses)
        }
        ("POST", Some(id), Some(&"statuses")) => add_status(state, id, request),
        _ => Response::error(404, "Not Found"),
    }
}

fn list(state: &State, request: &Request) -> Response {
    let fits = |deployment: &&Value| {
        ["task", "environment", "ref", "sha"].iter().all(|name| {
            request.query(name).is_none_or(|wanted| wanted == "none" || deployment[*name] == wanted)
        })
    };
    let mut found: Vec<Value> = state.deployments.iter().filter(fits).cloned().collect();
    found.reverse();
    page(state, request, "deployments", found)
}

fn create(state: &mut State, request: &Request) -> Response {
    if request.text("description").chars().count() > 140 {
        return Response::error(422, "Validation Failed");
    }
    let or = |name: &str, usual: &str| {
        let given = request.text(name);
        if given.is_empty() { usual.to_owned() } else { given.to_owned() }
    };
    // Without an empty list of its own, GitHub asks for green checks of the commit.
    if !request.body["required_contexts"].as_array().is_some_and(Vec::is_empty) {
        return Response::error(409, "Conflict: Commit status checks failed for main.");
    }
    let id = state.next();
    let deployment = json!({
        "id": id,
        "url": format!("{}/repos/{REPOSITORY}/deployments/{id}", state.url),
        "ref": request.text("ref"),
        "sha": request.text("ref"),
        "task": or("task", "deploy"),
        "environment": or("environment", "production"),
        "production_environment": or("environment", "production") == "production",
        "description": request.text("description"),
        "payload": request.body["payload"],
        "created_at": now(),
        "updated_at": now(),
    });
    state.deployments.push(deployment.clone());
    Response::new(201, deployment)
}

fn add_status(state: &mut State, id: u64, request: &Request) -> Response {
    let Some(deployment) = state.deployments.iter().find(|known| known["id"] == id).cloned() else {
        return Response::error(404, "Not Found");
    };
    if request.text("description").chars().count() > 140 {
        return Response::error(422, "Validation Failed");
    }
    let number = state.next();
    let status = json!({
        "id": number,
        "state": request.text("state"),
        "description": request.text("description"),
        "created_at": now(),
    });
    state.statuses.entry(id).or_default().push(status.clone());
    if request.text("state") == "success" && request.body["auto_inactive"] != json!(false) {
        retire_others(state, &deployment);
    }
    Response::new(201, status)
}

/// What GitHub does by itself: see `auto_inactive` in its documentation.
fn retire_others(state: &mut State, live: &Value) {
    let others: Vec<u64> = state
        .deployments
        .iter()
        .filter(|other| other["environment"] == live["environment"] && other["id"] != live["id"])
        .filter(|other| other["production_environment"] == json!(false))
        .filter_map(|other| other["id"].as_u64())
        .collect();
    for id in others {
        let number = state.next();
        let status = json!({
            "id": number, "state": "inactive", "description": "", "created_at": now(),
        });
        state.statuses.entry(id).or_default().push(status);
    }
}
