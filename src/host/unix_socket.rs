//! One question and its answer over a Unix socket, as HAProxy's runtime socket has them.

use std::io;
use std::time::Duration;

/// Longer answers are refused: ten thousand servers fit.
#[cfg(unix)]
const LARGEST: usize = 4 << 20;

/// Sends a line and reads until the other side closes; all of it within `limit`.
///
/// # Errors
/// When nothing listens there, the time is over, the answer is empty, larger than 4 MiB or no
/// UTF-8; or where there are no such sockets.
#[cfg(unix)]
pub fn ask(socket: &str, line: &str, limit: Duration) -> io::Result<String> {
    use std::io::{Read, Write};
    let started = super::clock::Moment::now();
    let left = || match limit.saturating_sub(started.elapsed()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut stream = connect(socket, limit)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        stream.set_read_timeout(Some(left()?))?;
        let count = match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        answer.extend_from_slice(&chunk[..count]);
        if answer.len() > LARGEST {
            return Err(io::Error::other("the answer is larger than 4 MiB"));
        }
    }
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(answer)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the answer is not UTF-8 text"))
}

/// Connecting has no time-out of its own, and waits for as long as the other side's queue is
/// full; a thread that it holds up is left behind.
#[cfg(unix)]
fn connect(socket: &str, limit: Duration) -> io::Result<std::os::unix::net::UnixStream> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let path = socket.to_owned();
    std::thread::spawn(move || {
        // Nobody listens any more when it took too long.
        sender.send(std::os::unix::net::UnixStream::connect(path)).unwrap_or_default();
    });
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Elsewhere there are none that the standard library knows.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn ask(_: &str, _: &str, _: Duration) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are no Unix sockets on this system"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    /// What `ask` gives when the other side does this with the connection.
    fn answered(
        limit: Duration,
        serve: impl FnOnce(&mut std::os::unix::net::UnixStream) + Send + 'static,
    ) -> io::Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            serve(&mut stream);
            stream
        });
        let answer = ask(path.to_str().unwrap(), "show info", limit);
        drop(server.join());
        answer
    }

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn a_line_is_answered_until_the_other_side_closes() {
        let answer = answered(LONG, |stream| {
            let mut line = [0; 10];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(b"you said ").unwrap();
            stream.write_all(&line).unwrap();
            stream.shutdown(std::net::Shutdown::Both).unwrap();
        });
        assert_eq!(answer.unwrap(), "you said show info\n");
    }

    #[test]
    fn silence_dripping_and_nothing_are_errors() {
        let kind = |answer: io::Result<String>| answer.unwrap_err().kind();
        let late = [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock];
        assert!(late.contains(&kind(answered(SHORT, |_| {}))), "the stream stays open");
        let dripping = answered(SHORT, |stream| while stream.write_all(b".").is_ok() {});
        assert!(dripping.is_err(), "an answer without end");
        let closed = answered(LONG, |stream| {
            stream.read_exact(&mut [0; 10]).unwrap();
            stream.shutdown(std::net::Shutdown::Both).unwrap();
        });
        assert_eq!(kind(closed), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(ask("/nowhere/socket", "x", LONG)), io::ErrorKind::NotFound);
    }
}
