//! What it is besides a server: a worker, a probe, and a process that is told to end.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;
use std::{process, thread};

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

use crate::faults::Fault;
use crate::options::Options;

/// The file in the data's folder with a line for each start.
pub(crate) const STARTS: &str = "starts";

/// Adds the version to the data, which outlive it.
pub(crate) fn remember(folder: &Path, version: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join(STARTS))?;
    file.write_all(format!("{version}\n").as_bytes())
}

/// Does nothing, as its version, until it is told to end.
pub(crate) fn work(options: &Options) -> io::Result<()> {
    println!("works as {}", options.version);
    io::stdout().flush()?;
    if let Some(seconds) = options.faults.number(Fault::CrashAfter) {
        crate::crash_after(seconds);
    }
    at_the_end(options.faults.has(Fault::Deaf), || {})?;
    loop {
        thread::park();
    }
}

/// Whether the service on this machine's port answers with 200.
pub(crate) fn probe(port: u16, path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    println!("{status}");
    let good = status.split(' ').nth(1) == Some("200");
    good.then_some(()).ok_or_else(|| io::Error::other(format!("{path} is not well: {status}")))
}

/// Ends the process with 0 at SIGTERM, after this was done; one that is deaf goes on. The first
/// process of a container has to do this itself: nothing ends it otherwise.
pub(crate) fn at_the_end(deaf: bool, finish: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if deaf {
                println!("is deaf, as the fault asks");
                continue;
            }
            finish();
            process::exit(0);
        }
    });
    Ok(())
}
