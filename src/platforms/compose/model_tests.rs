use serde_json::json;

use super::*;

fn spec(yaml: &str) -> ComposeSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

/// The shop, as Compose renders it for a version.
fn shop(version: &str) -> Value {
    json!({
        "name": "shop",
        "services": {
            "web": {
                "image": format!("ghcr.io/acme/web:{version}"),
                "ports": [{ "target": 8080, "published": "80", "protocol": "tcp" }],
                "environment": { "VERSION": version }
            },
            "worker": { "image": format!("ghcr.io/acme/worker:{version}") },
            "db": { "image": "postgres:15" }
        },
        "volumes": { "data": { "name": "shop_data" } }
    })
}

fn kinds(yaml: &str, slots: bool) -> Result<Kinds, Fault> {
    let (model, other) = (shop("v1"), shop("another"));
    Rendered { model: &model, other: &other }.kinds(&spec(yaml), slots)
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn without_lists_what_the_version_changes_is_restarted_and_the_rest_is_shared() {
    let kinds = kinds("{}", false).unwrap();
    assert_eq!(kinds.restart, names(&["web", "worker"]));
    assert_eq!(kinds.shared, names(&["db"]));
    assert!(kinds.switch.is_empty());
}

#[test]
fn a_service_that_no_list_names_is_refused_by_its_name() {
    let fault = kinds("{ switch: [web], shared: [db] }", false).unwrap_err();
    assert!(fault.to_string().contains("the service worker"), "{fault}");
    assert!(fault.hint.unwrap().contains("`restart`"));
}

#[test]
fn lists_that_contradict_themselves_are_refused() {
    for (yaml, slots, reason) in [
        (
            "{ switch: [web], restart: [web, worker], shared: [db] }",
            false,
            "`switch` and in `restart`",
        ),
        ("{ switch: [wbe], restart: [worker], shared: [db, web] }", false, "\"wbe\""),
        ("{ restart: [web, worker], shared: [db] }", true, "no service is switched"),
        ("{}", true, "nothing says what becomes of"),
        ("{ shared: [web, worker, db] }", false, "nothing to deploy"),
    ] {
        let fault = kinds(yaml, slots).unwrap_err();
        assert!(fault.to_string().contains(reason), "{yaml}: {fault}");
        assert!(fault.hint.is_some());
    }
}

fn images(yaml: &str, digests: &[&str], all: bool) -> Result<BTreeMap<String, String>, Fault> {
    let (model, other) = (shop("v1"), shop("another"));
    let rendered = Rendered { model: &model, other: &other };
    let kinds = rendered.kinds(&spec(yaml), false).unwrap();
    rendered.images(&kinds.released().collect::<Vec<_>>(), &names(digests), all)
}

const DIGEST: &str = "sha256:0011223344556677889900112233445566778899001122334455667788990011";

#[test]
fn an_image_that_is_the_same_in_every_version_is_not_a_release() {
    let own = "{ restart: [web, worker, db] }";
    let fault = images(own, &[], true).unwrap_err();
    assert!(fault.to_string().contains("\"postgres:15\" in every version"), "{fault}");
    assert!(fault.hint.unwrap().contains("${WAVEOFF_VERSION}"));
    let pinned = format!("docker.io/library/postgres@{DIGEST}");
    assert_eq!(images(own, &[&pinned], true).unwrap()["db"], pinned);
}

#[test]
fn a_digest_pins_the_image_of_its_repository_and_must_fit_one() {
    let pinned = format!("ghcr.io/acme/web@{DIGEST}");
    let found = images("{}", &[&pinned], true).unwrap();
    assert_eq!(found["web"], pinned);
    assert_eq!(found["worker"], "ghcr.io/acme/worker:v1");
    let stray = format!("ghcr.io/acme/wed@{DIGEST}");
    let fault = images("{}", &[&stray], true).unwrap_err();
    assert!(fault.to_string().contains("fits no image"), "{fault}");
    assert!(images("{}", &[&stray], false).is_ok(), "it may belong to another component");
    assert!(images("{}", &[DIGEST], true).is_err(), "it does not say of what");
}

#[test]
fn a_service_that_is_only_built_is_refused() {
    let mut model = shop("v1");
    model["services"]["web"] = json!({ "build": { "context": "/srv" } });
    let rendered = Rendered { model: &model, other: &shop("another") };
    let kinds = rendered.kinds(&spec("{ restart: [web, worker], shared: [db] }"), false).unwrap();
    let fault = rendered.images(&kinds.released().collect::<Vec<_>>(), &[], true).unwrap_err();
    assert!(fault.to_string().contains("web is built"), "{fault}");
}

#[test]
fn repositories_are_the_same_by_all_their_names() {
    for (image, wanted) in [
        ("postgres:15", "postgres"),
        ("docker.io/library/postgres", "postgres"),
        ("index.docker.io/acme/web:1", "acme/web"),
        ("localhost:5000/web:v1", "localhost:5000/web"),
        ("localhost:5000/web", "localhost:5000/web"),
        ("ghcr.io/a/b:v1@sha256:00", "ghcr.io/a/b"),
    ] {
        assert_eq!(repository(image), wanted);
    }
    for (image, wanted) in [
        ("postgres:15", "docker.io"),
        ("acme/web", "docker.io"),
        ("localhost/web", "localhost"),
        ("localhost:5000/web", "localhost:5000"),
        ("ghcr.io/a/b@sha256:00", "ghcr.io"),
    ] {
        assert_eq!(registry(image), wanted);
    }
}

#[test]
fn the_port_is_the_one_that_is_published_or_the_one_that_is_named() {
    let of = |model: &Value, own: Option<ContainerPort>| {
        let kinds = Kinds { switch: names(&["web", "worker"]), ..Kinds::default() };
        port(model, &kinds, own.as_ref())
    };
    let mut model = shop("v1");
    assert_eq!(of(&model, None).unwrap(), ("web".into(), 8080));
    assert_eq!(of(&model, Some(ContainerPort::Of(9))).unwrap(), ("web".into(), 9));
    let named = |name: &str| ContainerPort::Service([(name.to_owned(), 7)].into());
    assert_eq!(of(&model, Some(named("worker"))).unwrap(), ("worker".into(), 7));
    assert!(of(&model, Some(named("db"))).is_err(), "it is not switched");
    model["services"]["worker"]["expose"] = json!(["9000"]);
    assert_eq!(of(&model, None).unwrap(), ("web".into(), 8080), "what is published counts first");
    model["services"]["worker"]["ports"] = json!([{ "target": 53, "protocol": "udp" }]);
    assert_eq!(of(&model, None).unwrap(), ("web".into(), 8080), "and by TCP");
    model["services"]["worker"]["ports"] = json!([{ "target": 9000 }]);
    let fault = of(&model, None).unwrap_err();
    assert!(fault.to_string().contains("web:8080, worker:9000"), "{fault}");
    assert!(of(&model, Some(ContainerPort::Of(9))).is_err(), "of which service?");
}

#[test]
fn an_address_is_one_of_this_machine() {
    let with = |port: Value| {
        let model = json!({ "services": { "web": { "ports": [port] } } });
        address(&model, "web", 8080)
    };
    let port = |host: &str| json!({ "target": 8080, "published": "80", "host_ip": host });
    assert_eq!(with(port("")).as_deref(), Some("http://127.0.0.1:80"));
    assert_eq!(with(port("0.0.0.0")).as_deref(), Some("http://127.0.0.1:80"));
    assert_eq!(with(port("10.0.0.7")).as_deref(), Some("http://10.0.0.7:80"));
    assert_eq!(with(port("::1")).as_deref(), Some("http://[::1]:80"));
    assert_eq!(with(json!({ "target": 8080 })), None, "the engine chooses");
    assert_eq!(with(json!({ "target": 9090, "published": "80" })), None);
}

#[test]
fn what_is_the_same_but_for_images_has_one_text() {
    let mut model = shop("v1");
    let before = without_images(&model);
    model["services"]["web"]["image"] = "other".into();
    assert_eq!(without_images(&model), before);
    model["services"]["web"]["environment"]["DEBUG"] = "1".into();
    assert_ne!(without_images(&model), before);
}
