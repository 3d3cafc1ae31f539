//! Servers of one answer each, in this process, and the request itself without any program.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// What a server answers, and when.
pub(crate) struct Answer {
    whole: Vec<u8>,
    pause: Duration,
}

impl Answer {
    pub(crate) fn new(kind: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let size = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        );
        Self { whole: [head.as_bytes(), body].concat(), pause: Duration::ZERO }
    }

    pub(crate) fn after(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

/// Serves on a port that the kernel chose until the program ends.
pub(crate) fn serve(answer: Answer) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || accept(&listener, &Arc::new(answer)));
    Ok(address)
}

/// Answers every connection of a listener, each on a thread of its own.
pub(crate) fn accept(listener: &TcpListener, answer: &Arc<Answer>) {
    for connection in listener.incoming().flatten() {
        let answer = answer.clone();
        // Programs may leave before they have read everything.
        thread::spawn(move || respond(connection, &answer).unwrap_or_default());
    }
}

fn respond(mut connection: TcpStream, answer: &Answer) -> io::Result<()> {
    let mut asked = Vec::new();
    let mut part = [0; 4096];
    while !asked.windows(4).any(|window| window == b"\r\n\r\n") {
        match connection.read(&mut part)? {
            0 => return Ok(()),
            n => asked.extend_from_slice(&part[..n]),
        }
    }
    thread::sleep(answer.pause);
    let head_only = asked.starts_with(b"HEAD ");
    let body = answer.whole.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
    let end = body.filter(|_| head_only).unwrap_or(answer.whole.len());
    connection.write_all(&answer.whole[..end])
}

/// How long one request over a fresh connection takes when no program is started for it.
pub(crate) fn request(address: SocketAddr) -> io::Result<Duration> {
    let started = Instant::now();
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(started.elapsed())
    } else {
        Err(io::Error::other("the server of the measurement did not answer"))
    }
}
