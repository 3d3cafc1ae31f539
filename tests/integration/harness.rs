//! Runs our programs in an environment of their own, and serves them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

/// A program of ours, to be run in a temporary folder with nothing but what the test gives it.
pub(crate) struct Program {
    command: Command,
    folder: Arc<TempDir>,
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new(name: &str) -> Self {
        Self::within(name, &Arc::new(TempDir::new().unwrap()))
    }

    /// In a folder that the test has already.
    pub(crate) fn within(name: &str, folder: &Arc<TempDir>) -> Self {
        let mut command = Command::new(program(name));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command, folder: folder.clone() }
    }

    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(
        mut self,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let file = self.folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        self
    }

    /// Another command in the same environment and folder.
    pub(crate) fn like(&self, mut other: Command) -> Command {
        other.env_clear().current_dir(self.folder.path());
        let own = self.command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        other.envs(own).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        other
    }

    pub(crate) fn run(mut self) -> Ran {
        Ran::of(self.command.output().unwrap())
    }

    /// Starts it and goes on.
    pub(crate) fn start(mut self) -> (Child, Arc<TempDir>) {
        (self.command.spawn().unwrap(), self.folder)
    }
}

impl Ran {
    pub(crate) fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The report, of a run with `--json`.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Where a program of ours was built.
fn program(name: &str) -> &'static str {
    match name {
        "wait-healthy" => env!("CARGO_BIN_EXE_wait-healthy"),
        "notify-incident" => env!("CARGO_BIN_EXE_notify-incident"),
        "smoke-test" => env!("CARGO_BIN_EXE_smoke-test"),
        "waveoff" => env!("CARGO_BIN_EXE_waveoff"),
        "evaluate-rollback" => env!("CARGO_BIN_EXE_evaluate-rollback"),
        other => panic!("there is no program {other}"),
    }
}

/// Sends a signal by the `kill` of the system.
pub(crate) fn signal(child: &Child, signal: &str) {
    let done = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

/// The signals that cancel; without SIGHUP where the tests themselves run under `nohup`.
pub(crate) fn signals() -> Vec<&'static str> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap_or("0").trim(), 16).unwrap();
    let all = ["-INT", "-TERM", "-HUP"].into_iter();
    all.filter(|name| *name != "-HUP" || ignored & 1 == 0).collect()
}

pub(crate) fn exists(folder: &TempDir, name: &str) -> bool {
    folder.path().join(name).exists()
}

pub(crate) fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// A request that a server got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

/// A server on a port that the kernel chose; it answers until the test ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers every request with what the handler makes of it: a status, headers and a body.
    pub(crate) fn new(
        handler: impl Fn(&Request, usize) -> (u16, String, String) + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let port = serve("127.0.0.1:0", move |mut stream| {
            let Some(request) = read_request(&mut stream) else { return };
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(request.clone());
                seen.len()
            };
            let (status, headers, body) = handler(&request, number);
            let head = format!(
                "HTTP/1.1 {status} Test\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
                body.len()
            );
            // The client may have gone away on purpose.
            let _ =
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        });
        Self { port, requests }
    }

    /// Lets the handler talk to each connection as it likes, after the request was read.
    pub(crate) fn raw(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let port = serve("127.0.0.1:0", move |mut stream| {
            if read_request(&mut stream).is_some() {
                handler(stream);
            }
        });
        Self { port, requests: Arc::default() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// Serves each connection in a thread of its own; returns the port.
pub(crate) fn serve(address: &str, handler: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    let handler = Arc::new(handler);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handler = handler.clone();
            std::thread::spawn(move || handler(stream));
        }
    });
    port
}

/// A port on which nothing listens, and on which nobody else will: it is below those that the
/// kernel gives to whoever asks for any, and no two tests get the same one.
pub(crate) fn closed_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id().wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (next % 22_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Reads a request up to its end; nothing when there is none.
pub(crate) fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Request { line: line.trim_end().to_owned(), headers, body })
}
