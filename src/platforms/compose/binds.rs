//! What services mount of the folder that a caller has sent.

use serde_json::Value;

use super::model::wrong;
use crate::exit::Fault;

/// Whether a folder is one of files that were sent: it is called as their digest is.
pub(super) fn is_sent(name: &str) -> bool {
    name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit())
}

/// Refuses what a service mounts of such a folder and was not sent: the engine would make an empty
/// folder of it, and whatever is written there is left behind with the next change of any file.
///
/// # Errors
/// When there is one, with its service.
pub(super) fn refuse_unsent(
    model: &Value,
    folder: &str,
    is_there: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let inside = format!("{folder}/");
    for (service, definition) in model["services"].as_object().into_iter().flatten() {
        for mount in definition["volumes"].as_array().into_iter().flatten() {
            let source = mount["source"].as_str().unwrap_or_default();
            let Some(name) = source.strip_prefix(&inside) else { continue };
            if mount["type"] == "bind" && !is_there(source) {
                return Err(wrong(format!(
                    "the service {service} mounts ./{name}, which was not sent: what it writes there would be left \
                     behind with the next change"
                ))
                .hint("use a named volume or an absolute path, or send it with `upload`"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d6_what_was_not_sent_is_no_place_for_data() {
        let model = serde_json::json!({ "services": { "db": { "volumes": [
            { "type": "volume", "source": "data", "target": "/a" },
            { "type": "bind", "source": "/srv/data", "target": "/b" },
            { "type": "bind", "source": "/up/1f/conf", "target": "/c" },
            { "type": "bind", "source": "/up/1f/data", "target": "/d" },
        ] } } });
        let refused = refuse_unsent(&model, "/up/1f", |source| source == "/up/1f/conf");
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("the service db mounts ./data"), "{error}");
        refuse_unsent(&model, "/up/1f", |_| true).unwrap();
        refuse_unsent(&model, "/up/2e", |_| false).unwrap();
        assert!(is_sent(&"0a".repeat(32)) && !is_sent("shop") && !is_sent(&"0g".repeat(32)));
    }
}
