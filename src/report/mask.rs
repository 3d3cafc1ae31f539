//! Keeping secrets out of everything that is written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The texts that must not be shown, and what stands in their place.
#[derive(Clone, Default)]
pub struct Mask {
    /// The longest first, so that no end of one stays; with how often it was added for now, or
    /// nothing when it is for good.
    secrets: BTreeMap<(Reverse<usize>, String), Option<usize>>,
}

/// Shorter texts would mask half of every sentence and protect nothing.
const SHORTEST: usize = 4;
const STARS: &str = "***";
/// Words that other programs act on. A secret that is one of them protects nothing, and to mask
/// the word where it stands alone would break a gate.
const OURS: &[&str] = &[
    "cancelled",
    "circuit",
    "command",
    "container",
    "critical",
    "disk",
    "error",
    "escalate",
    "fail",
    "failed",
    "false",
    "grpc",
    "hold",
    "http",
    "inconclusive",
    "infrastructure",
    "keep",
    "load",
    "memory",
    "nothing",
    "pass",
    "postgres",
    "process",
    "redis",
    "release",
    "roll-back",
    "rollback-failed",
    "rolled-back",
    "started",
    "true",
    "unit",
    "unknown",
    "verified",
    "warning",
    "websocket",
];

/// What tests and fixtures have in place of secrets: to mask such a word wherever it stands would
/// spoil half of a report, and protect nothing.
const COMMON: &[&str] = &[
    "admin",
    "anonymous",
    "change",
    "changeme",
    "check",
    "default",
    "demo",
    "deploy",
    "dummy",
    "example",
    "false",
    "guest",
    "health",
    "hello",
    "http",
    "https",
    "local",
    "localhost",
    "none",
    "null",
    "pass",
    "password",
    "postgres",
    "prod",
    "production",
    "public",
    "redis",
    "release",
    "root",
    "secret",
    "service",
    "shop",
    "smoke",
    "staging",
    "status",
    "test",
    "tests",
    "token",
    "true",
    "user",
    "version",
    "wait",
];

/// Whether it is a word that everybody has, and no secret by itself.
pub fn is_common(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    lower.len() < SHORTEST || COMMON.contains(&lower.as_str()) || OURS.contains(&lower.as_str())
}

/// Whether it looks like a number, a version or a date: `2026`, `v1.4.0-rc.1`,
/// `2026-11-22T10:30:13Z`. A session's id has none of these forms.
pub fn is_ordinary(text: &str) -> bool {
    let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let is_piece = |piece: &str| {
        let name = piece.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = piece.len() - name.len();
        // `22T10` of a time, `13Z`, `rc1`, `beta`.
        let is_time = piece.split('T').all(|part| {
            let part = part.strip_suffix('Z').unwrap_or(part);
            part.len() <= 8 && part.bytes().all(|byte| byte.is_ascii_digit())
        });
        let is_word = name.len() <= 5 && name.bytes().all(|byte| byte.is_ascii_lowercase());
        is_time || is_word && digits <= 4
    };
    let is_number = bare.bytes().all(|byte| byte.is_ascii_digit());
    bare.starts_with(|c: char| c.is_ascii_digit())
        && (is_number
            || bare.len() <= 32 && bare.split(['.', '-', '+', ':', '_', '/']).all(is_piece))
}

impl Mask {
    /// Of variables: those whose names say that they are secret.
    pub fn of_variables(variables: &BTreeSet<(String, String)>) -> Mask {
        let mut mask = Mask::default();
        for (name, value) in variables {
            if is_secret_name(name) {
                mask.add(value);
            }
        }
        mask
    }

    /// Adds a text, and each line of it, also as they look in JSON: an answer may quote them.
    pub fn add(&mut self, secret: &str) {
        self.secrets.extend(forms(secret).into_iter().map(|form| (form, None)));
    }

    /// The same until it is forgotten as often as it was added; tells whether it is new.
    pub fn add_for_now(&mut self, secret: &str) -> bool {
        let mut is_new = false;
        for form in forms(secret) {
            let count = self.secrets.entry(form).or_insert_with(|| {
                is_new = true;
                Some(0)
            });
            *count = count.map(|count| count + 1);
        }
        is_new
    }

    /// Takes back one [`Mask::add_for_now`]; what is there for good stays.
    pub fn forget(&mut self, secret: &str) {
        for form in forms(secret) {
            match self.secrets.get_mut(&form) {
                Some(Some(count)) if *count > 1 => *count -= 1,
                Some(Some(_)) => drop(self.secrets.remove(&form)),
                Some(None) | None => {}
            }
        }
    }

    /// A value of a report: a word of ours that stands alone stays, all else is masked.
    pub fn apply_to_value(&self, text: &str) -> String {
        if OURS.contains(&text) { text.to_owned() } else { self.apply(text) }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Mask) {
        self.secrets.extend(other.secrets.keys().map(|form| (form.clone(), None)));
    }

    /// The text with every secret replaced by `***`.
    pub fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (_, secret) in self.secrets.keys() {
            if masked.contains(secret.as_str()) {
                masked = masked.replace(secret.as_str(), STARS);
            }
            masked = without_pieces(&masked, secret);
        }
        masked
    }
}

/// What is masked of a secret, once each.
fn forms(secret: &str) -> BTreeSet<(Reverse<usize>, String)> {
    let lines = secret.lines().chain([secret]).map(str::trim);
    let long = lines.filter(|line| line.len() >= SHORTEST);
    let both = long.flat_map(|line| {
        let quoted = serde_json::Value::from(line).to_string();
        [quoted[1..quoted.len() - 1].to_owned(), line.to_owned()]
    });
    both.map(|form| (Reverse(form.len()), form)).collect()
}

/// Where a text was cut, marked by an ellipsis, a piece of a secret may be left on either side.
fn without_pieces(text: &str, secret: &str) -> String {
    const CUT: char = '…';
    if !text.contains(CUT) {
        return text.to_owned();
    }
    let pieces: Vec<&str> = text.split(CUT).collect();
    let last = pieces.len() - 1;
    let ends = |at: &usize| secret.is_char_boundary(*at);
    let clean = pieces.into_iter().enumerate().map(|(index, piece)| {
        let (mut piece, mut before, mut after) = (piece, "", "");
        let heads = (SHORTEST..secret.len()).rev().filter(ends).map(|at| &secret[..at]);
        if let Some(rest) = heads.filter(|_| index < last).find_map(|h| piece.strip_suffix(h)) {
            (piece, after) = (rest, STARS);
        }
        let tails =
            (1..=secret.len().saturating_sub(SHORTEST)).filter(ends).map(|at| &secret[at..]);
        if let Some(rest) = tails.filter(|_| index > 0).find_map(|t| piece.strip_prefix(t)) {
            (before, piece) = (STARS, rest);
        }
        format!("{before}{piece}{after}")
    });
    clean.collect::<Vec<_>>().join(&CUT.to_string())
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}

/// Whether a name says that its value is secret: by one of its words, or by its last one.
pub fn is_secret_name(name: &str) -> bool {
    const ANYWHERE: &[&str] = &[
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "dsn",
        "passphrase",
        "passwd",
        "webhook",
    ];
    const AT_THE_END: &[&str] = &["apikey", "auth", "key", "pass", "pat", "session"];
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(['_', '-', '.']).collect();
    let telling = |word: &&str| {
        ANYWHERE.contains(word)
            || ["token", "secret", "password"].iter().any(|end| {
                word.ends_with(end) || word.strip_suffix('s').is_some_and(|w| w.ends_with(end))
            })
    };
    words.iter().any(telling) || words.last().is_some_and(|last| AT_THE_END.contains(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_tell_secrets() {
        for name in [
            "GITHUB_TOKEN",
            "Authorization",
            "Set-Cookie",
            "X-Api-Key",
            "DB_PASSWORD",
            "CLIENT_SECRETS",
            "MYTOKEN",
            "SLACK_WEBHOOK_URL",
            "BASIC_AUTH",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PATH",
            "VERSION",
            "Content-Type",
            "KEYBOARD",
            "GIT_AUTHOR_NAME",
            "XDG_SESSION_TYPE",
            "SSH_AUTH_SOCK",
            "MONKEY",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_piece_of_a_secret_at_a_cut_is_masked_too() {
        let mut mask = Mask::default();
        mask.add("hunter2-hunter2");
        for (cut, wanted) in [
            ("token hunter2-hu…", "token ***…"),
            ("…er2-hunter2 was said", "…*** was said"),
            ("hunter2-h… and …nter2", "***… and …***"),
            ("hun… is too short to tell", "hun… is too short to tell"),
            ("…", "…"),
        ] {
            assert_eq!(mask.apply(cut), wanted);
        }
    }

    #[test]
    fn x4_what_is_hidden_for_now_is_forgotten_when_nobody_needs_it() {
        let mut mask = Mask::default();
        assert!(mask.add_for_now("first\n\"quoted\""), "it is new");
        assert!(!mask.add_for_now("first\n\"quoted\""));
        mask.add_for_now("for good");
        mask.add("for good");
        let text = r#"first, "quoted", \"quoted\" and for good"#;
        assert_eq!(mask.apply(text), "***, ***, *** and ***");
        mask.forget("first\n\"quoted\"");
        assert_eq!(mask.apply(text), "***, ***, *** and ***", "one still needs it");
        mask.forget("first\n\"quoted\"");
        for _ in 0..2 {
            mask.forget("for good");
            assert_eq!(mask.apply(text), r#"first, "quoted", \"quoted\" and ***"#);
        }
        for number in 0..1000 {
            mask.add_for_now(&format!("session {number}"));
            mask.forget(&format!("session {number}"));
        }
        assert_eq!(mask.secrets.len(), 1, "what was forgotten takes no room");
    }

    proptest! {
        #[test]
        fn nothing_masked_is_left(secrets in prop::collection::vec("[a-c]{4,8}", 1..4), text in "[a-d ]{0,60}") {
            let mut mask = Mask::default();
            secrets.iter().for_each(|secret| mask.add(secret));
            let masked = mask.apply(&text);
            for secret in &secrets {
                prop_assert!(!masked.contains(secret.as_str()), "{masked} has {secret}");
            }
        }
    }
}
