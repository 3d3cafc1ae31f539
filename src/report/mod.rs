//! What a run leaves behind: the published report and its renderers.

pub mod console;
pub mod junit;
pub mod markdown;
pub mod mask;
pub mod metrics;
pub mod v1;

/// Published files that are generated from the types they describe.
#[cfg(test)]
pub(crate) mod contract {
    /// Compares a generated document with the file in the repository; with `UPDATE=1` in the
    /// environment it rewrites the file instead.
    pub(crate) fn compare(file: &str, document: &impl serde::Serialize) {
        let generated = serde_json::to_string_pretty(document).unwrap() + "\n";
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        if crate::host::env::var("UPDATE").is_some() {
            crate::host::files::replace(&path, generated.as_bytes()).unwrap();
        }
        let published = crate::host::files::read_text(&path).unwrap_or_default();
        assert!(published == generated, "{file} is out of date; run the tests with UPDATE=1");
    }
}
