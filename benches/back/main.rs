//! Measures what clients notice of releases that fail with the traffic on them and are taken back:
//! how long it takes from the observation that decides to the first answer of the old release, and
//! that no request is lost.
//!
//! `scripts/bench back` builds what is measured, and starts this. The services and routers are those
//! of the tests.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "a program of its own, that uses a part of what the tests have"
)]

mod rounds;

#[path = "../machine/options.rs"]
mod options;

// What is told is told as `scripts/bench` does it.
#[path = "../../examples/bench/entry.rs"]
mod entry;
#[path = "../../examples/bench/figures.rs"]
mod figures;

// The world is that of the tests.
#[path = "../../tests/integration/crash_kills.rs"]
mod crash_kills;
#[path = "../../tests/integration/crash_router.rs"]
mod crash_router;
#[path = "../../tests/integration/crash_scripts.rs"]
mod crash_scripts;
#[path = "../../tests/integration/crash_world.rs"]
mod crash_world;
#[path = "../../tests/integration/deploy_world.rs"]
mod deploy_world;
#[path = "../../tests/integration/harness.rs"]
mod harness;
#[path = "../../tests/integration/load.rs"]
mod load;
#[path = "../../tests/integration/manager.rs"]
mod manager;
#[path = "../../tests/integration/parts.rs"]
mod parts;
#[path = "../../tests/integration/take_back.rs"]
mod take_back;

use std::process::ExitCode;

use crate::crash_router::Balancer;
use crate::entry::Problem;
use crate::options::{Options, USAGE};
use crate::rounds::Figures;

fn main() -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    entry::run(USAGE, options, |options| Ok(measure(options)?.iter().all(Figures::is_met)))
}

fn measure(options: &Options) -> Result<Vec<Figures>, Problem> {
    let mut all = Vec::new();
    for (name, balancer) in [("nginx", Balancer::Nginx), ("HAProxy", Balancer::Haproxy)] {
        eprintln!("bench: takes releases back behind {name} …");
        all.push(Figures::of(name, balancer, options)?);
    }
    print!("{}", rounds::render(&all));
    if let Some(file) = &options.json {
        let all: Vec<_> = all.iter().map(Figures::json).collect();
        std::fs::write(file, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(all)
}
