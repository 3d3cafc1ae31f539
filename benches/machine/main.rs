//! Measures deployments on a machine against their budget: a Compose project beside plain Compose,
//! what the engine needs on the host, and how often the program goes there over ssh.
//!
//! `scripts/bench machine` builds what is measured, and starts this. The engine, the registry and
//! the ssh server are those of the tests, and nothing else of the machine takes part.

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

mod compose;
mod options;
mod peak;
mod remote;

// What is told is told as `scripts/bench` does it.
#[path = "../../examples/bench/entry.rs"]
mod entry;
#[path = "../../examples/bench/figures.rs"]
mod figures;
#[path = "../../examples/bench/table.rs"]
mod table;

// The world is that of the tests.
#[path = "../../tests/integration/archive.rs"]
mod archive;
#[path = "../../tests/integration/compose_world.rs"]
mod compose_world;
#[path = "../../tests/integration/deploy_world.rs"]
mod deploy_world;
#[path = "../../tests/integration/engines.rs"]
mod engines;
#[path = "../../tests/integration/harness.rs"]
mod harness;
#[path = "../../tests/integration/images.rs"]
mod images;
#[path = "../../tests/integration/kept.rs"]
mod kept;
#[path = "../../tests/integration/parts.rs"]
mod parts;
#[path = "../../tests/integration/proxy.rs"]
mod proxy;
#[path = "../../tests/integration/registry.rs"]
mod registry;
#[path = "../../tests/integration/shared_images.rs"]
mod shared_images;
#[path = "../../tests/integration/ssh_world.rs"]
mod ssh_world;
#[path = "../../tests/integration/sshd.rs"]
mod sshd;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::entry::Problem;
use crate::harness::{Program, Ran};
use crate::options::{Options, USAGE};
use crate::table::Row;

fn main() -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    entry::run(USAGE, options, |options| Ok(measure(options)?.iter().all(Row::is_met)))
}

fn measure(options: &Options) -> Result<Vec<Row>, Problem> {
    eprintln!("bench: deploys a Compose project …");
    let mut rows = compose::rows(options)?;
    eprintln!("bench: deploys over ssh …");
    rows.extend(remote::rows(options)?);
    print!("{}", table::render(&rows, &[]));
    if let Some(file) = &options.json {
        std::fs::write(file, table::json(&rows, &[])?)?;
    }
    Ok(rows)
}

/// Runs the program as it is downloaded where `like` would run the one of the tests, and tells how
/// long it took; it must succeed.
fn deploy(options: &Options, like: &Program, version: &str) -> Result<(Duration, Ran), Problem> {
    let mut program = Command::new(options.program());
    program.args(["deploy", "--version", version, "--allow-downgrade", "--no-progress"]);
    let mut program = like.like(program);
    let started = Instant::now();
    let ran = Ran::of(program.output()?);
    let took = started.elapsed();
    match ran.code {
        Some(0) => Ok((took, ran)),
        code => {
            Err(format!("deploy {version} ended with {code:?}: {}{}", ran.stdout, ran.stderr)
                .into())
        }
    }
}
