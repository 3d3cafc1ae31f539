//! Texts with `{{name}}`: what an earlier check captured, filled in when a check runs.

use std::collections::BTreeMap;

use serde_json::Value;

/// A text with places for captured values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    text: String,
}

impl Template {
    /// Keeps the text as it is written.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.text
    }

    /// The names that it needs.
    pub fn names(&self) -> Vec<String> {
        names(&self.text)
    }

    /// The text with every name filled in.
    ///
    /// # Errors
    /// The first name that nothing has captured.
    pub fn render(&self, variables: &BTreeMap<String, String>) -> Result<String, String> {
        match self.names().into_iter().find(|name| !variables.contains_key(name)) {
            Some(missing) => Err(missing),
            None => Ok(render_lossy(&self.text, variables)),
        }
    }
}

/// The names in `{{ }}` in a text, in order, once each.
pub fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in parts(text) {
        if let Part::Name(name, _) = part
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// Fills in the names that are known and leaves the others as they are written. What is filled
/// in is not looked at again.
pub fn render_lossy(text: &str, variables: &BTreeMap<String, String>) -> String {
    parts(text)
        .map(|part| match part {
            Part::Text(text) => text,
            Part::Name(name, source) => variables.get(name).map_or(source, String::as_str),
        })
        .collect()
}

/// Fills in the names in every text of a JSON value; what is filled in stays within its text.
pub fn render_json(value: &Value, variables: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(render_lossy(text, variables)),
        Value::Array(list) => list.iter().map(|value| render_json(value, variables)).collect(),
        Value::Object(object) => {
            let render = |(key, value): (&String, &Value)| {
                (render_lossy(key, variables), render_json(value, variables))
            };
            object.iter().map(render).collect()
        }
        other => other.clone(),
    }
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str, &'a str),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match place(rest) {
            Some((0, end, name)) => {
                let part = Part::Name(name, &rest[..end]);
                rest = &rest[end..];
                Some(part)
            }
            place => {
                let (text, after) = rest.split_at(place.map_or(rest.len(), |(start, ..)| start));
                rest = after;
                Some(Part::Text(text))
            }
        }
    })
}

/// The first `{{name}}`: where it begins, where it ends, and the name.
fn place(text: &str) -> Option<(usize, usize, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| at + from) {
        let close = text[open..].find("}}").map(|at| at + open)?;
        let name = text[open + 2..close].trim();
        if is_name(name) {
            return Some((open, close + 2, name));
        }
        from = open + 1;
    }
    None
}

/// Whether this can be the name of a captured value: letters, digits, `_` and `-`.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variables() -> BTreeMap<String, String> {
        [("id", "7"), ("token", "{{id}}")].map(|(k, v)| (k.into(), v.into())).into()
    }

    #[test]
    fn p12_fills_in_and_never_twice() {
        let template = Template::new("/users/{{id}}?t={{ token }}&json={{{\"a\":1}}");
        assert_eq!(template.names(), ["id", "token"]);
        assert_eq!(template.render(&variables()).unwrap(), "/users/7?t={{id}}&json={{{\"a\":1}}");
        assert_eq!(Template::new("{{nope}}").render(&variables()).unwrap_err(), "nope");
    }

    proptest! {
        #[test]
        fn text_without_names_is_left_alone(text in "[a-z{} \\n]{0,40}") {
            if names(&text).is_empty() {
                prop_assert_eq!(render_lossy(&text, &variables()), text);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            render_lossy(&text, &variables());
        }
    }
}
