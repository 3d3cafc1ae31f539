//! Saying to a registry who one is: by a token from where it says, or by user and password
//! (distribution, "Token Authentication" and "OAuth2").

use std::io::Read;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http;

use super::{Answer, Moment, PATIENCE, Registry, Request, Trouble, Way, accept, is_loopback};
use crate::config::values::Secret;
use crate::decide::image::challenge::Challenge;
use crate::decide::image::logins::Login;
use crate::decide::image::reference::Reference;

/// Who asks for tokens, where the protocol wants a name.
const CLIENT: &str = "waveoff";
/// Bytes of a token's answer that are read.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// An answer to who is known, as far as he can be.
    pub(super) fn granted(
        &self,
        way: Way,
        url: &str,
        patience: Duration,
        image: &Reference,
    ) -> Result<Answer, Trouble> {
        let known = self.token_for(&image.repository);
        let headers = |token: Option<Secret>| {
            let token = token.map(|token| ("Authorization".to_owned(), token));
            std::iter::once(accept()).chain(way.header()).chain(token).collect()
        };
        let answer = self.once(way, url, patience, headers(known))?;
        // Only the registry says where its login goes, and nobody whom it sends on to.
        if answer.http.status() != 401 || !answer.is_own {
            return Ok(answer);
        }
        let asked = answer.http.headers().get_all(http::header::WWW_AUTHENTICATE).iter();
        let asked: Vec<&str> = asked.filter_map(|value| value.to_str().ok()).collect();
        let token = match Challenge::read(&asked.join(", ")) {
            Some(Challenge::Basic) => match &self.login {
                Some(Login::Basic { user, password }) => Some(basic(user, password)),
                _ => None,
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                Some(self.fetch(&realm, service.as_deref(), scope.as_deref(), image)?)
            }
            None => None,
        };
        let Some(token) = token else { return Ok(answer) };
        self.remember(&image.repository, &token);
        self.once(way, url, patience, headers(Some(token)))
    }

    fn token_for(&self, repository: &str) -> Option<Secret> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().rfind(|(of, _)| of == repository).map(|(_, token)| token.clone())
    }

    fn remember(&self, repository: &str, token: &Secret) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|(of, _)| of != repository);
        tokens.push((repository.to_owned(), token.clone()));
    }

    fn fetch(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
        image: &Reference,
    ) -> Result<Secret, Trouble> {
        if self.login.is_some() && !is_safe(realm, &self.base) {
            return Err(Trouble::Refused(
                "it wants the login to be sent without TLS, which is not done".into(),
            ));
        }
        let own = format!("repository:{}:pull", image.repository);
        let scope = scope.unwrap_or(&own);
        let mut pairs = vec![("scope", scope)];
        pairs.extend(service.map(|service| ("service", service)));
        let request = match &self.login {
            Some(Login::Identity(token)) => {
                pairs.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT),
                    ("refresh_token", token.expose()),
                ]);
                let form = "application/x-www-form-urlencoded";
                let headers = vec![("Content-Type".into(), Secret::new(form))];
                exchange("POST", realm.to_owned(), headers, Some(form_of(&pairs).into_bytes()))
            }
            login => {
                let mark = if realm.contains('?') { '&' } else { '?' };
                let url = format!("{realm}{mark}{}", form_of(&pairs));
                let header = match login {
                    Some(Login::Basic { user, password }) => {
                        vec![("Authorization".into(), basic(user, password))]
                    }
                    _ => Vec::new(),
                };
                exchange("GET", url, header, None)
            }
        };
        let (answer, _, _) = (self.client.answer(&request, Moment::now()))
            .map_err(|(_, why)| Trouble::Silent(format!("asked for a token, {realm}: {why}")))?;
        let status = answer.status().as_u16();
        match status {
            200 => {}
            400..=403 => return Err(self.refused(&answer)),
            status => {
                return Err(Trouble::Silent(format!(
                    "asked for a token, {realm} answers with status {status}"
                )));
            }
        }
        let mut bytes = Vec::new();
        let read = answer.into_body().into_reader().take(LARGEST).read_to_end(&mut bytes);
        read.map_err(|error| Trouble::Silent(crate::host::http::io_failure(&error).1))?;
        let granted = serde_json::from_slice::<Granted>(&bytes).ok();
        let token = granted.and_then(|granted| granted.token.or(granted.access_token));
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Trouble::Silent(format!("{realm} gives no token")))?;
        Ok(Secret::new(format!("Bearer {token}")))
    }
}

fn exchange(
    method: &str,
    url: String,
    headers: Vec<(String, Secret)>,
    body: Option<Vec<u8>>,
) -> Request {
    // A login goes to nobody but whom the registry named.
    let redirects = false;
    Request { url, method: method.into(), headers, body, redirects, max_body: 0, timeout: PATIENCE }
}

fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
}

/// Whether a login may be sent there: with TLS, or where the registry itself is asked without.
fn is_safe(realm: &str, base: &str) -> bool {
    let Some(rest) = realm.strip_prefix("http://") else { return realm.starts_with("https://") };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    is_loopback(host) || base.starts_with("http://") && base[7..].starts_with(&format!("{host}/"))
}

/// Pairs as a form has them (WHATWG URL, application/x-www-form-urlencoded).
fn form_of(pairs: &[(&str, &str)]) -> String {
    let encoded = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
        let one = |byte: u8| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(one).collect()
    };
    let all = pairs.iter().map(|(key, value)| format!("{key}={}", encoded(value)));
    all.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_not_sent_in_the_clear() {
        for (realm, base, safe) in [
            ("https://auth.docker.io/token", "https://registry-1.docker.io/v2/", true),
            ("http://auth.example.com/token", "https://registry.example.com/v2/", false),
            ("http://registry.local:5000/auth", "http://registry.local:5000/v2/", true),
            ("http://registry.local:5001/auth", "http://registry.local:5000/v2/", false),
            ("http://registry.local/auth", "http://registry.local.evil/v2/", false),
            ("http://127.0.0.1:9/token", "https://registry.example.com/v2/", true),
            ("ftp://x/", "http://x/v2/", false),
        ] {
            assert_eq!(is_safe(realm, base), safe, "{realm} of {base}");
        }
    }

    #[test]
    fn a_form_means_nothing_but_its_values() {
        let form = form_of(&[("scope", "repository:a/b:pull,push"), ("service", "a&b=c d%")]);
        assert_eq!(form, "scope=repository%3Aa%2Fb%3Apull%2Cpush&service=a%26b%3Dc%20d%25");
    }
}
