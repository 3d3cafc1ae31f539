//! Prometheus' text exposition: format 0.0.4, and of `OpenMetrics` 1.0 what is needed to read it
//! (`# EOF`, `# UNIT`, its own types, timestamps with a fraction, exemplars).
//!
//! A page is read line by line and only what is asked for is kept. It must be one: the first line
//! that is not of the format is told with its number, as a scraper would refuse the whole page.

use std::collections::BTreeSet;

/// One sample of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'a> {
    /// The metric's name.
    pub(super) name: &'a str,
    /// Its labels, in order; each name once.
    pub(super) labels: Vec<(&'a str, String)>,
    /// The value; may be NaN or infinite.
    pub(super) value: f64,
}

/// The types of a metric: those of 0.0.4, then what `OpenMetrics` adds.
const TYPES: [&str; 9] = [
    "counter",
    "gauge",
    "histogram",
    "summary",
    "untyped",
    "unknown",
    "gaugehistogram",
    "stateset",
    "info",
];

/// Reads a page, and shows each sample.
///
/// # Errors
/// The number of the first line that is not of the format, and why; with `must_end`, as
/// `OpenMetrics` has it, also when the last line is not `# EOF`.
pub(super) fn read<'a>(
    page: &'a str,
    must_end: bool,
    each: &mut dyn FnMut(Sample<'a>),
) -> Result<(), String> {
    let mut state = State::default();
    let mut last = 0;
    for (index, line) in page.split_inclusive('\n').enumerate() {
        last = index + 1;
        let told = match line.strip_suffix('\n') {
            Some(line) => state.line(line, each),
            None if line == "# EOF" => state.line(line, each),
            None => Err("has no line feed at its end, so the page may be cut".into()),
        };
        told.map_err(|why| format!("line {last} {why}"))?;
    }
    if must_end && !state.is_over {
        return Err(format!("line {last} is the last one and not `# EOF`, so the page is cut"));
    }
    Ok(())
}

/// What earlier lines have said.
#[derive(Default)]
struct State<'a> {
    /// Names that had samples.
    sampled: BTreeSet<&'a str>,
    /// Keywords with their names.
    told: BTreeSet<(&'a str, &'a str)>,
    is_over: bool,
}

impl<'a> State<'a> {
    fn line(&mut self, line: &'a str, each: &mut dyn FnMut(Sample<'a>)) -> Result<(), String> {
        if self.is_over {
            return Err("stands behind `# EOF`".into());
        }
        let line = line.trim_matches([' ', '\t']);
        if let Some(comment) = line.strip_prefix('#') {
            return self.comment(comment);
        }
        if !line.is_empty() {
            let sample = sample(line)?;
            self.sampled.insert(sample.name);
            each(sample);
        }
        Ok(())
    }

    fn comment(&mut self, comment: &'a str) -> Result<(), String> {
        let (keyword, rest) = word(comment);
        if keyword == "EOF" && rest.is_empty() {
            self.is_over = true;
        }
        if !matches!(keyword, "HELP" | "TYPE" | "UNIT") {
            return Ok(());
        }
        let (name, rest) = word(rest);
        if !is_name(name, true) {
            return Err(format!("has a {keyword} of {name:?}, which is no metric's name"));
        }
        if !self.told.insert((keyword, name)) {
            return Err(format!("has a second {keyword} of {name}"));
        }
        if keyword == "TYPE" {
            if self.sampled.contains(name) {
                return Err(format!("has the TYPE of {name} behind its samples"));
            }
            if !TYPES.contains(&rest) {
                return Err(format!(
                    "has the TYPE {rest:?}, which is none of {}",
                    TYPES.join(", ")
                ));
            }
        }
        Ok(())
    }
}

/// The first word, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    let (word, rest) = text.split_at(text.find([' ', '\t']).unwrap_or(text.len()));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// A name, and the text behind it.
pub(super) fn name(text: &str) -> Result<(&str, &str), String> {
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
    let (name, rest) = text.split_at(text.find(end).unwrap_or(text.len()));
    if is_name(name, true) { Ok((name, rest)) } else { Err("begins with no metric's name".into()) }
}

/// Whether it is the name of a metric (with colons) or of a label.
pub(super) fn is_name(name: &str, with_colons: bool) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || (with_colons && c == ':');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(inner)
}

/// `name{label="value",…} value [timestamp] [# {label="value"} value [timestamp]]`.
fn sample(line: &str) -> Result<Sample<'_>, String> {
    let (name, rest) = name(line)?;
    let (labels, rest) = labels(rest.trim_start_matches([' ', '\t']))?;
    let (figures, exemplar) = match rest.split_once('#') {
        Some((figures, exemplar)) => (figures, Some(exemplar)),
        None => (rest, None),
    };
    let value = figures_of(figures)?;
    if let Some(exemplar) = exemplar {
        let (_, rest) = self::labels(exemplar.trim_start_matches([' ', '\t']))?;
        figures_of(rest).map_err(|why| format!("{why}, in its exemplar"))?;
    }
    Ok(Sample { name, labels, value })
}

/// A value with or without a timestamp.
fn figures_of(text: &str) -> Result<f64, String> {
    let (value, rest) = word(text);
    if value.is_empty() {
        return Err("has no value".into());
    }
    let (timestamp, rest) = word(rest);
    if !rest.trim_matches([' ', '\t']).is_empty() {
        return Err(format!("has {rest:?} behind its value and timestamp"));
    }
    let is_time = timestamp.parse::<f64>().is_ok_and(f64::is_finite);
    if !timestamp.is_empty() && !is_time {
        return Err(format!("has the timestamp {timestamp:?}, which is no number"));
    }
    value.parse().map_err(|_| format!("has the value {value:?}, which is no number"))
}

/// Labels of one sample; nobody means more.
const MOST_LABELS: usize = 256;

/// Labels with their values, and the text behind them.
type Labels<'a> = (Vec<(&'a str, String)>, &'a str);

/// `{label="value",…}`, if there is one, and the text behind it.
fn labels(text: &str) -> Result<Labels<'_>, String> {
    let mut labels: Vec<(&str, String)> = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Ok((labels, text)) };
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let at = rest.find('=').ok_or("has labels without an end")?;
        let name = rest[..at].trim_end_matches([' ', '\t']);
        if !is_name(name, false) {
            return Err(format!("has {name:?} where a label's name belongs"));
        }
        if labels.len() == MOST_LABELS {
            return Err(format!("has more than {MOST_LABELS} labels"));
        }
        if labels.iter().any(|(known, _)| *known == name) {
            return Err(format!("has the label {name} twice"));
        }
        let value = rest[at + 1..].trim_start_matches([' ', '\t']);
        let (value, behind) = quoted(value, '"')?;
        labels.push((name, value));
        rest = behind.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.starts_with('}') => {}
            None => return Err(format!("has no comma behind the label {name}")),
        }
    }
}

/// A text in quotes with the escapes `\\`, `\n` and of the quote, and the text behind it.
pub(super) fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let inner = text.strip_prefix(quote).ok_or("has a label's value that is not in quotes")?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((value, &inner[at + 1..])),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c) if c == '\\' || c == quote => value.push(c),
                _ => return Err("has an escape that is none of \\\\, \\\" and \\n".into()),
            },
            c => value.push(c),
        }
    }
    Err("has a label's value without an end".into())
}

#[cfg(test)]
#[path = "exposition_tests.rs"]
mod tests;
