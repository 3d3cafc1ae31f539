//! HTTP and HTTPS.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::warm_up::{self, WarmUp};
use super::{Attempt, Kind, Probe, Surroundings, cookies, trust};
use crate::config::CheckSpec;
use crate::config::check::{AuthSpec, WarmUpSpec};
use crate::config::values::Secret;
use crate::decide::expect::Expect;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};
use crate::decide::status_set::StatusSet;
use crate::decide::template::{Template, names, render_json, render_lossy};
use crate::decide::verdict::Severity;
use crate::host::files;
use crate::host::http::{Client, Request, same_origin};

const KEYS: &[&str] = &[
    "method",
    "headers",
    "body",
    "body-file",
    "json",
    "warm-up",
    "auth",
    "cookies",
    "redirects",
    "ca",
    "insecure",
    "client-cert",
    "client-key",
    "max-body",
    "health",
    "critical",
    "except-circuits",
];

/// An address.
pub(super) static URL: Kind = Kind { key: "url", keys: KEYS, severity: Severity::Critical, build };
/// A path on the service that is being deployed.
pub(super) static PATH: Kind =
    Kind { key: "path", keys: KEYS, severity: Severity::Critical, build };

/// Bytes of a body that are read when the check does not say.
const MAX_BODY: u32 = 1 << 20;
/// Nobody means more than this.
const MOST_BODY: u32 = 64 << 20;

struct Http {
    url: Template,
    method: String,
    headers: Vec<(String, Template)>,
    body: Option<Body>,
    redirects: bool,
    max_body: usize,
    insecure: bool,
    client: Client,
    warm_up: Option<WarmUp>,
    jar: Option<String>,
}

/// What is sent. A captured value cannot change the structure of JSON.
enum Body {
    Text(Template),
    Json(serde_json::Value),
    /// Of a file that is no text.
    Bytes(Vec<u8>),
}

impl Body {
    fn names(&self) -> Vec<String> {
        match self {
            Body::Text(text) => text.names(),
            Body::Json(json) => names(&json.to_string()),
            Body::Bytes(_) => Vec::new(),
        }
    }

    fn render(&self, variables: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
        if let Some(missing) = self.names().into_iter().find(|name| !variables.contains_key(name)) {
            return Err(missing);
        }
        Ok(match self {
            Body::Text(text) => render_lossy(text.source(), variables).into_bytes(),
            Body::Json(json) => render_json(json, variables).to_string().into_bytes(),
            Body::Bytes(bytes) => bytes.clone(),
        })
    }
}

/// The whole address, of `url` or of `path`.
fn address(spec: &CheckSpec, surroundings: &Surroundings) -> Result<String, String> {
    if let Some(url) = &spec.url {
        return Ok(url.trim().into());
    }
    let path = spec.path.as_deref().unwrap_or_default().trim();
    if !path.starts_with('/') {
        return Err(format!("the path `{path}` does not begin with /"));
    }
    let base = surroundings.base_url.as_deref().ok_or(
        "a path needs to know where the service is; write `public: https://…` at the top, give \
         --base-url, or write a whole `url`",
    )?;
    Ok(format!("{}{path}", base.trim_end_matches('/')))
}

fn build(spec: &CheckSpec, surroundings: &Surroundings) -> Result<Box<dyn Probe>, String> {
    let url = address(spec, surroundings)?;
    check_url(&url, ["http", "https"])?;
    let body = body(spec)?;
    let method = method(spec.method.as_deref(), body.is_some())?;
    let trust = trust::read(spec)?;
    let client = surroundings.clients.trusting(&trust)?;
    let max_body = spec.max_body.unwrap_or(MAX_BODY);
    if max_body == 0 || max_body > MOST_BODY {
        return Err(format!("max-body is {max_body}; 1 to {MOST_BODY} bytes are possible"));
    }
    Ok(Box::new(Http {
        url: Template::new(url),
        method,
        headers: headers(spec)?,
        body,
        redirects: spec.redirects.unwrap_or(false),
        max_body: max_body as usize,
        insecure: trust.insecure,
        client,
        jar: cookies::read(spec)?,
        warm_up: spec.warm_up.as_ref().map(|own| warm_up(spec, own, surroundings)).transpose()?,
    }))
}

fn body(spec: &CheckSpec) -> Result<Option<Body>, String> {
    let given = [spec.body.is_some(), spec.json.is_some(), spec.body_file.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err("of body, json and body-file several stand side by side; keep one".into());
    }
    if let Some(file) = &spec.body_file {
        let bytes = files::read(file);
        let bytes = bytes.map_err(|error| format!("body-file: cannot read {file}: {error}"))?;
        return Ok(Some(match String::from_utf8(bytes) {
            Ok(text) => Body::Text(Template::new(text)),
            Err(error) => Body::Bytes(error.into_bytes()),
        }));
    }
    let text = spec.body.as_ref().map(|text| Body::Text(Template::new(text)));
    Ok(text.or_else(|| spec.json.clone().map(Body::Json)))
}

fn warm_up(
    spec: &CheckSpec,
    own: &WarmUpSpec,
    surroundings: &Surroundings,
) -> Result<WarmUp, String> {
    let probe = || {
        if own.url.is_some() == own.path.is_some() {
            return Err("one of path and url says where it is sent".into());
        }
        let bare = warm_up::as_check(spec, own);
        let (there, here) = (address(&bare, surroundings)?, address(spec, surroundings)?);
        let alike = same_origin(&there, &here);
        build(&if alike { warm_up::with_credentials(bare, spec) } else { bare }, surroundings)
    };
    probe().map(WarmUp::new).map_err(|why| format!("warm-up: {why}"))
}

/// Whether it is an address with one of two schemes; what will be filled in is taken for good.
pub(super) fn check_url(url: &str, [plain, secure]: [&str; 2]) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("`{}` {why}", without_credentials(url)));
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if scheme == plain || scheme == secure => rest,
        Some((scheme, _)) if !scheme.contains('/') => {
            return wrong(&format!("is neither {plain}:// nor {secure}://"));
        }
        _ => {
            let like = format!("write {plain}://host/path or {secure}://host/path");
            return wrong(&format!("is not a URL; {like}"));
        }
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return wrong("has credentials in it, which end up in logs; use `auth` instead");
    }
    if authority.is_empty() || authority.starts_with(':') {
        return wrong("has no host");
    }
    if url.chars().any(|c| c.is_control() || c == ' ') {
        return wrong("has white space or control characters");
    }
    // What will be filled in is judged when it is there.
    let sample: String = match names(url).as_slice() {
        [] => url.into(),
        names => render_lossy(url, &names.iter().map(|n| (n.clone(), "x".into())).collect()),
    };
    match sample.parse::<ureq::http::Uri>() {
        Ok(_) if !has_good_port(authority) => {
            wrong("has a port that is not one; ports are 1 to 65535")
        }
        Ok(_) => Ok(()),
        Err(error) => wrong(&format!("is not a URL: {error}")),
    }
}

/// A port that is filled in later is not judged here.
fn has_good_port(authority: &str) -> bool {
    match authority.rsplit_once(':') {
        None => true,
        Some((_, port)) if port.ends_with(']') || port.contains("{{") => true,
        Some((_, port)) => port.parse::<u16>().is_ok_and(|port| port != 0),
    }
}

fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        _ => url.into(),
    }
}

fn method(given: Option<&str>, has_body: bool) -> Result<String, String> {
    let method = given.unwrap_or(if has_body { "POST" } else { "GET" });
    let is_token = !method.is_empty() && method.chars().all(|c| c.is_ascii_alphabetic());
    if !is_token {
        return Err(format!("`{method}` is not an HTTP method"));
    }
    let upper = method.to_ascii_uppercase();
    if has_body
        && matches!(upper.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT")
    {
        return Err(format!("a {upper} has no body; use POST, PUT or PATCH"));
    }
    Ok(upper)
}

/// The headers of a check, with its credentials.
pub(super) fn headers(spec: &CheckSpec) -> Result<Vec<(String, Template)>, String> {
    let mut headers = Vec::new();
    for (name, value) in spec.headers.iter().flatten() {
        let valid = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if !valid {
            return Err(format!("`{name}` is not the name of a header"));
        }
        if value.expose().chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("the value of the header {name} has control characters"));
        }
        headers.push((name.clone(), Template::new(value.expose())));
    }
    let has = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut more = Vec::new();
    if spec.json.is_some() && !has("content-type") {
        more.push(("Content-Type".to_owned(), Template::new("application/json")));
    }
    if let Some(auth) = &spec.auth {
        if has("authorization") {
            return Err("auth and a header Authorization stand side by side; keep one".into());
        }
        let value = match auth {
            AuthSpec::Bearer(token) => format!("Bearer {}", token.expose()),
            AuthSpec::Basic(basic) if basic.user.contains(':') => {
                return Err("auth: the user of basic has a colon in it (RFC 7617)".into());
            }
            AuthSpec::Basic(basic) => {
                let pair = format!("{}:{}", basic.user, basic.password.expose());
                format!("Basic {}", STANDARD.encode(pair))
            }
        };
        more.push(("Authorization".to_owned(), Template::new(value)));
    }
    headers.extend(more);
    Ok(headers)
}

/// Nothing was asked, since nothing has captured what was to be filled in.
pub(super) fn not_captured(name: &str) -> Observation {
    Observation::Failed(ProbeFailure {
        kind: FailureKind::NotAsked,
        message: format!("nothing has captured {{{{{name}}}}}"),
        elapsed: Duration::ZERO,
    })
}

impl Probe for Http {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn target(&self) -> String {
        let bare = self.url.source().split('?').next().unwrap_or_default();
        if self.method == "GET" { bare.into() } else { format!("{} {bare}", self.method) }
    }

    fn look(&self, attempt: &Attempt<'_>) -> Observation {
        let mut jar = self.jar.as_deref().map(|jar| cookies::left(attempt.variables, jar));
        let first = self.warm_up.as_ref().map(|first| first.send(attempt, jar.as_mut()));
        let timeout = match first.unwrap_or(Ok(Duration::ZERO)) {
            Ok(took) => attempt.timeout.saturating_sub(took),
            Err(failure) => return Observation::Failed(failure),
        };
        match self.request(&Attempt { timeout, ..*attempt }) {
            Ok(request) => self.client.send_with(&request, attempt.place, jar),
            Err(name) => not_captured(&name),
        }
    }

    fn usual(&self, stated: &[Expect]) -> Vec<Expect> {
        // A health document judges its status itself: degraded may come with any 2xx.
        let own = |e: &Expect| matches!(e, Expect::Status(_) | Expect::Health(_));
        let has_own = stated.iter().any(|e| e.states(&own));
        if has_own { Vec::new() } else { vec![Expect::Status(StatusSet::success())] }
    }

    fn names(&self) -> Vec<String> {
        let headers = self.headers.iter().map(|(_, value)| value);
        let heads = std::iter::once(&self.url).chain(headers).flat_map(Template::names);
        let before = self.warm_up.iter().flat_map(WarmUp::names);
        heads.chain(self.body.iter().flat_map(Body::names)).chain(before).collect()
    }

    fn warning(&self) -> Option<String> {
        self.insecure.then(|| "insecure: the certificate is not verified".into())
    }
}

impl Http {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, String> {
        let variables = attempt.variables;
        let header = |(name, value): &(String, Template)| {
            Ok((name.clone(), Secret::new(value.render(variables)?)))
        };
        Ok(Request {
            url: self.url.render(variables)?,
            method: self.method.clone(),
            headers: self.headers.iter().map(header).collect::<Result<_, String>>()?,
            body: self.body.as_ref().map(|body| body.render(variables)).transpose()?,
            redirects: self.redirects,
            max_body: self.max_body,
            timeout: attempt.timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_be_one_and_have_no_credentials() {
        for good in ["http://a", "https://a:1/x?y=1", "http://[::1]:8080/", "http://h/{{id}}"] {
            assert_eq!(check_url(good, ["http", "https"]), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a.test",
            "ftp://a",
            "http://",
            "http://:80",
            "http://a b",
            "http://[::1",
            "http://a:99999999",
        ] {
            assert!(check_url(bad, ["http", "https"]).is_err(), "{bad}");
        }
        let why = check_url("https://me:hunter2@a.test/", ["http", "https"]).unwrap_err();
        assert!(why.contains("auth") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn a_body_chooses_its_method() {
        assert_eq!(method(None, false).as_deref(), Ok("GET"));
        assert_eq!(method(None, true).as_deref(), Ok("POST"));
        assert_eq!(method(Some("put"), true).as_deref(), Ok("PUT"));
        assert!(method(Some("GET"), true).is_err() && method(Some("a b"), false).is_err());
    }
}
