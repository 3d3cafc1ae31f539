//! A stand-in for GitHub's API as a process of its own, for tests of whole workflows.
//!
//! It prints its address and serves until it is ended. With a file as its argument it holds every
//! request against that OpenAPI description. `GET /__state` shows what it keeps.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is a part of the tests"
)]
#![expect(dead_code, reason = "tests look into what they share with it")]

#[path = "../../tests/integration/github/mod.rs"]
mod github;

fn main() {
    let description = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let server = github::Github::start(description.as_deref());
    println!("{}", server.url());
    loop {
        std::thread::park();
    }
}
