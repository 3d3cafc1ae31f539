//! The rules of the house that no lint knows.

use std::fs;
use std::path::{Path, PathBuf};

use waveoff::checks::KINDS;
use waveoff::config::CheckSpec;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "there is nothing in {folder:?}", folder = root());
    found
}

#[test]
fn no_source_file_is_longer_than_400_lines_and_no_program_longer_than_10() {
    for (folder, limit) in [("src", 400), ("src/bin", 10)] {
        for file in files(folder, "rs") {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= limit, "{} has {lines} lines, {limit} are allowed", file.display());
        }
    }
}

#[test]
fn judgements_know_nothing_of_the_world() {
    for file in files("src/decide", "rs") {
        let text = fs::read_to_string(&file).unwrap();
        for word in
            ["crate::host", "std::fs", "std::env", "std::net", "std::process", "ureq", "tokio"]
        {
            assert!(!text.contains(word), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn every_file_of_a_kind_is_in_its_table() {
    let table = fs::read_to_string(root().join("src/checks/mod.rs")).unwrap();
    for kind in KINDS {
        let constant = kind.key.to_uppercase();
        assert!(table.contains(&format!("::{constant},")), "{constant} is not in the table");
    }
}

#[test]
fn the_checks_page_has_every_kind_and_every_key() {
    let page = fs::read_to_string(root().join("docs/checks.md")).unwrap();
    for kind in KINDS {
        for key in [&[kind.key], kind.keys].concat() {
            assert!(page.contains(&format!("`{key}`")), "docs/checks.md does not know `{key}`");
        }
    }
    let schema = fs::read_to_string(root().join("schemas/waveoff.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for key in schema["$defs"]["CheckSpec"]["properties"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{key}`")), "docs/checks.md does not know `{key}`");
    }
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("| `{key}` |")),
            "docs/configuration.md does not know `{key}`"
        );
    }
    assert!(CheckSpec::default().present().is_empty());
}

#[test]
fn every_configuration_in_the_documentation_is_read() {
    let mut pages = files("docs", "md");
    pages.push(root().join("README.md"));
    let mut read = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if !block.contains("version: 1") || block.contains("uses:") {
                continue;
            }
            let name = page.display().to_string();
            let loaded =
                waveoff::config::parse(&name, block, |name| Some(format!("value-of-{name}")));
            let checked = loaded.and_then(|loaded| {
                let spec = loaded.transaction()?;
                waveoff::config::exchange::validate(&loaded, &spec, "shop")
            });
            assert!(checked.is_ok(), "{name}: {:?}\n{block}", checked.unwrap_err());
            read += 1;
        }
    }
    assert!(read >= 5, "only {read} configurations were found");
}
