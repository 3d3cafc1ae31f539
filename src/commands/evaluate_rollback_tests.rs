//! The documentation and the program say the same.

use super::*;
use crate::decide::rollback::Reason;

const DOCUMENT: &str = "docs/evaluate-rollback.md";

/// The first two cells of every row of the table under a heading.
fn table(heading: &str) -> Vec<(String, String)> {
    let path = format!("{}/{DOCUMENT}", env!("CARGO_MANIFEST_DIR"));
    let text = files::read_text(path).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        let mut cells = row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        (cells.next().unwrap().trim_matches('`').to_owned(), cells.next().unwrap())
    };
    rows.map(cells).collect()
}

#[test]
fn e1_every_reason_code_is_documented_as_it_is() {
    let told: Vec<(String, String)> =
        Reason::ALL.iter().map(|code| (code.word().into(), code.about().into())).collect();
    assert_eq!(table("Reason codes"), told);
}

#[test]
fn e1_every_output_is_documented_and_declared_as_it_is() {
    let told: Vec<(String, String)> = EvaluateRollback::OUTPUTS
        .iter()
        .map(|output| (output.name.into(), output.about.into()))
        .collect();
    assert_eq!(table("Outputs"), told);
}
