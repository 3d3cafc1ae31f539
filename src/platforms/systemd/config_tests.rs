use super::*;

fn made(text: &str, place: &Place) -> Result<Systemd, String> {
    let text = format!("version: 1\nservice: shop\nplatform:\n  systemd:\n    {text}\n");
    let loaded = crate::config::parse("test", &text, |_| None).map_err(|e| format!("{e:#}"))?;
    let spec = loaded.transaction().map_err(|error| format!("{error:#}"))?;
    let Some(crate::config::pipeline::PlatformSpec::Systemd(spec)) = spec.platform else {
        return Err("another platform".into());
    };
    let scope = Scope::new("shop", "production").unwrap();
    Systemd::new(spec, place, &scope, &State::at("/state")).map_err(|error| format!("{error:#}"))
}

fn usual(more: &str) -> String {
    format!("{{ artifact: a.tar, folder: /opt/shop, units: [shop.service]{more} }}")
}

fn slot() -> Place {
    Place { component: None, slot: Some(("blue".into(), 8001)) }
}

/// One that is written in a line.
fn of(map: &str, place: &Place) -> Result<Systemd, String> {
    let inside = map.trim_start_matches("{ ").trim_end_matches(" }");
    let keys = inside.replace(", units", "\n    units").replace(", folder", "\n    folder");
    made(&keys.replace(", more ", "\n    "), place)
}

#[test]
fn d11_mistakes_are_refused_before_anything_is_touched() {
    let here = Place::default();
    assert!(of(&usual(""), &here).is_ok());
    for (map, said) in [
        (usual("").replace("/opt/shop", "opt"), "not an absolute path"),
        (usual(", more keep: 1"), "nothing to go back to"),
        (usual("").replace("shop.service", "shop"), "has no type"),
        (usual("").replace("shop.service", "--now.service"), "is not the name of a unit"),
        (usual("").replace("[shop.service]", "[a.service, a.service]"), "is there twice"),
        (usual("").replace("[shop.service]", "[\"shop@{{slot}}.service\"]"), "is not known"),
        (usual("").replace("a.tar", "\"{{slot}}.tar\""), "is not known"),
        (
            usual(", more sha256: 12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab"),
            "digits",
        ),
    ] {
        let why = of(&map, &here).err().unwrap_or_default();
        assert!(why.contains(said), "{map}: {why}");
    }
    let why = of(&usual(""), &slot()).err().unwrap();
    assert!(why.contains("the same for every slot"), "{why}");
    let component = Place { component: Some("api".into()), slot: None };
    let why = of(&usual(""), &component).err().unwrap();
    assert!(why.contains("the same for every component"), "{why}");
}

#[test]
fn d11_a_digest_is_the_components_own_or_the_only_one() {
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let release =
        |digests: &[String]| Release { version: "v1".into(), sha: None, digests: digests.to_vec() };
    let alone = of(&usual(""), &Place::default()).unwrap();
    assert_eq!(alone.pinned(&release(&[])), None);
    assert_eq!(alone.pinned(&release(&[format!("sha256:{one}")])), Some(one.clone()));
    let both = [format!("sha256:{two}"), format!("artifact@sha256:{one}")];
    assert_eq!(alone.pinned(&release(&both)), Some(one.clone()));
    let map = usual("").replace("/opt/shop", "\"/opt/{{component}}\"");
    let api = Place { component: Some("api".into()), slot: None };
    let api = of(&map, &api).unwrap();
    assert_eq!(api.pinned(&release(&both)), None, "it could be another component's");
    let own = [format!("artifact/web@sha256:{two}"), format!("artifact/api@sha256:{one}")];
    assert_eq!(api.pinned(&release(&own)), Some(one));
}

#[test]
fn d4_a_slot_has_a_link_and_an_environment_of_its_own() {
    let map = usual("").replace("[shop.service]", "[\"shop@{{slot}}.service\"]");
    let blue = of(&map, &slot()).unwrap();
    assert_eq!(blue.link(), Path::new("/opt/shop/slots/blue"));
    assert_eq!(blue.target("v1-12"), Path::new("../releases/v1-12"));
    assert_eq!(blue.manager.units, ["shop@blue.service"]);
    let release = Release { version: "v1".into(), ..Release::default() };
    let environment = blue.environment(&release);
    for line in ["WAVEOFF_VERSION=\"v1\"\n", "WAVEOFF_SLOT=\"blue\"\n", "PORT=\"8001\"\n"] {
        assert!(environment.contains(line), "{environment}");
    }
    let alone = of(&usual(""), &Place::default()).unwrap();
    assert_eq!(alone.target("v1-12"), Path::new("releases/v1-12"));
    assert!(!alone.environment(&release).contains("\nPORT="), "a port that nobody named is none");
}
