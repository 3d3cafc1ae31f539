//! Deploy a release, prove that it is healthy, and put the old one back when it is not.
//!
//! The functional core is [`decide`]; everything that touches the world is in [`host`]. See
//! `ARCHITECTURE.md` for the map and the invariants.

pub mod actions;
pub mod channels;
pub mod checks;
pub mod commands;
pub mod config;
pub mod decide;
pub mod deploy;
pub mod exit;
pub mod host;
pub mod platforms;
pub mod preflight;
pub mod remote;
pub mod report;
pub mod routers;
