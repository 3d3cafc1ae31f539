//! `--metrics`: what a run saw, as Prometheus reads it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{Program, Ran, Server, read};
use crate::parts::part;

/// Reads a text strictly by the exposition format 0.0.4: each sample belongs to the family above
/// it, each line of labels is whole, and no sample stands twice. Gives name, labels and value.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    assert!(text.ends_with('\n'), "{text}");
    let (mut family, mut families) = (String::new(), BTreeSet::new());
    let (mut samples, mut known) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').unwrap().0.to_owned();
            assert!(families.insert(family.clone()), "{line}");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(name == family && ["gauge", "counter"].contains(&kind), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert_eq!(name, family, "{line}");
        assert!(known.insert(series.to_owned()), "twice: {line}");
        let labels = labels.strip_suffix('}').unwrap();
        whole(labels);
        samples.push((name.to_owned(), labels.to_owned(), value.parse().unwrap()));
    }
    samples
}

/// `name="value",…` with nothing but `\\`, `\"` and `\n` escaped.
fn whole(mut labels: &str) {
    while !labels.is_empty() {
        let (name, rest) = labels.split_once("=\"").unwrap();
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{labels}");
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (_, '\\') => {
                    let (_, escaped) = chars.next().unwrap();
                    assert!("\\\"n".contains(escaped), "{labels}");
                }
                (at, '"') => break at,
                _ => {}
            }
        };
        labels = &rest[end + 1..];
        labels = labels.strip_prefix(',').unwrap_or(labels);
    }
}

fn run(program: &str, server: &Server, config: &str, code: i32) -> (Ran, String) {
    let (child, folder) = Program::new(program)
        .file("waveoff.yml", config)
        .env("BASE", server.url("").trim_end_matches('/'))
        .env("API_TOKEN", "hunter2hunter2")
        .env("WAVEOFF_METRICS", "metrics.prom")
        .start();
    let ran = Ran::of(child.wait_with_output().unwrap()).expect_code(code);
    (ran, read(folder.path(), "metrics.prom"))
}

fn health() -> Server {
    Server::new(|request, _| {
        match request.path() {
        "/health" => (
            200,
            "Content-Type: application/json\r\n".into(),
            r#"{"status":"ok","circuit_breakers":{"pay":"CLOSED","mail":{"state":"half_open"},"old":"open"}}"#.into(),
        ),
        "/ok" => (200, String::new(), "ok".into()),
        _ => (500, String::new(), "no".into()),
    }
    })
}

const CONFIG: &str = r#"
version: 1
service: shop
checks:
  - url: ${BASE}/health
    name: health
    health: { except-circuits: [mail, old] }
  - url: ${BASE}/ok
    name: "with \"quotes\" and \\ and ${API_TOKEN}"
  - url: ${BASE}/broken
    name: broken
    attempts: 2
    interval: 1ms
  - url: ${BASE}/ok
    name: unknown
    expect: [{ health: auto }, { jsonpath: { path: $.a, equals: 1 } }]
    attempts: 1
  - tcp: localhost:1
    name: needs
    attempts: 1
"#;

#[test]
fn p6_a_run_is_told_as_metrics() {
    let server = health();
    let (_, text) = run("smoke-test", &server, CONFIG, 10);
    let found = samples(&text);
    let value = |name: &str, labels: &str| {
        let found = found.iter().find(|(n, l, _)| n == name && l.contains(labels));
        found.unwrap_or_else(|| panic!("no {name} {labels}: {text}")).2
    };
    assert_eq!(value("service_available", r#"service="shop",check="health""#), 1.0);
    assert_eq!(value("service_available", r#"check="with \"quotes\" and \\ and ***""#), 1.0);
    assert_eq!(value("service_available", r#"check="broken""#), 0.0);
    assert_eq!(value("health_check_attempts_total", r#"check="broken""#), 2.0);
    assert!(value("health_check_latency_seconds", r#"check="health""#) > 0.0);
    assert!(value("health_check_duration_seconds", r#"check="health""#) < 60.0);
    assert!(value("health_check_timestamp_seconds", r#"service="shop""#) > 1.7e9);
    for (name, state) in [("pay", 0.0), ("mail", 1.0), ("old", 2.0)] {
        let labels = format!(r#"service="shop",check="health",name="{name}""#);
        assert_eq!(value("circuit_breaker_state", &labels), state, "{name}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let Some(promtool) = part("promtool") else { return };
    let mut promtool = Command::new(promtool);
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let told = child.wait_with_output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn p6_what_was_not_seen_is_not_told_as_available() {
    let server = health();
    let config = "version: 1\nchecks:\n  - url: http://name.invalid/\n    attempts: 1\n";
    let (_, text) = run("smoke-test", &server, config, 12);
    let found = samples(&text);
    let available = found.iter().find(|(name, ..)| name == "service_available").unwrap();
    assert!(available.2.is_nan(), "{text}");
    let config = "version: 1\nchecks:\n  - url: ${BASE}/ok\n";
    let (_, text) = run("wait-healthy", &server, config, 0);
    assert!(text.contains("service_available{check=\""), "{text}");
    assert_eq!(samples(&text).iter().filter(|(n, ..)| n == "service_available").count(), 1);
    let (_, text) = run("wait-healthy", &server, "version: 2\n", 2);
    assert!(!text.contains("service_available{"), "{text}");
}
