//! What an act would do, in words: for `--dry-run` and for whoever watches.

use std::time::Duration;

use super::parts::Parts;
use crate::config::transaction::TransactionSpec;
use crate::config::values::Argv;
use crate::decide::plan::{Act, Route, View};
use crate::decide::words::show_duration;
use crate::platforms::Order;

/// What an act would do, a line each.
pub fn describe(parts: &Parts, spec: &TransactionSpec, act: &Act) -> Vec<String> {
    let time = |ms: &u64| show_duration(Duration::from_millis(*ms));
    let argv = |argv: Option<&Argv>, version: &str| match argv {
        Some(argv) => format!("run {} with WAVEOFF_VERSION={version}", argv.show()),
        None => "nothing is configured for it any more".into(),
    };
    vec![match act {
        Act::SaveTag { file, tag: None } if !crate::host::files::exists(file) => return Vec::new(),
        Act::SaveTag { file, tag: Some(tag) } => format!("write {tag} into {file}"),
        Act::SaveTag { file, tag: None } => format!("remove {file}"),
        Act::Migrate { release, .. } => {
            argv(spec.migrate.as_ref().map(|spec| &spec.command), &release.version)
        }
        Act::Restore { release, .. } => {
            argv(spec.migrate.as_ref().and_then(|spec| spec.restore.as_ref()), &release.version)
        }
        Act::Place { component, slot, release, over, direction } => {
            let order = Order { release, previous: over.as_ref(), direction: *direction };
            return match parts.platform(component, slot.as_ref()) {
                Ok(platform) => {
                    let several = parts.count() > 1;
                    let of = if several { format!("{component}: ") } else { String::new() };
                    platform.plan(&order).into_iter().map(|line| format!("{of}{line}")).collect()
                }
                Err(error) => vec![format!("{error:#}")],
            };
        }
        Act::Clear { slot, version, .. } => {
            format!("stop {} in {}", version.as_deref().unwrap_or("what runs"), slot.name)
        }
        Act::Switch { route, .. } => {
            return parts.router.as_ref().map(|router| router.plan(route)).unwrap_or_default();
        }
        Act::Drain { slot, limit_ms, .. } => {
            format!("let the requests in {} end, {} at most", slot.name, time(limit_ms))
        }
        Act::Keep { slot, release, keep_ms } => {
            format!("keep {} in {} for {}", release.version, slot.name, time(keep_ms))
        }
        Act::Pause { ms, reason } => format!("{} for {reason}", time(ms)),
        Act::Verify { release, view, .. } => {
            format!("does {} answer{}, and is it well?", release.version, view_words(view))
        }
        Act::Watch { release, view, for_ms, interval_ms, failures } => format!(
            "does {} stay well{} for {}? a look every {}, {failures} failures in a row decide",
            release.version,
            view_words(view),
            time(for_ms),
            time(interval_ms)
        ),
        Act::Mark => return Vec::new(),
        Act::Compare { release } => {
            format!("is all as it was captured when {} ran before?", release.version)
        }
    }]
}

/// Where the traffic goes, in words.
pub fn route_words(route: &Route) -> String {
    match route {
        Route::Slot(slot) => slot.name.clone(),
        Route::Saved { .. } => "where it went before".into(),
    }
}

fn view_words(view: &View) -> String {
    match view {
        View::InPlace => String::new(),
        View::Slot { slot } => format!(" in {}", slot.name),
        View::Router { .. } => " through the router".into(),
    }
}
