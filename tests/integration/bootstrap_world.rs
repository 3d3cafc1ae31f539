//! A checkout of the actions, the machine they run on, and the server that has their release.

use std::fs;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::harness::{Request, read_request, serve};
use crate::parts::part;

/// The platform that every test machine says it is.
pub(crate) const PLATFORM: &str = "aarch64-unknown-linux-musl";

/// Stands in for cargo: notes that it was asked, takes a moment, and "builds" a script.
const CARGO: &str = r#"#!/bin/sh
echo "$*" >>"$HOME/builds"
while [ $# -gt 0 ]; do
  case $1 in
    --bin) name=$2 ;;
    --target-dir) target=$2 ;;
  esac
  shift
done
sleep 0.1
mkdir -p "$target/release"
printf '#!/bin/sh\necho "%s $$" "$@"\n' "$name" >"$target/release/$name"
chmod +x "$target/release/$name"
"#;

/// A checkout of the actions and the machine they run on, in a folder whose name has spaces.
pub(crate) struct Machine {
    shell: Vec<PathBuf>,
    folder: TempDir,
}

impl Machine {
    pub(crate) fn new(shell: &[PathBuf]) -> Self {
        let folder = tempfile::Builder::new().prefix("a b ").tempdir().unwrap();
        let machine = Self { shell: shell.to_vec(), folder };
        for name in ["install.sh", "obtain.sh", "run.sh", "VERSION", "REPOSITORY", "MANIFEST"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("bootstrap").join(name);
            machine.write(&format!("own/bootstrap/{name}"), &fs::read_to_string(from).unwrap());
        }
        for name in ["Cargo.toml", "Cargo.lock", "src/a main.rs"] {
            machine.write(&format!("own/{name}"), name);
        }
        machine.program("cargo/cargo", CARGO);
        machine.write("temp/.keep", "");
        machine.write("home/.keep", "");
        // What a release would have written; the checkout of this test may be a branch.
        machine.write("own/bootstrap/MANIFEST", "# none\n");
        machine.write("own/bootstrap/VERSION", "1.2.3\n");
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.shell[0]);
        command
            .args(&self.shell[1..])
            .arg(self.path(script))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("cargo").display()))
            .env("HOME", self.path("home"))
            .env("RUNNER_TOOL_CACHE", self.path("tools"))
            .env("RUNNER_TEMP", self.path("temp"))
            .env("RUNNER_OS", "Linux")
            .env("RUNNER_ARCH", "ARM64")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn install(&self, arguments: &[&str]) -> Output {
        self.command("own/bootstrap/install.sh", arguments).output().unwrap()
    }

    pub(crate) fn builds(&self) -> usize {
        fs::read_to_string(self.path("home/builds")).unwrap_or_default().lines().count()
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs a test on a new machine per shell that is here.
pub(crate) fn under_every_shell(test: impl Fn(&Machine)) {
    for shell in ["dash", "busybox", "bash"] {
        let Some(program) = part(shell) else { continue };
        // As bash is where it is called sh.
        let arguments = match shell {
            "busybox" => Some("sh"),
            "bash" => Some("--posix"),
            _ => None,
        };
        let arguments = arguments.map(PathBuf::from);
        let shell: Vec<_> = std::iter::once(program).chain(arguments).collect();
        test(&Machine::new(&shell));
    }
}

/// What the bootstrap uses besides the shell, and does not download with.
const TOOLS: [&str; 25] = [
    "awk",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "dirname",
    "env",
    "find",
    "gzip",
    "head",
    "id",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sort",
    "tail",
    "timeout",
    "tr",
    "uname",
    "xz",
];

impl Machine {
    /// A folder for `PATH` with all that is needed but cargo, and of the programs that download
    /// only those that are named. Nobody waits there before trying again.
    pub(crate) fn tools(&self, downloaders: &[&str]) -> PathBuf {
        let folder = self.path(&format!("only {}", downloaders.join(" ")));
        if folder.exists() {
            return folder;
        }
        fs::create_dir_all(&folder).unwrap();
        for name in TOOLS.iter().chain(downloaders) {
            // "wget=busybox" is BusyBox under that name.
            let (name, target) = name.split_once('=').unwrap_or((name, name));
            let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(target));
            if let Some(found) = found.into_iter().find(|file| file.exists()) {
                symlink(found, folder.join(name)).unwrap();
            }
        }
        self.program(folder.join("sleep").to_str().unwrap(), "#!/bin/sh\nexit 0\n");
        folder
    }

    /// A program that says who it is; its text is what a release has of it.
    pub(crate) fn fake(name: &str) -> Vec<u8> {
        format!("#!/bin/sh\necho \"{name} $$\" \"$@\"\n").into_bytes()
    }

    /// Publishes a program: `MANIFEST` knows it and its archive, which is returned.
    pub(crate) fn publish(&self, name: &str) -> Vec<u8> {
        let program = Self::fake(name);
        let archive = gzip(&program);
        self.release(name, &program, &archive);
        archive
    }

    /// Writes into `MANIFEST` what a program and its archive have to be.
    pub(crate) fn release(&self, name: &str, program: &[u8], archive: &[u8]) {
        let manifest = self.path("own/bootstrap/MANIFEST");
        let mut text = fs::read_to_string(&manifest).unwrap();
        for (content, suffix) in [(program, ""), (archive, ".gz")] {
            text += &format!("{}  {PLATFORM}/{name}{suffix}\n", sha256(content));
        }
        fs::write(manifest, text).unwrap();
    }

    /// `install.sh` for a release that is on a server.
    pub(crate) fn installs(&self, name: &str, from: &Releases, downloaders: &[&str]) -> Command {
        let mut command = self.command("own/bootstrap/install.sh", &[name]);
        command.env("PATH", self.tools(downloaders)).env("WAVEOFF_RELEASE_URL", from.url());
        command
    }

    /// What was left half done in a folder.
    pub(crate) fn leftovers(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let half = |name: &String| name.starts_with('.') || name.starts_with("waveoff.");
        names.filter(half).filter(|name| name != ".keep" && !name.ends_with(".complete")).collect()
    }
}

pub(crate) fn sha256(content: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// What a server does with a request.
pub(crate) enum Answer {
    Whole(Vec<u8>),
    Status(u16),
    /// Is elsewhere, as GitHub's files are.
    At(String),
    /// Promises all of it, and sends half.
    Cut(Vec<u8>),
    /// Promises it, and sends nothing until the other side goes away.
    Stall,
}

/// The files of a release, on a port of their own.
pub(crate) struct Releases {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Releases {
    /// Answers by the path and by how many requests there were before.
    pub(crate) fn new(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let port = serve("127.0.0.1:0", move |mut stream| {
            let Some(request) = read_request(&mut stream) else { return };
            let before = {
                let mut seen = seen.lock().unwrap();
                seen.push(request.clone());
                seen.len() - 1
            };
            respond(&mut stream, answer(request.path(), before));
        });
        Self { port, requests }
    }

    /// The same archive for every request.
    pub(crate) fn of(archive: &[u8]) -> Self {
        let archive = archive.to_vec();
        Self::new(move |_, _| Answer::Whole(archive.clone()))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/downloads/", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The names of the files that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        let name = |request: &Request| request.path().rsplit('/').next().unwrap().to_owned();
        self.requests().iter().map(name).collect()
    }
}

/// The client may go away at any time.
fn respond(stream: &mut TcpStream, answer: Answer) {
    let mut place = String::new();
    let (status, promised, sent) = match answer {
        Answer::Whole(body) => (200, body.len(), body),
        Answer::Status(status) => (status, 0, Vec::new()),
        Answer::At(url) => {
            place = format!("Location: {url}\r\n");
            (302, 0, Vec::new())
        }
        Answer::Cut(body) => (200, body.len(), body[..body.len() / 2].to_vec()),
        Answer::Stall => (200, 1 << 20, Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status} Test\r\nContent-Length: {promised}\r\nConnection: close\r\n{place}\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&sent));
    if promised > sent.len() && sent.is_empty() {
        let _ = std::io::copy(stream, &mut std::io::sink());
    }
    let _ = stream.shutdown(Shutdown::Write);
}
