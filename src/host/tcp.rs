//! TCP connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use super::clock::Moment;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};

/// Whether something accepts a connection on `host:port` within `timeout`; every address of the
/// name is tried.
pub fn connect(host: &str, port: u16, timeout: Duration) -> Observation {
    let started = Moment::now();
    match open(host, port, timeout) {
        Ok((_, address)) => {
            Observation::Connected { peer: address.to_string(), elapsed: started.elapsed() }
        }
        Err(failure) => Observation::Failed(failure),
    }
}

/// A connection to `host:port`, and the address that accepted it; every address of the name is
/// tried within `timeout`.
///
/// # Errors
/// Why nobody accepted.
pub fn open(
    host: &str,
    port: u16,
    timeout: Duration,
) -> Result<(TcpStream, SocketAddr), ProbeFailure> {
    let started = Moment::now();
    let failed = |kind, message: String| ProbeFailure { kind, message, elapsed: started.elapsed() };
    let addresses = resolve(host, port, timeout).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            failed(FailureKind::Timeout, format!("resolving {host} took too long"))
        }
        _ => failed(FailureKind::NameNotFound, format!("{host} does not resolve")),
    })?;
    let mut last = failed(FailureKind::NameNotFound, format!("{host} has no address"));
    for address in addresses {
        let left = timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => last = failed(kind_of(&error), words(&error)),
        }
    }
    Err(last)
}

/// The addresses of a name. `localhost` is both loopback addresses whatever the hosts file says:
/// a server may listen on either.
///
/// # Errors
/// When the name does not resolve, or not in time.
pub fn resolve(host: &str, port: u16, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if is_localhost(bare) {
        return Ok(vec![
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port),
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
        ]);
    }
    // The system's resolver has no time-out of its own; a thread that it holds up is left behind.
    let (sender, receiver) = mpsc::channel();
    let name = bare.to_owned();
    std::thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody listens any more when it took too long.
        sender.send(found).unwrap_or_default();
    });
    receiver.recv_timeout(timeout).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether a name is the loopback by RFC 6761 §6.3.
pub fn is_localhost(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

/// The kind of an I/O error on a connection.
pub fn kind_of(error: &io::Error) -> FailureKind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable => FailureKind::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => FailureKind::Timeout,
        _ => FailureKind::Broken,
    }
}

/// An I/O error in words, without the operating system's number.
pub fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timed out".into(),
        io::ErrorKind::UnexpectedEof => "the connection was closed before the answer".into(),
        _ => error.to_string(),
    }
}
