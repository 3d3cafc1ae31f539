//! A talk on a line: something is said, and what is heard is read until it is complete.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use super::line::Line;
use super::tls::Tls;
use crate::decide::observation::{FailureKind, ProbeFailure};

/// A connection, and what was read from it and not yet understood.
pub struct Talk {
    line: Line,
    held: Vec<u8>,
}

/// The first whole thing in the bytes and its length; nothing when more is needed; or what is wrong.
pub type Parsed<T> = Result<Option<(T, usize)>, String>;

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

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.line.elapsed()
    }

    /// A failure of the protocol.
    pub fn broken(&self, message: String) -> ProbeFailure {
        ProbeFailure { kind: FailureKind::Broken, message, elapsed: self.elapsed() }
    }
}
