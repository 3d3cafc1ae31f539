//! Command line and environment become types here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::faults::{Fault, Faults};

pub(crate) const USAGE: &str = "\
A small service that can be made to misbehave.

Usage: sample-service [OPTIONS]

  --port N             port to listen on; 0 lets the kernel choose  [env: PORT] [default: 0]
  --bind ADDRESS       address to listen on; may be repeated  [default: 127.0.0.1]
  --port-file FILE     write the port to FILE once it listens
  --version VERSION    the version it is  [env: WAVEOFF_VERSION, VERSION] [default: dev]
  --bad-versions LIST  versions (a,b,c) whose critical services are down
  --fault NAME[=VALUE] misbehave from the start; may be repeated:
                         not-ready            503 on /health and /ready
                         slow-start=SECONDS   listen only after that time
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
";

pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) port_file: Option<PathBuf>,
    pub(crate) version: String,
    pub(crate) faults: Faults,
}

impl Options {
    pub(crate) fn parse(
        arguments: Vec<String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let mut options = Options {
            port: set("PORT").map_or(Ok(0), |text| port(&text))?,
            bind: Vec::new(),
            port_file: None,
            version: set("WAVEOFF_VERSION").or_else(|| set("VERSION")).unwrap_or("dev".into()),
            faults: Faults::default(),
        };
        let mut bad_versions = String::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => {
                    let value = arguments.next().ok_or(format!("{argument} wants a value"))?;
                    (argument, value)
                }
            };
            match name.as_str() {
                "--port" => options.port = port(&value)?,
                "--bind" => options.bind.push(
                    value.parse().map_err(|_| format!("--bind: {value:?} is not an address"))?,
                ),
                "--port-file" => options.port_file = Some(value.into()),
                "--version" => options.version = value,
                "--bad-versions" => bad_versions = value,
                "--fault" => {
                    let (fault, value) = value.split_once('=').unwrap_or((&value, ""));
                    options.faults.set(fault, value)?;
                }
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.bind.is_empty() {
            options.bind.push(Ipv4Addr::LOCALHOST.into());
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
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("--port: {text:?} is not a number from 0 to 65535"))
}
