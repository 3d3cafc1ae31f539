//! A `waveoff.yml` for what stands in a Compose file. Each guess stands there with its reason.

use clap::ValueEnum;

use super::compose::{Found, Project};
use super::words::as_name;
use crate::decide::compose_kinds::{Guess, Kind, Proxy};

/// Where the search for ports of slots begins.
pub(super) const PORTS: u16 = 8001;
/// Names of services that people see first.
const FRONT: [&str; 8] = ["web", "app", "frontend", "ui", "site", "server", "api", "backend"];

/// What sends requests to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RouterWord {
    /// nginx on this machine
    Nginx,
    /// HAProxy on this machine
    Haproxy,
    /// Your own command
    Command,
}

/// What is known besides the Compose file.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// The name of the folder.
    pub(super) folder: String,
    /// The name that Compose gives to the project.
    pub(super) project: String,
    /// The environment file that is there.
    pub(super) env_file: Option<String>,
    /// What somebody wants to send requests to slots with.
    pub(super) router: Option<RouterWord>,
}

/// What is proposed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// The file.
    pub(super) text: String,
    /// What has to be changed before a release can be deployed, a line each.
    pub(super) to_do: Vec<String>,
}

/// A service with what becomes of it.
pub(super) type Guessed<'a> = (&'a Found, Guess);

/// The project as it is proposed to be deployed.
pub(super) struct Plan<'a> {
    pub(super) project: &'a Project,
    pub(super) about: &'a About,
    pub(super) services: Vec<Guessed<'a>>,
    pub(super) name: String,
}

/// Proposes a configuration.
pub(super) fn propose(project: &Project, about: &About) -> Proposal {
    let behind = project.services.iter().any(|found| found.service.proxy().is_some());
    let guess = |found| (found, Found::guess(found, behind));
    let services: Vec<Guessed<'_>> = project.services.iter().map(guess).collect();
    let name = project.name.clone().unwrap_or_else(|| about.folder.clone());
    let plan = Plan { project, about, services, name: as_name(&name) };
    let to_do = plan.to_do();
    Proposal { text: plan.text(&to_do), to_do }
}

impl Found {
    fn guess(&self, behind: bool) -> Guess {
        self.service.guess(behind)
    }
}

impl<'a> Plan<'a> {
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Guessed<'a>> {
        self.services.iter().filter(move |(_, guess)| guess.kind == kind)
    }

    /// The service that answers requests, or is the best guess.
    pub(super) fn front(&self) -> Option<&'a Found> {
        let rank = |found: &Found| {
            let name = &found.service.name;
            let known = FRONT.iter().position(|front| front == name).unwrap_or(FRONT.len());
            (found.service.ports.is_empty(), known)
        };
        self.of(Kind::Switched).map(|(found, _)| *found).min_by_key(|found| rank(found))
    }

    /// The port of the front in its container.
    pub(super) fn port(&self) -> Option<u16> {
        let service = &self.front()?.service;
        let asked = || port_of(service.health.as_deref()?);
        let published = service.ports.first().map(|(_, port)| *port);
        published.or_else(|| service.exposes.first().copied()).or_else(asked)
    }

    pub(super) fn proxy(&self) -> Option<(&'a Found, Proxy)> {
        self.services.iter().find_map(|(found, guess)| Some((*found, guess.proxy?)))
    }

    /// What can send requests to slots: it has to reach ports of the machine.
    pub(super) fn router(&self) -> Option<RouterWord> {
        self.port()?;
        let own = self.proxy().filter(|(found, _)| found.service.is_on_host);
        let own = own.and_then(|(_, proxy)| match proxy {
            Proxy::Nginx => Some(RouterWord::Nginx),
            Proxy::Haproxy => Some(RouterWord::Haproxy),
            Proxy::Other => None,
        });
        let publishing =
            self.of(Kind::Switched).filter(|(found, _)| !found.service.ports.is_empty()).count();
        self.about.router.or(own.filter(|_| publishing <= 1))
    }

    /// What has to be changed so that a release has images of its own.
    fn to_do(&self) -> Vec<String> {
        let released = self.services.iter().filter(|(_, guess)| guess.kind != Kind::Shared);
        let mut all: Vec<String> =
            released.filter_map(|(found, _)| image_of_release(found)).collect();
        if all.is_empty() && self.services.iter().all(|(_, guess)| guess.kind == Kind::Shared) {
            all.push(
                "no service looks like one of the release: move those that are yours from `shared` to \
                 `switch` or `restart`, and write `${WAVEOFF_VERSION}` into their images"
                    .into(),
            );
        }
        if self.router().is_none() && self.of(Kind::Switched).count() > 0 && self.port().is_none() {
            let name = self.front().map_or("", |front| front.service.name.as_str());
            all.push(format!("`port`: the Compose file does not tell the port of {name}"));
        }
        all
    }
}

/// What has to be written for a service to have an image of the release, if anything.
fn image_of_release(found: &Found) -> Option<String> {
    const OWN: &str = "${WAVEOFF_VERSION}";
    let (service, place) = (&found.service, &found.place);
    let name = &service.name;
    let Some(image) = &service.image else {
        return Some(format!(
            "{place}: {name} is built there, and a release is an image: build and push it before the \
             deployment, and add `image: registry.example.com/{name}:{OWN}`"
        ));
    };
    if image.contains("${WAVEOFF_VERSION") || image.contains("$WAVEOFF_VERSION") {
        return None;
    }
    let built = if service.is_built { ", and build and push it before the deployment" } else { "" };
    let wanted = format!("{}:{OWN}", without_tag(image));
    let now = if image.contains('$') {
        "does not know the release"
    } else {
        "is the same in every release"
    };
    Some(format!("{place}: `image: {image}` of {name} {now}: write `image: {wanted}`{built}"))
}

/// An image without its tag and its digest; variables in the rest stay.
fn without_tag(image: &str) -> &str {
    let plain = image.split('@').next().unwrap_or_default();
    let mut depth = 0_usize;
    let mut end = plain.len();
    for (at, c) in plain.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => end = plain.len(),
            ':' if depth == 0 => end = at,
            _ => {}
        }
    }
    &plain[..end]
}

fn port_of(url: &str) -> Option<u16> {
    let (scheme, behind) = url.split_once("://")?;
    let host = behind.split(['/', '?']).next()?;
    match host.rsplit_once(':') {
        Some((_, port)) => port.parse().ok(),
        None => Some(if scheme == "https" { 443 } else { 80 }),
    }
}
