//! JSON paths (RFC 9535), with the functions `match` and `search`.
//!
//! The library brings both functions with the whole of `regex`, which would be a third of
//! `wait-healthy`; here they use the part of it that the rest of the program has anyway.

use std::cell::RefCell;
use std::fmt;

use regex::Regex;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize as _, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::Value;
use serde_json_path::functions::{LogicalType, ValueType};

/// A path, with the text that it was read from: what the library shows of one may mean another.
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    path: serde_json_path::JsonPath,
}

impl JsonPath {
    /// What it selects in a document.
    pub fn query(&self, document: &Value) -> Vec<Value> {
        self.path.query(document).all().into_iter().cloned().collect()
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads a path.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<JsonPath, String> {
    let wrong = |why: &str| format!("`{text}` is not a JSON path (RFC 9535): {why}");
    // The library panics where an escape is cut off.
    if ["\\u", "\\uD", "\\ud"].iter().any(|cut| text.ends_with(cut)) {
        return Err(wrong("it ends within an escape"));
    }
    within_limits(text).map_err(|why| wrong(&why))?;
    serde_json_path::JsonPath::parse(text)
        .map(|path| JsonPath { text: text.into(), path })
        .map_err(|error| wrong(&error.to_string()))
}

/// Brackets and parentheses in each other: each filter in a filter doubles the time to read them,
/// and thousands exhaust the stack.
const DEEPEST: usize = 10;
/// Each `..` multiplies what is found by the depth of the document.
const DESCENTS: usize = 3;
/// Each list of selectors multiplies what is found by its length.
const COMMAS: usize = 12;

/// Nobody means more, and some of it takes longer than anybody waits.
fn within_limits(text: &str) -> Result<(), String> {
    let (mut depth, mut descents, mut commas) = (0_usize, 0, 0);
    let (mut quote, mut before) = (None, ' ');
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, ',') => commas += 1,
            (None, '.') if before == '.' => descents += 1,
            _ => {}
        }
        before = c;
        if depth > DEEPEST || descents > DESCENTS || commas > COMMAS {
            return Err(format!(
                "it has more than {DEEPEST} brackets in each other, {DESCENTS} `..` or {COMMAS} commas"
            ));
        }
    }
    Ok(())
}

/// `match(text, pattern)`: the whole text matches the I-Regexp (RFC 9485).
#[serde_json_path::function(name = "match")]
fn whole(text: ValueType, pattern: ValueType) -> LogicalType {
    holds(&text, &pattern, |pattern| format!("(?R)^({pattern})$"))
}

/// `search(text, pattern)`: a part of the text matches the I-Regexp (RFC 9485).
#[serde_json_path::function(name = "search")]
fn part(text: ValueType, pattern: ValueType) -> LogicalType {
    holds(&text, &pattern, |pattern| format!("(?R)({pattern})"))
}

fn holds(
    text: &ValueType<'_>,
    pattern: &ValueType<'_>,
    frame: impl Fn(&str) -> String,
) -> LogicalType {
    match (text.as_value(), pattern.as_value()) {
        (Some(Value::String(text)), Some(Value::String(pattern))) => {
            matches(frame(pattern), text).into()
        }
        _ => LogicalType::False,
    }
}

thread_local! {
    /// The patterns that were used last: a filter asks each element with the same ones.
    static KNOWN: RefCell<Vec<(String, Option<Regex>)>> = const { RefCell::new(Vec::new()) };
}

/// Patterns that are kept.
const KEPT: usize = 8;

fn matches(pattern: String, text: &str) -> bool {
    KNOWN.with_borrow_mut(|known| {
        let at = known.iter().position(|(one, _)| *one == pattern).unwrap_or_else(|| {
            known.truncate(KEPT - 1);
            let regex = Regex::new(&pattern).ok();
            known.insert(0, (pattern, regex));
            0
        });
        known[at].1.as_ref().is_some_and(|regex| regex.is_match(text))
    })
}

/// A document, read. A byte order mark before it means nothing (RFC 8259, section 8.1).
///
/// # Errors
/// Why the document is not JSON.
pub fn read(document: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(without_mark(document))
}

fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document)
}

/// What a path selects in a document. The way to the place that a path begins with is followed
/// while reading, and a list at its end is looked at one element after the other: a document in
/// memory takes up to 40 times its length.
///
/// # Errors
/// Why the document is not JSON.
pub fn select(path: &JsonPath, document: &[u8]) -> serde_json::Result<Vec<Value>> {
    let (steps, rest) = steps(&path.text);
    let each = parse(&format!("${rest}")).ok().filter(|_| is_for_each(rest));
    if !rest.is_empty() && each.is_none() {
        return Ok(path.query(&read(document)?));
    }
    let text = std::str::from_utf8(without_mark(document)).map_err(serde_json::Error::custom)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = Place { steps: &steps, each: each.as_ref() }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// One step from a value into a part of it.
#[derive(Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

/// The steps to one place that a path begins with, and the rest of the path.
fn steps(path: &str) -> (Vec<Step>, &str) {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    while let Some((step, left)) = step(rest) {
        steps.push(step);
        rest = left;
    }
    (steps, rest)
}

/// A name without escapes or an index from the beginning.
fn step(path: &str) -> Option<(Step, &str)> {
    if let Some(name) = path.strip_prefix('.') {
        let end = |c: char| matches!(c, '.' | '[') || c.is_whitespace();
        let (name, left) = name.split_at(name.find(end).unwrap_or(name.len()));
        return Some((Step::Name(plain(name)?), left));
    }
    let path = path.strip_prefix('[')?;
    match path.chars().next().filter(|quote| matches!(quote, '\'' | '"')) {
        Some(quote) => {
            let (name, left) = path[1..].split_once(quote)?;
            Some((Step::Name(plain(name)?), left.strip_prefix(']')?))
        }
        None => {
            let (index, left) = path.split_once(']')?;
            Some((Step::Index(index.parse().ok()?), left))
        }
    }
}

/// Whether the path asks every element by itself: `[*]` or one filter, and nothing of the root.
fn is_for_each(path: &str) -> bool {
    if path.contains('$') {
        return false;
    }
    if path.starts_with("[*]") || path.starts_with(".*") {
        return true;
    }
    let Some(filter) = path.strip_prefix("[?") else { return false };
    let (mut depth, mut quote) = (0, None);
    for c in filter.chars() {
        match (quote, c) {
            // With escapes the end of a text is not as plain.
            (_, '\\') => return false,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']') if depth == 0 => return true,
            (None, ']' | ')') => depth -= 1,
            (None, ',') if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

fn plain(name: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | ' ');
    (!name.is_empty() && name.chars().all(plain)).then(|| name.into())
}

/// Reads the value at the end of the steps, or what a path selects in that value.
#[derive(Clone, Copy)]
struct Place<'a> {
    steps: &'a [Step],
    each: Option<&'a JsonPath>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        if self.steps.is_empty() && self.each.is_none() {
            Value::deserialize(reader).map(|value| vec![value])
        } else {
            reader.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
        words.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        if let (Some(each), []) = (self.each, self.steps) {
            let whole = Value::deserialize(MapAccessDeserializer::new(map))?;
            return Ok(each.query(&whole));
        }
        let mut found = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match self.steps {
                // Of two with the same name the last one counts, as everywhere in `serde_json`.
                [Step::Name(name), steps @ ..] if *name == key => {
                    found = map.next_value_seed(Place { steps, ..self })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        match (self.steps, self.each) {
            ([], Some(each)) => {
                while let Some(element) = list.next_element::<Value>()? {
                    let alone = Value::Array(vec![element]);
                    found.extend(each.query(&alone));
                }
            }
            ([Step::Index(index), steps @ ..], _) => {
                for _ in 0..*index {
                    if list.next_element::<IgnoredAny>()?.is_none() {
                        return Ok(found);
                    }
                }
                found = list.next_element_seed(Place { steps, ..self })?.unwrap_or_default();
            }
            _ => {}
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
#[path = "jsonpath_tests.rs"]
mod tests;
