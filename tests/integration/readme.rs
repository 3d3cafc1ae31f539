//! The tables of the README say what the programs say. `UPDATE=1` rewrites them.

use std::fmt::Write as _;
use std::path::Path;

use waveoff::commands::{COMMON_OUTPUTS, Output, WAVEOFF};
use waveoff::exit::Exit;

use crate::actions::{actions, description, is_input};

#[test]
fn the_tables_are_those_of_the_programs() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let wanted = with_tables(&text);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    } else {
        assert!(text == wanted, "README.md is out of date: run the tests with UPDATE=1");
    }
}

#[test]
fn the_workflow_to_copy_is_the_one_that_init_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let workflow = std::fs::read_to_string(root.join("src/commands/init/deploy.yml")).unwrap();
    assert!(text.contains(&format!("```yaml\n{workflow}```")));
}

#[test]
fn every_command_that_is_shown_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut shown = 0;
    for page in pages.chain([root.join("README.md")]).filter(|page| page.is_file()) {
        let text = std::fs::read_to_string(&page).unwrap();
        // Whole blocks, and what stands between backticks in a line.
        let blocks =
            text.split("```sh\n").skip(1).flat_map(|b| b.split("```").next().unwrap().lines());
        let inline = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for line in blocks.chain(inline).filter_map(|line| line.strip_prefix("waveoff ")) {
            let at = format!("{}: waveoff {line}", page.display());
            let mut words = line.split('#').next().unwrap().split_whitespace();
            let verb = words.next().unwrap();
            let verb =
                WAVEOFF.iter().find(|known| known.name == verb).unwrap_or_else(|| panic!("{at}"));
            for flag in words.filter_map(|word| word.strip_prefix("--")) {
                let flag = flag.split('=').next().unwrap();
                let command = verb.command();
                assert!(command.get_arguments().any(|arg| arg.get_long() == Some(flag)), "{at}");
            }
            shown += 1;
        }
    }
    assert!(shown > 20, "only {shown} commands were found");
}

/// The text with every table between its marks written anew.
fn with_tables(text: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    let mut tables = 0;
    while let Some((before, after)) = rest.split_once("<!-- table: ") {
        let (name, after) = after.split_once(" -->\n").unwrap();
        let (_, after) = after.split_once("<!-- /table -->").unwrap();
        let _ = write!(done, "{before}<!-- table: {name} -->\n{}<!-- /table -->", table(name));
        rest = after;
        tables += 1;
    }
    assert_eq!(tables, 1 + 2 * actions().len(), "every action has its inputs and outputs there");
    done + rest
}

fn table(name: &str) -> String {
    match name.split_once(' ') {
        None if name == "exit-codes" => exit_codes(),
        Some(("inputs", verb)) => inputs(verb),
        Some(("outputs", verb)) => outputs(verb),
        _ => panic!("there is no table {name}"),
    }
}

fn exit_codes() -> String {
    let rows = Exit::ALL.iter().map(|(exit, about)| format!("| {} | {about} |\n", exit.code()));
    format!("| Code | Meaning |\n|---:|---|\n{}", rows.collect::<String>())
}

fn inputs(verb: &str) -> String {
    let action = actions().into_iter().find(|action| action.verb.action == verb).unwrap();
    let mut table = String::from("| Input | Meaning |\n|---|---|\n");
    for arg in action.verb.command().get_arguments().filter(|arg| is_input(arg)) {
        if let Some(long) = arg.get_long() {
            let _ = writeln!(table, "| `{long}` | {} |", cell(&description(arg)));
        }
    }
    table
}

fn outputs(verb: &str) -> String {
    let action = actions().into_iter().find(|action| action.verb.action == verb).unwrap();
    let row = |output: &Output| format!("| `{}` | {} |\n", output.name, cell(output.about));
    let rows: String = COMMON_OUTPUTS.iter().chain(action.verb.outputs).map(row).collect();
    format!("| Output | Meaning |\n|---|---|\n{rows}")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
