//! A `waveoff.yml` for an OpenAPI description: read from a file or an address, and turned into a suite
//! to begin with.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::operations::{Proposed, Suite, suite};
use super::proposal::Proposal;
use super::words::{as_name, line, plain, scalar};
use crate::decide::observation::Observation;
use crate::decide::openapi;
use crate::exit::Fault;
use crate::host::files;
use crate::host::http::{Client, Request};
use crate::host::room::Room;
use crate::host::tls::Trust;

/// How long a description may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a description.
const MOST: usize = 16 << 20;
/// Where the service is, when nothing tells it.
const SOMEWHERE: &str = "https://shop.example.com";

/// A description, and what is proposed for it.
pub(super) struct Description {
    /// Where it was read, without what may be a secret.
    source: String,
    /// The name of the service.
    service: String,
    /// The address of the service, without a path.
    public: Option<String>,
    /// The checks.
    suite: Suite,
    /// What is wrong with it.
    mistakes: Option<String>,
}

impl Description {
    /// Reads it from a file, or from an `http://` or `https://` address.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be read, or is no description.
    pub(super) fn read(from: &str) -> anyhow::Result<Self> {
        let is_address = from.starts_with("http://") || from.starts_with("https://");
        let text = if is_address { fetched(from)? } else { of_file(from)? };
        let bare = from.split(['?', '#']).next().unwrap_or_default();
        let document: Value = serde_json::from_slice(&text).map_err(|error| {
            Fault::usage(format!("{bare} is not JSON: {error}")).hint(
                "nothing was written; a description in YAML has to be converted to JSON first",
            )
        })?;
        openapi::version(&document).map_err(|why| {
            Fault::usage(format!("{bare} is no OpenAPI description: {why}"))
                .hint("nothing was written; descriptions of OpenAPI 3.0 and 3.1 are read")
        })?;
        Ok(Self::of(&document, bare, is_address))
    }

    fn of(document: &Value, source: &str, is_address: bool) -> Self {
        let own = is_address.then(|| split(source)).flatten();
        let server = server(document);
        let (public, prefix) = match split(&server) {
            Some((origin, path)) => (Some(origin), path),
            None => (own.as_ref().map(|(origin, _)| origin.clone()), server),
        };
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() || prefix.starts_with('/') { prefix } else { "" };
        let mut suite = suite(document, prefix);
        let mistakes = openapi::check(document).err();
        let here = own.filter(|(origin, _)| mistakes.is_none() && public.as_ref() == Some(origin));
        if let Some((_, path)) = here.filter(|(_, path)| path.len() > 1) {
            suite.checks.retain(|check| check.path != path);
            let text = format!("  - path: {}\n    expect: [{{ openapi: true }}]\n", scalar(&path));
            suite.checks.push(Proposed { path, text });
        }
        let title = document.pointer("/info/title").and_then(Value::as_str).unwrap_or_default();
        Self { source: source.into(), service: as_name(title), public, suite, mistakes }
    }

    /// The configuration for a service that is deployed by a command, with these checks.
    pub(super) fn propose(&self, template: &str) -> Proposal {
        let (before, behind) = template.split_once("checks:\n").unwrap_or((template, ""));
        let behind = behind.split_once("\n\n").map_or("", |(_, behind)| behind);
        let before = before.replace("service: shop\n", &format!("service: {}\n", self.service));
        let mut text = before;
        match &self.public {
            Some(public) => line(&mut text, &format!("public: {public}")),
            None => line(&mut text, &format!("public: {SOMEWHERE} # where the service is")),
        }
        text.push('\n');
        self.preface(&mut text, "");
        line(&mut text, "checks:");
        if self.suite.checks.is_empty() {
            line(&mut text, "  - path: / # nothing in the description can be asked as it stands");
        }
        self.checks(&mut text, &[]);
        write!(text, "\n{behind}").unwrap_or_default();
        let mut to_do = self.to_do();
        if self.public.is_none() {
            to_do.push("`public`: the description does not tell where the service is".into());
        }
        Proposal { text, to_do }
    }

    /// A proposal for a Compose file, with these checks behind its own. Where nothing answers requests
    /// there is nobody to ask.
    pub(super) fn add_to(&self, proposal: Proposal) -> Proposal {
        let text = proposal.text;
        let Some((before, behind)) = text.rsplit_once("\nnotify:") else {
            return Proposal { text, ..proposal };
        };
        let asked =
            |line: &str| Some(line.strip_prefix("  - path: ")?.split(" #").next()?.to_owned());
        let known: Vec<String> = before.lines().filter_map(asked).collect();
        if known.is_empty() {
            return Proposal { text, ..proposal };
        }
        let mut text = before.to_owned();
        self.preface(&mut text, "  ");
        self.checks(&mut text, &known);
        write!(text, "\nnotify:{behind}").unwrap_or_default();
        Proposal { text, to_do: [proposal.to_do, self.to_do()].concat() }
    }

    /// Where the checks come from, and what they need.
    fn preface(&self, out: &mut String, indent: &str) {
        let source = plain(&self.source);
        line(out, &format!("{indent}# Proposed from {source}: what can be asked without"));
        line(
            out,
            &format!(
                "{indent}# knowing more. Say what makes the answers good ones: docs/checks.md has the words."
            ),
        );
        for name in &self.suite.variables {
            let of = "comes from the environment: of somebody who may only read.";
            line(out, &format!("{indent}# ${{{name}}} {of}"));
        }
        if !self.suite.variables.is_empty() {
            line(
                out,
                &format!("{indent}# Without it, `smoke-test --skip secured` runs the others."),
            );
        }
    }

    /// The checks, but for those of paths that are asked already, and what is left out.
    fn checks(&self, out: &mut String, known: &[String]) {
        let is_new = |check: &&Proposed| !known.contains(&scalar(&check.path));
        self.suite.checks.iter().filter(is_new).for_each(|check| out.push_str(&check.text));
        for why in &self.suite.left_out {
            line(out, &format!("  # {why}"));
        }
    }

    /// What has to be done before the checks can pass.
    fn to_do(&self) -> Vec<String> {
        let variable = |name: &&str| format!("set {name} where the checks run, as a secret");
        let mut all: Vec<String> = self.suite.variables.iter().map(variable).collect();
        let mistakes = self.mistakes.iter();
        all.extend(mistakes.map(|why| plain(&format!("the description has mistakes: {why}"))));
        all
    }
}

fn of_file(name: &str) -> anyhow::Result<Vec<u8>> {
    files::read(name).map_err(|error| {
        Fault::usage(format!("cannot read {name}: {error}"))
            .hint("nothing was written; name a file, or an address that begins with https://")
            .into()
    })
}

fn fetched(address: &str) -> anyhow::Result<Vec<u8>> {
    let bare = address.split(['?', '#']).next().unwrap_or_default();
    if bare.contains('@') {
        let why = "the address of the description has credentials in it, which end up in logs";
        return Err(Fault::usage(why).hint("nothing was written; save it to a file first").into());
    }
    let client = Client::new(&Trust::default()).map_err(Fault::error)?;
    let request = Request {
        url: address.into(),
        method: "GET".into(),
        headers: Vec::new(),
        body: None,
        redirects: true,
        max_body: MOST,
        timeout: PATIENCE,
    };
    let why = match client.send(&request, &Room::default().place()) {
        Observation::Http(answer) if answer.truncated => format!("is longer than {MOST} bytes"),
        Observation::Http(answer) if answer.status == 200 => return Ok(answer.body),
        Observation::Http(answer) => format!("was answered with status {}", answer.status),
        Observation::Failed(failure) => format!("could not be read: {}", failure.message),
        _ => "could not be read".into(),
    };
    Err(Fault::error(format!("{bare} {why}")).hint("nothing was written").into())
}

/// The first server's address with its variables' defaults, as it is written.
fn server(document: &Value) -> String {
    let server = document.pointer("/servers/0");
    let url = server.and_then(|server| server.get("url")).and_then(Value::as_str);
    let mut url = url.unwrap_or_default().to_owned();
    let variables = server.and_then(|server| server.get("variables")?.as_object());
    for (name, variable) in variables.into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    url
}

/// An address as its origin and its path; nothing when it is no plain one.
fn split(address: &str) -> Option<(String, String)> {
    let (scheme, rest) = address.split_once("://")?;
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"'\\{}$#?@<>^`|".contains(c);
    let is_good = matches!(scheme, "http" | "https") && rest.chars().all(is_plain);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (is_good && !host.is_empty()).then(|| (format!("{scheme}://{host}"), path.to_owned()))
}

#[cfg(test)]
#[path = "description_tests.rs"]
mod tests;
