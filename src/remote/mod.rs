//! Over ssh: the caller is only a remote control, and the verb runs on the host, by this very
//! program. How the two find each other is in `link`, what they say in `words`.

mod asking;
mod call;
mod files;
mod leaving;
mod link;
pub mod news;
mod pack;
mod program;
pub mod serve;
mod talk;
mod trouble;
pub(crate) mod uploads;
pub mod words;

pub use asking::Asking;
pub(crate) use call::{Notify, Wanted, call};
