//! Downloads: an answer of any length, into a file, within bounds.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::clock::Moment;
use super::http::{self, Client, Request};
use super::signals::Cancel;
use super::tls::Trust;
use super::{archive, folders};
use crate::config::values::Secret;

/// Room that is left for others.
const SPARE: u64 = 16 << 20;
/// How often progress is told.
const TELL: Duration = Duration::from_secs(5);

/// What to fetch.
#[derive(Debug)]
pub struct Download<'a> {
    /// Its address.
    pub url: &'a str,
    /// Headers, for the address's own host.
    pub headers: Vec<(String, Secret)>,
    /// The limit of all of it.
    pub timeout: Duration,
    /// The most bytes that are taken.
    pub most: u64,
}

/// Fetches into a new file. How far it is, in bytes and of how many if that is known, is told every
/// few seconds.
///
/// # Errors
/// In words: what was answered, or why it could not be kept.
pub fn fetch(
    download: &Download<'_>,
    into: &Path,
    cancel: &Cancel,
    tell: impl FnMut(u64, Option<u64>),
) -> Result<(), String> {
    let started = Moment::now();
    let request = Request {
        url: download.url.to_owned(),
        method: "GET".into(),
        headers: download.headers.clone(),
        body: None,
        redirects: true,
        max_body: 0,
        timeout: download.timeout,
    };
    let client = Client::accepting(&Trust::default(), "identity")?;
    let (answer, _, _) = client.answer(&request, started).map_err(|(_, why)| why)?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status().as_u16()));
    }
    let body = answer.into_body();
    let told = body.content_length();
    let folder = into.parent().unwrap_or(into);
    let room = folders::room(folder).map_err(|error| error.to_string())?.saturating_sub(SPARE);
    let most = download.most.min(room);
    if let Some(told) = told.filter(|told| *told > most) {
        return Err(too_large(&format!("{told} bytes"), room, download.most));
    }
    let mut reader = Following { inner: body.into_reader(), read: 0, told, at: started, tell };
    let write = |error: io::Error| format!("{}: {error}", into.display());
    let file = OpenOptions::new().write(true).create_new(true).open(into).map_err(write)?;
    archive::copy(&mut (&mut reader).take(most.saturating_add(1)), &file, cancel)
        .map_err(|error| http::io_failure(&error).1)?;
    if reader.read > most {
        return Err(too_large(&format!("more than {most} bytes"), room, download.most));
    }
    // A server that goes away says no more than that there is no more.
    match told {
        Some(told) if told != reader.read => {
            Err(format!("it ended after {} of {told} bytes", reader.read))
        }
        _ => Ok(()),
    }
}

fn too_large(size: &str, room: u64, most: u64) -> String {
    match room < most {
        true => format!("it has {size}, and there is room for {room}"),
        false => format!("it has {size}, and {most} are accepted"),
    }
}

/// Tells how far a reader is.
struct Following<R, T> {
    inner: R,
    read: u64,
    told: Option<u64>,
    at: Moment,
    tell: T,
}

impl<R: Read, T: FnMut(u64, Option<u64>)> Read for Following<R, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.read += count as u64;
        if self.at.elapsed() >= TELL {
            self.at = Moment::now();
            (self.tell)(self.read, self.told);
        }
        Ok(count)
    }
}
