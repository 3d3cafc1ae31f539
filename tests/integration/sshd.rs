//! A machine that is reached over ssh: a real sshd on loopback, with a home that is a temporary
//! folder and processes that nobody else sees, so that several of them are several machines.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Ran, closed_port};
use crate::parts::{part, skip};

/// The user that is logged in: nobody else may make what such a machine consists of.
pub(crate) const USER: &str = "root";

pub(crate) struct Sshd {
    pub(crate) port: u16,
    folder: TempDir,
    machine: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Sshd {
    /// A machine with nothing in its home; none where sshd is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// One whose commands are given these variables, such as those of an engine.
    pub(crate) fn with(variables: &[(&'static str, String)]) -> Option<Self> {
        part("sshd")?;
        if !rustix::process::geteuid().is_root() {
            skip("sshd", "only to be had by root");
            return None;
        }
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let port = closed_port();
        fs::write(folder.path().join("sshd_config"), config(&folder, port, variables)).unwrap();
        for key in ["host_key", "user_key"] {
            make_key(&folder.path().join(key));
        }
        let mut machine = machine(&folder);
        let (orders, answers) = (machine.stdin.take(), machine.stdout.take().unwrap());
        let answers = BufReader::new(answers);
        let mut sshd = Self { port, folder, machine, orders, answers };
        sshd.refuse_key(false);
        sshd.again();
        Some(sshd)
    }

    /// As `host:` names it.
    pub(crate) fn url(&self) -> String {
        format!("ssh://{USER}@127.0.0.1:{}", self.port)
    }

    /// What a known_hosts file says about it, when it is reached by this port.
    pub(crate) fn known_hosts(&self, port: u16) -> String {
        let key = fs::read_to_string(self.folder.path().join("host_key.pub")).unwrap();
        let words: Vec<_> = key.split_whitespace().take(2).collect();
        format!("[127.0.0.1]:{port} {}\n", words.join(" "))
    }

    /// The key that opens it.
    pub(crate) fn private_key(&self) -> String {
        fs::read_to_string(self.folder.path().join("user_key")).unwrap()
    }

    /// What lets that key in.
    pub(crate) fn public_key(&self) -> String {
        fs::read_to_string(self.folder.path().join("user_key.pub")).unwrap()
    }

    /// Takes another key instead of its own.
    pub(crate) fn take_key(&self, key: &str) {
        fs::write(self.folder.path().join("authorized_keys"), key).unwrap();
    }

    /// The user's home there, as it is found from here.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// What sshd said since it was started first.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Nobody answers any more; who is connected stays.
    pub(crate) fn stop(&mut self) {
        self.order("stop");
    }

    /// It answers again, with the key that it has now.
    pub(crate) fn again(&mut self) {
        self.order("start");
        let started = Instant::now();
        while !self.answers() {
            assert!(started.elapsed() < Duration::from_secs(30), "no sshd: {}", self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Cuts whoever is connected. What they started there is not touched.
    pub(crate) fn kill_sessions(&mut self) {
        self.order("sessions");
    }

    /// It is another machine, or somebody who says to be this one.
    pub(crate) fn change_host_key(&mut self) {
        self.stop();
        for file in ["host_key", "host_key.pub"] {
            fs::remove_file(self.folder.path().join(file)).unwrap();
        }
        make_key(&self.folder.path().join("host_key"));
        self.again();
    }

    /// Does not take the user's key, or takes it.
    pub(crate) fn refuse_key(&self, refuse: bool) {
        let keys = if refuse { String::new() } else { self.public_key() };
        self.take_key(&keys);
    }

    /// Runs a command line there, as a test does it.
    pub(crate) fn ran(&self, line: &str) -> Ran {
        let known = self.folder.path().join("known_hosts");
        fs::write(&known, self.known_hosts(self.port)).unwrap();
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]);
        ssh.arg(self.folder.path().join("user_key")).arg("-o");
        ssh.arg(format!("UserKnownHostsFile={}", known.display()));
        ssh.args(["-p", &self.port.to_string(), &format!("{USER}@127.0.0.1"), line]);
        Ran::of(ssh.stdin(Stdio::null()).output().unwrap())
    }

    fn answers(&self) -> bool {
        let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut greeting = String::new();
        BufReader::new(stream).read_line(&mut greeting).is_ok_and(|_| greeting.starts_with("SSH-"))
    }

    fn order(&mut self, word: &str) {
        let orders = self.orders.as_mut().unwrap();
        writeln!(orders, "{word}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{}", self.log());
    }
}

impl Drop for Sshd {
    /// The end of the orders is the end of the machine.
    fn drop(&mut self) {
        drop(self.orders.take());
        assert!(self.machine.wait().is_ok());
    }
}

/// `sshd_config`: everything of it is in the folder, and nothing is asked of the machine around.
fn config(folder: &TempDir, port: u16, variables: &[(&str, String)]) -> String {
    let place = folder.path().display();
    let mut config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host_key\nPidFile none\n\
         AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\n\
         AuthenticationMethods publickey\nPermitRootLogin prohibit-password\nUseDNS no\n\
         PrintMotd no\nPermitUserRC no\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    );
    if !variables.is_empty() {
        let set = variables.iter().map(|(name, value)| format!(" \"{name}={value}\""));
        config += &format!("SetEnv{}\n", set.collect::<String>());
    }
    config
}

fn machine(folder: &TempDir) -> Child {
    use std::os::unix::process::CommandExt as _;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/host.sh");
    let mut machine = Command::new("sh");
    machine.arg(script).args([folder.path().as_os_str(), home_of_user().as_os_str()]);
    machine.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    machine.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn().unwrap()
}

/// Where sshd thinks that the user is at home.
fn home_of_user() -> PathBuf {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = users.lines().find(|line| line.starts_with(&format!("{USER}:"))).unwrap();
    user.split(':').nth(5).unwrap().into()
}

fn make_key(file: &std::path::Path) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(file);
    assert!(keygen.status().unwrap().success());
}
