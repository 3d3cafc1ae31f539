//! Words of a Compose file, as they may stand in a `waveoff.yml`.

use std::fmt::Write as _;

use crate::decide::naming::Name;

/// Where something answers on this machine.
pub(super) fn address(port: u16) -> String {
    match port {
        80 => "http://localhost".into(),
        443 => "https://localhost".into(),
        port => format!("http://localhost:{port}"),
    }
}

/// A name that is one, as near as possible to what is written.
pub(super) fn as_name(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    plain.parse::<Name>().map_or_else(|_| "shop".into(), |name| name.to_string())
}

/// A word in YAML, quoted where it could be read as anything else.
pub(super) fn scalar(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let is_more = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", ".nan", ".inf"];
    if is_word && !is_more.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    // What would be taken for a reference of ours is none.
    serde_json::Value::from(text).to_string().replace('$', "$$")
}

/// What may stand behind a `#`.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The path of an address, when it is one that can be asked from here, too.
pub(super) fn path_of(url: &str) -> Option<String> {
    let (_, behind) = url.split_once("://")?;
    let path = behind.find('/').map_or("/", |at| &behind[at..]);
    let is_plain = path.chars().all(|c| c.is_ascii_graphic() && !"$\\{}".contains(c));
    is_plain.then(|| path.to_owned())
}

/// The registry of an image, when it is not Docker Hub.
pub(super) fn registry(image: &str) -> Option<&str> {
    let (first, _) = image.split_once('/')?;
    (first.contains('.') && !first.contains('$')).then_some(first)
}

/// Adds a line.
pub(super) fn line(out: &mut String, text: &str) {
    // Writing into a text does not fail.
    writeln!(out, "{text}").unwrap_or_default();
}
