//! Checks for what an OpenAPI description says that can be read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::words::{plain, scalar};
use crate::decide::openapi::{METHODS, resolve, templates};

/// Last parts of paths that tell whether something is well.
const HEALTH: [&str; 12] = [
    "health",
    "healthz",
    "healthcheck",
    "ready",
    "readyz",
    "readiness",
    "live",
    "livez",
    "liveness",
    "alive",
    "ping",
    "up",
];
/// Methods that change nothing, and are not asked with GET.
const QUIET: [&str; 3] = ["head", "options", "trace"];
/// The longest path of a check; its name has no more.
const LONGEST: usize = 200;

/// A check of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposed {
    /// What is asked.
    pub(super) path: String,
    /// The check as it is written, with its lines' ends.
    pub(super) text: String,
}

/// What is proposed for a description.
#[derive(Debug, Default)]
pub(super) struct Suite {
    /// The checks; those of health first.
    pub(super) checks: Vec<Proposed>,
    /// What is not asked, and why: a line each.
    pub(super) left_out: Vec<String>,
    /// The variables that the checks need.
    pub(super) variables: BTreeSet<&'static str>,
}

/// The checks for a description whose paths stand below `prefix`.
pub(super) fn suite(document: &Value, prefix: &str) -> Suite {
    let mut suite = Suite::default();
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    for (path, item) in paths.filter(|(path, _)| path.starts_with('/')) {
        let Some(item) = resolve(document, item) else { continue };
        for method in METHODS.into_iter().filter(|method| !QUIET.contains(method)) {
            let Some(operation) = item.get(method) else { continue };
            let asked = Asked { document, item, operation };
            let checked = match method {
                "get" => asked.check(prefix, path, &mut suite.variables),
                _ => Err("changes something".into()),
            };
            match checked {
                Ok(check) if suite.checks.iter().any(|known| known.path == check.path) => {}
                Ok(check) => suite.checks.push(check),
                Err(why) => {
                    let method = method.to_ascii_uppercase();
                    suite.left_out.push(plain(&format!("{method} {path} is left out: it {why}")));
                }
            }
        }
    }
    suite.checks.sort_by_key(|check| !is_health(&check.path));
    suite
}

fn is_health(path: &str) -> bool {
    let last = path.split('?').next().and_then(|path| path.rsplit('/').next());
    last.is_some_and(|last| HEALTH.contains(&last.to_ascii_lowercase().as_str()))
}

/// One operation with what it stands in.
struct Asked<'a> {
    document: &'a Value,
    item: &'a Value,
    operation: &'a Value,
}

impl<'a> Asked<'a> {
    /// The check, or why there is none.
    fn check(
        &self,
        prefix: &str,
        path: &str,
        variables: &mut BTreeSet<&'static str>,
    ) -> Result<Proposed, String> {
        let path = format!("{prefix}{}", self.filled(path)?);
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"\\{}#<>^`|".contains(c);
        if path.len() > LONGEST || !path.chars().all(is_plain) {
            return Err("has an address that is no plain one".into());
        }
        let expect = self.expectation()?;
        let credentials = self.credentials(variables)?;
        let mut text = format!("  - path: {}\n", scalar(&path));
        if is_health(&path) {
            text.push_str("    within: 2m # waited for before the others are asked\n");
        }
        text.push_str(&credentials);
        text.push_str(&expect);
        Ok(Proposed { path, text })
    }

    /// The parameters; the operation's own take the place of those of the path.
    fn parameters(&self) -> Vec<&'a Value> {
        let of = |value: &'a Value| value.get("parameters").and_then(Value::as_array);
        let all = of(self.operation).into_iter().chain(of(self.item)).flatten();
        let mut known: Vec<&Value> = Vec::new();
        for parameter in all.filter_map(|one| resolve(self.document, one)) {
            let is_same = |other: &&Value| {
                other.get("name") == parameter.get("name") && other.get("in") == parameter.get("in")
            };
            if !known.iter().any(is_same) {
                known.push(parameter);
            }
        }
        known
    }

    /// The path with its braces filled, and with the query that must be there.
    fn filled(&self, path: &str) -> Result<String, String> {
        let parameters = self.parameters();
        let mut filled = path.to_owned();
        for name in templates(path)? {
            let own = parameters.iter().find(|one| one["in"] == "path" && one["name"] == name);
            let example = own.and_then(|one| self.example(one));
            let example = example.ok_or_else(|| format!("has no example of `{name}`"))?;
            filled = filled.replace(&format!("{{{name}}}"), &example);
        }
        let mut sign = '?';
        for one in parameters.iter().filter(|one| one["required"] == true && one["in"] != "path") {
            let name = one["name"].as_str().unwrap_or_default();
            let example = self.example(one).filter(|_| one["in"] == "query");
            let example = example.ok_or_else(|| format!("needs `{name}`, without an example"))?;
            // Writing into a text does not fail.
            write!(filled, "{sign}{}={example}", encoded(name)).unwrap_or_default();
            sign = '&';
        }
        Ok(filled)
    }

    /// A documented value of a parameter, as it stands in an address.
    fn example(&self, parameter: &'a Value) -> Option<String> {
        let schema = parameter.get("schema").and_then(|schema| resolve(self.document, schema));
        let named = parameter.get("examples").and_then(Value::as_object);
        let named =
            named.and_then(|all| resolve(self.document, all.values().next()?)?.get("value"));
        let of_schema = |key| schema.and_then(|schema| schema.get(key));
        let all = [parameter.get("example"), named, of_schema("example")];
        let all = all
            .into_iter()
            .chain([of_schema("examples").and_then(|all| all.get(0)), of_schema("default")]);
        let text = all.flatten().next().and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        })?;
        (!text.is_empty()).then(|| encoded(&text))
    }

    /// The first good status that is documented.
    fn expectation(&self) -> Result<String, String> {
        let responses = self.operation.get("responses").and_then(Value::as_object);
        let Some(responses) = responses.filter(|all| !all.is_empty()) else {
            return Ok(String::new());
        };
        let of = |class: char| responses.iter().find(|(status, _)| status.starts_with(class));
        let Some((status, response)) = of('2').or_else(|| of('3')) else {
            let is_open = responses.contains_key("default");
            return if is_open { Ok(String::new()) } else { Err("documents no 2xx".into()) };
        };
        let content = resolve(self.document, response).and_then(|r| r.get("content")?.as_object());
        if content.is_some_and(|all| all.contains_key("text/event-stream")) {
            return Err("answers with a stream that may not end".into());
        }
        let status = status.to_ascii_lowercase();
        let is_set = status.parse::<crate::decide::status_set::StatusSet>().is_ok();
        if !is_set {
            Ok(String::new())
        } else {
            Ok(format!("    expect: [{{ status: {status} }}]\n"))
        }
    }

    /// How it is asked by somebody who may.
    fn credentials(&self, variables: &mut BTreeSet<&'static str>) -> Result<String, String> {
        let security = self.operation.get("security").or_else(|| self.document.get("security"));
        let ways: Vec<_> = security
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .collect();
        if ways.iter().any(|way| way.is_empty()) || ways.is_empty() {
            return Ok(String::new());
        }
        let one = |way: &&serde_json::Map<String, Value>| match way.keys().collect::<Vec<_>>()[..] {
            [name] => self.credential(name),
            _ => None,
        };
        let (text, names) = ways
            .iter()
            .find_map(one)
            .ok_or("wants credentials of a kind that has to be written by hand")?;
        variables.extend(names);
        Ok(text + "    tags: [secured]\n")
    }

    /// The line for a security scheme, and the variables in it.
    fn credential(&self, name: &str) -> Option<(String, Vec<&'static str>)> {
        let scheme = self.document.get("components")?.get("securitySchemes")?.get(name)?;
        let scheme = resolve(self.document, scheme)?;
        let word = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        let token = vec!["API_TOKEN"];
        let bearer = "    auth: { bearer: \"${API_TOKEN:-none}\" }\n";
        match (word("type"), word("scheme").to_ascii_lowercase().as_str(), word("in")) {
            ("http", "bearer", _) | ("oauth2" | "openIdConnect", ..) => {
                Some((bearer.into(), token))
            }
            ("http", "basic", _) => Some((
                "    auth: { basic: { user: \"${API_USER:-none}\", password: \"${API_PASSWORD:-none}\" } }\n"
                    .into(),
                vec!["API_USER", "API_PASSWORD"],
            )),
            ("apiKey", _, "header") if is_token(word("name")) => {
                let name = scalar(word("name"));
                Some((format!("    headers: {{ {name}: \"${{API_TOKEN:-none}}\" }}\n"), token))
            }
            ("apiKey", _, "cookie") if is_token(word("name")) && !word("name").contains('$') => {
                let name = word("name");
                Some((format!("    headers: {{ Cookie: \"{name}=${{API_TOKEN:-none}}\" }}\n"), token))
            }
            _ => None,
        }
    }
}

/// Whether it is a token of HTTP (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(inner)
}

/// A text as a part of an address: what is not unreserved (RFC 3986, section 2.3) in percents.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into())
            }
            // Writing into a text does not fail.
            other => write!(out, "%{other:02X}").unwrap_or_default(),
        }
    }
    out
}
