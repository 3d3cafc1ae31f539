//! Secrets that stand in the file itself and in no variable: what repeats them is masked as well.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tree::{Kind, Node};
use crate::decide::cookies;
use crate::decide::template::names;
use crate::report::mask::{Mask, is_common, is_secret_name};

/// Keys of ours that are called like secrets and are none: a file's name, and what has them in it.
const HARMLESS: &[&str] = &["auth", "client-key"];
/// Below these keys stands what others call as they like; nothing there is a key of ours.
const FOREIGN: &[&str] = &["env", "headers", "json"];

/// Adds the texts of keys whose names say that they are secret, and what in addresses is.
pub(super) fn find(node: &Node, mask: &mut Mask) {
    look(node, Around::Ours, mask);
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    /// In keys of ours.
    Ours,
    /// In `signature` or `signer`, whose `key` is a file or the name of one.
    Signature,
    /// In `capture`, whose keys are names.
    Captures,
    /// In keys that somebody else has named.
    Foreign,
    /// Below a key that says that all of it is secret.
    Secret,
}

fn look(node: &Node, around: Around, mask: &mut Mask) {
    match &node.kind {
        Kind::Scalar { text, .. } => {
            if around == Around::Secret {
                add(text, mask);
            }
            in_address(text, mask);
        }
        Kind::List(list) => {
            in_arguments(list, mask);
            list.iter().for_each(|node| look(node, around, mask));
        }
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                let name = scalar(key);
                match name {
                    "body" | "send" => in_message(scalar(value), mask),
                    _ if name.eq_ignore_ascii_case("cookie") => in_cookies(scalar(value), mask),
                    _ => {}
                }
                look(value, below(name, value, around), mask);
            }
            let of = |name: &str| pairs.iter().find(|(key, _)| scalar(key) == name);
            if let (Some((_, user)), Some((_, password))) = (of("user"), of("password")) {
                as_basic(&format!("{}:{}", scalar(user), scalar(password)), mask);
            }
        }
    }
}

/// Where the value of a key stands.
fn below(name: &str, value: &Node, around: Around) -> Around {
    let is_ours = matches!(around, Around::Ours | Around::Signature);
    let is_harmless = match name {
        "key" => around == Around::Signature,
        // Whether what is captured is a secret.
        "secret" => matches!(scalar(value), "true" | "false"),
        _ => is_ours && HARMLESS.contains(&name),
    };
    match around {
        Around::Secret => Around::Secret,
        // The name of a captured value stands above how it is found.
        Around::Captures => Around::Ours,
        _ if name == "bearer" || is_secret_name(name) && !is_harmless => Around::Secret,
        Around::Ours if name == "capture" => Around::Captures,
        Around::Ours if name == "signature" || name == "signer" => Around::Signature,
        Around::Ours if FOREIGN.contains(&name) => Around::Foreign,
        _ => around,
    }
}

/// The values of a header `Cookie` (RFC 6265 §4.2.1) that a cookie has which must not be shown.
fn in_cookies(text: &str, mask: &mut Mask) {
    for (name, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
        let value = value.trim().trim_matches('"');
        if cookies::is_secret(name.trim(), value) {
            add(value, mask);
        }
    }
}

/// Arguments of a program: what stands behind an option that is called like a secret, a password
/// behind a user, and variables that are set.
fn in_arguments(list: &[Node], mask: &mut Mask) {
    for (index, word) in list.iter().map(scalar).enumerate() {
        let option = word.trim_start_matches('-');
        let next = list.get(index + 1).map_or("", scalar);
        match option.split_once('=') {
            Some((name, value)) if is_secret_name(name) => add(value, mask),
            None if option.len() < word.len() && is_secret_name(option) => add(next, mask),
            None if ["-u", "--user"].contains(&word) => {
                add(next.split_once(':').map_or("", |(_, password)| password), mask);
            }
            _ => {}
        }
    }
}

/// What is sent as it stands: fields of a form, and the words by which one logs in in protocols of
/// lines.
fn in_message(text: &str, mask: &mut Mask) {
    for (name, value) in text.split(['&', '\n']).filter_map(|pair| pair.split_once('=')) {
        if is_secret_name(name.trim()) {
            add(value.trim(), mask);
        }
    }
    for line in text.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [word, .., last] if ["AUTH", "PASS"].iter().any(|w| word.eq_ignore_ascii_case(w)) => {
                add(last, mask);
            }
            _ => {}
        }
    }
}

fn scalar(node: &Node) -> &str {
    match &node.kind {
        Kind::Scalar { text, .. } => text,
        _ => "",
    }
}

/// User and password as they go over HTTP (RFC 7617 §2).
pub(crate) fn as_basic(pair: &str, mask: &mut Mask) {
    mask.add(&STANDARD.encode(pair));
}

/// A value, also without the scheme before it: `Bearer …`. What is captured is no secret of the file,
/// and a word that everybody has, like `test`, is none at all.
pub(crate) fn add(text: &str, mask: &mut Mask) {
    if names(text).is_empty() && !is_common(text) {
        mask.add(text);
        if let Some((_, rest)) = text.split_once(' ') {
            mask.add(rest);
        }
    }
}

/// The password before a host, and parameters that are called like secrets.
pub(crate) fn in_address(text: &str, mask: &mut Mask) {
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    if let Some((_, password)) = user.and_then(|(user, _)| user.split_once(':')) {
        add(password, mask);
    }
    let query = text.split_once('?').map_or("", |(_, query)| query);
    for parameter in query.split(['&', '#']) {
        match parameter.split_once('=') {
            Some((name, value)) if is_secret_name(name) => add(value, mask),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(yaml: &str, text: &str) -> String {
        let mut mask = Mask::default();
        find(&super::super::tree::read(yaml).unwrap(), &mut mask);
        mask.apply(text)
    }

    #[test]
    fn x4_secrets_in_the_file_are_known_by_their_keys() {
        for yaml in [
            "headers: { X-Api-Key: hunter2 }",
            "headers: { Authorization: Bearer hunter2 }",
            "auth: { bearer: hunter2 }",
            "ssh: { key: hunter2 }",
            "- redis: { password: 'hunter2' }",
            "json: [{ token: hunter2 }]",
            "env: { DB_PASSWORD: hunter2 }",
            "json: { secret: hunter2, key: x }",
            "json: { key: hunter2 }",
            "env: { secret: hunter2 }",
            "json: { client-key: hunter2 }",
            "json: { signature: { key: hunter2 } }",
            "json: { tokens: [a, hunter2] }",
            "json: { credentials: { user: me, value: [{ of: hunter2 }] } }",
            "headers: { Cookie: session=hunter2; theme=dark }",
            "headers: { cookie: theme=dark; x=hunter2-hunter2-2;sid=\"hunter2\" }",
            "url: https://a.test/?x=1&access_token=hunter2#top",
            "each: ['/a?token=hunter2']",
            "command: [git, clone, 'https://me:hunter2@a.test/x']",
            "command: [curl, -u, 'joe:hunter2', a.test]",
            "command: [tool, --db-password, hunter2, x]",
            "command: [tool, --token=hunter2]",
            "command: [env, API_KEY=hunter2, tool]",
            "body: user=me&password=hunter2&theme=dark",
            "send: \"AUTH hunter2\\r\\n\"",
            "send: \"USER me\\r\\nPASS hunter2\\r\\n\"",
        ] {
            assert_eq!(masked(yaml, "it is hunter2."), "it is ***.", "{yaml}");
        }
        let basic = masked("basic: { user: me, password: hunter2 }", "bWU6aHVudGVyMg==");
        assert_eq!(basic, "***");
    }

    #[test]
    fn x4_what_is_no_secret_stays_readable() {
        for yaml in [
            "capture: { token: { jsonpath: $.token, secret: true } }",
            "capture: { secret: { header: true, secret: false } }",
            "client-key: certs/true.pem",
            "preflight: { signature: { key: certs/true.pem } }",
            "auth: { basic: { user: certs/true.pem, password: a-password } }",
            "headers: { Cookie: 'sid={{true}}; path=certs/true.pem; x=$.token' }",
            "headers: { Authorization: 'Bearer {{true}}', Accept: true }",
            "url: https://a.test/?page=true",
            "command: [tool, --user, certs/true.pem, --keys, $.token]",
            "body: page=certs/true.pem",
        ] {
            let text = "true certs/true.pem {{true}} $.token";
            assert_eq!(masked(yaml, text), text, "{yaml}");
        }
    }
}
