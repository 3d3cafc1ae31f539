//! OpenAPI descriptions: a good one has what it must have, and mistakes are told briefly.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use waveoff_fuzz::decide::openapi::{check, resolve, templates};

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        if let Ok(path) = std::str::from_utf8(bytes)
            && let Ok(names) = templates(path)
        {
            assert_eq!(names.len(), path.matches('{').count());
            assert!(names.iter().all(|name| path.contains(&format!("{{{name}}}"))));
        }
        return;
    };
    match check(&document) {
        Ok(version) => {
            assert!(version.starts_with("3.0.") || version.starts_with("3.1."));
            assert!(
                document["info"]["title"].is_string() && document["info"]["version"].is_string()
            );
        }
        Err(why) => assert!(!why.is_empty() && why.chars().count() < 2000, "{why}"),
    }
    let reference = serde_json::json!({ "$ref": "#/components/schemas/a" });
    if let Some(target) = resolve(&document, &reference) {
        assert!(target.get("$ref").and_then(Value::as_str).is_none());
    }
});
