use super::*;
use serde_json::json;

const TEMPLATE: &str = include_str!("waveoff.yml");

fn shop() -> Value {
    let ok = json!({ "200": { "description": "" } });
    let needs = |name: &str, place: &str, more: Value| {
        let mut one = json!({ "name": name, "in": place, "required": true, "schema": {} });
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([one])
    };
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Acme Shop!", "version": "1" },
        "servers": [{
            "url": "https://{region}.example.com/v1/",
            "variables": { "region": { "default": "eu" } }
        }],
        "security": [{ "token": [] }],
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "Bearer" },
                "basic": { "type": "http", "scheme": "basic" },
                "key": { "type": "apiKey", "in": "header", "name": "X-Key" },
                "query": { "type": "apiKey", "in": "query", "name": "key" }
            }
        },
        "paths": {
            "/me": { "get": { "responses": { "2XX": { "description": "" } } } },
            "/old": { "get": { "security": [{ "basic": [] }], "responses": { "301": { "description": "" } } } },
            "/keyed": { "get": { "security": [{ "query": [] }, { "key": [] }], "responses": ok } },
            "/asked": { "get": { "security": [{ "query": [] }], "responses": ok } },
            "/items/{id}": {
                "parameters": needs("id", "path", json!({ "example": "a b/${HOME}" })),
                "get": { "security": [], "responses": ok },
                "delete": { "responses": { "204": { "description": "" } } }
            },
            "/orders/{id}": {
                "get": { "parameters": needs("id", "path", json!({})), "responses": ok }
            },
            "/search": {
                "get": { "security": [{}], "parameters": needs("q", "query", json!({ "example": 7 })), "responses": ok }
            },
            "/traced": {
                "get": { "parameters": needs("trace", "header", json!({ "example": 7 })), "responses": ok }
            },
            "/events": {
                "get": { "responses": { "200": { "description": "", "content": { "text/event-stream": {} } } } }
            },
            "/errors": { "get": { "responses": { "500": { "description": "" } } } },
            "/login": { "post": { "responses": ok } },
            "/healthz": { "get": { "security": [], "responses": { "default": { "description": "" } } } }
        }
    })
}

#[test]
fn p6_what_can_be_asked_is_proposed_and_the_rest_is_told() {
    let description = Description::of(&shop(), "openapi.json", false);
    assert_eq!(description.mistakes, None);
    let proposal = description.propose(TEMPLATE);
    let wanted = r#"public: https://eu.example.com

# Proposed from openapi.json: what can be asked without
# knowing more. Say what makes the answers good ones: docs/checks.md has the words.
# ${API_PASSWORD} comes from the environment: of somebody who may only read.
# ${API_TOKEN} comes from the environment: of somebody who may only read.
# ${API_USER} comes from the environment: of somebody who may only read.
# Without it, `smoke-test --skip secured` runs the others.
checks:
  - path: /v1/healthz
    within: 2m # waited for before the others are asked
  - path: /v1/me
    auth: { bearer: "${API_TOKEN:-none}" }
    tags: [secured]
    expect: [{ status: 2xx }]
  - path: /v1/old
    auth: { basic: { user: "${API_USER:-none}", password: "${API_PASSWORD:-none}" } }
    tags: [secured]
    expect: [{ status: 301 }]
  - path: /v1/keyed
    headers: { X-Key: "${API_TOKEN:-none}" }
    tags: [secured]
    expect: [{ status: 200 }]
  - path: "/v1/items/a%20b%2F%24%7BHOME%7D"
    expect: [{ status: 200 }]
  - path: "/v1/search?q=7"
    expect: [{ status: 200 }]
  # GET /asked is left out: it wants credentials of a kind that has to be written by hand
  # DELETE /items/{id} is left out: it changes something
  # GET /orders/{id} is left out: it has no example of `id`
  # GET /traced is left out: it needs `trace`, without an example
  # GET /events is left out: it answers with a stream that may not end
  # GET /errors is left out: it documents no 2xx
  # POST /login is left out: it changes something

notify: [github-issue]
"#;
    let (before, behind) = proposal.text.split_at(proposal.text.find("public:").unwrap());
    assert_eq!(behind, wanted);
    assert!(before.contains("service: acme-shop\n") && before.contains("deploy: [./deploy.sh]"));
    let set = |_: &str| Some("secret".to_owned());
    crate::config::parse("waveoff.yml", &proposal.text, set).unwrap();
    assert_eq!(proposal.to_do.len(), 3);
}

#[test]
fn p6_a_hostile_description_stays_text() {
    let mut document = shop();
    document["info"]["title"] = "a\nnotify: [x]".into();
    document["servers"][0]["url"] = "https://a.test\nnotify: [x]".into();
    let get = json!({ "get": { "security": [], "responses": { "200": { "description": "" } } } });
    for path in ["/a\n  - path: /b", "/${HOME}", "/a: {b", "/a # b", "/{{x}}"] {
        document["paths"][path] = get.clone();
    }
    document["components"]["securitySchemes"]["token"] =
        json!({ "type": "apiKey", "in": "header", "name": "X: y }" });
    document["paths"]["/status"] =
        json!({ "get": { "security": [], "responses": { "200 }]\nx: y": {} } } });
    let description = Description::of(&document, "a\nb.json", false);
    assert!(description.mistakes.is_some());
    let text = description.propose(TEMPLATE).text;
    let loaded = crate::config::parse("waveoff.yml", &text, |_| Some("s".into())).unwrap();
    let plain = |path: &str| !path.contains(['\n', '{', ' ', '$']);
    let checks = loaded.config.checks.unwrap().0;
    assert!(checks.iter().all(|check| check.value.path.as_deref().is_some_and(plain)), "{text}");
    assert!(checks.iter().any(|check| check.value.path.as_deref() == Some("/status")), "{text}");
    assert!(text.contains("public: https://shop.example.com # where"), "{text}");
}

#[test]
fn p6_a_description_without_anything_to_ask_is_a_beginning_even_so() {
    let document =
        json!({ "openapi": "3.0.0", "info": { "title": "", "version": "" }, "paths": {} });
    let proposal = Description::of(&document, "a.json", false).propose(TEMPLATE);
    crate::config::parse("waveoff.yml", &proposal.text, |_| None).unwrap();
    assert!(proposal.to_do[0].contains("`public`"), "{:?}", proposal.to_do);
}

#[test]
fn p6_the_checks_stand_behind_those_of_a_compose_file() {
    let description = Description::of(&shop(), "openapi.json", false);
    let proposal = |checks: &str| Proposal {
        text: format!("version: 1\npublic: http://localhost\nchecks:\n{checks}\nnotify: [file]\n"),
        to_do: vec!["one".into()],
    };
    let added = description.add_to(proposal("  - path: /v1/healthz # a guess\n    within: 2m\n"));
    let loaded = crate::config::parse("waveoff.yml", &added.text, |_| Some("s".into())).unwrap();
    assert_eq!(loaded.config.checks.unwrap().0.len(), 6);
    assert_eq!((added.to_do.len(), added.text.matches("/v1/healthz").count()), (4, 1));
    let containers = proposal("  - container: { project: shop }\n");
    assert_eq!(description.add_to(proposal("  - container: { project: shop }\n")), containers);
}
