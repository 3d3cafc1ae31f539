//! How long a program takes when nothing has to be waited for.

use std::process::Command;
use std::time::Duration;

use crate::Problem;
use crate::figures::Figures;
use crate::options::Options;
use crate::run::{Peer, Until, World, time};
use crate::serve::{Answer, request, serve};
use crate::table::{Row, Unit};

const RUNS: usize = 200;
/// A start of Node.js costs two hundred times as much as one of ours.
const RUNS_OF_SLOW_PEERS: usize = 20;
const RUNS_OF_SUITE: usize = 25;
const CHECKS: usize = 20;

/// One check that passes at once: the whole process, beyond the request itself.
pub(crate) fn once(world: &World, _: &Options) -> Result<Vec<Row>, Problem> {
    let address = serve(Answer::new("text/plain", "ok"))?;
    let mut ours = world.ours("wait-healthy");
    ours.arg(format!("http://{address}/"));
    let mut commands: Vec<(Option<Peer>, Command)> = vec![(None, ours)];
    for peer in world.peers() {
        commands.push((Some(peer), world.peer(peer, address, Until::Once)?));
    }
    let mut series: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    let mut requests = Vec::new();
    // All take turns, so that a busy moment of the machine is everybody's.
    for round in 0..RUNS {
        requests.push(request(address)?);
        for ((peer, command), times) in commands.iter_mut().zip(&mut series) {
            let slow = *peer == Some(Peer::WaitOn);
            if !slow || round % (RUNS / RUNS_OF_SLOW_PEERS) == 0 {
                times.push(time(command)?);
            }
        }
    }
    let alone = Figures::of_times(&requests).ok_or("nothing was requested")?.median;
    let row = Row::new("one check that passes at once, beyond the request", Unit::Time, 3.0)
        .note(format!("the request itself: {alone:.2} ms"));
    let figures = series.iter().map(|times| Figures::of_times(times).map(|f| f.beyond(alone)));
    Ok(vec![commands.iter().zip(figures).fold(row, |row, ((peer, _), figures)| match peer {
        None => row.ours(figures),
        Some(peer) => row.peer(peer.name(), figures),
    })])
}

/// Twenty checks of 200 ms each.
pub(crate) fn suite(world: &World, _: &Options) -> Result<Vec<Row>, Problem> {
    let address = serve(Answer::new("text/plain", "ok").after(Duration::from_millis(200)))?;
    let urls: Vec<String> = (0..CHECKS).map(|n| format!("http://{address}/{n}")).collect();
    let mut config = String::from("version: 1\nservice: bench\nchecks:\n");
    for url in &urls {
        config.push_str(&format!("  - url: {url}\n    expect: [{{ status: 200 }}]\n"));
    }
    let file = world.folder.path().join("suite.yml");
    std::fs::write(&file, config)?;
    let mut ours = world.ours("smoke-test");
    ours.arg("--config").arg(&file);
    let mut commands: Vec<(Option<Peer>, Command)> = vec![(None, ours)];
    for peer in world.peers() {
        let mut command = world.peer_alone(peer);
        match peer {
            Peer::Curl => {
                command.args(["-sf", "--parallel", "--parallel-immediate"]);
                command.args(urls.iter().flat_map(|url| ["-o", "/dev/null", url]));
            }
            Peer::WaitOn => {
                let urls = urls.iter().map(|url| url.replacen("http:", "http-get:", 1));
                command.args(urls);
            }
            Peer::Hurl => {
                command.args(["--test", "--jobs", "20"]);
                for url in &urls {
                    command.arg(world.hurl(url)?);
                }
            }
        }
        commands.push((Some(peer), command));
    }
    let mut series: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for _ in 0..RUNS_OF_SUITE {
        for ((_, command), times) in commands.iter_mut().zip(&mut series) {
            times.push(time(command)?);
        }
    }
    let row = Row::new("20 checks of 200 ms each", Unit::Time, 300.0);
    let figures = series.iter().map(|times| Figures::of_times(times));
    Ok(vec![commands.iter().zip(figures).fold(row, |row, ((peer, _), figures)| match peer {
        None => row.ours(figures),
        Some(peer) => row.peer(peer.name(), figures),
    })])
}
