//! Whose login is for which registry: a Docker configuration (`~/.docker/config.json`), as Docker,
//! Podman, Cosign and the rest of them read it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::reference::DOCKER_HUB;
use crate::config::values::Secret;

/// Docker Hub's name in such a file.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// How a credential helper says that it has no login.
const NONE: &str = "credentials not found in native keychain";

/// A login, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A user with a password or token.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that is exchanged for others (OAuth 2).
    Identity(Secret),
    /// A program that tells it: `docker-credential-NAME get`, with this on its standard input.
    Helper {
        /// Its name.
        name: String,
        /// What it is asked for.
        server: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

impl Login {
    /// The one for a registry; none when the file has none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(text: &str, registry: &str) -> Result<Option<Self>, String> {
        // What the parser says may quote what stands there.
        let file: File = serde_json::from_str(text).map_err(|error| {
            format!(
                "it is no Docker configuration (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        let keys = keys(registry);
        let helper = |name: &String| Self::Helper { name: name.clone(), server: keys[0].clone() };
        if let Some(name) = keys.iter().find_map(|key| file.cred_helpers.get(key)) {
            return Ok(Some(helper(name)));
        }
        if let Some(entry) = keys.iter().find_map(|key| file.auths.get(key))
            && let Some(login) = entry.login()?
        {
            return Ok(Some(login));
        }
        Ok(file.creds_store.as_ref().map(helper))
    }

    /// Whether a credential helper says that it has none, which it does by these words (github.com/
    /// docker/docker-credential-helpers, `credentials/error.go`; Podman and Docker look for them too).
    pub fn is_unknown(told: &str) -> bool {
        told.trim_end().to_ascii_lowercase().ends_with(NONE)
    }

    /// What a credential helper printed.
    ///
    /// # Errors
    /// When it is nothing of the kind.
    pub fn told(text: &str) -> Result<Self, String> {
        let told: Told =
            serde_json::from_str(text).map_err(|_| "what it printed is no login".to_owned())?;
        let secret = Secret::new(told.secret);
        Ok(match &*told.username {
            "<token>" => Self::Identity(secret),
            _ => Self::Basic { user: told.username, password: secret },
        })
    }
}

impl Login {
    /// A Docker configuration with nothing but this login, for that registry; none when somebody
    /// else has to tell it.
    pub fn alone(&self, registry: &str) -> Option<Secret> {
        let entry = match self {
            Self::Basic { user, password } => {
                json!({ "auth": STANDARD.encode(format!("{user}:{}", password.expose())) })
            }
            Self::Identity(token) => json!({ "identitytoken": token.expose() }),
            Self::Helper { .. } => return None,
        };
        Some(Secret::new(json!({ "auths": { &keys(registry)[0]: entry } }).to_string()))
    }
}

impl Entry {
    fn login(&self) -> Result<Option<Login>, String> {
        let token = self.identitytoken.as_ref().filter(|token| !token.is_empty());
        if let Some(token) = token {
            return Ok(Some(Login::Identity(Secret::new(token))));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            let password = Secret::new(password);
            return Ok(Some(Login::Basic { user: user.clone(), password }));
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let bytes = STANDARD.decode(auth.trim_end_matches('\0')).ok();
        let pair = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
        let (user, password) = pair.ok_or("an `auth` in it is no user and password in base64")?;
        let password = Secret::new(password.trim_end_matches('\0'));
        Ok(Some(Login::Basic { user: user.into(), password }))
    }
}

/// How a registry may be called in the file; the usual name first.
fn keys(registry: &str) -> Vec<String> {
    let plain =
        |name: &str| [name.to_owned(), format!("https://{name}"), format!("https://{name}/")];
    match registry {
        DOCKER_HUB => {
            let also = ["index.docker.io", "docker.io", "registry-1.docker.io"];
            std::iter::once(HUB_KEY.to_owned()).chain(also.into_iter().flat_map(plain)).collect()
        }
        other => plain(other).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Option<Login> {
        Some(Login::Basic { user: user.into(), password: Secret::new(password) })
    }

    #[test]
    fn a_login_is_found_under_the_names_of_its_registry() {
        let text = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
            "ghcr.io": {"username": "me", "password": "a:b"},
            "quay.io": {"auth": "", "identitytoken": "long"},
            "other.io": {}
        }}"#;
        let read = |registry: &str| Login::read(text, registry).unwrap();
        assert_eq!(read("docker.io"), basic("hub", "secret"));
        assert_eq!(read("ghcr.io"), basic("me", "a:b"));
        assert_eq!(read("quay.io"), Some(Login::Identity(Secret::new("long"))));
        assert_eq!(read("other.io"), None);
        assert_eq!(read("unknown.io"), None);
    }

    #[test]
    fn a_helper_is_asked_by_the_usual_name() {
        let text = r#"{"credHelpers": {"ghcr.io": "gh"}, "credsStore": "pass",
                       "auths": {"ghcr.io": {"auth": "eDp5"}, "quay.io": {"auth": "eDp5"}}}"#;
        let helper = |name: &str, server: &str| {
            Some(Login::Helper { name: name.into(), server: server.into() })
        };
        assert_eq!(Login::read(text, "ghcr.io").unwrap(), helper("gh", "ghcr.io"));
        assert_eq!(Login::read(text, "quay.io").unwrap(), basic("x", "y"));
        assert_eq!(Login::read(text, "docker.io").unwrap(), helper("pass", HUB_KEY));
        let token = Login::told(r#"{"ServerURL": "x", "Username": "<token>", "Secret": "t"}"#);
        assert_eq!(token, Ok(Login::Identity(Secret::new("t"))));
        assert!(Login::told("credentials not found").is_err());
    }

    #[test]
    fn d2_a_helper_that_fails_has_not_said_that_it_has_no_login() {
        assert!(Login::is_unknown("credentials not found in native keychain\n"));
        for failure in ["", "gpg: decryption failed: no secret key", "token has expired"] {
            assert!(!Login::is_unknown(failure), "{failure}");
        }
    }

    #[test]
    fn d2_a_login_alone_is_found_for_its_registry_and_for_no_other() {
        let identity = Login::Identity(Secret::new("long"));
        for login in [basic("me", "a:b").unwrap(), identity] {
            for registry in ["docker.io", "ghcr.io", "localhost:5000"] {
                let file = login.alone(registry).unwrap();
                let read = |registry: &str| Login::read(file.expose(), registry).unwrap();
                assert_eq!(read(registry).as_ref(), Some(&login), "{registry}");
                assert_eq!(read("quay.io"), None);
            }
        }
        assert!(basic("me", "x").unwrap().alone("docker.io").unwrap().expose().contains(HUB_KEY));
    }

    #[test]
    fn a_broken_file_is_told_and_shows_nothing_of_itself() {
        for text in ["", "7", r#"{"auths": {"a": {"auth": "hunter2"}}}"#] {
            let error = Login::read(text, "a").unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
