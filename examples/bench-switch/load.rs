//! One run of the load client, with switches while it goes on.

use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Problem;
use crate::options::Options;
use crate::world::{VERSIONS, World};

/// Before the first switch.
const WARM: Duration = Duration::from_millis(500);
/// What still counts as during a switch.
const DURING: Duration = Duration::from_millis(500);
/// Between two switches.
const STEADY: Duration = Duration::from_millis(700);
/// The length of a paced run.
const PACED_SECONDS: u32 = 20;

/// How fast requests come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Speed {
    /// As fast as they are answered, this many.
    Requests(u32),
    /// Evenly, for some time: the latencies are those of a router with time to spare.
    Paced,
}

/// What the client saw, and how long each switch took.
pub(crate) struct Seen {
    pub(crate) report: Value,
    /// In turns to the second and to the first of the versions.
    pub(crate) switches: Vec<Duration>,
}

/// The traffic goes to the first slot before and may be anywhere after.
pub(crate) fn run(world: &World, options: &Options, speed: Speed) -> Result<Seen, Problem> {
    world.switch(0)?;
    let mut command = Command::new(world.programs.join("load"));
    for version in VERSIONS {
        command.args(["--version", version]);
    }
    command.args(["--body", "{\"version\":\"{version}\"}"]);
    command.args(["--connections", &options.connections.to_string()]);
    match speed {
        Speed::Requests(count) => command.args(["--requests", &count.to_string()]),
        Speed::Paced => {
            command.args(["--rate", &options.rate.to_string(), "--for", &PACED_SECONDS.to_string()])
        }
    };
    command.arg(format!("http://127.0.0.1:{}/version", world.port));
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut marks = client.stdin.take().ok_or("the client has no standard input")?;
    // Read while it writes: the report may be larger than a pipe.
    let output = thread::spawn(move || client.wait_with_output());
    let switches = switching(world, &mut marks, || output.is_finished())?;
    let output = output.join().map_err(|_| "the client was lost")??;
    if !output.status.success() {
        return Err(format!("the client ended with {}", output.status).into());
    }
    Ok(Seen { report: serde_json::from_slice(&output.stdout)?, switches })
}

fn switching(
    world: &World,
    marks: &mut ChildStdin,
    ended: impl Fn() -> bool,
) -> Result<Vec<Duration>, Problem> {
    let mut switches = Vec::new();
    mark(marks, "steady");
    thread::sleep(WARM);
    let mut slot = 0;
    while !ended() {
        slot = 1 - slot;
        mark(marks, "switch");
        let started = Instant::now();
        world.switch(slot)?;
        switches.push(started.elapsed());
        thread::sleep(DURING.saturating_sub(started.elapsed()));
        mark(marks, "steady");
        thread::sleep(STEADY);
    }
    Ok(switches)
}

/// A client that has just ended does not read it any more.
fn mark(marks: &mut ChildStdin, name: &str) {
    marks.write_all(format!("phase {name}\n").as_bytes()).unwrap_or_default();
}
