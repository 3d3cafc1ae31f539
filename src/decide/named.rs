//! Values that stand beside names which say that they are secret, in whatever an answer is written.

use std::sync::LazyLock;

use regex::Regex;

use super::observation::Observation;
use crate::report::mask::{is_common, is_ordinary, is_secret_name};

/// Bytes of a text that are looked through: more than is shown of any.
const LOOKED: usize = 64 << 10;
/// Values that are taken from one answer.
const MOST: usize = 50;
/// `"token": "…"`, `token=…`, `token: …`.
const PAIR: &str =
    r#"([A-Za-z0-9_.-]{2,60})["']?\s*[:=]\s*(?:"((?:[^"\\]|\\.){6,})"|([^\s"'`,;&<>{}\[\]]{6,}))"#;

static PAIRS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PAIR).ok());

/// What an answer tells beside such a name, as it is written there: a token that a login gives, a
/// password that an error repeats. Words, versions and dates are none.
pub(super) fn secrets(observation: &Observation) -> Vec<String> {
    match observation {
        Observation::Http(response) => of_text(&response.body),
        Observation::Exit(output) => [of_text(&output.stdout), of_text(&output.stderr)].concat(),
        Observation::Reply(reply) => of_text(reply.text.as_bytes()),
        _ => Vec::new(),
    }
}

fn of_text(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED)]);
    let Some(pairs) = PAIRS.as_ref() else { return Vec::new() };
    let found = pairs.captures_iter(&text).filter_map(|pair| {
        let value = pair.get(2).or(pair.get(3))?.as_str();
        // A key alone is that of any entry.
        let name = pair.get(1)?.as_str();
        let tells = is_secret_name(name) && !name.eq_ignore_ascii_case("key");
        (tells && !is_common(value) && !is_ordinary(value)).then(|| value.to_owned())
    });
    found.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x4_a_value_beside_a_secret_name_is_secret_however_it_is_written() {
        for (text, wanted) in [
            (r#"{"token":"t0ken-of-ours","user":"anna-b"}"#, &["t0ken-of-ours"][..]),
            (r#"{"data":{"accessToken" : "a\"b-12345", "expires_in": 3600}}"#, &[r#"a\"b-12345"#]),
            ("user=x&password=formpw4444&theme=dark", &["formpw4444"]),
            ("api_key: 8f2d-11aa\nstatus: failing", &["8f2d-11aa"]),
            // Cut off in the middle of all.
            (r#"{"rows":[{"secret":"s3cr3t-s3cr3t","#, &["s3cr3t-s3cr3t"]),
            (r#"{"token":"none","password":"password","session":"2026-11-22"}"#, &[]),
            (r#"{"token":null,"secret":true,"key":12}"#, &[]),
            ("tokens are what we count", &[]),
            (r#"{"key":"europe-1","value":7}"#, &[]),
        ] {
            assert_eq!(of_text(text.as_bytes()), wanted, "{text}");
        }
    }
}
