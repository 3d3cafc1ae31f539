//! A check as it is written: what to look at, when, and what must hold.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::expectation::{CaptureSpec, ExpectSpec};
use super::forms::HealthSpec;
use super::protocols::{GrpcSpec, SseSpec, WebsocketSpec};
use super::services::{DnsSpec, PostgresSpec, RedisSpec, Short, TlsSpec};
use super::values::{Argv, NonEmpty, Period, Secret, Share};
use super::watched::{ContainerSpec, LogSpec, UnitSpec};
use crate::decide::verdict::Severity;

/// Declares the keys of a check once: the struct, and which of its keys a file has set.
macro_rules! keys {
    ($($(#[$meta:meta])* $field:ident ($key:literal): $type:ty,)*) => {
        /// A check: exactly one of its first keys, `url` to `load`, says what to look at.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct CheckSpec {
            $($(#[$meta])* #[serde(rename = $key, default)] pub $field: Option<$type>,)*
        }

        impl CheckSpec {
            /// The keys that are set, in the order of the documentation.
            pub fn present(&self) -> Vec<&'static str> {
                let mut present = Vec::new();
                $(if self.$field.is_some() { present.push($key); })*
                present
            }
        }
    };
}

keys! {
    /// The name in reports; what is looked at, if absent.
    name ("name"): String,
    /// `critical` decides (the default, but for memory and load), `warning` is told and does not.
    severity ("severity"): Severity,
    /// An HTTP or HTTPS address.
    url ("url"): String,
    /// A path on the service that is being deployed, or below `public`.
    path ("path"): String,
    /// Several paths, each of them as a check of its own: in place of `path`, or behind `url`.
    each ("each"): NonEmpty<String>,
    /// A `host:port` that must accept a connection.
    tcp ("tcp"): String,
    /// A WebSocket that must answer a ping.
    websocket ("websocket"): WebsocketSpec,
    /// An event stream that must tell an event.
    sse ("sse"): SseSpec,
    /// A gRPC server whose health service must say `SERVING`.
    grpc ("grpc"): GrpcSpec,
    /// A Redis server that must answer PING.
    redis ("redis"): Short<RedisSpec>,
    /// A PostgreSQL server that must take clients.
    postgres ("postgres"): Short<PostgresSpec>,
    /// Whoever must show a trusted certificate.
    tls ("tls"): Short<TlsSpec>,
    /// A name that must resolve.
    dns ("dns"): Short<DnsSpec>,
    /// A program that must exit with 0.
    command ("command"): Argv,
    /// Containers, as Docker or Podman tells.
    container ("container"): ContainerSpec,
    /// Units, as systemd tells.
    unit ("unit"): UnitSpec,
    /// What a service has written since its start, which shows no errors.
    log ("log"): LogSpec,
    /// The share of a file system in use.
    disk ("disk"): DiskSpec,
    /// The share of memory in use.
    memory ("memory"): MemorySpec,
    /// The load average of the last minute.
    load ("load"): LoadSpec,

    /// Words by which `--only` and `--skip` choose it.
    tags ("tags"): NonEmpty<String>,
    /// With `host`, where it is asked from: `host` or `caller`; if absent, the caller for `url`, `websocket` and `sse`, the host for all else.
    from ("from"): Side,
    /// How long to wait for it, from the start; a check that has it is waited for by `deploy`.
    within ("within"): Period,
    /// The pause between attempts; if absent, waiting polls every 50 ms while nothing listens and backs off to 1 s when something answers.
    interval ("interval"): Period,
    /// The limit of one attempt.
    timeout ("timeout"): Period,
    /// Consecutive passes wanted.
    passes ("passes"): u32,
    /// Consecutive failures that decide, when supervising.
    failures ("failures"): u32,
    /// How often one attempt asks; all answers must pass. 1 if absent.
    repeat ("repeat"): u32,
    /// How many of `repeat` are asked at once; 1 if absent.
    concurrency ("concurrency"): u32,
    /// The time in which failures do not count.
    start_period ("start-period"): Period,
    /// Tries of a smoke check.
    attempts ("attempts"): u32,
    /// Give up when the process in this file is gone.
    pid_file ("pid-file"): String,

    /// What must hold; if absent, a 2xx status, an accepted connection, exit code 0.
    expect ("expect"): NonEmpty<ExpectSpec>,
    /// When one of these holds, waiting ends at once.
    fail_fast ("fail-fast"): NonEmpty<ExpectSpec>,
    /// What should hold; told when it does not.
    warn ("warn"): NonEmpty<ExpectSpec>,
    /// Texts to keep for later checks, used there as `{{name}}`.
    capture ("capture"): BTreeMap<String, CaptureSpec>,

    /// The HTTP method; GET, or POST with a body.
    method ("method"): String,
    /// HTTP headers.
    headers ("headers"): BTreeMap<String, Secret>,
    /// The body, sent again on each attempt.
    body ("body"): String,
    /// A file with the body, read when the checks are.
    body_file ("body-file"): String,
    /// The body as JSON; sets the content type.
    json ("json"): serde_json::Value,
    /// Credentials, never sent to another host on a redirect.
    auth ("auth"): AuthSpec,
    /// A name for the cookies that it shares with all checks that say the same, in their order.
    cookies ("cookies"): String,
    /// Follow redirects (up to 10); if absent they are not followed.
    redirects ("redirects"): bool,
    /// A file of PEM certificates to trust instead of the platform's.
    ca ("ca"): String,
    /// Do not verify the certificate. A warning says so each time.
    insecure ("insecure"): bool,
    /// A file of PEM certificates that says who we are, the own one first.
    client_cert ("client-cert"): String,
    /// The file of the PEM key of `client-cert`.
    client_key ("client-key"): String,
    /// Read at most so many bytes of the body.
    max_body ("max-body"): u32,
    /// A request that is sent before the first attempt, and again until it is answered: what is loaded by
    /// the first use is not ready before it.
    warm_up ("warm-up"): WarmUpSpec,
    /// Read the body as a health document.
    health ("health"): HealthSpec,
    /// Services that must be in the health document and healthy.
    critical ("critical"): NonEmpty<String>,
    /// Circuits that may be open.
    except_circuits ("except-circuits"): NonEmpty<String>,

    /// What is said to a `tcp` that accepted; nothing, if absent.
    send ("send"): Secret,
    /// Read from a `tcp` until this was said; to the end of the first line, if absent.
    read_until ("read-until"): String,

    /// Environment of a command.
    env ("env"): BTreeMap<String, Secret>,
    /// Working folder of a command.
    dir ("dir"): String,
}

/// Where a check is asked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The machine on which the release is deployed.
    Host,
    /// The machine that deploys it.
    Caller,
}

impl CheckSpec {
    /// Where it is asked from: an address as the public sees it, and all else where it is.
    pub fn side(&self) -> Side {
        let is_public = self.url.is_some() || self.websocket.is_some() || self.sse.is_some();
        let usual = if is_public { Side::Caller } else { Side::Host };
        self.from.unwrap_or(usual)
    }

    /// Whether an address that is asked only answers and nothing changes there: the method is a safe
    /// one (RFC 9110 §9.2.1), and neither a body nor a request before it is sent.
    pub fn only_reads(&self) -> bool {
        let sends = self.body.is_some() || self.body_file.is_some() || self.json.is_some();
        let is_safe = |method: &str| {
            ["GET", "HEAD", "OPTIONS"].iter().any(|safe| method.eq_ignore_ascii_case(safe))
        };
        !sends && self.warm_up.is_none() && self.method.as_deref().is_none_or(is_safe)
    }
}

/// A request that is sent before.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WarmUpSpec {
    /// An address.
    pub url: Option<String>,
    /// A path on the service.
    pub path: Option<String>,
    /// The method; GET, or POST with a body.
    pub method: Option<String>,
    /// HTTP headers; those of the check if absent, at the same origin.
    pub headers: Option<BTreeMap<String, Secret>>,
    /// The body.
    pub body: Option<String>,
    /// The body as JSON.
    pub json: Option<serde_json::Value>,
}

/// Credentials.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuthSpec {
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic(BasicSpec),
}

/// User and password.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BasicSpec {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// The share of a file system in use.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiskSpec {
    /// A path on the file system; `/` if absent.
    pub path: Option<String>,
    /// Less than this; 90% if absent.
    pub max: Option<Share>,
}

/// The share of memory in use.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemorySpec {
    /// Less than this; 80% if absent.
    pub max: Option<Share>,
}

/// The load average of the last minute.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// Less than this; 2.0 if absent.
    pub max: Option<f64>,
}
