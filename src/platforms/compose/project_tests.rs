use serde_json::json;

use super::*;

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

fn model() -> Value {
    json!({
        "name": "shop",
        "networks": { "default": { "name": "shop_default" }, "back": { "name": "backend" } },
        "services": {
            "web": {
                "image": "web:v1", "build": { "context": "/srv" }, "container_name": "the-web",
                "profiles": ["app"], "pull_policy": "always",
                "environment": { "PRICE": "5$$" },
                "ports": [{ "target": 8080, "published": "80" }, { "target": 9090, "published": "90" }],
                "depends_on": { "db": { "condition": "service_healthy" }, "api": { "condition": "service_started" } },
                "networks": { "default": { "aliases": ["www"] }, "back": null },
                "volumes": [{ "type": "volume", "source": "data", "target": "/data" },
                    { "type": "bind", "source": "/etc/shop", "target": "/etc/shop" }]
            },
            "api": { "image": "api:v1", "networks": { "default": null }, "links": ["web", "db"] },
            "worker": { "image": "api:v1", "networks": { "default": null } },
            "db": { "image": "postgres:15", "networks": { "back": null } }
        },
        "volumes": { "data": { "name": "shop_data" }, "own": {} }
    })
}

fn kinds() -> Kinds {
    Kinds { switch: names(&["web", "api"]), restart: names(&["worker"]), shared: names(&["db"]) }
}

fn with<T>(kinds: &Kinds, then: impl FnOnce(&Wanted<'_>) -> T) -> T {
    let images = [("web", "web@sha256:1"), ("api", "api@sha256:2"), ("worker", "api@sha256:2")];
    let images = images.map(|(name, image)| (name.to_owned(), image.to_owned())).into();
    let labels = [("dev.waveoff.version", "v1".to_owned())];
    then(&Wanted { kinds, images: &images, labels: &labels, grace: "30s" })
}

const AT: SlotPort<'_> = SlotPort { slot: "blue", port: 18080, service: "web", target: 8080 };

fn slot_of(model: &Value, kinds: &Kinds) -> Result<Value, Fault> {
    with(kinds, |wanted| in_slot(model, wanted, AT))
}

fn slot() -> Value {
    slot_of(&model(), &kinds()).unwrap()
}

/// One switched service with these keys besides.
fn alone(keys: Value) -> Result<Value, Fault> {
    let mut model = model();
    let web = model["services"]["web"].as_object_mut().unwrap();
    web.extend(keys.as_object().unwrap().clone());
    let kinds = Kinds { switch: names(&["web"]), ..kinds() };
    slot_of(&model, &kinds)
}

#[test]
fn in_place_only_the_released_services_change() {
    let project = with(&kinds(), |wanted| in_place(&model(), wanted));
    assert_eq!(project["services"]["db"], model()["services"]["db"]);
    assert_eq!(project["volumes"], model()["volumes"]);
    assert_eq!(project["networks"], model()["networks"]);
    let web = &project["services"]["web"];
    assert_eq!(web["image"], "web@sha256:1");
    assert_eq!(web["pull_policy"], "never");
    assert_eq!(web["labels"]["dev.waveoff.version"], "v1");
    assert_eq!(web["labels"]["dev.waveoff.compose-service"], "web");
    assert_eq!(web["container_name"], "the-web");
    assert_eq!(web["ports"], model()["services"]["web"]["ports"]);
    assert!(web.get("build").is_none() && web.get("profiles").is_none(), "{web}");
    assert_eq!(web["environment"]["PRICE"], "5$$", "what was escaped stays so");
}

#[test]
fn a_grace_of_the_file_wins() {
    let mut model = model();
    model["services"]["web"]["stop_grace_period"] = "5s".into();
    let project = with(&kinds(), |wanted| in_place(&model, wanted));
    assert_eq!(project["services"]["web"]["stop_grace_period"], "5s");
    assert_eq!(project["services"]["api"]["stop_grace_period"], "30s");
}

#[test]
fn labels_of_the_file_stay_and_cannot_pass_for_ours() {
    for own in
        [json!({ "a": "b", "dev.waveoff.slot": "green" }), json!(["a=b", "dev.waveoff.slot=green"])]
    {
        let mut model = model();
        model["services"]["web"]["labels"] = own;
        let project = with(&kinds(), |wanted| in_place(&model, wanted));
        let labels = &project["services"]["web"]["labels"];
        assert_eq!(labels["a"], "b");
        assert!(labels.get("dev.waveoff.slot").is_none(), "{labels}");
    }
}

#[test]
fn a_slot_has_the_switched_services_alone_under_names_of_its_own() {
    let project = slot();
    let all: Vec<&String> = project["services"].as_object().unwrap().keys().collect();
    assert_eq!(all, ["web-blue", "api-blue"]);
    let web = &project["services"]["web-blue"];
    assert!(web.get("container_name").is_none(), "{web}");
    assert_eq!(web["labels"]["dev.waveoff.compose-service"], "web");
}

#[test]
fn the_slots_port_is_the_only_one_that_is_published() {
    let project = slot();
    let web = &project["services"]["web-blue"]["ports"];
    assert_eq!(web.as_array().unwrap().len(), 1);
    assert_eq!((&web[0]["host_ip"], &web[0]["published"]), (&"127.0.0.1".into(), &"18080".into()));
    assert_eq!(web[0]["target"], 8080);
    assert!(project["services"]["api-blue"].get("ports").is_none());
}

#[test]
fn volumes_are_those_that_the_project_in_place_has() {
    let project = slot();
    let data = json!({ "data": { "name": "shop_data", "external": true } });
    assert_eq!(project["volumes"], data, "Compose neither makes nor removes what is external");
    assert_eq!(project["services"]["web-blue"]["volumes"], model()["services"]["web"]["volumes"]);
    let mut model = model();
    model["services"]["web"]["volumes"][0]["source"] = "own".into();
    let project = slot_of(&model, &kinds()).unwrap();
    assert_eq!(project["volumes"]["own"]["name"], "shop_own", "as Compose names it");
}

#[test]
fn networks_are_shared_and_names_in_them_are_not() {
    let project = slot();
    let external = json!({ "name": "backend", "external": true });
    assert_eq!(project["networks"]["back"], external);
    let web = &project["services"]["web-blue"]["networks"];
    assert_eq!(web["default"], json!({}), "no alias that would lead to both slots");
    let mates = json!({ "aliases": ["web", "www"] });
    assert_eq!(web["waveoff-mates"], mates);
    assert_eq!(project["networks"]["waveoff-mates"]["internal"], true);
}

#[test]
fn one_switched_service_has_no_mates() {
    let project = alone(json!({})).unwrap();
    assert!(project["networks"].get("waveoff-mates").is_none(), "{project}");
    assert!(project["services"]["web-blue"].get("depends_on").is_none(), "{project}");
}

#[test]
fn references_follow_the_new_names() {
    let mut model = model();
    model["services"]["api"]["network_mode"] = "service:web".into();
    model["services"]["api"]["ipc"] = "service:web".into();
    model["services"]["api"]["volumes_from"] = json!(["web:ro", "container:other:ro"]);
    let project = slot_of(&model, &kinds()).unwrap();
    let (web, api) = (&project["services"]["web-blue"], &project["services"]["api-blue"]);
    assert_eq!(web["depends_on"], json!({ "api-blue": { "condition": "service_started" } }));
    assert_eq!(api["links"], json!(["web-blue:web"]), "db is found by its name");
    assert_eq!(
        (&api["network_mode"], &api["ipc"]),
        (&"service:web-blue".into(), &"service:web-blue".into())
    );
    assert_eq!(api["volumes_from"], json!(["web-blue:ro", "container:other:ro"]));
}

#[test]
fn references_to_what_is_not_in_the_slot_are_refused() {
    for keys in [
        json!({ "network_mode": "service:db" }),
        json!({ "pid": "service:worker" }),
        json!({ "volumes_from": ["db:ro"] }),
        json!({ "links": ["db:database"] }),
    ] {
        let fault = alone(keys.clone()).unwrap_err();
        assert!(fault.to_string().contains("refers to"), "{keys}: {fault}");
    }
}

#[test]
fn what_cannot_run_twice_is_refused_with_the_reason() {
    for (keys, reason) in [
        (json!({ "network_mode": "host" }), "one port"),
        (json!({ "networks": { "back": { "ipv4_address": "10.0.0.7" } } }), "fixed `ipv4_address`"),
        (json!({ "mac_address": "02:42:ac:11:00:02" }), "fixed `mac_address`"),
        (json!({ "scale": 2 }), "replicas"),
        (json!({ "deploy": { "replicas": 3 } }), "replicas"),
    ] {
        let fault = alone(keys.clone()).unwrap_err();
        assert!(fault.to_string().contains(reason), "{keys}: {fault}");
        assert!(fault.hint.is_some());
    }
    assert!(alone(json!({ "network_mode": null, "deploy": { "replicas": 1 } })).is_ok());
}

#[test]
fn the_ground_makes_networks_and_volumes_and_starts_nothing() {
    let ground = with(&kinds(), |wanted| ground(&model(), wanted)).unwrap();
    let all: Vec<&Value> = ground["services"].as_object().unwrap().values().collect();
    assert_eq!((all.len(), &all[0]["scale"]), (1, &0.into()));
    let (networks, volumes) = ground_names(&ground);
    assert_eq!((networks, volumes), (names(&["backend", "shop_default"]), names(&["shop_data"])));
    assert_eq!(ground["volumes"]["data"], model()["volumes"]["data"], "as in place");
}

#[test]
fn hostile_names_stay_data() {
    let mut model = model();
    let odd = "web\"}{$(reboot)\n../x";
    let own = model["services"]["web"].clone();
    model["services"].as_object_mut().unwrap().insert(odd.into(), own);
    let kinds = Kinds { switch: names(&["web", odd]), ..kinds() };
    let project = slot_of(&model, &kinds).unwrap();
    let text = project.to_string();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), project);
    assert!(project["services"].get(format!("{odd}-blue")).is_some());
}
