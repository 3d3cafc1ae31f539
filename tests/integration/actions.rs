//! `actions/*/action.yml` says what the programs say: it is generated from their arguments.
//!
//! `UPDATE=1 cargo test actions` rewrites the files; without it they are compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction};
use serde_json::Value;
use waveoff::commands::capture::Capture;
use waveoff::commands::deploy::Deploy;
use waveoff::commands::evaluate_rollback::EvaluateRollback;
use waveoff::commands::notify_incident::NotifyIncident;
use waveoff::commands::preflight::Preflight;
use waveoff::commands::recover::Recover;
use waveoff::commands::rollback::Rollback;
use waveoff::commands::smoke_test::SmokeTest;
use waveoff::commands::wait_healthy::WaitHealthy;
use waveoff::commands::{COMMON_OUTPUTS, Entry, entry};

/// Every action but the root's, which has no program of its own.
pub(crate) fn actions() -> Vec<Action> {
    vec![
        Action { words: "wait-healthy", verb: entry::<WaitHealthy>() },
        Action { words: "smoke-test", verb: entry::<SmokeTest>() },
        Action { words: "waveoff preflight", verb: entry::<Preflight>() },
        Action { words: "waveoff deploy", verb: entry::<Deploy>() },
        Action { words: "waveoff rollback", verb: entry::<Rollback>() },
        Action { words: "waveoff recover", verb: entry::<Recover>() },
        Action { words: "waveoff capture", verb: entry::<Capture>() },
        Action { words: "evaluate-rollback", verb: entry::<EvaluateRollback>() },
        Action { words: "notify-incident", verb: entry::<NotifyIncident>() },
    ]
}

/// Actions that are no verb: what the reusable workflows are made of, in shell.
const HAND_WRITTEN: [&str; 2] = ["image", "pipeline"];

/// Verbs that do not talk to GitHub.
const OBSERVERS: [&str; 2] = ["wait-healthy", "smoke-test"];

/// Programs that run on Windows, too, by PowerShell.
const ON_WINDOWS: [&str; 4] =
    ["wait-healthy", "smoke-test", "evaluate-rollback", "notify-incident"];

/// Where there is a `sh`.
const ELSEWHERE: &str = "runner.os != 'Windows'";

const WINDOWS: &str = "runner.os == 'Windows'";

/// `sh` may be missing there, or be another system's.
const NOT_ON_WINDOWS: &str = "    - name: Windows
      if: runner.os == 'Windows'
      shell: pwsh
      run: |
        Write-Output '::error title=waveoff::this action has no program for Windows: run this job on ubuntu-latest'
        exit 2
";

/// The job's own token, unless the caller's step names another one.
const TOKEN: &str = "        GITHUB_TOKEN: ${{ env.GITHUB_TOKEN || github.token }}\n";

/// An action is a verb.
pub(crate) struct Action {
    /// The program, and the verb if it has several: the words after `run.sh`.
    words: &'static str,
    pub(crate) verb: Entry,
}

impl Action {
    fn file(&self) -> PathBuf {
        root().join("actions").join(self.verb.action).join("action.yml")
    }

    fn render(&self) -> String {
        let Self { words, verb } = self;
        let command = verb.command();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let mut text = format!(
            "# Generated from the arguments of `{words}`; do not edit:\n\
             # UPDATE=1 cargo test --test integration actions\n\
             name: {}\n\
             description: {}\n\
             author: The waveoff authors\n\
             inputs:\n",
            quoted(&format!("waveoff: {}", verb.action)),
            quoted(&about),
        );
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long().filter(|_| is_input(arg)) else { continue };
            // Never the program's own default: as an input it would win over waveoff.yml.
            let _ = write!(
                text,
                "  {long}:\n    description: {}\n    required: false\n    default: ''\n",
                quoted(&description(arg)),
            );
        }
        let windows = ON_WINDOWS.contains(words);
        text.push_str("outputs:\n");
        for output in COMMON_OUTPUTS.iter().chain(verb.outputs) {
            let name = output.name;
            let from = if windows {
                format!("steps.run.outputs.{name} || steps.windows.outputs.{name}")
            } else {
                format!("steps.run.outputs.{name}")
            };
            let about = quoted(output.about);
            let _ =
                write!(text, "  {name}:\n    description: {about}\n    value: ${{{{ {from} }}}}\n");
        }
        text.push_str("runs:\n  using: composite\n  steps:\n");
        if !windows {
            text.push_str(NOT_ON_WINDOWS);
        }
        text += &self.step("run", ELSEWHERE, "sh", "exec sh \"$GITHUB_ACTION_PATH", "sh");
        if windows {
            text += &self.step("windows", WINDOWS, "pwsh", "'& \"$env:GITHUB_ACTION_PATH", "ps1");
        }
        text
    }

    /// What runs the program: the inputs are in the environment, and never in a shell's text.
    fn step(&self, id: &str, place: &str, shell: &str, call: &str, suffix: &str) -> String {
        let Self { words, verb } = self;
        // The caller's step says when; act would skip this one after a cancellation all the same.
        // What is to be deployed is never begun then.
        let always = if verb.name == "deploy" { "" } else { "always() && " };
        // What only looks at a service is given no token.
        let token = if OBSERVERS.contains(&verb.name) { "" } else { TOKEN };
        // A command that begins with & has to be quoted in YAML.
        let quote = if call.starts_with('\'') { "'" } else { "" };
        format!(
            "    - name: {}\n      id: {id}\n      if: {always}{place}\n      shell: {shell}\n      \
             env:\n        WAVEOFF_INPUTS: ${{{{ toJSON(inputs) }}}}\n{token}      \
             run: {call}/../../bootstrap/run.{suffix}\" {words}{quote}\n",
            quoted(verb.action),
        )
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn is_input(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version)
}

/// What `--help` says, with what differs in an input.
pub(crate) fn description(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, _) = help.split_once(" [repeatable").unwrap_or((&help, ""));
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => text.push_str(" (true or false)"),
        ArgAction::Append if arg.get_value_delimiter().is_none() => {
            text.push_str(" (one per line)")
        }
        _ => {}
    }
    text
}

/// A YAML scalar that is a string, whatever it looks like.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn action_files_say_what_the_programs_say() {
    let update = std::env::var_os("UPDATE").is_some();
    for action in actions() {
        let (file, wanted) = (action.file(), action.render());
        if update {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &wanted).unwrap();
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            found,
            wanted,
            "{} is out of date: UPDATE=1 cargo test --test integration actions",
            file.display()
        );
    }
}

#[test]
fn c4_the_root_action_says_it_on_windows_too() {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    assert!(text.contains(NOT_ON_WINDOWS) && text.contains(&format!("if: {ELSEWHERE}\n")));
}

#[test]
fn every_folder_of_an_action_has_its_verb() {
    let verbs = actions().into_iter().map(|action| action.verb.action.to_owned());
    let verbs: BTreeSet<_> = verbs.chain(HAND_WRITTEN.map(str::to_owned)).collect();
    let folders: BTreeSet<_> = fs::read_dir(root().join("actions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, verbs);
}

#[test]
fn a_verb_has_no_two_outputs_of_one_name() {
    for action in actions() {
        let mut seen = BTreeSet::new();
        for output in COMMON_OUTPUTS.iter().chain(action.verb.outputs) {
            assert!(seen.insert(output.name), "{}: {}", action.words, output.name);
        }
    }
}

#[test]
fn workflows_give_and_take_only_what_the_actions_have() {
    let mut uses = 0;
    for file in workflow_files() {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        for (id, job) in workflow["jobs"].as_object().unwrap() {
            for step in job["steps"].as_array().into_iter().flatten() {
                let Some(action) = ours(step) else { continue };
                let at = format!("{file}, job {id}");
                let has = interface(action).unwrap_or_else(|| panic!("{at}: no action {action}"));
                for name in step["with"].as_object().into_iter().flat_map(|with| with.keys()) {
                    let known = has["inputs"].get(name).is_some();
                    assert!(known, "{at}: {action} has no input {name}");
                }
                if let Some(step) = step["id"].as_str() {
                    for name in read_from(&text, step) {
                        let known = has["outputs"].get(name).is_some();
                        assert!(known, "{at}: {action} has no output {name}");
                    }
                }
                uses += 1;
            }
        }
    }
    assert!(uses > 0);
}

/// The repository's own workflows, and the one that `waveoff init` writes.
fn workflow_files() -> Vec<String> {
    let own = fs::read_dir(root().join(".github/workflows")).unwrap().map(|entry| {
        format!(".github/workflows/{}", entry.unwrap().file_name().into_string().unwrap())
    });
    own.chain(["src/commands/init/deploy.yml".to_owned()]).collect()
}

/// What an action's file says; none when there is no such action.
fn interface(action: &str) -> Option<Value> {
    let file = root().join("actions").join(action).join("action.yml");
    Some(serde_saphyr::from_str(&fs::read_to_string(file).ok()?).unwrap())
}

/// The folder of the action that a step uses, if it is one of ours.
fn ours(step: &Value) -> Option<&str> {
    let (path, version) = step["uses"].as_str()?.split_once('@')?;
    let action = path.strip_prefix("waveoff/waveoff/actions/")?;
    assert_eq!(version, "v1", "{action}");
    Some(action)
}

/// The outputs of a step that a workflow's text mentions.
fn read_from<'a>(text: &'a str, step: &str) -> Vec<&'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(&format!("steps.{step}.outputs."))
        .skip(1)
        .map(|rest| &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())])
        .collect()
}
