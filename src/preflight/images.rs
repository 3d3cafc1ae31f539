//! Images in their registries: there, whole, and for every platform.

use std::sync::Arc;

use super::{Finding, Subject};
use crate::config::compose::RegistrySpec;
use crate::config::preflight::{Kind, PreflightSpec};
use crate::decide::image::logins::Login;
use crate::decide::image::manifest::{Blob, Manifest, is_for};
use crate::decide::image::reference::Reference;
use crate::decide::verdict::Verdict;
use crate::decide::words::count;
use crate::host::registry::{Registry, Stored, Trouble, find_login};
use crate::host::signals::Cancel;

/// Questions to a registry at the same time.
const AT_ONCE: usize = 8;
/// Platforms of one image that are looked at: nobody builds for more.
const MOST_PLATFORMS: usize = 100;
/// Blobs of one image that are looked at: a platform has 127 layers at most where it is run.
const MOST_BLOBS: usize = 1000;

/// An image that a release needs.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The image.
    pub image: Reference,
    /// Whether the machine has it already, and will not ask the registry.
    pub is_here: bool,
    /// The login for its registry, where the configuration has one.
    pub login: Option<RegistrySpec>,
}

/// An image that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// What was looked for.
    pub image: Reference,
    /// Whether the configuration has the login for its registry.
    pub(super) is_login_given: bool,
    /// What was found.
    pub found: Result<Found, Missing>,
}

/// An image that is there.
#[derive(Debug)]
pub struct Found {
    /// Its digest.
    pub digest: String,
    /// What it has, by platform.
    pub parts: Vec<Part>,
    /// Where.
    pub(super) registry: Arc<Registry>,
}

/// What an image is for one platform.
#[derive(Debug)]
pub struct Part {
    /// `linux/amd64`.
    pub platform: String,
    /// Its manifest's digest.
    pub digest: String,
    /// Its configuration and its layers.
    pub blobs: Vec<Blob>,
}

/// An image that is not there, not whole, or not to be found out about.
#[derive(Debug, Clone)]
pub enum Missing {
    /// This machine has it, and nobody has to be asked.
    OnlyHere,
    /// Why.
    Bad(Verdict, String, String),
}

#[cfg(test)]
impl Looked {
    /// What was not found.
    pub fn missing(image: Reference, missing: Missing) -> Self {
        Self { image, is_login_given: false, found: Err(missing) }
    }
}

impl Found {
    /// All digests by which it may be called: its own, and those of its platforms.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.digest).chain(self.parts.iter().map(|part| &*part.digest))
    }
}

/// Looks at images, all at the same time.
pub fn look(spec: &PreflightSpec, wanted: &[Wanted], cancel: &Cancel) -> Vec<Looked> {
    each(wanted, |one| {
        let given = [one.login.as_ref(), spec.registry.as_ref()].into_iter().flatten();
        let login = given.into_iter().find(|login| is_of(login, &one.image));
        let found = match one.is_here && one.image.digest.is_none() {
            true => Err(Missing::OnlyHere),
            // What is here by its digest is the same there, if the registry still has it.
            false => look_at(spec, &one.image, login, cancel)
                .map_err(|missing| if one.is_here { Missing::OnlyHere } else { missing }),
        };
        Looked { image: one.image.clone(), is_login_given: login.is_some(), found }
    })
}

fn look_at(
    spec: &PreflightSpec,
    image: &Reference,
    login: Option<&RegistrySpec>,
    cancel: &Cancel,
) -> Result<Found, Missing> {
    let unknown = |why: String, remedy: &str| Missing::Bad(Verdict::Error, why, remedy.into());
    let login = match login {
        Some(RegistrySpec { user, password, .. }) => {
            Some(Login::Basic { user: user.clone(), password: password.clone() })
        }
        None => find_login(&image.registry, cancel)
            .map_err(|why| unknown(why, "mend it, or log in again with `docker login`"))?,
    };
    let registry = Registry::of(&image.registry, spec.plain(), login, cancel)
        .map_err(|why| unknown(why, "mend the registry's certificate"))?;
    let stored = manifest(&registry, image, image)?;
    let read = |stored: &Stored| Manifest::read(&stored.bytes).map_err(damaged);
    let parts = match read(&stored)? {
        Manifest::Image(blobs) => {
            let platform = platform_of(&registry, image, &blobs)?;
            vec![Part { platform, digest: stored.digest.clone(), blobs }]
        }
        Manifest::Index(entries) => {
            bounded(entries.len(), MOST_PLATFORMS, "platform")?;
            let parts = each(&entries, |entry| {
                let by = image.by(&entry.manifest.digest);
                let stored = manifest(&registry, &by, image)?;
                let Manifest::Image(blobs) = read(&stored)? else {
                    return Err(damaged(format!("{} is a list in a list", entry.platform)));
                };
                let platform = entry.platform.clone();
                Ok(Part { platform, digest: stored.digest, blobs })
            });
            parts.into_iter().collect::<Result<_, _>>()?
        }
    };
    if parts.is_empty() {
        return Err(damaged("it names no platform".into()));
    }
    let blobs = distinct(&parts);
    bounded(blobs.len(), MOST_BLOBS, "blob")?;
    let all = each(&blobs, |blob| presence_of(&registry, image, blob));
    all.into_iter().collect::<Result<Vec<()>, Missing>>()?;
    Ok(Found { digest: stored.digest, parts, registry: Arc::new(registry) })
}

/// What the platforms are made of; what several of them have only once.
fn distinct(parts: &[Part]) -> Vec<&Blob> {
    let mut all: Vec<&Blob> = parts.iter().flat_map(|part| &part.blobs).collect();
    // One digest with two sizes are two: one of them is wrong.
    all.sort_by(|a, b| (&a.digest, a.size).cmp(&(&b.digest, b.size)));
    all.dedup();
    all
}

/// What is looked at has an end, whatever somebody wrote into a manifest.
fn bounded(found: usize, most: usize, noun: &str) -> Result<(), Missing> {
    if found <= most {
        return Ok(());
    }
    Err(damaged(format!("it names {}, and {most} are the most that may be", count(found, noun))))
}

/// Whether a login is for an image's registry, whatever Docker Hub is called there.
fn is_of(login: &RegistrySpec, image: &Reference) -> bool {
    let probe =
        format!("{}/x/y", login.server.trim_start_matches("https://").trim_end_matches('/'));
    probe.parse::<Reference>().is_ok_and(|server| server.registry == image.registry)
}

fn manifest(registry: &Registry, by: &Reference, image: &Reference) -> Result<Stored, Missing> {
    match registry.manifest(by) {
        Ok(Some(stored)) => Ok(stored),
        Ok(None) if by == image => Err(Missing::Bad(
            Verdict::Fail,
            format!("{} has no such image", image.registry),
            format!("push {image}, or name the version or digest that was pushed"),
        )),
        Ok(None) => Err(damaged(format!("it names {}, which is not there", by.wanted()))),
        Err(trouble) => Err(Missing::of(trouble)),
    }
}

fn presence_of(registry: &Registry, image: &Reference, blob: &Blob) -> Result<(), Missing> {
    match registry.has(image, blob).map_err(Missing::of)? {
        Some(Some(size)) if size != blob.size => {
            Err(damaged(format!("{} should have {} bytes, and has {size}", blob.digest, blob.size)))
        }
        Some(_) => Ok(()),
        None => Err(damaged(format!("it is made of {}, which is not there", blob.digest))),
    }
}

/// The platform of an image that is in no list: its configuration has it.
fn platform_of(registry: &Registry, image: &Reference, blobs: &[Blob]) -> Result<String, Missing> {
    let config = blobs.first().ok_or_else(|| damaged("it has no configuration".into()))?;
    let bytes = registry.read(image, config).map_err(Missing::of)?;
    let bytes = bytes.ok_or_else(|| damaged(format!("{} is not there", config.digest)))?;
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| damaged(format!("its configuration is no JSON: {error}")))?;
    let word = |key: &str| value[key].as_str().unwrap_or("unknown").to_owned();
    let variant = value["variant"].as_str().filter(|variant| !variant.is_empty());
    let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    Ok(format!("{}/{}{variant}", word("os"), word("architecture")))
}

fn damaged(why: String) -> Missing {
    let remedy = "the image is damaged: build and push it again";
    Missing::Bad(Verdict::Fail, why, remedy.into())
}

impl Missing {
    fn of(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Damaged(why) => damaged(why),
            Trouble::Refused(why) => {
                let remedy = "log in with `docker login`, or write `preflight.registry` with server, \
                              user and password";
                Self::Bad(Verdict::Error, why, remedy.into())
            }
            Trouble::Silent(why) => {
                let remedy = "is the registry reachable from here? try again when it is";
                Self::Bad(Verdict::Error, why, remedy.into())
            }
        }
    }
}

/// Each image is there with all that it is made of.
pub(super) fn presence(subject: &Subject<'_>) -> Vec<Finding> {
    let one = |looked: &Looked| {
        let about = looked.image.to_string();
        match &looked.found {
            Ok(found) => {
                let blobs = found.parts.iter().map(|part| part.blobs.len()).sum();
                let platforms: Vec<&str> = found.parts.iter().map(|part| &*part.platform).collect();
                let is_named = looked.image.digest.is_some();
                let digest = if is_named { String::new() } else { format!("{}, ", found.digest) };
                let text = format!("{digest}{}, {}", platforms.join(", "), count(blobs, "blob"));
                Finding::pass(Kind::Image, about, text)
            }
            Err(Missing::OnlyHere) => {
                Finding::pass(Kind::Image, about, "this machine has it already")
            }
            Err(Missing::Bad(verdict, why, remedy)) => {
                Finding::bad(Kind::Image, about, *verdict, why, remedy)
            }
        }
    };
    subject.images.iter().map(one).collect()
}

/// Each image has every platform that was asked for.
pub(super) fn platforms(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(wanted) = &subject.spec.platforms else { return Vec::new() };
    subject.of_images(Kind::Platforms, |about, _, found| {
        let has = |platform: &&String| found.parts.iter().any(|p| is_for(&p.platform, platform));
        let missing: Vec<&String> = wanted.0.iter().filter(|one| !has(one)).collect();
        let join =
            |list: &[&String]| list.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
        if missing.is_empty() {
            let all: Vec<&String> = wanted.0.iter().collect();
            return Finding::pass(Kind::Platforms, about, join(&all));
        }
        let there: Vec<&String> = found.parts.iter().map(|part| &part.platform).collect();
        let reason = format!("it is not for {}; it is for {}", join(&missing), join(&there));
        let remedy = "build it for them as well, and merge all into one index";
        Finding::bad(Kind::Platforms, about, Verdict::Fail, reason, remedy)
    })
}

/// The layers are what their digests say.
pub(super) fn blobs(subject: &Subject<'_>) -> Vec<Finding> {
    if subject.spec.blobs != Some(true) {
        return Vec::new();
    }
    subject.of_images(Kind::Blobs, |about, image, found| {
        let all = distinct(&found.parts);
        let bytes = all.iter().fold(0_u64, |sum, blob| sum.saturating_add(blob.size));
        let read = each(&all, |blob| match found.registry.read_through(image, blob) {
            Ok(true) => Ok(()),
            Ok(false) => Err(damaged(format!("{} is not there", blob.digest))),
            Err(trouble) => Err(Missing::of(trouble)),
        });
        match read.into_iter().collect::<Result<Vec<()>, Missing>>() {
            Ok(_) => {
                let text =
                    format!("{} read, {} MB, whole", count(all.len(), "blob"), bytes / 1_000_000);
                Finding::pass(Kind::Blobs, about, text)
            }
            Err(Missing::Bad(verdict, why, remedy)) => {
                Finding::bad(Kind::Blobs, about, verdict, why, remedy)
            }
            Err(Missing::OnlyHere) => subject.unseen(Kind::Blobs, image),
        }
    })
}

impl Subject<'_> {
    /// Looks at each image that is there. One that is not is not passed over: what cannot be looked
    /// at is no pass.
    pub(super) fn of_images(
        &self,
        kind: Kind,
        look: impl Fn(String, &Reference, &Found) -> Finding + Sync,
    ) -> Vec<Finding> {
        // What others built, others sign and tag.
        let all = matches!(kind, Kind::Platforms | Kind::Blobs);
        let looked: Vec<&Looked> =
            self.images.iter().filter(|one| all || self.is_own(one)).collect();
        if looked.is_empty() {
            let reason = "no image of the release is known here";
            let remedy = "name them under `preflight.images`, or by --digest repository@sha256:…; are they `own`?";
            return vec![Finding::bad(kind, "", Verdict::Inconclusive, reason, remedy)];
        }
        each(&looked, |looked| match &looked.found {
            Ok(found) => look(looked.image.name(), &looked.image, found),
            Err(_) => self.unseen(kind, &looked.image),
        })
    }

    pub(super) fn is_own(&self, looked: &Looked) -> bool {
        self.spec.is_own(&looked.image.name())
    }

    fn unseen(&self, kind: Kind, image: &Reference) -> Finding {
        let is_here = |looked: &Looked| {
            looked.image == *image && matches!(looked.found, Err(Missing::OnlyHere))
        };
        let (reason, remedy) = match self.images.iter().any(is_here) {
            true => (
                "this machine has it, and no registry was asked",
                "name it under `preflight.images` with the registry that it came from",
            ),
            false => ("not looked at, since the image was not found", "see `image`"),
        };
        Finding::bad(kind, image.name(), Verdict::Inconclusive, reason, remedy)
    }
}

/// Does something with each, some of them at the same time, and keeps their order.
pub(super) fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let work = &work;
    let chunks = all.chunks(AT_ONCE).map(|chunk| {
        std::thread::scope(|scope| {
            let begun: Vec<_> = chunk.iter().map(|one| scope.spawn(move || work(one))).collect();
            let ended = begun.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            ended.collect::<Vec<R>>()
        })
    });
    chunks.flatten().collect()
}
