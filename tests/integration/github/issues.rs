//! Issues and comments.

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{AUTHOR, REPOSITORY, State, now, page};

pub(super) fn route(state: &mut State, request: &Request, parts: &[&str]) -> Response {
    let number = parts.first().and_then(|number| number.parse::<u64>().ok());
    match (request.method.as_str(), number, parts.get(1)) {
        ("GET", None, None) => list(state, request),
        ("POST", None, None) => create(state, request),
        ("PATCH", Some(number), None) => update(state, number, request),
        ("GET", Some(number), Some(&"comments")) => {
            let comments = state.comments.get(&number).cloned().unwrap_or_default();
            page(state, request, &format!("issues/{number}/comments"), comments)
        }
        ("POST", Some(number), Some(&"comments")) => comment(state, number, request),
        _ => Response::error(404, "Not Found"),
    }
}

fn list(state: &State, request: &Request) -> Response {
    let wanted = request.query("state").unwrap_or("open");
    let since = request.query("since").unwrap_or_default();
    let mut found: Vec<Value> = state
        .issues
        .iter()
        .filter(|issue| wanted == "all" || issue["state"] == wanted)
        .filter(|issue| issue["updated_at"].as_str().is_some_and(|at| at >= since))
        .cloned()
        .collect();
    if request.query("direction") != Some("asc") {
        found.reverse();
    }
    page(state, request, "issues", found)
}

fn create(state: &mut State, request: &Request) -> Response {
    let (title, body) = (request.text("title"), request.text("body"));
    let labels: Vec<&str> =
        request.body["labels"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let too_long = title.chars().count() > 256
        || body.chars().count() > 65_536
        || labels.iter().any(|label| label.chars().count() > 50);
    if too_long || title.is_empty() {
        return Response::error(422, "Validation Failed");
    }
    let number = state.next();
    let issue = json!({
        "id": 1000 + number,
        "number": number,
        "title": title,
        "body": body,
        "state": "open",
        "state_reason": null,
        "html_url": format!("https://github.com/{REPOSITORY}/issues/{number}"),
        "user": { "login": AUTHOR },
        "labels": labels.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "created_at": now(),
        "updated_at": now(),
    });
    state.issues.push(issue.clone());
    Response::new(201, issue)
}

fn update(state: &mut State, number: u64, request: &Request) -> Response {
    let Some(issue) = state.issues.iter_mut().find(|issue| issue["number"] == number) else {
        return Response::error(404, "Not Found");
    };
    for key in ["state", "state_reason", "title", "body"] {
        if !request.body[key].is_null() {
            issue[key] = request.body[key].clone();
        }
    }
    issue["updated_at"] = json!(now());
    Response::new(200, issue.clone())
}

fn comment(state: &mut State, number: u64, request: &Request) -> Response {
    let id = state.next();
    let Some(issue) = state.issues.iter_mut().find(|issue| issue["number"] == number) else {
        return Response::error(404, "Not Found");
    };
    issue["updated_at"] = json!(now());
    let comment = json!({
        "id": id,
        "body": request.text("body"),
        "user": { "login": AUTHOR },
        "created_at": now(),
    });
    state.comments.entry(number).or_default().push(comment.clone());
    Response::new(201, comment)
}
