//! A connection to a host, up to the point where this very program answers there.

use std::io;
use std::time::Duration;

use super::program::{self, Program};
use super::trouble::{self, Stage, Trouble};
use super::words::{ToCaller, ToHost};
use crate::config::ssh::{Address, RemoteSpec, SshSpec};
use crate::exit::Fault;
use crate::host::clock::Moment;
use crate::host::files;
use crate::host::kit::Kit;
use crate::host::ssh::{Connection, Heard};

/// How long a host may take to let us in: `ssh` itself gives up on a connection after 10 s.
const ENTERING: Duration = Duration::from_secs(60);
/// How long one answer of the host's shell may take: it reads the program to hash it.
const ANSWERING: Duration = Duration::from_secs(60);
/// Bytes a second that must get through when the program is sent, on the whole.
const SLOWEST: u64 = 8 << 10;
/// How often it is asked whether to leave.
const TICK: Duration = Duration::from_millis(20);
/// Lines of a login's greeting that are passed over.
const GREETING: usize = 500;

/// What `ssh` is told besides the address. The first word on anything counts, so that these come
/// before the user's own configuration, and all else is as it says there.
const OPTIONS: &str = "\
BatchMode yes
StrictHostKeyChecking yes
UpdateHostKeys no
VerifyHostKeyDNS no
ConnectTimeout 10
ConnectionAttempts 1
ServerAliveInterval 10
ServerAliveCountMax 3
TCPKeepAlive yes
ControlMaster no
ControlPath none
ClearAllForwardings yes
ForwardAgent no
PermitLocalCommand no
RemoteCommand none
RequestTTY no
EscapeChar none
LogLevel ERROR
";
/// The user's own configuration, and the machine's.
const OWN: &str = "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n";

/// What the host's shell does: says what it is, hears which program is wanted, hashes what is there,
/// takes the program when it is not there, removes all but the last three, and becomes it. A
/// constant without quotes of its own: whatever the login shell is, it is one word to it. Several
/// hosts may have one home, so that process ids make no name that is nobody else's. A program that is
/// whole is never replaced: another caller's may run from it already.
const SCRIPT: &str = concat!(
    "/bin/sh -c 'm=$(umask); umask 077; echo \"waveoff-host 1 $(uname -s) $(uname -m)\"; read -r s || exit 81; ",
    "d=\"${XDG_CACHE_HOME:-$HOME/.cache}/waveoff/bin\"; b=\"$d/$s\"; f=\"$b/waveoff\"; ",
    "h() { if command -v sha256sum >/dev/null 2>&1; then sha256sum <\"$1\"; ",
    "elif command -v shasum >/dev/null 2>&1; then shasum -a 256 <\"$1\"; ",
    "else openssl dgst -sha256 -r <\"$1\"; fi | cut -d\" \" -f1; }; ",
    "if [ -f \"$f\" ] && [ \"$(h \"$f\")\" = \"$s\" ]; then touch \"$b\"; echo have; else ",
    "mkdir -p \"$b\" || exit 82; echo want; read -r n || exit 81; t=$(mktemp \"$b/.new.XXXXXX\") || exit 82; ",
    "trap \"rm -f \\\"$t\\\"\" EXIT; ",
    "head -c \"$n\" >\"$t\" || exit 82; [ \"$(h \"$t\")\" = \"$s\" ] || exit 83; ",
    "chmod 700 \"$t\" || exit 82; ln \"$t\" \"$f\" 2>/dev/null || [ \"$(h \"$f\")\" = \"$s\" ] || mv -f \"$t\" \"$f\" || exit 82; ",
    "rm -f \"$t\"; trap - EXIT; touch \"$b\"; ",
    "find \"$d\" -name \".new.*\" -mmin +60 -exec rm -f {} +; ",
    "ls -1t \"$d\" | tail -n +4 | while read -r o; do rm -rf \"$d/$o\"; done; echo kept; fi; ",
    "umask \"$m\"; exec \"$f\" serve'",
);

/// Tells the signal by which a connection is given up before it stands.
pub(super) type Leave<'a> = dyn Fn() -> Option<&'static str> + 'a;

/// How a host is reached, and with which program.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) host: Address,
    ssh: SshSpec,
    /// The host's keys, when they are given.
    known: Option<String>,
    programs: Option<String>,
}

/// A host on which this program answers.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    host: Address,
    is_pinned: bool,
    stage: Stage,
    /// Bytes of the program that were sent.
    pub(super) uploaded: u64,
}

impl Way {
    /// Of the configuration; `folder` is where its file is, `programs` the folder of published ones.
    pub(super) fn of(
        host: Address,
        spec: &RemoteSpec,
        folder: &std::path::Path,
        programs: Option<String>,
    ) -> anyhow::Result<Self> {
        let ssh = spec.ssh.clone().unwrap_or_default();
        let known = ssh.known_hosts.as_ref().map(|given| known_hosts(given, folder)).transpose()?;
        Ok(Self { host, ssh, known, programs: programs.or_else(program::folder) })
    }

    /// The arguments of `ssh`, with the files that they name.
    fn arguments(&self, kit: &Kit) -> io::Result<Vec<String>> {
        let mut options = OPTIONS.to_owned();
        if let Some(known) = &self.known {
            kit.write("known-hosts", known)?;
            options += &format!(
                "UserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nKnownHostsCommand none\n",
                kit.path("known-hosts").display()
            );
        }
        if let Some(key) = &self.ssh.key {
            // Variables lose the last line's end, and forms make two characters of it.
            let text = key.expose().replace("\r\n", "\n");
            kit.write("key", &format!("{}\n", text.trim_end()))?;
            let file = kit.path("key").display().to_string();
            options += &format!("IdentityFile {file}\nIdentitiesOnly yes\n");
            // Keys of an agent that the user's configuration names would be tried first, and a host
            // lets nobody try many. A machine in between may need them.
            options += &format!("Host {}\nIdentityAgent none\nHost *\n", self.host.host);
        }
        kit.write("config", &format!("{options}{OWN}"))?;
        let mut arguments = vec!["-F".to_owned(), kit.path("config").display().to_string()];
        if let Some(jump) = &self.ssh.jump {
            arguments.extend(["-J".into(), jump.to_string()]);
        }
        if let Some(user) = &self.host.user {
            arguments.extend(["-l".into(), user.clone()]);
        }
        if let Some(port) = self.host.port {
            arguments.extend(["-p".into(), port.to_string()]);
        }
        arguments.extend(["--".into(), self.host.host.clone(), SCRIPT.into()]);
        Ok(arguments)
    }

    /// Connects, and sees to it that this program answers there.
    pub(super) fn connect(&self, leave: &Leave<'_>) -> Result<Link, Trouble> {
        let kit = Kit::new().map_err(|error| {
            fatal(
                Fault::error(format!("no private folder for ssh can be made: {error}"))
                    .hint("give XDG_RUNTIME_DIR or HOME a folder that is only yours"),
            )
        })?;
        let arguments = self.arguments(&kit).map_err(|error| {
            fatal(Fault::error(format!("the files for ssh cannot be written: {error}")))
        })?;
        let connection = Connection::start(&arguments).map_err(|error| {
            fatal(
                Fault::error(format!("cannot run ssh: {error}"))
                    .hint("install OpenSSH's client on this machine"),
            )
        })?;
        let (host, is_pinned) = (self.host.clone(), self.known.is_some());
        let mut link = Link { connection, host, is_pinned, stage: Stage::Outside, uploaded: 0 };
        let (system, machine) = link.greeting(kit, leave)?;
        let program = program::for_host(self.programs.as_deref(), &system, &machine);
        link.provide(&program.map_err(unanswerable)?, leave)?;
        link.meet(leave)?;
        Ok(link)
    }
}

/// The host's keys: lines of them, or a file of such lines.
fn known_hosts(given: &str, folder: &std::path::Path) -> anyhow::Result<String> {
    let text = match given.trim().contains(char::is_whitespace) {
        true => given.to_owned(),
        false => files::read_text(folder.join(given.trim())).map_err(|error| {
            Fault::usage(format!("ssh.known-hosts: cannot read {given}: {error}"))
                .hint("name a file, or write the lines that `ssh-keyscan` prints")
        })?,
    };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(Fault::usage("ssh.known-hosts has no key")
            .hint("write the lines that `ssh-keyscan` prints, compared on the machine itself")
            .into());
    }
    Ok(format!("{}\n", text.replace("\r\n", "\n").trim_end()))
}

fn fatal(fault: Fault) -> Trouble {
    Trouble { fault, may_pass: false }
}

fn left(signal: &str) -> Trouble {
    fatal(Fault::error(format!("left by {signal}; nothing was begun")))
}

fn unanswerable(error: anyhow::Error) -> Trouble {
    fatal(error.downcast::<Fault>().unwrap_or_else(|error| Fault::error(format!("{error:#}"))))
}

impl Link {
    /// What the host says of itself. What its login prints before is passed over.
    fn greeting(&mut self, kit: Kit, leave: &Leave<'_>) -> Result<(String, String), Trouble> {
        let mut kit = Some(kit);
        for _ in 0..GREETING {
            let line = self.line(ENTERING, leave)?;
            // Whoever answers has let us in: nothing is read from the kit any more.
            drop(kit.take());
            self.stage = Stage::Inside;
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["waveoff-host", _, system, machine] = words[..] {
                return Ok((system.to_owned(), machine.to_owned()));
            }
        }
        Err(fatal(
            Fault::error(format!("{}: its login talks without end", self.host))
                .hint("let the user's profile print nothing where nobody is there to read it"),
        ))
    }

    /// Sees to it that the program is there.
    fn provide(&mut self, program: &Program, leave: &Leave<'_>) -> Result<(), Trouble> {
        self.say_line(&program.digest)?;
        if self.line(ANSWERING, leave)? == "have" {
            return Ok(());
        }
        let (mut file, size) = files::open(&program.file).map_err(|error| {
            fatal(Fault::error(format!("cannot read {}: {error}", program.file.display())))
        })?;
        let (started, limit) = (Moment::now(), ANSWERING + Duration::from_secs(size / SLOWEST));
        self.say_line(&size.to_string())?;
        let watch = || match leave() {
            Some(signal) => Err(io::Error::other(signal)),
            None if started.elapsed() >= limit => Err(io::ErrorKind::TimedOut.into()),
            None => Ok(()),
        };
        let sent = io::copy(&mut file, &mut self.writer(&watch));
        self.uploaded = sent.map_err(|error| self.unsent(&error, leave))?;
        // Some of it may still be on its way.
        let left = limit.saturating_sub(started.elapsed()).max(ANSWERING);
        self.line(left, leave).map(drop)
    }

    /// Waits until the program says that it is there.
    fn meet(&mut self, leave: &Leave<'_>) -> Result<(), Trouble> {
        let line = self.line(ANSWERING, leave)?;
        let own = env!("CARGO_PKG_VERSION");
        match serde_json::from_str(&line) {
            Ok(ToCaller::Hello { version }) if version == own => Ok(()),
            Ok(ToCaller::Hello { version }) => Err(fatal(
                Fault::usage(format!(
                    "{}: the program there is {version}, this is {own}",
                    self.host
                ))
                .hint("use the programs of one release"),
            )),
            _ => Err(fatal(Fault::error(format!("{}: no answer of waveoff: {line}", self.host)))),
        }
    }

    fn line(&mut self, limit: Duration, leave: &Leave<'_>) -> Result<String, Trouble> {
        let started = Moment::now();
        loop {
            match self.connection.hear(TICK) {
                Ok(Heard::Line(line)) => return Ok(line.trim_end_matches('\r').to_owned()),
                Ok(Heard::Nothing) if started.elapsed() < limit => {}
                Ok(Heard::Nothing) => {
                    return Err(self.hangs("does not answer in time"));
                }
                Ok(Heard::End) | Err(_) => return Err(self.lost()),
            }
            if let Some(signal) = leave() {
                return Err(left(signal));
            }
        }
    }

    fn say_line(&mut self, line: &str) -> Result<(), Trouble> {
        self.connection.send(line).map_err(|_| self.lost())
    }

    /// Says a word.
    pub(super) fn say(&mut self, word: &ToHost) -> Result<(), Trouble> {
        match serde_json::to_string(word) {
            Ok(line) => self.say_line(&line),
            Err(error) => Err(fatal(Fault::error(format!("a word cannot be written: {error}")))),
        }
    }

    /// What large things are written to, while what is asked again and again gives no error.
    pub(super) fn writer<'a>(
        &'a self,
        watch: &'a dyn Fn() -> io::Result<()>,
    ) -> impl io::Write + 'a {
        self.connection.writer(watch)
    }

    /// Why something could not be sent.
    pub(super) fn unsent(&mut self, error: &io::Error, leave: &Leave<'_>) -> Trouble {
        match leave() {
            Some(signal) => left(signal),
            None if error.kind() == io::ErrorKind::TimedOut => {
                self.hangs("does not take in time what is sent")
            }
            None => self.lost(),
        }
    }

    fn hangs(&self, what: &str) -> Trouble {
        let fault = Fault::error(format!("{}: it {what}", self.host));
        Trouble { fault: fault.hint("is it very busy, or the line very slow?"), may_pass: true }
    }

    /// The next word, if one comes in time.
    pub(super) fn hear(&mut self, limit: Duration) -> Result<Option<ToCaller>, Trouble> {
        match self.connection.hear(limit) {
            Ok(Heard::Nothing) => Ok(None),
            Ok(Heard::End) | Err(_) => Err(self.lost()),
            Ok(Heard::Line(line)) => serde_json::from_str(&line).map(Some).map_err(|error| {
                fatal(Fault::error(format!("{}: it said what cannot be read: {error}", self.host)))
            }),
        }
    }

    /// Why the connection is gone.
    pub(super) fn lost(&mut self) -> Trouble {
        let (code, said) = self.connection.end();
        trouble::of(&self.host, code, &said, self.stage, self.is_pinned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(text: &str) -> Way {
        let loaded = crate::config::parse("waveoff.yml", text, |_| None).unwrap();
        let spec = loaded.remote().unwrap();
        let host = spec.host.clone().unwrap();
        Way::of(host, &spec, std::path::Path::new("."), None).unwrap()
    }

    #[test]
    fn d11_the_key_is_in_no_argument_and_options_come_before_the_users_own() {
        let way = way(
            "version: 1\nhost: ssh://deploy@vm:2222\nssh:\n  key: the-key\n  jump: ssh://j@b\n  \
             known-hosts: vm ssh-ed25519 AAAA\n",
        );
        let kit = Kit::new().unwrap();
        let arguments = way.arguments(&kit).unwrap();
        let shown = arguments[2..8].join(" ");
        assert_eq!(shown, "-J ssh://j@b -l deploy -p 2222");
        assert_eq!(arguments[8..10], ["--", "vm"]);
        assert!(!arguments.join(" ").contains("the-key"));
        let read = |name: &str| files::read_text(kit.path(name)).unwrap();
        assert_eq!((&*read("key"), &*read("known-hosts")), ("the-key\n", "vm ssh-ed25519 AAAA\n"));
        let config = read("config");
        assert!(config.contains("StrictHostKeyChecking yes\n") && config.ends_with(OWN));
        assert!(config.contains("GlobalKnownHostsFile /dev/null\n"));
        assert!(config.contains("\nHost vm\nIdentityAgent none\nHost *\n"), "{config}");
        // One word to every shell, and on one line.
        assert_eq!(SCRIPT.matches('\'').count(), 2);
        assert!(!SCRIPT.contains(['\n', '!', '`']));
    }

    #[test]
    fn d11_known_hosts_without_a_key_are_refused() {
        for given in ["# only this", " \n# x\n", "no-such-file"] {
            assert!(known_hosts(given, std::path::Path::new(".")).is_err(), "{given:?}");
        }
    }
}
