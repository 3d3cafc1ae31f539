//! The part of the program that reads what others write, built by itself: it needs no TLS and no
//! client, which would take minutes to build, and cannot touch the world. Behind that, what several
//! targets need.

#![allow(dead_code, reason = "not all of the program is here")]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/exit.rs"]
pub mod exit;

#[path = "../../src/report"]
pub mod report {
    pub mod mask;
}

// What one of these begins to use is added here.
#[path = "../../src/decide"]
pub mod decide {
    pub mod backoff;
    pub mod certificate;
    pub mod combination;
    pub mod cookies;
    pub mod dns;
    pub mod expect;
    pub mod exposition;
    pub mod health;
    pub mod html;
    pub mod image;
    pub mod jsonpath;
    pub mod judge;
    pub mod markup;
    pub mod metric;
    pub mod named;
    pub mod naming;
    pub mod observation;
    pub mod openapi;
    pub mod part;
    pub mod postgres;
    pub mod predicate;
    pub mod resp;
    pub mod scan;
    pub mod seen;
    pub mod source;
    pub mod state;
    pub mod status_set;
    pub mod template;
    pub mod verdict;
    pub mod wire;
    pub mod words;
}

/// Nothing is there.
pub mod host {
    pub mod files {
        pub fn read_text(_: impl AsRef<std::path::Path>) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }
    pub mod env {
        pub fn var(_: &str) -> Option<String> {
            None
        }
    }
}

use decide::expect::{Context, Expect, Finding};
use decide::observation::{HttpResponse, Observation};

/// The bytes in pieces of this size, as a connection may bring them.
pub fn pieces(bytes: &[u8], size: u8) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(usize::from(size).max(1))
}

/// What an expectation makes of an answer with this body.
pub fn ask(expect: &Expect, content_type: &str, body: &[u8]) -> Finding {
    let response = HttpResponse {
        status: 200,
        headers: vec![("content-type".into(), content_type.into())],
        body: body.into(),
        ..HttpResponse::default()
    };
    expect.evaluate(&Observation::Http(response), &Context::default())
}

/// The first line, and what is behind it.
pub fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}
