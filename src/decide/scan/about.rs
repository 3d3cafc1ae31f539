//! Whether a report is about what would be deployed. Only a digest proves it: names move.

use super::Scan;
use crate::decide::image::reference::Reference;

/// An image that would be deployed, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name, without tag and digest.
    pub name: String,
    /// The digests by which a scanner may call it: of the index, of each platform's manifest and of
    /// its configuration, which is what an image has already before it is pushed.
    pub digests: Vec<String>,
    /// Whether these are all.
    pub is_whole: bool,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// One of the images.
    Deployed,
    /// Something else.
    Another,
    /// Files, and no image at all.
    Files,
    /// An image that is known by name only.
    Untold,
    /// An image, and not all digests of those that it may be are known.
    Unseen,
    /// An image, and none is known to be deployed.
    NoneKnown,
}

impl Scan {
    /// Whether it is about this image, for certain.
    pub fn is_of(&self, image: &Image) -> bool {
        let is_it = |told: &str| {
            image.digests.iter().any(|digest| {
                told.strip_suffix(&**digest)
                    .is_some_and(|name| name.is_empty() || name.ends_with('@'))
            })
        };
        self.told().any(is_it)
    }

    /// What it is about.
    pub fn about(&self, images: &[Image]) -> About {
        if !self.is_of_image {
            return About::Files;
        }
        if images.is_empty() {
            return About::NoneKnown;
        }
        if images.iter().any(|image| self.is_of(image)) {
            return About::Deployed;
        }
        let name = self.subject.as_deref().and_then(name);
        let may_be = |image: &&Image| name.as_ref().is_none_or(|name| *name == image.name);
        let candidates: Vec<&Image> = images.iter().filter(may_be).collect();
        let tells = self.told().next().is_some();
        if candidates.is_empty() || tells && candidates.iter().all(|image| image.is_whole) {
            return About::Another;
        }
        if tells { About::Unseen } else { About::Untold }
    }

    /// The digests that it tells, with or without a name before them.
    fn told(&self) -> impl Iterator<Item = &str> {
        let subject = self.subject.as_deref().filter(|name| name.contains("@sha256:"));
        self.digests.iter().map(String::as_str).chain(subject)
    }
}

/// The image that a report names. An archive has a name as well, and not the image's.
fn name(subject: &str) -> Option<String> {
    let is_archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| subject.ends_with(end));
    let image: Reference = (!is_archive).then(|| subject.parse().ok())??;
    Some(image.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const CONFIG: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const OTHER: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
    const SHOP: &str = "ghcr.io/acme/shop";

    fn image(name: &str, is_whole: bool) -> Image {
        let digests = if is_whole { vec![INDEX.into(), CONFIG.into()] } else { Vec::new() };
        Image { name: name.into(), digests, is_whole }
    }

    fn about(subject: &str, digests: &[&str], images: &[Image]) -> About {
        let digests = digests.iter().map(|digest| (*digest).to_owned()).collect();
        let subject = Some(subject.to_owned());
        Scan { subject, digests, is_of_image: true, ..Scan::default() }.about(images)
    }

    #[test]
    fn a_digest_proves_it_whatever_the_name() {
        let whole = [image(SHOP, true)];
        let at = |name: &str, digest: &str| format!("{name}@{digest}");
        for told in [INDEX, CONFIG, &at(SHOP, INDEX), &at("mirror/shop", INDEX)] {
            assert_eq!(about("shop.tar", &[OTHER, told], &whole), About::Deployed, "{told}");
        }
        assert_eq!(about(&at(SHOP, INDEX), &[], &whole), About::Deployed);
        for told in [OTHER, &at(SHOP, OTHER), &at(SHOP, &INDEX[..20]), &format!("x{INDEX}")] {
            assert_eq!(about(&format!("{SHOP}:v1"), &[told], &whole), About::Another, "{told}");
            assert_eq!(about("shop.tar", &[told], &whole), About::Another, "{told}");
        }
        assert_eq!(about(&at(SHOP, OTHER), &[], &whole), About::Another);
    }

    #[test]
    fn a_name_disproves_and_never_proves() {
        let whole = [image(SHOP, true)];
        assert_eq!(about("ghcr.io/acme/job:v1", &[], &whole), About::Another);
        assert_eq!(about(&format!("{SHOP}:v1"), &[], &whole), About::Untold);
        for unnamed in [".", "out/shop.tar", "shop.tar.gz"] {
            assert_eq!(about(unnamed, &[], &whole), About::Untold, "{unnamed}");
        }
        let nameless = Scan { is_of_image: true, ..Scan::default() };
        assert_eq!(nameless.about(&whole), About::Untold);
    }

    #[test]
    fn an_image_that_cannot_be_compared_is_not_told_apart() {
        let both = [image(SHOP, true), image("docker.io/library/db", false)];
        assert_eq!(about("db:17", &[OTHER], &both), About::Unseen);
        assert_eq!(about("db.tar", &[OTHER], &both), About::Unseen);
        assert_eq!(about(SHOP, &[OTHER], &both), About::Another);
        assert_eq!(about("cache:7", &[OTHER], &both), About::Another);
        assert_eq!(about(SHOP, &[INDEX], &[]), About::NoneKnown);
    }

    #[test]
    fn what_is_about_files_is_about_no_image() {
        let code = Scan::default();
        for images in [&[][..], &[image(SHOP, true)]] {
            assert_eq!(code.about(images), About::Files);
        }
        assert!(!code.is_of(&image(SHOP, true)));
    }
}
