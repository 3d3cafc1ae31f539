//! The system's `ssh`: one process for each connection, with its options in a private folder that
//! goes away with it.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Moment;
use super::process::{self, Started};
use super::{env, files, pid};

/// A longer line is no word of ours: a report with the answers of many checks stays far below.
const LONGEST: u64 = 64 << 20;
/// Lines that wait to be taken.
const WAITING: usize = 64;
/// What is kept of what `ssh` says on standard error: its end.
const KEPT: usize = 16 << 10;
/// How long `ssh` may take to end after its input was closed.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);

/// A private folder for what `ssh` reads from files: its options, a key, keys of hosts. Its name
/// says whose it is, so that what was left by a process that was killed is found and removed.
#[derive(Debug)]
pub struct Kit {
    folder: PathBuf,
}

impl Kit {
    /// Makes one, after removing those whose process is gone.
    ///
    /// # Errors
    /// When it cannot be made, or is somebody else's.
    pub fn new() -> io::Result<Self> {
        let base = base();
        private_folder(&base)?;
        remove_orphans(&base);
        let Started { pid, ticks } = pid::this();
        let ticks = ticks.map_or("-".to_owned(), |ticks| ticks.to_string());
        let prefix = format!("{pid}.{ticks}.");
        let mut builder = tempfile::Builder::new();
        let folder = only_ours(builder.prefix(&prefix)).tempdir_in(&base)?;
        Ok(Self { folder: folder.keep() })
    }

    /// Where a file of that name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that only its owner may read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        owner_only(&mut options);
        options.open(self.path(name))?.write_all(text.as_bytes())
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        // The next one removes what cannot be removed now.
        files::remove_folder(&self.folder).unwrap_or_default();
    }
}

/// The folder of all kits: in memory where the system has such a place. `ssh` hands the names of
/// these files to a shell when it goes through another machine, so that they must be plain.
fn base() -> PathBuf {
    let is_plain = |path: &PathBuf| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        path.is_absolute() && path.to_string_lossy().chars().all(plain)
    };
    let runtime = env::var("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    let state = env::var("XDG_STATE_HOME").map(PathBuf::from);
    let home = env::var("HOME").map(|home| Path::new(&home).join(".local/state"));
    let found = [runtime, state, home].into_iter().flatten().find(is_plain);
    match found {
        Some(folder) => folder.join("waveoff-ssh"),
        None => PathBuf::from(format!("/tmp/waveoff-ssh-{}", user())),
    }
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Elsewhere temporary folders are the user's own.
#[cfg(not(unix))]
fn user() -> u32 {
    0
}

/// Makes a folder that is only ours, or makes sure of that.
#[cfg(unix)]
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != user() || found.mode() & 0o077 != 0 {
        let why = format!("{} is not a folder that is only yours", path.display());
        return Err(io::Error::other(why));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// The same, not as the umask says.
#[cfg(unix)]
fn only_ours<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
) -> &'c mut tempfile::Builder<'a, 'b> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn only_ours<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
) -> &'c mut tempfile::Builder<'a, 'b> {
    builder
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

/// Removes the kits whose process is gone.
fn remove_orphans(base: &Path) {
    for name in files::names(base).unwrap_or_default() {
        let mut words = name.split('.');
        let pid = words.next().and_then(|pid| pid.parse().ok());
        let ticks = words.next().and_then(|ticks| ticks.parse().ok());
        let owner = pid.map(|pid| Started { pid, ticks });
        if owner.is_some_and(|owner| !process::is_alive(owner)) {
            files::remove_folder(base.join(name)).unwrap_or_default();
        }
    }
}

/// A connection: a program on another machine, by its lines.
#[derive(Debug)]
pub struct Connection {
    child: Child,
    stdin: Option<ChildStdin>,
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
        command.args(arguments).stdin(Stdio::piped());
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
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, lines, said })
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
    /// When the connection is gone.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        self.copy(&mut line.as_bytes())?;
        self.copy(&mut b"\n".as_slice())?;
        Ok(())
    }

    /// Sends all that can be read; gives how much that was.
    ///
    /// # Errors
    /// When it cannot be read, or the connection is gone.
    pub fn copy(&mut self, from: &mut impl Read) -> io::Result<u64> {
        let stdin = self.stdin.as_mut().ok_or_else(|| io::Error::other("it is closed"))?;
        let count = io::copy(from, stdin)?;
        stdin.flush()?;
        Ok(count)
    }

    /// What can be written to, for large things.
    pub fn writer(&mut self) -> impl Write + '_ {
        Writer(self.stdin.as_mut())
    }

    /// Ends it: closes our side, and does not wait for long. Gives its exit code, and what it said
    /// on standard error.
    pub fn end(&mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let (started, nobody) = (Moment::now(), super::signals::Cancel::default());
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

struct Writer<'a>(Option<&'a mut ChildStdin>);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Err(io::Error::other("it is closed")), |stdin| stdin.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |stdin| stdin.flush())
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

    #[test]
    fn d11_a_kit_is_private_and_goes_with_its_process() {
        use std::os::unix::fs::PermissionsExt;
        let base = base();
        private_folder(&base).unwrap();
        // A process that has surely gone: ids end far below.
        let orphan = base.join("4194999.1.abc");
        fs::create_dir_all(&orphan).unwrap();
        let kit = Kit::new().unwrap();
        assert!(!orphan.exists(), "what a killed one left is removed");
        kit.write("key", "text").unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(kit.path("key")), mode(kit.folder.clone())), (0o600, 0o700));
        let folder = kit.folder.clone();
        drop(Kit::new().unwrap());
        assert!(folder.exists(), "a living process keeps its own");
        drop(kit);
        assert!(!folder.exists());
    }

    #[test]
    fn d11_a_folder_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kits");
        private_folder(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private_folder(&path).is_err());
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        assert!(private_folder(&folder.path().join("link")).is_err());
    }
}
