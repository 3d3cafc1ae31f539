//! The only ambient authority: clocks, sockets, processes, files, the environment, signals.

#![expect(clippy::disallowed_methods, reason = "this is the one place where they are allowed")]

pub mod archive;
pub mod certificate;
pub mod clock;
pub mod detach;
pub(crate) mod disk;
#[cfg(test)]
pub(crate) mod disk_model;
pub mod dns;
pub mod download;
pub mod env;
pub mod files;
pub mod folders;
pub mod git;
pub mod github;
pub mod grpc;
pub mod http;
pub mod kit;
pub mod line;
pub mod lock;
pub mod pid;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod registry;
pub mod room;
pub mod scratch;
pub mod signals;
pub mod ssh;
pub mod system;
pub mod talk;
pub mod tcp;
pub mod terminal;
pub mod tls;
pub mod tree;
pub mod unix_socket;
pub mod websocket;
