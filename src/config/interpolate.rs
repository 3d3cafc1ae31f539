//! `${NAME}` and `${NAME:-default}` in scalars, and nowhere else.
//!
//! A value from the environment must not be able to change the structure of the file. So every
//! reference is first replaced by a character that means nothing to YAML; the parser then tells
//! in which scalar, and in which style of quoting, each one stands; and the value is written into
//! that scalar in that style. References in comments are not looked up at all.

use std::collections::BTreeSet;

use granit_parser::{Event, Parser, ScalarStyle};

/// The text with its references replaced, and the values that came from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpolated {
    /// YAML without references.
    pub text: String,
    /// Names and values of the variables that were used.
    pub used: BTreeSet<(String, String)>,
}

/// A mistake with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// The characters that stand for references: Unicode's private use area, 6,400 of them.
const FIRST: u32 = 0xE000;
const LAST: u32 = 0xF8FF;

struct Reference {
    name: String,
    default: Option<String>,
    source: String,
    line: usize,
}

/// Replaces every reference; `look_up` answers for the environment.
pub(super) fn interpolate(
    source: &str,
    look_up: impl Fn(&str) -> Option<String>,
) -> Result<Interpolated, Mistake> {
    let (marked, references) = mark(source)?;
    if references.is_empty() {
        return Ok(Interpolated { text: marked, used: BTreeSet::new() });
    }
    let styles = styles(&marked);
    let mut used = BTreeSet::new();
    let mut text = String::with_capacity(source.len());
    for (at, c) in marked.chars().enumerate() {
        let Some(reference) = reference(&references, c) else {
            text.push(c);
            continue;
        };
        let next = styles.partition_point(|(_, to, _)| *to <= at);
        let Some(style) = styles.get(next).filter(|(from, ..)| *from <= at) else {
            // Not in a scalar: a comment, or a file that is not YAML and says so later.
            text.push_str(&reference.source);
            continue;
        };
        let value = match (look_up(&reference.name), &reference.default) {
            (Some(value), _) if !value.is_empty() || reference.default.is_none() => {
                used.insert((reference.name.clone(), value.clone()));
                value
            }
            (_, Some(default)) => default.clone(),
            (_, None) => return Err(unset(reference)),
        };
        write(&mut text, &value, style.2, reference)?;
    }
    Ok(Interpolated { text, used })
}

/// The text with a character for each reference, and the names of the variables.
pub(super) fn names(source: &str) -> Result<(String, BTreeSet<String>), Mistake> {
    let (marked, references) = mark(source)?;
    Ok((marked, references.into_iter().map(|reference| reference.name).collect()))
}

fn reference(references: &[Reference], c: char) -> Option<&Reference> {
    u32::from(c).checked_sub(FIRST).and_then(|index| references.get(index as usize))
}

fn unset(reference: &Reference) -> Mistake {
    let name = &reference.name;
    Mistake {
        line: reference.line,
        message: format!("the variable {name} is not set"),
        hint: format!("set {name}, or give it a default: ${{{name}:-value}}"),
    }
}

/// Replaces references by single characters, and `$$` by `$`.
fn mark(source: &str) -> Result<(String, Vec<Reference>), Mistake> {
    let mut marked = String::with_capacity(source.len());
    let mut references = Vec::new();
    for (index, line) in source.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find('$') {
            marked.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("$$") {
                marked.push('$');
                rest = after;
            } else if rest.starts_with("${") && !comment(line, line.len() - rest.len()) {
                let (reference, after) = read(rest, index + 1)?;
                let mark = char::from_u32(FIRST + references.len() as u32)
                    .filter(|mark| u32::from(*mark) <= LAST)
                    .ok_or_else(|| too_many(index + 1))?;
                marked.push(mark);
                references.push(reference);
                rest = after;
            } else {
                marked.push('$');
                rest = &rest[1..];
            }
        }
        marked.push_str(rest);
    }
    if !references.is_empty() && source.chars().any(|c| (FIRST..=LAST).contains(&u32::from(c))) {
        return Err(Mistake {
            line: 1,
            message: "the file has characters of Unicode's private use area".into(),
            hint: "remove them, or the references to variables".into(),
        });
    }
    Ok((marked, references))
}

fn too_many(line: usize) -> Mistake {
    Mistake {
        line,
        message: "the file has more than 6,400 references to variables".into(),
        hint: "use fewer".into(),
    }
}

/// A line that is nothing but a comment may hold anything that looks like a reference.
fn comment(line: &str, at: usize) -> bool {
    line[..at].trim_start().starts_with('#')
}

/// Reads one `${…}`.
fn read(text: &str, line: usize) -> Result<(Reference, &str), Mistake> {
    let wrong = |what: &str| Mistake {
        line,
        message: format!("`{what}` is no reference to a variable"),
        hint: "write ${NAME} or ${NAME:-default}; for a plain ${ write $${".into(),
    };
    let first_line = text.lines().next().unwrap_or(text);
    let end = first_line.find('}').ok_or_else(|| wrong(first_line))?;
    let source = &text[..=end];
    let inner = &text[2..end];
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inner, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(wrong(source));
    }
    let reference = Reference { name: name.into(), default, source: source.into(), line };
    Ok((reference, &text[end + 1..]))
}

/// Where each scalar stands, in characters, and how it is quoted; in the order of the text.
fn styles(marked: &str) -> Vec<(usize, usize, ScalarStyle)> {
    Parser::new_from_str(marked)
        .map_while(Result::ok)
        .filter_map(|(event, span)| match event {
            Event::Scalar(_, style, ..) => Some((span.start.index(), span.end.index(), style)),
            _ => None,
        })
        .collect()
}

/// Writes a value so that the parser reads exactly this value there.
fn write(
    text: &mut String,
    value: &str,
    style: ScalarStyle,
    reference: &Reference,
) -> Result<(), Mistake> {
    match style {
        ScalarStyle::DoubleQuoted => {
            let quoted = serde_json::Value::from(value).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        }
        ScalarStyle::SingleQuoted if !value.contains('\n') => {
            text.push_str(&value.replace('\'', "''"));
        }
        ScalarStyle::Plain if is_plain(value) => text.push_str(value),
        ScalarStyle::Literal | ScalarStyle::Folded if !value.contains('\n') => text.push_str(value),
        _ => {
            return Err(Mistake {
                line: reference.line,
                message: format!(
                    "the value of {} has characters that would change the meaning of the file",
                    reference.name
                ),
                hint: format!("put the text in double quotes: \"{}\"", reference.source),
            });
        }
    }
    Ok(())
}

/// Whether a value means itself without quotes, in a list or map too.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@+%~=".contains(c);
    let inner = |c: char| plain(c) || c == ':';
    let starts = value.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_./+~".contains(c));
    value.is_empty()
        || (starts
            && value.chars().all(inner)
            && !value.ends_with(':')
            && !matches!(value, "-" | "~"))
}

#[cfg(test)]
#[path = "interpolate_tests.rs"]
mod tests;
