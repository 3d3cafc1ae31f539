//! Whether a JSON document is an OpenAPI description, 3.0 or 3.1, by its structure.
//!
//! Not the whole specification, but what breaks who reads it: what must be there, references that
//! lead nowhere, parameters that no path has, names that are taken twice. Each mistake is told with
//! its JSON pointer (RFC 6901). JSON Schemas in it are looked at for their references alone, and
//! references to other documents are not followed.

mod walk;

use serde_json::Value;

/// Mistakes that are told; the others are counted.
const TOLD: usize = 3;
/// References that lead to references.
const LONGEST: usize = 8;
/// Bytes of a reference; longer ones lead nowhere.
const LONGEST_REFERENCE: usize = 1024;
/// The methods of a path, as its keys.
pub const METHODS: [&str; 8] =
    ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The version of the specification that the document follows: `3.1.0`.
///
/// # Errors
/// The first mistakes, each with its place.
pub fn check(document: &Value) -> Result<String, String> {
    let version = version(document)?;
    let mut mistakes = walk::mistakes(document, version.starts_with("3.0."));
    let count = mistakes.len();
    if count == 0 {
        return Ok(version);
    }
    mistakes.truncate(TOLD);
    let more = if count > TOLD { format!("; and {} more", count - TOLD) } else { String::new() };
    Err(format!("{}{more}", mistakes.join("; ")))
}

/// The version of the specification that the document says it follows.
///
/// # Errors
/// When it says none, or one that is not known here.
pub fn version(document: &Value) -> Result<String, String> {
    let Value::Object(keys) = document else { return Err("the document is no object".into()) };
    match keys.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.0.") || version.starts_with("3.1.") => {
            Ok(version.into())
        }
        Some(version) => Err(format!("/openapi: {version:?} is neither 3.0 nor 3.1")),
        None if keys.contains_key("swagger") => {
            Err("the document is Swagger 2, from before OpenAPI 3".into())
        }
        None => Err("/openapi: the version is missing, like \"3.1.0\"".into()),
    }
}

/// What a reference leads to, through others; nothing when it leads nowhere, or out.
pub fn resolve<'a>(document: &'a Value, value: &'a Value) -> Option<&'a Value> {
    let mut value = value;
    for _ in 0..LONGEST {
        match value.get("$ref").and_then(Value::as_str) {
            None => return Some(value),
            Some(reference) => value = target(document, reference)?,
        }
    }
    None
}

/// The place in the document that `#/components/…` names.
fn target<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    // It is read again wherever it stands.
    if reference.len() > LONGEST_REFERENCE {
        return None;
    }
    document.pointer(&percent_decoded(reference.strip_prefix('#')?)?)
}

/// A pointer in a URL's fragment (RFC 6901, section 6).
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A key as a part of a pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The names in braces of a path; an error where braces do not fit.
pub fn templates(path: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let inner = rest[at..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        match inner {
            Some((name, behind)) if !name.is_empty() && !name.contains(['{', '/']) => {
                names.push(name);
                rest = behind;
            }
            _ => return Err("its braces do not fit".into()),
        }
    }
    Ok(names)
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
