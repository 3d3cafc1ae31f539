//! A service of two units that a real systemd runs, and the archives of its releases.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::deploy_world::World;
use crate::harness::{Program, closed_port};
use crate::manager::{Manager, write_program};

/// What the units run in a release.
const GOOD: &str = "exec \"$SHOP\" --port \"$1\" --version VERSION";

pub(crate) struct Shop {
    // Ends before its folder is gone.
    pub(crate) manager: Manager,
    pub(crate) world: World,
    pub(crate) web: u16,
}

impl Shop {
    pub(crate) fn new() -> Option<Self> {
        Self::with("")
    }

    /// With more keys of the platform.
    pub(crate) fn with(more: &str) -> Option<Self> {
        Self::prepared(more, |_| Some(()))
    }

    /// With something done to its folder before the manager begins, which sees the mounts that are
    /// there then.
    pub(crate) fn prepared(more: &str, prepare: impl FnOnce(&World) -> Option<()>) -> Option<Self> {
        let mut world = World::with("");
        prepare(&world)?;
        let manager = Manager::new()?;
        let (api, web) = (closed_port(), closed_port());
        world.port = web;
        let folder = world.folder.path().display();
        let artifact = "artifact: dist/shop-{{version}}.tar.gz";
        let artifact = if more.contains("artifact:") { "" } else { artifact };
        let config = format!(
            "version: 1\nservice: shop\nplatform:\n  systemd:\n    {artifact}\n    folder: {folder}/opt\n    \
             units: [shop-api.service, shop-web.service]\n    user: true\n    settle: 300ms\n{more}\n\
             checks:\n  - name: api\n    url: http://localhost:{api}/version\n    within: 10s\n    \
             expect: [{{ version: {{ header: X-Version }} }}]\n  - name: web\n    \
             url: http://localhost:{web}/version\n    within: 10s\n    \
             expect: [{{ version: {{ header: X-Version }} }}]\n"
        );
        world.write("waveoff.yml", &config);
        let shop = Self { manager, world, web };
        shop.units("Restart=on-failure\nRestartSec=100ms", [api, web]);
        Some(shop)
    }

    /// Both units, with these keys.
    pub(crate) fn units(&self, keys: &str, ports: [u16; 2]) {
        for (name, port) in ["api", "web"].iter().zip(ports) {
            let text = self.service(&format!("current/bin/{name} {port}"), keys);
            self.manager.unit(&format!("shop-{name}.service"), &text);
        }
    }

    fn service(&self, start: &str, keys: &str) -> String {
        let folder = self.world.folder.path().display();
        let shop = crate::deploy_world::sample_service();
        format!(
            "[Service]\nExecStart={folder}/opt/{start}\nEnvironment=SHOP={shop}\n\
             EnvironmentFile={folder}/opt/waveoff.env\n{keys}\n"
        )
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.world.folder.path().to_owned()
    }

    /// An archive with both programs.
    pub(crate) fn pack(&self, version: &str) -> PathBuf {
        self.pack_with(version, GOOD, GOOD)
    }

    pub(crate) fn pack_with(&self, version: &str, api: &str, web: &str) -> PathBuf {
        let tree = self.folder().join("build");
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::create_dir_all(self.folder().join("dist")).unwrap();
        for (name, text) in [("api", api), ("web", web)] {
            let text = format!("#!/bin/sh\n{}\n", text.replace("VERSION", version));
            write_program(&tree.join("bin").join(name), &text);
        }
        let file = self.folder().join(format!("dist/shop-{version}.tar.gz"));
        let mut tar = Command::new("tar");
        tar.args(["-czf"]).arg(&file).arg("-C").arg(&tree).arg(".");
        assert!(tar.status().unwrap().success());
        file
    }

    pub(crate) fn waveoff(&self, arguments: &[&str]) -> Program {
        self.manager.env(self.world.waveoff(arguments))
    }

    pub(crate) fn deploy(&self, version: &str) -> Program {
        self.waveoff(&["deploy", "--version", version])
    }

    /// The names of the releases that are there.
    pub(crate) fn releases(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder().join("opt/releases")).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != ".order").collect();
        names.sort();
        names
    }

    /// The version to which the link leads.
    pub(crate) fn current(&self) -> String {
        let text = fs::read_to_string(self.folder().join("opt/current/version.txt"));
        text.unwrap_or_default().trim().to_owned()
    }

    /// Proves that this version runs, and both units of it.
    #[track_caller]
    pub(crate) fn runs(&self, version: &str) {
        assert_eq!(self.world.version().as_deref(), Some(version));
        assert_eq!(self.current(), version);
        for unit in ["shop-api.service", "shop-web.service"] {
            assert_eq!(self.manager.property(unit, "SubState"), "running", "{unit}");
        }
    }
}

/// The SHA-256 of a file, by the system's own program.
pub(crate) fn sha256(file: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}
