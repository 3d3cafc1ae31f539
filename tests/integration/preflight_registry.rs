//! Images in a registry: there, whole, and behind a login.

use std::fs;

use serde_json::{Value, json};
use waveoff::config::preflight::PreflightSpec;
use waveoff::host::signals::Cancel;
use waveoff::preflight::{Missing, Wanted, look};

use crate::deploy_world::World;
use crate::harness::{Ran, Server};
use crate::oci::{self, Image};
use crate::preflight::{found, preflight, world};
use crate::registry::{PASSWORD, Registry, USER};

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];
/// An image that is made of `{}` alone.
const MANIFEST: &str = r#"{"schemaVersion": 2, "config": {"digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "size": 2}, "layers": []}"#;

fn shop(registry: &Registry, more: &str) -> World {
    world(&format!("  images: [{}/acme/shop]\n{more}", registry.name()))
}

/// What becomes of an image of which something was damaged.
fn damaged(more: &str, damage: impl Fn(&Registry, &Image)) -> Option<Ran> {
    let registry = Registry::start()?;
    let image = oci::push(&registry, "acme/shop", "v1", &BOTH);
    let world = shop(&registry, more);
    assert_eq!(found(&preflight(&world, &[]).expect_code(0), "image").0, "pass");
    damage(&registry, &image);
    Some(preflight(&world, &[]))
}

#[test]
fn d2_r1_an_image_that_lost_a_part_is_found() {
    let lose_layer = |registry: &Registry, image: &Image| {
        fs::remove_file(registry.stored(&image.layers[1])).unwrap();
    };
    let Some(ran) = damaged("", lose_layer) else { return };
    let (verdict, why) = found(&ran.expect_code(10), "image");
    assert!(verdict == "fail" && why.contains("is not there"), "{why}");
    let lose_platform = |registry: &Registry, image: &Image| {
        fs::remove_file(registry.stored(&image.platforms[1])).unwrap();
    };
    let Some(ran) = damaged("", lose_platform) else { return };
    assert_ne!(found(&ran, "image").0, "pass", "one platform of two is not an image");
    let cut = |registry: &Registry, image: &Image| {
        fs::write(registry.stored(&image.layers[0]), "short").unwrap();
    };
    let Some(ran) = damaged("", cut) else { return };
    let (verdict, why) = found(&ran.expect_code(10), "image");
    assert!(verdict == "fail" && why.contains("has 5"), "{why}");
}

#[test]
fn d2_an_image_that_is_here_is_asked_for_by_its_digest_alone() {
    let Some(registry) = Registry::start() else { return };
    let image = oci::push(&registry, "acme/shop", "v1", &BOTH);
    let name = format!("{}/acme/shop", registry.name());
    let found = |image: String| {
        let wanted = Wanted { image: image.parse().unwrap(), is_here: true, login: None };
        look(&PreflightSpec::default(), &[wanted], &Cancel::default()).remove(0).found
    };
    let digest = found(format!("{name}@{}", image.digest)).unwrap().digest;
    assert_eq!(digest, image.digest, "the same there: it can be verified");
    assert!(matches!(found(format!("{name}:v1")), Err(Missing::OnlyHere)), "maybe another one");
    registry.lose("acme/shop");
    let lost = found(format!("{name}@{}", image.digest));
    assert!(matches!(lost, Err(Missing::OnlyHere)), "nobody needs it: {lost:?}");
}

#[test]
fn d2_r1_a_flipped_byte_is_found_when_the_layers_are_read() {
    let flip = |registry: &Registry, image: &Image| {
        let file = registry.stored(&image.layers[0]);
        let mut bytes = fs::read(&file).unwrap();
        bytes[7] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let Some(ran) = damaged("  blobs: true\n", flip) else { return };
    let (verdict, why) = found(&ran.expect_code(10), "blobs");
    assert!(verdict == "fail" && why.contains("has the content of"), "{why}");
}

#[test]
fn d2_a_manifest_that_is_not_its_digest_is_not_believed() {
    let text = r#"{"schemaVersion": 2, "manifests": []}"#;
    let liar = Server::new(move |_, _| (200, String::new(), text.into()));
    let by = format!("127.0.0.1:{}/acme/shop@sha256:{}", liar.port, "a".repeat(64));
    let ran = preflight(&world("  room: 1MB\n"), &["--digest", &by]).expect_code(10);
    let (verdict, why) = found(&ran, "image");
    assert!(verdict == "fail" && why.contains("its manifest is not sha256:aaaa"), "{why}");
    let ran = preflight(&world(&format!("  images: [127.0.0.1:{}/acme/shop]\n", liar.port)), &[]);
    let (_, why) = found(&ran.expect_code(10), "image");
    assert!(why.contains("no platform"), "{why}");
}

#[test]
fn d2_an_image_that_is_not_there_fails_and_a_registry_that_is_silent_is_an_error() {
    let Some(mut registry) = Registry::start() else { return };
    let world = shop(&registry, "");
    let (verdict, why) = found(&preflight(&world, &[]).expect_code(10), "image");
    assert!(verdict == "fail" && why.contains("no such image"), "{why}");
    registry.stop();
    let (verdict, why) = found(&preflight(&world, &[]).expect_code(12), "image");
    assert!(verdict == "error" && why.contains("refused"), "{why}");
    let busy = Server::new(|_, number| match number {
        1 => (503, String::new(), String::new()),
        _ => (404, String::new(), String::new()),
    });
    let world = self::world(&format!("  images: [127.0.0.1:{}/acme/shop]\n", busy.port));
    preflight(&world, &[]).expect_code(10);
    assert_eq!(busy.count(), 2, "what may pass is asked again");
}

#[test]
fn d2_a_registry_that_wants_a_login_gets_the_one_that_is_known() {
    let Some(registry) = Registry::with_login() else { return };
    let world = shop(&registry, "");
    let (verdict, why) = found(&preflight(&world, &[]).expect_code(12), "image");
    assert!(verdict == "error" && why.contains("no login"), "{why}");
    let login = |password: &str| {
        let server = registry.name();
        shop(
            &registry,
            &format!("  registry: {{ server: '{server}', user: {USER}, password: {password} }}\n"),
        )
    };
    let ran = preflight(&login("wrong-password"), &[]).expect_code(12);
    assert!(found(&ran, "image").1.contains("this login may not read it"), "{ran:?}");
    assert!(!format!("{ran:?}").contains("wrong-password"));
    let (verdict, why) = found(&preflight(&login(PASSWORD), &[]).expect_code(10), "image");
    assert!(verdict == "fail" && why.contains("no such image"), "it was let in: {why}");
    let kept = format!(r#"{{"credHelpers": {{"{}": "test"}}}}"#, registry.name());
    world.write(".docker/config.json", &kept);
    let helper = format!(
        "#!/bin/sh\nread -r server; [ \"$1 $server\" = 'get {}' ] || exit 1\n\
         echo '{{\"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}'\n",
        registry.name()
    );
    world.write("bin/docker-credential-test", &helper);
    let path = format!("{}/bin:{}", world.folder.path().display(), std::env::var("PATH").unwrap());
    let program = world.waveoff(&["preflight", "--json", "--version", "v1"]).env("PATH", &path);
    let ran = program.run().expect_code(10);
    assert!(found(&ran, "image").1.contains("no such image"), "{ran:?}");
    assert!(!format!("{ran:?}").contains(PASSWORD));
}

#[test]
fn d2_a_token_is_fetched_where_the_registry_says_with_the_login_for_it() {
    let server = Server::new(move |request, _| {
        let given = request.header("authorization").unwrap_or_default();
        let path = request.path();
        let token = "eyJ0b2tlbiI";
        match path {
            _ if path.starts_with("/token") => {
                let may = path.contains("scope=repository%3Aacme%2Fshop%3Apull")
                    && path.contains("service=registry.test")
                    // shop:correct-horse
                    && given == "Basic c2hvcDpjb3JyZWN0LWhvcnNl";
                let body = format!(r#"{{"token": "{token}", "expires_in": 300}}"#);
                if may { (200, String::new(), body) } else { (401, String::new(), "{}".into()) }
            }
            _ if given != format!("Bearer {token}") => {
                let host = request.header("host").unwrap();
                let asks = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{host}/token\",\
                     service=\"registry.test\",scope=\"repository:acme/shop:pull\"\r\n"
                );
                (401, asks, "{}".into())
            }
            _ if path.contains("/blobs/") => (200, String::new(), "{}".into()),
            _ => (200, String::new(), MANIFEST.into()),
        }
    });
    let spec = |password: &str| {
        let name = format!("127.0.0.1:{}", server.port);
        world(&format!(
            "  images: [{name}/acme/shop]\n  \
             registry: {{ server: '{name}', user: {USER}, password: {password} }}\n"
        ))
    };
    let ran = preflight(&spec(PASSWORD), &[]).expect_code(0);
    assert!(found(&ran, "image").1.contains("1 blob"), "{ran:?}");
    let ran = preflight(&spec("another"), &[]).expect_code(12);
    assert_eq!(found(&ran, "image").0, "error");
    let all = server.requests.lock().unwrap();
    let asked = all.iter().filter(|request| request.path().contains("/manifests/"));
    for request in asked {
        let accept = request.header("accept").unwrap();
        for kind in ["image.index.v1", "manifest.list.v2", "image.manifest.v1", "manifest.v2"] {
            assert!(accept.contains(kind), "all kinds are named, or it converts: {accept}");
        }
    }
}

#[test]
fn d2_a_login_goes_to_nobody_whom_the_registry_only_sends_on_to() {
    let elsewhere = Server::new(|request, _| {
        let host = request.header("host").unwrap();
        let asks = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n");
        match request.path() {
            path if path.starts_with("/token") => (200, String::new(), r#"{"token": "x"}"#.into()),
            _ => (401, asks, "{}".into()),
        }
    });
    let to = elsewhere.url("/blob");
    let server = Server::new(move |request, _| match request.path() {
        path if path.contains("/blobs/") => (307, format!("Location: {to}\r\n"), String::new()),
        _ => (200, String::new(), MANIFEST.into()),
    });
    let name = format!("127.0.0.1:{}", server.port);
    let world = world(&format!(
        "  images: [{name}/acme/shop]\n  \
         registry: {{ server: '{name}', user: {USER}, password: {PASSWORD} }}\n"
    ));
    let (verdict, why) = found(&preflight(&world, &[]).expect_code(12), "image");
    assert!(verdict == "error" && why.contains("401"), "{verdict}: {why}");
    let all = elsewhere.requests.lock().unwrap();
    assert!(!all.is_empty());
    for request in all.iter() {
        assert_eq!(request.header("authorization"), None, "{}", request.path());
        assert!(!request.path().starts_with("/token"), "nobody asks it for anything");
    }
}

#[test]
fn d2_an_image_beyond_all_measure_is_refused_and_no_blob_is_asked_for_twice() {
    let entry = |n: usize| {
        json!({ "digest": format!("sha256:{n:064x}"), "size": 2,
                "platform": { "os": "linux", "architecture": format!("a{n}") } })
    };
    let entries = |most: usize| (0..most).map(entry).collect::<Vec<_>>();
    let index = json!({ "schemaVersion": 2, "manifests": entries(101) });
    let mut image: Value = serde_json::from_str(MANIFEST).unwrap();
    let layers = |layers: Vec<Value>, image: &mut Value| {
        image["layers"] = layers.into();
        image.to_string()
    };
    let huge = layers(entries(1000), &mut image);
    let again = layers(vec![image["config"].clone(); 9], &mut image);
    let look = |manifest: String| {
        let server = Server::new(move |request, _| match request.path() {
            path if path.contains("/blobs/") => (200, String::new(), "{}".into()),
            _ => (200, String::new(), manifest.clone()),
        });
        let world = world(&format!("  images: [127.0.0.1:{}/acme/shop]\n", server.port));
        (found(&preflight(&world, &[]), "image"), server.count())
    };
    let ((verdict, why), asked) = look(index.to_string());
    assert!(verdict == "fail" && why.contains("it names 101 platforms"), "{verdict}: {why}");
    assert_eq!(asked, 1);
    let ((verdict, why), asked) = look(huge);
    assert!(verdict == "fail" && why.contains("it names 1001 blobs"), "{verdict}: {why}");
    assert_eq!(asked, 2, "the manifest, and the configuration for the platform");
    let ((verdict, _), asked) = look(again);
    assert_eq!((&*verdict, asked), ("pass", 3), "the one blob, read and asked for");
}

#[test]
fn d2_a_blob_of_which_head_tells_nothing_is_asked_for_by_its_first_byte() {
    let whole = "Content-Range: bytes 0-0/2\r\n";
    // What HEAD and GET are answered where the blobs are.
    for (head, get, verdict) in [
        (403, (206, whole, "{"), "pass"),
        (405, (200, "", "{}"), "pass"),
        (200, (206, whole, "{"), "pass"),
        (401, (206, "Content-Range: bytes 0-0/3\r\n", "{"), "fail"),
        (501, (404, "", ""), "fail"),
        (200, (200, "", ""), "fail"),
        (403, (403, "", ""), "error"),
    ] {
        let store = Server::new(move |request, _| {
            let (status, headers, body) = match request.header("range") {
                _ if request.line.starts_with("HEAD ") => (head, "", ""),
                Some("bytes=0-0") => get,
                _ => (200, "", "{}"),
            };
            (status, headers.into(), body.into())
        });
        let to = format!("Location: {}\r\n", store.url("/blob"));
        let server = Server::new(move |request, _| match request.path() {
            path if path.contains("/blobs/") => (307, to.clone(), String::new()),
            _ => (200, String::new(), MANIFEST.into()),
        });
        let world = world(&format!("  images: [127.0.0.1:{}/acme/shop]\n", server.port));
        let found = found(&preflight(&world, &[]), "image");
        assert_eq!(found.0, verdict, "HEAD {head}, GET {get:?}: {}", found.1);
    }
}

#[test]
fn d2_a_program_that_fails_to_tell_a_login_is_not_taken_for_one_that_has_none() {
    let server = Server::new(|request, _| match request.path() {
        path if path.contains("/blobs/") => (200, String::new(), "{}".into()),
        _ => (200, String::new(), MANIFEST.into()),
    });
    let name = format!("127.0.0.1:{}", server.port);
    let world = world(&format!("  images: [{name}/acme/shop]\n"));
    world.write(".docker/config.json", r#"{"credsStore": "test"}"#);
    let path = format!("{}/bin:{}", world.folder.path().display(), std::env::var("PATH").unwrap());
    let look = |script: &str| {
        world.write("bin/docker-credential-test", &format!("#!/bin/sh\n{script}\nexit 1\n"));
        let program = world.waveoff(&["preflight", "--json", "--version", "v1"]);
        found(&program.env("PATH", &path).run(), "image")
    };
    assert_eq!(look("echo 'credentials not found in native keychain'").0, "pass");
    let (verdict, why) = look("echo not-to-be-shown; echo 'the keychain is locked' >&2");
    assert!(verdict == "error" && why.contains("the keychain is locked"), "{verdict}: {why}");
    assert!(!why.contains("not-to-be-shown"), "{why}");
}
