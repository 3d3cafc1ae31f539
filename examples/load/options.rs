//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

pub(crate) const USAGE: &str = "\
Usage: load --version V [--version V]... [OPTION]... http://HOST:PORT/PATH

  --version V       an answer of this version is right; may be repeated
  --header NAME     the header that says the version [default: X-Version]
  --body TEXT       what the body must be, with {version} for the version [default: anything]
  --connections N   connections, each with one request at a time [default: 64]
  --requests N      ends after that many requests
  --for SECONDS     ends after that time [default: 10, or none with --requests]
  --rate N          requests per second, of all connections together [default: as fast as they go];
                    a request that could not be sent in time counts from when it should have been
  --timeout SECONDS of one request [default: 10]

While it runs, lines on standard input: `phase NAME` begins a phase, `stop` ends it all. What was
seen is JSON on standard output.
";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) versions: Vec<String>,
    pub(crate) header: String,
    pub(crate) body: Option<String>,
    pub(crate) connections: usize,
    pub(crate) requests: u64,
    pub(crate) time: Option<Duration>,
    pub(crate) rate: Option<f64>,
    pub(crate) timeout: Duration,
    /// The request, as it is sent.
    pub(crate) request: Vec<u8>,
}

impl Options {
    /// None when help is wanted.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, String> {
        let (mut requests, mut time, mut url) = (None, None, None);
        let mut options = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            versions: Vec::new(),
            header: "x-version".into(),
            body: None,
            connections: 64,
            requests: u64::MAX,
            time: None,
            rate: None,
            timeout: Duration::from_secs(10),
            request: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--version" => options.versions.push(value()?),
                "--header" => options.header = value()?.to_ascii_lowercase(),
                "--body" => options.body = Some(value()?),
                "--connections" => options.connections = above_zero(&value()?)? as usize,
                "--requests" => requests = Some(above_zero(&value()?)? as u64),
                "--for" => time = Some(Duration::from_secs_f64(above_zero(&value()?)?)),
                "--rate" => options.rate = Some(above_zero(&value()?)?),
                "--timeout" => options.timeout = Duration::from_secs_f64(above_zero(&value()?)?),
                _ if argument.starts_with('-') => return Err(format!("what is {argument}?")),
                _ => url = Some(argument),
            }
        }
        if options.versions.is_empty() {
            return Err("which --version is right?".into());
        }
        options.requests = requests.unwrap_or(u64::MAX);
        options.time = time.or(requests.is_none().then_some(Duration::from_secs(10)));
        let url = url.ok_or("there is no URL")?;
        let (host, path) = split(&url).ok_or(format!("{url} is not http://HOST:PORT/PATH"))?;
        let addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
        options.address = addresses.into_iter().next().ok_or(format!("{host} has no address"))?;
        options.request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
        Ok(Some(options))
    }

    /// Which of the right versions an answer is of, if it is wholly of it.
    pub(crate) fn version(&self, said: Option<&str>, body: &[u8]) -> Option<u8> {
        let version = self.versions.iter().position(|version| Some(version.as_str()) == said)?;
        let right = match &self.body {
            None => true,
            Some(form) => {
                form.replace("{version}", &self.versions[version]).as_bytes() == body.trim_ascii()
            }
        };
        u8::try_from(version).ok().filter(|_| right)
    }
}

fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let clean = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
    (clean(host) && clean(path)).then_some((host, if path.is_empty() { "/" } else { path }))
}

fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err(format!("{text} is not a number above 0")),
    }
}
