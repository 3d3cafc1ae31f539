//! Reads what stands in a Compose file, as far as a proposal needs it: as YAML, and without Docker.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use serde_saphyr::{Spanned, options};

use super::variables::expand;
use crate::decide::compose_kinds::Service;
use crate::exit::Fault;

/// What stands in the Compose files.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// The files, in the order in which they are merged.
    pub(super) files: Vec<String>,
    /// Its name, when the files tell one.
    pub(super) name: Option<String>,
    /// The services that are always there.
    pub(super) services: Vec<Found>,
    /// Services that are only there with a profile.
    pub(super) with_profile: Vec<String>,
}

/// A service, and where its image stands.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) service: Service,
    /// `compose.yml:7`: the line of its image, of what it is built from, else only the file.
    pub(super) place: String,
}

/// Where things stand in a file.
#[derive(Deserialize)]
struct Lines {
    #[serde(default)]
    services: BTreeMap<String, Option<ServiceLines>>,
}

#[derive(Deserialize)]
struct ServiceLines {
    image: Option<Spanned<IgnoredAny>>,
    build: Option<Spanned<IgnoredAny>>,
}

/// Reads the files, each a name with its text; `look_up` answers for variables.
///
/// # Errors
/// [`Fault`] with exit code 2, the file, and what is wrong with it.
pub(super) fn read(
    files: &[(String, String)],
    look_up: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Project> {
    let mut merged = Value::Null;
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in files {
        let one = parse(file, text)?;
        for (name, line) in lines(text) {
            places.insert(name, format!("{file}:{line}"));
        }
        merge(&mut merged, one, "");
    }
    let names = files.iter().map(|(file, _)| file.clone()).collect::<Vec<_>>();
    let shown = names.join(" and ");
    let services = merged["services"].as_object().filter(|all| !all.is_empty());
    let services = services.ok_or_else(|| {
        Fault::usage(format!("{shown}: there are no services"))
            .hint("name the Compose file with --compose; without one, `waveoff init` in an empty folder writes a plain beginning")
    })?;
    let mut project = Project { files: names, ..Project::default() };
    project.name = merged["name"].as_str().map(|name| expand(name, look_up));
    for (name, one) in services {
        if one["profiles"].as_array().is_some_and(|profiles| !profiles.is_empty()) {
            project.with_profile.push(name.clone());
            continue;
        }
        let mut service = service(name, one, look_up);
        service.is_job = waited_for(services, name);
        let place = places.get(name).unwrap_or(&shown).clone();
        project.services.push(Found { service, place });
    }
    if project.services.is_empty() {
        return Err(Fault::usage(format!("{shown}: each of its services has a profile"))
            .hint("without its profile a service is not started; take it out where it is the release's")
            .into());
    }
    Ok(project)
}

/// One file, with nothing in it that only Docker could resolve.
fn parse(file: &str, text: &str) -> anyhow::Result<Value> {
    let strict = options! { with_snippet: false };
    let value: Value = serde_saphyr::from_str_with_options(text, strict).map_err(|error| {
        let place = error.location().map(|at| format!(":{}:{}", at.line(), at.column()));
        let why = error.without_snippet().to_string();
        let why = why.split(" at line ").next().unwrap_or_default().trim_end_matches(',');
        Fault::usage(format!("{file}{}: it is no YAML: {why}", place.unwrap_or_default()))
            .hint("`docker compose config` reads the same file; nothing was written")
    })?;
    let resolved = |what: &str| {
        Fault::usage(format!("{file}: {what}, which is not followed here"))
            .hint("let `docker compose config > whole.yml` write one file of it, and name that with --compose; then put your own files back as `platform.compose.file`")
    };
    if !value.is_object() {
        return Err(Fault::usage(format!("{file}: it is no map of keys, as a Compose file is"))
            .hint("name the Compose file with --compose")
            .into());
    }
    if value.get("include").is_some() {
        return Err(resolved("it has an `include`").into());
    }
    if value.get("services").is_some_and(|services| !services.is_object() && !services.is_null()) {
        return Err(Fault::usage(format!("{file}: services: this is not a map"))
            .hint("write `services: { web: { image: … } }`")
            .into());
    }
    for (name, service) in value["services"].as_object().into_iter().flatten() {
        if service.get("extends").is_some() {
            return Err(resolved(&format!("the service {name:?} has an `extends`")).into());
        }
        if !service.is_object() {
            return Err(Fault::usage(format!("{file}: services: {name:?} is not a map"))
                .hint("write `image:` or `build:` below it")
                .into());
        }
    }
    Ok(value)
}

/// The line of each service's image, else of what it is built from.
fn lines(text: &str) -> Vec<(String, u64)> {
    // What cannot be read so was read before; then only the lines are missing.
    let Ok(lines) = serde_saphyr::from_str::<Lines>(text) else { return Vec::new() };
    let line = |(name, found): (String, Option<ServiceLines>)| {
        let found = found?;
        let at = found.image.or(found.build)?.referenced.line();
        Some((name, at))
    };
    lines.services.into_iter().filter_map(line).collect()
}

/// As Compose merges a second file into the first: maps by key, lists one behind the other, and the
/// words of a command as one value.
fn merge(into: &mut Value, from: Value, key: &str) {
    let is_whole = ["command", "entrypoint", "test"].contains(&key);
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                let known = into.entry(key.clone()).or_insert(Value::Null);
                merge(known, value, &key);
            }
        }
        (Value::Array(into), Value::Array(from)) if !is_whole => into.extend(from),
        (into, from) => *into = from,
    }
}

fn service(name: &str, one: &Value, look_up: &dyn Fn(&str) -> Option<String>) -> Service {
    let list = |key: &str| one[key].as_array().into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => Some(expand(text, look_up)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let ports = list("ports").filter_map(|port| match port {
        Value::Object(long) => {
            let published = long.get("published").and_then(text).and_then(|p| p.parse().ok());
            Some((published, long.get("target").and_then(text)?.parse().ok()?))
        }
        short => published(&text(short)?),
    });
    let named = list("volumes").filter_map(|volume| match volume {
        Value::Object(long) if long.get("type").is_some_and(|kind| kind == "volume") => {
            long.get("source").and_then(text)
        }
        Value::Object(_) => None,
        short => Some(text(short)?.split_once(':')?.0.to_owned()),
    });
    Service {
        name: name.into(),
        image: one["image"].as_str().map(str::to_owned),
        is_built: one.get("build").is_some_and(|build| !build.is_null()),
        ports: ports.collect(),
        exposes: list("expose").filter_map(|port| target(&text(port)?)).collect(),
        volumes: named.filter(|name| !name.starts_with(['.', '/', '~', '$'])).collect(),
        health: health(&one["healthcheck"], look_up),
        is_on_host: one["network_mode"] == "host",
        is_job: false,
    }
}

/// `[address:][published:]target[/protocol]`; only TCP serves requests.
fn published(text: &str) -> Option<(Option<u16>, u16)> {
    let target = target(text.rsplit(':').next()?)?;
    let published = text.rsplit(':').nth(1).and_then(|port| port.parse().ok());
    Some((published, target))
}

/// A container's port, of TCP; of a range, the first one.
fn target(text: &str) -> Option<u16> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = ports.split('-').next()?;
    (protocol == "tcp").then(|| port.parse().ok()).flatten()
}

/// The address that a health check asks.
fn health(check: &Value, look_up: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let test = match &check["test"] {
        Value::String(text) => text.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => return None,
    };
    let test = expand(&test, look_up);
    let at = test.find("http://").or_else(|| test.find("https://"))?;
    let end = |c: char| c.is_whitespace() || "\"'`|;&)<>,".contains(c);
    test[at..].split(end).next().map(str::to_owned)
}

/// Whether another service begins when this one has ended.
fn waited_for(services: &Map<String, Value>, name: &str) -> bool {
    services
        .values()
        .any(|other| other["depends_on"][name]["condition"] == "service_completed_successfully")
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
