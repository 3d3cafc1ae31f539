//! One connection, HTTP/1.1 by hand: the kinds of failure are the point of it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A longer head is no head.
const LONGEST_HEAD: usize = 64 << 10;

/// How an exchange can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no connection.
    Refused,
    /// A connection that had answered before was closed without a byte of this reply: nothing was
    /// lost that cannot be asked again.
    ClosedIdle,
    /// A new connection was closed without a byte.
    Unanswered,
    /// The reply began and did not end.
    Cut,
    /// It took too long.
    TimedOut,
    /// It was not HTTP.
    Garbled,
}

/// A whole reply.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What the header says that was asked for.
    pub(crate) said: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection may be used again.
    pub(crate) keep_alive: bool,
}

pub(crate) struct Connection {
    stream: TcpStream,
    timeout: Duration,
    used: bool,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, timeout: Duration) -> Result<Self, Failure> {
        let opened = TcpStream::connect_timeout(&address, timeout).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(Self { stream, timeout, used: false })
        });
        opened.map_err(|error| match is_late(&error) {
            true => Failure::TimedOut,
            false => Failure::Refused,
        })
    }

    /// Sends the request and reads the reply, with what `header` (in lower case) says.
    pub(crate) fn exchange(&mut self, request: &[u8], header: &str) -> Result<Reply, Failure> {
        let started = Instant::now();
        let mut reply = Vec::with_capacity(1024);
        self.stream.write_all(request).map_err(|error| self.failure(&error, &reply))?;
        let end = loop {
            if let Some(at) = find(&reply, b"\r\n\r\n") {
                break at;
            }
            if reply.len() > LONGEST_HEAD {
                return Err(Failure::Garbled);
            }
            self.read(&mut reply, started)?;
        };
        let head = Head::parse(&reply[..end], header).ok_or(Failure::Garbled)?;
        let start = end + 4;
        match head.length {
            Some(length) => {
                while reply.len() < start + length {
                    self.read(&mut reply, started)?;
                }
                // What comes behind its reply belongs to nobody.
                if reply.len() > start + length {
                    return Err(Failure::Garbled);
                }
            }
            // Without a length only the end of the connection ends it, and a cut looks the same.
            None => return Err(Failure::Garbled),
        }
        self.used = true;
        let body = reply.split_off(start);
        Ok(Reply { status: head.status, said: head.said, body, keep_alive: head.keep_alive })
    }

    fn read(&mut self, reply: &mut Vec<u8>, started: Instant) -> Result<(), Failure> {
        let left = self.timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(Failure::TimedOut);
        }
        let mut part = [0; 16 << 10];
        let read = self.stream.set_read_timeout(Some(left)).and_then(|()| {
            match self.stream.read(&mut part)? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                count => Ok(count),
            }
        });
        match read {
            Ok(count) => reply.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(self.failure(&error, reply)),
        }
        Ok(())
    }

    fn failure(&self, error: &io::Error, reply: &[u8]) -> Failure {
        match (is_late(error), reply.is_empty(), self.used) {
            (true, ..) => Failure::TimedOut,
            (false, false, _) => Failure::Cut,
            (false, true, true) => Failure::ClosedIdle,
            (false, true, false) => Failure::Unanswered,
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

struct Head {
    status: u16,
    said: Option<String>,
    length: Option<usize>,
    keep_alive: bool,
}

impl Head {
    fn parse(head: &[u8], header: &str) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let mut parsed = Self { status, said: None, length: None, keep_alive: true };
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "content-length" => parsed.length = Some(value.parse().ok()?),
                "connection" => parsed.keep_alive = !value.eq_ignore_ascii_case("close"),
                _ => {}
            }
            if name == header {
                parsed.said = Some(value.to_owned());
            }
        }
        Some(parsed)
    }
}
