use super::*;
use crate::config::parse;
use crate::exit::{Exit, classify};

const CHECKS: &str = "\
checks:
  - path: /health
    expect: [{ version: { jsonpath: $.version } }]
";
const ROUTER: &str =
    "router: { nginx: { include: /etc/nginx/shop.conf, url: 'http://localhost' } }\n";
const SLOTS: &str = "strategy: { blue-green: { slots: { blue: 8001, green: 8002 } } }\n";

const WITH_WORKER: &str = "\
components:
  - { name: web, platform: { command: { deploy: [./web], stop: [./stop] } } }
  - { name: worker, in-place: true, platform: { command: { deploy: [./worker] } } }
";
const ONLY_WORKERS: &str = "\
components:
  - { name: worker, in-place: true, platform: { command: { deploy: [./worker] } } }
";

fn read(lines: &str) -> anyhow::Result<()> {
    let loaded = parse("waveoff.yml", &format!("version: 1\n{lines}"), |_| None)?;
    let spec = loaded.transaction()?;
    validate(&loaded, &spec, "shop")
}

/// The error, as a program would print it.
fn refused(lines: &str) -> String {
    let error = read(lines).map(|()| panic!("{lines}")).unwrap_err();
    let (exit, hint) = classify(&error);
    assert_eq!(exit, Exit::Usage);
    format!("{error:#}\n{}", hint.unwrap_or_default())
}

fn all_in(parts: &[&str], error: &str, lines: &str) {
    for part in parts {
        assert!(error.contains(part), "{lines:?}: no {part:?} in {error:?}");
    }
}

#[test]
fn what_fits_together_is_accepted() {
    let components = "\
components:
  - { name: api, platform: { command: { deploy: [./api] } } }
  - { name: web, platform: { command: { deploy: [./web] } } }
strategy:
  blue-green:
    slots:
      green: { api: 8011, web: 8012 }
      blue: { web: 8002, api: 8001 }
";
    for lines in [
        "",
        "strategy: rolling\n",
        "strategy: { rolling: {} }\n",
        "strategy: { rolling: { watch: 0s, settle: 10s, previous-tag: /srv/previous } }\n",
        // Refused when a release is deployed, where somebody can allow it.
        "migrate: { command: [./migrate.sh] }\n",
        "capture: { slower: 150% }\n",
        &[CHECKS, ROUTER, SLOTS].concat(),
        &[CHECKS, ROUTER, components].concat(),
        &[CHECKS, ROUTER, SLOTS, WITH_WORKER].concat(),
        WITH_WORKER,
        // Nothing is beside anything without slots.
        ONLY_WORKERS,
    ] {
        read(lines).unwrap();
    }
}

#[test]
fn a_strategy_that_cannot_be_read_names_its_place() {
    for (lines, parts) in [
        ("strategy: rollling\n", &["waveoff.yml:2", "`rollling`", "did you mean `rolling`?"][..]),
        ("strategy: blue-green\n", &["waveoff.yml:2", "strategy", "needs slots", "blue: 8001"]),
        ("strategy: { rolling: {}, blue-green: { slots: { a: 1, b: 2 } } }\n", &["side by side"]),
        ("strategy: {}\n", &["waveoff.yml:2", "the map is empty"]),
        ("strategy: { canary: {} }\n", &["waveoff.yml:2", "`canary`", "rolling, blue-green"]),
        ("strategy: [rolling]\n", &["waveoff.yml:2", "expected `rolling`, or a map"]),
        ("strategy: { rolling: { wacth: 1s } }\n", &["`wacth`", "did you mean `watch`?"]),
        ("strategy: { rolling: { watch: 30 } }\n", &["waveoff.yml:2", "has no unit"]),
        ("strategy: { rolling: }\n", &["waveoff.yml:2", "there is no value"]),
        ("strategy: { blue-green: {} }\n", &["waveoff.yml:2", "`slots` is missing"]),
        (
            "strategy: { blue-green: { slots: { blue: 80000, green: 1 } } }\n",
            &["waveoff.yml:2", "neither a port, like 8001, nor a port for each component"],
        ),
        ("capture: { slower: 1.5 }\n", &["waveoff.yml:2", "50% or 200%"]),
    ] {
        all_in(parts, &refused(lines), lines);
    }
}

#[test]
fn d4_every_mistake_of_slots_names_its_key_and_what_would_be_right() {
    for (slots, parts) in [
        ("{ blue: 8001 }", &["blue-green.slots: two slots take turns, and there are 1"][..]),
        ("{ a: 1, b: 2, c: 3 }", &["there are 3", "slots: { blue: 8001, green: 8002 }"]),
        ("{ ../up: 8001, green: 8002 }", &["blue-green.slots: ", "path separator", "`blue`"]),
        ("{ blue: 8001, green: 8001 }", &["slots.green: shop in blue has the port 8001, too"]),
        ("{ blue: 0, green: 8001 }", &["slots.blue: 0 is no port"]),
        (
            "{ blue: { api: 1 }, green: 2 }",
            &["slots.blue: there is no component `api`", "shop: 80"],
        ),
        ("{ blue: {}, green: 2 }", &["slots.blue: the component `shop` has no port"]),
    ] {
        let lines = format!("{CHECKS}{ROUTER}strategy: {{ blue-green: {{ slots: {slots} }} }}\n");
        all_in(&["waveoff.yml: strategy."], &refused(&lines), &lines);
        all_in(parts, &refused(&lines), &lines);
    }
    let components = "\
components:
  - { name: api, platform: { command: { deploy: [./api] } } }
  - { name: web, platform: { command: { deploy: [./web] } } }
";
    let lines = [CHECKS, ROUTER, SLOTS, components].concat();
    let parts = ["slots.blue: one port is not enough for 2 components", "{ api: 8001, web: 8001 }"];
    all_in(&parts, &refused(&lines), &lines);
}

#[test]
fn d4_what_stays_outside_of_the_slots_has_no_port_there_and_is_not_all_there_is() {
    let named = "\
strategy:
  blue-green:
    slots: { blue: { web: 8001, worker: 8011 }, green: { web: 8002, worker: 8012 } }
";
    let lines = [CHECKS, ROUTER, named, WITH_WORKER].concat();
    let parts = ["slots.blue: `worker` is `in-place`: it stays outside", "like `{ web: 8001 }`"];
    all_in(&parts, &refused(&lines), &lines);
    let lines = [CHECKS, ROUTER, SLOTS, ONLY_WORKERS].concat();
    let parts = ["waveoff.yml: components: all of them are `in-place`", "strategy: rolling"];
    all_in(&parts, &refused(&lines), &lines);
}

#[test]
fn d4_every_key_that_is_missing_beside_slots_is_named() {
    let plain = "router: { haproxy: { socket: /run/h.sock, backend: shop } }\n";
    let own = "router: { command: { switch: [./switch] } }\n";
    let without_version = "checks:\n  - path: /health\n";
    let fixed = "checks:\n  - path: /h\n    expect: [{ version: { body: true, equals: v1 } }]\n";
    let warned =
        "checks:\n  - { path: /h, severity: warning, expect: [{ version: { body: true } }] }\n";
    let elsewhere =
        "checks:\n  - url: http://localhost/h\n    expect: [{ version: { body: true } }]\n";
    for (lines, parts) in [
        ([CHECKS, SLOTS, ""], &["waveoff.yml: strategy.blue-green: ", "write a `router:`"][..]),
        ([CHECKS, ROUTER, ""], &["waveoff.yml: router: ", "leave `router` out"]),
        ([CHECKS, ROUTER, "strategy: rolling\n"], &["waveoff.yml: router: "]),
        ([CHECKS, plain, SLOTS], &["waveoff.yml: router.haproxy.url: ", "or `public:`"]),
        ([CHECKS, own, SLOTS], &["waveoff.yml: router.command.url: "]),
        ([elsewhere, ROUTER, SLOTS], &["waveoff.yml: checks: no critical check has a `path`"]),
        ([warned, ROUTER, SLOTS], &["waveoff.yml: checks: no critical check has a `path`"]),
        (["", ROUTER, SLOTS], &["waveoff.yml: checks: ", "- path: /health"]),
        ([without_version, ROUTER, SLOTS], &["checks: no critical check tells the version"]),
        ([fixed, ROUTER, SLOTS], &["tells the version", "version: { jsonpath: $.version }"]),
    ] {
        all_in(parts, &refused(&lines.concat()), &lines.concat());
    }
    assert!(read(&[CHECKS, plain, SLOTS, "public: http://localhost\n"].concat()).is_ok());
}

#[test]
fn every_mistake_of_components_and_of_times_names_its_key() {
    let one = |name: &str| {
        format!("  - {{ name: {name}, platform: {{ command: {{ deploy: [a] }} }} }}\n")
    };
    let twice = format!("components:\n{}{}", one("api"), one("api"));
    let hostile = format!("components:\n{}", one("\"-rf\""));
    let beside = format!("components:\n{}deploy: [./ship.sh]\n", one("api"));
    let platform =
        format!("components:\n{}platform: {{ command: {{ deploy: [a] }} }}\n", one("api"));
    for (lines, parts) in [
        (twice.as_str(), &["waveoff.yml: components[1].name: ", "another component `api`"][..]),
        (hostile.as_str(), &["waveoff.yml: components[0].name: ", "begins with a mark"]),
        (beside.as_str(), &["waveoff.yml: components: `deploy` stands beside them"]),
        (platform.as_str(), &["components: `platform` stands beside", "into a component"]),
        ("strategy: { rolling: { failures: 0 } }\n", &["strategy.rolling.failures: it is 0"]),
        ("strategy: { rolling: { interval: 0s } }\n", &["strategy.rolling.interval: it is 0"]),
        ("deploy-within: 0s\n", &["waveoff.yml: deploy-within: it is 0"]),
    ] {
        all_in(parts, &refused(lines), lines);
    }
    let zero = "strategy: { blue-green: { slots: { a: 1, b: 2 }, health-check-timeout: 0s } }\n";
    all_in(&["blue-green.health-check-timeout: it is 0"], &refused(zero), zero);
}
