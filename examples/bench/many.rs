//! A thousand checks: how long all of them take, and in how much memory.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::Problem;
use crate::figures::Figures;
use crate::memory::peak;
use crate::options::Options;
use crate::run::{Peer, World, time};
use crate::serve::{Answer, serve};
use crate::table::{Row, Unit};

const CHECKS: usize = 1000;
const RUNS: usize = 10;
/// Milliseconds, where hurl is not there to be twice as fast.
const ALONE: f64 = 2000.0;
const MEMORY: f64 = 40e6;

/// Time and memory of a suite of a thousand checks. hurl runs whichever is faster for it: a file
/// for each check, or one for each ten.
pub(crate) fn many(world: &World, _: &Options) -> Result<Vec<Row>, Problem> {
    let address = serve(Answer::new("text/plain", "ok"))?;
    let urls: Vec<String> = (0..CHECKS).map(|n| format!("http://{address}/{n}")).collect();
    let mut config = String::from("version: 1\nservice: bench\nchecks:\n");
    for url in &urls {
        config.push_str(&format!("  - url: {url}\n    expect: [{{ status: 200 }}]\n"));
    }
    let file = world.folder.path().join("many.yml");
    std::fs::write(&file, config)?;
    let mut ours = world.ours("smoke-test");
    ours.arg("--config").arg(&file);
    let mut commands: Vec<(Option<Peer>, Command)> = vec![(None, ours)];
    for peer in world.peers() {
        let alone = || world.peer_alone(peer);
        match peer {
            Peer::Curl => {
                let mut command = alone();
                command.args(["-sf", "--parallel", "--parallel-immediate", "--parallel-max", "64"]);
                command.args(urls.iter().flat_map(|url| ["-o", "/dev/null", url]));
                commands.push((Some(peer), command));
            }
            // It has no bound on what it asks at once, and is no peer here.
            Peer::WaitOn => {}
            Peer::Hurl => {
                for size in [1, 10] {
                    let mut command = alone();
                    command.args(["--test", "--parallel"]).args(files(world, &urls, size)?);
                    commands.push((Some(peer), command));
                }
            }
        }
    }
    let mut series: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for _ in 0..RUNS {
        for ((_, command), times) in commands.iter_mut().zip(&mut series) {
            times.push(time(command)?);
        }
    }
    let mut best: Vec<(Option<Peer>, &Command, Option<Figures>)> = Vec::new();
    for ((peer, command), times) in commands.iter().zip(&series) {
        let figures = Figures::of_times(times);
        let median = |figures: &Option<Figures>| figures.map_or(f64::MAX, |f| f.median);
        match best.iter_mut().find(|(known, ..)| known == peer) {
            Some(known) if median(&figures) < median(&known.2) => {
                *known = (*peer, command, figures)
            }
            Some(_) => {}
            None => best.push((*peer, command, figures)),
        }
    }
    let peers = best.iter().filter(|(peer, ..)| peer.is_some());
    let fastest = peers.filter_map(|(.., figures)| *figures).map(|f| f.median).reduce(f64::min);
    let budget = fastest.map_or(ALONE, |median| 2.0 * median);
    let mut timed = Row::new("1,000 checks", Unit::Time, budget);
    let mut room = Row::new("peak memory, 1,000 checks", Unit::Size, MEMORY);
    for (peer, command, figures) in best {
        let bytes = peak(world, command)?;
        (timed, room) = match peer {
            None => (timed.ours(figures), room.ours(bytes)),
            Some(peer) => (timed.peer(peer.name(), figures), room.peer(peer.name(), bytes)),
        };
    }
    Ok(vec![timed, room])
}

/// Files that ask for all addresses, `size` of them in each.
fn files(world: &World, urls: &[String], size: usize) -> Result<Vec<PathBuf>, Problem> {
    let folder = world.folder.path().join(format!("many-{size}"));
    std::fs::create_dir(&folder)?;
    let write = |(index, urls): (usize, &[String])| {
        let file = folder.join(format!("{index}.hurl"));
        let all: String = urls.iter().map(|url| format!("GET {url}\nHTTP 200\n\n")).collect();
        std::fs::write(&file, all).map(|()| file)
    };
    Ok(urls.chunks(size).enumerate().map(write).collect::<Result<_, _>>()?)
}
