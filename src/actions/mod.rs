//! GitHub Actions: outputs, job summaries, annotations and masks, each within its limits.
//!
//! See "Workflow commands for GitHub Actions" in GitHub's documentation.

use std::fmt::Write;

use crate::exit::Fault;
use crate::host::{clock, env, files};

/// The longest annotation that GitHub keeps.
const ANNOTATION: usize = 4096;
/// The longest summary of one step; a longer one is dropped whole, so we cut it ourselves.
const SUMMARY: usize = (1 << 20) - 1024;

/// How loud an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something should be looked at.
    Warning,
    /// Something to know.
    Notice,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }
}

/// Whether this runs in GitHub Actions, or something that says so.
pub fn is_ci() -> bool {
    env::var("GITHUB_ACTIONS").as_deref() == Some("true")
}

/// An annotation as a workflow command.
pub fn annotation(level: Level, title: &str, text: &str) -> String {
    let text: String = text.chars().take(ANNOTATION).collect();
    format!("::{} title={}::{}\n", level.word(), property(title), data(&text))
}

/// The command that masks a text in the log from here on, line by line.
pub fn add_mask(secret: &str) -> String {
    let lines = secret.lines().filter(|line| line.trim().len() >= 4);
    lines.map(|line| format!("::add-mask::{}\n", data(line))).collect()
}

/// Breaks every workflow command in a text that is relayed: a zero-width space after the colons
/// keeps the runner from reading it and the reader from noticing.
pub fn disarm(text: &str) -> String {
    let text = text.replace('\r', "\n");
    let mut disarmed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let start = line.len() - line.trim_start().len();
        let body = &line[start..];
        if body.starts_with("::") || body.starts_with("##[") {
            disarmed.push_str(&line[..start]);
            disarmed.push('\u{200b}');
            disarmed.push_str(body);
        } else {
            disarmed.push_str(line);
        }
    }
    disarmed
}

/// Escapes a command's data.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Appends to the job summary.
///
/// # Errors
/// When the file cannot be written.
pub fn write_summary(markdown: &str) -> anyhow::Result<()> {
    let Some(file) = env::var("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let mut text = markdown.to_owned();
    if text.len() > SUMMARY {
        let end = (0..=SUMMARY).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("\n\n*The rest was cut: GitHub keeps 1 MiB of a step's summary.*\n");
    }
    files::append(&file, text.as_bytes())
        .map_err(|error| Fault::error(format!("cannot write the job summary: {error}")).into())
}

/// Appends to the step's outputs.
///
/// # Errors
/// When the file cannot be written.
pub fn write_outputs<'a>(
    outputs: impl IntoIterator<Item = (&'a str, String)>,
) -> anyhow::Result<()> {
    let Some(file) = env::var("GITHUB_OUTPUT") else { return Ok(()) };
    let text = format_outputs(outputs, clock::seed());
    files::append(&file, text.as_bytes())
        .map_err(|error| Fault::error(format!("cannot write the step's outputs: {error}")).into())
}

/// The lines of an output file. The delimiter is random, and changed until no value has it.
fn format_outputs<'a>(
    outputs: impl IntoIterator<Item = (&'a str, String)>,
    mut seed: u64,
) -> String {
    let mut text = String::new();
    for (name, value) in outputs {
        let delimiter = loop {
            let candidate = format!("waveoff_{seed:016x}");
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if !value.contains(&candidate) {
                break candidate;
            }
        };
        let value = value.replace('\r', "");
        // Writing to a string cannot fail.
        writeln!(text, "{name}<<{delimiter}\n{value}\n{delimiter}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_annotation_is_one_line_whatever_is_in_it() {
        let line = annotation(Level::Error, "a:b,c", "100 %\n::set-output name=x::y\r");
        assert_eq!(line, "::error title=a%3Ab%2Cc::100 %25%0A::set-output name=x::y%0D\n");
    }

    #[test]
    fn a_mask_covers_every_line() {
        assert_eq!(add_mask("first\nsecond"), "::add-mask::first\n::add-mask::second\n");
        assert_eq!(add_mask("abc"), "", "three letters would mask half of the log");
    }

    proptest! {
        #[test]
        fn relayed_text_gives_no_commands(text in "[:#\\[a\\n\\r \\t]{0,30}") {
            for line in disarm(&text).lines() {
                let line = line.trim_start();
                prop_assert!(!line.starts_with("::") && !line.starts_with("##["), "{line:?}");
            }
        }

        #[test]
        fn an_output_cannot_smuggle_another(value in "[a-z=<\\n]{0,30}") {
            let text = format_outputs([("one", value.clone())], 5);
            let mut lines = text.lines();
            let delimiter = lines.next().unwrap().strip_prefix("one<<").unwrap().to_owned();
            let rest: Vec<&str> = lines.collect();
            prop_assert_eq!(*rest.last().unwrap(), &delimiter);
            prop_assert_eq!(rest[..rest.len() - 1].join("\n"), value);
        }
    }
}
