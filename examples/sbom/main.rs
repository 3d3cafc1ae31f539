//! What our programs are made of, as CycloneDX: `cargo metadata` on standard input, the document on
//! standard output. The same input gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

use anyhow::Context as _;
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let metadata = serde_json::from_str(&text).context("this is not what cargo metadata prints")?;
    let document = serde_json::to_string_pretty(&bill(&metadata)?)?;
    writeln!(std::io::stdout(), "{document}")?;
    Ok(())
}

fn bill(metadata: &Value) -> anyhow::Result<Value> {
    let root = metadata["resolve"]["root"].as_str().context("there is no root package")?;
    let packages: BTreeMap<_, _> = list(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<_, _> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, shipped(node))))
        .collect();
    let mut found = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        open.extend(nodes[id].iter().filter(|id| found.insert(id)));
    }
    let depends = |id: &&str| {
        let needs: Vec<_> = nodes[id].iter().map(|id| name(packages[id])).collect();
        json!({ "ref": name(packages[id]), "dependsOn": needs })
    };
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(packages[root], "application") },
        "components": found.iter().filter(|id| **id != root)
            .map(|id| component(packages[id], "library")).collect::<Vec<_>>(),
        "dependencies": found.iter().map(depends).collect::<Vec<_>>(),
    }))
}

/// What becomes part of a program: not what only tests or build scripts need.
fn shipped(node: &Value) -> BTreeSet<&str> {
    let normal =
        |dependency: &&Value| list(&dependency["dep_kinds"]).any(|of| of["kind"].is_null());
    list(&node["deps"]).filter(normal).filter_map(|dependency| dependency["pkg"].as_str()).collect()
}

fn component(package: &Value, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": name(package),
        "name": package["name"],
        "version": package["version"],
        "purl": name(package),
    });
    if let Some(license) = package["license"].as_str() {
        // Cargo still takes the slash of old manifests for "or".
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    component
}

/// A package's name for the world. Cargo's own one tells where the checkout lies.
fn name(package: &Value) -> String {
    let part = |key: &str| package[key].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", part("name"), part("version"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
