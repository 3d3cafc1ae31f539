//! Protocols as bytes: what was sent over a connection, read without one.

pub mod events;
pub mod grpc;
pub mod hpack;
pub mod http2;
mod huffman;
pub mod websocket;
