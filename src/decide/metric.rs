//! Which samples of a Prometheus page are meant: `http_requests_total{status=~"5..", path!="/"}`.

use std::fmt;

use regex::Regex;

use super::exposition::{self, Sample, is_name, quoted};

/// A metric's name and what its labels are, as a selector of Prometheus says it.
#[derive(Debug, Clone)]
pub struct Selector {
    source: String,
    name: String,
    matchers: Vec<Matcher>,
}

/// What one label is.
#[derive(Debug, Clone)]
struct Matcher {
    label: String,
    is_negated: bool,
    wanted: Wanted,
}

#[derive(Debug, Clone)]
enum Wanted {
    Text(String),
    Regex(Regex),
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("`{text}` {why}; write a metric like http_requests_total{{status=\"200\"}}")
        };
        let (name, rest) = exposition::name(text.trim()).map_err(|why| wrong(&why))?;
        let matchers = match rest.trim() {
            "" => Vec::new(),
            rest => matchers(rest).map_err(|why| wrong(&why))?,
        };
        Ok(Self { source: text.trim().into(), name: name.into(), matchers })
    }

    /// Whether a sample is meant. A label that is not there is an empty one.
    pub(super) fn selects(&self, sample: &Sample<'_>) -> bool {
        let value = |label: &str| sample.labels.iter().find(|(name, _)| *name == label);
        sample.name == self.name
            && self.matchers.iter().all(|matcher| {
                let value = value(&matcher.label).map_or("", |(_, value)| value);
                let is_so = match &matcher.wanted {
                    Wanted::Text(text) => text == value,
                    Wanted::Regex(regex) => regex.is_match(value),
                };
                is_so != matcher.is_negated
            })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// `{label="value", label=~"pattern"}`.
fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let mut all = Vec::new();
    let mut rest = text.strip_prefix('{').ok_or("has something behind the metric's name")?;
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('}') {
            return if behind.is_empty() { Ok(all) } else { Err("has something behind }".into()) };
        }
        let (matcher, behind) = matcher(rest)?;
        all.push(matcher);
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.starts_with('}') => {}
            None => return Err("has no comma or } behind a label".into()),
        }
    }
}

/// One matcher, and the text behind it. A pattern must match the whole value.
fn matcher(text: &str) -> Result<(Matcher, &str), String> {
    let at = text.find(['=', '!']).ok_or("has a label without a value")?;
    let (label, rest) = (text[..at].trim_end(), &text[at..]);
    if !is_name(label, false) {
        return Err(format!("has {label:?} where a label's name belongs"));
    }
    let operators =
        [("=~", false, true), ("!~", true, true), ("!=", true, false), ("=", false, false)];
    let known = operators.iter().find(|(operator, ..)| rest.starts_with(operator));
    let (operator, is_negated, is_pattern) =
        known.ok_or("has none of =, !=, =~, !~ behind a label")?;
    let value = rest[operator.len()..].trim_start();
    let quote = if value.starts_with('\'') { '\'' } else { '"' };
    let (value, behind) = quoted(value, quote)?;
    let wanted = match is_pattern {
        false => Wanted::Text(value),
        true => Regex::new(&format!("^(?s:{value})$")).map(Wanted::Regex).map_err(|error| {
            format!("has `{value}`, which is not a regular expression: {error}")
        })?,
    };
    Ok((Matcher { label: label.into(), is_negated: *is_negated, wanted }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(selector: &str) -> usize {
        let page = "a{s=\"200\",m=\"get\"} 1\na{s=\"503\"} 2\na 3\nb{s=\"200\"} 4\n";
        let selector = Selector::parse(selector).unwrap();
        let mut count = 0;
        exposition::read(page, false, &mut |sample| {
            count += usize::from(selector.selects(&sample))
        })
        .unwrap();
        count
    }

    #[test]
    fn p6_a_selector_chooses_by_name_and_labels() {
        for (selector, wanted) in [
            ("a", 3),
            (" a {} ", 3),
            ("c", 0),
            ("a{s=\"200\"}", 1),
            ("a{s='200', m=\"get\",}", 1),
            ("a{s!=\"200\"}", 2),
            ("a{s=\"\"}", 1),
            ("a{s=~\"[25]..\"}", 2),
            // The whole value, and not a part of it.
            ("a{s=~\"20\"}", 0),
            ("a{s=~\"20|503\"}", 1),
            ("a{s!~\"5..\"}", 2),
            ("a{s!~\"5..\", s!=\"\"}", 1),
        ] {
            assert_eq!(count(selector), wanted, "{selector}");
        }
    }

    #[test]
    fn p6_what_is_no_selector_is_refused() {
        for (selector, part) in [
            ("", "no metric's name"),
            ("1a", "no metric's name"),
            ("{s=\"1\"}", "no metric's name"),
            ("a b", "behind the metric's name"),
            ("a > 1", "behind the metric's name"),
            ("a{s}", "without a value"),
            ("a{s=1}", "not in quotes"),
            ("a{s==\"1\"}", "not in quotes"),
            ("a{s!\"1\"}", "none of ="),
            ("a{s=\"1\"", "no comma"),
            ("a{s=\"1\"} 5", "behind }"),
            ("a{s=~\"(\"}", "not a regular expression"),
            ("a{=\"1\"}", "label's name"),
        ] {
            let why = Selector::parse(selector).unwrap_err();
            assert!(why.contains(part) && why.contains("http_requests_total"), "{selector}: {why}");
        }
    }
}
