//! An image registry (OCI distribution specification 1.1): whether an image is there, and whole.
//! Only asks.

mod access;
mod logins;
mod roots;

use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::time::Duration;

use ureq::http::Uri;
use ureq::{Body, http};

use super::clock::Moment;
use super::files::Digester;
use super::http::{Client, Request, origin};
use super::signals::Cancel;
use super::tls::Trust;
use crate::config::values::Secret;
use crate::decide::image::logins::Login;
use crate::decide::image::manifest::{ACCEPTED, Blob, is_digest};
use crate::decide::image::reference::{DOCKER_HUB, Reference};

pub use logins::find as find_login;
use roots::Roots;

/// Bytes of a manifest that are accepted: what registries accept themselves.
const LARGEST: u64 = 4 << 20;
/// The limit of one question.
const PATIENCE: Duration = Duration::from_secs(30);
/// The limit of one download.
const LONG: Duration = Duration::from_secs(30 * 60);
/// How often a question is asked that fails in a way that may pass.
const TRIES: u32 = 4;
/// The pause before it is asked again; twice as long each time.
const PAUSE: Duration = Duration::from_millis(500);

/// A registry, as one user sees it.
#[derive(Debug)]
pub struct Registry {
    base: String,
    client: Client,
    roots: Option<Roots>,
    login: Option<Login>,
    /// What was granted, by what it was asked for.
    tokens: Mutex<Vec<(String, Secret)>>,
    cancel: Cancel,
}

/// A manifest as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The digest of its bytes.
    pub digest: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why nothing was found out, or what was found is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The registry does not say whether it is there.
    Refused(String),
    /// The registry was not asked, or did not answer.
    Silent(String),
    /// What it gave is not what its name says.
    Damaged(String),
}

impl Registry {
    /// The one of that name; those that are `plain` are asked without TLS.
    ///
    /// # Errors
    /// When its certificates cannot be read.
    pub fn of(
        name: &str,
        plain: &[String],
        login: Option<Login>,
        cancel: &Cancel,
    ) -> Result<Self, String> {
        let host = if name == DOCKER_HUB { "registry-1.docker.io" } else { name };
        let scheme = if is_plain(name, plain) { "http" } else { "https" };
        let roots = Roots::of(host)?;
        let client = |ca| Client::accepting(&Trust { ca, ..Trust::default() }, "identity");
        // Its blobs and its tokens may be with somebody whom everybody trusts, as Docker does too.
        let client = match &roots {
            Some(roots) => client(Some(roots.pem.clone()))?.or(client(None)?),
            None => client(None)?,
        };
        let client = client.keeping_tls();
        let (base, cancel) = (format!("{scheme}://{host}/v2/"), cancel.clone());
        Ok(Self { base, client, roots, login, tokens: Mutex::default(), cancel })
    }

    /// Where a program in Go is to look for certificates, to trust whom we trust; none when it does
    /// so anyway. What is given are the folders in which it would look.
    pub fn certificates(&self, given: Option<&str>) -> Option<String> {
        self.roots.as_ref().map(|roots| roots.besides(given))
    }

    /// The login that it is asked with.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// A manifest, by tag or digest; none when it is not there.
    ///
    /// # Errors
    /// When that could not be found out, or it is not what its digest says.
    pub fn manifest(&self, image: &Reference) -> Result<Option<Stored>, Trouble> {
        let wanted = image.wanted();
        let path = format!("{}/manifests/{wanted}", image.repository);
        let Some(answer) = self.ask(Way::Get, &path, PATIENCE, image)? else { return Ok(None) };
        let told = answer.headers().get("docker-content-digest");
        let told = told.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        let read = answer.into_body().into_reader().take(LARGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| Trouble::Silent(super::http::io_failure(&error).1))?;
        if bytes.len() as u64 > LARGEST {
            return Err(Trouble::Damaged(format!("its manifest has more than {LARGEST} bytes")));
        }
        let mut digester = Digester::default();
        let _ = digester.write_all(&bytes);
        let digest = format!("sha256:{}", digester.hex());
        let named = is_digest(wanted).then(|| wanted.to_owned());
        match named.or(told.filter(|told| is_digest(told))).filter(|named| *named != digest) {
            Some(named) => {
                Err(Trouble::Damaged(format!("its manifest is not {named}, but {digest}")))
            }
            None => Ok(Some(Stored { digest, bytes })),
        }
    }

    /// Whether a blob is there, with its size where it is told.
    ///
    /// # Errors
    /// When that could not be found out.
    pub fn has(&self, image: &Reference, blob: &Blob) -> Result<Option<Option<u64>>, Trouble> {
        let path = path_of(image, blob);
        let Some(answer) = self.ask(Way::Head, &path, PATIENCE, image)? else { return Ok(None) };
        let told = length_of(&answer);
        // A proxy may tell the length of an answer to HEAD as that of its own, empty body.
        if answer.status() == 200 && (told != Some(0) || blob.size == 0) {
            return Ok(Some(told));
        }
        let way = if blob.size == 0 { Way::Get } else { Way::FirstByte };
        Ok(self.ask(way, &path, PATIENCE, image)?.map(|answer| length_of(&answer)))
    }

    /// Reads a blob through to its end, and looks whether it is what its digest says; false when it
    /// is not there.
    ///
    /// # Errors
    /// When that could not be found out, or it is something else.
    pub fn read_through(&self, image: &Reference, blob: &Blob) -> Result<bool, Trouble> {
        self.stream(image, blob, |_| {})
    }

    /// A small blob, like a configuration; none when it is not there.
    ///
    /// # Errors
    /// When that could not be found out, or it is not what its digest says.
    pub fn read(&self, image: &Reference, blob: &Blob) -> Result<Option<Vec<u8>>, Trouble> {
        if blob.size > LARGEST {
            return Err(Trouble::Damaged(format!("{} is too large for what it is", blob.digest)));
        }
        let mut bytes = Vec::new();
        let is_there = self.stream(image, blob, |chunk| bytes.extend_from_slice(chunk))?;
        Ok(is_there.then_some(bytes))
    }

    fn stream(
        &self,
        image: &Reference,
        blob: &Blob,
        mut take: impl FnMut(&[u8]),
    ) -> Result<bool, Trouble> {
        let path = path_of(image, blob);
        let Some(answer) = self.ask(Way::Get, &path, LONG, image)? else { return Ok(false) };
        let (mut digester, mut count) = (Digester::default(), 0);
        let mut reader = answer.into_body().into_reader().take(blob.size.saturating_add(1));
        let mut chunk = vec![0; 64 << 10];
        loop {
            if self.cancel.reason().is_some() {
                return Err(Trouble::Silent("cancelled".into()));
            }
            match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    count += read as u64;
                    let _ = digester.write_all(&chunk[..read]);
                    take(&chunk[..read]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Silent(super::http::io_failure(&error).1)),
            }
        }
        let Blob { digest, size } = blob;
        let found = format!("sha256:{}", digester.hex());
        match (count == *size, found == *digest) {
            (true, true) => Ok(true),
            (true, false) => Err(Trouble::Damaged(format!("{digest} has the content of {found}"))),
            (false, _) if count > *size => {
                Err(Trouble::Damaged(format!("{digest} should have {size} bytes, and has more")))
            }
            (false, _) => {
                Err(Trouble::Damaged(format!("{digest} should have {size} bytes, and has {count}")))
            }
        }
    }

    /// An answer; none when there is no such thing.
    fn ask(
        &self,
        way: Way,
        path: &str,
        patience: Duration,
        image: &Reference,
    ) -> Result<Option<http::Response<Body>>, Trouble> {
        let url = format!("{}{path}", self.base);
        let mut tries = 0;
        loop {
            // Thousands of questions, each of them short, end too.
            if self.cancel.reason().is_some() {
                return Err(Trouble::Silent("cancelled".into()));
            }
            tries += 1;
            let passes = match self.granted(way, &url, patience, image) {
                Ok(answer) if way.is_not_for(&answer) => return Ok(Some(answer.http)),
                Ok(Answer { http, is_own }) => match http.status().as_u16() {
                    200 => return Ok(Some(http)),
                    206 if way == Way::FirstByte => return Ok(Some(http)),
                    404 => return Ok(None),
                    401 | 403 if is_own => return Err(self.refused(&http)),
                    status @ (408 | 429 | 500..) => format!("it answers with status {status}"),
                    status => {
                        return Err(Trouble::Silent(format!("it answers with status {status}")));
                    }
                },
                Err(Trouble::Silent(why)) => why,
                Err(other) => return Err(other),
            };
            if tries == TRIES || self.cancel.sleep(PAUSE * 2_u32.pow(tries - 1)) {
                return Err(Trouble::Silent(passes));
            }
        }
    }

    fn refused(&self, answer: &http::Response<Body>) -> Trouble {
        let status = answer.status().as_u16();
        let why = match self.login {
            Some(_) => "this login may not read it, or there is no such repository",
            None => "there is no login for it here, or there is no such repository",
        };
        Trouble::Refused(format!("it answers with status {status}: {why}"))
    }

    /// One answer. Whoever the registry sends on to is somebody else.
    fn once(
        &self,
        way: Way,
        url: &str,
        patience: Duration,
        headers: Vec<(String, Secret)>,
    ) -> Result<Answer, Trouble> {
        let request = Request {
            url: url.to_owned(),
            method: way.method().to_owned(),
            headers,
            body: None,
            redirects: true,
            max_body: 0,
            timeout: patience,
        };
        let answer = self.client.answer(&request, Moment::now());
        let (http, at, _) = answer.map_err(|(_, why)| Trouble::Silent(why))?;
        let is_own = self.base.parse::<Uri>().is_ok_and(|own| origin(&own) == origin(&at));
        Ok(Answer { http, is_own })
    }
}

/// What was answered, and whether the registry itself did.
struct Answer {
    http: http::Response<Body>,
    is_own: bool,
}

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Head,
    Get,
    /// Its beginning, from those that give no HEAD; with that, how long it is.
    FirstByte,
}

impl Way {
    fn method(self) -> &'static str {
        if self == Way::Head { "HEAD" } else { "GET" }
    }

    fn header(self) -> Option<(String, Secret)> {
        (self == Way::FirstByte).then(|| ("Range".into(), Secret::new("bytes=0-0")))
    }

    /// Whether an answer says only that there is none to HEAD: where the registry sends on to, an
    /// address is often signed for GET alone.
    fn is_not_for(self, answer: &Answer) -> bool {
        let is_refused = match answer.http.status().as_u16() {
            401 | 403 => !answer.is_own,
            status => matches!(status, 405 | 501),
        };
        self == Way::Head && is_refused
    }
}

/// How long the whole is of which this is an answer, where that is told (RFC 9110 §14.4).
fn length_of(answer: &http::Response<Body>) -> Option<u64> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match answer.status().as_u16() {
        206 => header(http::header::CONTENT_RANGE)?.rsplit_once('/')?.1.parse().ok(),
        _ => header(http::header::CONTENT_LENGTH)?.parse().ok(),
    }
}

fn path_of(image: &Reference, blob: &Blob) -> String {
    format!("{}/blobs/{}", image.repository, blob.digest)
}

fn accept() -> (String, Secret) {
    ("Accept".into(), Secret::new(ACCEPTED.join(", ")))
}

/// Whether a registry is asked without TLS: one of these, or one on loopback, as Docker asks it.
pub fn is_plain(registry: &str, plain: &[String]) -> bool {
    plain.iter().any(|one| one == registry) || is_loopback(registry)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    super::http::is_loopback(name)
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["ghcr.io", "127.0.0.1.example.com:5000", "localhost.example.com"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
