//! Images that nobody has to pull: made from nothing around the sample service.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

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

/// The tags of each image, and the faults that it starts with.
pub(crate) const VERSIONS: [(&str, &str); 11] = [
    ("v1", ""),
    ("v2", ""),
    ("v3", ""),
    // Ends with 1 at the start, after a line of log.
    ("crash", "exit-at-start"),
    // Is well for three seconds, and ends with 134.
    ("dies-late", "crash-after=3"),
    // Takes no notice of SIGTERM.
    ("deaf", "deaf"),
    // Runs, and says that it is not well.
    ("unhealthy", "not-ready"),
    // Is alive, and its database is not.
    ("critical-down", "critical-down"),
    // Listens after three seconds.
    ("slow-start", "slow-start=3"),
    // Says that it is v1.
    ("wrong-version", "wrong-version=v1"),
    // Every second answer is an error.
    ("errors", "error-rate=50"),
];

/// A user in none of our images, as which the service runs.
const NOBODY: u32 = 65534;

/// Puts all images into an engine.
pub(crate) fn load_shop(engine: &Engine) {
    let mut archive = Archive::new();
    let layer = service_layer(&mut archive);
    for (version, faults) in VERSIONS {
        let environment = [format!("VERSION={version}"), format!("FAULTS={faults}")];
        for (name, argument) in [(WEB, None), (WORKER, Some("--worker")), (JOB, Some("--once"))] {
            let config = service_config(&environment, argument);
            archive.image(&format!("{name}:{version}"), config, &[&layer]);
        }
    }
    archive.load(engine);
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

/// The shared libraries of a program, where it looks for them, below this folder.
pub(crate) fn with_libraries(program: &Path, root: &Path) {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        let target = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(library, target).unwrap();
    }
}

/// Images as `docker save` writes them: what they share is in it once.
struct Archive {
    folder: TempDir,
    images: Vec<Value>,
}

/// A layer's digest, which is its file's name.
struct Layer(String);

impl Archive {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), images: Vec::new() }
    }

    /// A layer of what is put into the folder; the same again gives the same digest.
    fn layer(&mut self, fill: impl FnOnce(&Path)) -> Layer {
        let root = TempDir::new().unwrap();
        fill(root.path());
        let file = self.folder.path().join("layer");
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--mtime=@0", "--mode=a+rX", "-cf"]).arg(&file);
        assert!(tar.arg("-C").args([root.path(), Path::new(".")]).status().unwrap().success());
        let digest = sha256(&file);
        fs::rename(file, self.folder.path().join(format!("{digest}.tar"))).unwrap();
        Layer(digest)
    }

    fn image(&mut self, name: &str, config: Value, layers: &[&Layer]) {
        let named = |before: &str, after: &str| -> Vec<String> {
            layers.iter().map(|layer| format!("{before}{}{after}", layer.0)).collect()
        };
        let created = "2025-01-01T00:00:00Z";
        let history: Vec<_> = layers.iter().map(|_| json!({ "created": created })).collect();
        let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        let image = json!({
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": named("sha256:", "") },
            "history": history,
        });
        let file = self.folder.path().join("image");
        fs::write(&file, image.to_string()).unwrap();
        let json = format!("{}.json", sha256(&file));
        fs::rename(file, self.folder.path().join(&json)).unwrap();
        let layers = named("", ".tar");
        self.images.push(json!({ "Config": json, "RepoTags": [name], "Layers": layers }));
    }

    fn load(self, engine: &Engine) {
        let list = self.folder.path().join("manifest.json");
        fs::write(list, Value::from(self.images).to_string()).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-c", "-C"]).args([self.folder.path(), Path::new(".")]).stdout(Stdio::piped());
        let mut tar = tar.spawn().unwrap();
        let load = engine.command(&["load"]).stdin(tar.stdout.take().unwrap()).output().unwrap();
        assert!(tar.wait().unwrap().success());
        assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
    }
}

fn sha256(file: &Path) -> String {
    let mut hash = Sha256::new();
    let mut file = fs::File::open(file).unwrap();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block).unwrap() {
            0 => break,
            count => hash.update(&block[..count]),
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
