//! One router, and releases that are taken back behind it while requests come.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::crash_kills::Victim as _;
use crate::crash_router::Balancer;
use crate::crash_world::Shop;
use crate::entry::Problem;
use crate::options::Options;
use crate::take_back::{behind, failures};
use crate::{figures, load};

/// Requests per second, over this many connections that are kept.
const RATE: &str = "2000";
const CONNECTIONS: &str = "64";
/// Fewer requests than this for each release would prove nothing.
const LEAST: u64 = 2_000;
/// The time between two releases.
const STEADY: Duration = Duration::from_millis(500);
/// From the observation that decides to the first answer of the old release, in milliseconds.
const BUDGET: f64 = 2_000.0;

/// What one router did.
pub(crate) struct Figures {
    name: &'static str,
    report: Value,
    /// From the observation that decides to the first answer of the old release, in milliseconds.
    back: Vec<f64>,
    rounds: usize,
}

impl Figures {
    pub(crate) fn of(
        name: &'static str,
        balancer: Balancer,
        options: &Options,
    ) -> Result<Self, Problem> {
        let shop = behind(balancer).ok_or(format!("{name} is not installed"))?;
        let first = deploy(&shop, options, "v1", |_| {})?;
        if first != Some(0) {
            return Err(format!("v1 ended with {first:?}").into());
        }
        let mut client = Command::new(load::program());
        client.args(["--version", "v1", "--version", "v2", "--timeout", "5", "--for", "3600"]);
        client.args(["--connections", CONNECTIONS, "--rate", RATE]);
        client.arg(format!("http://127.0.0.1:{}/version", shop.public));
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut marks = client.stdin.take().ok_or("the client has no standard input")?;
        // Read while it writes: the report may be larger than a pipe.
        let output = std::thread::spawn(move || client.wait_with_output());
        for _ in 0..options.rounds {
            mark(&mut marks, "phase steady")?;
            std::thread::sleep(STEADY);
            let code = deploy(&shop, options, "v2", |line| {
                let decided = line.contains("  verify  ") && line.contains("failed");
                if decided {
                    mark(&mut marks, "phase back").unwrap_or_default()
                }
            })?;
            if code != Some(20) {
                return Err(format!("v2 ended with {code:?}, and not with 20").into());
            }
        }
        mark(&mut marks, "stop")?;
        let output = output.join().map_err(|_| "the client was lost")??;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let phases = report["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
        let back = phases.iter().filter(|phase| phase["name"] == "back");
        let back = back.filter_map(|phase| phase["versions"]["v1"]["first_ms"].as_f64()).collect();
        Ok(Self { name, report, back, rounds: options.rounds })
    }

    fn requests(&self) -> u64 {
        self.report["requests"].as_u64().unwrap_or_default()
    }

    /// Nothing was lost, there was something to lose, and each release was taken back in time.
    pub(crate) fn is_met(&self) -> bool {
        failures(&self.report) == 0
            && self.requests() >= LEAST * self.rounds as u64
            && self.back.len() == self.rounds
            && self.back.iter().all(|took| *took <= BUDGET)
    }

    /// p50, p95, p99 and greatest latency of all phases of a name, in milliseconds.
    fn latency(&self, phase: &str) -> [f64; 4] {
        let all = &self.report["by_name"][phase]["latency_ms"];
        ["p50", "p95", "p99", "max"].map(|share| all[share].as_f64().unwrap_or(f64::NAN))
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "router": self.name,
            "requests": self.requests(),
            "failures": self.report["failures"],
            "closed_idle": self.report["closed_idle"],
            "first_answer_of_the_old_ms": self.back,
            "latency_steady_ms": self.latency("steady"),
            "latency_during_ms": self.latency("back"),
            "met": self.is_met(),
        })
    }
}

/// Deploys a version with the program as it is downloaded, and hands each line over as it comes.
fn deploy(
    shop: &Shop,
    options: &Options,
    version: &str,
    mut line: impl FnMut(&str),
) -> Result<Option<i32>, Problem> {
    let mut program = Command::new(options.program());
    program.args(["deploy", "--version", version, "--no-progress"]);
    let mut program = shop.waveoff(&[]).like(program);
    let mut child = program.stderr(Stdio::null()).spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
    lines.map_while(Result::ok).for_each(|text| line(&text));
    Ok(child.wait()?.code())
}

fn mark(marks: &mut ChildStdin, text: &str) -> Result<(), Problem> {
    Ok(marks.write_all(format!("{text}\n").as_bytes())?)
}

const HEADS: [&str; 8] = [
    "Router",
    "Requests",
    "Lost",
    "Closed idle",
    "Taken back",
    "First answer of the old",
    "Latency, steady",
    "Latency, meanwhile",
];

/// The table, which is also Markdown.
pub(crate) fn render(all: &[Figures]) -> String {
    let four =
        |[p50, p95, p99, max]: [f64; 4]| format!("{p50:.1}, {p95:.1}, {p99:.1}, {max:.0} ms");
    let mut lines = vec![HEADS.map(str::to_owned), HEADS.map(|head| "-".repeat(head.len()))];
    lines.extend(all.iter().map(|one| {
        let spread = figures::Figures::of(one.back.clone());
        let most = one.back.iter().copied().fold(0.0, f64::max);
        [
            one.name.to_owned(),
            one.requests().to_string(),
            failures(&one.report).to_string(),
            one.report["closed_idle"].to_string(),
            one.back.len().to_string(),
            spread.map_or("-".into(), |seen| {
                format!("{:.0}, {:.0}, ≤ {most:.0} ms", seen.median, seen.p95)
            }),
            four(one.latency("steady")),
            four(one.latency("back")),
        ]
    }));
    let mut text = String::new();
    for line in &lines {
        text.push_str(&format!("| {} |\n", line.join(" | ")));
    }
    text + "\nThe first answer of the old release since the observation that decides: median, p95, greatest; \
            budget 2000 ms. Latencies: p50, p95, p99, greatest.\n"
}
