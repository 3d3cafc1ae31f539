//! Images that are made of nothing but their bytes, put into a registry by its own words.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::registry::Registry;

/// An image in a registry.
pub(crate) struct Image {
    /// Its digest: of the index, where there are several platforms.
    pub(crate) digest: String,
    /// The digests of its platforms' manifests.
    pub(crate) platforms: Vec<String>,
    /// The digests of its layers.
    pub(crate) layers: Vec<String>,
}

/// Puts an image there, for each of these platforms, with a content of its own.
pub(crate) fn push(registry: &Registry, repository: &str, tag: &str, platforms: &[&str]) -> Image {
    let to = Target { base: format!("http://{}/v2/{repository}", registry.name()) };
    let (mut manifests, mut layers, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for platform in platforms {
        let (os, architecture) = platform.split_once('/').unwrap();
        let config =
            json!({ "os": os, "architecture": architecture, "rootfs": {"type": "layers"} });
        let layer = format!("{repository} {tag} {platform}").repeat(20);
        layers.push(digest_of(layer.as_bytes()));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": to.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
            "layers": [to.blob("application/vnd.oci.image.layer.v1.tar", layer.as_bytes())],
        });
        let name = if platforms.len() == 1 { Some(tag) } else { None };
        let digest = to.manifest(name, &manifest);
        listed.push(json!({
            "mediaType": manifest["mediaType"], "digest": digest,
            "size": manifest.to_string().len(),
            "platform": { "os": os, "architecture": architecture },
        }));
        manifests.push(digest);
    }
    let digest = match &manifests[..] {
        [one] => one.clone(),
        _ => {
            let kind = "application/vnd.oci.image.index.v1+json";
            let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": listed });
            to.manifest(Some(tag), &index)
        }
    };
    Image { digest, platforms: manifests, layers }
}

fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

struct Target {
    base: String,
}

impl Target {
    fn blob(&self, kind: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        let begun = ureq::post(format!("{}/blobs/uploads/", self.base)).send_empty().unwrap();
        let place = begun.headers()["location"].to_str().unwrap();
        let mark = if place.contains('?') { '&' } else { '?' };
        ureq::put(format!("{place}{mark}digest={digest}"))
            .header("Content-Type", "application/octet-stream")
            .send(bytes)
            .unwrap();
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
    }

    fn manifest(&self, tag: Option<&str>, manifest: &Value) -> String {
        let text = manifest.to_string();
        let digest = digest_of(text.as_bytes());
        let kind = manifest["mediaType"].as_str().unwrap();
        ureq::put(format!("{}/manifests/{}", self.base, tag.unwrap_or(&digest)))
            .header("Content-Type", kind)
            .send(&text)
            .unwrap();
        digest
    }
}
