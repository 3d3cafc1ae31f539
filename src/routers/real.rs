//! A private world for the routers' tests: services that say their names, a router that is
//! started in the foreground and stopped when the test ends, and what it answers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::parts;
use crate::commands::Session;
use crate::config::values::Argv;
use crate::decide::plan::{Route, Slot};
use crate::deploy::commands::Commands;
use crate::deploy::{Scope, State};
use crate::host::clock::Moment;
use crate::host::files;
use crate::host::process::{self, CommandSpec, Started};
use crate::host::signals::Cancel;

/// A folder, and a session of its own.
pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) session: Session,
}

impl World {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), session: Session::silent() }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> String {
        files::replace(self.path(name), text.as_bytes()).unwrap();
        self.path(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        files::read_text(self.path(name)).unwrap()
    }

    pub(super) fn commands(&self) -> Commands<'_> {
        Commands::new(&self.session, PathBuf::from(self.path("command.pid")))
    }

    pub(super) fn state(&self) -> State {
        State::at(self.folder.path())
    }

    /// Starts a server of the system that stays in the foreground, until it answers on a port.
    pub(super) fn start(&self, argv: &Argv, port: u16) -> Running {
        let log = self.path("server.log");
        let process = process::start(&CommandSpec::new(argv.clone()), &log, |_| Ok(())).unwrap();
        let running = Running(process);
        until(&format!("{} on {port}", argv.show()), || {
            assert!(process::is_alive(process), "{}", files::read_text(&log).unwrap());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        running
    }
}

/// Stops what was started.
pub(super) struct Running(Started);

impl Drop for Running {
    fn drop(&mut self) {
        process::stop(self.0, Duration::from_secs(10)).unwrap();
    }
}

/// The path of a program of the system; the test ends without it (see `parts`).
pub(super) fn part(name: &str) -> Option<String> {
    Some(parts::part(name)?.display().to_string())
}

pub(super) fn scope() -> Scope {
    Scope::new("shop", "test").unwrap()
}

pub(super) fn argv<S: Into<String> + Clone>(words: &[S]) -> Argv {
    Argv(words.iter().cloned().map(Into::into).collect())
}

pub(super) fn slot(name: &str, port: u16) -> Slot {
    parts_of(name, &[("web", port)])
}

pub(super) fn parts_of(name: &str, ports: &[(&str, u16)]) -> Slot {
    let ports: BTreeMap<_, _> = ports.iter().map(|(name, port)| ((*name).into(), *port)).collect();
    Slot { name: name.into(), ports }
}

pub(super) fn to(slot: &Slot) -> Route {
    Route::Slot(slot.clone())
}

/// Slots in which services answer with the slot's name.
pub(super) fn served(names: &[&str]) -> Vec<Slot> {
    names.iter().map(|name| slot(name, serve(name))).collect()
}

/// A service that answers every request with this text, until the tests end; gives its port.
pub(super) fn serve(text: &str) -> u16 {
    serve_on(0, text)
}

/// The same, on this port.
pub(super) fn serve_on(port: u16, text: &str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let length = text.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                let mut writer = stream;
                // Keep-alive, until the other side goes away or asks for something else.
                while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
                    if line == "\r\n" && writer.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
    });
    port
}

/// What answers on a port: the body, or the status line of what is no success.
pub(super) fn get(port: u16) -> String {
    let mut text = String::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")?;
        stream.read_to_string(&mut text)
    });
    match (asked, text.split_once("\r\n\r\n")) {
        (Ok(_), Some((head, body))) if head.contains(" 200 ") => body.to_owned(),
        (Ok(_), Some((head, _))) => head.lines().next().unwrap_or_default().to_owned(),
        (other, _) => format!("{other:?}"),
    }
}

/// Waits for something that must come soon.
#[track_caller]
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let (started, nobody) = (Moment::now(), Cancel::default());
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what} did not come");
        nobody.sleep(Duration::from_millis(10));
    }
}

/// A port on which nothing listens, below those that the kernel gives to whoever asks for any.
pub(super) fn closed_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id().wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (next % 22_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
