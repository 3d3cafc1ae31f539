//! Switches the traffic there and back under load, and tells what clients noticed.
//!
//! `scripts/bench switch` builds what is needed and starts this. The routers are real ones, with
//! the configurations of `examples/blue-green`; the switches are made by `waveoff::routers`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, not a part of waveoff"
)]

#[path = "../bench/entry.rs"]
mod entry;
mod load;
mod options;
mod report;
mod world;

use std::process::ExitCode;

use crate::entry::Problem;
use crate::options::{Options, USAGE};
use crate::report::Figures;
use crate::world::{Kind, World};

fn main() -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    entry::run(USAGE, options, |options| {
        Ok(measure(options)?.iter().all(|figures| figures.is_met(options.requests)))
    })
}

fn measure(options: &Options) -> Result<Vec<Figures>, Problem> {
    let mut results = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| options.wants(kind.part())) {
        eprintln!("bench: switches {} under load …", kind.name());
        let world = World::new(kind, &options.programs)?;
        let fast = load::run(&world, options, load::Speed::Requests(options.requests))?;
        let paced = load::run(&world, options, load::Speed::Paced)?;
        results.push(Figures::of(kind, &fast, &paced)?);
    }
    print!("{}", report::render(&results));
    if let Some(file) = &options.json {
        std::fs::write(file, report::json(&results, options.requests)?)?;
    }
    Ok(results)
}
