//! What must be in place before a release is deployed. Only `waveoff` reads these keys.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::CheckSpec;
use super::compose::RegistrySpec;
use super::values::{Argv, NonEmpty, Period};
use crate::decide::scan::Level;
use crate::decide::verdict::Severity;

/// What must be in place before a release is deployed.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PreflightSpec {
    /// The images of a release, like `ghcr.io/acme/shop`; by the tag `{{version}}` where none is written, or by the digest that is deployed. What the platform itself pulls is looked at besides.
    pub images: Option<NonEmpty<String>>,
    /// Images that are your own, like `ghcr.io/acme/*`; all of them if absent. Of those of others it is only looked whether they are there.
    pub own: Option<NonEmpty<String>>,
    /// Where they come from, when that wants a login that Docker and Podman do not know here.
    pub registry: Option<RegistrySpec>,
    /// Registries that are asked without TLS, besides those on loopback.
    pub plain_http: Option<NonEmpty<String>>,
    /// Platforms that each image must have, like `linux/arm64`.
    pub platforms: Option<NonEmpty<String>>,
    /// Read every layer through, and compare it with its digest; that takes as long as a pull.
    pub blobs: Option<bool>,
    /// The tag under which each image must be in its registry, too: `{{sha}}`, `sha-{{short-sha}}`.
    pub commit_tag: Option<String>,
    /// Cosign; `cosign` if absent.
    pub cosign: Option<Argv>,
    /// Who must have signed each image.
    pub signature: Option<SignerSpec>,
    /// What must be attested of each image, by the signer unless another one is named.
    pub provenance: Option<ProvenanceSpec>,
    /// What scanners may have found.
    pub scan: Option<ScanSpec>,
    /// Environment variables that must be set, where `waveoff` is started.
    pub variables: Option<NonEmpty<String>>,
    /// Files that must be there, on the machine that is deployed to.
    pub files: Option<NonEmpty<String>>,
    /// What the release needs, and must answer: checks, asked from the machine that is deployed to.
    pub dependencies: Option<NonEmpty<CheckSpec>>,
    /// What must be free on each disk that is written to; 1GB if absent.
    pub room: Option<Size>,
    /// What people must have said, by name: `review`, `on-call-told`.
    pub sign_offs: Option<NonEmpty<String>>,
    /// The severity of what is looked at, where it is not the usual one.
    pub severity: Option<BTreeMap<Kind, Severity>>,
}

/// Who must have signed: a key, or an identity with who vouches for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SignerSpec {
    /// The public key: a file, or what Cosign takes for one.
    pub key: Option<String>,
    /// The identity in the certificate: `https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main`.
    pub identity: Option<String>,
    /// The same as a regular expression; write `^…$`.
    pub identity_regexp: Option<String>,
    /// Who vouches for the identity: `https://token.actions.githubusercontent.com`.
    pub issuer: Option<String>,
    /// The GitHub repository whose workflow signed, like `acme/shop`: the identity of a reusable workflow is the same for all that call it.
    pub repository: Option<String>,
    /// Whether the signature must be in the transparency log; true if absent.
    pub transparency_log: Option<bool>,
}

/// What must be attested.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProvenanceSpec {
    /// What is attested, as Cosign calls it: `slsaprovenance1` if absent; `spdxjson`, `cyclonedx`, or a predicate's URI.
    pub r#type: Option<String>,
    /// Who must have attested it; the signer if absent.
    pub signer: Option<SignerSpec>,
}

/// What scanners may have found.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScanSpec {
    /// Reports, where `waveoff` is started: Trivy's JSON, or SARIF. `--scan-report` names more.
    pub reports: Option<NonEmpty<String>>,
    /// The lowest severity that is too much: `high` if absent.
    #[cfg_attr(test, schemars(with = "Option<LevelWord>"))]
    #[serde(default, deserialize_with = "level")]
    pub bar: Option<Level>,
    /// How old a report may be that tells its age.
    pub max_age: Option<Period>,
}

/// A level's word, for the schema.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only described")]
enum LevelWord {
    Critical,
    High,
    Medium,
    Low,
    Unknown,
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Level>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

/// A number of bytes with its unit: `500MB`, `2GB`, `1GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// Units, the smallest first.
const UNITS: [(&str, u64); 6] = [
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size; write it like 500MB, 2GB or 1GiB");
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?.1;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 10_000_000_000 => write!(f, "{} GB", bytes / 1_000_000_000),
            bytes if bytes >= 1_000_000_000 => write!(f, "{:.1} GB", bytes as f64 / 1e9),
            bytes => write!(f, "{} MB", bytes / 1_000_000),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "description": "a number of bytes with its unit: 500MB, 2GB, 1GiB",
            "pattern": "^[0-9]+ *[MGT]i?B$|\\$\\{"
        })
    }
}

/// What is looked at. A new one is a variant here, a file in `preflight/` and a line of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What the platform starts is there.
    Artifacts,
    /// Each image is in its registry, with all that it is made of.
    Image,
    /// It has each platform.
    Platforms,
    /// Its layers are what their digests say.
    Blobs,
    /// It has the commit's tag.
    CommitTag,
    /// It is signed.
    Signature,
    /// It is attested.
    Provenance,
    /// Scanners found nothing that is too much.
    Scan,
    /// Variables are set.
    Variables,
    /// People have said what they must.
    SignOffs,
    /// Files are there.
    Files,
    /// What the release needs answers.
    Dependencies,
    /// Nobody else is deploying.
    Lock,
    /// No incident waits for a person.
    Incident,
    /// There is a release to go back to, and it can be started.
    RollbackTarget,
    /// There is room on the disks.
    Room,
}

impl Kind {
    /// Its name in reports and in `severity`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Artifacts => "artifacts",
            Kind::Image => "image",
            Kind::Platforms => "platforms",
            Kind::Blobs => "blobs",
            Kind::CommitTag => "commit-tag",
            Kind::Signature => "signature",
            Kind::Provenance => "provenance",
            Kind::Scan => "scan",
            Kind::Variables => "variables",
            Kind::SignOffs => "sign-offs",
            Kind::Files => "files",
            Kind::Dependencies => "dependencies",
            Kind::Lock => "lock",
            Kind::Incident => "incident",
            Kind::RollbackTarget => "rollback-target",
            Kind::Room => "room",
        }
    }
}

impl PreflightSpec {
    /// Registries that are asked without TLS, besides those on loopback.
    pub fn plain(&self) -> &[String] {
        self.plain_http.as_ref().map_or(&[], |list| &list.0)
    }

    /// Whether an image is one's own, by its name without a tag.
    pub fn is_own(&self, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        };
        self.own.as_ref().is_none_or(|list| list.0.iter().any(fits))
    }

    /// The first mistake that its keys make together: the key, what is wrong, what would be right.
    pub fn mistake(&self) -> Option<(String, String, String)> {
        let provenance = self.provenance.as_ref();
        let signers = [
            ("preflight.signature", self.signature.as_ref()),
            ("preflight.provenance.signer", provenance.and_then(|spec| spec.signer.as_ref())),
        ];
        for (key, signer) in signers {
            if let Some((what, hint)) = signer.and_then(SignerSpec::mistake) {
                return Some((key.into(), what.into(), hint.into()));
            }
        }
        if provenance.is_some_and(|spec| spec.signer.is_none()) && self.signature.is_none() {
            let hint = "write `signer: { identity: …, issuer: … }`, or `preflight.signature`";
            return Some((
                "preflight.provenance".into(),
                "nothing says who must have attested it".into(),
                hint.into(),
            ));
        }
        let wrong = self.platforms.iter().flat_map(|list| &list.0).find(|p| !is_platform(p))?;
        let hint = "write them like linux/amd64, linux/arm/v7";
        Some(("preflight.platforms".into(), format!("{wrong:?} is no platform"), hint.into()))
    }
}

impl SignerSpec {
    fn mistake(&self) -> Option<(&'static str, &'static str)> {
        let keyless = [&self.identity, &self.identity_regexp, &self.issuer, &self.repository];
        let has_keyless = keyless.iter().any(|part| part.is_some());
        match (&self.key, &self.identity, &self.identity_regexp, &self.issuer) {
            (Some(_), ..) if has_keyless => {
                Some(("a key and an identity stand side by side", "keep one of them"))
            }
            (Some(_), ..) => None,
            (None, Some(_), Some(_), _) => {
                Some(("`identity` and `identity-regexp` stand side by side", "keep one of them"))
            }
            (None, Some(_), None, Some(_)) | (None, None, Some(_), Some(_)) => None,
            // Anybody has an identity with some issuer: without both, a signature says nothing.
            (None, ..) => Some((
                "neither a key, nor an identity with its issuer",
                "write `key: cosign.pub`, or both `identity` and `issuer`",
            )),
        }
    }
}

fn is_platform(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('/').collect();
    (2..=3).contains(&parts.len()) && parts.into_iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PreflightSpec {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn d2_a_signature_needs_a_key_or_an_identity_with_its_issuer() {
        for good in [
            "signature: { key: cosign.pub }",
            "signature: { identity: a, issuer: b }",
            "signature: { identity-regexp: ^a$, issuer: b, repository: a/b }",
            "provenance: { signer: { key: k } }",
            "{ signature: { key: k }, provenance: {} }",
            "platforms: [linux/amd64, linux/arm/v7]",
        ] {
            assert_eq!(read(good).mistake(), None, "{good}");
        }
        for wrong in [
            "signature: {}",
            "signature: { identity: a }",
            "signature: { issuer: b }",
            "signature: { key: k, issuer: b }",
            "signature: { key: k, repository: a/b }",
            "signature: { repository: a/b }",
            "signature: { identity: a, identity-regexp: b, issuer: c }",
            "provenance: {}",
            "provenance: { signer: { identity: a } }",
            "platforms: [amd64]",
        ] {
            assert!(read(wrong).mistake().is_some(), "{wrong}");
        }
    }

    #[test]
    fn d2_whose_an_image_is_goes_by_its_name() {
        let spec = read("own: [ghcr.io/acme/*, docker.io/me/shop]");
        for own in ["ghcr.io/acme/web", "ghcr.io/acme/a/b", "docker.io/me/shop"] {
            assert!(spec.is_own(own), "{own}");
        }
        for other in ["ghcr.io/acmes/web", "docker.io/me/shop2", "docker.io/library/nginx"] {
            assert!(!spec.is_own(other), "{other}");
        }
        assert!(PreflightSpec::default().is_own("docker.io/library/nginx"));
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("500MB", 500_000_000), ("1GiB", 1 << 30), ("2 GB", 2_000_000_000)] {
            assert_eq!(text.parse::<Size>().map(|size| size.0), Ok(bytes), "{text}");
        }
        for text in ["", "5", "5G", "GB", "-1GB", "1.5GB", "99999999999999TB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!(Size(1_500_000_000).to_string(), "1.5 GB");
    }

    #[test]
    fn names_of_kinds_are_those_of_the_configuration() {
        for kind in ["image", "commit-tag", "sign-offs", "rollback-target"] {
            let spec = read(&format!("severity: {{ {kind}: warning }}"));
            let found: Vec<_> = spec.severity.into_iter().flatten().collect();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].0.name(), kind);
        }
    }
}
