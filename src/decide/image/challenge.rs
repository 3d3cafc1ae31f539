//! What a registry answers to who has not said who he is (RFC 9110 §11.6.1; the distribution
//! specification's token authentication).

/// How to say who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// By a token that is fetched first.
    Bearer {
        /// Where.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what.
        scope: Option<String>,
    },
    /// By user and password.
    Basic,
}

impl Challenge {
    /// The first one of a `WWW-Authenticate` header that can be met; Bearer before Basic.
    pub fn read(header: &str) -> Option<Self> {
        let all = challenges(header);
        let named = |name: &str| all.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(name));
        let bearer = named("bearer").and_then(|(_, parameters)| {
            let value = |name: &str| {
                let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            };
            Some(Self::Bearer {
                realm: value("realm")?,
                service: value("service"),
                scope: value("scope"),
            })
        });
        bearer.or_else(|| named("basic").map(|_| Self::Basic))
    }
}

type Parameters = Vec<(String, String)>;

/// `Scheme key="value", key=value, Other …`
fn challenges(header: &str) -> Vec<(String, Parameters)> {
    let mut all: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if let Some(value) = after.strip_prefix('=') {
            let (value, after) = value_of(value);
            if let Some((_, parameters)) = all.last_mut() {
                parameters.push((word.to_owned(), value));
            }
            rest = after;
        } else {
            all.push((word.to_owned(), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches([' ', ',']);
    }
    all
}

/// A value, quoted or not, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn registries_ask_in_several_ways() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:acme/shop:pull,push""#;
        let Some(Challenge::Bearer { realm, service, scope }) = Challenge::read(hub) else {
            panic!("no bearer")
        };
        assert_eq!(realm, "https://auth.docker.io/token");
        assert_eq!(service.as_deref(), Some("registry.docker.io"));
        assert_eq!(scope.as_deref(), Some("repository:acme/shop:pull,push"));
        let bare = Challenge::Bearer { realm: "http://x/t".into(), service: None, scope: None };
        assert_eq!(Challenge::read("bearer realm=http://x/t"), Some(bare.clone()));
        assert_eq!(Challenge::read(r#"Basic realm="shop""#), Some(Challenge::Basic));
        assert_eq!(Challenge::read(r#"Basic realm="s", Bearer realm="http://x/t""#), Some(bare));
        for other in ["", "Negotiate", "Bearer", r#"Digest realm="x""#] {
            assert_eq!(Challenge::read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "\\PC{0,60}") {
            let _ = Challenge::read(&header);
        }
    }
}
