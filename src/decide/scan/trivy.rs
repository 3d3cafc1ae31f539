//! Trivy's own JSON, schema version 2 (trivy.dev, "Reporting").

use serde::Deserialize;
use serde_json::Value;

use super::{Found, Level, Scan};

/// The kind of what was scanned; others are `filesystem`, `repository`, `cyclonedx`.
const IMAGE: &str = "container_image";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    schema_version: u32,
    created_at: Option<String>,
    artifact_name: Option<String>,
    artifact_type: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
    results: Option<Vec<Part>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    repo_digests: Option<Vec<String>>,
    /// The digest of the configuration, or what the engine takes for the image's.
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    #[serde(rename = "OS")]
    os: Option<Distribution>,
}

#[derive(Deserialize)]
struct Distribution {
    /// Past the end of its service life.
    #[serde(rename = "EOSL", default)]
    is_past_end: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    #[serde(default)]
    target: String,
    vulnerabilities: Option<Vec<Vulnerability>>,
    misconfigurations: Option<Vec<Misconfiguration>>,
    secrets: Option<Vec<Leak>>,
    licenses: Option<Vec<License>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(default)]
    pkg_name: String,
    #[serde(default)]
    installed_version: String,
    fixed_version: Option<String>,
    severity: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Misconfiguration {
    #[serde(rename = "ID")]
    id: String,
    severity: String,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Leak {
    #[serde(rename = "RuleID")]
    id: String,
    severity: String,
    #[serde(default)]
    start_line: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct License {
    name: String,
    /// Of a package, or of a file.
    #[serde(default)]
    pkg_name: String,
    #[serde(default)]
    file_path: String,
    #[serde(default)]
    severity: String,
}

pub(super) fn read(value: &Value) -> Result<Scan, String> {
    let report = Report::deserialize(value).map_err(|error| format!("Trivy's JSON: {error}"))?;
    if report.schema_version != 2 {
        let version = report.schema_version;
        return Err(format!("Trivy's JSON has schema {version}, and 2 is what is understood"));
    }
    let parts = report.results.unwrap_or_default();
    let looked_at = parts.len();
    let found: Result<Vec<Vec<Found>>, String> = parts.into_iter().map(Part::found).collect();
    let data = report.metadata.unwrap_or_default();
    let id = data.image_id.filter(|id| !id.is_empty());
    let digests: Vec<String> = data.repo_digests.into_iter().flatten().chain(id).collect();
    // What does not say of what kind it is may be an image.
    let kind = report.artifact_type.as_deref().unwrap_or(IMAGE);
    Ok(Scan {
        subject: report.artifact_name,
        is_of_image: kind == IMAGE || !digests.is_empty(),
        digests,
        created: report.created_at,
        is_past_end: data.os.is_some_and(|os| os.is_past_end),
        looked_at,
        found: found?.into_iter().flatten().collect(),
    })
}

impl Part {
    fn found(self) -> Result<Vec<Found>, String> {
        let mut all = Vec::new();
        for one in self.vulnerabilities.into_iter().flatten() {
            let fixed = one.fixed_version.filter(|version| !version.is_empty());
            let place = format!("{} {}", one.pkg_name, one.installed_version);
            all.push(Found { level: level(&one.severity)?, id: one.id, place, fixed });
        }
        for one in self.misconfigurations.into_iter().flatten() {
            if one.status.as_deref() != Some("PASS") {
                let place = self.target.clone();
                all.push(Found { level: level(&one.severity)?, id: one.id, place, fixed: None });
            }
        }
        for one in self.secrets.into_iter().flatten() {
            let place = format!("{}:{}", self.target, one.start_line);
            all.push(Found { level: level(&one.severity)?, id: one.id, place, fixed: None });
        }
        for one in self.licenses.into_iter().flatten() {
            let places = [one.pkg_name, one.file_path, self.target.clone()];
            let place = places.into_iter().find(|place| !place.is_empty()).unwrap_or_default();
            all.push(Found { level: level(&one.severity)?, id: one.name, place, fixed: None });
        }
        Ok(all)
    }
}

/// A word that nobody knows may be the worst one.
fn level(word: &str) -> Result<Level, String> {
    Level::of(word).ok_or_else(|| format!("Trivy's JSON: the severity {word:?} is not known"))
}
