//! The system's `ssh`: one process for each connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Moment;
use super::signals::Cancel;

/// A longer line is no word of ours: a report with the answers of many checks stays far below.
const LONGEST: u64 = 64 << 20;
/// Lines that wait to be taken.
const WAITING: usize = 64;
/// Bytes that are passed to `ssh` at once, and how many such pieces wait for it.
const CHUNK: usize = 64 << 10;
const QUEUED: usize = 16;
/// How long `ssh` may take nothing of what is sent: it passes on some 100 KiB at once, so that a line
/// with 2 KiB a second still does.
const STALLED: Duration = Duration::from_secs(60);
/// What is kept of what `ssh` says on standard error: its end.
const KEPT: usize = 16 << 10;
/// How long `ssh` may take to end after its input was closed.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);

/// A connection: a program on another machine, by its lines.
#[derive(Debug)]
pub struct Connection {
    child: Child,
    input: Option<SyncSender<Vec<u8>>>,
    lines: Receiver<io::Result<String>>,
    said: Arc<Mutex<Vec<u8>>>,
}

/// What came of waiting for a line.
#[derive(Debug)]
pub enum Heard {
    /// A line.
    Line(String),
    /// Nothing, in that time.
    Nothing,
    /// The other side has gone.
    End,
}

impl Connection {
    /// Starts `ssh` with these arguments. It is in a process group of its own: what ends us from a
    /// terminal must reach it in an orderly way.
    ///
    /// # Errors
    /// When there is no `ssh`.
    pub fn start(arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new("ssh");
        command.args(arguments);
        Self::of(command)
    }

    fn of(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        own_group(&mut command);
        let mut child = command.spawn()?;
        let (sender, lines) = sync_channel(WAITING);
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                while let Some(line) = read_line(&mut stdout).transpose() {
                    let is_over = line.is_err();
                    if sender.send(line).is_err() || is_over {
                        return;
                    }
                }
            });
        }
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        if let Some(mut stderr) = child.stderr.take() {
            let said = said.clone();
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.extend_from_slice(&chunk[..count]);
                    let excess = said.len().saturating_sub(KEPT);
                    said.drain(..excess);
                }
            });
        }
        let (input, chunks) = sync_channel::<Vec<u8>>(QUEUED);
        if let Some(mut stdin) = child.stdin.take() {
            // Its pipe may be full for as long as it likes: nobody else waits for it.
            std::thread::spawn(move || {
                while let Ok(chunk) = chunks.recv() {
                    if stdin.write_all(&chunk).and_then(|()| stdin.flush()).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, input: Some(input), lines, said })
    }

    /// The next line, if it comes in time.
    ///
    /// # Errors
    /// When what comes is no text, or endless.
    pub fn hear(&self, limit: Duration) -> io::Result<Heard> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => line.map(Heard::Line),
            Err(RecvTimeoutError::Timeout) => Ok(Heard::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Heard::End),
        }
    }

    /// Sends a line.
    ///
    /// # Errors
    /// When the connection is gone, or takes nothing any more.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        self.writer(&|| Ok(())).write_all(format!("{line}\n").as_bytes())
    }

    /// What can be written to, for large things: for as long as `ssh` takes some of it now and then,
    /// and what is asked again and again gives no error.
    pub fn writer<'a>(&'a self, watch: &'a dyn Fn() -> io::Result<()>) -> impl Write + 'a {
        Writer { input: self.input.as_ref(), watch, patience: STALLED }
    }

    /// Ends it: closes our side, and does not wait for long. Gives its exit code, and what it said
    /// on standard error.
    pub fn end(&mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let (started, nobody) = (Moment::now(), Cancel::default());
        let mut code = None;
        while code.is_none() {
            match self.child.try_wait() {
                Ok(Some(status)) => code = Some(status.code()),
                Ok(None) if started.elapsed() < GRACE => drop(nobody.sleep(TICK)),
                _ => {
                    self.child.kill().unwrap_or_default();
                    code = Some(self.child.wait().ok().and_then(|status| status.code()));
                }
            }
        }
        // What it said last may still be in the pipe.
        nobody.sleep(TICK);
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        (code.flatten(), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

struct Writer<'a> {
    input: Option<&'a SyncSender<Vec<u8>>>,
    watch: &'a dyn Fn() -> io::Result<()>,
    patience: Duration,
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK);
        let input = self.input.ok_or(io::ErrorKind::BrokenPipe)?;
        let (started, nobody) = (Moment::now(), Cancel::default());
        let mut chunk = bytes[..count].to_vec();
        loop {
            (self.watch)()?;
            chunk = match input.try_send(chunk) {
                Ok(()) => return Ok(count),
                Err(TrySendError::Disconnected(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(TrySendError::Full(chunk)) => chunk,
            };
            if started.elapsed() >= self.patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            nobody.sleep(TICK);
        }
    }

    /// Whatever is taken is passed on.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line without its end; none at the end of the stream, where half a line says nothing.
///
/// # Errors
/// When it is no text, or too long.
pub fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        let too_long = bytes.len() as u64 + 1 >= LONGEST;
        return if too_long { Err(io::Error::other("a line is too long")) } else { Ok(None) };
    }
    String::from_utf8(bytes).map(Some).map_err(io::Error::other)
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn saying(script: &str) -> io::Result<Connection> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        own_group(&mut command);
        Connection::of(command)
    }

    #[test]
    fn d11_what_is_sent_arrives_in_order_and_is_waited_for_no_longer_than_makes_sense() {
        let mut counting =
            saying("head -c 3000000 | sha256sum; read -r line; echo \"$line\"").unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        counting.writer(&|| Ok(())).write_all(&bytes).unwrap();
        counting.send("the end").unwrap();
        let mut digest = crate::host::files::Digester::default();
        digest.write_all(&bytes).unwrap();
        let hear = || counting.hear(Duration::from_secs(60)).unwrap();
        let Heard::Line(sum) = hear() else { panic!("no sum") };
        assert_eq!(sum, format!("{}  -", digest.hex()));
        assert!(matches!(hear(), Heard::Line(line) if line == "the end"));

        let mut deaf = saying("exec sleep 600").unwrap();
        let patience = Duration::from_millis(50);
        let mut writer = Writer { input: deaf.input.as_ref(), watch: &|| Ok(()), patience };
        let error = writer.write_all(&bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = deaf.writer(&|| Err(io::Error::other("left"))).write_all(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "left");
        assert_eq!(deaf.end().0, None, "it is killed");
    }
}
