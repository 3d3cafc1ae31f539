//! How soon a waiting program notices that a port has opened.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Problem;
use crate::figures::Figures;
use crate::options::Options;
use crate::run::{Peer, Until, World, succeed};
use crate::serve::{Answer, accept};
use crate::table::{Row, Unit};

/// When ports open after the start of the program.
const EARLIEST: f64 = 0.2;
const LATEST: f64 = 10.0;
/// Node.js takes 0.2 s of a processor to start: more at once would measure that.
const SLOW_AT_ONCE: usize = 8;
/// Below the ports that the kernel gives to clients, since a client that is given the port it asks
/// for connects to itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// The same times and ports in every run of the bench.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// From listening to the end of the program.
pub(crate) fn port(world: &World, options: &Options) -> Result<Vec<Row>, Problem> {
    let mut random = Random(SEED);
    let mut row = Row::new("port opens → exit", Unit::Time, 60.0);
    let mut ours = Vec::new();
    let peers: Vec<Peer> = world.peers().collect();
    let mut theirs: Vec<Vec<Duration>> = vec![Vec::new(); peers.len()];
    for round in 0..options.rounds {
        ours.extend(batch(options.at_once, &mut random, |address| {
            let mut command = world.ours("wait-healthy");
            command.arg(format!("http://{address}/"));
            Ok(command)
        })?);
        // Peers are there for comparison: half as many rounds.
        if round % 2 == 1 {
            continue;
        }
        for (peer, times) in peers.iter().zip(&mut theirs) {
            let most = if *peer == Peer::WaitOn { SLOW_AT_ONCE } else { usize::MAX };
            times.extend(batch(options.at_once.min(most), &mut random, |address| {
                world.peer(*peer, address, Until::Answered)
            })?);
        }
    }
    row = row.ours(Figures::of_times(&ours)).note(format!("{} at once", options.at_once));
    for (peer, times) in peers.iter().zip(&theirs) {
        row = row.peer(peer.name(), Figures::of_times(times));
    }
    Ok(vec![row])
}

/// Starts programs at once, opens the port of each at its own time, and waits for all.
fn batch(
    size: usize,
    random: &mut Random,
    command: impl Fn(SocketAddr) -> Result<Command, Problem>,
) -> Result<Vec<Duration>, Problem> {
    let mut all = Vec::new();
    for _ in 0..size {
        let address = random.closed_port()?;
        let pause = EARLIEST + random.share() * (LATEST - EARLIEST);
        all.push((command(address)?, address, Duration::from_secs_f64(pause)));
    }
    let threads: Vec<_> = all
        .into_iter()
        .map(|(command, address, pause)| thread::spawn(move || one(command, address, pause)))
        .collect();
    let lost = |_| Problem::from("a thread of the measurement was lost");
    threads.into_iter().map(|thread| thread.join().map_err(lost)?).collect()
}

fn one(mut command: Command, address: SocketAddr, pause: Duration) -> Result<Duration, Problem> {
    let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let opener = thread::spawn(move || open(address, pause));
    let ended = succeed(child, &command).map(|()| Instant::now());
    let opened = opener.join().map_err(|_| "a thread of the measurement was lost")??;
    ended?.checked_duration_since(opened).ok_or_else(|| format!("{address} was open early").into())
}

/// Opens a port after a pause and serves from then on; tells when it was opened.
fn open(address: SocketAddr, pause: Duration) -> std::io::Result<Instant> {
    thread::sleep(pause);
    let opened = Instant::now();
    let listener = TcpListener::bind(address)?;
    thread::spawn(move || accept(&listener, &Arc::new(Answer::new("text/plain", "ok"))));
    Ok(opened)
}

/// Times and ports (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number in 0..1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A port that nothing listens on.
    fn closed_port(&mut self) -> Result<SocketAddr, Problem> {
        let width = u64::from(PORTS.end - PORTS.start);
        for _ in 0..1000 {
            let port = PORTS.start + u16::try_from(self.next() % width)?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
        Err("there is no port that nothing listens on".into())
    }
}
