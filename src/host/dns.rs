//! Asks for the records of a name: the system's resolver, or a server of the domain name system.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::clock::{self, Moment};
use super::signals::Cancel;
use super::talk::Talk;
use super::{files, tcp};
use crate::decide::dns::{self, Answer, Kind};
use crate::decide::observation::{FailureKind, ProbeFailure, Reply};

/// What comes in one datagram without EDNS, and a little more than that.
const DATAGRAM: usize = 4096;
/// After so long without an answer the question is asked again: datagrams get lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between the first two rounds of questions; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

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
    let what = format!("{} record", kind.name());
    let told = in_turn(&servers, &question, started, limit).map(|answer| {
        let reply = dns::reply(answer.code, answer.records, answer.ttl, &what);
        Reply { elapsed: started.elapsed(), ..reply }
    });
    told.map_err(|failure| ProbeFailure { elapsed: started.elapsed(), ..failure })
}

/// Asks one after the other, round after round, until one knows it, none is worth another question,
/// or the time is over: then the last word counts that one said.
fn in_turn(
    servers: &[SocketAddr],
    question: &[u8],
    started: Moment,
    limit: Duration,
) -> Result<Answer, ProbeFailure> {
    let left = || limit.saturating_sub(started.elapsed());
    let mut last = Err(failed(started, FailureKind::Timeout, "timed out".into()));
    let mut pause = PAUSE;
    loop {
        let mut is_over = true;
        for server in servers {
            if left().is_zero() {
                return last;
            }
            match one(*server, question, left(), servers.len() > 1) {
                Ok(answer) if dns::is_known(answer.code) => return Ok(answer),
                Err(failure) if failure.kind == FailureKind::Timeout => is_over = false,
                word => last = word,
            }
        }
        if is_over {
            return last;
        }
        Cancel::default().sleep(pause.min(left()));
        pause *= 2;
    }
}

/// Asks one server; it gets a moment, and for a stream half the time where others wait behind it.
fn one(
    server: SocketAddr,
    question: &[u8],
    left: Duration,
    has_others: bool,
) -> Result<Answer, ProbeFailure> {
    let started = Moment::now();
    let answer = datagram(server, question, left.min(PATIENCE));
    let answer =
        answer.map_err(|error| failed(started, tcp::kind_of(&error), tcp::words(&error)))?;
    if !answer.is_cut {
        return Ok(answer);
    }
    let left = left.saturating_sub(started.elapsed());
    stream(server, question, if has_others { left / 2 } else { left })
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// A server that answers every datagram with this code, cut off or not, until the test ends.
    fn server(code: u8, is_cut: bool) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((count, peer)) = socket.recv_from(&mut bytes) {
                let flags = [0x81 | u8::from(is_cut) << 1, 0x80 | code];
                let head = [&bytes[..2], &flags, &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
                socket.send_to(&[&head, &bytes[12..count]].concat(), peer).unwrap();
            }
        });
        address
    }

    fn asked(servers: &[SocketAddr]) -> Result<u8, FailureKind> {
        let question = dns::question(7, "a.test", Kind::A).unwrap();
        let started = Moment::now();
        let told = in_turn(servers, &question, started, LIMIT);
        assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
        told.map(|answer| answer.code).map_err(|failure| failure.kind)
    }

    #[test]
    fn p8_a_name_server_that_does_not_help_leads_to_the_next_one() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (well, broken, refuses) = (server(0, false), server(2, false), server(5, false));
        let cut = server(0, true);
        assert_eq!(asked(&[closed, well]), Ok(0));
        assert_eq!(asked(&[broken, refuses, well]), Ok(0));
        assert_eq!(asked(&[cut, server(3, false)]), Ok(3), "nobody listens for its stream");
        // When none helps, the last word counts, and nobody is asked again and again.
        assert_eq!(asked(&[closed, broken, refuses]), Ok(5));
        assert_eq!(asked(&[refuses, closed, closed]), Err(FailureKind::Refused));
    }

    #[test]
    fn p8_silent_name_servers_are_asked_again_after_a_pause() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let question = dns::question(7, "a.test", Kind::A).unwrap();
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let servers = [closed, silent.local_addr().unwrap()];
        let limit = Duration::from_millis(2500);
        let told = in_turn(&servers, &question, Moment::now(), limit).unwrap_err();
        assert_eq!(told.kind, FailureKind::Refused, "the word of the one that said something");
        silent.set_nonblocking(true).unwrap();
        let count = std::iter::from_fn(|| silent.recv(&mut [0; 512]).ok()).count();
        assert!((2..=3).contains(&count), "{count}");
    }
}
