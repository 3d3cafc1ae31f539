//! Deployments: where they are remembered, who may change something, and the order of things.
//!
//! How a release is started is not here (`platforms`), nor what a result means (`decide`).

pub mod activity;
mod baseline;
pub mod capture;
mod chain;
pub mod commands;
pub mod critical;
pub mod current;
pub mod describe;
mod drain;
pub mod drive;
pub mod fleet;
pub mod forensics;
pub mod hands;
pub mod journal;
pub mod ledger;
pub mod lock;
pub mod migrated;
pub mod migration;
pub mod parts;
mod reserve;
mod retold;
pub mod runs;
pub mod setup;
pub mod slots;
pub mod state;
pub mod story;

pub use state::{Scope, State};

use crate::host::clock;

/// A new deployment's id: when it began, to the millisecond, so that ids are in order, and
/// something that tells it from others of that moment.
pub fn new_id() -> String {
    let now = clock::rfc3339(clock::wall());
    let digits: String = now.chars().filter(char::is_ascii_digit).take(17).collect();
    let (day, time) = digits.split_at(8);
    let (time, millis) = time.split_at(6);
    format!("{day}-{time}-{millis}{:03x}", clock::seed() & 0xfff)
}
