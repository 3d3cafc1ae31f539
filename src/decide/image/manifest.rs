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

/// Layers that need not be in any registry, since nobody may give them on (OCI image specification
/// 1.0, "Non-Distributable Layers"; Docker's are Windows itself).
const NOT_GIVEN_ON: [&str; 2] = [
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
];

/// What stands for a platform that an index does not tell.
const UNKNOWN: &str = "unknown";

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
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
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
    #[serde(default, rename = "mediaType")]
    media_type: String,
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
                let layers = layers.into_iter().filter(|layer| !layer.is_elsewhere());
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

impl Layer {
    fn is_elsewhere(&self) -> bool {
        !self.urls.is_empty() && NOT_GIVEN_ON.iter().any(|kind| self.media_type.starts_with(kind))
    }
}

/// An image in an index; what is none, like an attestation, says so.
fn entry(listed: Listed) -> Option<Entry> {
    if listed.annotations.contains_key(ATTESTATION) {
        return None;
    }
    let platform = match listed.platform {
        Some(platform) if platform.os == UNKNOWN => return None,
        Some(Platform { os, architecture, variant }) => {
            let variant = variant.filter(|variant| !variant.is_empty());
            let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
            format!("{os}/{architecture}{variant}")
        }
        None if listed.artifact_type.is_some() => return None,
        None => UNKNOWN.into(),
    };
    Some(Entry { manifest: listed.manifest, platform })
}

/// Whether an image for one platform runs where another one is wanted: `linux/arm64/v8` is
/// `linux/arm64`, and `linux/arm/v7` is for a `linux/arm` of which nothing else is said; but
/// `linux/amd64/v3` does not run on each `linux/amd64`.
pub fn is_for(platform: &str, wanted: &str) -> bool {
    let (platform, wanted) = (usual(platform), usual(wanted));
    platform == wanted || wanted.ends_with("/arm") && platform.starts_with(&format!("{wanted}/"))
}

/// A platform without the variant that it has anyway (containerd, `platforms.Normalize`).
fn usual(platform: &str) -> &str {
    let all = [("arm64", "/v8"), ("amd64", "/v1")];
    let bare = all.iter().find_map(|(architecture, variant)| {
        platform.strip_suffix(variant).filter(|rest| rest.ends_with(&format!("/{architecture}")))
    });
    bare.unwrap_or(platform)
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
            {"digest": digest('d'), "size": 9},
            {"digest": digest('e'), "size": 9, "artifactType": "application/x"},
            {"digest": digest('f'), "size": 9, "annotations": {ATTESTATION: "x"}},
        ]});
        let Manifest::Index(all) = read(&index).unwrap() else { panic!("an image") };
        let platforms: Vec<&str> = all.iter().map(|entry| &*entry.platform).collect();
        assert_eq!(
            platforms,
            ["linux/amd64", "linux/arm/v7", "unknown"],
            "a platform may be left out"
        );
    }

    #[test]
    fn an_image_has_its_configuration_and_its_layers() {
        let image = json!({"schemaVersion": 2, "config": {"digest": digest('a'), "size": 1},
            "layers": [{"digest": digest('b'), "size": 2},
                       {"digest": digest('c'), "size": 3, "urls": ["https://elsewhere"],
                        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
                       {"digest": digest('d'), "size": 4, "urls": ["https://elsewhere"],
                        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}]});
        let Manifest::Image(blobs) = read(&image).unwrap() else { panic!("an index") };
        let sizes: Vec<u64> = blobs.iter().map(|blob| blob.size).collect();
        assert_eq!(sizes, [1, 2, 4], "only a foreign layer may be in no registry");
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
    fn d2_a_variant_is_for_the_bare_platform_only_where_each_of_these_runs_it() {
        for (platform, wanted, runs) in [
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/amd64/v1", "linux/amd64", true),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm/v7", "linux/arm/v7", true),
            ("linux/arm", "linux/arm/v7", false),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/amd64/v3", "linux/amd64", false),
            ("linux/amd64", "linux/amd64/v3", false),
            ("linux/arm64/v9", "linux/arm64", false),
            ("linux/arm", "linux/arm64", false),
            ("linux/arm64", "linux/arm", false),
            ("unknown", "linux/amd64", false),
        ] {
            assert_eq!(is_for(platform, wanted), runs, "{platform} where {wanted} is wanted");
        }
    }
}
