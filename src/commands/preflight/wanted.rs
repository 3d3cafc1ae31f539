//! What is to be looked at: the images of the configuration, of the flags and of the platform.

use std::collections::BTreeMap;

use crate::config::preflight::PreflightSpec;
use crate::decide::history::Release;
use crate::decide::image::manifest::is_digest;
use crate::decide::image::reference::{Reference, is_tag};
use crate::decide::template::Template;
use crate::exit::Fault;
use crate::preflight::{Looked, Missing, Wanted, variables};

/// Characters of a name that vouches.
const NAME: usize = 100;

/// The images of a release; each once.
pub(super) fn images(
    spec: &PreflightSpec,
    release: &Release,
    also: Vec<Wanted>,
) -> Result<Vec<Wanted>, Fault> {
    let known = variables(release);
    let named = spec.images.iter().flat_map(|list| &list.0);
    let named = named.map(|text| named_image(text, release, &known));
    let mut images: Vec<Reference> = named.collect::<Result<_, _>>()?;
    let single = images.len() == 1;
    for digest in &release.digests {
        if is_digest(digest) {
            // Of one image it is clear whose it is; else it may be an archive's.
            images.iter_mut().filter(|_| single).for_each(|image| *image = image.by(digest));
            continue;
        }
        let Ok(given) = digest.parse::<Reference>() else { continue };
        let Some(by) = &given.digest else { continue };
        match images.iter_mut().find(|image| image.name() == given.name()) {
            Some(image) => *image = image.by(by),
            // A name without a folder may be that of a component.
            None if digest.contains('/') => images.push(given.by(by)),
            None => {}
        }
    }
    let own = images.into_iter().map(|image| Wanted { image, is_here: false, login: None });
    let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut order = Vec::new();
    for wanted in own.chain(also) {
        let name = wanted.image.to_string();
        match all.get_mut(&name) {
            // What one knows to be here, another one may have to fetch.
            Some(first) => {
                first.login = first.login.take().or(wanted.login);
                first.is_here &= wanted.is_here;
            }
            None => {
                order.push(name.clone());
                all.insert(name, wanted);
            }
        }
    }
    Ok(order.iter().filter_map(|name| all.remove(name)).collect())
}

/// One of the configuration: with the version's tag, where it has none.
fn named_image(
    text: &str,
    release: &Release,
    known: &BTreeMap<String, String>,
) -> Result<Reference, Fault> {
    let wrong = |why: String| {
        Fault::usage(format!("preflight.images: {why}"))
            .hint("write it like ghcr.io/acme/shop, or ghcr.io/acme/shop:sha-{{sha}}")
    };
    let filled =
        Template::new(text).render(known).map_err(|why| wrong(format!("{text}: {why}")))?;
    let image: Reference = filled.parse().map_err(wrong)?;
    if image.tag.is_some() || image.digest.is_some() {
        return Ok(image);
    }
    match is_tag(&release.version) {
        true => Ok(image.tagged(&release.version)),
        false => Err(wrong(format!("{text}: the version {:?} is no tag", release.version))),
    }
}

/// An image with what became of it, for another machine: its digest, `here` or `missing`.
pub(super) fn line(looked: &Looked) -> String {
    let state = match &looked.found {
        Ok(found) => &found.digest,
        Err(Missing::OnlyHere) => "here",
        Err(Missing::Bad(..)) => "missing",
    };
    format!("{} {state}", looked.image)
}

/// Images that another machine has told so.
pub(super) fn told(text: &str) -> Vec<Wanted> {
    let read = |line: &str| {
        let (image, state) = line.rsplit_once(' ')?;
        let image: Reference = image.parse().ok()?;
        let image = if is_digest(state) { image.by(state) } else { image };
        Some(Wanted { image, is_here: state == "here", login: None })
    };
    text.lines().filter_map(read).collect()
}

/// Looks whether the images that were made ready are those that were looked at before: a tag may
/// have moved meanwhile, and nobody has looked at what it leads to now.
pub(in crate::commands) fn refuse_moved(
    looked_at: &[String],
    ready: &[String],
) -> Result<(), Fault> {
    let read = |all: &[String]| -> Vec<Reference> {
        all.iter().filter_map(|text| text.parse().ok()).collect()
    };
    let ready = read(ready);
    for seen in read(looked_at) {
        let same: Vec<&Reference> =
            ready.iter().filter(|image| image.name() == seen.name()).collect();
        if !same.is_empty() && !same.iter().any(|image| image.digest == seen.digest) {
            let now = same.first().map(ToString::to_string).unwrap_or_default();
            let text = format!("preflight looked at {seen}, and {now} is what would be deployed");
            return Err(Fault::error(text)
                .hint("somebody moved the tag meanwhile: look who, then deploy by --digest"));
        }
    }
    Ok(())
}

/// Who vouches for what.
pub(super) fn sign_offs(
    spec: &PreflightSpec,
    given: &[String],
) -> Result<Vec<(String, String)>, Fault> {
    let known: Vec<&str> =
        spec.sign_offs.iter().flat_map(|list| &list.0).map(String::as_str).collect();
    let read = |text: &String| {
        let wrong = |why: &str| Fault::usage(format!("--sign-off {text:?}: {why}"));
        let (name, who) = text
            .split_once('=')
            .ok_or_else(|| wrong("there is no name").hint("write it like review=anna"))?;
        let (name, who) = (name.trim(), who.trim());
        if who.is_empty() || who.chars().count() > NAME || who.chars().any(char::is_control) {
            return Err(wrong("it does not say who").hint("write it like review=anna"));
        }
        if !known.contains(&name) {
            let hint = match known.is_empty() {
                true => "`preflight.sign-offs` names none".to_owned(),
                false => format!("`preflight.sign-offs` names {}", known.join(", ")),
            };
            return Err(wrong(&format!("nobody asks for {name:?}")).hint(hint));
        }
        Ok((name.to_owned(), who.to_owned()))
    };
    given.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::NonEmpty;
    use crate::decide::verdict::Verdict;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn found(images: &[&str], digests: &[&str], also: &[&str]) -> Result<Vec<String>, String> {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let spec = PreflightSpec {
            images: (!images.is_empty()).then(|| NonEmpty(texts(images))),
            ..PreflightSpec::default()
        };
        let sha = Some("0123456789abcdef".to_owned());
        let release = Release { version: "v1".into(), sha, digests: texts(digests) };
        let also: Vec<String> = also.iter().map(|image| format!("{image} missing")).collect();
        let also = told(&also.join("\n"));
        let all = super::images(&spec, &release, also).map_err(|fault| fault.to_string())?;
        Ok(all.into_iter().map(|one| one.image.to_string()).collect())
    }

    #[test]
    fn d2_images_have_the_versions_tag_or_the_digest_that_is_deployed() {
        let by = |name: &str, digest: &str| format!("{name}@{digest}");
        let shop = by("ghcr.io/acme/shop", A);
        assert_eq!(found(&["ghcr.io/acme/shop"], &[], &[]).unwrap(), ["ghcr.io/acme/shop:v1"]);
        let short = "ghcr.io/acme/shop:{{short-sha}}";
        assert_eq!(found(&[short], &[], &[]).unwrap(), ["ghcr.io/acme/shop:0123456"]);
        assert_eq!(found(&["ghcr.io/acme/shop"], &[A], &[]).unwrap(), std::slice::from_ref(&shop));
        assert_eq!(
            found(&["ghcr.io/acme/shop"], &[&shop], &[]).unwrap(),
            std::slice::from_ref(&shop)
        );
        assert_eq!(
            found(&[], &[&shop], &[&shop]).unwrap(),
            std::slice::from_ref(&shop),
            "each once"
        );
        let both = found(&["ghcr.io/acme/shop"], &[&shop, &by("ghcr.io/acme/job", B)], &[]);
        assert_eq!(both.unwrap(), [shop, by("ghcr.io/acme/job", B)]);
    }

    #[test]
    fn d2_what_is_no_image_is_not_taken_for_one() {
        assert_eq!(
            found(&[], &[A, "backend@sha256:12", &format!("backend@{A}")], &[]).unwrap(),
            [""; 0]
        );
        let two = found(&["ghcr.io/a/b", "ghcr.io/a/c"], &[A], &[]).unwrap();
        assert_eq!(two, ["ghcr.io/a/b:v1", "ghcr.io/a/c:v1"], "whose it is nobody knows");
        for wrong in ["Ghcr.io/A", "ghcr.io/a:{{nothing}}", "a b"] {
            assert!(found(&[wrong], &[], &[]).unwrap_err().contains("preflight.images"), "{wrong}");
        }
    }

    #[test]
    fn d2_what_one_machine_has_another_one_may_have_to_fetch() {
        let all = |lines: &[&str]| {
            let (spec, release) = (PreflightSpec::default(), Release::default());
            let all = super::images(&spec, &release, told(&lines.join("\n"))).unwrap();
            let show = |one: &Wanted| format!("{} {}", one.image, one.is_here);
            all.iter().map(show).collect::<Vec<_>>()
        };
        let (web, by) = ("ghcr.io/acme/web:v2", format!("ghcr.io/acme/web:v2 {A}"));
        assert_eq!(all(&["ghcr.io/acme/web:v2 here"]), [format!("{web} true")]);
        let both = ["ghcr.io/acme/web:v2 here", "ghcr.io/acme/web:v2 missing"];
        assert_eq!(all(&both), [format!("{web} false")]);
        assert_eq!(all(&[&by]), [format!("ghcr.io/acme/web@{A} false")]);
        assert!(all(&["", "here", "a b here"]).is_empty());
    }

    #[test]
    fn d2_what_is_told_of_an_image_is_what_became_of_it() {
        let bad = Missing::Bad(Verdict::Fail, "gone".into(), "push it".into());
        for (missing, state) in [(Missing::OnlyHere, "here"), (bad, "missing")] {
            let looked = Looked::missing("ghcr.io/acme/web:v2".parse().unwrap(), missing);
            assert_eq!(line(&looked), format!("ghcr.io/acme/web:v2 {state}"));
            let [back] = &*told(&line(&looked)) else { panic!("one line is one image") };
            assert_eq!((&back.image, back.is_here), (&looked.image, state == "here"));
        }
    }

    #[test]
    fn d2_a_tag_that_moved_meanwhile_is_not_deployed() {
        let moved = |seen: &str, ready: &[&str]| {
            let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
            refuse_moved(&texts(&[seen]), &texts(ready)).is_err()
        };
        let by = |name: &str, digest: &str| format!("{name}@{digest}");
        let (shop, other) = (by("ghcr.io/acme/shop", A), by("ghcr.io/acme/shop", B));
        assert!(!moved(&shop, &[&shop]));
        assert!(moved(&shop, &[&other]));
        assert!(!moved(&shop, &[&other, &shop]), "one image may have several digests");
        assert!(
            !moved(&shop, &[&by("ghcr.io/acme/job", B), "compose@sha256:12"]),
            "of another one"
        );
        assert!(moved(&by("docker.io/library/shop", A), &[&by("shop", B)]), "however it is called");
    }

    #[test]
    fn d2_people_vouch_by_name_and_for_what_was_asked() {
        let spec = PreflightSpec {
            sign_offs: Some(NonEmpty(vec!["review".into()])),
            ..PreflightSpec::default()
        };
        let read = |text: &str| sign_offs(&spec, &[text.to_owned()]).map_err(|f| f.to_string());
        assert_eq!(read("review=Anna B").unwrap(), [("review".to_owned(), "Anna B".to_owned())]);
        for wrong in ["review", "review=", "review= ", "told=anna", "review=a\nb"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
