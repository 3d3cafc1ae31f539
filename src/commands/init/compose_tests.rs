use super::super::proposal::{About, RouterWord, propose};
use super::*;
use crate::config::{self, exchange};
use crate::deploy::{Scope, State};
use crate::exit::{Exit, classify};
use crate::host::{env, files};

fn none(_: &str) -> Option<String> {
    None
}

fn one(text: &str) -> Vec<(String, String)> {
    vec![("compose.yml".into(), text.into())]
}

/// The error, as a program would print it.
fn refused(text: &str) -> String {
    let error = read(&one(text), &none).unwrap_err();
    let (exit, hint) = classify(&error);
    assert_eq!(exit, Exit::Usage);
    format!("{error:#}\n{}", hint.unwrap_or_default())
}

/// Compose files as they are found, each with what is proposed for it.
const FIXTURES: [&str; 14] = [
    "asked-for-command",
    "asked-for-haproxy",
    "asked-for-nginx",
    "django-celery",
    "fixed-tag",
    "nginx-in-container",
    "nginx-on-host-network",
    "node-dev",
    "only-others",
    "only-workers",
    "plain",
    "rails-sidekiq",
    "several-ports",
    "traefik",
];

/// `UPDATE=1` writes the proposals anew.
#[test]
fn every_fixture_is_proposed_as_it_stands_there_and_can_be_read() {
    for name in FIXTURES {
        let file = format!("{}/src/commands/init/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = files::read_text(format!("{file}.compose.yml")).unwrap();
        let router = match text.lines().next().unwrap().strip_prefix("# --router ") {
            Some("nginx") => Some(RouterWord::Nginx),
            Some("haproxy") => Some(RouterWord::Haproxy),
            Some("command") => Some(RouterWord::Command),
            _ => None,
        };
        let env_file = text.contains("# with .env").then(|| ".env".to_owned());
        let project = read(&[("compose.yml".into(), text)], &none).unwrap();
        let (folder, project_name) = ("My Shop".to_owned(), "myshop".to_owned());
        let about = About { folder, project: project_name, env_file, router };
        let proposed = propose(&project, &about).text;
        let wanted = format!("{file}.waveoff.yml");
        if env::var("UPDATE").is_some() {
            files::replace(&wanted, proposed.as_bytes()).unwrap();
        }
        let there = files::read_text(&wanted).unwrap_or_default();
        assert_eq!(proposed, there, "{wanted} is out of date: run the tests with UPDATE=1");
        can_be_read(&proposed, &wanted);
    }
}

/// By everything that reads it before anything is deployed.
fn can_be_read(text: &str, name: &str) {
    let loaded = config::parse(name, text, none).unwrap();
    let spec = loaded.transaction().unwrap();
    let service = loaded.config.service.clone().unwrap();
    exchange::validate(&loaded, &spec, &service).unwrap();
    let scope = Scope::new(&service, "test").unwrap();
    let state = State::named(Some("/nonexistent")).unwrap();
    let parts = crate::deploy::parts::Parts::of(&loaded, &spec, &scope, &state);
    let why = parts.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(why.is_empty() || why.contains("beside slots"), "{name}: {why}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    for (text, parts) in [
        ("services: [\n", &["compose.yml:", "it is no YAML", "docker compose config"][..]),
        ("services:\n  web: {}\n  web: {}\n", &["compose.yml:3:", "it is no YAML", "web"]),
        ("", &["compose.yml", "--compose"]),
        ("- web\n", &["compose.yml: it is no map of keys"]),
        ("version: '3'\n", &["compose.yml: there are no services", "--compose"]),
        ("services: {}\n", &["there are no services"]),
        ("services: [web]\n", &["compose.yml: services: this is not a map"]),
        ("services: { web: nginx }\n", &["services: \"web\" is not a map"]),
        ("include: [a.yml]\nservices: {}\n", &["has an `include`", "docker compose config"]),
        (
            "services:\n  web:\n    extends: { service: base }\n",
            &["the service \"web\" has an `extends`", "docker compose config > whole.yml"],
        ),
        (
            "services: { web: { image: a, profiles: [dev] } }\n",
            &["each of its services has a profile"],
        ),
    ] {
        let error = refused(text);
        for part in parts {
            assert!(error.contains(part), "{text:?}: no {part:?} in {error:?}");
        }
    }
}

#[test]
fn ports_volumes_and_health_checks_are_read_in_each_of_their_forms() {
    let text = "\
services:
  web:
    image: acme/web:${TAG:-1}
    ports: ['127.0.0.1:8080:80', '443:8443/tcp', '53:53/udp', '9000', 7000-7001:7000-7001, { target: 81, published: '82' }]
    expose: [3000, '3001/udp']
    volumes: ['data:/data', './src:/src', /abs:/abs, { type: volume, source: more, target: /m }]
    healthcheck: { test: [CMD-SHELL, 'curl -fsS \"http://localhost:${PORT:-80}/up?deep=1\" || exit 1'] }
";
    let project = read(&one(text), &none).unwrap();
    let Found { service, place } = &project.services[0];
    assert_eq!(place, "compose.yml:3");
    let published = [(Some(8080), 80), (Some(443), 8443), (None, 9000), (None, 7000)];
    assert_eq!(service.ports[..4], published);
    assert_eq!(service.ports[4..], [(Some(82), 81)]);
    assert_eq!(
        (service.exposes.as_slice(), service.volumes.join(" ")),
        (&[3000][..], "data more".into())
    );
    assert_eq!(service.health.as_deref(), Some("http://localhost:80/up?deep=1"));
}

#[test]
fn a_second_file_is_merged_as_compose_does_and_anchors_are_followed() {
    let first = "\
x-app: &app { image: acme/app:1, volumes: [a:/a] }
services:
  web: { <<: *app, ports: ['80:80'], healthcheck: { test: [CMD, curl, 'http://localhost/a'] } }
  worker: { <<: *app }
";
    let second = "\
services:
  web: { image: acme/web:2, ports: ['81:81'], healthcheck: { test: [CMD, curl, 'http://localhost/b'] } }
";
    let files = [("a.yml".to_owned(), first.to_owned()), ("b.yml".to_owned(), second.to_owned())];
    let project = read(&files, &none).unwrap();
    let [web, worker] = project.services.as_slice() else { panic!("{project:?}") };
    assert_eq!((web.service.image.as_deref(), web.place.as_str()), (Some("acme/web:2"), "b.yml:2"));
    assert_eq!(web.service.ports, [(Some(80), 80), (Some(81), 81)]);
    assert_eq!(web.service.health.as_deref(), Some("http://localhost/b"));
    assert_eq!(worker.service.image.as_deref(), Some("acme/app:1"));
    let text = propose(&project, &About::default()).text;
    assert!(text.contains("file: [a.yml, b.yml] # leave the second one out"), "{text}");
    can_be_read(&text, "merged");
}

#[test]
fn what_stands_in_a_compose_file_stays_text() {
    let text = "\
name: \"evil\\nservice: x\"
services:
  \"on\": { image: 'acme/web:1\\n#', ports: ['80:80'], healthcheck: { test: 'curl http://localhost/a#b' } }
  \"a b: ${HOME}\": { build: . }
";
    let project = read(&one(text), &none).unwrap();
    let proposed = propose(&project, &About::default());
    can_be_read(&proposed.text, "hostile");
    assert!(proposed.text.contains("- \"on\" #"), "{}", proposed.text);
    assert!(proposed.text.contains("- \"a b: $${HOME}\" #"), "{}", proposed.text);
    assert!(proposed.text.contains("- path: \"/a#b\""), "{}", proposed.text);
}
