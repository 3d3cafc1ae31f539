//! What a registry says of an image: a list of platforms, or one image with its blobs
//! (OCI image specification 1.1; Docker image manifest version 2, schema 2).

use serde::Deserialize;
use serde_json::Value;

/// The kinds of manifests that are understood. All are named in each question: a registry converts
/// what was not asked for, and then its digest is another one.
pub const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The annotation of a manifest that is in an index and is no image (BuildKit's attestations).
const ATTESTATION: &str = "vnd.docker.reference.type";

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// One image for each of several platforms.
    Index(Vec<Entry>),
    /// One image: its configuration and its layers.
    Image(Vec<Blob>),
}

/// An image in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its manifest.
    pub manifest: Blob,
    /// `linux/amd64`, `linux/arm/v7`.
    pub platform: String,
}

/// Something that is stored under its digest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Blob {
    /// `sha256:…`.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    manifests: Option<Vec<Listed>>,
    config: Option<Blob>,
    layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(flatten)]
    manifest: Blob,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(flatten)]
    blob: Blob,
    /// A layer that is somewhere else, and that no registry has to have.
    #[serde(default)]
    urls: Vec<String>,
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no manifest: {error}"))?;
        if document.schema_version != 2 {
            let version = document.schema_version;
            return Err(format!("its manifest has schema {version}, and 2 is what is understood"));
        }
        let manifest = match (document.manifests, document.config, document.layers) {
            (Some(all), None, None) => Self::Index(all.into_iter().filter_map(entry).collect()),
            (None, Some(config), Some(layers)) => {
                let layers = layers.into_iter().filter(|layer| layer.urls.is_empty());
                let layers = layers.map(|layer| layer.blob);
                Self::Image(std::iter::once(config).chain(layers).collect())
            }
            _ => return Err("its manifest is neither a list of platforms nor an image".into()),
        };
        let odd = manifest.blobs().into_iter().find(|blob| !is_digest(&blob.digest));
        if let Some(blob) = odd {
            return Err(format!("its manifest names {:?}, which is no digest", blob.digest));
        }
        Ok(manifest)
    }

    /// What it is made of: the manifests of its platforms, or its blobs.
    pub fn blobs(&self) -> Vec<&Blob> {
        match self {
            Self::Index(all) => all.iter().map(|entry| &entry.manifest).collect(),
            Self::Image(all) => all.iter().collect(),
        }
    }
}

fn entry(listed: Listed) -> Option<Entry> {
    let platform = listed.platform?;
    let is_image = !listed.annotations.contains_key(ATTESTATION) && platform.os != "unknown";
    let variant = platform.variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    let platform = format!("{}/{}{variant}", platform.os, platform.architecture);
    is_image.then_some(Entry { manifest: listed.manifest, platform })
}

/// Whether an image for one platform runs where another one is wanted: `linux/arm64/v8` for
/// `linux/arm64`, and not the other way round.
pub fn is_for(platform: &str, wanted: &str) -> bool {
    let is_same = platform == wanted;
    is_same || platform.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a text is a digest by SHA-256.
pub fn is_digest(text: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.chars().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn read(value: &Value) -> Result<Manifest, String> {
        Manifest::read(value.to_string().as_bytes())
    }

    #[test]
    fn an_index_has_platforms_and_no_attestations() {
        let of = |digit, os: &str, architecture: &str, annotations: Value| {
            json!({"digest": digest(digit), "size": 7, "annotations": annotations,
                   "platform": {"os": os, "architecture": architecture}})
        };
        let index = json!({"schemaVersion": 2, "manifests": [
            of('a', "linux", "amd64", json!({})),
            {"digest": digest('b'), "size": 8,
             "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            of('c', "unknown", "unknown", json!({ATTESTATION: "attestation-manifest"})),
        ]});
        let Manifest::Index(all) = read(&index).unwrap() else { panic!("an image") };
        let platforms: Vec<&str> = all.iter().map(|entry| &*entry.platform).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm/v7"]);
    }

    #[test]
    fn an_image_has_its_configuration_and_its_layers() {
        let image = json!({"schemaVersion": 2, "config": {"digest": digest('a'), "size": 1},
            "layers": [{"digest": digest('b'), "size": 2},
                       {"digest": digest('c'), "size": 3, "urls": ["https://elsewhere"]}]});
        let Manifest::Image(blobs) = read(&image).unwrap() else { panic!("an index") };
        let sizes: Vec<u64> = blobs.iter().map(|blob| blob.size).collect();
        assert_eq!(sizes, [1, 2], "a foreign layer is in no registry");
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for value in [
            json!({}),
            json!([]),
            json!({"schemaVersion": 1, "fsLayers": []}),
            json!({"schemaVersion": 2}),
            json!({"schemaVersion": 2, "manifests": [{"digest": "sha256:12", "size": 1,
                   "platform": {"os": "linux", "architecture": "amd64"}}]}),
            json!({"schemaVersion": 2, "manifests": [], "config": {"digest": digest('a'), "size": 1}}),
        ] {
            assert!(read(&value).is_err(), "{value}");
        }
        assert!(Manifest::read(b"<html>").is_err());
    }

    #[test]
    fn a_variant_is_more_than_was_wanted_and_never_less() {
        assert!(is_for("linux/arm64/v8", "linux/arm64"));
        assert!(!is_for("linux/arm64", "linux/arm64/v8"));
        assert!(!is_for("linux/arm", "linux/arm64"));
        assert!(!is_for("linux/arm64", "linux/arm"));
    }
}
