//! A connection to somebody, plain or by TLS, on which everything together has one time limit.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::clock::Moment;
use super::tcp;
use super::tls::{self, Tls};
use crate::decide::observation::{FailureKind, ProbeFailure};

/// A connection whose reads and writes all end when its time is over.
pub struct Line {
    stream: Stream,
    /// The address that accepted it.
    pub peer: String,
}

enum Stream {
    Plain(Timed),
    Secure(Box<StreamOwned<ClientConnection, Timed>>),
    /// While it is exchanged, or after that failed.
    Gone,
}

/// A connection with a limit over all its calls: a peer that sends a byte now and then does not
/// prolong it.
struct Timed {
    tcp: TcpStream,
    started: Moment,
    limit: Duration,
}

impl Line {
    /// Connects; every address of the name is tried. The limit holds from now on for all that is
    /// done on the line.
    ///
    /// # Errors
    /// Why nobody accepted.
    pub fn dial(host: &str, port: u16, limit: Duration) -> Result<Self, ProbeFailure> {
        let started = Moment::now();
        let (tcp, address) = tcp::open(host, port, limit)?;
        // Questions are short, and are wanted answered now.
        tcp.set_nodelay(true).unwrap_or_default();
        let stream = Stream::Plain(Timed { tcp, started, limit });
        Ok(Self { stream, peer: address.to_string() })
    }

    /// Goes on by TLS; `name` is whom the certificate must be for.
    ///
    /// # Errors
    /// Why it could not be agreed upon.
    pub fn secure(mut self, tls: &Tls, name: &str) -> Result<Self, ProbeFailure> {
        let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let started = self.started();
        let failed = |kind, message: String| {
            let elapsed = started.map_or(Duration::ZERO, Moment::elapsed);
            ProbeFailure { kind, message, elapsed }
        };
        let wrong = |error: &dyn std::fmt::Display| failed(FailureKind::Tls, tls::words(error));
        let server = ServerName::try_from(bare).map_err(|error| wrong(&error))?;
        let client = ClientConnection::new(tls.config.clone(), server);
        let client = client.map_err(|error| wrong(&error))?;
        let Stream::Plain(timed) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(wrong(&"the line has it already"));
        };
        let mut stream = StreamOwned::new(client, timed);
        while stream.conn.is_handshaking() {
            if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
                return Err(match tcp::kind_of(&error) {
                    FailureKind::Broken => wrong(&tcp::words(&error)),
                    kind => failed(kind, tcp::words(&error)),
                });
            }
        }
        Ok(Self { stream: Stream::Secure(Box::new(stream)), ..self })
    }

    /// The certificates that the peer has shown, its own first, in DER; none without TLS.
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        let Stream::Secure(stream) = &self.stream else { return Vec::new() };
        let shown = stream.conn.peer_certificates().unwrap_or_default();
        shown.iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// The version of TLS as its names go (`TLSv1.3`), and what was agreed upon by ALPN.
    pub fn agreed(&self) -> (Option<String>, Option<String>) {
        let Stream::Secure(stream) = &self.stream else { return (None, None) };
        let version = stream.conn.protocol_version().and_then(|version| version.as_str());
        let protocol = stream.conn.alpn_protocol();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (version.map(|name| name.replace('_', ".")), protocol.map(text))
    }

    /// From now on it has at most so much time left.
    pub fn hurry(&mut self, left: Duration) {
        let timed = match &mut self.stream {
            Stream::Plain(timed) => timed,
            Stream::Secure(stream) => &mut stream.sock,
            Stream::Gone => return,
        };
        timed.limit = timed.limit.min(timed.started.elapsed() + left);
    }

    /// How long it has been there.
    pub fn elapsed(&self) -> Duration {
        self.started().map_or(Duration::ZERO, Moment::elapsed)
    }

    /// What a failed call on it means.
    pub fn failure(&self, error: &io::Error) -> ProbeFailure {
        let (kind, message) = (tcp::kind_of(error), tcp::words(error));
        ProbeFailure { kind, message, elapsed: self.elapsed() }
    }

    fn started(&self) -> Option<Moment> {
        match &self.stream {
            Stream::Plain(timed) => Some(timed.started),
            Stream::Secure(stream) => Some(stream.sock.started),
            Stream::Gone => None,
        }
    }
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(timed) => timed.read(bytes),
            // Many servers end without saying so (RFC 8446 §6.1); what was read tells who was cut off.
            Stream::Secure(stream) => match stream.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(timed) => timed.write(bytes),
            Stream::Secure(stream) => stream.write(bytes),
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(timed) => timed.flush(),
            Stream::Secure(stream) => stream.flush(),
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.limit.saturating_sub(self.started.elapsed());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(self.left()?)?;
        self.tcp.read(bytes)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(self.left()?)?;
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}
