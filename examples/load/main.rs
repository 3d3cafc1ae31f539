//! Asks one URL over many keep-alive connections, and tells apart all that can go wrong.
//!
//! A switch of the traffic loses nothing when no client would notice it. Most load generators
//! count every connection that ends as an error, or none; this one tells a request that was lost
//! from a connection that was closed while nothing was under way on it, which clients ask again
//! for (RFC 9110 §9.2.2). Marks on standard input (`phase NAME`, `stop`) part the figures.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, not a part of waveoff"
)]

mod client;
mod exchange;
mod figures;
mod options;

use std::process::ExitCode;

use crate::options::{Options, USAGE};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("load: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let run = client::run(&options);
    println!("{}", figures::json(&run, &options));
    ExitCode::SUCCESS
}
