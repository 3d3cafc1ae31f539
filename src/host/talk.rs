//! A talk on a line: something is said, and what is heard is read until it is complete.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use super::line::Line;
use super::tls::Tls;
use crate::decide::observation::{FailureKind, ProbeFailure, Reply};
use crate::decide::words::shorten;

/// A connection, and what was read from it and not yet understood.
pub struct Talk {
    line: Line,
    held: Vec<u8>,
}

/// The first whole thing in the bytes and its length; nothing when more is needed; or what is wrong.
pub type Parsed<T> = Result<Option<(T, usize)>, String>;

/// Bytes that are read of a text.
const MOST_TEXT: usize = 64 << 10;

/// Says this, and tells what is answered: up to the text `until`, or else to the end of the first
/// line, which may also be the end of the connection.
///
/// # Errors
/// When nobody accepts, or says that in time.
pub fn exchange(
    host: &str,
    port: u16,
    send: &[u8],
    until: Option<&str>,
    limit: Duration,
) -> Result<Reply, ProbeFailure> {
    let mut talk = Talk::dial(host, port, limit, None)?;
    talk.say(send)?;
    let (text, is_whole) = talk.hear_text(until.unwrap_or("\n").as_bytes())?;
    let not_ready = match until {
        _ if text.is_empty() => Some("the connection was closed without a word".into()),
        None if text.len() >= MOST_TEXT => Some(format!("{MOST_TEXT} bytes and no end of a line")),
        Some(until) if !is_whole => Some(format!("{:?} was not said", shorten(until, 80))),
        _ => None,
    };
    let said = format!("{:?}", shorten(text.trim_end(), 80));
    Ok(Reply { text, said, not_ready, elapsed: talk.elapsed(), ..Reply::default() })
}

impl Talk {
    /// Connects, by TLS where it is given; the limit holds for the whole talk.
    ///
    /// # Errors
    /// Why nobody accepted, or what is wrong with TLS.
    pub fn dial(
        host: &str,
        port: u16,
        limit: Duration,
        tls: Option<&Tls>,
    ) -> Result<Self, ProbeFailure> {
        let line = Line::dial(host, port, limit)?;
        let line = match tls {
            Some(tls) => line.secure(tls, host)?,
            None => line,
        };
        Ok(Self { line, held: Vec::new() })
    }

    /// Goes on by TLS. What was heard before that is not from whom the certificate names, so there
    /// must be none.
    ///
    /// # Errors
    /// Why it could not be agreed upon.
    pub fn secure(self, tls: &Tls, name: &str) -> Result<Self, ProbeFailure> {
        if !self.held.is_empty() {
            return Err(self.broken("it said something before TLS that nobody asked for".into()));
        }
        Ok(Self { line: self.line.secure(tls, name)?, held: Vec::new() })
    }

    /// Says this.
    ///
    /// # Errors
    /// When nobody takes it in time.
    pub fn say(&mut self, bytes: &[u8]) -> Result<(), ProbeFailure> {
        let said = self.line.write_all(bytes).and_then(|()| self.line.flush());
        said.map_err(|error| self.line.failure(&error))
    }

    /// Reads until `parse` has a whole thing, which is at most `most` bytes long.
    ///
    /// # Errors
    /// When it does not come in time, is too long, or is not what `parse` knows.
    pub fn hear<T>(
        &mut self,
        most: usize,
        parse: impl Fn(&[u8]) -> Parsed<T>,
    ) -> Result<T, ProbeFailure> {
        loop {
            if let Some((heard, length)) = parse(&self.held).map_err(|why| self.broken(why))? {
                self.held.drain(..length.min(self.held.len()));
                return Ok(heard);
            }
            if self.held.len() >= most {
                return Err(self.broken(format!("the answer has more than {most} bytes")));
            }
            if !self.more()? {
                return Err(self.line.failure(&io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads what comes next; false at the end.
    fn more(&mut self) -> Result<bool, ProbeFailure> {
        let mut chunk = [0; 8 << 10];
        match self.line.read(&mut chunk) {
            Ok(count) => {
                self.held.extend_from_slice(&chunk[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.line.failure(&error)),
        }
    }

    /// What was heard of an answer that may end with the connection.
    fn hear_text(&mut self, until: &[u8]) -> Result<(String, bool), ProbeFailure> {
        let found = |bytes: &[u8]| bytes.windows(until.len()).position(|part| part == until);
        // What was looked at already is not looked at again.
        let mut seen = 0;
        loop {
            let from = self.held.len().min(seen).saturating_sub(until.len());
            let end = found(&self.held[from..]).map(|at| from + at + until.len());
            let length = end.unwrap_or(self.held.len());
            seen = self.held.len();
            if end.is_some() || seen >= MOST_TEXT || !self.more()? {
                let text = String::from_utf8_lossy(&self.held[..length]).into_owned();
                return Ok((text, end.is_some()));
            }
        }
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.line.elapsed()
    }

    /// A failure of the protocol.
    pub fn broken(&self, message: String) -> ProbeFailure {
        ProbeFailure { kind: FailureKind::Broken, message, elapsed: self.elapsed() }
    }
}
