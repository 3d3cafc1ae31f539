//! `docs/checks.md`: every example runs as it stands on the page, and none of the words is without one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use waveoff::checks::KINDS;

use crate::checks_page_world::World;
use crate::harness::{Program, Ran};
use crate::parts::{part, skip};

/// Set where the examples' own network is.
const INSIDE: &str = "WAVEOFF_TEST_INSIDE";

/// Makes a network of its own, with the page's names and an address of documentation (RFC 5737),
/// and a file system that is not full.
const ENTER: &str = r#"set -e
busybox ip link set lo up
busybox ip addr add 192.0.2.53/32 dev lo
mount --bind "$1" /etc/hosts
mount -t tmpfs tmpfs /srv
shift
exec "$@"
"#;

const HOSTS: &str =
    "127.0.0.1 localhost shop.example.com api.example.com office.example.com orders.internal
::1 localhost
";

/// The examples of the page that are whole configurations, with their lines.
fn examples() -> Vec<(usize, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let page = fs::read_to_string(file).unwrap();
    let mut examples = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        open = match (open, line) {
            (None, "```yaml") => Some((number + 1, String::new())),
            (Some(example), "```") => {
                examples.push(example);
                None
            }
            (Some((start, text)), line) => Some((start, format!("{text}{line}\n"))),
            (None, _) => None,
        };
    }
    assert!(open.is_none(), "the last example has no end");
    examples
}

/// All keys of maps in this value.
fn keys(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            all.extend(map.keys().cloned());
            map.values().for_each(|value| keys(value, all));
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, all)),
        _ => {}
    }
}

#[test]
fn p8_every_kind_query_and_predicate_has_an_example() {
    let mut used = BTreeSet::new();
    for (line, text) in examples() {
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(value["version"], 1, "the example in line {line} is not whole");
        keys(&value["checks"], &mut used);
    }
    let schema = include_str!("../../schemas/waveoff.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut words: BTreeSet<_> = KINDS.iter().map(|kind| kind.key.to_owned()).collect();
    let mut take = |place: &Value| {
        let properties = place["properties"].as_object().unwrap();
        words.extend(properties.keys().cloned());
    };
    take(&schema["$defs"]["PredicateSpec"]);
    for place in ["HtmlSpec", "ExpectSpec"] {
        schema["$defs"][place]["anyOf"].as_array().unwrap().iter().for_each(&mut take);
    }
    let missing: Vec<_> = words.difference(&used).collect();
    assert!(missing.is_empty(), "docs/checks.md has no example of {missing:?}");
}

#[test]
fn p8_every_example_of_the_page_passes_as_it_stands() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let (Some(unshare), Some(_)) = (part("unshare"), part("busybox")) else { return };
    let enter = || {
        let mut command = Command::new(&unshare);
        // With processes of its own, none of which is left.
        let own = ["--net", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child"];
        command.args(own).args(["--mount-proc", "--"]);
        command
    };
    if !enter().arg("true").output().unwrap().status.success() {
        return skip("unshare", "not allowed here");
    }
    let folder = TempDir::new().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, HOSTS).unwrap();
    let mut command = enter();
    command.args(["sh", "-c", ENTER, "sh"]).arg(hosts).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture"]);
    command.arg("checks_page::p8_every_example_of_the_page_passes_as_it_stands").env(INSIDE, "1");
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("1 passed"), "{ran:?}");
}

fn inside() {
    let Some(world) = World::start() else { return };
    let examples = examples();
    assert!(examples.len() > 15, "{}", examples.len());
    let failed = examples.iter().filter_map(|(line, text)| {
        let ran = world.run(text);
        let told = format!("the example in line {line}:\n{}\n{}", ran.stdout, ran.stderr);
        (ran.code != Some(0)).then_some(told)
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // It is this world that they pass in.
    let folder = Arc::new(TempDir::new().unwrap());
    let text = "version: 1\nchecks:\n  - url: https://office.example.com/\n    attempts: 1\n";
    let ran = Program::within("smoke-test", &folder).file("waveoff.yml", text).run();
    assert_eq!(ran.code, Some(10), "{ran:?}");
}
