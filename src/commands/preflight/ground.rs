//! What the machine itself must have: what the platform starts, a free lock, room, a way back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checks::{self, Surroundings};
use crate::commands::Session;
use crate::commands::site::Site;
use crate::config::preflight::{Kind, PreflightSpec, Size};
use crate::config::{CheckSpec, Place};
use crate::decide::history::Release;
use crate::decide::naming::Version;
use crate::decide::plan::Direction;
use crate::decide::verdict::Verdict;
use crate::deploy::{activity, critical, fleet};
use crate::exit::{Exit, classify};
use crate::host::clock::Moment;
use crate::host::{files, folders};
use crate::platforms::Order;
use crate::preflight::{Finding, Missing, Subject, Wanted, look, publish};
use crate::report::v1::Check;

/// What must be free on each disk, where nobody says it.
const ROOM: Size = Size(1_000_000_000);

/// What helps when something that is needed does not answer.
const REMEDY: &str = "bring it back first: the release would not be well without it";

/// What it is looked at for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::commands) enum Purpose {
    /// To tell people.
    #[default]
    Alone,
    /// To deploy: who deploys waits in line, and finishes what was interrupted, by itself.
    Deploy,
    /// To deploy by force, though the way back is missing.
    Force,
}

impl Purpose {
    pub(super) fn of_deployment(force: bool) -> Self {
        if force { Self::Force } else { Self::Deploy }
    }
}

/// A release, and where it would be deployed.
pub(super) struct Ground<'a> {
    pub(super) session: &'a Session,
    pub(super) site: &'a Site,
    pub(super) spec: &'a PreflightSpec,
    pub(super) release: &'a Release,
    pub(super) purpose: Purpose,
}

type Look = fn(&Ground<'_>) -> Vec<Finding>;

/// What is looked at, in the order of the report.
const KINDS: [Look; 5] = [
    |ground| ground.files(),
    |ground| ground.lock(),
    |ground| ground.incident(),
    |ground| ground.rollback_target(),
    |ground| ground.room(),
];

impl<'a> Ground<'a> {
    /// Whether what the platform starts is there; and the images that it would fetch.
    pub(super) fn artifacts(&self) -> (Vec<Check>, Vec<Wanted>) {
        let began = Moment::now();
        let startable = self.site.startable(self.release);
        let order = Order { release: self.release, previous: None, direction: Direction::Forward };
        let images = startable.and_then(|()| self.images(&order));
        let (finding, images) = match images {
            Ok(images) => (Finding::pass(Kind::Artifacts, "", "what is started is there"), images),
            Err(error) => (missing(Kind::Artifacts, "", &error), Vec::new()),
        };
        (vec![publish(self.spec, finding, began.elapsed())], images)
    }

    /// The images of all components; in whichever slot, they are the same.
    fn images(&self, order: &Order<'_>) -> anyhow::Result<Vec<Wanted>> {
        let mut all: Vec<Wanted> = Vec::new();
        for trace in self.site.parts.traces() {
            let found = trace.platform.images(order);
            let found = found.map_err(|trouble| anyhow::anyhow!(trouble.reason))?;
            let known = |one: &Wanted| all.iter().any(|other| other.image == one.image);
            let new: Vec<Wanted> = found.into_iter().filter(|one| !known(one)).collect();
            all.extend(new);
        }
        Ok(all)
    }

    /// The images that this machine would fetch; of the rest, whoever asked for this sees to it.
    pub(super) fn images_only(&self, wanted: Vec<Wanted>) -> Subject<'a> {
        if let Some(registry) = &self.spec.registry {
            self.session.hide(registry.password.expose());
        }
        let images = look(self.spec, &wanted, &self.session.cancel);
        Subject::of_images_alone(self.spec, self.release, images, self.session.cancel.clone())
    }

    /// Everything else.
    pub(super) fn look(&self) -> anyhow::Result<Vec<Check>> {
        let mut all = self.dependencies()?;
        for kind in KINDS {
            let began = Moment::now();
            let found = kind(self);
            let took = began.elapsed();
            all.extend(found.into_iter().map(|one| publish(self.spec, one, took)));
        }
        Ok(all)
    }

    /// What the release needs answers.
    fn dependencies(&self) -> anyhow::Result<Vec<Check>> {
        let Some(list) = &self.spec.dependencies else { return Ok(Vec::new()) };
        let place = |index| {
            let file = format!("{}: preflight.dependencies[{index}]", self.site.loaded.file);
            Place { file, line: 0 }
        };
        let beside = |spec: &CheckSpec| checks::beside(&self.site.loaded, spec.clone());
        let specs = list.0.iter().enumerate().map(|(index, spec)| (place(index), beside(spec)));
        let surroundings = Surroundings {
            base_url: self.site.loaded.config.public.clone(),
            ..Surroundings::default()
        };
        let checks = checks::build(&specs.collect::<Vec<_>>(), &surroundings)?;
        let checks: Vec<Arc<checks::Check>> = checks.into_iter().map(Arc::new).collect();
        let ran = checks::run(&checks, None, None, checks::Purpose::Smoke, self.session);
        let given = self.spec.severity.as_ref().and_then(|all| all.get(&Kind::Dependencies));
        let named = ran.checks.into_iter().map(|check| Check {
            name: format!("{}: {}", Kind::Dependencies.name(), check.name),
            severity: given.copied().unwrap_or(check.severity),
            remedy: (!check.verdict.is_pass()).then(|| REMEDY.to_owned()),
            ..check
        });
        Ok(named.collect())
    }

    fn files(&self) -> Vec<Finding> {
        let names = self.spec.files.iter().flat_map(|list| &list.0);
        let one = |name: &String| match files::open_regular(name) {
            Ok((_, 0)) => {
                let remedy = format!("fill {name} on the machine that is deployed to");
                Finding::bad(Kind::Files, name, Verdict::Fail, "is empty", remedy)
            }
            Ok(_) => Finding::pass(Kind::Files, name, "is there"),
            Err(error) => {
                let remedy =
                    format!("put {name} on the machine that is deployed to, readable for us");
                let reason = format!("cannot be read: {error}");
                Finding::bad(Kind::Files, name, Verdict::Fail, reason, remedy)
            }
        };
        names.map(one).collect()
    }

    /// Nobody else is at it, and nothing waits to be finished.
    fn lock(&self) -> Vec<Finding> {
        if self.purpose != Purpose::Alone {
            return Vec::new();
        }
        let (scope, state) = (&self.site.scope, &self.site.state);
        let bad = |verdict, reason: String, remedy: &str| {
            vec![Finding::bad(Kind::Lock, "", verdict, reason, remedy)]
        };
        let activity = activity::look(scope, state);
        let damaged = activity.damaged.iter().chain(activity.owner.as_ref().err());
        if let Some(why) = damaged.into_iter().next() {
            return bad(Verdict::Error, why.clone(), "see `waveoff status`");
        }
        if let Ok(Some(owner)) = &activity.owner {
            let reason = format!("the run {} of {} is on its way", owner.run, owner.by);
            return bad(Verdict::Fail, reason, "wait for it: `waveoff attach`, `waveoff status`");
        }
        if let Some(open) = activity.interrupted.first() {
            let reason = format!("the run {} was interrupted at {}", open.run, open.progress);
            return bad(Verdict::Fail, reason, "`waveoff recover` finishes it: all old or all new");
        }
        match fleet::kept(scope, state).map(|kept| kept.open) {
            Ok(None) => vec![Finding::pass(Kind::Lock, "", "nobody is deploying")],
            Ok(Some(mark)) => {
                let reason = format!("the deployment of {} is not over on all hosts", mark.version);
                bad(Verdict::Fail, reason, "`waveoff recover` finishes it on all of them")
            }
            Err(why) => bad(Verdict::Error, why, "see `waveoff status`"),
        }
    }

    /// A person who is needed may know why nothing should be deployed; what is deployed may be the mend.
    fn incident(&self) -> Vec<Finding> {
        let remedy = "look at what runs; `waveoff status` says more";
        match critical::read(&self.site.scope, &self.site.state) {
            Ok(None) => Vec::new(),
            Ok(Some(incident)) => {
                let reason = incident.to_string();
                vec![Finding::bad(Kind::Incident, "", Verdict::Fail, reason, remedy)]
            }
            Err(why) => vec![Finding::bad(Kind::Incident, "", Verdict::Error, why, remedy)],
        }
    }

    /// There is a release to go back to, and all that it needs can be had.
    fn rollback_target(&self) -> Vec<Finding> {
        const KIND: Kind = Kind::RollbackTarget;
        let history = match self.site.history() {
            Ok(history) => history,
            Err(error) => return vec![missing(KIND, "", &error)],
        };
        let Some(target) = history.target(self.release) else {
            let reason = "no release was verified yet: if this one fails, nothing can come back";
            let remedy = "nothing, for the first deployment; else verify what runs, and record it \
                          with `waveoff deploy --confirm`";
            let none = Finding::bad(KIND, "", Verdict::Inconclusive, reason, remedy);
            return vec![none.warning()];
        };
        vec![match self.startable_again(target) {
            Ok(()) => Finding::pass(KIND, &target.version, "can come back"),
            Err(finding) if self.purpose == Purpose::Force => finding.warning(),
            Err(finding) => *finding,
        }]
    }

    fn startable_again(&self, target: &Release) -> Result<(), Box<Finding>> {
        let about = &target.version;
        let order = Order { release: target, previous: None, direction: Direction::Back };
        let trouble = |error: anyhow::Error| Box::new(missing(Kind::RollbackTarget, about, &error));
        // A ledger may be anybody's: what comes out of it is as foreign as a flag.
        about.parse::<Version>().map_err(|why| trouble(anyhow::anyhow!(why)))?;
        let places = self.site.parts.traces();
        places.iter().try_for_each(|trace| trace.platform.check(&order)).map_err(trouble)?;
        let wanted = self.images(&order).map_err(trouble)?;
        for looked in look(self.spec, &wanted, &self.session.cancel) {
            if let Err(Missing::Bad(verdict, why, _)) = looked.found {
                let reason = format!("{} is gone from here: {why}", looked.image);
                let remedy = "push it again, or pull it here while it can be had";
                let bad = Finding::bad(Kind::RollbackTarget, about, verdict, reason, remedy);
                return Err(Box::new(bad));
            }
        }
        Ok(())
    }

    /// There is room where a release is written to.
    fn room(&self) -> Vec<Finding> {
        let wanted = self.spec.room.unwrap_or(ROOM);
        let own = self.site.state.folder(&self.site.scope);
        let stores = self.site.parts.traces().into_iter().flat_map(|t| t.platform.stores());
        let mut all: Vec<PathBuf> =
            std::iter::once(own).chain(stores).map(|f| existing(&f)).collect();
        all.sort();
        all.dedup();
        let one = |folder: &PathBuf| {
            let about = folder.display().to_string();
            match folders::room(folder) {
                Ok(free) if free >= wanted.0 => {
                    Finding::pass(Kind::Room, about, format!("{} free", Size(free)))
                }
                Ok(free) => {
                    let reason = format!("{} free, and {wanted} are wanted", Size(free));
                    let remedy = "make room; or say with `preflight.room` how much is enough";
                    Finding::bad(Kind::Room, about, Verdict::Fail, reason, remedy)
                }
                Err(error) => {
                    let reason = format!("cannot be found out: {error}");
                    Finding::bad(
                        Kind::Room,
                        about,
                        Verdict::Error,
                        reason,
                        "look at it by hand: df",
                    )
                }
            }
        };
        all.iter().map(one).collect()
    }
}

/// The folder, or the one in which it would be made.
fn existing(folder: &Path) -> PathBuf {
    let absolute = files::absolute(folder);
    let there = absolute.ancestors().find(|folder| files::exists(folder)).map(Path::to_path_buf);
    there.unwrap_or(absolute)
}

/// What an error means here: what was asked for is not there, or nobody knows.
fn missing(kind: Kind, about: &str, error: &anyhow::Error) -> Finding {
    let (exit, hint) = classify(error);
    let verdict = if exit == Exit::Usage { Verdict::Fail } else { Verdict::Error };
    let remedy = hint.unwrap_or("mend what it says").to_owned();
    Finding::bad(kind, about, verdict, format!("{error:#}"), remedy)
}
