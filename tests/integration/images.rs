//! Images that nobody has to pull: made from nothing around the sample service.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::archive::{Archive, Layer, with_libraries};
use crate::deploy_world::sample_service;
use crate::engines::Engine;

/// The service to deploy: its tag is its version. It listens on [`PORT`], is its own health check,
/// and what it keeps is in `/data`.
pub(crate) const WEB: &str = "shop-web";
/// Says `works as VERSION`, and does nothing until it is told to end.
pub(crate) const WORKER: &str = "shop-worker";
/// Says `did the work of VERSION`, and ends with 0; with 1 as `crash`.
pub(crate) const JOB: &str = "shop-job";
/// What [`WEB`] listens on in its container.
pub(crate) const PORT: u16 = 8080;

/// The tags of each image, and the faults that [`WEB`] starts with.
pub(crate) const VERSIONS: [(&str, &str); 13] = [
    ("v1", ""),
    ("v2", ""),
    ("v3", ""),
    // Ends with 1 at the start, after a line of log.
    ("crash", "exit-at-start"),
    // Is well for six seconds, and ends with 134.
    ("dies-late", "crash-after=6"),
    // Takes no notice of SIGTERM.
    ("deaf", "deaf"),
    // Runs, and says that it is not well.
    ("unhealthy", "not-ready"),
    // The same, and it takes no notice of SIGTERM.
    ("deaf-unhealthy", "deaf,not-ready"),
    // Is alive, and its database is not.
    ("critical-down", "critical-down"),
    // Listens after three seconds.
    ("slow-start", "slow-start=3"),
    // Says that it is v1.
    ("wrong-version", "wrong-version=v1"),
    // Every second answer is an error.
    ("errors", "error-rate=50"),
    // Is well, and it is the worker that crashes at the start.
    (WORKER_CRASHES, ""),
];

/// The tag with a worker that is not well. In all others, it is: what is wrong is [`WEB`].
pub(crate) const WORKER_CRASHES: &str = "worker-crashes";

/// A user in none of our images, as which the service runs.
const NOBODY: u32 = 65534;

/// Puts all images into an engine.
pub(crate) fn load_shop(engine: &Engine) {
    let mut archive = Archive::new();
    let layer = service_layer(&mut archive);
    for (version, faults) in VERSIONS {
        let worker = if version == WORKER_CRASHES { "exit-at-start" } else { "" };
        let of_version = [
            (WEB, None, faults),
            (WORKER, Some("--worker"), worker),
            (JOB, Some("--once"), faults),
        ];
        for (name, argument, faults) in of_version {
            let environment = [format!("VERSION={version}"), format!("FAULTS={faults}")];
            let config = service_config(&environment, argument);
            archive.image(&format!("{name}:{version}"), config, &[&layer]);
        }
    }
    archive.load(engine);
}

/// Puts another good version of [`WEB`] and [`WORKER`] into an engine that has the shop: images that
/// no other test has.
pub(crate) fn load_another(engine: &Engine, version: &str) {
    for name in [WEB, WORKER] {
        let container = engine.tell(&["create", &format!("{name}:v1")]);
        let change = format!("ENV VERSION={version}");
        engine.tell(&["commit", "--change", &change, &container, &format!("{name}:{version}")]);
        engine.tell(&["rm", &container]);
    }
}

/// Puts a version of [`WEB`] into an engine that has the shop, which starts with these faults.
pub(crate) fn load_release(engine: &Engine, version: &str, faults: &str) {
    let container = engine.tell(&["create", &format!("{WEB}:v1")]);
    let changes = [format!("ENV VERSION={version}"), format!("ENV FAULTS={faults}")];
    let changes = changes.iter().flat_map(|change| ["--change", change]);
    let words: Vec<&str> = std::iter::once("commit").chain(changes).collect();
    let name = format!("{WEB}:{version}");
    engine.tell(&[&words[..], &[&container, &name]].concat());
    engine.tell(&["rm", &container]);
}

/// Puts a version of [`WEB`] into an engine that is so many bytes larger, in a layer that cannot be
/// compressed.
pub(crate) fn load_large(engine: &Engine, version: &str, bytes: u64) {
    let mut archive = Archive::new();
    let service = service_layer(&mut archive);
    let ballast = archive.layer(|root| {
        let mut random = fs::File::open("/dev/urandom").unwrap().take(bytes);
        let mut file = fs::File::create(root.join("ballast")).unwrap();
        assert_eq!(std::io::copy(&mut random, &mut file).unwrap(), bytes);
    });
    let config = service_config(&[format!("VERSION={version}")], None);
    archive.image(&format!("{WEB}:{version}"), config, &[&service, &ballast]);
    archive.load(engine);
}

fn service_layer(archive: &mut Archive) -> Layer {
    archive.layer(|root| {
        let service = sample_service();
        with_libraries(Path::new(&service), root);
        // Most of it is names for a debugger.
        let stripped = root.join("sample-service");
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&stripped).arg(&service);
        if !strip.status().is_ok_and(|status| status.success()) {
            fs::copy(&service, &stripped).unwrap();
        }
        fs::create_dir(root.join("data")).unwrap();
        std::os::unix::fs::chown(root.join("data"), Some(NOBODY), Some(NOBODY)).unwrap();
    })
}

fn service_config(environment: &[String], argument: Option<&str>) -> Value {
    let fixed = [format!("PORT={PORT}"), "BIND=0.0.0.0".to_owned()];
    let environment: Vec<_> = fixed.iter().chain(environment).collect();
    let mut config = json!({
        "User": format!("{NOBODY}:{NOBODY}"),
        "Env": environment,
        "Entrypoint": ["/sample-service"],
        "Cmd": argument.map(|argument| [argument]),
    });
    if argument.is_none() {
        config["ExposedPorts"] = json!({ format!("{PORT}/tcp"): {} });
        config["Healthcheck"] = json!({
            "Test": ["CMD", "/sample-service", "--probe", "/health"],
            "Interval": 500_000_000,
            "Timeout": 2_000_000_000,
            "Retries": 3,
        });
    }
    config
}
