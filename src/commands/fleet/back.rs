//! A rollback of several hosts: to one release, also when it is asked for again after it was
//! interrupted.

use super::across::{Order, all};
use super::follow::settle;
use super::hold::Hold;
use super::summary::{Part, conclude};
use crate::decide::fleet::Member;
use crate::decide::words::same_version;
use crate::exit::Fault;
use crate::report::v1::Report;

/// Brings one release back on all hosts, whatever becomes of one of them.
///
/// # Errors
/// When it is not known of every host what is live there, or they differ and no release is named.
pub(super) fn rollback(order: &Order<'_>, hold: &Hold) -> anyhow::Result<Report> {
    if order.args["failed_version"].is_string() {
        return Ok(conclude(order.session, all(order), None));
    }
    let (settled, members) = settle(order, hold)?;
    let mut target = order.args["to"].as_str().map(str::to_owned);
    let is_settled = settled.iter().all(Part::is_good);
    if !is_settled || !settled.is_empty() && target.is_none() {
        // It did not work, or what was asked for has happened: what was on its way is taken back.
        return Ok(conclude(order.session, settled, None));
    }
    let is_named = target.is_some();
    if !is_named {
        alike(&members)?;
    }
    let mut parts: Vec<Part> = Vec::new();
    for (host, member) in order.hosts().iter().zip(&members) {
        let has_it = |target: &str| {
            member.live.as_ref().is_some_and(|live| same_version(&live.version, target))
        };
        parts.push(match (&target, parts.is_empty()) {
            (Some(target), _) if is_named && has_it(target) => Part::told(member),
            (None, false) => Part::untouched(host, "what comes back is not known"),
            (to, _) => {
                let mut args = order.args.clone();
                // Where it has the name of what is live, each host must choose by itself.
                let to = to.as_deref().filter(|to| !has_it(to));
                args["to"] = to.into();
                args["turn"] = hold.turn().into();
                let cancel = order.session.cancel.clone();
                let part = Part::of(host, order.call(host, order.verb, args, cancel));
                part.with(target.as_deref())
            }
        });
        // The first one has chosen for all of them.
        target = target.or_else(|| parts.last().and_then(Part::target).map(str::to_owned));
    }
    Ok(conclude(order.session, parts, None))
}

/// From different releases "the one before" would be different ones, too.
fn alike(members: &[Member]) -> anyhow::Result<()> {
    let mut pairs = members.iter().zip(members.iter().skip(1));
    let version = |member: &Member| member.live.as_ref().map(|live| live.version.clone());
    if pairs.all(|(one, next)| version(one) == version(next)) {
        return Ok(());
    }
    let told = members.iter().map(|member| {
        let live = version(member).unwrap_or_else(|| "no verified release".into());
        format!("{} has {live}", member.host)
    });
    let told = told.collect::<Vec<_>>().join(", ");
    Err(Fault::usage(format!("the hosts have different releases: {told}"))
        .hint("name the one that comes back on all of them with --to")
        .into())
}
