use super::*;
use proptest::prelude::*;
use serde_json::json;

fn shop() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Shop", "version": "1.4.0" },
        "servers": [{ "url": "https://shop.example.com" }],
        "security": [{ "token": [] }, {}],
        "paths": {
            "/health": { "get": { "responses": { "200": { "description": "well" } } } },
            "/items/{id}/{part}": {
                "parameters": [{ "$ref": "#/components/parameters/id" }],
                "get": {
                    "operationId": "item",
                    "parameters": [{
                        "name": "part", "in": "path", "required": true, "schema": { "type": "string" }
                    }],
                    "responses": {
                        "200": {
                            "description": "it",
                            "content": { "application/json": {
                                "schema": { "$ref": "#/components/schemas/Item~1all" },
                                "example": { "$ref": "#/nothing/of/ours" }
                            } }
                        },
                        "4XX": { "$ref": "#/components/responses/error" },
                        "default": { "description": "else" }
                    }
                },
                "delete": {
                    "operationId": "remove",
                    "parameters": [{
                        "name": "part", "in": "path", "required": true, "content": { "text/plain": {} }
                    }],
                    "security": [],
                    "requestBody": { "content": { "application/json": {} } },
                    "responses": { "204": { "description": "gone" } }
                }
            },
            "x-more": "of ours"
        },
        "components": {
            "parameters": {
                "id": { "name": "id", "in": "path", "required": true, "schema": {} }
            },
            "responses": { "error": { "description": "wrong" } },
            "schemas": {
                "Item/all": false,
                "Item": { "properties": {
                    "$ref": { "type": "string" },
                    "next": { "$ref": "#/components/schemas/Item" },
                    "more": { "$ref": "other.json#/Item" }
                } }
            },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } }
        }
    })
}

/// A good document: its one doubtful name is what a pointer with an escape needs.
fn good() -> Value {
    let mut shop = shop();
    let schemas = shop["components"]["schemas"].as_object_mut().unwrap();
    let all = schemas.remove("Item/all").unwrap();
    schemas.insert("Item.all".into(), all);
    shop["paths"]["/items/{id}/{part}"]["get"]["responses"]["200"]["content"]["application/json"]
        ["schema"]["$ref"] = "#/components/schemas/Item%2Eall".into();
    shop
}

#[test]
fn p6_good_descriptions_are_good() {
    assert_eq!(check(&good()), Ok("3.0.3".into()));
    let mut newer = good();
    newer["openapi"] = "3.1.0".into();
    newer["paths"]["/health"]["get"] = json!({});
    newer["components"]["schemas"]["Own"] =
        json!({ "$id": "https://a.test/own", "$defs": {}, "items": { "$ref": "#/$defs/nowhere" } });
    newer["components"]["schemas"]["Anchored"] = json!({ "$ref": "#anchor" });
    assert_eq!(check(&newer), Ok("3.1.0".into()));
    let hooks = json!({
        "openapi": "3.1.1",
        "info": { "title": "Hooks", "version": "1" },
        "webhooks": { "sold": { "post": { "responses": { "2XX": { "description": "" } } } } }
    });
    assert_eq!(check(&hooks), Ok("3.1.1".into()));
    let empty = json!({ "openapi": "3.0.0", "info": { "title": "", "version": "" }, "paths": {} });
    assert_eq!(check(&empty), Ok("3.0.0".into()));
}

/// One change of the good document: what stands at the pointer then, or nothing (`null`).
const GET: &str = "/paths/~1items~1{id}~1{part}/get";

fn changed(pointer: &str, value: Value) -> Value {
    let mut document = good();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = document.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(keys), Value::Null) => drop(keys.shift_remove(&key).unwrap()),
        (Value::Object(keys), value) => drop(keys.insert(key, value)),
        (Value::Array(all), value) => all[key.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer}"),
    }
    document
}

#[test]
fn p6_every_mistake_is_told_with_its_place() {
    let get = |rest: &str| format!("{GET}{rest}");
    let ok = json!({ "responses": { "200": { "description": "" } } });
    for (pointer, value, wanted) in [
        ("/openapi".into(), json!("2.0"), "/openapi: \"2.0\" is neither"),
        ("/openapi".into(), json!("3.10.0"), "neither"),
        ("/openapi".into(), json!(3.1), "/openapi: the version is missing"),
        ("/info".into(), Value::Null, "the document: `info` is missing"),
        ("/info/title".into(), Value::Null, "/info: `title` is missing"),
        ("/info/version".into(), json!(1), "/info/version: is no text"),
        ("/paths".into(), Value::Null, "`paths` is missing"),
        ("/paths".into(), json!([]), "/paths: is no object"),
        ("/servers/0".into(), json!({}), "/servers/0: `url` is missing"),
        ("/security".into(), json!({}), "/security: is no list"),
        (
            "/security/0".into(),
            json!({ "key": [] }),
            "/security/0: there is no security scheme `key`",
        ),
        ("/paths/health".into(), ok.clone(), "/paths/health: a path begins with /"),
        ("/paths/~1a{b".into(), json!({}), "/paths/~1a{b: its braces"),
        ("/paths/~1a{}".into(), json!({}), "its braces"),
        ("/paths/~1a{b}{b}".into(), json!({}), "twice"),
        ("/paths/~1items~1{a}~1{b}".into(), json!({}), "is the same path"),
        ("/paths/~1health".into(), json!(true), "/paths/~1health: is no object"),
        ("/paths/~1health/get".into(), json!([]), "/paths/~1health/get: is no object"),
        ("/paths/~1health/get".into(), json!({}), "`responses` is missing"),
        ("/paths/~1health/get/responses".into(), json!({}), "there is no response"),
        ("/paths/~1health/get/responses".into(), json!([]), "responses: is no object"),
        ("/paths/~1health/get/responses/200".into(), json!({}), "responses/200: `description` is"),
        ("/paths/~1health/get/responses/20".into(), json!({ "description": "" }), "20: is neither"),
        ("/paths/~1health/get/responses/2xx".into(), json!({ "description": "" }), "neither"),
        ("/paths/~1health/get/operationId".into(), json!("item"), "operationId: \"item\" is taken"),
        (get("/parameters"), Value::Null, "{part} of the path has no parameter"),
        (get("/parameters"), json!({}), "is no list"),
        (get("/parameters/0/name"), json!("other"), "`other` is not in the path's braces"),
        (get("/parameters/0/name"), Value::Null, "/parameters/0: `name` is missing"),
        (get("/parameters/0/in"), Value::Null, "`in` is missing"),
        (get("/parameters/0/in"), json!("body"), "\"body\" is none of query"),
        (get("/parameters/0/required"), Value::Null, "`required: true` is needed"),
        (get("/parameters/0/schema"), Value::Null, "one of `schema` and `content`"),
        (get("/parameters/0/content"), json!({}), "one of `schema` and `content`"),
        (get("/parameters/0"), json!({ "$ref": "#/components/parameters/none" }), "leads nowhere"),
        (
            get("/responses/4XX/$ref"),
            json!("#/components/responses/e"),
            "4XX: the reference \"#/comp",
        ),
        (get("/requestBody"), json!({}), "requestBody: `content` is missing"),
        (get("/security"), json!([{ "key": [] }]), "get/security/0: there is no security scheme"),
        ("/components/schemas".into(), json!([]), "/components/schemas: is no object"),
        ("/components/schemas/a b".into(), json!({}), "/components/schemas/a b: a name has"),
        ("/components/responses/error".into(), json!({}), "`description` is missing"),
        ("/components/parameters/id/in".into(), json!("path "), "is none of"),
        ("/components/securitySchemes/token/type".into(), json!("bearer"), "is no kind of scheme"),
        (
            "/components/schemas/Item/items".into(),
            json!({ "$ref": "#/a/%ZZ" }),
            "/components/schemas/Item/items: the ref",
        ),
    ] {
        let why =
            check(&changed(&pointer, value.clone())).expect_err(&format!("{pointer} {value}"));
        assert!(why.contains(wanted), "{pointer} {value}: {why}");
    }
    assert!(check(&shop()).unwrap_err().contains("/components/schemas/Item~1all: a name has"));
    assert!(check(&json!({ "swagger": "2.0" })).unwrap_err().contains("Swagger 2"));
    assert!(check(&json!("openapi")).unwrap_err().contains("no object"));
}

#[test]
fn p6_few_mistakes_are_told_and_the_others_counted() {
    let mut document = good();
    for path in ["a", "b", "c", "d", "e"] {
        document["paths"][path] = json!({});
    }
    let why = check(&document).unwrap_err();
    assert_eq!(why.matches("begins with /").count(), 3, "{why}");
    assert!(why.ends_with("; and 2 more"), "{why}");
}

#[test]
fn p6_references_in_a_circle_end() {
    let mut document = good();
    document["components"]["responses"]["error"] =
        json!({ "$ref": "#/components/responses/error" });
    document["paths"]["/health"] = json!({ "$ref": "#/paths/~1health" });
    assert!(resolve(&document, &document["paths"]["/health"]).is_none());
    let _ = check(&document);
}

/// A document of any form whose keys are those of descriptions.
fn any_document() -> impl Strategy<Value = Value> {
    let key = || {
        prop::sample::select(vec![
            "paths",
            "/a/{b}",
            "get",
            "parameters",
            "responses",
            "200",
            "$ref",
            "components",
            "schemas",
            "security",
            "securitySchemes",
            "info",
            "in",
            "name",
            "webhooks",
            "servers",
        ])
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "path|#/paths|#|#/%|\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6).prop_map(|all| {
                Value::Object(all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn p6_no_document_makes_it_panic(document in any_document(), old in any::<bool>()) {
        let mut document = document;
        if let Value::Object(keys) = &mut document {
            keys.insert("openapi".into(), if old { "3.0.0" } else { "3.1.0" }.into());
        }
        let _ = check(&document);
    }
}
