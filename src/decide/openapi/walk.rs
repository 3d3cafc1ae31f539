//! The walk through an OpenAPI description that finds its mistakes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::decide::words::shorten;

use super::{METHODS, escaped, resolve, target, templates};

/// Where a parameter stands.
const PLACES: [&str; 4] = ["query", "header", "path", "cookie"];
/// Keys with values that are anybody's own.
const FREE: [&str; 5] = ["example", "examples", "default", "enum", "const"];
/// Mistakes that are kept.
const MOST: usize = 50;
/// Characters of a place that are shown.
const SHOWN: usize = 200;

/// All mistakes of a document, each with its place; `is_old` says that it follows 3.0.
pub(super) fn mistakes(document: &Value, is_old: bool) -> Vec<String> {
    let mut walk = Walk {
        document,
        is_old,
        mistakes: Vec::new(),
        operations: BTreeSet::new(),
        paths: BTreeSet::new(),
    };
    walk.whole();
    walk.mistakes
}

/// The walk through a document.
struct Walk<'a> {
    document: &'a Value,
    /// Whether it is 3.0, where more must be there.
    is_old: bool,
    mistakes: Vec<String>,
    operations: BTreeSet<&'a str>,
    paths: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn wrong(&mut self, place: &str, what: impl AsRef<str>) {
        if self.mistakes.len() < MOST {
            let place = if place.is_empty() { "the document" } else { place };
            let (place, what) = (shorten(place, SHOWN), shorten(what.as_ref(), SHOWN));
            self.mistakes.push(format!("{place}: {what}"));
        }
    }

    fn whole(&mut self) {
        let document = self.document;
        match document.get("info") {
            None => self.wrong("", "`info` is missing"),
            Some(info) => {
                self.text(info, "/info", "title");
                self.text(info, "/info", "version");
            }
        }
        let servers = document.get("servers").and_then(Value::as_array);
        for (index, server) in servers.into_iter().flatten().enumerate() {
            self.text(server, &format!("/servers/{index}"), "url");
        }
        let has = |key| document.get(key).is_some();
        if self.is_old && !has("paths") {
            self.wrong("", "`paths` is missing");
        } else if !has("paths") && !has("components") && !has("webhooks") {
            self.wrong("", "one of `paths`, `components` and `webhooks` is needed");
        }
        for (path, item) in self.keys(document, "", "paths") {
            self.path(path, item);
        }
        for (name, item) in self.keys(document, "", "webhooks") {
            self.item(item, &format!("/webhooks/{}", escaped(name)), None);
        }
        if let Some(security) = document.get("security") {
            self.security(security, "/security");
        }
        self.components();
        self.references(document, &mut String::new());
    }

    /// An object's entries; a mistake when it is there and no object.
    fn keys(&mut self, of: &'a Value, place: &str, key: &str) -> Vec<(&'a String, &'a Value)> {
        match of.get(key) {
            Some(Value::Object(keys)) => {
                keys.iter().filter(|(k, _)| !k.starts_with("x-")).collect()
            }
            Some(_) => {
                self.wrong(&format!("{place}/{key}"), "is no object");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// A text that must be there and say something.
    fn text(&mut self, of: &'a Value, place: &str, key: &str) -> Option<&'a str> {
        match of.get(key) {
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.wrong(&format!("{place}/{key}"), "is no text");
                None
            }
            None => {
                self.wrong(place, format!("`{key}` is missing"));
                None
            }
        }
    }

    /// What a reference leads to; one that leads nowhere is told when all references are looked at.
    fn resolved(&self, value: &'a Value) -> Option<&'a Value> {
        resolve(self.document, value)
    }

    fn path(&mut self, path: &'a str, item: &'a Value) {
        let place = format!("/paths/{}", escaped(path));
        if !path.starts_with('/') {
            self.wrong(&place, "a path begins with /");
        }
        let names = match templates(path) {
            Ok(names) => names,
            Err(why) => return self.wrong(&place, why),
        };
        let unique: BTreeSet<_> = names.iter().collect();
        if unique.len() < names.len() {
            self.wrong(&place, "a name stands in it twice");
        }
        // Two templates that differ in names alone are the same path.
        let mut bare = String::with_capacity(path.len());
        let mut rest = path;
        while let Some((before, behind)) = rest.split_once('{') {
            bare.push_str(before);
            bare.push_str("{}");
            rest = behind.split_once('}').map_or("", |(_, behind)| behind);
        }
        bare.push_str(rest);
        if !self.paths.insert(bare) {
            self.wrong(&place, "is the same path as one before it, but for names in braces");
        }
        self.item(item, &place, Some(&names));
    }

    /// A path's operations; `names` are those in its braces, where it is one.
    fn item(&mut self, item: &'a Value, place: &str, names: Option<&[&str]>) {
        let Some(item) = self.resolved(item) else { return };
        let Value::Object(keys) = item else { return self.wrong(place, "is no object") };
        let common = self.parameters(item, place);
        for (method, operation) in keys.iter().filter(|(key, _)| METHODS.contains(&key.as_str())) {
            let place = format!("{place}/{method}");
            let Value::Object(_) = operation else {
                self.wrong(&place, "is no object");
                continue;
            };
            let mut own = self.parameters(operation, &place);
            own.extend(common.iter().copied());
            if let Some(names) = names {
                self.braces(&own, names, &place);
            }
            self.operation(operation, &place);
        }
    }

    /// The parameters of the path are the names in its braces.
    fn braces(&mut self, parameters: &BTreeSet<(&str, &str)>, names: &[&str], place: &str) {
        for name in names.iter().filter(|name| !parameters.contains(&("path", **name))) {
            self.wrong(place, format!("{{{name}}} of the path has no parameter"));
        }
        for (_, name) in
            parameters.iter().filter(|(at, name)| *at == "path" && !names.contains(name))
        {
            self.wrong(place, format!("the parameter `{name}` is not in the path's braces"));
        }
    }

    fn operation(&mut self, operation: &'a Value, place: &str) {
        if let Some(id) = operation.get("operationId") {
            match id.as_str() {
                None => self.wrong(&format!("{place}/operationId"), "is no text"),
                Some(id) if !self.operations.insert(id) => {
                    self.wrong(&format!("{place}/operationId"), format!("{id:?} is taken"));
                }
                Some(_) => {}
            }
        }
        if self.is_old && operation.get("responses").is_none() {
            self.wrong(place, "`responses` is missing");
        }
        let responses = self.keys(operation, place, "responses");
        if responses.is_empty() && operation.get("responses").is_some_and(Value::is_object) {
            self.wrong(&format!("{place}/responses"), "there is no response");
        }
        for (status, response) in responses {
            let place = format!("{place}/responses/{}", escaped(status));
            if !is_status(status) {
                self.wrong(&place, "is neither a status, a class like 2XX, nor `default`");
            }
            self.response(response, &place);
        }
        if let Some(body) = operation.get("requestBody").and_then(|body| self.resolved(body))
            && body.get("content").and_then(Value::as_object).is_none()
        {
            self.wrong(&format!("{place}/requestBody"), "`content` is missing");
        }
        if let Some(security) = operation.get("security") {
            self.security(security, &format!("{place}/security"));
        }
    }

    fn response(&mut self, response: &'a Value, place: &str) {
        match self.resolved(response) {
            Some(Value::Object(_)) if response.get("$ref").is_some() => {}
            Some(response @ Value::Object(_)) => drop(self.text(response, place, "description")),
            Some(_) => self.wrong(place, "is no object"),
            None => {}
        }
    }

    /// The parameters, as place and name.
    fn parameters(&mut self, of: &'a Value, place: &str) -> BTreeSet<(&'a str, &'a str)> {
        let mut known = BTreeSet::new();
        let all = match of.get("parameters") {
            None => return known,
            Some(Value::Array(all)) => all,
            Some(_) => {
                self.wrong(&format!("{place}/parameters"), "is no list");
                return known;
            }
        };
        for (index, parameter) in all.iter().enumerate() {
            let place = format!("{place}/parameters/{index}");
            let Some(parameter) = self.resolved(parameter) else { continue };
            if let Some(key) = self.parameter(parameter, &place)
                && !known.insert(key)
            {
                self.wrong(&place, format!("`{}` in {} is there twice", key.1, key.0));
            }
        }
        known
    }

    fn parameter(&mut self, parameter: &'a Value, place: &str) -> Option<(&'a str, &'a str)> {
        if !parameter.is_object() {
            self.wrong(place, "is no object");
            return None;
        }
        let (name, at) = (self.text(parameter, place, "name"), self.text(parameter, place, "in"));
        let (name, at) = (name?, at?);
        if !PLACES.contains(&at) {
            self.wrong(&format!("{place}/in"), format!("{at:?} is none of {}", PLACES.join(", ")));
        }
        if at == "path" && parameter.get("required") != Some(&Value::Bool(true)) {
            self.wrong(place, format!("`{name}` is in the path, so `required: true` is needed"));
        }
        if parameter.get("schema").is_some() == parameter.get("content").is_some() {
            self.wrong(place, format!("`{name}` needs one of `schema` and `content`"));
        }
        Some((at, name))
    }

    /// Names of schemes that must be there.
    fn security(&mut self, security: &'a Value, place: &str) {
        let Value::Array(all) = security else { return self.wrong(place, "is no list") };
        let schemes = self.document.pointer("/components/securitySchemes");
        for (index, one) in all.iter().enumerate() {
            let place = format!("{place}/{index}");
            let Value::Object(keys) = one else {
                self.wrong(&place, "is no object");
                continue;
            };
            for name in keys.keys().filter(|name| schemes.and_then(|all| all.get(name)).is_none()) {
                self.wrong(&place, format!("there is no security scheme `{name}`"));
            }
        }
    }

    fn components(&mut self) {
        let document = self.document;
        for (of, all) in self.keys(document, "", "components") {
            let place = format!("/components/{of}");
            let Value::Object(all) = all else {
                self.wrong(&place, "is no object");
                continue;
            };
            for (name, one) in all {
                let place = format!("{place}/{}", escaped(name));
                let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if name.is_empty() || !name.chars().all(known) {
                    self.wrong(&place, "a name has letters, digits, `.`, `_` and `-` only");
                }
                self.component(of, one, &place);
            }
        }
    }

    fn component(&mut self, of: &str, one: &'a Value, place: &str) {
        if one.get("$ref").is_some() {
            return;
        }
        match of {
            "responses" => self.response(one, place),
            "parameters" => drop(self.parameter(one, place)),
            "securitySchemes" => match self.text(one, place, "type") {
                Some("apiKey" | "http" | "mutualTLS" | "oauth2" | "openIdConnect") | None => {}
                Some(other) => {
                    self.wrong(&format!("{place}/type"), format!("{other:?} is no kind of scheme"));
                }
            },
            _ => {}
        }
    }

    /// All references within the document lead somewhere. The parser bounds how deep it is.
    fn references(&mut self, value: &'a Value, place: &mut String) {
        let mut below = |walk: &mut Self, key: &str, inner| {
            let length = place.len();
            place.push('/');
            place.push_str(&escaped(key));
            walk.references(inner, place);
            place.truncate(length);
        };
        match value {
            Value::Array(all) => {
                for (index, one) in all.iter().enumerate() {
                    below(self, &index.to_string(), one);
                }
            }
            Value::Object(keys) => {
                // What has an identity of its own has its own root, too.
                if keys.get("$id").is_some_and(Value::is_string) {
                    return;
                }
                for (key, inner) in keys {
                    if !FREE.contains(&key.as_str()) && !key.starts_with("x-") {
                        below(self, key, inner);
                    }
                }
                if let Some(reference) = keys.get("$ref").and_then(Value::as_str)
                    && is_pointer(reference)
                    && target(self.document, reference).is_none()
                {
                    self.wrong(place, format!("the reference {reference:?} leads nowhere"));
                }
            }
            _ => {}
        }
    }
}

/// Whether a reference names a place in this document, and not another one or an anchor.
fn is_pointer(reference: &str) -> bool {
    reference == "#" || reference.starts_with("#/")
}

/// Whether a key of responses is one.
fn is_status(key: &str) -> bool {
    let mut rest = key.chars();
    let class = rest.next().is_some_and(|first| ('1'..='5').contains(&first));
    let rest = rest.as_str();
    let digits = rest.len() == 2 && rest.chars().all(|c| c.is_ascii_digit());
    key == "default" || (class && (digits || rest == "XX"))
}
