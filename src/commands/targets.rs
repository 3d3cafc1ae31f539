//! Targets on the command line: the same checks as in `waveoff.yml`, for those who have no file.

use std::collections::BTreeMap;

use clap::Args;

use super::Session;
use crate::checks::{self, Check, Surroundings, build};
use crate::config::check::{AuthSpec, BasicSpec};
use crate::config::expectation::{ExpectSpec, PredicateSpec, VersionSpec};
use crate::config::forms::HealthSpec;
use crate::config::values::{Argv, NonEmpty, Period, Secret};
use crate::config::watched::{ContainerSpec, UnitSpec};
use crate::config::{CheckSpec, Loaded, Place, hidden};
use crate::decide::health::HealthOptions;
use crate::decide::status_set::StatusSet;
use crate::exit::Fault;
use crate::host::process::Started;
use crate::report::mask::{Mask, is_secret_name};

/// Flags that name targets and what is expected of them. When any target is named here, the
/// checks of the file are left alone.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Targets (instead of those in waveoff.yml)")]
pub(super) struct TargetArgs {
    /// Addresses and host:port pairs
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// An address that must answer [repeatable; one a line in WAVEOFF_URL and the input]
    #[arg(long, value_name = "URL")]
    url: Vec<String>,
    /// A host:port that must accept a connection [repeatable]
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Vec<String>,
    /// A program that must exit with 0: words, or a JSON list of them [repeatable]
    #[arg(long, value_name = "COMMAND")]
    command: Vec<String>,
    /// A container that must run, and be healthy where it has a health check [repeatable]
    #[arg(long, value_name = "NAME")]
    container: Vec<String>,
    /// A systemd unit that must be active [repeatable]
    #[arg(long, value_name = "NAME")]
    unit: Vec<String>,
    /// Statuses that are accepted: 200, 2xx, or several with commas [default: 2xx]
    #[arg(long, value_name = "STATUS")]
    status: Option<StatusSet>,
    /// Statuses at which waiting cannot help, as in --status
    #[arg(long, value_name = "STATUS")]
    fail_fast_status: Option<StatusSet>,
    /// A text that the body must contain
    #[arg(long, value_name = "TEXT")]
    body_contains: Option<String>,
    /// Read the body as a health document
    #[arg(long)]
    health: bool,
    /// Services that must be healthy in the health document, with commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    critical: Option<Vec<String>>,
    /// Circuits that may be open in the health document, with commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    except_circuits: Option<Vec<String>>,
    /// The header that tells the version, to compare with --expect-version
    #[arg(long, value_name = "NAME")]
    version_header: Option<String>,
    /// The JSON path that tells the version, to compare with --expect-version
    #[arg(long, value_name = "PATH")]
    version_jsonpath: Option<String>,
    /// The HTTP method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// A header, `Name: value` [repeatable]
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// The body, sent again on each attempt
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// A bearer token (better in WAVEOFF_BEARER than on a command line)
    #[arg(long, value_name = "TOKEN")]
    bearer: Option<Secret>,
    /// User and password, `user:password` (better in WAVEOFF_BASIC than on a command line)
    #[arg(long, value_name = "USER:PASSWORD")]
    basic: Option<Secret>,
    /// Follow redirects
    #[arg(long)]
    redirects: bool,
    /// Certificates (PEM) to trust instead of the platform's
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,
    /// Do not verify the certificate of this target, which must be one of those named [repeatable]
    #[arg(long, value_name = "URL")]
    insecure: Vec<String>,
    /// Give up when the process in this file is gone
    #[arg(long, value_name = "FILE")]
    pid_file: Option<String>,
}

/// Flags that go with the file's checks as well.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What is expected, and when")]
pub(super) struct CommonArgs {
    /// The version that should be running
    #[arg(long, value_name = "VERSION")]
    expect_version: Option<String>,
    /// Where `path` checks are asked [default: `public` in waveoff.yml]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Give up when this process is gone
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// The pause between attempts, for all checks
    #[arg(long, value_name = "DURATION")]
    interval: Option<Period>,
    /// Only the checks with these names or tags, with commas [repeatable]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Not the checks with these names or tags, with commas [repeatable]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    skip: Vec<String>,
    /// The limit of one attempt, for all checks
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Period>,
    /// Consecutive passes wanted, for all checks
    #[arg(long, value_name = "N")]
    passes: Option<u32>,
}

/// Timing that only one of the two programs has.
#[derive(Debug, Clone, Default)]
pub(super) struct Timing {
    pub within: Option<Period>,
    pub start_period: Option<Period>,
    pub failures: Option<u32>,
    pub attempts: Option<u32>,
}

/// What is to be checked.
pub(super) struct Suite {
    pub checks: Vec<std::sync::Arc<Check>>,
    pub loaded: Option<Loaded>,
    pub expected_version: Option<String>,
    pub process: Option<Started>,
}

impl CommonArgs {
    /// With this version expected, unless another one is.
    pub(super) fn expecting(mut self, version: Option<String>) -> Self {
        self.expect_version = self.expect_version.or(version);
        self
    }

    /// The suite: the targets of the flags, or else the checks of the file, with the timing of
    /// the flags over theirs.
    pub(super) fn suite(
        &self,
        targets: &TargetArgs,
        timing: &Timing,
        session: &Session,
    ) -> anyhow::Result<Suite> {
        let loaded = session.config()?;
        let mut specs = targets.specs()?;
        if specs.is_empty() {
            specs = loaded.as_ref().map(checks::specs).unwrap_or_default();
        }
        for secret in [&targets.bearer, &targets.basic].into_iter().flatten() {
            session.hide(secret.expose());
        }
        session.hide_all(&targets.secrets()?);
        for (_, spec) in &mut specs {
            self.override_timing(spec, timing);
        }
        let process = self.pid.map(|pid| Started { pid, ticks: None });
        let public = loaded.as_ref().and_then(|loaded| loaded.config.public.clone());
        let surroundings = Surroundings {
            base_url: self.base_url.clone().or(public),
            expected_version: self.expect_version.clone(),
            process,
            ..Surroundings::default()
        };
        let checks = checks::choose(build(&specs, &surroundings)?, &self.only, &self.skip)?;
        Ok(Suite {
            checks: checks.into_iter().map(std::sync::Arc::new).collect(),
            loaded,
            expected_version: self.expect_version.clone(),
            process,
        })
    }

    fn override_timing(&self, spec: &mut CheckSpec, timing: &Timing) {
        fn over<T: Clone>(own: &mut Option<T>, given: &Option<T>) {
            if given.is_some() {
                own.clone_from(given);
            }
        }
        over(&mut spec.interval, &self.interval);
        over(&mut spec.timeout, &self.timeout);
        over(&mut spec.passes, &self.passes);
        over(&mut spec.within, &timing.within);
        over(&mut spec.start_period, &timing.start_period);
        over(&mut spec.failures, &timing.failures);
        over(&mut spec.attempts, &timing.attempts);
    }
}

impl TargetArgs {
    /// Whether no target is named.
    pub(super) fn is_empty(&self) -> bool {
        let named = [&self.targets, &self.url, &self.tcp, &self.command];
        named.iter().chain(&[&self.container, &self.unit]).all(|list| list.is_empty())
    }

    fn specs(&self) -> anyhow::Result<Vec<(Place, CheckSpec)>> {
        let mut specs = Vec::new();
        let named = self.targets.iter().map(|target| {
            if target.contains("://") {
                ("target", "url", target)
            } else {
                ("target", "tcp", target)
            }
        });
        let urls = self.url.iter().map(|url| ("--url", "url", url));
        let tcp = self.tcp.iter().map(|tcp| ("--tcp", "tcp", tcp));
        let commands = self.command.iter().map(|command| ("--command", "command", command));
        let containers = self.container.iter().map(|name| ("--container", "container", name));
        let units = self.unit.iter().map(|name| ("--unit", "unit", name));
        let watched = containers.chain(units);
        for (flag, kind, text) in named.chain(urls).chain(tcp).chain(commands).chain(watched) {
            let spec = match kind {
                "url" => self.http(text)?,
                "tcp" => CheckSpec { tcp: Some(text.clone()), ..CheckSpec::default() },
                "container" => CheckSpec {
                    container: Some(ContainerSpec::named(text)),
                    ..CheckSpec::default()
                },
                "unit" => CheckSpec { unit: Some(UnitSpec::named(text)), ..CheckSpec::default() },
                _ => CheckSpec { command: Some(argv(text)?), ..CheckSpec::default() },
            };
            let spec = CheckSpec { pid_file: self.pid_file.clone(), ..spec };
            specs.push((Place { file: flag.into(), line: 0 }, spec));
        }
        self.refuse_leftovers(&specs)?;
        Ok(specs)
    }

    /// A flag that says how to ask an address is a mistake when there is no address.
    fn refuse_leftovers(&self, specs: &[(Place, CheckSpec)]) -> anyhow::Result<()> {
        if let Some(wrong) = self
            .insecure
            .iter()
            .find(|url| !specs.iter().any(|(_, spec)| spec.url.as_ref() == Some(url)))
        {
            return Err(Fault::usage(format!("--insecure {wrong}: there is no such target"))
                .hint("write it exactly as the --url that it is about")
                .into());
        }
        let asks = self.status.is_some()
            || self.health
            || self.body_contains.is_some()
            || self.method.is_some()
            || self.body.is_some()
            || !self.header.is_empty();
        if asks && !specs.iter().any(|(_, spec)| spec.url.is_some()) {
            return Err(Fault::usage("there are flags for an address, and no address")
                .hint("add --url, or move the expectation into the check in waveoff.yml")
                .into());
        }
        Ok(())
    }

    fn http(&self, url: &str) -> anyhow::Result<CheckSpec> {
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        let options = HealthOptions {
            critical: list(&self.critical),
            except_circuits: list(&self.except_circuits),
        };
        let wants_health = self.health || options != HealthOptions::default();
        let headers = self.headers()?;
        Ok(CheckSpec {
            url: Some(url.into()),
            method: self.method.clone(),
            headers: (!headers.is_empty()).then_some(headers),
            body: self.body.clone(),
            auth: self.auth()?,
            redirects: Some(self.redirects),
            ca: self.ca.clone(),
            insecure: Some(self.insecure.iter().any(|named| named == url)),
            health: wants_health.then_some(HealthSpec(options)),
            expect: self.expectations().map(NonEmpty),
            fail_fast: self
                .fail_fast_status
                .clone()
                .map(|set| NonEmpty(vec![ExpectSpec::Status(set)])),
            ..CheckSpec::default()
        })
    }

    fn expectations(&self) -> Option<Vec<ExpectSpec>> {
        let version = VersionSpec {
            jsonpath: self.version_jsonpath.clone(),
            header: self.version_header.clone(),
            body: None,
            equals: None,
        };
        let wants_version = version.jsonpath.is_some() || version.header.is_some();
        let contains = self.body_contains.as_ref().map(|text| PredicateSpec {
            contains: Some(text.as_str().into()),
            ..PredicateSpec::default()
        });
        let all: Vec<ExpectSpec> = [
            self.status.clone().map(ExpectSpec::Status),
            contains.map(ExpectSpec::Body),
            wants_version.then_some(ExpectSpec::Version(version)),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!all.is_empty()).then_some(all)
    }

    fn headers(&self) -> anyhow::Result<BTreeMap<String, Secret>> {
        let parse = |text: &String| {
            let (name, value) = text.split_once(':').ok_or_else(|| {
                Fault::usage("a --header has no colon").hint("write it like 'Accept: text/html'")
            })?;
            Ok((name.trim().to_owned(), Secret::new(value.trim())))
        };
        self.header.iter().map(parse).collect()
    }

    /// What must not be shown of the flags, as it stands in a request.
    fn secrets(&self) -> anyhow::Result<Mask> {
        let mut mask = Mask::default();
        self.targets.iter().chain(&self.url).for_each(|url| hidden::in_address(url, &mut mask));
        for (name, value) in self.headers()? {
            if is_secret_name(&name) {
                hidden::add(value.expose(), &mut mask);
            }
        }
        if let Some(pair) = &self.basic {
            hidden::as_basic(pair.expose(), &mut mask);
            pair.expose().split_once(':').iter().for_each(|(_, password)| mask.add(password));
        }
        Ok(mask)
    }

    fn auth(&self) -> anyhow::Result<Option<AuthSpec>> {
        match (&self.bearer, &self.basic) {
            (Some(_), Some(_)) => Err(Fault::usage("--bearer and --basic stand side by side")
                .hint("keep one of them")
                .into()),
            (Some(token), None) => Ok(Some(AuthSpec::Bearer(token.clone()))),
            (None, Some(pair)) => {
                let (user, password) = pair.expose().split_once(':').ok_or_else(|| {
                    Fault::usage("--basic has no colon").hint("write it as user:password")
                })?;
                let (user, password) = (user.to_owned(), Secret::new(password));
                Ok(Some(AuthSpec::Basic(BasicSpec { user, password })))
            }
            (None, None) => Ok(None),
        }
    }
}

/// A command of a flag: a JSON list, or plain words. Quotes would mean a shell, which there is not.
fn argv(text: &str) -> anyhow::Result<Argv> {
    let wrong = |why: &str| {
        Fault::usage(format!("--command `{text}`: {why}"))
            .hint("write plain words, or a JSON list like [\"sh\", \"-c\", \"…\"]")
    };
    let words: Vec<String> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|_| wrong("is not a JSON list of texts"))?
    } else {
        if text.contains(['"', '\'', '`', '$', '|', '&', ';', '<', '>', '*', '\\']) {
            return Err(wrong("has characters that only a shell would understand").into());
        }
        text.split_whitespace().map(str::to_owned).collect()
    };
    match words.first() {
        Some(program) if !program.is_empty() => Ok(Argv(words)),
        _ => Err(wrong("is empty").into()),
    }
}
