//! What a query finds in an observation.

use serde_json::Value;

use super::expect::SHOWN;
use super::health::HealthDocument;
use super::observation::HttpResponse;
use super::predicate::{Predicate, Scope};
use super::words::shorten;

/// What a query finds.
pub(super) enum Seen {
    /// A value, and how it is shown.
    Value(Value, String),
    /// The same, of which it matters how much it is of what is meant.
    Scoped(Value, String, Scope),
    /// Nothing there, in words.
    Missing(String),
    /// Nothing that could be read, and why.
    Unreadable(String),
    /// A health document, and its status.
    Health(HealthDocument, Option<u16>),
}

/// The body as a health document.
pub(super) fn read_health(response: &HttpResponse) -> Result<Seen, String> {
    match response.json() {
        Ok(document) => Ok(Seen::Health(HealthDocument::read(&document), Some(response.status))),
        // A load balancer's error page is an answer: the service is not healthy.
        Err(why) => Ok(Seen::Unreadable(format!("status {}, {why}", response.status))),
    }
}

/// The body as text. What is behind the end of what was read, or cannot be read, may say anything.
pub(super) fn read_text(response: &HttpResponse) -> Seen {
    match response.text() {
        Ok((text, is_whole)) => {
            let shown = quote(&text);
            let scope = if is_whole { Scope::Whole } else { Scope::Part };
            Seen::Scoped(text.into(), shown, scope)
        }
        Err(why) => Seen::Unreadable(why),
    }
}

/// A text in quotes; of a long one only what will be shown.
pub(super) fn quote(text: &str) -> String {
    format!("{:?}", shorten(text, SHOWN))
}

/// What was found where it tells neither a "yes" nor a "no", and why it does not.
pub(super) fn untold(predicate: &Predicate, value: &Value, shown: &str, scope: Scope) -> String {
    let count = value.as_array().map_or(1, Vec::len);
    match scope {
        _ if predicate.looks_for_nothing() => {
            format!("{shown}, in which an empty text is looked for: every text has that")
        }
        Scope::Several => format!(
            "{count} values, of which none is meant alone (ask for `count` with a filter in the \
             path, or `contains`): {shown}"
        ),
        Scope::Part => format!("{shown}, of which a part could not be read"),
        Scope::Whole => format!("{shown}, of which that cannot be told"),
    }
}

/// One selected node is that value; several are a list; none is a value that is not there.
pub(super) fn select(
    predicate: &Predicate,
    nodes: Result<Vec<Value>, String>,
) -> Result<Seen, String> {
    let mut nodes = match nodes {
        Ok(nodes) => nodes,
        Err(why) => return Ok(Seen::Unreadable(why)),
    };
    let value = match nodes.len() {
        0 if matches!(predicate, Predicate::Count(_)) => Value::Array(Vec::new()),
        0 => return Ok(Seen::Missing("selects nothing".into())),
        1 => nodes.remove(0),
        _ => {
            let value = Value::Array(nodes);
            let shown = value.to_string();
            return Ok(Seen::Scoped(value, shown, Scope::Several));
        }
    };
    let shown = value.to_string();
    Ok(Seen::Value(value, shown))
}
