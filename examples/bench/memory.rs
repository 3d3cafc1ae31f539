//! Peak memory with large bodies, as the kernel counts it for a process that has ended.
//!
//! It is asked through GNU time, which starts the program from a small process of its own: a
//! child of this one would be told of the memory that this one had.

use std::path::Path;
use std::process::Command;

use crate::Problem;
use crate::figures::Figures;
use crate::options::Options;
use crate::run::{Peer, World, succeed};
use crate::serve::{Answer, serve};
use crate::table::{Row, Unit};

/// The default bound of a body.
const BODY: usize = 1 << 20;
const RUNS: usize = 5;
const PROGRAMS: [&str; 2] = ["wait-healthy", "smoke-test"];
const GNU_TIME: &str = "/usr/bin/time";

/// A body of 1 MiB, and what is looked for in it.
struct Case {
    name: &'static str,
    kind: &'static str,
    body: String,
    wanted: &'static str,
}

fn cases() -> [Case; 4] {
    let text = "all is well. ".repeat(BODY);
    let padding = |shell: &str| "x".repeat(BODY - shell.len());
    let shell = r#"{"status":"ok","padding":""}"#;
    let order = r#"{"id":7,"customer":"somebody","total":12.5,"items":[1,2,3],"paid":true}"#;
    let orders = format!("[{}{order}", format!("{order},").repeat(BODY / (order.len() + 1) - 1));
    [
        Case {
            name: "text",
            kind: "text/plain",
            body: format!("{}the end", &text[..BODY - 7]),
            wanted: "expect: [{ body: { ends-with: the end } }]",
        },
        Case {
            name: "health document",
            kind: "application/json",
            body: shell.replace(r#""""#, &format!("\"{}\"", padding(shell))),
            wanted: "health: auto",
        },
        Case {
            name: "JSON array of numbers",
            kind: "application/json",
            body: format!("[{}10]", "1,".repeat(BODY / 2 - 2)),
            wanted: "expect: [{ jsonpath: { path: \"$[0]\", equals: 1 } }]",
        },
        Case {
            name: "JSON list of orders",
            kind: "application/json",
            body: format!("{orders}{}]", " ".repeat(BODY - 1 - orders.len())),
            wanted: "expect: [{ jsonpath: { path: \"$[?@.paid].id\", count: { gte: 9 } } }]",
        },
    ]
}

/// All cases, by one check and by twenty at the same time.
pub(crate) fn memory(world: &World, _: &Options) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for case in cases() {
        if case.body.len() != BODY {
            return Err(format!("the {} has {} bytes", case.name, case.body.len()).into());
        }
        let address = serve(Answer::new(case.kind, &case.body))?;
        for checks in [1, 20] {
            let urls: Vec<String> = (0..checks).map(|n| format!("http://{address}/{n}")).collect();
            let mut config = String::from("version: 1\nservice: bench\nchecks:\n");
            for url in &urls {
                config.push_str(&format!("  - url: {url}\n    {}\n", case.wanted));
            }
            let file = world.folder.path().join("memory.yml");
            std::fs::write(&file, config)?;
            for program in PROGRAMS {
                let what = format!("peak memory, {program}, {checks} × 1 MiB {}", case.name);
                let mut command = world.ours(program);
                command.arg("--config").arg(&file);
                let mut row = Row::new(&what, Unit::Size, 10e6).ours(peak(world, &command)?);
                if program == PROGRAMS[0] && world.peers().any(|peer| peer == Peer::Curl) {
                    let mut curl = world.peer_alone(Peer::Curl);
                    curl.args(["-sf", "--parallel", "--parallel-immediate"]);
                    curl.args(urls.iter().flat_map(|url| ["-o", "/dev/null", url]));
                    row = row.peer(Peer::Curl.name(), peak(world, &curl)?);
                }
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// Bytes; none when nothing here can tell.
pub(crate) fn peak(world: &World, command: &Command) -> Result<Option<Figures>, Problem> {
    if !Path::new(GNU_TIME).is_file() {
        return Ok(None);
    }
    let told = world.folder.path().join("peak");
    let mut series = Vec::new();
    for _ in 0..RUNS {
        let mut timed = world.command(Path::new(GNU_TIME));
        timed.args(["--format=%M", "--output"]).arg(&told).arg(command.get_program());
        timed.args(command.get_args());
        succeed(timed.spawn()?, &timed)?;
        let kib: f64 = std::fs::read_to_string(&told)?.trim().parse()?;
        series.push(kib * 1024.0);
    }
    Ok(Figures::of(series))
}
