//! Command line and environment become types here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::faults::{Fault, Faults};

pub(crate) const USAGE: &str = "\
A small service that can be made to misbehave.

Usage: sample-service [OPTIONS]

  --port N             port to listen on; 0 lets the kernel choose  [env: PORT] [default: 0]
  --bind ADDRESS       address to listen on; may be repeated  [env: BIND] [default: 127.0.0.1]
  --port-file FILE     write the port to FILE once it listens
  --version VERSION    the version it is  [env: WAVEOFF_VERSION, VERSION] [default: dev]
  --bad-versions LIST  versions (a,b,c) whose critical services are down
  --data FOLDER        add the version to FOLDER/starts, which /starts shows  [env: DATA]
  --pages FILE         answer first with the pages of a JSON file, and so stand for another
                       service; examples/suites has some  [env: PAGES]
  --worker             do not listen: say the version and wait
  --once               do not listen: say the version and end
  --probe PATH         ask the service on the port for PATH; end with 1 unless it says 200
  --fault NAME[=VALUE] misbehave from the start; may be repeated  [env: FAULTS, a comma between]
                         not-ready            503 on /health and /ready
                         slow-start=SECONDS   listen only after that time
                         deaf                 take no notice of SIGTERM
                         slow=MS              answer only after that time
                         crash-after=SECONDS  end with code 134 after that time
                         exit-at-start        end with code 1 before listening
                         wrong-version=V      say that it is another version
                         error-rate=PERCENT   that share of the answers is a 500
                         circuit-open         one circuit breaker is open
                         degraded             a non-critical service is down
                         critical-down        a critical service is down
                         huge-body[=BYTES]    answers are that long (1 GiB)
                         slow-loris[=MS]      one byte at a time, that far apart (500)
                         endless-headers      header lines without end
  --help               print this

While it runs: POST /fault/NAME?value=VALUE, DELETE /fault/NAME, GET /fault.
SIGTERM ends it as soon as it has answered what it was asked.
";

/// What it is started for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Serve,
    Work,
    Once,
    Probe(String),
}

pub(crate) struct Options {
    pub(crate) role: Role,
    pub(crate) port: u16,
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) port_file: Option<PathBuf>,
    pub(crate) version: String,
    pub(crate) data: Option<PathBuf>,
    pub(crate) pages: Option<PathBuf>,
    pub(crate) faults: Faults,
}

impl Options {
    pub(crate) fn parse(
        arguments: Vec<String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let mut options = Options {
            role: Role::Serve,
            port: set("PORT").map_or(Ok(0), |text| port(&text))?,
            bind: Vec::new(),
            port_file: None,
            version: set("WAVEOFF_VERSION").or_else(|| set("VERSION")).unwrap_or("dev".into()),
            data: set("DATA").map(PathBuf::from),
            pages: set("PAGES").map(PathBuf::from),
            faults: Faults::default(),
        };
        for named in set("FAULTS").iter().flat_map(|all| all.split(',')) {
            options.fault(named)?;
        }
        let mut bad_versions = String::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let role = match argument.as_str() {
                "--worker" => Some(Role::Work),
                "--once" => Some(Role::Once),
                _ => None,
            };
            if let Some(role) = role {
                options.role = role;
                continue;
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => {
                    let value = arguments.next().ok_or(format!("{argument} wants a value"))?;
                    (argument, value)
                }
            };
            match name.as_str() {
                "--port" => options.port = port(&value)?,
                "--bind" => options.bind.push(address(&value)?),
                "--port-file" => options.port_file = Some(value.into()),
                "--version" => options.version = value,
                "--bad-versions" => bad_versions = value,
                "--data" => options.data = Some(value.into()),
                "--pages" => options.pages = Some(value.into()),
                "--probe" => options.role = Role::Probe(value),
                "--fault" => options.fault(&value)?,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.bind.is_empty() {
            options
                .bind
                .push(set("BIND").map_or(Ok(Ipv4Addr::LOCALHOST.into()), |text| address(&text))?);
        }
        // The version goes into a header and into documents: nothing that would need escaping.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-/:@".contains(c);
        if options.version.is_empty() || !options.version.chars().all(plain) {
            return Err(format!("--version: {:?} is not a version", options.version));
        }
        if bad_versions.split(',').any(|bad| bad.trim() == options.version) {
            options.faults.set(Fault::CriticalDown.name(), "")?;
        }
        Ok(options)
    }

    /// `NAME` or `NAME=VALUE`.
    fn fault(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        self.faults.set(name, value).map(|_| ())
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("--bind: {text:?} is not an address"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("--port: {text:?} is not a number from 0 to 65535"))
}
