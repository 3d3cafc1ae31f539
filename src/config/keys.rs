//! The keys of a file with their places: for messages that name the key, and to find the keys
//! that have no value.

use granit_parser::{Event, Parser, ScalarStyle};

/// A value with its key and its place.
struct Node {
    /// Its key as a person would point to it: `checks[0].expect[1].status`.
    path: String,
    /// Line and column, from 1.
    at: (u64, u64),
    /// Whether nothing stands there.
    is_empty: bool,
}

/// A map or a list that is being read.
enum Open {
    Map { path: String, key: Option<String> },
    List { path: String, next: usize },
}

/// Keys below which any JSON may stand, `null` too.
const ANYTHING: [&str; 4] = ["json", "equals", "in", "contains"];

/// Deeper than anything that is read.
const DEEPEST: usize = 100;

/// The key whose value stands at a place.
pub(super) fn path_at(text: &str, at: (u64, u64)) -> Option<String> {
    find(text, &|node| node.at == at).map(|node| node.path)
}

/// The first key, or element of a list, that has no value: its path and its place.
pub(super) fn without_value(text: &str) -> Option<(String, (u64, u64))> {
    let free = |path: &str| {
        let mut keys = path.split(['.', '[']);
        keys.any(|key| ANYTHING.contains(&key))
    };
    let empty = find(text, &|node| node.is_empty && !free(&node.path));
    empty.map(|node| (node.path, node.at))
}

/// The first such value.
fn find(text: &str, is_it: &dyn Fn(&Node) -> bool) -> Option<Node> {
    let mut open = Vec::<Open>::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let at = (span.start.line() as u64, span.start.col() as u64 + 1);
        let node = match event {
            Event::Scalar(value, style, ..) => {
                if let Some(Open::Map { key: key @ None, .. }) = open.last_mut() {
                    *key = Some(value.into_owned());
                    continue;
                }
                let nothing = matches!(&*value, "" | "~" | "null" | "Null" | "NULL");
                let is_empty = nothing && style == ScalarStyle::Plain;
                Node { path: take(&mut open), at, is_empty }
            }
            Event::Alias(_) => {
                take(&mut open);
                continue;
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                let path = take(&mut open);
                open.push(match event {
                    Event::MappingStart(..) => Open::Map { path: path.clone(), key: None },
                    _ => Open::List { path: path.clone(), next: 0 },
                });
                if open.len() > DEEPEST {
                    return None;
                }
                Node { path, at, is_empty: false }
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                continue;
            }
            _ => continue,
        };
        if is_it(&node) {
            return Some(node);
        }
    }
    None
}

/// The path of the value that begins here.
fn take(open: &mut [Open]) -> String {
    match open.last_mut() {
        None => String::new(),
        Some(Open::Map { path, key }) => match key.take() {
            Some(key) if path.is_empty() => key,
            Some(key) => format!("{path}.{key}"),
            // A key that is no text; the reader says so.
            None => {
                *key = Some("?".into());
                path.clone()
            }
        },
        Some(Open::List { path, next }) => {
            *next += 1;
            format!("{path}[{}]", *next - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_key() {
        let text = "a: 1\nb:\n  - c: {d: x}\n    e: [1, 2]\n  - f\n";
        for (at, path) in
            [((1, 4), "a"), ((3, 12), "b[0].c.d"), ((4, 12), "b[0].e[1]"), ((5, 5), "b[1]")]
        {
            assert_eq!(path_at(text, at).as_deref(), Some(path), "{at:?}");
        }
        assert_eq!(path_at(text, (9, 9)), None);
    }

    #[test]
    fn what_is_deeper_than_anything_costs_nothing() {
        let text = "[".repeat(100_000);
        assert_eq!(path_at(&text, (1, 60_000)), None);
        assert_eq!(without_value(&text), None);
    }

    #[test]
    fn a_key_without_a_value_is_found() {
        for (text, path) in [
            ("a: 1\nb:\n", "b"),
            ("a: [1, ~]\n", "a[1]"),
            ("a: {b: null}\n", "a.b"),
            ("? [x]\n: 1\na:\n", "a"),
        ] {
            assert_eq!(without_value(text).map(|(path, _)| path).as_deref(), Some(path), "{text}");
        }
        for text in
            ["a: ''\n", "json: {a: }\n", "a: [{equals: ~}, {in: [~]}]\n", "a: &x 1\nb: *x\n"]
        {
            assert_eq!(without_value(text), None, "{text}");
        }
    }
}
