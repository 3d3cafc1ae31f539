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

mod load;
mod options;
mod report;
mod world;

use std::process::ExitCode;

use crate::options::{Options, USAGE};
use crate::report::Figures;
use crate::world::{Kind, World};

/// What stops a measurement: it is shown, and nothing is claimed.
type Problem = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("bench: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match measure(&options) {
        Ok(results) if results.iter().all(Figures::is_met) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
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
        std::fs::write(file, report::json(&results)?)?;
    }
    Ok(results)
}
