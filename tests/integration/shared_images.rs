//! PostgreSQL and Redis as images, made of the files of the system's packages: what a deployment
//! shares and must never lose.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::archive::{self, Archive, copy, with_libraries};
use crate::engines::Engine;
use crate::parts::{part, skip, tools};

/// PostgreSQL with a database and a user `shop`, who needs no password; its data is in `/data`.
pub(crate) const DB: &str = "shop-db:15";
/// Redis, which writes everything to `/data` at once.
pub(crate) const CACHE: &str = "shop-cache:7";

/// As whom both run.
const USER: u32 = 999;

const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\nshop:x:999:999:shop:/data:/bin/sh\n";

const START_DB: &str = "#!/bin/sh
set -e
if [ ! -s /data/PG_VERSION ]; then
  initdb --pgdata /data --username shop --auth trust --encoding UTF8 --no-sync >/dev/null
  echo 'host all all all trust' >>/data/pg_hba.conf
  echo 'CREATE DATABASE shop' | postgres --single -D /data postgres >/dev/null
fi
exec postgres -D /data -k /tmp -h '*'
";

/// Puts both into an engine; false where their programs are not there.
pub(crate) fn load(engine: &Engine) -> bool {
    let Some((programs, share)) = postgres() else { return false };
    let redis = tools().join("unpacked/usr/bin");
    if !redis.join("redis-server").exists() {
        skip("redis", "not installed");
        return false;
    }
    let Some(busybox) = part("busybox") else { return false };
    // They are made once of what was installed, and of what is said here.
    let made_of = [programs.join("postgres"), redis.join("redis-server"), busybox.clone()];
    let made_of: Vec<_> = made_of.iter().map(|file| file.metadata().unwrap().len()).collect();
    let name = Sha256::digest(format!("{made_of:?} {}", include_str!("shared_images.rs")));
    let name: String = name.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let file = tools().join(format!("shared-images-{name}.tar"));
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock();
    if !file.exists() {
        make(&programs, &share, &redis, &busybox).write(&file);
    }
    archive::load(engine, &file);
    true
}

fn make(programs: &Path, share: &Path, redis: &Path, busybox: &Path) -> Archive {
    let mut archive = Archive::new();
    let base = archive.layer(|root| {
        add(busybox, &root.join("bin/busybox"), root);
        symlink("busybox", root.join("bin/sh")).unwrap();
        fs::create_dir(root.join("etc")).unwrap();
        fs::write(root.join("etc/passwd"), PASSWD).unwrap();
        for (folder, mode) in [("data", 0o700), ("tmp", 0o1777)] {
            fs::create_dir(root.join(folder)).unwrap();
            fs::set_permissions(root.join(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        chown(root.join("data"), Some(USER), Some(USER)).unwrap();
    });
    let place = inside(programs);
    let database = archive.layer(|root| {
        for program in ["postgres", "initdb", "psql", "pg_isready"] {
            add(&programs.join(program), &root.join(&place).join(program), root);
        }
        // Those that a new database needs.
        let modules = programs.with_file_name("lib");
        for module in ["plpgsql.so", "dict_snowball.so"] {
            add(&modules.join(module), &root.join(inside(&modules)).join(module), root);
        }
        copy(share, &root.join(inside(share)));
        fs::write(root.join("start"), START_DB).unwrap();
        fs::set_permissions(root.join("start"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    let cache = archive.layer(|root| {
        for program in ["redis-server", "redis-cli"] {
            add(&redis.join(program), &root.join("usr/bin").join(program), root);
        }
    });
    let path = format!("PATH=/{}:/usr/bin:/bin", place.display());
    let asked = ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "shop"];
    archive.image(DB, config(&path, 5432, &["/start"], &asked), &[&base, &database]);
    let start =
        ["redis-server", "--dir", "/data", "--appendonly", "yes", "--appendfsync", "always"];
    archive.image(
        CACHE,
        config(&path, 6379, &start, &["CMD", "redis-cli", "ping"]),
        &[&base, &cache],
    );
    archive
}

fn config(path: &str, port: u16, start: &[&str], asked: &[&str]) -> Value {
    json!({
        "User": format!("{USER}:{USER}"),
        "Env": [path],
        "Cmd": start,
        "ExposedPorts": { format!("{port}/tcp"): {} },
        "Volumes": { "/data": {} },
        // As PostgreSQL wants it: who is connected is not waited for.
        "StopSignal": "SIGINT",
        "Healthcheck": {
            "Test": asked,
            "Interval": 500_000_000,
            "Timeout": 2_000_000_000,
            "Retries": 20,
        },
    })
}

/// The folders of PostgreSQL's programs and of what they share.
fn postgres() -> Option<(PathBuf, PathBuf)> {
    let unpacked = tools().join("unpacked");
    let version = |folder: &str| {
        let folders = fs::read_dir(unpacked.join(folder)).ok()?;
        folders.flatten().map(|entry| entry.path()).find(|path| path.is_dir())
    };
    let found = version("usr/lib/postgresql").zip(version("usr/share/postgresql"));
    if found.is_none() {
        skip("postgres", "not installed");
    }
    found.map(|(programs, share)| (programs.join("bin"), share))
}

/// Where something that was unpacked looks for itself.
fn inside(path: &Path) -> PathBuf {
    path.strip_prefix(tools().join("unpacked")).unwrap().to_owned()
}

fn add(program: &Path, target: &Path, root: &Path) {
    copy(program, target);
    with_libraries(program, root);
}
