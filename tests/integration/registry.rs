//! A registry on loopback, which can go away, lose an image, and want to know who asks.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::engines::{Engine, Kind};
use crate::kept::Kept;
use crate::parts::part_of;

/// Who may use a registry that was started with [`Registry::with_login`].
pub(crate) const USER: &str = "shop";
pub(crate) const PASSWORD: &str = "correct-horse";
/// The same as an `htpasswd` file has it: bcrypt is all that the registry takes.
const HTPASSWD: &str = "shop:$2y$04$abcdefghijklmnopqrstuuPoaPXzWjiVz4HaNq2LJXksWbO79E.S6\n";

pub(crate) struct Registry {
    pub(crate) port: u16,
    program: PathBuf,
    folder: TempDir,
    login: bool,
    server: Option<Kept>,
}

impl Registry {
    /// An empty one; none where that is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::new(false)
    }

    /// One that wants [`USER`] and [`PASSWORD`] for everything.
    pub(crate) fn with_login() -> Option<Self> {
        Self::new(true)
    }

    fn new(login: bool) -> Option<Self> {
        let program = part_of("registry", "docker-registry")?;
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let mut registry = Self { port: 0, program, folder, login, server: None };
        registry.again();
        Some(registry)
    }

    /// Starts it again, with the same port and content.
    pub(crate) fn again(&mut self) {
        let folder = self.folder.path();
        let place = folder.display();
        let mut config = format!(
            "version: 0.1\nlog: {{ level: info }}\nhttp: {{ addr: '127.0.0.1:{}' }}\n\
             storage:\n  filesystem: {{ rootdirectory: {place}/data }}\n  \
             delete: {{ enabled: true }}\n",
            self.port
        );
        if self.login {
            config += &format!("auth:\n  htpasswd: {{ realm: shop, path: {place}/htpasswd }}\n");
        }
        let file = folder.join("config.yml");
        fs::write(&file, config).unwrap();
        let arguments = ["serve".into(), file];
        let server = Kept::start(&self.program, arguments, &folder.join("log"));
        let port = server.says("listening on 127.0.0.1:");
        let digits = port.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        self.port = digits.parse().unwrap();
        self.server = Some(server);
    }

    /// Nobody answers on its port any more.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// As images' names begin here.
    pub(crate) fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Puts an image of the engine here, under its own name; what it is then called by digest.
    #[track_caller]
    pub(crate) fn push(&self, engine: &Engine, image: &str) -> String {
        let name = format!("{}/{image}", self.name());
        engine.tell(&["tag", image, &name]);
        match engine.kind {
            Kind::Docker => engine.tell(&["push", &name]),
            Kind::Podman => engine.tell(&["push", "--tls-verify=false", &name]),
        };
        // Whoever pulls it is to get it from here.
        engine.tell(&["rmi", &name]);
        let (repository, tag) = image.split_once(':').unwrap();
        format!("{}/{repository}@{}", self.name(), self.digest(repository, tag).unwrap())
    }

    /// The digest of a tag, as it is stored; none when there is no such image.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        fs::read_to_string(self.link(repository, tag)).ok()
    }

    /// Gives what has a tag another one besides.
    pub(crate) fn tag(&self, repository: &str, tag: &str, other: &str) {
        let digest = self.digest(repository, tag).unwrap();
        let link = self.link(repository, other);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(link, digest).unwrap();
    }

    /// The file that says what a tag is of: for those who move it.
    pub(crate) fn link(&self, repository: &str, tag: &str) -> PathBuf {
        self.repository(repository).join("_manifests/tags").join(tag).join("current/link")
    }

    /// Loses everything of a repository, as a clean-up that went too far.
    pub(crate) fn lose(&self, repository: &str) {
        fs::remove_dir_all(self.repository(repository)).unwrap();
    }

    /// Loses one tag and what it is of; others of the repository stay.
    pub(crate) fn lose_tag(&self, repository: &str, tag: &str) {
        let digest = self.digest(repository, tag).unwrap();
        let manifests = self.repository(repository).join("_manifests");
        fs::remove_dir_all(manifests.join("tags").join(tag)).unwrap();
        fs::remove_dir_all(manifests.join("revisions").join(digest.replace(':', "/"))).unwrap();
    }

    /// Where it keeps what has this digest: for those who damage it.
    pub(crate) fn stored(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// What was asked of it, a line for each request.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.folder.path().join("data/docker/registry/v2/repositories").join(name)
    }
}
