//! Makes the project that is really run out of a rendered Compose model: in place, or in a slot
//! beside another one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::model::{Kinds, map, resolved, services, wrong};
use crate::exit::Fault;

/// The network on which the services of a slot find each other.
const MATES: &str = "waveoff-mates";

/// What is made of a model.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    /// The kinds of its services.
    pub kinds: &'a Kinds,
    /// The image of each released service.
    pub images: &'a BTreeMap<String, String>,
    /// What each container of the release is labelled with.
    pub labels: &'a [(&'static str, String)],
    /// The time between SIGTERM and SIGKILL where the file says none.
    pub grace: &'a str,
}

/// A slot: its name, and the service whose port leads there.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotPort<'a> {
    /// The slot.
    pub slot: &'a str,
    /// Its port on the machine.
    pub port: u16,
    /// The service that serves there.
    pub service: &'a str,
    /// Its port in the container.
    pub target: u16,
}

/// The project in place: all services, the released ones with their images. Shared ones are as they
/// were, so that to Compose nothing about them is new.
pub(super) fn in_place(model: &Value, wanted: &Wanted<'_>) -> Value {
    let mut project = model.clone();
    for name in wanted.kinds.released() {
        if let Some(service) = project["services"][name].as_object_mut() {
            release(name, service, wanted);
        }
    }
    project
}

/// The project of a slot: the switched services alone, under names of their own, so that neither
/// slot takes the other one's place in the networks that they share.
///
/// # Errors
/// When one of the services cannot be doubled.
pub(super) fn in_slot(
    model: &Value,
    wanted: &Wanted<'_>,
    at: SlotPort<'_>,
) -> Result<Value, Fault> {
    let switched = &wanted.kinds.switch;
    let mut all = Map::new();
    let mut used = Used::default();
    for (name, service) in services(model).filter(|(name, _)| switched.contains(name)) {
        let mut service = service.as_object().cloned().unwrap_or_default();
        can_be_doubled(name, &service, at)?;
        release(name, &mut service, wanted);
        for key in ["container_name", "ports", "external_links"] {
            service.remove(key);
        }
        references(name, &mut service, switched, at.slot)?;
        networks(name, &mut service, switched.len() > 1, &mut used);
        used.volumes(&service);
        if name == at.service {
            service.insert(
                "ports".into(),
                json!([{
                    "mode": "ingress", "host_ip": "127.0.0.1", "target": at.target,
                    "published": at.port.to_string(), "protocol": "tcp"
                }]),
            );
        }
        all.insert(renamed(name, at.slot), Value::Object(service));
    }
    let mut project = Map::new();
    project.insert("services".into(), Value::Object(all));
    let external = |of: &str, keys: &BTreeSet<String>| -> Map<String, Value> {
        let one = |key: &String| json!({ "name": resolved(model, of, key), "external": true });
        keys.iter().map(|key| (key.clone(), one(key))).collect()
    };
    let mut nets = external("networks", &used.networks);
    if used.mates {
        let labels: Map<String, Value> =
            wanted.labels.iter().map(|(key, text)| ((*key).into(), text.clone().into())).collect();
        nets.insert(MATES.into(), json!({ "internal": true, "labels": labels }));
    }
    project.insert("networks".into(), Value::Object(nets));
    project.insert("volumes".into(), Value::Object(external("volumes", &used.volumes)));
    for of in ["configs", "secrets"] {
        if let Some(own) = model.get(of).filter(|own| own.is_object()) {
            project.insert(of.into(), own.clone());
        }
    }
    Ok(Value::Object(project))
}

/// A project that starts nothing: with it Compose makes the networks and volumes that a slot takes
/// for granted, under the names and with the settings that they have in place.
pub(super) fn ground(model: &Value, wanted: &Wanted<'_>) -> Option<Value> {
    let mut used = Used::default();
    for (_, service) in services(model).filter(|(name, _)| wanted.kinds.switch.contains(name)) {
        let mut service = service.as_object().cloned().unwrap_or_default();
        networks("", &mut service, false, &mut used);
        used.volumes(&service);
    }
    if used.networks.is_empty() && used.volumes.is_empty() {
        return None;
    }
    let image = wanted.images.values().next()?;
    let volumes = used.volumes.iter().enumerate().map(|(index, key)| {
        json!({ "type": "volume", "source": key, "target": format!("/waveoff/{index}") })
    });
    let nets: Map<String, Value> =
        used.networks.iter().map(|key| (key.clone(), json!({}))).collect();
    let own = |of: &str, keys: &BTreeSet<String>| -> Map<String, Value> {
        keys.iter().map(|key| (key.clone(), model[of][key].clone())).collect()
    };
    let mut service = json!({
        "image": image, "pull_policy": "never", "scale": 0,
        "volumes": volumes.collect::<Vec<_>>()
    });
    if nets.is_empty() {
        service["network_mode"] = "none".into();
    } else {
        service["networks"] = Value::Object(nets);
    }
    Some(json!({
        "services": { "waveoff-ground": service },
        "networks": own("networks", &used.networks),
        "volumes": own("volumes", &used.volumes)
    }))
}

/// What the ground of a project consists of: the names of networks, and of volumes.
pub(super) fn ground_names(ground: &Value) -> (Vec<String>, Vec<String>) {
    let names = |of: &str| {
        let all = map(ground, of).into_iter().flatten();
        all.filter_map(|(_, own)| Some(own["name"].as_str()?.to_owned())).collect()
    };
    (names("networks"), names("volumes"))
}

/// The name of a service in a slot.
pub(super) fn renamed(service: &str, slot: &str) -> String {
    format!("{service}-{slot}")
}

/// What every released service gets.
fn release(name: &str, service: &mut Map<String, Value>, wanted: &Wanted<'_>) {
    service.remove("build");
    service.remove("profiles");
    if let Some(image) = wanted.images.get(name) {
        service.insert("image".into(), image.clone().into());
    }
    service.insert("pull_policy".into(), "never".into());
    if service.get("stop_grace_period").is_none_or(Value::is_null) {
        service.insert("stop_grace_period".into(), wanted.grace.into());
    }
    let mut labels = match service.remove("labels") {
        Some(Value::Object(own)) => own,
        Some(Value::Array(own)) => listed(&own),
        _ => Map::new(),
    };
    labels.retain(|key, _| !key.starts_with("dev.waveoff."));
    labels.extend(wanted.labels.iter().map(|(key, text)| ((*key).to_owned(), text.clone().into())));
    labels.insert(super::SERVICE_LABEL.into(), name.into());
    service.insert("labels".into(), Value::Object(labels));
}

/// `KEY=value` lines as a map.
fn listed(lines: &[Value]) -> Map<String, Value> {
    let all = lines.iter().filter_map(Value::as_str);
    let pair = |line: &str| {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        (key.to_owned(), value.into())
    };
    all.map(pair).collect()
}

fn can_be_doubled(name: &str, service: &Map<String, Value>, at: SlotPort<'_>) -> Result<(), Fault> {
    let refuse = |why: String, hint: &str| {
        Err(wrong(format!("the service {name} cannot run twice: {why}")).hint(hint))
    };
    if service.get("network_mode").and_then(Value::as_str) == Some("host") {
        return refuse(
            "it has `network_mode: host`, where both slots would take one port".into(),
            "give it a network of its own, or name it under `restart`",
        );
    }
    for (network, own) in service.get("networks").and_then(Value::as_object).into_iter().flatten() {
        for key in ["ipv4_address", "ipv6_address", "mac_address"] {
            if own.get(key).is_some_and(|own| !own.is_null()) {
                return refuse(
                    format!("it has a fixed `{key}` in the network {network}"),
                    "leave the address out, or name the service under `restart`",
                );
            }
        }
    }
    if service.get("mac_address").is_some_and(|own| !own.is_null()) {
        return refuse("it has a fixed `mac_address`".into(), "leave it out");
    }
    let count = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(1);
    let replicas = service.get("deploy").and_then(|deploy| deploy.get("replicas"));
    if name == at.service && count(service.get("scale")).max(count(replicas)) > 1 {
        return refuse(
            "it has replicas, and a slot's port leads to one container".into(),
            "let one container serve a slot, with more workers inside of it",
        );
    }
    Ok(())
}

/// References to services of the slot follow their new names; what waits for others is dropped,
/// since those run already.
fn references(
    name: &str,
    service: &mut Map<String, Value>,
    switched: &[String],
    slot: &str,
) -> Result<(), Fault> {
    let is_mate = |other: &str| switched.iter().any(|known| known == other);
    let lonely = |key: &str, other: &str| {
        wrong(format!(
            "the service {name} is switched, and its `{key}` refers to {other}, which is not"
        ))
        .hint(format!("name {other} under `switch` too, or {name} under `restart`"))
    };
    if let Some(Value::Object(own)) = service.remove("depends_on") {
        let kept: Map<String, Value> = own
            .into_iter()
            .filter(|(other, _)| is_mate(other))
            .map(|(other, how)| (renamed(&other, slot), how))
            .collect();
        if !kept.is_empty() {
            service.insert("depends_on".into(), Value::Object(kept));
        }
    }
    for key in ["network_mode", "pid", "ipc"] {
        let Some(other) = service.get(key).and_then(Value::as_str) else { continue };
        let Some(other) = other.strip_prefix("service:") else { continue };
        if !is_mate(other) {
            return Err(lonely(key, other));
        }
        let follows = format!("service:{}", renamed(other, slot));
        service.insert(key.into(), follows.into());
    }
    for (key, separator) in [("volumes_from", ':'), ("links", ':')] {
        let Some(Value::Array(own)) = service.remove(key) else { continue };
        let mut kept: Vec<Value> = Vec::new();
        for line in own.iter().filter_map(Value::as_str) {
            let (other, rest) = match line.split_once(separator) {
                Some((other, rest)) => (other, Some(rest)),
                None => (line, None),
            };
            match (key, other, rest) {
                ("volumes_from", "container", _) => kept.push(line.into()),
                ("volumes_from", _, rest) if is_mate(other) => {
                    let rest = rest.map(|rest| format!(":{rest}")).unwrap_or_default();
                    kept.push(format!("{}{rest}", renamed(other, slot)).into());
                }
                ("links", _, rest) if is_mate(other) => {
                    kept.push(format!("{}:{}", renamed(other, slot), rest.unwrap_or(other)).into());
                }
                // By its own name it is found without a link.
                ("links", _, rest) if rest.is_none_or(|alias| alias == other) => {}
                _ => return Err(lonely(key, other)),
            }
        }
        if !kept.is_empty() {
            service.insert(key.into(), Value::Array(kept));
        }
    }
    Ok(())
}

/// What the services of a slot use that is not the slot's own.
#[derive(Debug, Default)]
struct Used {
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    mates: bool,
}

impl Used {
    fn volumes(&mut self, service: &Map<String, Value>) {
        let all = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
        let named = all.filter(|volume| volume["type"] == "volume");
        self.volumes.extend(named.filter_map(|volume| Some(volume["source"].as_str()?.to_owned())));
    }
}

/// A service stays in its networks, without the names that would lead to both slots there; its mates
/// find it by them on a network of their own.
fn networks(name: &str, service: &mut Map<String, Value>, mates: bool, used: &mut Used) {
    if service.get("network_mode").and_then(Value::as_str).is_some() {
        return;
    }
    let own = match service.remove("networks") {
        Some(Value::Object(own)) => own,
        _ => [("default".to_owned(), Value::Null)].into_iter().collect(),
    };
    let mut names = vec![Value::from(name)];
    let mut kept = Map::new();
    for (key, mut how) in own {
        if let Some(aliases) = how.as_object_mut().and_then(|how| how.remove("aliases")) {
            names.extend(aliases.as_array().into_iter().flatten().cloned());
        }
        used.networks.insert(key.clone());
        kept.insert(key, how);
    }
    if mates {
        names.dedup();
        kept.insert(MATES.into(), json!({ "aliases": names }));
        used.mates = true;
    }
    service.insert("networks".into(), Value::Object(kept));
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
