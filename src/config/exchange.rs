//! What must fit together of the keys in [`TransactionSpec`], so that releases can be exchanged.

use std::collections::BTreeMap;

use super::expectation::ExpectSpec;
use super::preflight::PreflightSpec;
use super::transaction::{
    BlueGreenSpec, ComponentSpec, PortsSpec, RouterSpec, StrategySpec, TransactionSpec,
};
use super::values::Period;
use super::{CheckSpec, Loaded};
use crate::decide::naming::Name;
use crate::decide::verdict::Severity;
use crate::exit::Fault;

/// A mistake: the key, what is wrong there, and what would be right.
type Mistake = (String, String, String);

fn wrong(key: &str, what: impl Into<String>, hint: impl Into<String>) -> Result<(), Mistake> {
    Err((key.into(), what.into(), hint.into()))
}

/// Looks whether the keys fit together, before anything is touched.
///
/// # Errors
/// [`Fault`] with exit code 2, the file and the key of the first mistake.
pub fn validate(loaded: &Loaded, spec: &TransactionSpec, service: &str) -> anyhow::Result<()> {
    let preflight = spec.preflight.as_ref().and_then(PreflightSpec::mistake);
    let found = parts(loaded, spec).and_then(|()| times(spec)).and(preflight.map_or(Ok(()), Err));
    let found = found.and_then(|()| match (&spec.strategy, &spec.router) {
        (Some(StrategySpec::BlueGreen(own)), Some(router)) => switched(spec)
            .and_then(|()| slots(own, &components(spec, service), &in_place(spec)))
            .and_then(|()| address(loaded, router))
            .and_then(|()| proof(loaded)),
        (Some(StrategySpec::BlueGreen(_)), None) => wrong(
            "strategy.blue-green",
            "nothing sends requests to the slots",
            "write a `router:` with `nginx`, `haproxy` or `command`",
        ),
        (_, Some(_)) => wrong(
            "router",
            "it sends requests to slots, and the strategy has none",
            "write `strategy: { blue-green: { slots: … } }`, or leave `router` out",
        ),
        (_, None) => Ok(()),
    });
    found.map_err(|(key, what, hint)| {
        Fault::usage(format!("{}: {key}: {what}", loaded.file)).hint(hint).into()
    })
}

/// The parts of a release.
fn parts(loaded: &Loaded, spec: &TransactionSpec) -> Result<(), Mistake> {
    let Some(list) = &spec.components else { return Ok(()) };
    let both = [("platform", spec.platform.is_some()), ("deploy", loaded.config.deploy.is_some())];
    if let Some((key, _)) = both.iter().find(|(_, is_there)| *is_there) {
        return wrong(
            "components",
            format!("`{key}` stands beside them; each component has its own platform"),
            format!("move `{key}` into a component, or leave `components` out"),
        );
    }
    for (index, component) in list.0.iter().enumerate() {
        let key = format!("components[{index}].name");
        if let Err(why) = component.name.parse::<Name>() {
            return wrong(&key, why, "write it like `api` or `web-ui`");
        }
        if list.0[..index].iter().any(|known| known.name == component.name) {
            let what = format!("there is another component `{}`", component.name);
            return wrong(&key, what, "give one of them another name");
        }
    }
    Ok(())
}

/// Something must be in the slots, or the traffic would be switched between nothing and nothing.
fn switched(spec: &TransactionSpec) -> Result<(), Mistake> {
    match &spec.components {
        Some(list) if list.0.iter().all(|component| component.in_place) => wrong(
            "components",
            "all of them are `in-place`, so nothing would be in the slots",
            "leave `in-place` out where requests are answered, or write `strategy: rolling`",
        ),
        _ => Ok(()),
    }
}

/// The names of the parts of a release that are started in slots, in order.
fn components(spec: &TransactionSpec, service: &str) -> Vec<String> {
    match &spec.components {
        Some(list) => names(list.0.iter().filter(|component| !component.in_place)),
        None => vec![service.to_owned()],
    }
}

/// The names of those that stay outside of the slots.
fn in_place(spec: &TransactionSpec) -> Vec<String> {
    let list = spec.components.iter().flat_map(|list| &list.0);
    names(list.filter(|component| component.in_place))
}

fn names<'a>(components: impl Iterator<Item = &'a ComponentSpec>) -> Vec<String> {
    components.map(|component| component.name.clone()).collect()
}

/// Numbers with which nothing would ever be looked at, or decided.
fn times(spec: &TransactionSpec) -> Result<(), Mistake> {
    let (strategy, interval, failures, timeout) = match &spec.strategy {
        Some(StrategySpec::Rolling(own)) => ("rolling", own.interval, own.failures, None),
        Some(StrategySpec::BlueGreen(own)) => {
            ("blue-green", own.interval, own.failures, own.health_check_timeout)
        }
        None => ("rolling", None, None, None),
    };
    let is_zero = |period: Option<Period>| period.is_some_and(|period| period.0.is_zero());
    let at = |key: &str| format!("strategy.{strategy}.{key}");
    let longer = |key: &str| wrong(key, "it is 0", "write how long, like 10s");
    if failures == Some(0) {
        return wrong(&at("failures"), "it is 0", "at least 1 is needed to decide");
    }
    match () {
        () if is_zero(interval) => longer(&at("interval")),
        () if is_zero(timeout) => longer(&at("health-check-timeout")),
        () if is_zero(spec.deploy_within) => longer("deploy-within"),
        () => Ok(()),
    }
}

/// Two slots, and a port of its own in each of them for each component that is started there.
fn slots(own: &BlueGreenSpec, components: &[String], in_place: &[String]) -> Result<(), Mistake> {
    const KEY: &str = "strategy.blue-green.slots";
    if own.slots.len() != 2 {
        let what = format!("two slots take turns, and there are {}", own.slots.len());
        return wrong(KEY, what, "write two, like `slots: { blue: 8001, green: 8002 }`");
    }
    let mut taken: BTreeMap<u16, String> = BTreeMap::new();
    for (slot, ports) in &own.slots {
        let key = format!("{KEY}.{slot}");
        if let Err(why) = slot.parse::<Name>() {
            return wrong(KEY, why, "write it like `blue`");
        }
        for (component, port) in covering(&key, ports, components, in_place)? {
            let place = format!("{component} in {slot}");
            if port == 0 {
                return wrong(&key, "0 is no port", "write a port of 1 or more");
            }
            if let Some(other) = taken.insert(port, place) {
                let what = format!("{other} has the port {port}, too");
                return wrong(&key, what, "both run at once: give each a port of its own");
            }
        }
    }
    Ok(())
}

/// The port of each component in a slot: of all of them, and of nothing else.
fn covering<'a>(
    key: &str,
    ports: &'a PortsSpec,
    components: &'a [String],
    in_place: &[String],
) -> Result<Vec<(&'a str, u16)>, Mistake> {
    let each: Vec<String> = components.iter().map(|name| format!("{name}: 8001")).collect();
    let hint = format!("write a port for each component, like `{{ {} }}`", each.join(", "));
    let what = match (ports, components) {
        (PortsSpec::One(port), [only]) => return Ok(vec![(only, *port)]),
        (PortsSpec::One(_), several) => {
            format!("one port is not enough for {} components", several.len())
        }
        (PortsSpec::Each(ports), all) => {
            let missing = all.iter().find(|name| !ports.contains_key(*name));
            let unknown = ports.keys().find(|name| !all.contains(name));
            match (missing, unknown) {
                (_, Some(name)) if in_place.contains(name) => {
                    format!("`{name}` is `in-place`: it stays outside of the slots")
                }
                (_, Some(name)) => format!("there is no component `{name}`"),
                (Some(name), _) => format!("the component `{name}` has no port"),
                (None, None) => return Ok(ports.iter().map(|(n, p)| (n.as_str(), *p)).collect()),
            }
        }
    };
    Err((key.into(), what, hint))
}

/// Where the router answers.
fn address(loaded: &Loaded, router: &RouterSpec) -> Result<(), Mistake> {
    let (kind, url) = match router {
        RouterSpec::Nginx(own) => ("nginx", &own.url),
        RouterSpec::Haproxy(own) => ("haproxy", &own.url),
        RouterSpec::Command(own) => ("command", &own.url),
    };
    if url.is_some() || loaded.config.public.is_some() {
        return Ok(());
    }
    wrong(
        &format!("router.{kind}.url"),
        "nothing says where the router answers, so no switch could be verified",
        "write it, like `url: http://localhost`, or `public:`",
    )
}

/// Checks that can tell that a slot is well, and which slot answers through the router.
fn proof(loaded: &Loaded) -> Result<(), Mistake> {
    let checks = loaded.config.checks.iter().flat_map(|list| &list.0);
    let asking: Vec<&CheckSpec> = checks
        .map(|check| &check.value)
        .filter(|check| check.severity.unwrap_or(Severity::Critical) == Severity::Critical)
        .filter(|check| check.path.is_some() || check.url.is_some())
        .collect();
    if !asking.iter().any(|check| check.path.is_some()) {
        return wrong(
            "checks",
            "no critical check has a `path`, so the idle slot could not be looked at",
            "write one, like `- path: /health`; it is asked at the slot and through the router",
        );
    }
    if !asking.iter().any(|check| tells_version(check)) {
        return wrong(
            "checks",
            "no critical check tells the version, so nothing would show which slot answers",
            "add `expect: [{ version: { jsonpath: $.version } }]` to a check with `path` or `url`",
        );
    }
    Ok(())
}

/// Whether a check expects the version that is deployed, and not a fixed one.
pub(crate) fn tells_version(check: &CheckSpec) -> bool {
    let mut all = check.expect.iter().flat_map(|list| &list.0);
    all.any(|expect| matches!(expect, ExpectSpec::Version(own) if own.equals.is_none()))
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
