//! `actions/*/action.yml` says what the programs say: it is generated from their arguments.
//!
//! `UPDATE=1 cargo test actions` rewrites the files; without it they are compared.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};

/// One action: a program, its verb if it has verbs, and what it puts out.
struct Action {
    /// The folder under `actions/`.
    name: &'static str,
    /// The words after `run.sh`.
    words: &'static str,
    command: Command,
    outputs: &'static [(&'static str, &'static str)],
}

impl Action {
    fn file(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("actions").join(self.name).join("action.yml")
    }

    fn inputs(&self) -> impl Iterator<Item = &Arg> {
        self.command
            .get_arguments()
            .filter(|arg| arg.get_long().is_some() && !arg.is_hide_set())
            .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
    }

    fn render(&self) -> String {
        let about = self.command.get_about().map(ToString::to_string).unwrap_or_default();
        let mut text = format!(
            "# Generated from the arguments of `{words}`; do not edit.\n\
             # UPDATE=1 cargo test --test integration actions\n\
             name: {name}\n\
             description: {about}\n\
             author: The waveoff authors\n\
             inputs:\n",
            words = self.words,
            name = quoted(&format!("waveoff: {}", self.name)),
            about = quoted(&about),
        );
        for arg in self.inputs() {
            // Never the default itself: as an input it would win over waveoff.yml.
            let default = match arg.get_long() {
                Some("token") => "${{ github.token }}".to_owned(),
                _ => "''".to_owned(),
            };
            let _ = write!(
                text,
                "  {}:\n    description: {}\n    required: false\n    default: {default}\n",
                arg.get_long().unwrap_or_default(),
                quoted(&description(arg)),
            );
        }
        text.push_str("outputs:\n");
        for (name, meaning) in self.outputs {
            let _ = write!(
                text,
                "  {name}:\n    description: {}\n    value: ${{{{ steps.run.outputs.{name} }}}}\n",
                quoted(meaning),
            );
        }
        let _ = write!(
            text,
            "runs:\n  using: composite\n  steps:\n    \
             - name: {name}\n      id: run\n      shell: sh\n      env:\n        \
             WAVEOFF_INPUTS: ${{{{ toJSON(inputs) }}}}\n      \
             run: exec sh \"$GITHUB_ACTION_PATH/../../bootstrap/run.sh\" {words}\n",
            name = self.name,
            words = self.words,
        );
        text
    }
}

/// What `--help` says, and how the text of an input becomes it.
fn description(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => text.push_str(" (true or false)"),
        ArgAction::Append => text.push_str(" (one per line)"),
        _ => {}
    }
    let list = |values: Vec<String>| values.join(", ");
    let possible: Vec<_> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if arg.get_action().takes_values() && !possible.is_empty() {
        let _ = write!(text, " [{}]", list(possible));
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, " [default: {}]", list(defaults));
    }
    text
}

/// A YAML scalar that is a string whatever it looks like.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
