//! `waveoff.yml`: the words people write, read strictly, with the place of every mistake.

pub mod artifact;
pub mod check;
pub mod compose;
mod each;
pub mod exchange;
pub mod expectation;
mod file;
pub mod forms;
pub(crate) mod hidden;
mod interpolate;
mod keys;
pub mod parts;
pub mod pipeline;
pub mod preflight;
pub mod protocols;
mod reader;
mod scalar;
#[cfg(test)]
mod schema;
pub mod services;
pub mod ssh;
pub mod transaction;
pub mod travel;
mod tree;
pub mod values;
pub mod watched;

pub use check::{CheckSpec, Side};
pub use file::{Config, Loaded, Place, load, parse};
pub use reader::Placed;
