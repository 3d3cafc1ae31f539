//! Asks for the records of a name: the system's resolver, or a server of the domain name system.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::clock::{self, Moment};
use super::talk::Talk;
use super::{files, tcp};
use crate::decide::dns::{self, Answer, Kind};
use crate::decide::observation::{FailureKind, ProbeFailure, Reply};

/// What comes in one datagram without EDNS, and a little more than that.
const DATAGRAM: usize = 4096;
/// After so long without an answer the question is asked again: datagrams get lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// The addresses of a name as the system resolves it; of one type, if that is given.
///
/// # Errors
/// When that takes too long.
pub fn resolve(name: &str, kind: Option<Kind>, limit: Duration) -> Result<Reply, ProbeFailure> {
    let started = Moment::now();
    let wanted = |address: &IpAddr| match kind {
        Some(Kind::A) => address.is_ipv4(),
        Some(_) => address.is_ipv6(),
        None => true,
    };
    let found = match tcp::resolve(name, 0, limit) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            return Err(failed(
                started,
                FailureKind::Timeout,
                format!("resolving {name} took too long"),
            ));
        }
        // The system's resolver does not say whether there is none, or nobody knows.
        Err(_) => {
            let not_ready = Some(format!("{name} does not resolve"));
            return Ok(Reply { not_ready, elapsed: started.elapsed(), ..Reply::default() });
        }
    };
    let addresses = found.iter().map(SocketAddr::ip).filter(wanted);
    let mut records: Vec<_> = addresses.map(|address| address.to_string()).collect();
    records.dedup();
    let what = kind.map_or("address".into(), |kind| format!("{} record", kind.name()));
    Ok(Reply { elapsed: started.elapsed(), ..dns::reply(0, records, None, &what) })
}

/// The records of a name as a server tells them; the system's servers are asked in turn, if none is
/// given. Over UDP, and over TCP what does not fit (RFC 1035, section 4.2).
///
/// # Errors
/// When none answers in time, or what comes is no answer.
pub fn ask(
    name: &str,
    kind: Kind,
    server: Option<SocketAddr>,
    limit: Duration,
) -> Result<Reply, ProbeFailure> {
    let started = Moment::now();
    let wrong = |message: String| failed(started, FailureKind::NotAsked, message);
    let question = dns::question(clock::seed() as u16, name, kind).map_err(wrong)?;
    let servers = server.map_or_else(system, |server| vec![server]);
    if servers.is_empty() {
        return Err(wrong("/etc/resolv.conf names no server; write `server`".into()));
    }
    let mut last = failed(started, FailureKind::Timeout, "timed out".into());
    // In turn, until the time is over: each gets a moment.
    for server in servers.iter().cycle() {
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            break;
        }
        let answer = match datagram(*server, &question, left.min(PATIENCE)) {
            Ok(answer) if answer.is_cut => {
                stream(*server, &question, limit.saturating_sub(started.elapsed()))?
            }
            Ok(answer) => answer,
            Err(error) if tcp::kind_of(&error) == FailureKind::Timeout => continue,
            Err(error) => {
                last = failed(started, tcp::kind_of(&error), tcp::words(&error));
                if servers.len() == 1 {
                    break;
                }
                continue;
            }
        };
        let what = format!("{} record", kind.name());
        let reply = dns::reply(answer.code, answer.records, answer.ttl, &what);
        return Ok(Reply { elapsed: started.elapsed(), ..reply });
    }
    Err(ProbeFailure { elapsed: started.elapsed(), ..last })
}

fn failed(started: Moment, kind: FailureKind, message: String) -> ProbeFailure {
    ProbeFailure { kind, message, elapsed: started.elapsed() }
}

fn datagram(server: SocketAddr, question: &[u8], limit: Duration) -> io::Result<Answer> {
    let started = Moment::now();
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // From now on only this server is heard.
    socket.connect(server)?;
    socket.send(question)?;
    let mut bytes = [0; DATAGRAM];
    loop {
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let count = socket.recv(&mut bytes)?;
        if let Some(answer) = dns::read(question, &bytes[..count]) {
            return answer.map_err(io::Error::other);
        }
    }
}

fn stream(server: SocketAddr, question: &[u8], limit: Duration) -> Result<Answer, ProbeFailure> {
    let mut talk = Talk::dial(&server.ip().to_string(), server.port(), limit, None)?;
    let size = (question.len() as u16).to_be_bytes();
    talk.say(&[&size, question].concat())?;
    talk.hear(2 + usize::from(u16::MAX), |bytes| {
        let Some((size, rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        let size = usize::from(u16::from_be_bytes(*size));
        let Some(whole) = rest.get(..size) else { return Ok(None) };
        match dns::read(question, whole) {
            Some(Ok(answer)) if !answer.is_cut => Ok(Some((answer, size + 2))),
            Some(Err(why)) => Err(why),
            _ => Err("what came over TCP is no whole answer to the question".into()),
        }
    })
}

/// The system's servers (resolv.conf(5)); at most three are, as there.
fn system() -> Vec<SocketAddr> {
    let text = files::read("/etc/resolv.conf").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        Some(SocketAddr::new(address.parse().ok()?, 53))
    });
    servers.take(3).collect()
}
