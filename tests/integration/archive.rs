//! Images made of files, without anything that builds them: as `docker save` writes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engines::Engine;
use crate::parts::tools;

/// Images; what they share is in it once.
pub(crate) struct Archive {
    folder: TempDir,
    images: Vec<Value>,
}

/// A layer's digest, which is its file's name.
pub(crate) struct Layer(String);

impl Archive {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), images: Vec::new() }
    }

    /// A layer of what is put into the folder; the same again gives the same digest.
    pub(crate) fn layer(&mut self, fill: impl FnOnce(&Path)) -> Layer {
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

    /// An image with what `docker inspect` calls its `Config`.
    pub(crate) fn image(&mut self, name: &str, config: Value, layers: &[&Layer]) {
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

    /// Puts all of them into an engine.
    pub(crate) fn load(self, engine: &Engine) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("images.tar");
        self.write(&file);
        load(engine, &file);
    }

    /// Writes them to a file, which is whole as soon as it is there.
    pub(crate) fn write(self, file: &Path) {
        let list = self.folder.path().join("manifest.json");
        fs::write(list, Value::from(self.images).to_string()).unwrap();
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let mut tar = Command::new("tar");
        tar.arg("-cf").arg(&new).arg("-C").args([self.folder.path(), Path::new(".")]);
        assert!(tar.status().unwrap().success());
        fs::rename(new, file).unwrap();
    }
}

/// Puts the images of a file into an engine.
pub(crate) fn load(engine: &Engine, file: &Path) {
    let file = fs::File::open(file).unwrap();
    let load = engine.command(&["load"]).stdin(file).output().unwrap();
    assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
}

/// Puts the shared libraries of a program where it looks for them, below this folder. Those that
/// `scripts/tools.sh` unpacked rather than installed count as installed.
pub(crate) fn with_libraries(program: &Path, root: &Path) {
    let unpacked = tools().join("unpacked");
    let folder = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let mut ldd = Command::new("ldd");
    ldd.env("LD_LIBRARY_PATH", unpacked.join(folder)).arg(program);
    let listed = String::from_utf8(ldd.output().unwrap().stdout).unwrap();
    for library in listed.split_whitespace().map(Path::new).filter(|word| word.is_absolute()) {
        let place = library.strip_prefix(&unpacked).or_else(|_| library.strip_prefix("/")).unwrap();
        copy(library, &root.join(place));
    }
}

/// Copies a file, or all that is in a folder; what is there already stays.
pub(crate) fn copy(from: &Path, to: &Path) {
    if to.exists() {
        return;
    }
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        return;
    }
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    // Links of a package may lead to what another one would bring.
    if from.exists() {
        fs::copy(from, to).unwrap();
    }
}

/// The program of the system: it is many times faster than one that was built to be debugged.
fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}
