//! Which files a host needs: those that `upload` names, and those that the platforms and the checks
//! name in keys of their own. What is absolute is on the host already.

use std::path::Path;

use super::Wanted;
use crate::config::Loaded;
use crate::config::artifact::SystemdSpec;
use crate::config::compose::{ComposeSpec, FilesSpec, USUAL};
use crate::config::pipeline::PlatformSpec;
use crate::config::ssh::RemoteSpec;
use crate::host::files;

/// The names of files beside the configuration, each once.
///
/// # Errors
/// When the configuration is wrong.
pub(super) fn named(
    loaded: &Loaded,
    spec: &RemoteSpec,
    folder: &Path,
    wanted: &Wanted,
) -> anyhow::Result<Vec<String>> {
    let mut all = spec.upload.as_ref().map(|list| list.0.clone()).unwrap_or_default();
    let transaction = loaded.transaction()?;
    let lone = transaction.platform.iter().map(|platform| (None, platform));
    let several = transaction.components.iter().flat_map(|list| &list.0);
    let several = several.map(|one| (Some(one.name.as_str()), &one.platform));
    // Of releases, only one travels that is deployed, or that it is looked at whether it could be.
    let is_new = matches!(wanted.verb, "deploy" | "preflight");
    let version = wanted.args["version"].as_str().filter(|_| is_new);
    for (component, platform) in lone.chain(several) {
        all.extend(match platform {
            PlatformSpec::Compose(own) => of_compose(own, folder),
            PlatformSpec::Systemd(own) => {
                version.map_or_else(Vec::new, |version| of_systemd(own, folder, version, component))
            }
            PlatformSpec::Process(_) | PlatformSpec::Command(_) => Vec::new(),
        });
    }
    all.extend(crate::checks::sent(loaded, transaction.preflight.as_ref()));
    all.retain(|name| !Path::new(name).is_absolute());
    let mut known = std::collections::BTreeSet::new();
    all.retain(|name| known.insert(name.clone()));
    Ok(all)
}

fn of_compose(own: &ComposeSpec, folder: &Path) -> Vec<String> {
    let is_there = |name: &String| files::exists(folder.join(name));
    let mut all: Vec<String> = match &own.file {
        Some(FilesSpec::One(file)) => vec![file.clone()],
        Some(FilesSpec::Many(several)) => several.clone(),
        None => USUAL.iter().map(|name| (*name).to_owned()).find(is_there).into_iter().collect(),
    };
    let beside = all.first().map(|file| beside(file, ".env"));
    all.extend(own.env_file.clone().or(beside.filter(is_there)));
    all
}

fn of_systemd(
    own: &SystemdSpec,
    folder: &Path,
    version: &str,
    component: Option<&str>,
) -> Vec<String> {
    let filled = |text: &str| {
        let text = text.replace("{{version}}", version);
        text.replace("{{component}}", component.unwrap_or_default())
    };
    let artifact = filled(&own.artifact);
    if artifact.contains("://") {
        return Vec::new();
    }
    let is_there = |name: &String| files::exists(folder.join(name));
    let sums = [format!("{artifact}.sha256"), beside(&artifact, "SHA256SUMS")];
    let named = own.sha256.as_deref().map(filled);
    let sums: Vec<String> = sums.into_iter().chain(named).filter(is_there).collect();
    std::iter::once(artifact).chain(sums).collect()
}

/// A file in the folder of another one.
fn beside(file: &str, name: &str) -> String {
    match Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => folder.join(name).display().to_string(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn travelling(config: &str, there: &[&str], version: &str) -> String {
        travelling_for("deploy", config, there, version)
    }

    fn travelling_for(verb: &'static str, config: &str, there: &[&str], version: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        for name in there {
            files::replace(folder.path().join(name), b"x").unwrap();
        }
        let config = format!("version: 1\nservice: shop\nhost: ssh://vm\n{config}");
        let loaded = crate::config::parse("waveoff.yml", &config, |_| None).unwrap();
        let spec = loaded.remote().unwrap();
        let wanted = Wanted {
            verb,
            begins: true,
            args: serde_json::json!({ "version": version }),
            host: "ssh://vm".parse().unwrap(),
            programs: None,
            held: None,
            entering: std::time::Duration::ZERO,
        };
        named(&loaded, &spec, folder.path(), &wanted).unwrap().join(" ")
    }

    #[test]
    fn d11_what_platforms_name_travels_with_what_is_uploaded() {
        let compose = "upload: [shop.env]\nplatform: { compose: {} }\n";
        let there = ["compose.yml", ".env", "docker-compose.yml"];
        assert_eq!(travelling(compose, &there, "v1"), "shop.env compose.yml .env");
        let two = "platform: { compose: { file: [d/a.yml, b.yml], env-file: prod.env } }\n";
        assert_eq!(travelling(two, &["d/.env"], "v1"), "d/a.yml b.yml prod.env");
        let own = "platform: { compose: { file: /srv/shop/compose.yml } }\n";
        assert_eq!(travelling(own, &[], "v1"), "");
        assert_eq!(travelling("deploy: [./ship.sh]\n", &["ship.sh"], "v1"), "");
    }

    #[test]
    fn p11_what_checks_name_travels_whoever_asks_them() {
        let checks = "checks:\n  - { path: /, body-file: o.xml, ca: /etc/ca.pem }\n  \
                      - { url: \"https://a\", client-cert: c.pem, client-key: k.pem, ca: ../ca.pem }\n  \
                      - { tls: \"a:443\", ca: own.pem }\n\
                      preflight: { dependencies: [{ tls: \"b:443\", ca: dep.pem }] }\n";
        assert_eq!(travelling(checks, &[], "v1"), "o.xml c.pem k.pem own.pem dep.pem");
        let outside = "checks: [{ path: /, body-file: ../o.xml }]\n";
        assert_eq!(travelling(outside, &[], "v1"), "../o.xml", "whoever packs it refuses it");
    }

    #[test]
    fn d11_an_archive_travels_with_its_checksums() {
        let local = "platform: { systemd: { artifact: \"dist/shop-{{version}}.tar\", folder: /opt/shop, units: [shop.service] } }\n";
        let there = ["dist/SHA256SUMS", "dist/shop-v2.tar.sha256", "dist/shop-v1.tar"];
        let all = "dist/shop-v2.tar dist/shop-v2.tar.sha256 dist/SHA256SUMS";
        assert_eq!(travelling(local, &there, "v2"), all);
        assert_eq!(travelling_for("preflight", local, &there, "v2"), all, "it is looked at there");
        assert_eq!(travelling_for("rollback", local, &there, "v2"), "", "what comes back is there");
        let far = local.replace("dist/shop", "https://example.com/shop");
        assert_eq!(travelling(&far, &[], "v2"), "");
    }
}
