//! Measures the programs as they are downloaded against their budget, beside other tools.
//!
//! `scripts/bench` builds and installs what is measured, and starts this. It knows nothing of the
//! library: programs are run as users run them, against servers in this process, over loopback.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, not a part of waveoff"
)]

mod entry;
mod figures;
mod many;
mod memory;
mod options;
mod quick;
mod run;
mod serve;
mod sizes;
mod start;
mod table;
mod waiting;

use std::process::ExitCode;

use crate::entry::Problem;
use crate::options::{Options, USAGE};
use crate::table::Row;

fn main() -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    entry::run(USAGE, options, |options| Ok(measure(options)?.iter().all(Row::is_met)))
}

fn measure(options: &Options) -> Result<Vec<Row>, Problem> {
    let world = run::World::new(options)?;
    let mut rows = Vec::new();
    for (name, part) in PARTS {
        if options.wants(name) {
            eprintln!("bench: measures {name} …");
            rows.extend(part(&world, options)?);
        }
    }
    print!("{}", table::render(&rows, &world.absent()));
    if let Some(file) = &options.json {
        std::fs::write(file, table::json(&rows, &world.absent())?)?;
    }
    Ok(rows)
}

type Part = fn(&run::World, &Options) -> Result<Vec<Row>, Problem>;

/// What can be measured, in the order of the table.
const PARTS: &[(&str, Part)] = &[
    ("once", quick::once),
    ("port", waiting::port),
    ("suite", quick::suite),
    ("many", many::many),
    ("start", start::start),
    ("memory", memory::memory),
    ("size", sizes::sizes),
];
