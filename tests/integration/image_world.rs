//! A registry with images that nobody built, keys, and the scripts of `scripts/image` to run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::Ran;
use crate::parts::{part, part_of, skip, tools};
use crate::registry::Registry;

/// A commit; its tag never moves.
pub(crate) const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const PLATFORMS: &str = "linux/amd64 linux/arm64";

/// Which Cosign: the formats that they write and read differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cosign {
    Two,
    Three,
}

pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) folder: TempDir,
}

impl World {
    /// With Cosign 3, as the workflow has it.
    pub(crate) fn new() -> Option<Self> {
        Self::with(Cosign::Three)
    }

    /// None where a part is not installed.
    pub(crate) fn with(cosign: Cosign) -> Option<Self> {
        let cosign = part(match cosign {
            Cosign::Two => "cosign",
            Cosign::Three => "cosign3",
        })?;
        part_of("docker", "docker")?;
        let folder = TempDir::new().unwrap();
        for name in ["home", "bin", "docker"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        link_buildx(&folder.path().join("docker"))?;
        std::os::unix::fs::symlink(cosign, folder.path().join("bin/cosign")).unwrap();
        let world = Self { registry: Registry::start()?, folder };
        for name in ["good", "other"] {
            let prefix = world.path(name);
            let made = world
                .command("cosign")
                .args(["generate-key-pair", "--output-key-prefix", &prefix])
                .output();
            assert!(made.is_ok_and(|made| made.status.success()), "no keys");
        }
        Some(world)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A program that stands in for one that cannot be had here.
    pub(crate) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.folder.path().join("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The full name of the image that the tests are about.
    pub(crate) fn image(&self) -> String {
        format!("{}/shop/web", self.registry.name())
    }

    /// Puts an image for a platform there, as a build that pushes by digest does; its digest.
    pub(crate) fn push(&self, architecture: &str, content: &str) -> String {
        let layer = format!("{content} for {architecture}");
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [sha256(layer.as_bytes())] },
        });
        let blob = |kind: &str, bytes: &[u8]| {
            let digest = self.blob(bytes);
            json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
        };
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
            "layers": [blob("application/vnd.oci.image.layer.v1.tar", layer.as_bytes())],
        });
        let manifest = manifest.to_string();
        let digest = sha256(manifest.as_bytes());
        ureq::put(self.url(&format!("manifests/{digest}")))
            .header("Content-Type", kind)
            .send(&manifest)
            .unwrap();
        digest
    }

    /// Both platforms; their digests as a script takes them.
    pub(crate) fn push_both(&self, content: &str) -> String {
        format!("{} {}", self.push("amd64", content), self.push("arm64", content))
    }

    /// Both platforms, merged; the digest of the index.
    #[track_caller]
    pub(crate) fn merged(&self, content: &str) -> String {
        let ran = self.run("merge", &[("DIGESTS", &self.push_both(content))]);
        ran.expect_code(0).stdout.trim().strip_prefix("digest=").unwrap().to_owned()
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let begun = ureq::post(self.url("blobs/uploads/")).send_empty().unwrap();
        let place = begun.headers()["location"].to_str().unwrap();
        let end = format!("{place}&digest={digest}");
        ureq::put(end).header("Content-Type", "application/octet-stream").send(bytes).unwrap();
        digest
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/shop/web/{path}", self.registry.name())
    }

    /// A manifest as JSON; none when there is none of that name.
    pub(crate) fn manifest(&self, name: &str) -> Option<Value> {
        let kind = "application/vnd.oci.image.index.v1+json";
        let got = ureq::get(self.url(&format!("manifests/{name}"))).header("Accept", kind).call();
        let text = got.ok()?.body_mut().read_to_string().unwrap();
        Some(serde_json::from_str(&text).unwrap())
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        let Ok(mut got) = ureq::get(self.url("tags/list")).call() else { return Vec::new() };
        let text = got.body_mut().read_to_string().unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        let mut tags: Vec<String> =
            serde_json::from_value(list["tags"].clone()).unwrap_or_default();
        tags.sort();
        tags
    }

    /// Runs a script as the action does, with the image, the commit and the platforms of the tests and
    /// with these variables.
    pub(crate) fn run(&self, script: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command("sh");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/image/run.sh"));
        command.env("DO", script).env("IMAGE", self.image());
        command.env("SHA", SHA).env("PLATFORMS", PLATFORMS);
        command.envs(variables.iter().copied());
        Ran::of(command.output().unwrap())
    }

    /// With nothing of this machine but its programs; no network but loopback answers.
    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", self.path("bin"), tools().join("bin").display());
        let program = if program == "cosign" { self.path("bin/cosign") } else { program.into() };
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("COSIGN_PASSWORD", "")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }
}

/// Has docker find buildx in a configuration of its own.
fn link_buildx(config: &Path) -> Option<()> {
    let installed = tools().join("buildx/cli-plugins");
    if installed.is_dir() {
        std::os::unix::fs::symlink(installed, config.join("cli-plugins")).unwrap();
        return Some(());
    }
    let version = Command::new("docker").args(["buildx", "version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        skip("buildx", "not installed");
        return None;
    }
    Some(())
}

fn sha256(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut hash = Command::new("sha256sum");
    let mut hash = hash.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    hash.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = hash.wait_with_output().unwrap();
    format!("sha256:{}", String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap())
}

/// Where the scripts are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/image")
}
