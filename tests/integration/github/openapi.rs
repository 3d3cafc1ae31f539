//! GitHub's published OpenAPI description, and what it says of a request.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::http::Request;

/// The description.
pub(crate) struct Description {
    whole: &'static Value,
}

impl Description {
    /// It has 13 MB: one process reads it once.
    pub(crate) fn load(file: &Path) -> Self {
        static WHOLE: OnceLock<Value> = OnceLock::new();
        let whole = WHOLE.get_or_init(|| {
            let text = std::fs::read_to_string(file).unwrap();
            serde_json::from_str(&text).unwrap()
        });
        Self { whole }
    }

    /// What is wrong with a request to a path below a repository.
    pub(crate) fn check(&self, request: &Request, rest: &str) -> Vec<String> {
        let at = format!("{} /{rest}", request.method);
        let Some(operation) = self.operation(&request.method, rest) else {
            return vec![format!("{at}: GitHub has no such operation")];
        };
        let mut wrong = self.queries(operation, request);
        wrong.extend(self.body(operation, request));
        wrong.into_iter().map(|what| format!("{at}: {what}")).collect()
    }

    fn operation(&self, method: &str, rest: &str) -> Option<&Value> {
        let parts: Vec<&str> = rest.split('/').collect();
        let paths = self.whole["paths"].as_object()?;
        let literal = |path: &str| path.matches('{').count();
        let found = paths.iter().filter(|(path, _)| {
            let Some(path) = path.strip_prefix("/repos/{owner}/{repo}/") else { return false };
            let known: Vec<&str> = path.split('/').collect();
            known.len() == parts.len()
                && known.iter().zip(&parts).all(|(k, p)| k.starts_with('{') || k == p)
        });
        let (_, path) = found.min_by_key(|(path, _)| literal(path))?;
        path.get(method.to_lowercase())
    }

    fn queries(&self, operation: &Value, request: &Request) -> Vec<String> {
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.followed(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .collect();
        let mut wrong = Vec::new();
        for (name, value) in &request.queries {
            match parameters.iter().find(|parameter| parameter["name"] == name.as_str()) {
                None => wrong.push(format!("the query {name} is not known")),
                Some(parameter) => {
                    let schema = &parameter["schema"];
                    let value = match schema["type"].as_str() {
                        Some("integer") => value.parse::<i64>().map_or(json!(value), |n| json!(n)),
                        Some("boolean") => value.parse::<bool>().map_or(json!(value), |b| json!(b)),
                        _ => json!(value),
                    };
                    wrong.extend(self.against(schema, &value, &format!("the query {name}")));
                }
            }
        }
        wrong
    }

    fn body(&self, operation: &Value, request: &Request) -> Vec<String> {
        let Some(described) = operation.get("requestBody") else {
            return if request.body.is_null() { vec![] } else { vec!["no body is wanted".into()] };
        };
        let schema =
            self.followed(&self.followed(described)["content"]["application/json"]["schema"]);
        let mut wrong = self.against(schema, &request.body, "the body");
        if request.header("content-type") != Some("application/json") {
            wrong.push("the body is not declared as JSON".into());
        }
        // The description allows properties that it does not know; a misspelt one would be lost.
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        for name in request.body.as_object().into_iter().flat_map(|body| body.keys()) {
            if !known.contains_key(name) {
                wrong.push(format!("the property {name} is not known"));
            }
        }
        wrong
    }

    fn against(&self, schema: &Value, value: &Value, what: &str) -> Vec<String> {
        let mut whole = json!({ "allOf": [schema] });
        if schema.to_string().contains("\"$ref\"") {
            whole["components"] = self.whole["components"].clone();
        }
        let validator = jsonschema::validator_for(&whole).unwrap();
        validator.iter_errors(value).map(|error| format!("{what}: {error}")).collect()
    }

    fn followed<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.whole.pointer(pointer)).unwrap_or(value)
    }
}
