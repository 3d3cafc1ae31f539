//! The published schema, from the types: what an editor sees is the file before `${NAME}` is
//! replaced, and YAML, where `[sleep, 1]` is a list of texts.

use serde_json::{Map, Value, json};

/// The schema of `waveoff.yml`.
fn schema() -> Value {
    let mut schema = schemars::schema_for!(super::Config).to_value();
    adapt(&mut schema);
    schema
}

fn adapt(schema: &mut Value) {
    let Value::Object(keys) = schema else { return };
    without_null(keys);
    for of in ["properties", "$defs"] {
        let all = keys.get_mut(of).and_then(Value::as_object_mut);
        all.into_iter().flat_map(Map::values_mut).for_each(adapt);
    }
    for of in ["items", "additionalProperties"] {
        keys.get_mut(of).into_iter().for_each(adapt);
    }
    // A reference may be any of several words, so not exactly one of them.
    let one_of = keys.remove("oneOf");
    if let Some(Value::Array(mut any)) = one_of.or_else(|| keys.remove("anyOf")) {
        if any.iter().all(|one| one["const"].is_string()) {
            any.push(reference());
        } else {
            any.iter_mut().for_each(adapt);
        }
        keys.insert("anyOf".into(), any.into());
    }
    scalar(keys);
}

/// A key that is there has a value.
fn without_null(keys: &mut Map<String, Value>) {
    let null = json!({ "type": "null" });
    if let Some(Value::Array(any)) = keys.get("anyOf")
        && let [one, other] = any.as_slice()
        && *other == null
    {
        let one = one.as_object().cloned().unwrap_or_default();
        keys.remove("anyOf");
        keys.extend(one);
    }
    if let Some(Value::Array(types)) = keys.get("type")
        && let [one, _] = types.as_slice()
    {
        let one = one.clone();
        keys.insert("type".into(), one);
    }
    if keys.get("default") == Some(&Value::Null) {
        keys.remove("default");
    }
}

/// Any text may be a number in YAML, and anything but a text may be a reference.
fn scalar(keys: &mut Map<String, Value>) {
    let pattern = keys.get("pattern").and_then(Value::as_str).unwrap_or_default().to_owned();
    let word = keys.get("const").and_then(Value::as_str).map(|_| "string");
    match keys.get("type").and_then(Value::as_str).or(word) {
        Some("string") if pattern.is_empty() && !keys.contains_key("const") => {
            keys.insert("type".into(), json!(["string", "number", "boolean"]));
            keys.remove("pattern");
        }
        Some("string") if pattern.contains("\\$\\{") => {}
        Some("string" | "integer" | "number" | "boolean") => {
            let about = keys.remove("description");
            let own = Value::Object(std::mem::take(keys));
            keys.insert("anyOf".into(), json!([own, reference()]));
            about.into_iter().for_each(|about| drop(keys.insert("description".into(), about)));
        }
        _ => {}
    }
}

fn reference() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    crate::report::contract::compare("schemas/waveoff.schema.json", &schema());
}

#[test]
fn the_schema_accepts_what_the_reader_accepts() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let set = |name: &str| {
        let all = [("N", "3"), ("B", "true"), ("S", "2xx"), ("W", "1s"), ("L", "folder")];
        all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let check = |lines: &str| format!("version: 1\nchecks:\n  - url: http://a.test\n{lines}");
    let mut good: Vec<String> = [
        "    passes: ${N}\n",
        "    redirects: ${B}\n",
        "    within: ${W}\n    timeout: 1.5s\n    interval: 1 minute 5s\n",
        "    max-body: ${N}\n",
        "    headers: { A: 1, B: true }\n",
        "    name: 5\n",
        "    expect: [{ status: \"${S}\" }, { status: [200, 3XX] }, { redirects: \"${N}\" }]\n",
        "    expect: [{ jsonpath: { path: $.a, lt: \"${N}\", exists: \"${B}\", count: \"${N}\" } }]\n",
        "    expect: [{ jsonpath: { path: $.a, equals: null, contains: null, in: [null] } }]\n",
        "    expect: [{ version: { body: true, equals: 1.10 } }]\n",
        "    severity: ${NOPE:-critical}\n",
        "    health: ${NOPE:-auto}\n",
        "    json: { a: null }\n",
    ]
    .map(check)
    .into();
    good.extend(
        [
            "version: 1\nledger: ${L}\nnotify: [\"${NOPE:-file}\"]\n",
            "version: 1\nplatform: { process: { start: [sleep, 1], port: \"${N}\" } }\n",
            "version: 1\nchecks:\n  - command: [sleep, 1]\n    expect:\n      - exit-code: ${N}\n",
        ]
        .map(Into::into),
    );
    for text in &good {
        assert!(super::parse("good.yml", text, set).is_ok(), "{text}");
        let document: Value = serde_saphyr::from_str(text).unwrap();
        let wrong: Vec<_> = schema.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{text}{wrong:?}");
    }
    for text in [
        check("    passes: many\n"),
        check("    severity: fatal\n"),
        check("    within: 5\n"),
        check("    expect:\n"),
        check("    expect: []\n"),
        check("    expect: [{ status: 200, redirects: 1 }]\n"),
        check("    headers: { A: }\n"),
        "version: 1\nchecks:\n".into(),
        "version: 2\n".into(),
    ] {
        assert!(super::parse("bad.yml", &text, set).is_err(), "{text}");
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        assert!(!schema.is_valid(&document), "{text}");
    }
}

#[test]
fn the_schema_accepts_every_example() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for text in [
        include_str!("../../examples/process/waveoff.yml"),
        include_str!("../../examples/command/waveoff.yml"),
        include_str!("../../examples/one-url/waveoff.yml"),
    ] {
        let document: Value = serde_saphyr::from_str(text).unwrap();
        let wrong: Vec<_> = schema.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{text}{wrong:?}");
    }
}
