//! The sample service dressed as each of `examples/suites`, and what stands beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Program, Ran};
use crate::init::Sample;
use crate::postgres::{World, world};
use crate::services::{Running, redis, wait};
use crate::watched::{Keepers, container, health};

/// What runs, unless a test says otherwise.
pub(crate) const VERSION: &str = "v1.2.4";

/// Answers `kubectl get pods` with the file beside it.
const KUBECTL: &str = "#!/bin/sh\nexec cat \"${0%/*}/pods\"\n";

/// A database of ten tables, which belongs to the role `open`.
const CAMPUS: &str =
    "CREATE TABLE flyway_schema_history (installed_rank int, version varchar(50), description varchar(200), type varchar(20), success bool)
INSERT INTO flyway_schema_history VALUES (1, '20241201', 'a', 'SQL', true), (2, '20250101', 'b', 'SQL', true)
CREATE TABLE reservations AS SELECT generate_series(1, 7) AS id
CREATE TABLE courses ()
CREATE TABLE enrollments ()
CREATE TABLE finances ()
CREATE TABLE students ()
CREATE TABLE teachers ()
CREATE TABLE rooms ()
CREATE TABLE terms ()
CREATE TABLE grades ()
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC
";

/// The file `name` of `examples/suites`.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/suites").join(name)
}

/// What a suite is run with: variables, and programs that come before everything else in PATH.
pub(crate) struct Suite {
    name: &'static str,
    variables: BTreeMap<&'static str, String>,
    pub(crate) keepers: Keepers,
    /// Tags of its checks that are left out: nobody is there to answer them.
    pub(crate) missing: Vec<&'static str>,
}

/// A database and a cache, where these are installed.
pub(crate) struct Services {
    database: Option<World>,
    cache: Option<(u16, Running)>,
}

impl Services {
    pub(crate) fn start() -> Self {
        let services = Self { database: world(&[("open", CAMPUS)]), cache: redis(&[]) };
        if let Some(world) = &services.database {
            wait(&format!("postgres: localhost:{}", world.port)).expect_code(0);
        }
        if let Some((port, _)) = &services.cache {
            wait(&format!("redis: localhost:{port}")).expect_code(0);
        }
        services
    }
}

impl Suite {
    /// The suite with a service that is dressed as it, on all of its addresses.
    pub(crate) fn new(name: &'static str) -> (Self, Sample) {
        let keepers = Keepers::new(&["docker", "kubectl"]);
        keepers.put("kubectl", KUBECTL);
        keepers.put("pods", &pods(3));
        keepers.put("ids", "a\nb\nc\nd\n");
        keepers.put("log", "started\n");
        let services = ["postgres", "redis", "backend", "frontend"];
        let well =
            services.map(|name| container(&format!("{name}-1"), &health("healthy"), 0, "no"));
        keepers.inspect("inspect", &well);
        let text = fs::read_to_string(file(&format!("{name}.yml"))).unwrap();
        let asks = |tag: &&str| text.contains(&format!("{tag}]"));
        let mut suite = Self {
            name,
            variables: BTreeMap::from([("PROJECT", "shop".into())]),
            keepers,
            missing: ["database", "cache"].into_iter().filter(asks).collect(),
        };
        for (variable, most) in [("MAX_DISK", "100%"), ("MAX_MEMORY", "100%"), ("MAX_LOAD", "1e6")]
        {
            suite.set(variable, most);
        }
        let sample = suite.dress(&[], &[]);
        suite.turn_to(&sample);
        (suite, sample)
    }

    /// Asks these services as well.
    pub(crate) fn join(&mut self, services: &Services) {
        if let Some(world) = &services.database {
            self.set("POSTGRES", &format!("localhost:{}", world.port));
            self.set("POSTGRES_USER", "open");
            self.missing.retain(|tag| *tag != "database");
        }
        if let Some((port, _)) = &services.cache {
            self.set("REDIS", &format!("localhost:{port}"));
            self.missing.retain(|tag| *tag != "cache");
        }
    }

    /// The sample service as the suite's pages say, but for these, and with these arguments.
    pub(crate) fn dress(&self, pages: &[(&str, Value)], arguments: &[&str]) -> Sample {
        let text = fs::read_to_string(file(&format!("{}.pages.json", self.name))).unwrap();
        let mut dress: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        dress.extend(pages.iter().map(|(key, page)| ((*key).to_owned(), page.clone())));
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("pages.json");
        fs::write(&file, serde_json::to_string(&dress).unwrap()).unwrap();
        let version =
            if arguments.contains(&"--version") { &[][..] } else { &["--version", VERSION] };
        Sample::with(&[&["--pages", file.to_str().unwrap()], version, arguments].concat())
    }

    /// Every address is this service's.
    pub(crate) fn turn_to(&mut self, sample: &Sample) {
        for variable in [
            "FRONTEND_URL",
            "BACKEND_URL",
            "EXTERNAL_URL",
            "DETECTIONS_URL",
            "LOADER_URL",
            "ANNOTATIONS_URL",
            "HOTEL_URL",
            "DETECTION_API",
            "PROMETHEUS_URL",
            "GRAFANA_URL",
        ] {
            self.set(variable, &sample.base);
        }
        let socket = format!("{}/ws/events", sample.base.replace("http", "ws"));
        self.set("WEBSOCKET_URL", &socket);
    }

    pub(crate) fn set(&mut self, variable: &'static str, value: &str) -> Option<String> {
        self.variables.insert(variable, value.to_owned())
    }

    /// This program with the suite, and with all that is around it.
    pub(crate) fn surroundings(&self, program: Program) -> Program {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.keepers.0.path().display());
        let suite = file(&format!("{}.yml", self.name)).display().to_string();
        let program = program.env("PATH", &path).args(["--config", &suite, "--json"]);
        self.variables.iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    /// Runs one of our programs with the suite, and with these arguments.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        // Who supervises looks once: the look that the end cuts off would not be told from a slow answer.
        let interval = if arguments.contains(&"--supervise") { "1s" } else { "10ms" };
        let mut program = self.surroundings(Program::new(program));
        program = program.args(["--interval", interval, "--timeout", "5s"]).args(arguments);
        if !self.missing.is_empty() {
            program = program.args(["--skip", &self.missing.join(",")]);
        }
        program.run()
    }

    /// Runs the suite, and tells what did not pass.
    #[track_caller]
    pub(crate) fn failures(&self) -> Vec<String> {
        not_passed(&self.run("smoke-test", &["--expect-version", VERSION]))
    }

    /// What does not pass when the service has these pages and arguments.
    #[track_caller]
    pub(crate) fn failures_with(
        &mut self,
        pages: &[(&str, Value)],
        arguments: &[&str],
    ) -> Vec<String> {
        let before = self.variables.clone();
        let sample = self.dress(pages, arguments);
        self.turn_to(&sample);
        let failures = self.failures();
        self.variables = before;
        failures
    }

    /// What does not pass when a variable is this.
    #[track_caller]
    pub(crate) fn failures_where(&mut self, variable: &'static str, value: &str) -> Vec<String> {
        let before = self.variables.clone();
        self.set(variable, value);
        let failures = self.failures();
        self.variables = before;
        failures
    }
}

/// Names and verdicts of all checks.
#[track_caller]
pub(crate) fn verdicts(ran: &Ran) -> Vec<(String, String)> {
    let report = ran.report();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| (text(&check["name"]), text(&check["verdict"]))).collect()
}

/// The names of what did not pass.
#[track_caller]
pub(crate) fn not_passed(ran: &Ran) -> Vec<String> {
    let all = verdicts(ran).into_iter();
    all.filter(|(_, verdict)| verdict != "pass").map(|(name, _)| name).collect()
}

/// Three pods as `kubectl get pods -o json` lists them, of which so many are ready.
pub(crate) fn pods(ready: usize) -> String {
    let pod = |number: usize| {
        let word = if number < ready { "True" } else { "False" };
        let conditions = [("PodScheduled", "True"), ("Ready", word)];
        let conditions = conditions.map(|(kind, status)| json!({ "type": kind, "status": status }));
        json!({ "kind": "Pod", "status": { "phase": "Running", "conditions": conditions } })
    };
    json!({ "kind": "List", "items": [pod(0), pod(1), pod(2)] }).to_string()
}

/// Prometheus' answer with this one sample.
pub(crate) fn sample(value: &str) -> Value {
    let result = json!([{ "metric": {}, "value": [1_765_449_000.5, value] }]);
    json!({ "body": { "status": "success", "data": { "resultType": "vector", "result": result } } })
}
