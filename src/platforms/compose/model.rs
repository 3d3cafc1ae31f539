//! What a rendered Compose model says of a release: its services, of which kind each of them is,
//! which image each one has. Pure: a model is plain data, as `docker compose config` prints it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::compose::{ComposeSpec, ContainerPort};
use crate::exit::Fault;

/// The services of a model, by what becomes of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Kinds {
    /// In slots, where there are any; else in place.
    pub switch: Vec<String>,
    /// In place.
    pub restart: Vec<String>,
    /// Started when they do not run, and else left alone.
    pub shared: Vec<String>,
}

impl Kinds {
    /// The services that have a release's images.
    pub(super) fn released(&self) -> impl Iterator<Item = &String> {
        self.switch.iter().chain(&self.restart)
    }
}

/// A rendered model: the same one with the release's version and with another one that was made up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rendered<'a> {
    /// With the version.
    pub model: &'a Value,
    /// With the other one.
    pub other: &'a Value,
}

/// The services of a model.
pub(super) fn services(model: &Value) -> impl Iterator<Item = (&String, &Value)> {
    model["services"].as_object().into_iter().flatten()
}

/// The image of a service; empty where it has none.
pub(super) fn image<'a>(model: &'a Value, service: &str) -> &'a str {
    model["services"][service]["image"].as_str().unwrap_or_default()
}

/// A map below a key; none when it is absent or null.
pub(super) fn map<'a>(value: &'a Value, key: &str) -> Option<&'a Map<String, Value>> {
    value.get(key).and_then(Value::as_object)
}

/// The name of what is used under a key of the model's networks or volumes.
pub(super) fn resolved(model: &Value, of: &str, key: &str) -> String {
    let project = model["name"].as_str().unwrap_or_default();
    let own = model[of][key]["name"].as_str().map(str::to_owned);
    own.unwrap_or_else(|| format!("{project}_{key}"))
}

impl Rendered<'_> {
    /// Whether a service's image is another one for another version.
    fn depends(&self, service: &str) -> bool {
        image(self.model, service) != image(self.other, service)
    }

    /// Tells the kinds of services apart. Without any list, what a version changes is restarted, and
    /// the rest is shared.
    ///
    /// # Errors
    /// When a list names no service, a service is in two lists or in none, or no list says what is
    /// switched, where there are `slots`.
    pub(super) fn kinds(&self, spec: &ComposeSpec, slots: bool) -> Result<Kinds, Fault> {
        let known: Vec<&String> = services(self.model).map(|(name, _)| name).collect();
        let list = |own: &Option<crate::config::values::NonEmpty<String>>| {
            own.as_ref().map(|list| list.0.clone()).unwrap_or_default()
        };
        let kinds = Kinds {
            switch: list(&spec.switch),
            restart: list(&spec.restart),
            shared: list(&spec.shared),
        };
        if spec.switch.is_none() && spec.restart.is_none() && spec.shared.is_none() && !slots {
            let (restart, shared): (Vec<String>, Vec<String>) =
                known.into_iter().cloned().partition(|service| self.depends(service));
            if restart.is_empty() {
                return Err(wrong("no service has an image that depends on the version")
                    .hint("write `image: …:${WAVEOFF_VERSION}` into the Compose file"));
            }
            return Ok(Kinds { switch: Vec::new(), restart, shared });
        }
        let mut seen = BTreeMap::new();
        let lists =
            [("switch", &kinds.switch), ("restart", &kinds.restart), ("shared", &kinds.shared)];
        for (key, service) in
            lists.iter().flat_map(|(key, list)| list.iter().map(move |s| (key, s)))
        {
            if !known.contains(&service) {
                let all = known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(wrong(format!(
                    "`{key}` names {service:?}, and there is no such service"
                ))
                .hint(format!("the Compose file has: {all}")));
            }
            if let Some(first) = seen.insert(service, key) {
                return Err(wrong(format!("the service {service} is in `{first}` and in `{key}`"))
                    .hint("leave it in one of them"));
            }
        }
        if let Some(service) = known.iter().find(|service| !seen.contains_key(**service)) {
            return Err(wrong(format!("nothing says what becomes of the service {service}")).hint(
                "name it under `switch` (one for each slot), `restart` (in place) or `shared` \
                 (never duplicated, never recreated)",
            ));
        }
        if slots && kinds.switch.is_empty() {
            return Err(wrong("there are slots, and no service is switched")
                .hint("name the services that serve requests under `switch`"));
        }
        if kinds.released().next().is_none() {
            return Err(wrong("no service is switched or restarted: there is nothing to deploy")
                .hint("name the services that are yours under `switch` or `restart`"));
        }
        Ok(kinds)
    }

    /// Pins images by the digests that a release was given, as `repository@sha256:…`, and looks
    /// whether each released service has an image that is the release's own. Gives the image of each.
    ///
    /// # Errors
    /// When an image would be the same for every version, a service has none, or, where `all` of the
    /// digests belong here, one of them fits no image.
    pub(super) fn images(
        &self,
        own: &[&String],
        digests: &[String],
        all: bool,
    ) -> Result<BTreeMap<String, String>, Fault> {
        let mut used = BTreeSet::new();
        let mut images = BTreeMap::new();
        for service in own.iter().copied() {
            let image = image(self.model, service);
            if image.is_empty() {
                return Err(wrong(format!("the service {service} is built, and has no image"))
                    .hint("build and push it before, and write `image: …:${WAVEOFF_VERSION}`"));
            }
            let pin = digests.iter().find(|digest| {
                digest
                    .split_once("@sha256:")
                    .is_some_and(|(of, _)| repository(of) == repository(image))
            });
            if let Some(digest) = pin {
                used.insert(digest);
                images.insert(service.clone(), digest.clone());
                continue;
            }
            if !self.depends(service) && !image.contains("@sha256:") {
                return Err(wrong(format!(
                    "the service {service} has the image {image:?} in every version"
                ))
                .hint("write `image: …:${WAVEOFF_VERSION}`, give its --digest, or name the service under `shared`"));
            }
            images.insert(service.clone(), image.to_owned());
        }
        match digests.iter().find(|digest| all && !used.contains(digest)) {
            None => Ok(images),
            Some(digest) => Err(Fault::usage(format!("--digest: {digest:?} fits no image of the release"))
                .hint("write it as repository@sha256:…, with the repository of a switched or restarted service")),
        }
    }
}

/// The service, and its port, to which a slot's port leads.
///
/// # Errors
/// When that is not clear.
pub(super) fn port(
    model: &Value,
    kinds: &Kinds,
    port: Option<&ContainerPort>,
) -> Result<(String, u16), Fault> {
    let targets = |service: &String| published(&model["services"][service]);
    let candidates: Vec<&String> = if kinds.switch.is_empty() {
        kinds.restart.iter().collect()
    } else {
        kinds.switch.iter().collect()
    };
    match port {
        Some(ContainerPort::Service(map)) => match map.iter().next() {
            Some((service, port)) if map.len() == 1 && candidates.contains(&service) => {
                Ok((service.clone(), *port))
            }
            _ => Err(wrong("`port` does not name one service that is switched")
                .hint("write `port: { web: 8080 }`, with the service that serves requests")),
        },
        Some(ContainerPort::Of(port)) => {
            let serving: Vec<_> = candidates.iter().filter(|s| !targets(s).is_empty()).collect();
            match (candidates.as_slice(), serving.as_slice()) {
                ([one], _) => Ok(((*one).clone(), *port)),
                (_, [one]) => Ok(((**one).clone(), *port)),
                _ => Err(wrong(format!("`port` is {port}, and nothing says of which service"))
                    .hint(format!("write `port: {{ web: {port} }}`"))),
            }
        }
        None => {
            let of = |ports: &dyn Fn(&String) -> Vec<u16>| -> Vec<(String, u16)> {
                let all = candidates.iter();
                all.flat_map(|s| ports(s).into_iter().map(|port| ((*s).clone(), port))).collect()
            };
            let exposed = |service: &String| exposed(&model["services"][service]);
            let found = of(&targets);
            let found = if found.is_empty() { of(&exposed) } else { found };
            match <[_; 1]>::try_from(found) {
                Ok([one]) => Ok(one),
                Err(many) => {
                    let all: Vec<_> = many.iter().map(|(s, port)| format!("{s}:{port}")).collect();
                    let what = if many.is_empty() { "none".into() } else { all.join(", ") };
                    Err(wrong(format!(
                        "to which container port does a slot's port lead? {what} found"
                    ))
                    .hint("write `port: { web: 8080 }`"))
                }
            }
        }
    }
}

/// The container ports that a service publishes by TCP.
fn published(service: &Value) -> Vec<u16> {
    let ports = service["ports"].as_array().into_iter().flatten();
    let tcp = ports.filter(|port| port["protocol"].as_str().is_none_or(|name| name == "tcp"));
    let mut all: Vec<u16> = tcp.filter_map(|port| number(&port["target"])).collect();
    all.dedup();
    all
}

fn exposed(service: &Value) -> Vec<u16> {
    service["expose"].as_array().into_iter().flatten().filter_map(number).collect()
}

/// Where a published container port is reached from this machine, if it is published there.
pub(super) fn address(model: &Value, service: &str, target: u16) -> Option<String> {
    let ports = model["services"][service]["ports"].as_array()?;
    let port = ports.iter().find(|port| number(&port["target"]) == Some(target))?;
    let published = number(&port["published"])?;
    let host = match port["host_ip"].as_str() {
        None | Some("" | "0.0.0.0" | "::") => "127.0.0.1",
        Some(own) => own,
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Some(format!("http://{host}:{published}"))
}

fn number(value: &Value) -> Option<u16> {
    let own = value.as_u64().and_then(|number| u16::try_from(number).ok());
    own.or_else(|| value.as_str()?.split('/').next()?.parse().ok())
}

/// What an image is called without its tag and digest, as Docker knows it.
pub(super) fn repository(image: &str) -> String {
    let plain = image.split('@').next().unwrap_or_default();
    let start = plain.rfind('/').map_or(0, |at| at + 1);
    let end = plain[start..].find(':').map_or(plain.len(), |at| start + at);
    let plain = &plain[..end];
    let plain = plain.strip_prefix("docker.io/").unwrap_or(plain);
    let plain = plain.strip_prefix("index.docker.io/").unwrap_or(plain);
    plain.strip_prefix("library/").unwrap_or(plain).to_owned()
}

/// The registry that an image comes from.
pub(super) fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

/// A model as it is without images and version, for telling whether anything else has changed.
pub(super) fn without_images(other: &Value) -> String {
    let mut plain = other.clone();
    if let Some(all) = plain.get_mut("services").and_then(Value::as_object_mut) {
        for service in all.values_mut().filter_map(Value::as_object_mut) {
            service.remove("image");
        }
    }
    plain.sort_all_objects();
    plain.to_string()
}

/// A mistake in the configuration of the platform.
pub(super) fn wrong(message: impl std::fmt::Display) -> Fault {
    Fault::usage(format!("platform.compose: {message}"))
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
