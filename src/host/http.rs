//! HTTP: one request, one bounded answer.

mod address;
mod cookies;
mod events;
mod names;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{Method, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Error, Proxy, http};

pub(crate) use address::same_origin;
use address::{join, leaves_tls};
pub(super) use address::{origin, parse};
use names::Names;

use super::clock::Moment;
use super::room::Place;
use super::tcp;
use super::tls::{self, Tls, Trust, certificates};
use crate::config::values::Secret;
use crate::decide::cookies::Jar;
use crate::decide::observation::{FailureKind, HttpResponse, Observation, ProbeFailure};

/// Redirects that are followed at most.
const REDIRECTS: u32 = 10;
/// Bytes of a body that are read at once; a larger one needs a place in the room for them.
const SMALL: u64 = 64 << 10;
/// Bytes on their way from and to a socket.
const BUFFER: usize = 16 << 10;

/// A request; everything in it may be sent again.
#[derive(Debug, Clone)]
pub struct Request {
    /// `http://` or `https://`.
    pub url: String,
    /// The method.
    pub method: String,
    /// Headers with values that are never shown.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// Whether to follow redirects.
    pub redirects: bool,
    /// Bytes of the answer's body to read at most.
    pub max_body: usize,
    /// The limit of the whole exchange.
    pub timeout: Duration,
}

/// A client; connections are not kept, since an old one would answer for the old process.
#[derive(Debug, Clone)]
pub struct Client {
    through_proxy: Agent,
    direct: Agent,
    keeps_tls: bool,
    /// Whoever is asked where this one does not trust the certificate.
    besides: Option<Box<Self>>,
}

/// Clients by whom they trust: to read the platform's certificates takes longer than many requests.
/// Not kept for long, since a session that is resumed shows no certificate.
#[derive(Debug, Default)]
pub struct Clients(Mutex<Vec<(Trust, Client)>>);

impl Clients {
    /// A client, the same one for the same trust.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn trusting(&self, trust: &Trust) -> Result<Client, String> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| known == trust) {
            return Ok(client.clone());
        }
        let client = Client::new(trust)?;
        clients.push((trust.clone(), client.clone()));
        Ok(client)
    }
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn new(trust: &Trust) -> Result<Self, String> {
        Self::accepting(trust, "gzip")
    }

    /// One that asks for answers in an encoding: `gzip`, or `identity` for bytes as they are.
    pub(super) fn accepting(trust: &Trust, encoding: &str) -> Result<Self, String> {
        let roots = match &trust.ca {
            None => RootCerts::PlatformVerifier,
            Some(pem) => RootCerts::Specific(Arc::new(owned(pem)?)),
        };
        let tls = TlsConfig::builder()
            .root_certs(roots)
            .disable_verification(trust.insecure)
            .client_cert(identity(trust)?)
            .build();
        let agent = |proxy: Option<Proxy>| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .max_idle_connections(0)
                .allow_non_standard_methods(true)
                .input_buffer_size(BUFFER)
                .output_buffer_size(BUFFER)
                .user_agent(concat!("waveoff/", env!("CARGO_PKG_VERSION")))
                .proxy(proxy)
                .tls_config(tls.clone())
                .accept_encoding(encoding)
                .build();
            Agent::with_parts(config, DefaultConnector::default(), Names)
        };
        let (through_proxy, direct) = (agent(Proxy::try_from_env()), agent(None));
        Ok(Self { through_proxy, direct, keeps_tls: false, besides: None })
    }

    /// The same, which no redirect leads from TLS to where there is none.
    #[must_use]
    pub(super) fn keeping_tls(self) -> Self {
        Self { keeps_tls: true, ..self }
    }

    /// The same, which trusts whom the other one trusts as well.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        Self { besides: Some(Box::new(other)), ..self }
    }

    /// Sends a request and reads the answer; a large one takes the place, and should be looked at
    /// before that is left.
    pub fn send(&self, request: &Request, place: &Place<'_>) -> Observation {
        self.send_with(request, place, None)
    }

    /// The same with cookies, which go where they fit; what is there then comes with the answer.
    pub fn send_with(
        &self,
        request: &Request,
        place: &Place<'_>,
        mut cookies: Option<Jar>,
    ) -> Observation {
        let started = Moment::now();
        match self.exchange(request, place, started, cookies.as_mut()) {
            Ok((response, waited)) => {
                let elapsed = started.elapsed().saturating_sub(waited);
                Observation::Http(HttpResponse { elapsed, cookies, ..response })
            }
            Err((kind, message)) => {
                Observation::Failed(ProbeFailure { kind, message, elapsed: started.elapsed() })
            }
        }
    }

    /// The answer, and how long it waited for its place.
    fn exchange(
        &self,
        request: &Request,
        place: &Place<'_>,
        started: Moment,
        cookies: Option<&mut Jar>,
    ) -> Result<(HttpResponse, Duration), Failed> {
        let (response, uri, redirects) = self.follow(request, started, cookies)?;
        // Waiting for others must leave time to read.
        let patience = request.timeout.saturating_sub(started.elapsed()) / 2;
        read(response, &uri, redirects, request.max_body, |size| place.take(size, patience))
    }

    /// The answer behind all redirects, its body not read yet.
    pub(super) fn answer(
        &self,
        request: &Request,
        started: Moment,
    ) -> Result<(http::Response<ureq::Body>, Uri, u32), Failed> {
        self.follow(request, started, None)
    }

    fn follow(
        &self,
        request: &Request,
        started: Moment,
        mut cookies: Option<&mut Jar>,
    ) -> Result<(http::Response<ureq::Body>, Uri, u32), Failed> {
        use FailureKind::Broken;
        let not_asked = |what: &str| (FailureKind::NotAsked, what.to_owned());
        let mut uri = parse(&request.url).ok_or_else(|| not_asked("the address is not a URL"))?;
        let mut method: Method =
            request.method.parse().map_err(|_| not_asked("the method is not an HTTP method"))?;
        let mut with_body = true;
        let mut redirects = 0;
        let own = origin(&uri);
        loop {
            let trusted = origin(&uri) == own;
            let left = request.timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err((FailureKind::Timeout, "timed out".into()));
            }
            let cookie = cookies.as_deref().and_then(|jar| cookies::header(jar, &uri));
            let ask = |client: &Self| {
                client.once(request, &uri, &method, with_body, (trusted, cookie.as_deref()), left)
            };
            let response = match (ask(self), &self.besides) {
                // Nothing was asked yet where TLS was not agreed upon.
                (Err((FailureKind::Tls, _)), Some(other)) => ask(other)?,
                (answer, _) => answer?,
            };
            if let Some(jar) = cookies.as_deref_mut() {
                cookies::absorb(jar, &response, &uri);
            }
            let location = response.headers().get(http::header::LOCATION);
            let status = response.status();
            let followed = |_: &&_| request.redirects && status.is_redirection();
            let Some(location) = location.filter(followed) else {
                return Ok((response, uri, redirects));
            };
            let Some(next) = location.to_str().ok().and_then(|location| join(&uri, location))
            else {
                return Err((Broken, "a redirect to what is no HTTP address".into()));
            };
            if self.keeps_tls && leaves_tls(&uri, &next) {
                return Err((Broken, "a redirect to an address without TLS".into()));
            }
            redirects += 1;
            if redirects > REDIRECTS {
                return Err((Broken, format!("more than {REDIRECTS} redirects")));
            }
            if matches!(status.as_u16(), 301..=303) && method != Method::HEAD {
                (method, with_body) = (Method::GET, false);
            }
            uri = next;
        }
    }

    /// One exchange. Headers go only to the origin that they were given for.
    fn once(
        &self,
        request: &Request,
        uri: &Uri,
        method: &Method,
        with_body: bool,
        (trusted, cookie): (bool, Option<&str>),
        timeout: Duration,
    ) -> Result<http::Response<ureq::Body>, Failed> {
        let mut builder = http::Request::builder().method(method).uri(uri);
        for (name, value) in &request.headers {
            // What part is wanted is no secret, and means nothing to who only sends on.
            if trusted || name.eq_ignore_ascii_case("range") {
                builder = builder.header(name, value.expose());
            }
        }
        if let Some(cookie) = cookie {
            builder = builder.header(http::header::COOKIE, cookie);
        }
        let local = uri.host().is_some_and(is_loopback);
        let agent = if local { &self.direct } else { &self.through_proxy };
        let wrong = |_| (FailureKind::NotAsked, "a header's name or value is not valid".to_owned());
        let body = request.body.as_deref().filter(|_| with_body);
        let limit = Some(timeout);
        let sent = match body {
            Some(body) => {
                let sent = builder.body(body).map_err(wrong)?;
                agent.run(agent.configure_request(sent).timeout_global(limit).build())
            }
            None => {
                let sent = builder.body(()).map_err(wrong)?;
                agent.run(agent.configure_request(sent).timeout_global(limit).build())
            }
        };
        sent.map_err(|error| failure(&error))
    }
}

pub(super) type Failed = (FailureKind, String);

fn read(
    response: http::Response<ureq::Body>,
    uri: &Uri,
    redirects: u32,
    max_body: usize,
    room: impl Fn(usize) -> Duration,
) -> Result<(HttpResponse, Duration), Failed> {
    let (head, body) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers: Vec<_> = headers.collect();
    let mut bytes = Vec::new();
    let most = max_body as u64 + 1;
    let told = body.content_length().map(|told| told.min(most)).filter(|told| *told > SMALL);
    let mut waited = told.map_or(Duration::ZERO, |told| room(told as usize));
    let mut reader = body.into_reader();
    let small = if told.is_some() { most } else { most.min(SMALL) };
    let all = reader.by_ref().take(small).read_to_end(&mut bytes).and_then(|read| {
        // A server that does not tell a length may send any.
        if (read as u64) == small && small < most {
            waited = room(max_body);
            reader.take(most - small).read_to_end(&mut bytes)?;
        }
        Ok(())
    });
    all.map_err(|error| {
        let (kind, message) = io_failure(&error);
        (kind, format!("status {}, then the body: {message}", head.status.as_u16()))
    })?;
    let truncated = bytes.len() > max_body;
    bytes.truncate(max_body);
    let response = HttpResponse {
        url: uri.to_string(),
        status: head.status.as_u16(),
        headers,
        body: bytes,
        truncated,
        redirects,
        ..HttpResponse::default()
    };
    Ok((response, waited))
}

/// What a library error means, in words of ours: its own may quote the address, which may hold a
/// secret.
fn failure(error: &Error) -> Failed {
    use FailureKind::{Broken, NameNotFound, NotAsked, Refused, Timeout, Tls};
    match error {
        Error::Timeout(_) => (Timeout, "timed out".into()),
        Error::HostNotFound => (NameNotFound, "the name does not resolve".into()),
        Error::ConnectionFailed => (Refused, "connection refused".into()),
        Error::Io(error) => io_failure(error),
        Error::Tls(why) => (Tls, tls::words(why)),
        Error::Rustls(error) => (Tls, tls::words(error)),
        Error::Pem(error) => (NotAsked, format!("certificates: {error}")),
        Error::InvalidProxyUrl => (NotAsked, "the proxy's address is not a URL".into()),
        Error::ConnectProxyFailed(why) => (NotAsked, format!("the proxy refused: {why}")),
        Error::BadUri(_) => (NotAsked, "the address is not a URL".into()),
        Error::LargeResponseHeader(size, limit) => {
            (Broken, format!("the headers have {size} bytes, {limit} are accepted"))
        }
        Error::Protocol(error) => (Broken, format!("the answer is not HTTP: {error}")),
        Error::Http(error) => (NotAsked, format!("the request is not valid: {error}")),
        other => (Broken, other.to_string()),
    }
}

pub(super) fn io_failure(error: &std::io::Error) -> Failed {
    if let Some(inner) = error.get_ref() {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            return failure(inner);
        }
        let text = inner.to_string();
        let lower = text.to_lowercase();
        if ["certificate", "tls", "handshake", "alert"].iter().any(|word| lower.contains(word)) {
            return (FailureKind::Tls, tls::words(&text));
        }
    }
    (tcp::kind_of(error), tcp::words(error))
}

fn owned(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let all = certificates(pem)?;
    Ok(all.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

fn identity(trust: &Trust) -> Result<Option<ClientCert>, String> {
    let Some(identity) = &trust.identity else { return Ok(None) };
    // The library panics where the two do not belong to each other.
    Tls::new(trust, &[])?;
    let key = PrivateKey::from_pem(identity.key.expose().as_bytes());
    let key = key.map_err(|_| "there is no PEM key in it")?;
    Ok(Some(ClientCert::new_with_certs(&owned(&identity.chain)?, key)))
}

pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    tcp::is_localhost(bare)
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
