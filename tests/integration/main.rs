//! Everything that is tested from the outside: one binary, so that it links once.

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests set up a real world")]

mod bootstrap;
mod parts;
