//! Workflows, run for real by `act` on this host, from somebody else's repository.
//!
//! Every job is a new machine, as on GitHub: act gives it a workspace and a temporary folder of
//! its own and removes them with the job, and the `sh` that comes first in `PATH` gives it a home
//! of its own beside them. What is deployed lives elsewhere, in [`Production`].

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::parts::part;

/// A home that begins empty and ends with the job; where it does not, the log says so.
const SHELL: &str = r#"#!/bin/sh
if [ -n "${RUNNER_TEMP:-}" ]; then
  HOME=$(dirname "$RUNNER_TEMP")/home
  export HOME
  [ -d "$HOME" ] || { mkdir "$HOME" && echo "$HOME" >>"$HOMES"; }
fi
exec /bin/sh "$@"
"#;

/// A repository with a workflow, and act to run it.
pub(crate) struct Repository {
    act: PathBuf,
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Repository {
    /// None when act or git cannot be had; the skip has been noted then.
    pub(crate) fn new(workflow: &str) -> Option<Self> {
        let (act, _git) = (part("act")?, part("git")?);
        let folder = tempfile::Builder::new().prefix("waveoff-act-").tempdir().unwrap();
        let repository = Self { act, folder, environment: Vec::new() };
        repository.copy_own();
        repository.write("bin/sh", SHELL);
        repository.make_executable("bin/sh");
        repository.write("shop/.github/workflows/ship.yml", workflow);
        fs::create_dir_all(repository.path("home")).unwrap();
        fs::create_dir_all(repository.path("cache")).unwrap();
        Some(repository)
    }

    /// Adds a file to the repository.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.write(&format!("shop/{name}"), text);
        if text.starts_with("#!") {
            self.make_executable(&format!("shop/{name}"));
        }
        self
    }

    /// Sets a variable of every job.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Pushes, and waits until every job has ended.
    pub(crate) fn push(&self) -> Outcome {
        self.start().finish()
    }

    /// Pushes.
    pub(crate) fn start(&self) -> Pushed<'_> {
        let shop = self.path("shop");
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
            &[
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.com",
                "commit",
                "--quiet",
                "-m",
                "x",
            ],
            &["remote", "add", "origin", "https://github.com/acme/shop.git"],
        ] {
            if arguments[0] == "init" && shop.join(".git").exists() {
                break;
            }
            let git = Command::new("git").args(arguments).current_dir(&shop).status().unwrap();
            assert!(git.success(), "git {arguments:?}");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(&self.act);
        command
            .args(["push", "--json", "--no-cache-server", "-P", "ubuntu-latest=-self-hosted"])
            .args(["--defaultbranch", "main"])
            .args(["--secret", "GITHUB_TOKEN=ghs_a_token_of_the_test"])
            .arg("--action-cache-path")
            .arg(self.path("cache"))
            .arg("--local-repository")
            .arg(format!("waveoff/waveoff@v1={}", self.path("own").display()))
            .current_dir(&shop)
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("HOMES", self.path("homes"))
            .env("WAVEOFF_BIN_DIR", programs())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for action in self.stand_ins() {
            command.arg("--local-repository").arg(action);
        }
        for (name, value) in &self.environment {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        Pushed { child: command.spawn().unwrap(), repository: self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What GitHub would serve of this repository at its tag, as far as the workflows use it.
    fn copy_own(&self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["action.yml", "actions", "bootstrap", "scripts", ".github"] {
            copy(&root.join(name), &self.path("own").join(name));
        }
    }

    /// Other people's actions in `pipeline.yml`, which act fetches whether their steps run or not: here
    /// they do nothing. Its own checkout act has in it.
    fn stand_ins(&self) -> Vec<String> {
        const NOTHING: &str = "{ name: x, description: x, runs: { using: composite, steps: [] } }";
        let workflow = fs::read_to_string(self.path("own/.github/workflows/pipeline.yml")).unwrap();
        let others = workflow.lines().filter_map(|line| line.trim().strip_prefix("uses: "));
        let others = others.filter_map(|uses| uses.split_once(" #").map(|(action, _)| action));
        let others = others.filter(|action| !action.starts_with("actions/checkout@"));
        let stand_in = |action: &str| {
            let folder = format!("others/{}", action.replace('/', "-"));
            self.write(&format!("{folder}/action.yml"), NOTHING);
            format!("{action}={}", self.path(&folder).display())
        };
        others.map(stand_in).collect()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn make_executable(&self, name: &str) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The folder of the programs that this test run has built.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_wait-healthy")).parent().unwrap().to_path_buf()
}

/// A run that has begun.
pub(crate) struct Pushed<'a> {
    child: Child,
    /// Whose folder act works in.
    repository: &'a Repository,
}

impl Pushed<'_> {
    /// Cancels as a person does who presses the button: steps are ended, `always()` ones still run.
    pub(crate) fn cancel(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Waits until every job has ended.
    pub(crate) fn finish(mut self) -> Outcome {
        let mut outcome = Outcome::default();
        let errors = self.child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || std::io::read_to_string(errors).unwrap());
        for line in BufReader::new(self.child.stdout.take().unwrap()).lines() {
            outcome.take(&line.unwrap());
        }
        outcome.success = self.child.wait().unwrap().success();
        outcome.log.push_str(&errors.join().unwrap());
        outcome.machines =
            fs::read_to_string(self.repository.path("homes")).unwrap_or_default().lines().count();
        outcome
    }
}

impl Drop for Pushed<'_> {
    fn drop(&mut self) {
        // A test that failed meanwhile leaves no act behind; one that has ended cannot be killed.
        let _ = self.child.kill();
    }
}

/// What a run ended with.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    /// `success`, `failure` or `cancelled`, by the job's id; a job that was skipped is not here.
    pub(crate) jobs: BTreeMap<String, String>,
    /// How many machines the jobs ran on, each with a home that was empty at first.
    pub(crate) machines: usize,
    /// The outputs of all steps, by job and step: `("smoke", "verify")`.
    outputs: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// What the steps wrote into the job's summary.
    pub(crate) summaries: String,
    /// What a person would read, for messages of failed tests.
    pub(crate) log: String,
}

impl Outcome {
    /// One output of a step; empty when it was not set, as in a workflow.
    pub(crate) fn output(&self, job: &str, step: &str, name: &str) -> &str {
        self.outputs
            .get(&(job.to_owned(), step.to_owned()))
            .and_then(|outputs| outputs.get(name))
            .map_or("", String::as_str)
    }

    fn take(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            self.log.push_str(line);
            self.log.push('\n');
            return;
        };
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        self.log.push_str(&format!("[{}] {}\n", text("job"), text("msg").trim_end()));
        if event.get("jobResult").is_some() {
            self.jobs.insert(text("jobID"), text("jobResult"));
        }
        match event["command"].as_str() {
            Some("set-output") => {
                let step = event["stepID"][0].as_str().unwrap_or_default().to_owned();
                let outputs = self.outputs.entry((text("jobID"), step)).or_default();
                outputs.insert(text("name"), text("arg"));
            }
            // A composite action's summary is reported for its step and for itself.
            Some("summary") if event["stepID"].as_array().is_some_and(|ids| ids.len() == 1) => {
                self.summaries.push_str(&text("content"));
            }
            _ => {}
        }
    }
}

/// The machine that serves: what is deployed runs on it, whatever becomes of the jobs.
pub(crate) struct Production {
    folder: TempDir,
}

/// Ends what runs and starts `$WAVEOFF_VERSION`; every call is written down.
pub(crate) const SHIP: &str = r#"#!/bin/sh
set -eu
echo "$WAVEOFF_VERSION" >>"$PRODUCTION/shipped"
if [ -f "$PRODUCTION/pid" ]; then
  kill "$(cat "$PRODUCTION/pid")" 2>/dev/null || true
fi
rm -f "$PRODUCTION/port"
port=$(cat "$PRODUCTION/fixed" 2>/dev/null || echo 0)
tries=0
while [ ! -s "$PRODUCTION/port" ]; do
  if [ "$tries" -eq 0 ] || ! kill -0 "$(cat "$PRODUCTION/pid")" 2>/dev/null; then
    nohup "$SAMPLE_SERVICE" --port "$port" --port-file "$PRODUCTION/port" \
      --version "$WAVEOFF_VERSION" --bad-versions v2 >>"$PRODUCTION/log" 2>&1 &
    echo $! >"$PRODUCTION/pid"
  fi
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || exit 1
  sleep 0.05
done
cp "$PRODUCTION/port" "$PRODUCTION/fixed"
"#;

impl Production {
    /// A machine that already runs `version`.
    pub(crate) fn running(version: &str) -> Self {
        let production = Self { folder: tempfile::tempdir().unwrap() };
        let ship = Command::new("/bin/sh")
            .args(["-c", SHIP])
            .env("PRODUCTION", production.folder.path())
            .env("SAMPLE_SERVICE", Self::sample_service())
            .env("WAVEOFF_VERSION", version)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(ship.success(), "no service after five seconds");
        production
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        let port = fs::read_to_string(self.folder.path().join("fixed")).unwrap();
        format!("http://127.0.0.1:{}", port.trim())
    }

    /// The version that answers now.
    pub(crate) fn version(&self) -> String {
        let mut answer = ureq::get(format!("{}/version", self.url())).call().unwrap();
        let answer: Value =
            serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        answer["version"].as_str().unwrap().to_owned()
    }

    /// Every version that was put on it, in order.
    pub(crate) fn shipped(&self) -> Vec<String> {
        let file = self.folder.path().join("shipped");
        fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
    }

    /// Cargo builds examples beside the programs, with the tests.
    pub(crate) fn sample_service() -> PathBuf {
        let program = programs().join("examples/sample-service");
        assert!(program.is_file(), "build it first: cargo build --example sample-service");
        program
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        if let Ok(id) = fs::read_to_string(self.folder.path().join("pid")) {
            let _ = Command::new("kill").arg(id.trim()).stderr(Stdio::null()).status();
        }
    }
}

/// Waits until `true` holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} within a minute");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
