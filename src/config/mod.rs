//! `waveoff.yml`: the words people write, read strictly, with the place of every mistake.

pub mod check;
pub mod expectation;
mod file;
pub mod forms;
mod interpolate;
pub mod pipeline;
pub mod values;

pub use check::CheckSpec;
pub use file::{Config, Loaded, Place, load, parse};
