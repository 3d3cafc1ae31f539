//! The name of an image, as Docker and Podman read it: `registry/repository:tag@digest`
//! (github.com/distribution/reference).

use std::fmt;
use std::str::FromStr;

use super::manifest::is_digest;

/// The registry of names that have none.
pub const DOCKER_HUB: &str = "docker.io";
/// The tag of names that have none.
const LATEST: &str = "latest";

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The registry: `ghcr.io`, `localhost:5000`.
    pub registry: String,
    /// The repository in it: `acme/shop`.
    pub repository: String,
    /// The tag, where one is named.
    pub tag: Option<String>,
    /// The digest, where one is named: `sha256:…`.
    pub digest: Option<String>,
}

impl Reference {
    /// The repository with its registry.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// What a registry is asked for: the digest, or else the tag.
    pub fn wanted(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or(LATEST)
    }

    /// The same image by a digest, and by nothing else.
    #[must_use]
    pub fn by(&self, digest: &str) -> Self {
        Self { tag: None, digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// Another tag of the same repository.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no image: {why}");
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(wrong("behind @ stands sha256: and 64 hexadecimal digits")),
            None => (text, None),
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            // What stands before a path is a port.
            Some((rest, tag)) if !tag.contains('/') => (rest, Some(tag.to_owned())),
            _ => (rest, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag has letters, digits, _ . and -, 128 at most"));
        }
        let is_registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (registry, repository) = match rest.split_once('/') {
            Some((first, repository)) if is_registry(first) => (hub(first), repository.to_owned()),
            _ => (DOCKER_HUB, rest.to_owned()),
        };
        let repository = match registry == DOCKER_HUB && !repository.contains('/') {
            true => format!("library/{repository}"),
            false => repository,
        };
        let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if !registry.chars().all(host) || registry.starts_with('-') {
            return Err(wrong("it does not begin with the name of a registry"));
        }
        if !repository.split('/').all(is_component) || repository.len() > 255 {
            return Err(wrong("a repository has lower-case letters, digits, . _ - and /"));
        }
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

/// Docker Hub has three names.
fn hub(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    }
}

fn is_component(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || "._-".contains(c))
        && !text.contains("..")
}

/// Whether a text can be a tag.
pub fn is_tag(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(first)
        && text.len() <= 128
        && text.chars().all(|c| first(c) || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, registry, repository, tag) in [
            ("shop", "docker.io", "library/shop", None),
            ("shop:v1", "docker.io", "library/shop", Some("v1")),
            ("acme/shop", "docker.io", "acme/shop", None),
            ("index.docker.io/acme/shop", "docker.io", "acme/shop", None),
            ("ghcr.io/acme/shop:v1.2_3", "ghcr.io", "acme/shop", Some("v1.2_3")),
            ("localhost/shop", "localhost", "shop", None),
            ("127.0.0.1:5000/shop", "127.0.0.1:5000", "shop", None),
            ("[::1]:5000/a/b/c:x", "[::1]:5000", "a/b/c", Some("x")),
        ] {
            let found = read(text);
            let found = (&*found.registry, &*found.repository, found.tag.as_deref());
            assert_eq!(found, (registry, repository, tag), "{text}");
        }
        let both = read(&format!("ghcr.io/acme/shop:v1@{DIGEST}"));
        assert_eq!((both.tag.as_deref(), both.digest.as_deref()), (Some("v1"), Some(DIGEST)));
        assert_eq!(both.wanted(), DIGEST);
        assert_eq!(both.to_string(), format!("ghcr.io/acme/shop:v1@{DIGEST}"));
        assert_eq!(read("shop").wanted(), "latest");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "Shop",
            "a b",
            "ghcr.io/",
            "/shop",
            "shop:",
            "shop@sha256:12",
            "shop@md5:00",
            "a//b",
            "ghcr.io/acme/shop:-x",
            "--help",
            "ghcr.io/../shop",
            "shop\n",
            "ghcr.io/acme/$(id)",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_reads_again(text in "[a-z]{1,8}(\\.[a-z]{2,3}(:[0-9]{2,4})?)?/[a-z0-9]{1,9}(:[A-Za-z0-9_.]{1,9})?") {
            if let Ok(once) = text.parse::<Reference>() {
                prop_assert_eq!(once.to_string().parse::<Reference>().unwrap(), once);
            }
        }
    }
}
