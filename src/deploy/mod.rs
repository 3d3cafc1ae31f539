//! Deployments: where they are remembered, who may change something, and the order of things.
//!
//! How a release is started is not here (`platforms`), nor what a result means (`decide`).

pub mod ledger;
pub mod state;

pub use state::{Scope, State};
