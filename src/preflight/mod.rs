//! What must be in place before a release is deployed: its images, who signed them, what scanners
//! found, what people said. All that is missing is told at once, each with its remedy. What the
//! machine itself must have is looked at in `commands::preflight`, beside the other verbs.

mod finding;
mod images;
mod people;
mod scans;
mod signed;
mod tagged;
mod variables;

use std::time::Duration;

pub use finding::Finding;
pub use images::{Looked, Missing, Wanted, look};
pub use tagged::variables;

use crate::config::preflight::{Kind, PreflightSpec};
use crate::decide::history::Release;
use crate::decide::image::reference::Reference;
use crate::decide::verdict::Severity;
use crate::host::clock::Moment;
use crate::host::registry;
use crate::host::signals::Cancel;
use crate::report::v1;

/// A release with what is known of it where `waveoff` was started.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What is wanted.
    pub spec: &'a PreflightSpec,
    /// The release.
    pub release: &'a Release,
    /// Its images, looked at.
    pub images: Vec<Looked>,
    /// Who said what: `review`, and by whom.
    pub sign_offs: Vec<(String, String)>,
    /// Scanners' reports.
    pub reports: Vec<String>,
    /// Ends what takes long.
    pub cancel: Cancel,
    /// Whether only what a registry tells is looked at.
    pub only_registries: bool,
}

type Look = fn(&Subject<'_>) -> Vec<Finding>;

/// How many of the kinds ask nobody but registries.
const OF_REGISTRIES: usize = 3;

/// What is looked at, in the order of the report. A kind that nobody asked for finds nothing.
const KINDS: [Look; 9] = [
    images::presence,
    images::platforms,
    images::blobs,
    // From here on it is for whoever has the commit, the keys and the reports.
    tagged::commit,
    signed::signature,
    signed::provenance,
    scans::under_the_bar,
    variables::set,
    people::said,
];

impl<'a> Subject<'a> {
    /// Whether an image's registry is asked without TLS.
    fn is_plain(&self, image: &Reference) -> bool {
        registry::is_plain(&image.registry, self.spec.plain())
    }

    /// Images alone, on behalf of somebody who looks at the rest.
    pub fn of_images_alone(
        spec: &'a PreflightSpec,
        release: &'a Release,
        images: Vec<Looked>,
        cancel: Cancel,
    ) -> Self {
        let (sign_offs, reports) = (Vec::new(), Vec::new());
        Self { spec, release, images, sign_offs, reports, cancel, only_registries: true }
    }

    /// Looks at everything, all kinds at the same time.
    pub fn look(&self) -> Vec<v1::Check> {
        let started = Moment::now();
        std::thread::scope(|scope| {
            let begin = |kind: &Look| {
                let kind = *kind;
                scope.spawn(move || {
                    let (began, found) = (started.elapsed(), kind(self));
                    let took = started.elapsed().saturating_sub(began);
                    found.into_iter().map(|found| publish(self.spec, found, took)).collect()
                })
            };
            let kinds = if self.only_registries { &KINDS[..OF_REGISTRIES] } else { &KINDS[..] };
            let all: Vec<_> = kinds.iter().map(begin).collect();
            let all = all.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| {
                    // A defect of ours is told as one, and is no finding that is missing.
                    std::panic::resume_unwind(panic)
                })
            });
            all.collect::<Vec<Vec<v1::Check>>>().concat()
        })
    }
}

/// A finding as it is published, with the severity that the configuration gives its kind.
pub fn publish(spec: &PreflightSpec, found: Finding, took: Duration) -> v1::Check {
    let given = spec.severity.as_ref().and_then(|all| all.get(&found.kind)).copied();
    let usual = match found.kind {
        Kind::Incident => Severity::Warning,
        _ => found.severity,
    };
    found.publish(given.unwrap_or(usual), took)
}
