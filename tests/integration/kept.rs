//! Somebody else's server that runs as long as a test wants it, and no longer, however that ends.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server, and everything that it starts in its process group. What it says is in `log`.
pub(crate) struct Kept {
    shell: Child,
    log: PathBuf,
}

/// The end of the input, which comes with the end of the test, ends the group.
const KEEP: &str = r#""$@" </dev/null & cat >/dev/null; kill -KILL 0"#;

impl Kept {
    /// Starts a program with nothing but `PATH` in its environment, and a new log.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> Self {
        use std::os::unix::process::CommandExt as _;
        let output = File::create(log).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", KEEP, "keep"]).arg(program).args(arguments).process_group(0);
        shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        shell.stdin(Stdio::piped()).stdout(output.try_clone().unwrap()).stderr(output);
        Self { shell: shell.spawn().unwrap(), log: log.to_owned() }
    }

    /// What comes after this in its log, up to the end of the line, as soon as that is there.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> String {
        let started = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            if let Some((rest, _)) =
                log.split_once(words).and_then(|(_, rest)| rest.split_once('\n'))
            {
                return rest.to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(30), "it should say {words:?}: {log}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        assert!(self.shell.wait().is_ok());
    }
}
